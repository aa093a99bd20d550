#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# check.sh: the kernel's own checkers on our files: rustfmt, clippy, checkpatch,
# and the semantic patches tried against the source that $BUILD/linux is made of.

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
mapfile -t sources < <(find include kernel rust samples tools \
	\( -name target -o -name __pycache__ \) -prune -o -type f \
	\( -name '*.[ch]' -o -name '*.rs' -o -name 'Kconfig*' \) -print)

"$RUSTFMT" --config-path "$tree/.rustfmt.toml" --check "${rust[@]}"
verdict $? "rustfmt: ${#rust[@]} files"

perl "$tree/scripts/checkpatch.pl" --no-tree --strict --quiet --terse --show-types --file \
	--ignore FILE_PATH_CHANGES,SPDX_LICENSE_TAG "${sources[@]}" &&
	! grep -L 'SPDX-License-Identifier: GPL-2.0' "${sources[@]}" | grep .
verdict $? "checkpatch: ${#sources[@]} files"

! grep -rn unsafe kernel/pidfd --include='*.rs'
verdict $? "no unsafe in kernel/pidfd"

SPATCH=$SPATCH LOG=$log/weave.log scripts/pidfd/weave.sh --check "$(cut -d' ' -f1 "$BUILD/woven")"
verdict $? "semantic patches"

# What clippy warns about is an error. It compiles only what is out of date, so
# what it has to look at must be.
touch "$tree/rust/kernel/lib.rs" "$tree/kernel/pidfd/rust_pidfd.rs" \
	"$tree/samples/rust/rust_pidfd_watch.rs"
scripts/pidfd/build.sh clippy && ! grep -A12 '^warning' "$log/clippy.log"
verdict $? "clippy"

exit "$failed"
