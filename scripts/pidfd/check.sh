#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# check.sh: the kernel's own checkers on our files: rustfmt, clippy, checkpatch;
# the semantic patches, and what the documentation says of C's functions,
# against the source that $BUILD/linux is made of; and atomics.py on the kernel.

set -u -o pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
tree=$BUILD/linux
log=$BUILD/log
failed=0

verdict() {
	if [ "$1" = 0 ]; then
		echo "ok $2"
	else
		echo "FAIL $2"
		failed=1
	fi
}

cd "$top" || exit 1
mapfile -t rust < <(find kernel rust samples/rust -name '*.rs')
of() {
	find "$@" \( -name target -o -name __pycache__ \) -prune -o -type f \
		\( -name '*.[ch]' -o -name '*.rs' -o -name 'Kconfig*' \) -print
}
mapfile -t sources < <(of fs include kernel rust samples security)
mapfile -t tests < <(of tools)

# User space has no BIT() and no __aligned(), ENOSYS is what it gets from an old
# kernel, and a test harness is made of macros, some of which look like functions.
user=SPACING,ENOSYS,BRACES,BIT_MACRO,PREFER_DEFINED_ATTRIBUTE_MACRO,NAKED_SSCANF
user+=,COMPLEX_MACRO,MACRO_WITH_FLOW_CONTROL,MULTISTATEMENT_MACRO_USE_DO_WHILE,SINGLE_STATEMENT_DO_WHILE_MACRO

checkpatch() {
	local said
	perl "$tree/scripts/checkpatch.pl" --version >/dev/null || return
	said=$(perl "$tree/scripts/checkpatch.pl" --no-tree --quiet --terse --show-types --file "$@" |
		grep -v '^total: 0 errors, 0 warnings,\( 0 checks,\)\? [0-9]* lines')
	echo -n "${said:+$said
}"
	[ -z "$said" ]
}

"$RUSTFMT" --config-path "$tree/.rustfmt.toml" --check "${rust[@]}"
verdict $? "rustfmt: ${#rust[@]} files"

# exports.c exports what others define.
checkpatch --strict --ignore EXPORT_SYMBOL "${sources[@]}" && checkpatch --ignore "$user" "${tests[@]}"
verdict $? "checkpatch: $((${#sources[@]} + ${#tests[@]})) files"

! grep -rn unsafe kernel/pidfd --include='*.rs'
verdict $? "no unsafe in kernel/pidfd"

source=$(cut -d' ' -f1 "$BUILD/woven")
SPATCH=$SPATCH LOG=$log/weave.log scripts/pidfd/weave.sh --check "$source"
verdict $? "semantic patches"

missing=$(scripts/pidfd/twins.sh missing "$source")
[ -z "$missing" ] || echo "Documentation/pidfd/functions.csv does not say where these functions of fs/pidfs.c are:" $missing
[ -z "$missing" ]
verdict $? "every function of fs/pidfs.c is in the table"

"$PYTHON" scripts/pidfd/atomics.py --self-test --objdump "${LLVM_BIN}llvm-objdump" \
	"$BUILD/kernel/vmlinux" "$MODULE_KO"
verdict $? "atomics.py finds the atomic instructions that objdump finds"

# What clippy warns about is an error. It compiles only what is out of date, so
# what it has to look at must be.
touch "$tree/rust/kernel/lib.rs" "$tree/kernel/pidfd/rust_pidfd.rs" \
	"$tree/samples/rust/rust_pidfd_watch.rs"
scripts/pidfd/build.sh clippy && ! grep -A12 '^warning' "$log/clippy.log"
verdict $? "clippy"

exit "$failed"
