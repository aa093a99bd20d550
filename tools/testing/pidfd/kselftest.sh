#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kselftest.sh [--leave-out "PROGRAM..."] LIMIT WHAT...: inside the guest, run the
# installed programs of the current folder one by one, LIMIT seconds each, and print
# what run_kselftest.sh prints. WHAT is a collection or COLLECTION:PROGRAM, and so is
# each PROGRAM to leave out.
#
# run_kselftest.sh waits for each process that holds a program's output, and a
# program that fails may leave children behind that do. So each gets a cgroup,
# which is killed when the program's time is up and when it has ended.

set -u

leave_out=
if [ "$1" = --leave-out ]; then
	leave_out=$2
	shift 2
fi
limit=$1
shift
cgroup=/sys/fs/cgroup/kselftest
# Core dumps without memory: what upstream's programs have mapped takes too long to
# emulate.
echo 0 >/proc/self/coredump_filter
mountpoint -q /sys/fs/cgroup || mount -t cgroup2 none /sys/fs/cgroup
mkdir -p "$cgroup"
tmp=$(mktemp -d)
mkfifo "$tmp/pipe"

echo "TAP version 13"
for what in "$@"; do
	[[ $what = *:* ]] && words=$what$ || words=$what:
	tests=$(grep "^$words" kselftest-list.txt) || {
		[[ $what = *:* ]] || what+=:all
		echo "# selftests: ${what/:/: }"
		echo "not ok 1 selftests: ${what/:/: } # is not installed"
	}
	for test in $tests; do
		if [[ " $leave_out " = *" $test "* ]]; then
			echo "# selftests: ${test/:/: }"
			echo "ok 1 selftests: ${test/:/: } # SKIP left out: needs too many processes, or too little time, for a kernel this slow"
			continue
		fi
		: >"$tmp/out"
		cat "$tmp/pipe" >"$tmp/out" &
		reader=$!
		(
			echo $BASHPID >$cgroup/cgroup.procs
			exec ./run_kselftest.sh -o "$limit" -t "$test"
		) >"$tmp/pipe" 2>&1 &
		runner=$!
		start=$SECONDS
		# The runner ends the program after as long, but then waits for its output's end.
		sleep $((limit + 30)) &
		alarm=$!
		wait -n $runner $alarm
		disown $alarm 2>/dev/null
		kill $alarm 2>/dev/null
		echo 1 >$cgroup/cgroup.kill
		wait $runner $reader
		grep -vE '^(TAP version 13|1\.\.1)$' "$tmp/out"
		grep -qE "^(not )?ok 1 selftests: ${test/:/: }" "$tmp/out" ||
			echo "not ok 1 selftests: ${test/:/: } # did not end within $limit seconds"
		echo "# $test took $((SECONDS - start)) s"
	done
done
