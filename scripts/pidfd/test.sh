#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# test.sh: every test, against the kernel in OBJ ($BUILD/kernel). TESTS names the
# parts to run, of: models kunit upstream ours builtin rustless programs soak frontdoor, and
# repeat races fire. The last line counts.
#
# Full output goes to LOG ($BUILD/log). SELFTESTS=built: they are there already.
# BY_C=no: do not have C do the same, to compare. With --check, nothing is run: it
# fails if there are no such parts.

set -u -o pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
scripts=$top/scripts/pidfd
tests=$top/tools/testing/selftests/pidfd_rust
obj=${OBJ:-$BUILD/kernel}
log=${LOG:-$BUILD/log}
# shellcheck source=scripts/pidfd/count.sh
. "$scripts/count.sh"
# shellcheck source=scripts/pidfd/selftests.sh
. "$scripts/selftests.sh"

# Seconds a program may take; kselftest's own 45 are too few under emulation.
limit=${LIMIT:-400}

# results OPTION... TAP: print and add up what a log says.
results() {
	local out
	out=$("$PYTHON" "$scripts/results.py" "$@")
	if [ -z "$out" ]; then
		fail "results: nothing can be read in ${*: -1}"
		return
	fi
	sed '$d' <<<"$out"
	# shellcheck disable=SC2046 # three numbers
	count $(tail -n 1 <<<"$out")
}

# guest NAME COMMAND: the command's output goes to $log/NAME.log. What fails it is
# in there; that the guest itself fails, or cannot be had, is a failure too.
guest() {
	local name=$1 status=0 complaint
	complaint=$(CMD=$2 GUEST_LOG=$log/$name.dmesg "$scripts/guest.sh" run 2>&1 >"$log/$name.log" </dev/null) ||
		status=$?
	if [ "$status" = 2 ] || { [ "$status" -ge 120 ] && [ "$status" -le 126 ]; }; then
		echo "$complaint"
		fail "$name: the guest failed with status $status; see $log/$name.dmesg and $log/$name.log"
	fi
	return "$status"
}

# program NAME COMMAND: a single one, which prints TAP.
program() {
	local status=0
	guest "$1" "$2" || status=$?
	results --name "$1" --status "$status" "$log/$1.log"
}

# Prints its own results, of which the last line counts.
part_models() {
	counted "$scripts/models.sh"
}

part_kunit() {
	MODULE=no APPEND="kunit.enable=1 ${APPEND-}" guest kunit true
	results --suite 'rust_.*' "$log/kunit.dmesg"
	local examples cases
	examples=$(grep -cE ' ok [0-9]+ rust_doctest_kernel_(pid|pidfd|namespace|wait_queue)_rs' "$log/kunit.dmesg")
	cases=$("$PYTHON" "$scripts/results.py" --suite "rust_(pid|pidfd|pid_record|namespace|pidfd_counts|pseudo_fs|seq_file_put|user_struct|cred_ids|wait_queue)" \
		"$log/kunit.dmesg" | tail -n 1 | cut -d' ' -f1)
	echo "of these, of the abstractions here: $examples examples and $cases cases"
}

# Inside a guest: run what WHAT... names, as kselftest.sh takes it.
kselftest() {
	echo "cd $BUILD/kselftest && LEAVE_OUT='${LEAVE_OUT-}' BY_C=${BY_C-} RACE_SECONDS=${RACE_SECONDS-} \
		${ROUNDS:+ROUNDS=$ROUNDS} PIDFD_MODULE=$MODULE_KO $scripts/kselftest.sh $limit $*"
}

