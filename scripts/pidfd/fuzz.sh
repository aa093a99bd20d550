#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# fuzz.sh          fuzzes the kernel in $BUILD/kasan, which has KCOV
# fuzz.sh FILE...  runs these inputs there, and prints their calls and results
#
# Environment:
#   TIME=600  how long: seconds, or 10m, or 1h
#   SEED      of what is random; printed at the start
#
# What is found is in $BUILD/fuzz, and the lines of Rust that were never reached are in
# $BUILD/fuzz/missed. Fails if the kernel complains, or if a call has a result that it
# cannot have. The last line has the figures.

set -u -o pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
scripts=$top/scripts/pidfd
source=$top/tools/pidfd/fuzz
dir=$BUILD/fuzz
fuzz=$dir/target/release/pidfd-fuzz
log=$BUILD/log
export KERNEL=$BUILD/kasan/arch/x86/boot/bzImage
export MODULE_KO=$BUILD/kasan/kernel/pidfd/rust_pidfd.ko
export DIR=$dir
# KASAN and kmemleak are what counts here; with the rest an input takes seconds under
# emulation. For no5lvl see test-debug.sh.
export APPEND=${APPEND-no5lvl nokaslr slub_debug=- no_debug_objects page_poison=0 lockdep.prove_locking=0}

time=${TIME:-600}
case $time in
*h) time=${time%h} unit=3600 ;;
*m) time=${time%m} unit=60 ;;
*) time=${time%s} unit=1 ;;
esac
case $time in
'' | *[!0-9]*)
	echo "fuzz: TIME=$TIME is no time" >&2
	exit 2
	;;
esac
time=$((10#$time * unit))

mkdir -p "$log" "$dir"
echo "fuzz: building the fuzzer; log in $log/fuzz-build.log" >&2
# By cargo's own compiler: the kernel's may be older.
env -u RUSTC -u RUSTDOC "$CARGO" build --locked --release --manifest-path "$source/Cargo.toml" \
	--target-dir "$dir/target" >"$log/fuzz-build.log" 2>&1 || {
	tail -n 20 "$log/fuzz-build.log" >&2
	echo "fuzz: the fuzzer cannot be built" >&2
	exit 1
}

if [ $# -gt 0 ]; then
	mapfile -t files < <(realpath -- "$@")
	CMD="$(printf '%q ' "$fuzz" --replay "${files[@]}")" "$scripts/guest.sh" run
	exit
fi

# As one would type it.
replay() {
	echo "fuzz: to run that again: make LLVM=1 CONFIG_RUST=y fuzz REPLAY='$*'"
}

# coverage: what QEMU has translated, in the kernel and in the module, which is linked to
# where it was. What it calls elsewhere does not matter.
coverage() {
	mapfile -t sections <"$dir/sections"
	"${LLVM_BIN}ld.lld" --noinhibit-exec "${sections[@]}" -o "$dir/module.elf" "$MODULE_KO" \
		>"$log/fuzz-link.log" 2>&1
	(cd "$top" && "$PYTHON" "$scripts/coverage.py" --asm "$asm" --elf "$BUILD/kasan/vmlinux" \
		--elf "$dir/module.elf" --tools "$LLVM_BIN" --missed "$dir/missed" \
		kernel/pidfd/*.rs $(find rust/kernel -name '*.rs' ! -name pidfd_broken.rs)) |
		sed 's/^/coverage: /;s/$/ %/'
	echo "coverage: these lines were not reached; Documentation/pidfd/testing.rst says why"
	cat "$dir/missed"
}

rm -rf "$dir/corpus" "$dir/recent" "$dir"/wrong-* "$dir/missed" "$dir/sections"
status=0
asm=$log/fuzz.asm
CMD="cd /sys/module/rust_pidfd/sections
grep . .*text | sed 's/^/--section-start=/;s/:/=/' >$dir/sections
$(printf '%q ' "$fuzz" --dir "$dir" --corpus "$source/corpus" --time "$time" ${SEED:+--seed "$SEED"}) &&
{ [ \$(cat /sys/kernel/debug/rust_pidfd/created) -gt 0 ] || { echo 'pidfd-fuzz: Rust made no pidfd'; false; }; } &&
rmmod rust_pidfd"
export CMD TIMEOUT=$((time + 600))
QEMU_OPTS="-d in_asm -dfilter 0xffffffff80000000+0x60000000 -D $asm" \
	"$scripts/guest.sh" run | tee "$log/fuzz.log" || status=$?
[ "$status" -lt 128 ] || exit "$status" # Ctrl-C
[ ! -s "$dir/sections" ] || coverage
rm -f "$asm"
if compgen -G "$dir/wrong-*" >/dev/null; then
	replay "$dir"/wrong-*
elif [ "$status" != 0 ] && [ -d "$dir/recent" ]; then
	rm -rf "$dir/last"
	cp -rp "$dir/recent" "$dir/last"
	echo "fuzz: the guest failed with status $status; what ran last comes last:"
	# shellcheck disable=SC2012 # these are numbers
	mapfile -t files < <(ls -tr "$dir/last")
	replay "${files[@]/#/$dir/last/}"
fi
figures=$(sed -n 's/^pidfd-fuzz: \(.* places covered\)$/\1/p' "$log/fuzz.log" | tail -n 1)
echo "fuzz: ${figures:-nothing ran}; $([ "$status" = 0 ] && echo "nothing wrong" || echo FAILED)"
[ "$status" = 0 ]
