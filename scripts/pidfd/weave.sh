#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# weave.sh SOURCE TREE: make TREE a custom kernel tree out of the pristine SOURCE.
#
# SOURCE is only read. TREE gets SOURCE's files, ours at the same paths, lines
# appended to a few lists, and the hooks that the semantic patches put into C
# functions. Files whose content does not change keep their time stamps, so that
# a build in TREE remakes only what a change touches.
#
# weave.sh --check SOURCE: try the semantic patches against SOURCE, write nothing.
#
# weave.sh --files: name the files of SOURCE that it changes.

set -eu -o pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
spatch=${SPATCH:-spatch}
log=${LOG:-/dev/null}
hooks=$top/scripts/coccinelle/pidfd

die() {
	echo "weave: $*" >&2
	exit 1
}

# Ours, in directories that go into the kernel tree as they are.
ours() {
	cd "$top"
	find fs include kernel rust samples security tools \
		-path samples/pidfd -prune -o \
		-name target -prune -o -name __pycache__ -prune -o \
		-type f \( -name '*.[chS]' -o -name '*.rs' -o -name Makefile -o \
			-name 'Kconfig*' -o -name config -o -name settings -o \
			-name '*.config' -o -name '*.py' -o -name '*.sh' -o \
			-name 'Cargo.*' -o -path '*/pidfd_rust/policies/*' \) -print
}

# FILE LINE: lines that make the tree's own lists name our files.
appended() {
	cat <<-'LIST'
	fs/pidfs.c #include "pidfs_provider.c"
	init/Kconfig source "kernel/pidfd/Kconfig"
	kernel/Makefile obj-y += pidfd/
	rust/bindings/bindings_helper.h #include "pidfd_bindings_helper.h"
	rust/helpers/helpers.c #include "namespace.c"
	rust/helpers/helpers.c #include "pid.c"
	rust/helpers/helpers.c #include "pidfd.c"
	rust/helpers/helpers.c #include "pseudo_fs.c"
	rust/helpers/helpers.c #include "put_user.c"
	rust/helpers/helpers.c #include "seq_file.c"
	rust/helpers/helpers.c #include "wait_queue.c"
	rust/kernel/bug.rs mod once;
	rust/kernel/cred.rs mod ids; pub use self::ids::Ids;
	rust/kernel/fs.rs pub mod dentry;
	rust/kernel/fs.rs pub mod export;
	rust/kernel/fs.rs pub mod file_operations;
	rust/kernel/fs.rs pub mod inode;
	rust/kernel/fs.rs pub mod pseudo;
	rust/kernel/fs.rs pub mod super_block;
	rust/kernel/fs.rs pub mod xattr;
	rust/kernel/fs/file.rs mod raw;
	rust/kernel/lib.rs mod layout_guard;
	rust/kernel/lib.rs pub mod namespace;
	rust/kernel/lib.rs pub mod pid;
	rust/kernel/lib.rs pub mod pidfd;
	rust/kernel/lib.rs #[cfg(CONFIG_PIDFD_BROKEN)] pub mod pidfd_broken;
	rust/kernel/lib.rs pub mod wait_queue;
	rust/kernel/seq_file.rs mod put; pub use self::put::{Decimal, Text};
	rust/kernel/sync/poll.rs mod wait_queue;
	rust/kernel/uaccess.rs mod put_user;
	samples/rust/Kconfig source "samples/rust/Kconfig.pidfd"
	security/Makefile obj-$(CONFIG_SECURITY) += inode_reuse.o
	samples/rust/Makefile obj-$(CONFIG_SAMPLE_RUST_PIDFD_WATCH) += rust_pidfd_watch.o
	tools/testing/selftests/Makefile TARGETS += pidfd_rust
	LIST
}

# FILE TEXT COUNT: what each semantic patch has to put into which file how often.
hooked() {
	sed -n 's|^// Hook: \(.*\)|\1|p;' "$1"
}

# weave_into DIR: the changed files of SOURCE, as they will be, below DIR.
weave_into() {
	local dir=$1 file line rule text count found

	appended | while read -r file line; do
		[ -f "$source/$file" ] || die "$source has no $file: this series is not supported"
		mkdir -p "$dir/$(dirname "$file")"
		[ -f "$dir/$file" ] || cp "$source/$file" "$dir/$file"
		printf '%s\n' "$line" >>"$dir/$file"
	done

	for rule in "$hooks"/*.cocci; do
		hooked "$rule" | cut -d ' ' -f 1 | sort -u | while read -r file; do
			[ -f "$source/$file" ] || die "$source has no $file: this series is not supported"
			mkdir -p "$dir/$(dirname "$file")"
			[ -f "$dir/$file" ] || cp "$source/$file" "$dir/$file"
			"$spatch" --very-quiet --in-place --sp-file "$rule" "$dir/$file" >>"$log" 2>&1 ||
				die "$(basename "$rule") failed on $file; see $log"
		done
		hooked "$rule" | while read -r file text; do
			count=${text##* } text=${text% *}
			found=$(grep -cF -- "$text" "$dir/$file" || true)
			[ "$found" = "$count" ] ||
				die "$(basename "$rule") puts '$text' into $file $found times, not $count: hook it in by hand or mend the rule"
		done
	done
}

if [ "$1" = --files ]; then
	{
		appended
		for rule in "$hooks"/*.cocci; do
			hooked "$rule"
		done
	} | cut -d ' ' -f 1 | sort -u
	exit
fi

if [ "$1" = --check ]; then
	source=$2
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	weave_into "$dir"
	exit
fi

source=$1
tree=$2
[ -f "$source/Kbuild" ] && [ -d "$source/rust/kernel" ] ||
	die "$source is not a kernel source tree with Rust"

new=$tree.new
rm -rf "$new"
mkdir -p "$new" "$tree"
trap 'rm -rf "$new"' EXIT
weave_into "$new"
(cd "$top" && ours | tar -cf - -T -) | tar -xf - -C "$new"

# First what is pristine, then what is not: neither touches the other's files. What
# a build has left in SOURCE stays there, the kernel would not build elsewhere.
(cd "$new" && find . -type f) | sed 's|^\.||' >"$new.files"
rsync -a --delete --exclude-from="$new.files" --exclude=.git \
	--exclude=/.config --exclude=/include/config --exclude=/include/generated \
	--exclude='/arch/*/include/generated' --exclude='*.o' --exclude='*.a' --exclude='.*.cmd' \
	"$source/" "$tree/" 2>&1 |
	grep -v 'cannot delete non-empty directory' >&2 || [ "${PIPESTATUS[0]}" = 0 ]
rsync -rlpc "$new/" "$tree/"
rm -f "$new.files"
