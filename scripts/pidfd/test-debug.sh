#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# test-debug.sh: the tests once more, on kernels that look for mistakes: with KASAN,
# and with KCSAN, each with lockdep, kmemleak and the other checks of
# kernel/configs/rust_pidfd_debug.config. VARIANTS names them, TESTS the parts of
# test.sh. What a check finds fails the guest in which it is found.
#
# First the checks have to find mistakes that are made on purpose.
#
# Full output goes to $BUILD/log/VARIANT.

set -u -o pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
scripts=$top/scripts/pidfd
# shellcheck source=scripts/pidfd/count.sh
. "$scripts/count.sh"
# shellcheck source=scripts/pidfd/selftests.sh
. "$scripts/selftests.sh"

# finds MISTAKE WORDS: the kernels in which mistakes were made have complained with WORDS.
finds() {
	if grep -qE "$2" <<<"$found"; then
		ok "finds $1"
	else
		fail "$1 is not found; see $LOG/mistakes.dmesg"
	fi
}

# make_mistakes NAMES...: in one guest. It fails, as it is to: what matters is what
# its kernel says.
make_mistakes() {
	local status=0
	rm -f "$LOG/mistakes.dmesg"
	GUEST_LOG=$LOG/mistakes.dmesg MODULE=no TIMEOUT=1200 APPEND="$APPEND kasan_multi_shot" CMD="
		for name in $*; do
			insmod $OBJ/kernel/pidfd/pidfd_broken.ko mistake=\$name
			rmmod pidfd_broken
		done" "$scripts/guest.sh" run >/dev/null 2>&1 || status=$?
	[ "$status" = 120 ] || fail "a guest with mistakes ended with status $status"
	found=$(cat "$LOG/mistakes.dmesg")
}

# test_variant NAME: the mistakes, and then the tests.
test_variant() {
	local variant=$1 special leaks part less
	# kmemleak makes everything take nearly twice as long, so either kernel has it for
	# some parts.
	case $variant in
	kasan) special=use_after_free leaks="kunit ours programs soak" ;;
	kcsan)
		special="write_after_free write_to_free_page data_race rust_data_race"
		leaks="kunit upstream"
		;;
	esac
	export OBJ=$BUILD/$variant
	export KERNEL=$OBJ/arch/x86/boot/bzImage MODULE_KO=$OBJ/kernel/pidfd/rust_pidfd.ko
	export LOG=$BUILD/log/$variant MEM=4G SELFTESTS=built BY_C=no
	# These make tens of thousands of processes, or have to be done with hundreds in a
	# time that is set.
	export LEAVE_OUT="pidfd:pidfd_test pidfd:pidfd_poll_test pid_namespace:pid_max"
	# identify_cpu() forgets the CPU's features for a moment. An interrupt in which KASAN
	# then looks at an address takes it for wild, if page tables have five levels.
	export APPEND="no5lvl page_poison=1"

	local start=$SECONDS
	# shellcheck disable=SC2086 # $special is a list of words
	# lockdep looks no further after its first complaint, nor after one by KASAN; RCU
	# counts on it.
	make_mistakes rcu_without_lock sleep_in_atomic lock_inversion out_of_bounds \
		list_corruption refcount_from_zero $special leak
	finds leak "kmemleak: .*suspected memory leak"
	finds out_of_bounds "UBSAN: array-index-out-of-bounds"
	finds list_corruption "list_add double add"
	finds refcount_from_zero "refcount_t: addition on 0"
	finds lock_inversion "WARNING: possible circular locking dependency"
	finds rcu_without_lock "WARNING: suspicious RCU usage"
	finds sleep_in_atomic "BUG: sleeping function called from invalid context"
	case $variant in
	kasan) finds use_after_free "BUG: KASAN: .*use-after-free" ;;
	kcsan)
		finds write_after_free "\[Poison overwritten\]"
		finds write_to_free_page "pagealloc: memory corruption"
		finds data_race "BUG: KCSAN: data-race in count_up"
		finds rust_data_race "BUG: KCSAN: data-race in rust_pidfd_broken_count"
		;;
	esac
	echo "test: finding mistakes took $((SECONDS - start)) s"

	start=$SECONDS
	for part in $parts; do
		# slub_debug has more to say with U, stacks, which take a fifth of the time.
		less=slub_debug=FZP
		[[ " $leaks " = *" $part "* ]] || less+=" kmemleak=off"
		APPEND="$APPEND $less" TESTS=$part ROUNDS=${ROUNDS:-50} LIMIT=1200 \
			counted "$scripts/test.sh"
		echo "test: $part took $((SECONDS - start)) s"
		start=$SECONDS
	done
	total
}

variants=${VARIANTS:-kasan kcsan}
for variant in $variants; do
	case $variant in
	kasan | kcsan) ;;
	*)
		echo "test-debug: VARIANTS=$variants: there are kasan and kcsan" >&2
		exit 2
		;;
	esac
done
parts=${TESTS:-kunit upstream ours programs soak}
TESTS=$parts "$scripts/test.sh" --check || exit 2
"$scripts/build.sh" weave || exit 1
for variant in $variants; do
	"$scripts/build.sh" variant debug "$variant" || exit 1
done
build_selftests

# Side by side. What is emulated by a thread for each processor gets little done: they
# wait for each other's locks.
export PATCHES=yes
set -m # each is a group of processes, which can be ended as one
groups=()
for variant in $variants; do
	mkdir -p "$BUILD/log/$variant"
	{ test_variant "$variant" 2>&1 | tee "$BUILD/log/$variant/results" | sed -u "s/^/$variant: /"; } &
	groups+=("-$!")
done
trap 'kill -- "${groups[@]}"; wait; exit 130' INT TERM HUP
wait
for variant in $variants; do
	counted tail -n 1 "$BUILD/log/$variant/results" 2>/dev/null
done
total
