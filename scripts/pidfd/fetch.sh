#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# fetch.sh BUILD: unpack Debian's linux-source of the kernel series SERIES
# (7.3, if not set) into BUILD/source.
#
# It comes from trixie-backports, out of the archive that apt on this machine
# uses, with signatures and hashes checked by apt, whose own lists and settings
# stay as they are. The package is kept in the cache (PIDFD_CACHE, or else
# rust_pidfd in XDG_CACHE_HOME or ~/.cache) next to the hash that apt vouched
# for; while both agree, the network is not needed.

set -eu -o pipefail

# shellcheck source=scripts/pidfd/archive.sh
. "$(dirname "$0")/archive.sh"

suite=trixie-backports

build=$1
series=${SERIES:-7.3}
package=linux-source-$series
source=$build/source
stamp=$build/source.stamp
log=$build/log/fetch.log

# In the stamp: the series, and the hash of the package it was unpacked from.
up_to_date() {
	local have

	[ -f "$stamp" ] && [ -f "$source/Kbuild" ] || return 1
	read -r have _ <"$stamp" && [ "$have" = "$series" ]
}

! up_to_date || exit 0

die() {
	echo "fetch: $*" >&2
	exit 1
}

own="or use your own source with KERNEL_SRC=DIR"

case $series in
'' | *[!0-9.]*) die "SERIES=$series is no kernel series: say SERIES=7.3, $own" ;;
esac

# ticker WHAT START DIR: say every second how much there is, until we end or are
# killed.
ticker() {
	while sleep 1 && kill -0 $$ 2>/dev/null; do
		printf '\r\033[K%s %s' "fetch: $1 ... $((SECONDS - $2)) s," \
			"$(du -sm "$3" 2>/dev/null | cut -f 1) MB" >&2
	done
}

# step WHAT DIR COMMAND...: one line that says what goes on and how long it took;
# on a terminal also how much of it is in DIR by now.
step() {
	local what=$1 dir=$2 start=$SECONDS status=0 pid=
	shift 2

	printf '%s ' "fetch: $what ..." >&2
	if [ -t 2 ]; then
		ticker "$what" "$start" "$dir" 9>&- &
		pid=$!
	fi
	"$@" >>"$log" 2>&1 </dev/null 9>&- || status=$?
	if [ -n "$pid" ]; then
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
		printf '\r\033[K%s ' "fetch: $what ..." >&2
	fi
	if [ "$status" = 0 ]; then
		echo "$((SECONDS - start)) s" >&2
	else
		echo "failed" >&2
	fi
	return "$status"
}

# The machine's settings of apt (its proxies, say) without its hooks, and all
# that apt writes below $tmp.
apt_config() {
	mkdir -p "$tmp/lists/partial" "$tmp/cache/archives/partial"
	: >"$tmp/status"
	echo "deb [target=Packages signed-by=$archive_keyring] $uri $suite main" >"$tmp/sources.list"
	apt-config dump | grep -v -E '^(APT::Update::(Pre|Post)-Invoke|DPkg::(Pre|Post)-)|^Dir::Etc::(main|parts|source)|^Dir::(State|Cache)'
	cat <<-END
	Dir::Etc::Main "/dev/null";
	Dir::Etc::Parts "/dev/null";
	Dir::Etc::SourceList "$tmp/sources.list";
	Dir::Etc::SourceParts "/dev/null";
	Dir::State "$tmp";
	Dir::State::Lists "$tmp/lists";
	Dir::State::status "$tmp/status";
	Dir::Cache "$tmp/cache";
	APT::Sandbox::User "root";
	APT::Update::Error-Mode "any";
	Acquire::Retries "2";
	END
}

# field NAME: of the package in the verified index.
field() {
	apt-cache show --no-all-versions "$package" 2>>"$log" | sed -n "s/^$1: //p" | head -n 1
}

download() {
	(cd "$tmp" && apt-get -q download "$package") && mv "$tmp/$package"_*.deb "$tmp/deb"
}

unpack() {
	dpkg-deb --fsys-tarfile "$deb" |
		tar -xO --wildcards "./usr/src/linux-source-*.tar.xz" |
		XZ_DEFAULTS=-T0 tar -xJ -C "$source.new" --strip-components=1
}

# The hash of the cached package, if it is the one that apt vouched for.
cached() {
	local want have

	[ -f "$deb" ] && [ -f "$deb.sha256" ] || return 1
	read -r want <"$deb.sha256"
	have=$(sha256sum <"$deb")
	if [ "${have%% *}" != "$want" ]; then
		echo "fetch: $deb is damaged, will fetch it again" >&2
		return 1
	fi
	echo "$want"
}

cause() {
	grep '^E:' "$log" | head -n 1
}

fetch() {
	local uri have

	if ! type -P apt-get >/dev/null || [ ! -r "$archive_keyring" ]; then
		die "no Debian with apt and the debian-archive-keyring here: use KERNEL_SRC=DIR"
	fi
	uri=$(archive)
	[ -n "$uri" ] || die "apt's sources name no Debian archive: add one to them, $own"

	apt_config >"$tmp/apt.conf"
	export APT_CONFIG=$tmp/apt.conf
	step "index of $suite" "$tmp/lists" apt-get -q update ||
		die "$package is not in the cache and the archive cannot be read ($(cause)):" \
			"see that the network works, $own; log in $log"
	if [ -z "$(field SHA256)" ]; then
		have=$(apt-cache search --names-only '^linux-source-[0-9.]*$' |
			sed 's/^linux-source-\([0-9.]*\) .*/\1/' | sort -V | paste -s -d ' ')
		die "the archive has no $package in $suite (it has: ${have:-none}): say SERIES=${have##* }, $own"
	fi
	step "download of $package, $(($(field Size) / 1000000)) MB" "$tmp" download ||
		die "$package cannot be downloaded ($(cause)): try again, $own; log in $log"
	sha256=$(sha256sum <"$tmp/deb")
	sha256=${sha256%% *}
	[ "$sha256" = "$(field SHA256)" ] || die "$package is damaged: try again, $own"
	rm -f "$deb.sha256"
	mv "$tmp/deb" "$deb"
	echo "$sha256" >"$tmp/sha256"
	mv "$tmp/sha256" "$deb.sha256"
}

cache=${PIDFD_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/rust_pidfd}
mkdir -p "$build/log" "$cache"
build=$(cd "$build" && pwd)
source=$build/source
log=$build/log/fetch.log
cache=$(cd "$cache" && pwd)
deb=$cache/$package.deb

# One at a time; a second make finds the work done.
exec 9>"$cache/.fetch.lock"
flock 9
! up_to_date || exit 0

: >"$log"
tmp=$cache/fetch.tmp
rm -rf "$tmp" "$source.new"
trap 'rm -rf "$tmp" "$source.new"' EXIT
mkdir -p "$tmp" "$source.new"

sha256=$(cached) || fetch

step "unpacking $package" "$source.new" unpack ||
	die "$package cannot be unpacked, is there room for 2 GB in $build? Log in $log"
rm -rf "$source.old" "$stamp"
[ ! -e "$source" ] || mv "$source" "$source.old"
mv "$source.new" "$source"
echo "$series $sha256" >"$stamp"
setsid -f rm -rf "$source.old" >/dev/null 2>&1 9>&-
