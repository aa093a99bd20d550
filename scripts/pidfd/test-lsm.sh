#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# test-lsm.sh: boot the kernel with one security module after the other, and compare
# what each allows, denies and audits on pidfds by C and by Rust. The last line counts.
#
# LSM=a,b names what to boot, of: selinux smack tomoyo ima default. The last one is the set
# that is on without lsm=; AppArmor and Landlock confine there. ROUNDS (300) is how often
# inodes of pidfds move from role to role. Full output goes to LOG ($BUILD/log).

set -u -o pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
scripts=$top/scripts/pidfd
policies=$top/tools/testing/selftests/pidfd_rust/policies
log=${LOG:-$BUILD/log}
# shellcheck source=scripts/pidfd/count.sh
. "$scripts/count.sh"

# The value of lsm=.
declare -A on=(
	[selinux]="landlock,selinux,bpf"
	[smack]="landlock,smack,bpf"
	[tomoyo]="tomoyo"
	[ima]="bpf"
	[default]=""
)

# What lsm_test.sh compares.
declare -A compared=(
	[selinux]=selinux
	[smack]=smack
	[tomoyo]=tomoyo
	[ima]=ima
	[default]="apparmor landlock"
)

# Where the blob of an inode depends on the label of a task, these run as well. They
# inject faults into its allocation, too.
declare -A programs=(
	[selinux]="clone open fdinfo poll security fault swap bpf"
	[smack]="clone open fdinfo poll security fault swap bpf"
)

boots=${LSM:-selinux,smack,tomoyo,ima,default}
for name in ${boots//,/ }; do
	[ -n "${compared[$name]-}" ] && continue
	echo "test-lsm: LSM=$boots: $name is none of selinux, smack, tomoyo, ima and default" >&2
	exit 2
done

# results OPTION... TAP: print and add up what a log says.
results() {
	local out
	out=$("$PYTHON" "$scripts/results.py" "$@")
	sed '$d' <<<"$out"
	# shellcheck disable=SC2046 # three numbers
	count $(tail -n 1 <<<"$out")
}

# guest NAME APPEND COMMAND: run it. Output goes to $log/lsm-NAME.log, and files that
# the command leaves in the current folder to $log/lsm-NAME.
guest() {
	local name=lsm-$1 status=0 complaint
	rm -rf "${log:?}/$name"
	mkdir -p "$log/$name"
	complaint=$(CMD="cd $log/$name; $3" APPEND="$2 ${APPEND-}" DIR=$log/$name \
		GUEST_LOG=$log/$name.dmesg MODULE=no PATCHES=yes TIMEOUT=1200 \
		"$scripts/guest.sh" run 2>&1 >"$log/$name.log" </dev/null) || status=$?
	if [ "$status" = 2 ] || { [ "$status" -ge 120 ] && [ "$status" -le 126 ]; }; then
		echo "$complaint"
		fail "$name: the guest failed with status $status; see $log/$name.dmesg and $log/$name.log"
	fi
	return "$status"
}

# boot NAME
boot() {
	local name=$1 append status=0 program tests=
	# Each record is printed, however many come at once. Red zones keep a cache from being
	# merged with others, so that its objects can be counted.
	append="audit=1 audit_backlog_limit=0 log_buf_len=16M slab_debug=Z,lsm_inode_cache"
	# lsm_test.sh loads the policy of TOMOYO; the kernel wants a program that does.
	append+=" TOMOYO_loader=/bin/true TOMOYO_trigger=/run/pidfd-tomoyo"
	[ -z "${on[$name]}" ] || append+=" lsm=${on[$name]}"
	for program in ${programs[$name]-}; do
		tests+=" pidfd_rust:${program}_test"
	done
	guest "$name" "$append" "
		OUT=\$PWD ROUNDS=${ROUNDS-} PIDFD_MODULE=$MODULE_KO SELINUX_POLICY=$BUILD/selinux-policy \
			APPARMOR_PARSER=$APPARMOR_PARSER \
			$BUILD/kselftest/pidfd_rust/lsm_test.sh ${compared[$name]}
		status=\$?
		if [ -n '$tests' ]; then
			insmod $MODULE_KO
			here=\$PWD
			cd $BUILD/kselftest && PIDFD_MODULE=$MODULE_KO $scripts/kselftest.sh 400$tests >\$here/tests.log 2>&1
		fi
		exit \$status" || status=$?
	results --name "lsm_test.sh $name" --status "$status" "$log/lsm-$name.log"
	sed -n 's/^# \(.*[0-9] calls,.*\|.*new inodes\)$/\1/p' "$log/lsm-$name.log"
	[ -z "$tests" ] || results "$log/lsm-$name/tests.log"
}

mkdir -p "$log"
"$scripts/build.sh" kernel && "$scripts/build.sh" selftests pidfd_rust || exit 1
# Classes and permissions that the policy does not declare are allowed.
"$CHECKPOLICY" -U allow -o "$BUILD/selinux-policy" "$policies/selinux.te" >"$log/checkpolicy.log" 2>&1 || {
	cat "$log/checkpolicy.log" >&2
	exit 1
}
for name in ${boots//,/ }; do
	start=$SECONDS
	echo "test-lsm: $name"
	boot "$name"
	echo "test-lsm: $name took $((SECONDS - start)) s"
done
total