part_upstream() {
	# Behind the tests: the module's count, whether C was called, and whether that
	# could be told.
	TIMEOUT=3000 guest upstream "
		[ '${BY_C-}' = no ] || $scripts/twins.sh count
		$(kselftest "${upstream[@]}" "${programs[@]}")
		echo made \$(cat /sys/kernel/debug/rust_pidfd/created)
		[ '${BY_C-}' != no ] || exit
		$scripts/twins.sh report | sed 's/^/rust /'
		for ((i = 0; i < 100; i++)); do rmmod rust_pidfd && break; sleep 0.1; done
		$BUILD/kselftest/pidfd_rust/differ >/tmp/differ || tail -n 1 /tmp/differ
		$scripts/twins.sh report | sed 's/^/c /'"
	results --expected "$tests/expected-failures" "$log/upstream.log"

	local created called uncounted
	created=$(sed -n 's/^made //p' "$log/upstream.log")
	if [ "$created" -gt 100 ] 2>/dev/null; then
		ok "upstream: $created pidfds were made by Rust"
	else
		fail "upstream: the module made '$created' pidfds: somebody else served them"
	fi
	if [ "${BY_C-}" = no ]; then
		echo "skip twins: BY_C=no, and without C there is nothing to compare with"
		count 0 0 1
		return
	fi
	called=$(awk '/^rust twin / && $4 { printf "%s %s(), %d times", sep, $3, $4; sep = "," }' "$log/upstream.log")
	uncounted=$(awk '/^c twin / && !$4 { printf "%s %s()", sep, $3; sep = "," }' "$log/upstream.log")
	if [ -n "$called" ]; then
		fail "twins: C was called with the module loaded:$called"
	elif [ -n "$uncounted" ]; then
		fail "twins: without the module the same was not called either, so the count says nothing:$uncounted"
	elif ! grep -q '^c twin ' "$log/upstream.log"; then
		fail "twins: nothing was counted; see $log/upstream.log"
	else
		ok "twins: $(grep -c '^rust twin ' "$log/upstream.log") functions of C that Rust replaces were not called, and are without the module"
	fi
}

# in_a_row NAME WHAT: run what WHAT names, as kselftest.sh takes it, ROUNDS times.
in_a_row() {
	local n rounds=()
	for ((n = 0; n < ${ROUNDS:-20}; n++)); do
		rounds+=("$2")
	done
	TIMEOUT=$((600 * ${ROUNDS:-20})) guest "$1" "$(kselftest "${rounds[@]}")"
	results "$log/$1.log"
}

# Not by themselves: upstream's pidfd tests, and what runs against each other.
part_repeat() {
	in_a_row repeat pidfd
}

part_races() {
	in_a_row races pidfd_rust:race_test
}

# Nor this: the module is loaded and unloaded ROUNDS times while they do.
part_fire() {
	PATCHES=yes TIMEOUT=$((5 * ${ROUNDS:-1000} + 600)) program fire "cd $BUILD/kselftest/pidfd_rust &&
		ROUNDS=${ROUNDS:-1000} PIDFD_MODULE=$MODULE_KO ./fire_test"
}

part_ours() {
	PATCHES=yes TIMEOUT=3000 guest ours "$(kselftest pidfd_rust)"
	results "$log/ours.log"
	sed -nE 's/.*:([0-9]+) faults walked, ([0-9]+) .*/\1 \2/p' "$log/ours.log" |
		awk '{ n += $1; bad += $2 } END { print "of these:", n, "faults injected, one by one;", bad, "made a call fail" }'
}

# The same, and all of upstream's, where there is no module, and so all code stays
# where it is: QEMU writes down what it translates, which is what is run.
part_builtin() {
	local asm=$log/builtin.asm
	"$scripts/build.sh" builtin || {
		fail "builtin: the kernel with rust_pidfd built in cannot be built"
		return
	}
	KERNEL=$BUILD/builtin/arch/x86/boot/bzImage MODULE=no TIMEOUT=3000 \
		APPEND="nokaslr kunit.enable=1" \
		QEMU_OPTS="-d in_asm -dfilter 0xffffffff80000000+0x20000000 -D $asm" guest builtin \
		"$(kselftest "${upstream[@]}" "${programs[@]}" pidfd_rust)"
	results --expected "$tests/expected-failures" "$log/builtin.log"
	coverage "$asm" "$BUILD/builtin/vmlinux"
	rm -f "$asm"
}

