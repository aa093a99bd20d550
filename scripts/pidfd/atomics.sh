#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# atomics.sh: count the atomic instructions of operations on pidfds by C and by Rust, in one
# boot of the kernel in $BUILD/kernel: by C, and with the module loaded.
#
# bench.sh builds what this needs. APPEND holds more kernel parameters.
#
# The table goes to standard output. $BUILD/bench has it with details by function, and JSON.

set -eu -o pipefail

scripts=$(dirname "$(realpath "$0")")
bench=$BUILD/kselftest/pidfd_rust/bench

# The kernel has to be where vmlinux says.
export APPEND="${APPEND-} nokaslr norandmaps tsc=reliable"
# The clock counts instructions, so that timers do not depend on the speed of the debugger. At
# each stop a device with an ioeventfd would rebuild the memory map, which takes milliseconds.
QEMU_OPTS="-icount shift=0,sleep=off"
for device in 9p serial; do
	QEMU_OPTS+=" -global virtio-$device-pci.ioeventfd=off"
done
# Symbols of the module follow from the addresses of its sections.
export QEMU_OPTS CPUS=2 MODULE=no TIMEOUT=3000 CMD="
	set -e
	$bench trace 'run c'
	insmod $MODULE_KO
	cd /sys/module/rust_pidfd/sections
	$bench trace \"run rust \$(grep . .[a-z]* | tr ':\n' '  ')\"
	cd /
	for ((i = 0; i < 50; i++)); do rmmod rust_pidfd 2>/dev/null && break; sleep 0.1; done
	[ ! -e /sys/module/rust_pidfd ]"
mkdir -p "$BUILD/bench"
echo "bench: counting atomic instructions" >&2
"$PYTHON" "$scripts/atomics.py" --nm "${LLVM_BIN}llvm-nm" --vmlinux "$BUILD/kernel/vmlinux" \
	--module "$MODULE_KO" "$BUILD/bench" "$scripts/guest.sh" run
echo "bench: details by function are in $BUILD/bench: atomics.txt, atomics.json" >&2
