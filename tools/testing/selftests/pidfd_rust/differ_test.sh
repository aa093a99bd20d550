#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The same system calls on C pidfds, on Rust pidfds and on C pidfds again: the module makes no
# difference to what they return. PIDFD_MODULE says where it is. BY_C=no: Rust makes
# them, and no more.

set -u

here=$(dirname "$(realpath "$0")")
created=/sys/kernel/debug/rust_pidfd/created
n=0

is() {
	local name=$1
	shift
	n=$((n + 1))
	if "$@"; then
		echo "ok $n $name"
	else
		echo "not ok $n $name"
	fi
}

bail_out() {
	echo "Bail out! $*"
	exit 1
}

# What differs, unless it is nothing.
same() {
	local out
	out=$(diff "$1" "$2") && return
	head -n 60 <<<"$out" | sed 's/^/# /'
	return 1
}

# Pidfds that are closed already may take a moment to be gone.
unload() {
	for ((i = 0; i < 100; i++)); do
		rmmod rust_pidfd 2>/dev/null && return
		sleep 0.1
	done
	bail_out "rust_pidfd cannot be unloaded: somebody has pidfds open"
}

load() { insmod "$PIDFD_MODULE" || bail_out "$PIDFD_MODULE cannot be loaded"; }

echo "TAP version 13"
if [ ! -e /sys/module/rust_pidfd/refcnt ]; then
	echo "1..0 # SKIP rust_pidfd is not there as a module, to be unloaded"
	exit 4
fi
[ -r "${PIDFD_MODULE-}" ] || bail_out "PIDFD_MODULE does not say where rust_pidfd.ko is"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"; [ -e /sys/module/rust_pidfd ] || insmod "$PIDFD_MODULE"' EXIT

unload
[ "${BY_C-}" = no ] || is "all calls can be made by C" "$here/differ" >"$tmp/c"
load
is "all calls can be made by Rust" "$here/differ" >"$tmp/rust"
made=$(cat "$created")
unload
[ "${BY_C-}" = no ] || is "all calls can be made by C again" "$here/differ" >"$tmp/again"
load

# The verdicts of the runs are at the end of what they printed.
for run in c rust again; do
	[ -e "$tmp/$run" ] || continue
	tail -n 1 "$tmp/$run"
	sed -i '$d' "$tmp/$run"
done
echo "# $(wc -l <"$tmp/rust") calls, $made pidfds made by Rust"
is "Rust served the second run" test "$made" -gt 100
is "there are hundreds of calls" test "$(wc -l <"$tmp/rust")" -gt 500
if [ "${BY_C-}" != no ]; then
	is "Rust makes no difference" same "$tmp/c" "$tmp/rust"
	is "having had Rust makes no difference" same "$tmp/c" "$tmp/again"
fi
echo "1..$n"