# coverage ASM VMLINUX: how many of the lines were run, those of tests left out.
coverage() {
	local report percent
	report=$(cd "$top" && "$PYTHON" "$scripts/coverage.py" --asm "$1" --elf "$2" \
		--tools "$LLVM_BIN" --missed "$log/missed" \
		kernel/pidfd/*.rs $(find rust/kernel -name '*.rs')) || report=
	sed 's/^/coverage: /;s/$/ %/' <<<"$report"
	percent=$(sed -nE 's|^kernel/pidfd .* ([0-9]+)\.[0-9]$|\1|p' <<<"$report")
	if [ "${percent:-0}" -ge 95 ]; then
		ok "coverage: at least 95 % of kernel/pidfd; what was not run is in $log/missed"
	else
		fail "coverage: less than 95 % of kernel/pidfd; see $log/missed"
	fi
}

# The hooks without Rust: the kernel links, and C serves as before. Left out is what C
# fails now and then, and what takes long.
part_rustless() {
	"$scripts/build.sh" rustless || {
		fail "rustless: a kernel with hooks and without Rust cannot be built"
		return
	}
	KERNEL=$BUILD/rustless/arch/x86/boot/bzImage MODULE=no TIMEOUT=1800 \
		guest rustless "$(LEAVE_OUT="${LEAVE_OUT-} pidfd:pidfd_autoreap_test pidfd:pidfd_test pidfd:pidfd_poll_test" kselftest pidfd)
			grep -c ' pidfd_provider_register$\| _R.*kernel' /proc/kallsyms | sed 's/^/rust symbols /'
			$BUILD/kselftest/pidfd_rust/differ >/tmp/differ && echo differ ended"
	results "$log/rustless.log"
	if grep -qx 'rust symbols 0' "$log/rustless.log" && grep -qx 'differ ended' "$log/rustless.log"; then
		ok "rustless: C serves, in a kernel without a function of Rust"
	else
		fail "rustless: see $log/rustless.log"
	fi
}

# Programs that know nothing of us.
part_programs() {
	local target=$BUILD/tokio
	echo "test: building the tokio program; log in $log/tokio-build.log"
	if "$CARGO" build --locked --release --manifest-path "$tests/tokio/Cargo.toml" \
		--target-dir "$target" >"$log/tokio-build.log" 2>&1; then
		program tokio "$target/release/tokio-pidfd"
	else
		fail "tokio: cannot be built; see $log/tokio-build.log"
	fi
	program python "$PYTHON $tests/python_test.py"
	# Its exit status, and that Rust served it.
	guest sample "$BUILD/samples/pidfd-metadata && [ \$(cat /sys/kernel/debug/rust_pidfd/created) -gt 0 ]" &&
		count 1 0 0 || fail "sample: pidfd-metadata failed; see $log/sample.log"
	guest watch "sleep 1000 & p=\$!; insmod $obj/samples/rust/rust_pidfd_watch.ko pid=\$p && kill \$p; wait; rmmod rust_pidfd_watch; dmesg | grep rust_pidfd_watch:"
	if [ "$(grep -cE "process [0-9]+( has exited| has been reaped|\$)" "$log/watch.log")" = 3 ]; then
		ok "watch: the in-kernel sample saw the exit"
	else
		fail "watch: the in-kernel sample did not log the exit; see $log/watch.log"
	fi
}

part_soak() {
	PATCHES=yes TIMEOUT=3000 program soak "PIDFD_MODULE=$MODULE_KO ROUNDS=${ROUNDS:-1000} $BUILD/kselftest/pidfd_rust/soak"
	grep '^#' "$log/soak.log"
}

part_frontdoor() {
	"$scripts/frontdoor-test.sh" >"$log/frontdoor.log" 2>"$log/frontdoor.err"
	results --name frontdoor "$log/frontdoor.log"
}

parts=${TESTS:-models kunit upstream ours builtin rustless programs soak frontdoor}
for part in $parts; do
	declare -F "part_$part" >/dev/null && continue
	echo "test: TESTS=$parts: there is no part $part" >&2
	exit 2
done
[ "${1-}" != --check ] || exit 0
mkdir -p "$log"
[ -n "${SELFTESTS-}" ] || build_selftests
for part in $parts; do
	echo "test: $part"
	"part_$part"
done
total
