#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# setup.sh BUILD: see that every tool is there and name them in BUILD/tools.mk,
# lines of "NAME := value" for make.
# setup.sh BUILD lsm: with what only make test-lsm needs, in BUILD/tools-lsm.mk.
# setup.sh BUILD docs: with what only make docs needs, in BUILD/tools-docs.mk.
# setup.sh BUILD debian: with what only CONFIG=debian needs, in BUILD/tools-debian.mk.
# setup.sh BUILD deb: with what only make deb needs, in BUILD/tools-deb.mk.
# setup.sh BUILD system: with what only make system needs, in BUILD/tools-system.mk.
#
# What is missing on Debian 12 and 13 is installed: packages with apt, as root
# or with sudo; bindgen with cargo where the distribution's is too old, into the
# cache (PIDFD_CACHE, or else rust_pidfd in XDG_CACHE_HOME or ~/.cache);
# virtme-ng into BUILD/venv. With SETUP=no, without rights, or on another
# distribution, what is missing is listed and nothing is installed.
#
# Any version that is there already will do, from these minima on; what gets
# installed is in wanted() below.

set -eu -o pipefail

# A minimal Debian has no Python, so this much is shell.
archive_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

min_llvm=17.0.1
min_rust=1.85.0
min_bindgen=0.71.1
min_vng=1.42

get_bindgen=0.73.2
get_vng=1.42

build=$1
extra=${2-}
mk=$build/tools${extra:+-$extra}.mk

# Nothing to do, if every path that tools.mk names is still there.
up_to_date() {
	local is words word

	[ -f "$mk" ] && [ ! "$0" -nt "$mk" ] || return 1
	while read -r _ is words; do
		[ "$is" = := ] || continue
		for word in $words; do
			[ -e "$word" ] || return 1
		done
	done <"$mk"
}

up_to_date && exit 0

mkdir -p "$build/log"
build=$(cd "$build" && pwd)
mk=$build/${mk##*/}
log=$build/log
cache=${PIDFD_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/rust_pidfd}
case $cache in
/*)	;;
*)	cache=$PWD/$cache ;;
esac
PATH=$PATH:/usr/sbin:/sbin

die() {
	echo "setup: $*" >&2
	exit 1
}

# ticker WHAT START LOG: say every second how far it is, until we end or are killed.
ticker() {
	while sleep 1 && kill -0 $$ 2>/dev/null; do
		printf '\r\033[K%s %s' "setup: $1 ... $((SECONDS - $2)) s" \
			"$(tail -n 1 "$3" | tr -cd '[:print:]' | cut -c 1-40)" >&2
	done
}

# step WHAT LOG COMMAND...: one line that says what goes on and how long it took;
# on a terminal also how far it is, by the last line of the log. It counts from
# $began, if that is set.
step() {
	local what=$1 out=$2 start=${began:-$SECONDS} status=0 pid=
	shift 2

	printf '%s ' "setup: $what ..." >&2
	if [ -t 2 ]; then
		ticker "$what" "$start" "$out" 9>&- &
		pid=$!
	fi
	"$@" >>"$out" 2>&1 </dev/null 9>&- || status=$?
	if [ -n "$pid" ]; then
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
		printf '\r\033[K%s ' "setup: $what ..." >&2
	fi
	if [ "$status" = 0 ]; then
		echo "$((SECONDS - start)) s" >&2
	else
		echo "failed" >&2
	fi
	return "$status"
}

# at_least MINIMUM VERSION
at_least() {
	[ -n "$2" ] && [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}

# version COMMAND...: the first version number that it prints.
version() {
	"$@" --version 2>/dev/null </dev/null |
		sed -n '/[0-9]\.[0-9]/{s/^[^.]*[^.0-9]\([0-9][0-9]*\.[0-9.]*\).*/\1/p;q;}' || true
}

# paths NAME: every command of that name in PATH, best first.
paths() {
	type -ap "$1" || true
	[ ! -x "${HOME:-}/.cargo/bin/$1" ] || echo "${HOME:-}/.cargo/bin/$1"
}

# An LLVM is whole if clang, lld, the binary utilities and libclang are of one
# installation. Sets llvm_bin and libclang.
try_llvm() {
	local dir=$1 tool file root

	for tool in clang ld.lld llvm-ar llvm-nm llvm-objcopy llvm-objdump llvm-readelf llvm-strip; do
		[ -x "$dir/$tool" ] || return 1
	done
	at_least "$min_llvm" "$(version "$dir/clang")" || return 1
	root=$(dirname "$(dirname "$(readlink -f "$dir/clang")")")
	for file in "$root"/lib/libclang{,-[0-9]*}.so* "$root"/lib64/libclang{,-[0-9]*}.so*; do
		[ -e "$file" ] || continue
		llvm_bin=$dir/
		libclang=$(dirname "$file")
		return
	done
	return 1
}

