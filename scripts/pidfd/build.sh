#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build.sh kernel: the custom kernel's image and modules, in $BUILD/kernel.
# build.sh modules KDIR: the modules alone, for the custom kernel built in KDIR,
# in $BUILD/modules.
#
# Full output goes to $BUILD/log.

set -eu -o pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
tree=$BUILD/linux
obj=$BUILD/kernel
log=$BUILD/log
mkdir -p "$log"

# Lines of output that a build from nothing makes, for the progress shown.
steps=2000

die() {
	echo "build: $*" >&2
	exit 1
}

# Make of the kernel, told nothing but what stands here. The clang it finds first
# is ccache, if there is one.
kmake() {
	mkdir -p "$BUILD/bin"
	[ -z "$CCACHE" ] || ln -sf "$CCACHE" "$BUILD/bin/clang"
	env -i HOME="${HOME:-/root}" LANG=C.UTF-8 TERM="${TERM:-dumb}" \
		PATH="$BUILD/bin:$LLVM_BIN:/usr/sbin:/usr/bin:/sbin:/bin" \
		LIBCLANG_PATH="$LIBCLANG_PATH" \
		CCACHE_DIR="${PIDFD_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/rust_pidfd}/ccache" \
		CCACHE_BASEDIR="$BUILD" CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE=3G \
		CCACHE_COMPILERCHECK=content CCACHE_DEPEND=1 \
		KBUILD_BUILD_TIMESTAMP="$(stat -c %y "$tree/Makefile" 2>/dev/null)" \
		KBUILD_BUILD_USER=rust KBUILD_BUILD_HOST=pidfd \
		make LLVM=1 RUSTC="$RUSTC" RUSTDOC="$RUSTDOC" RUSTFMT="$RUSTFMT" \
		CLIPPY_DRIVER="$CLIPPY_DRIVER" \
		RUST_LIB_SRC="$RUST_LIB_SRC" BINDGEN="$BINDGEN" -j"$JOBS" "$@"
}

# Show how far a build is, by the steps it prints; all of it goes to file $1.
progress() {
	local line n=0 percent next=20

	while IFS= read -r line; do
		printf '%s\n' "$line"
		[[ $line =~ ^\ \ [A-Z]+\  ]] || continue
		n=$((n + 1))
		percent=$((100 * n / (n > steps ? n : steps)))
		if [ -t 2 ]; then
			printf '\r\033[Kbuild: %d %% %s' "$percent" "${line##* }" >&2
		elif [ "$percent" -ge "$next" ]; then
			printf 'build: %d %%, %s\n' "$percent" "${line##* }" >&2
			next=$((percent - percent % 20 + 20))
		fi
	done >"$1"
	[ ! -t 2 ] || printf '\r\033[K' >&2
}

# run WHAT LOG TARGET...: a step of the kernel's make.
run() {
	local what=$1 file=$2 start=$SECONDS
	shift 2

	echo "build: $what; log in $file" >&2
	if ! kmake "$@" 2>&1 | progress "$file"; then
		grep -E -A12 '(^|: )(error|fatal error)(\[|:)|^make.*\*\*\*' "$file" | head -n 40 >&2 || true
		die "$what failed; see $file"
	fi
	echo "build: $what took $((SECONDS - start)) s" >&2
}

# What the tree is made of, other than the source.
ours_newer_than() {
	find "$top"/{fs,include,kernel,rust,samples/rust,scripts,security,tools} "$BUILD/tools.mk" \
		-type f -newer "$1" -print -quit
}

