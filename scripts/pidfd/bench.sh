#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bench.sh: what operations on pidfds cost by C and by Rust, in one boot of the
# kernel in $BUILD/kernel: by C, with the module loaded, and by C again.
#
# ICOUNT=yes (the default) counts instructions of the guest, which has one CPU.
# ICOUNT=no measures time, several times over, on CPUS CPUs.
#
# PRISTINE=yes measures a kernel without hooks as well, in a boot of its own.
#
# LSM=a,b has these security modules on, in place of those of the configuration.
#
# With ICOUNT=yes, atomics.sh counts atomic instructions in the end.
#
# Text goes to standard output; it, JSON and a picture are in $BUILD/bench.

set -eu -o pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
scripts=$top/scripts/pidfd
bench=$BUILD/kselftest/pidfd_rust/bench
runs=1 also=scale
# What a fork costs depends on where things are.
export APPEND=norandmaps

case ${ICOUNT:-yes} in
yes)
	# One instruction is one nanosecond of the clock, and the guest never idles.
	export CPUS=1 QEMU_OPTS="-icount shift=0,sleep=off" APPEND="$APPEND tsc=reliable"
	;;
no) runs=5 also=cpus ;;
*)
	echo "bench: ICOUNT=$ICOUNT is neither yes nor no" >&2
	exit 2
	;;
esac

if [ -n "${LSM:-}" ]; then
	known="apparmor bpf capability ipe landlock selinux smack tomoyo"
	for module in ${LSM//,/ }; do
		[[ " $known " = *" $module "* ]] || {
			echo "bench: LSM=$LSM: there is no security module $module; there are: $known" >&2
			exit 2
		}
	done
	export APPEND="$APPEND lsm=$LSM"
fi

case ${PRISTINE:-no} in
yes | no) ;;
*)
	echo "bench: PRISTINE=$PRISTINE is neither yes nor no" >&2
	exit 2
	;;
esac

"$scripts/build.sh" selftests pidfd_rust
[ "${PRISTINE:-no}" = no ] || "$scripts/build.sh" pristine
mkdir -p "$BUILD/bench"
echo "bench: measuring, by ${CPUS:-2} CPU(s)" >&2
status=0
MODULE=no TIMEOUT=3000 CMD="
	set -e
	mountpoint -q /sys/kernel/security || mount -t securityfs none /sys/kernel/security
	echo lsm \$(cat /sys/kernel/security/lsm)
	for ((i = 0; i < $runs; i++)); do
		echo 'run c'; $bench; $bench $also
		insmod $MODULE_KO
		echo 'run rust'; $bench; $bench $also
		[ \$(cat /sys/kernel/debug/rust_pidfd/created) -gt 1000 ]
		for ((j = 0; j < 50; j++)); do rmmod rust_pidfd 2>/dev/null && break; sleep 0.1; done
		[ ! -e /sys/module/rust_pidfd ]
		echo 'run again'; $bench; $bench $also
	done" "$scripts/guest.sh" run >"$BUILD/bench/raw" || status=$?
[ "$status" = 0 ] || {
	tail -n 3 "$BUILD/bench/raw" >&2
	echo "bench: the guest failed with status $status" >&2
	exit 1
}
[ "${PRISTINE:-no}" = no ] || {
	echo "bench: measuring, without hooks" >&2
	KERNEL=$BUILD/pristine/arch/x86/boot/bzImage MODULE=no TIMEOUT=3000 CMD="
		for ((i = 0; i < $runs; i++)); do
			echo 'run pristine'; $bench; $bench $also
		done" "$scripts/guest.sh" run >>"$BUILD/bench/raw"
}
"$PYTHON" "$scripts/bench.py" "$BUILD/bench" "${ICOUNT:-yes}" || status=$?
[ "${ICOUNT:-yes}" = no ] || { echo; "$scripts/atomics.sh"; }
exit "$status"