# C helpers can be inlined into Rust if clang and rustc are of the same LLVM. Where the
# distribution has the clang that goes with its rustc, no other is taken.
find_llvm() {
	local dir major=$pair

	llvm_bin='' libclang=''
	[ -z "$rust_bin" ] ||
		major=$("$rust_bin/rustc" -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
	for dir in "/usr/lib/llvm-$major/bin" \
		$(printf '%s\n' /usr/lib/llvm-[0-9]*/bin | sort -rV) \
		$(paths clang | sed 's|/clang$||'); do
		! try_llvm "$dir" || return 0
		[ -z "$pair" ] || [ "$pair" != "$major" ] || return 1
	done
	return 1
}

# A kernel needs the rustc that has its library's sources; the first in PATH is
# often rustup's without them. Sets rust_bin and rust_src.
find_rust() {
	local rustc root tool

	rust_bin='' rust_src=''
	for rustc in /usr/bin/rustc $(paths rustc); do
		root=$("$rustc" --print sysroot 2>/dev/null) || continue
		[ -d "$root/lib/rustlib/src/rust/library/core" ] || continue
		for tool in rustc rustdoc rustfmt clippy-driver; do
			[ -x "$root/bin/$tool" ] || continue 2
		done
		at_least "$min_rust" "$(version "$root/bin/rustc")" || continue
		rust_bin=$root/bin
		rust_src=$(readlink -f "$root/lib/rustlib/src/rust/library")
		return
	done
	return 1
}

find_cargo() {
	for cargo in ${rust_bin:+"$rust_bin/cargo"} $(paths cargo); do
		! at_least "$min_rust" "$(version "$cargo")" || return 0
	done
	cargo=
	return 1
}

find_bindgen() {
	for bindgen in "$cache/bin/bindgen" $(paths bindgen); do
		! at_least "$min_bindgen" "$(version "$bindgen")" || return 0
	done
	bindgen=
	return 1
}

# The distribution's python3 outlives others that may stand in PATH.
find_python() {
	for python in /usr/bin/python3 $(paths python3); do
		! "$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
			return 0
	done
	python=
	return 1
}

find_vng() {
	for vng in "$build/venv/bin/vng" $(paths vng); do
		! at_least "$min_vng" "$(version "$vng")" || return 0
	done
	vng=
	return 1
}

# Which distribution: debian is 12, 13 or nothing.
debian=$(
	ID='' VERSION_ID=''
	# shellcheck source=/dev/null
	[ ! -r /etc/os-release ] || . /etc/os-release
	[ "$ID" = debian ] || VERSION_ID=''
	case $VERSION_ID in
	12 | 13) echo "$VERSION_ID" ;;
	esac
)

# Which LLVM its rustc is of.
case $debian in
12) pair=22 ;;
13) pair=19 ;;
*) pair= ;;
esac

# What has to be there, and in which package: a command, or a file by its path.
wanted() {
	cat <<-'LIST'
	bc bc
	bison bison
	busybox busybox-static
	cc gcc
	ccache ccache
	cpio cpio
	depmod kmod
	file file
	flex flex
	ip iproute2
	make make
	patch patch
	qemu-system-x86_64 qemu-system-x86
	rsync rsync
	spatch coccinelle
	spin spin
	xz xz-utils
	/usr/include/gelf.h libelf-dev
	/usr/include/openssl/ssl.h libssl-dev
	/usr/include/stdio.h libc6-dev
	/usr/include/sys/capability.h libcap-dev
	LIST
	[ -z "$debian" ] || echo /etc/ssl/certs/ca-certificates.crt ca-certificates
	[ "$extra" != lsm ] || printf '%s\n' "apparmor_parser apparmor" "checkpolicy checkpolicy"
	[ "$extra" != debian ] || echo pahole pahole
	case $extra in
	deb | system)
		printf '%s\n' "dh debhelper" "dpkg-buildpackage dpkg-dev" \
			"/usr/include/elfutils/libdw.h libdw-dev" ;;
	esac
	[ "$extra" != system ] || printf '%s\n' "mke2fs e2fsprogs" "mmdebstrap mmdebstrap"
	[ "$extra" != docs ] || printf '%s\n' "dot graphviz" "sphinx-build python3-sphinx" \
		"/usr/lib/python3/dist-packages/yaml/__init__.py python3-yaml"
}