# configure NAME...: $obj as kernel/configs/rust_pidfd.config has it, with those of
# the NAMEs over it.
configure() {
	local fragments=("$top/kernel/configs/rust_pidfd.config") fragment line name old=
	local log=$log/config-${obj##*/}.log

	for name in "$@"; do
		fragments+=("$top/kernel/configs/rust_pidfd_$name.config")
	done
	for fragment in "${fragments[@]}"; do
		[ "$obj/.config" -nt "$fragment" ] || old=yes
	done
	[ -n "$old" ] || return 0
	mkdir -p "$obj"
	kmake -C "$tree" O="$obj" tinyconfig >"$log" 2>&1 &&
		(cd "$obj" && "$tree/scripts/kconfig/merge_config.sh" -m .config "${fragments[@]}") \
			>>"$log" 2>&1 &&
		kmake -C "$tree" O="$obj" olddefconfig >>"$log" 2>&1 ||
		die "the kernel cannot be configured; see $log"

	# An option that did not take is a missing tool or a renamed option.
	awk -F= '/^CONFIG_/ { value[$1] = $2 } END { for (name in value) print name "=" value[name] }' \
		"${fragments[@]}" | while read -r line; do
		name=${line%%=*}
		case $line in
		CONFIG_RUST=y)
			grep -qx CONFIG_RUST=y "$obj/.config" ||
				die "the kernel does not accept this Rust; see what 'make rustavailable' says in $log" ;;
		CONFIG_RUST_INLINE_HELPERS=y)
			grep -qx CONFIG_RUSTC_CLANG_LLVM_COMPATIBLE=y "$obj/.config" ||
				echo "build: clang and rustc are of different LLVMs: C helpers are not inlined, which costs speed" >&2 ;;
		*=n)
			! grep -q "^$name=" "$obj/.config" || die "$name does not go off in $obj/.config" ;;
		*)
			grep -qxF "$line" "$obj/.config" || die "$line does not take in $obj/.config" ;;
		esac
	done || {
		# Not to be taken for good the next time.
		touch -d @0 "$obj/.config"
		exit 1
	}
}

# The custom kernel's tree, out of the source and what is ours.
weave() {
	local source=${KERNEL_SRC:-} config

	if [ -n "$source" ]; then
		[ -d "$source" ] || die "KERNEL_SRC=$source is no directory"
		[ -f "$source/Kbuild" ] && [ -d "$source/rust/kernel" ] ||
			die "KERNEL_SRC=$source is not a kernel source tree with Rust"
		source=$(cd "$source" && pwd)
	else
		"$top/scripts/pidfd/fetch.sh" "$BUILD"
		source=$BUILD/source
	fi

	# Objects of another source are older or newer than this one's for no reason. Before they go,
	# see that this one can be had.
	if [ "$(cat "$BUILD/woven" 2>/dev/null)" != "$source $SERIES" ]; then
		SPATCH=$SPATCH LOG=$log/weave.log "$top/scripts/pidfd/weave.sh" --check "$source"
		for config in "$BUILD"/*/.config; do
			rm -rf "${config%/.config}"
		done
		rm -rf "$tree"
		echo "$source $SERIES" >"$BUILD/woven"
	fi

	SPATCH=$SPATCH LOG=$log/weave.log "$top/scripts/pidfd/weave.sh" "$source" "$tree"
}

kernel() {
	if [ -z "${KERNEL_SRC:-}" ] && [ -e "$BUILD/stamp" ] && [ "$(cat "$BUILD/stamp")" = "$SERIES" ] &&
		[ -z "$(ours_newer_than "$BUILD/stamp")" ]; then
		return
	fi
	# As old as the beginning: what is changed meanwhile is not in this build.
	echo "${KERNEL_SRC:-$SERIES}" >"$BUILD/stamp.new"

	weave
	configure
	run "kernel and modules" "$log/kernel.log" -C "$tree" O="$obj" bzImage modules

	mv "$BUILD/stamp.new" "$BUILD/stamp"
}

modules() {
	local kdir=$1

	[ -n "$kdir" ] || die "say for which kernel: make LLVM=1 CONFIG_RUST=y modules KDIR=DIR"
	[ -f "$kdir/Module.symvers" ] || die "KDIR=$kdir is no built kernel: it has no Module.symvers"
	kdir=$(cd "$kdir" && pwd)
	grep -q pidfd_provider_register "$kdir/Module.symvers" ||
		die "the kernel in $kdir has no pidfd hooks: weave them in first, see Documentation/pidfd/usage.rst"
	run modules "$log/modules.log" -C "$kdir" M="$top" MO="$BUILD/modules" modules
	find "$BUILD/modules" -name '*.ko'
}

# Some tests use offsetof() and count on a C library whose headers bring it along.
includes="-isystem $obj/usr/include -include stddef.h"

# Userspace tests, as the kernel builds and installs them.
selftests() {
	run "kernel headers" "$log/headers.log" -C "$tree" O="$obj" headers
	run "selftests $*" "$log/selftests.log" -C "$tree/tools/testing/selftests" \
		O="$obj" KBUILD_OUTPUT="$BUILD/kselftest-build" KHDR_INCLUDES="$includes" \
		TARGETS="$*" FORCE_TARGETS=1 INSTALL_PATH="$BUILD/kselftest" install
}

# Programs of collections that as a whole want more than there is here, each as
# COLLECTION:PROGRAM, next to those that were installed.
programs() {
	local word collection program dir

	for word in "$@"; do
		collection=${word%:*} program=${word#*:}
		dir=$BUILD/kselftest-build/$collection
		mkdir -p "$dir" "$BUILD/kselftest/$collection"
		run "$collection/$program" "$log/selftests-$program.log" \
			-C "$tree/tools/testing/selftests/$collection" OUTPUT="$dir" \
			KHDR_INCLUDES="$includes" "$dir/$program"
		cp "$dir/$program" "$BUILD/kselftest/$collection/"
		grep -qx "$word" "$BUILD/kselftest/kselftest-list.txt" ||
			echo "$word" >>"$BUILD/kselftest/kselftest-list.txt"
	done
}

# Clippy over the kernel crate and the modules.
clippy() {
	run clippy "$log/clippy.log" -C "$tree" O="$obj" CLIPPY=1 \
		kernel/pidfd/rust_pidfd.o samples/rust/rust_pidfd_watch.o
}

# variant NAME...: the same tree configured in another way, in $BUILD/NAME, after the
# last NAME.
variant() {
	local stem rust flags=()

	obj=$BUILD/${*: -1}
	configure "$@"
	# What is covered is told by the line; and by KCOV, where it is on.
	rust=-Cdebuginfo=line-tables-only
	# The kernel has no KCSAN for Rust, but LLVM has all that it takes.
	! grep -qx CONFIG_KCSAN=y "$obj/.config" ||
		rust+=" -Cllvm-args=-force-attribute=sanitize_thread -Cpasses=tsan \
			-Cllvm-args=-tsan-distinguish-volatile=1 \
			-Cllvm-args=-tsan-compound-read-before-write=1"
	for stem in kernel rust_pidfd; do
		flags+=("RUSTFLAGS_$stem.o=$rust")
	done
	for stem in kernel rust_pidfd provider pidfs pid; do
		flags+=("KCOV_INSTRUMENT_$stem.o=y")
	done
	run "a kernel with: $*" "$log/kernel-${obj##*/}.log" -C "$tree" O="$obj" "${flags[@]}" bzImage modules
}

