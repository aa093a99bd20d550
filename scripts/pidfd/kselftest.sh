#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kselftest.sh LIMIT WHAT...: inside the guest, run installed programs one by one,
# LIMIT seconds each, and print what run_kselftest.sh prints. WHAT is a collection
# or COLLECTION:PROGRAM. Those in LEAVE_OUT are skipped.
#
# run_kselftest.sh waits for whoever holds on to a program's output, and a
# program that fails may leave children behind that do. So each gets a cgroup,
# which is killed when the program's time is up and when it has ended.

set -u

limit=$1
shift
cgroup=/sys/fs/cgroup/kselftest
# The stacks of threads, as large as this, are part of core dumps, and those of
# upstream's programs of hundreds of megabytes, which takes too long to emulate.
ulimit -Ss 512
mountpoint -q /sys/fs/cgroup || mount -t cgroup2 none /sys/fs/cgroup
mkdir -p "$cgroup"
tmp=$(mktemp -d)
mkfifo "$tmp/pipe"

echo "TAP version 13"
for what in "$@"; do
	[[ $what = *:* ]] && words=$what$ || words=$what:
	for test in $(grep "^$words" kselftest-list.txt); do
		if [[ " ${LEAVE_OUT-} " = *" $test "* ]]; then
			echo "# selftests: ${test/:/: }"
			echo "ok 1 selftests: ${test/:/: } # SKIP takes too long where everything is slow"
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
		for ((s = 0; s < 10 * limit; s++)); do
			kill -0 $runner 2>/dev/null || break
			sleep 0.1
		done
		echo 1 >$cgroup/cgroup.kill
		wait $runner $reader
		grep -vE '^(TAP version 13|1\.\.1)$' "$tmp/out"
		grep -qE "^(not )?ok 1 selftests: ${test/:/: }" "$tmp/out" ||
			echo "not ok 1 selftests: ${test/:/: } # did not end within $limit seconds"
		echo "# $test took $((SECONDS - start)) s"
	done
done
