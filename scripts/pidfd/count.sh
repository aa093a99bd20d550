# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# count.sh, for other scripts to read in: count what passed, failed and was skipped.

passed=0 failed=0 skipped=0

count() {
	passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

ok() {
	echo "ok $*"
	count 1 0 0
}

fail() {
	echo "FAIL $*"
	count 0 1 0
}

# counted COMMAND...: run what counts in its last line, and add that.
counted() {
	local last
	last=$("$@" | tee >(cat >&2) | tail -n 1)
	# shellcheck disable=SC2046 # three numbers
	count $(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p;t;s/.*/0 1 0/p' <<<"${last:-none}")
}

# The last line; the status says whether all is well.
total() {
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" = 0 ]
}