# With rust_pidfd built in. From a copy of what is built, as configured now: little
# of it depends on that.
builtin() {
	[ "$BUILD/builtin/.config" -nt "$top/kernel/configs/rust_pidfd.config" ] || {
		rm -rf "$BUILD/builtin" "$BUILD/builtin.new"
		cp -a "$BUILD/kernel" "$BUILD/builtin.new"
		rm -f "$BUILD/builtin.new/.config"
		mv "$BUILD/builtin.new" "$BUILD/builtin"
	}
	variant builtin
}

# The tree with the hooks, configured without Rust.
rustless() {
	obj=$BUILD/rustless
	configure rustless
	run "a kernel without Rust" "$log/rustless.log" -C "$tree" O="$obj" bzImage
}

# The source as it is, without a line of ours, configured as the custom kernel.
pristine() {
	local source

	source=$(cut -d' ' -f1 "$BUILD/woven")
	obj=$BUILD/pristine
	[ "$obj/.config" -nt "$BUILD/kernel/.config" ] || {
		mkdir -p "$obj"
		grep -v PIDFD_RUST "$BUILD/kernel/.config" >"$obj/.config"
		kmake -C "$source" O="$obj" olddefconfig >"$log/config-pristine.log" 2>&1
	}
	run "a kernel without hooks" "$log/pristine.log" -C "$source" O="$obj" bzImage
}

# For the layout guard's test: a kernel crate whose layouts bindgen gets wrong.
misconfigured() {
	obj=$BUILD/misconfigured
	mkdir -p "$obj"
	sed 's/^CONFIG_SCHEDSTATS=y/CONFIG_SCHEDSTATS=n/' "$BUILD/kernel/.config" >"$obj/.config"
	rm -f "$log/misconfigured.log"
	kmake -C "$tree" O="$obj" olddefconfig >"$log/misconfigured-config.log" 2>&1
	run "a kernel crate that must not build" "$log/misconfigured.log" -C "$tree" O="$obj" rust/kernel.o
}

"$@"
