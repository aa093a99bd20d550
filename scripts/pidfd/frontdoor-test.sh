#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# frontdoor-test.sh: what a user types and sees, in TAP. Needs a built kernel.

set -u -o pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
build=$BUILD
obj=$build/kernel
tmp=$(mktemp -d "$build/frontdoor.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
n=0

# Make as the user calls it, with nothing of this run's settings.
door() {
	env -u LLVM -u CONFIG_RUST -u CMD -u MODULE -u DIR -u TIMEOUT -u APPEND -u KERNEL -u MODULE_KO -u MAKEFLAGS -u MAKELEVEL \
		make -s -C "$top" BUILD="$build" ${KERNEL_SRC:+KERNEL_SRC="$KERNEL_SRC"} \
		"$@" >"$tmp/out" 2>"$tmp/err" </dev/null
}

make_() {
	door LLVM=1 CONFIG_RUST=y "$@"
}

# is NAME TEST...: one case.
is() {
	local name=$1
	shift
	n=$((n + 1))
	if "$@"; then
		echo "ok $n $name"
	else
		sed 's/^/# out: /' "$tmp/out"
		sed 's/^/# err: /' "$tmp/err"
		echo "not ok $n $name"
	fi
}

# Failed, with one line that says WORDS.
one_line() {
	local lines
	lines=$(grep -cvE '^make(\[[0-9]+\])?: ' "$tmp/err")
	[ "$lines" = 1 ] && grep -q -- "$1" "$tmp/err" && [ ! -s "$tmp/out" ]
}

# The same, from make itself.
make_line() {
	[ "$(wc -l <"$tmp/err")" = 1 ] && grep -q -- "$1" "$tmp/err"
}

echo "TAP version 13"

door CONFIG_RUST=y
is "without LLVM=1 it says what to type" make_line "make LLVM=1 CONFIG_RUST=y"
door LLVM=1 CONFIG_RUST=n
is "with CONFIG_RUST=n it says what to type" make_line "make LLVM=1 CONFIG_RUST=y"
door help
is "help needs nothing" grep -q "KERNEL_SRC=DIR" "$tmp/out"

make_ SETUP=no BUILD="$tmp/build" modules
is "SETUP=no lists what is missing in a new build folder, and installs nothing" \
	test "$(head -n 1 "$tmp/err")" = "setup: SETUP=no; this is missing:" -a ! -e "$tmp/build/venv"
make_ KERNEL_SRC="$tmp/none"
is "KERNEL_SRC that does not exist is one line" one_line "is no directory"
make_ KERNEL_SRC="$tmp"
is "KERNEL_SRC that is no kernel is one line" one_line "is not a kernel source tree"
is "and the kernel built before is still there" test -f "$obj/Module.symvers"
printf '%s\n' '# it was well' 'ok 1 a' '#  RUN b' '# it was late' 'not ok 2 b' '# it is gone' 'ok 3 c' 1..3 >"$tmp/tap"
"$PYTHON" "$top/scripts/pidfd/results.py" --status 1 "$tmp/tap" >"$tmp/out" 2>"$tmp/err"
is "a test that failed is shown with what it said, and no more" \
	test "$(cat "$tmp/out")" = "FAIL program: b"$'\n'"    # it was late"$'\n'"2 1 0"
make_ bench ICOUNT=maybe
is "bench with ICOUNT that makes no sense is one line" one_line "ICOUNT=maybe is neither yes nor no"
make_ bench LSM=landlock,selinus
is "bench with a security module that does not exist is one line" one_line "there is no security module selinus"
make_ test TESTS='kunit upstrem'
is "test with a part that there is not is one line" one_line "there is no part upstrem"
make_ test-debug TESTS='kunit upstrem'
is "so it is for test-debug, before anything is built" one_line "there is no part upstrem"
make_ modules
is "modules without KDIR is one line" one_line "KDIR=DIR"
make_ modules KDIR="$tmp"
is "modules with KDIR that is no kernel is one line" one_line "no Module.symvers"
: >"$tmp/Module.symvers"
make_ modules KDIR="$tmp"
is "modules with KDIR that has no hooks is one line" one_line "no pidfd hooks"

# A tree in which a hook does not match.
source=$(cut -d' ' -f1 "$build/woven")
tree=$tmp/tree
mkdir "$tree"
"$top/scripts/pidfd/weave.sh" --files | (cd "$source" && xargs cp --parents -t "$tree")
sed -i 's/put_user(pidfd, args->pidfd)/put_user(args->pidfd, pidfd)/' "$tree/kernel/fork.c"
"$top/scripts/pidfd/weave.sh" --check "$tree" >"$tmp/out" 2>"$tmp/err"
is "a hook that does not match is one line with rule and file" one_line "clone.cocci puts 'pidfd_provider_clone(' into kernel/fork.c 0 times"

make_ guest CMD='uname -r'
is "uname -r prints its one line and nothing else" \
	test "$(wc -l <"$tmp/out") $(wc -c <"$tmp/err")" = "1 0"
make_ guest CMD='echo out; echo err >&2; exit 42'
is "output is passed through, apart" test "$(cat "$tmp/out") $(head -n 1 "$tmp/err")" = "out err"
is "the exit status comes back" grep -q 'Error 42' "$tmp/err"
make_ guest CMD='v=$HOME; echo "a  $v '"'q'"'"; echo `echo b`'
is "a command is taken as it is" test "$(cat "$tmp/out")" = "a  ${HOME:-/root} 'q'"$'\n'b
make_ guest CMD='touch pidfd-was-here && ls pidfd-was-here'
is "the working directory can be written to, and the host's is not" \
	test "$(cat "$tmp/out")" = pidfd-was-here -a ! -e "$top/pidfd-was-here"
make_ guest DIR="$tmp" CMD="echo hello >$tmp/shared"
is "DIR can be written to" test "$(cat "$tmp/shared")" = hello
make_ guest CMD='lsmod | grep -c ^rust_pidfd'
is "the module is loaded" test "$(cat "$tmp/out")" = 1
make_ guest MODULE=no CMD='lsmod | grep -c ^rust_pidfd'
is "MODULE=no leaves it out" test "$(cat "$tmp/out")" = 0
make_ guest CPUS=3 MEM=1G CMD='nproc'
is "CPUS is the number of processors" test "$(cat "$tmp/out")" = 3
make_ guest CMD='echo "<4>WARNING: test at test" >/dev/kmsg'
is "a complaint of the kernel fails, and is shown" grep -q 'WARNING: test at test' "$tmp/err"
make_ guest CMD='echo "<4>BUG: KCSAN: data-race in do_exit / __x64_sys_wait4" >/dev/kmsg'
is "but not a data race that C has with itself" test $? = 0
make_ guest CMD='echo "<4>BUG: KCSAN: data-race in do_exit / pidfd_poll" >/dev/kmsg'
is "one with a pidfd does" grep -q 'KCSAN: data-race in' "$tmp/err"
make_ guest CMD='echo c >/proc/sysrq-trigger; sleep 60'
is "a panic fails, and is shown" grep -q 'Kernel panic' "$tmp/err"
make_ guest TIMEOUT=20 CMD='sleep 1000'
is "a hang fails" grep -q 'TIMEOUT=20' "$tmp/err"
# QEMU does not start the processor.
QEMU_OPTS=-S QUIET=3 make_ guest CMD=true
is "so does a boot that hangs, after a second try" grep -q 'the guest did not boot' "$tmp/err"

make_ modules KDIR="$obj" BUILD="$(realpath -s --relative-to="$top" "$build")"
is "the modules build against a built kernel, into a relative build folder" \
	grep -qx "$build/modules/kernel/pidfd/rust_pidfd.ko" "$tmp/out"
make_ guest MODULE=no CMD="insmod $build/modules/kernel/pidfd/rust_pidfd.ko && lsmod | grep -c ^rust_pidfd"
is "and the result loads" test "$(cat "$tmp/out")" = 1

# The configuration in which bindgen loses an alignment.
"$top/scripts/pidfd/build.sh" misconfigured >"$tmp/out" 2>"$tmp/err"
is "the layout guard stops the build and names what differs" \
	grep -qE 'C and Rust disagree on .* struct task_struct' "$build/log/misconfigured.log"

echo "1..$n"