# Look at everything. Sets packages (what apt can bring), others (names of what
# these packages hold, for who has no such apt), found, and the tools' own names.
look() {
	local name package path

	packages='' others='' found=''
	lack() {
		others+="  $1"$'\n'
		shift
		packages+="${packages:+ }$*"
	}

	while read -r name package; do
		case $name in
		/*)	path=$name
			[ -e "$path" ] || path= ;;
		*)	path=$(type -P "$name" || true) ;;
		esac
		if [ -n "$path" ]; then
			found+=" $path"
		else
			lack "$name (Debian's $package)" "$package"
		fi
	done < <(wanted)

	perl -MTerm::ANSIColor -e 1 2>/dev/null || lack "perl with its standard modules" perl
	find_python || lack "python3, 3.11 or later, with venv and ensurepip" python3 python3-venv
	case $debian in
	12)	find_rust || lack rust rustc-web rust-web-src rustfmt-web rust-web-clippy
		find_cargo || lack cargo cargo-web
		find_bindgen || true ;;
	13)	find_rust || lack rust rustc rust-src rustfmt rust-clippy
		find_cargo || lack cargo cargo
		find_bindgen || lack bindgen bindgen ;;
	*)	find_rust || lack "rustc, rustdoc, rustfmt, clippy and rust-src, $min_rust or later"
		find_cargo || lack "cargo, $min_rust or later"
		find_bindgen || true ;;
	esac
	find_llvm || lack "clang, lld, llvm and libclang, $min_llvm or later" "clang-$pair" "lld-$pair" "llvm-$pair"
	find_vng || true
}

# What is not a package's: bindgen on Debian 12 and elsewhere, and virtme-ng.
lacks_bindgen() {
	[ -z "$bindgen" ] && [ "$debian" != 13 ]
}

# list WHY: what is missing and the commands that bring it.
list() {
	echo "setup: $1; this is missing:" >&2
	if [ -n "$debian" ]; then
		[ -z "$packages" ] || echo "  apt-get install --no-install-recommends $packages"
	else
		printf '%s' "$others"
	fi >&2
	! lacks_bindgen || echo "  cargo install --locked bindgen-cli --version $get_bindgen --root $cache" >&2
	[ -n "$vng" ] ||
		echo "  python3 -m venv $build/venv && $build/venv/bin/pip install virtme-ng==$get_vng" >&2
	exit 1
}

# The address of the Debian archive, by what apt's lists say of their origin, or by
# the suite's name where there are no lists yet. Nothing, if there is none.
archive() {
	local codename

	# shellcheck source=/dev/null
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	# shellcheck disable=SC2016 # apt's variables
	apt-get indextargets --format '$(REPO_URI)|$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(RELEASE)' 'Created-By: Packages' |
		awk -F'|' -v codename="$codename" '
			$1 ~ /^(cdrom|copy):/ || $4 != "main" { next }
			$2 == "Debian" && $3 == "Debian" { print $1; exit }
			$2 == "" && ($5 == codename || $5 ~ /^((old)?stable|testing|sid|unstable)$/) && !guess { guess = $1 }
			END { if (guess) print guess }' | head -n 1
}

apt_get() {
	# shellcheck disable=SC2086 # $sudo is a word or none
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@"
}

# apt_install PACKAGE...; nothing that is installed gets removed for it.
apt_install() {
	local file=$log/apt.log

	step "apt-get install, $# packages" "$file" \
		apt_get install -y --no-install-recommends --no-remove "$@" ||
		die "apt-get failed, $(grep '^E:' "$file" | head -n 1); do by hand:" \
			"apt-get update && apt-get install --no-install-recommends $*; log in $file"
}

# Debian 12's own QEMU runs code that another of its CPUs has patched; the one in
# backports does not, and is the only one that fits beside tools from there.
install_backported_qemu() {
	local suite=bookworm-backports list=$build/backports.list

	cat /etc/apt/sources.list >"$list" 2>/dev/null || :
	echo "deb [target=Packages signed-by=$archive_keyring] $(archive) $suite main" >>"$list"
	apt_get -o Dir::Etc::SourceList="$list" update &&
		apt_get -o Dir::Etc::SourceList="$list" -t "$suite" \
			install -y --no-install-recommends --no-remove qemu-system-x86
}

# With the rustc next to this cargo, whatever comes first in PATH.
build_bindgen() {
	exec env -u RUSTC -u RUSTFLAGS PATH="$(dirname "$cargo"):$PATH" \
		CARGO_TARGET_DIR="$cache/bindgen-target" \
		"$cargo" install --locked --force bindgen-cli --version "$get_bindgen" --root "$cache"
}

build_venv() {
	rm -rf "$build/venv"
	"$python" -m venv "$build/venv" &&
		"$build/venv/bin/pip" install --disable-pip-version-check "virtme-ng==$get_vng"
}

# Two makes at once: the second finds the work done.
exec 9>"$build/.setup.lock"
flock 9
! up_to_date || exit 0

look
if [ -n "$packages$others" ] || lacks_bindgen || [ -z "$vng" ]; then
	[ "${SETUP:-}" != no ] || list "SETUP=no"
	[ -n "$debian" ] || list "not Debian 12 or 13"
fi

if [ -n "$packages" ]; then
	sudo=
	if [ "$(id -u)" != 0 ]; then
		sudo=sudo
		type -P sudo >/dev/null || list "neither root nor sudo"
		sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; } || list "sudo is not allowed"
	fi
	echo "setup: will install: $packages" >&2
	: >"$log/apt.log"
fi
! lacks_bindgen || echo "setup: will build: bindgen $get_bindgen in $cache" >&2
[ -n "$vng" ] || echo "setup: will install: virtme-ng $get_vng in $build/venv" >&2

# A source of the user's that fails need not matter for what we want.
[ -z "$packages" ] || step "apt-get update" "$log/apt.log" apt_get update || true

# bindgen takes a minute to build: first what that needs, then all else meanwhile.
job=
if lacks_bindgen; then
	first=
	for package in $packages; do
		case $package in
		ca-certificates | cargo-web | gcc | libc6-dev | rust*)
			first+=" $package" ;;
		esac
	done
	# shellcheck disable=SC2086 # a list of words
	[ -z "$first" ] || apt_install $first
	find_rust || true
	find_cargo || die "cargo is still not there after the installation; see $log/apt.log"
	start=$SECONDS
	mkdir -p "$cache"
	build_bindgen >"$log/bindgen.log" 2>&1 </dev/null 9>&- &
	job=$!
	trap 'kill "$job" 2>/dev/null || true' EXIT
	look
fi

if [ "$debian" = 12 ] && [[ " $packages " = *" qemu-system-x86 "* ]]; then
	# Where it fails, what Debian 12 has is tried with the rest.
	step "apt-get install, qemu-system-x86 of backports" "$log/apt.log" \
		install_backported_qemu || true
	look
fi
# shellcheck disable=SC2086 # a list of words
[ -z "$packages" ] || apt_install $packages
look
[ -z "$packages" ] || die "still missing after the installation: $packages; see $log/apt.log"

if [ -z "$vng" ]; then
	: >"$log/venv.log"
	step "pip install virtme-ng" "$log/venv.log" build_venv ||
		die "pip could not install virtme-ng; see $log/venv.log: $(grep -i error "$log/venv.log" | tail -n 1)"
	find_vng || die "virtme-ng $get_vng does not run; see $log/venv.log"
fi

if [ -n "$job" ]; then
	began=$start step "cargo install bindgen" "$log/bindgen.log" \
		tail --pid="$job" -s 0.5 -n 0 -f /dev/null || true
	wait "$job" || die "cargo could not build bindgen; see $log/bindgen.log: $(grep '^error' "$log/bindgen.log" | tail -n 1)"
	trap - EXIT
	rm -rf "$cache/bindgen-target"
	find_bindgen || die "bindgen $get_bindgen does not run; see $log/bindgen.log"
fi

cat >"$mk.new" <<END
# Written by tools/testing/pidfd/setup.sh
RUSTC := $rust_bin/rustc
RUSTDOC := $rust_bin/rustdoc
RUSTFMT := $rust_bin/rustfmt
CLIPPY_DRIVER := $rust_bin/clippy-driver
RUST_LIB_SRC := $rust_src
CARGO := $cargo
BINDGEN := $bindgen
LLVM_BIN := $llvm_bin
LIBCLANG_PATH := $libclang
SPATCH := $(type -P spatch)
CCACHE := $(type -P ccache)
QEMU := $(type -P qemu-system-x86_64)
PYTHON := $python
VNG := $vng
TOOLS_SEEN := ${llvm_bin}clang ${llvm_bin}ld.lld$found
END
if [ "$extra" = lsm ]; then
	cat >>"$mk.new" <<END
APPARMOR_PARSER := $(type -P apparmor_parser)
CHECKPOLICY := $(type -P checkpolicy)
END
fi
if [ "$vng" = "$build/venv/bin/vng" ]; then
	sed -i "/^TOOLS_SEEN/s|\$| $build/venv/bin/python3|" "$mk.new"
fi
mv "$mk.new" "$mk"
