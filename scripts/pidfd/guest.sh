#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# guest.sh run    runs CMD in a virtual machine
# guest.sh shell  gives an interactive shell in one
#
# The guest boots KERNEL and sees the host's files. It may change every one of
# them: the changes are kept in the guest's memory and vanish with it. Only DIR
# is shared for writing.
#
# Environment:
#   KERNEL     kernel image (bzImage)
#   VNG        vng of virtme-ng; its virtme-run is what is called
#   BUILD      build folder, for log/guest.log (the kernel log) and temporary files
#   GUEST_LOG  file for the kernel log instead
#   MODULE_KO  rust_pidfd.ko, loaded first; empty: nothing to load
#   MODULE     "no": do not load it
#   CMD        for run: given to bash -c as it is, standard input is empty
#   CPUS=2 MEM=2G TIMEOUT=600 (seconds, 0: none)
#   QUIET=120  seconds in which a boot may say nothing, for run
#   PATCHES    "yes": CMD loads and unloads modules while their code is called
#   DIR        folder of the host, shared writable at the same path
#   APPEND     more kernel parameters
#   QEMU       QEMU binary; QEMU_OPTS: more options for it
#
# Exit status: that of CMD or of the shell, 128+N if signal N ended it, and
#   120  the guest's kernel complained: panic, oops, BUG, WARN, stall, ...
#   124  no end within TIMEOUT
#   125  the guest did not boot, or went down before CMD ended
#   126  the module could not be loaded
#   2    a setting makes no sense

set -eu

# What a healthy kernel never prints, at the start of a line's text.
complaints='Kernel panic'
complaints+='|------------\[ cut here \]'
complaints+='|(watchdog: |rcu: )?(BUG|WARNING|Oops|PANIC)[ :]'
complaints+='|(Oops: )?general protection fault'
complaints+='|kernel BUG at |invalid opcode: |rust_kernel: panicked at '
complaints+='|(rcu: )?INFO: (rcu|task .* blocked for more than|possible recursive'
complaints+='|inconsistent lock|suspicious RCU|trying to register non-static key'
complaints+='|lockdep is turned off|HARDIRQ|SOFTIRQ)'
complaints+='|rcu: .*(detected (expedited )?stalls|self-detected stall|kthread starved)'
complaints+='|watchdog: .*(LOCKUP|lockup)'
complaints+='|(UBSAN|KASAN|KCSAN|KMSAN|KFENCE|refcount_t|ODEBUG): '
complaints+='|Unable to handle |unable to handle |scheduling while atomic'
complaints+='|kmemleak: .*suspected memory leak'
complaints+='|pagealloc: (single bit error|memory corruption)'
complaints+='|list_(add|del) corruption|Slab cache still has objects'
complaints+='|kmem_cache_destroy .*still has objects'
complaints+='|VFS: (Busy inodes|Close: file count)'
# C has data races that are none of ours: those are that Rust is one side of, or a
# function that is about pidfds.
races='BUG: KCSAN: data-race in '
our_races="$races.*(pidf[ds]|rust_| _R)"
# The time stamp, and the caller with CONFIG_PRINTK_CALLER.
stamp='^\[ *[0-9]+\.[0-9]+\](\[[^]]*\])? '

say() { printf 'guest: %s\n' "$*" >&2; }
die() { local status=$1; shift; say "$*"; exit "$status"; }

# in_log WORD: what the guest's own script reported under WORD, the last time.
in_log() { sed -nE "s/${stamp}pidfd-guest: $1 ?//p" "$log" | tail -n 1; }

show_log() {
	local from=$1 lines=100 total
	total=$(wc -l <"$log")
	say "kernel log, lines $from to $total of $total in $log:"
	if [ $((total - from)) -gt $((2 * lines)) ]; then
		sed -n "$from,$((from + lines))p" "$log" >&2
		say "[...]"
		from=$((total - lines))
	fi
	sed -n "$from,\$p" "$log" >&2
}

# From the first complaint on, or the last lines.
show_end() {
	local from
	from=${first%%:*}
	[ -n "$from" ] || from=$(($(wc -l <"$log") - 30))
	show_log $((from > 10 ? from - 10 : 1))
}

mode=${1-}
case $mode in
run) [ -n "${CMD-}" ] || die 2 "CMD is empty: say what to run, CMD='uname -r'" ;;
shell) [ -t 0 ] || die 2 "a shell needs a terminal; use CMD='...' without one" ;;
*) die 2 "usage: guest.sh run|shell" ;;
esac

: "${BUILD:?}" "${KERNEL:?}" "${VNG:?}"
timeout=${TIMEOUT:-600}
case $timeout in *[!0-9]*) die 2 "TIMEOUT=$timeout is not a number of seconds" ;; esac
quiet=${QUIET:-120}
case $quiet in *[!0-9]*) die 2 "QUIET=$quiet is not a number of seconds" ;; esac
[ -r "$KERNEL" ] || die 2 "no kernel at $KERNEL: build it first"
virtme=$(dirname "$(command -v "$VNG" || echo "$VNG")")/virtme-run
[ -x "$virtme" ] || die 2 "no virtme-run next to $VNG: install virtme-ng"
emulator=$(command -v "${QEMU:-qemu-system-$(uname -m)}") || die 2 "no QEMU: install it, or set QEMU"
module=${MODULE_KO-}
[ "${MODULE-yes}" != no ] || module=
[ -z "$module" ] || [ -r "$module" ] || die 2 "no module at $module: build it first, or MODULE=no"
here=$(dirname "$(realpath "$0")")
mkdir -p "$BUILD/log"
BUILD=$(realpath "$BUILD")
case $BUILD/ in
/dev/* | /proc/* | /run/* | /sys/*) die 2 "the guest cannot see $BUILD: build elsewhere" ;;
esac

# One log for each guest that runs at the same time.
log=${GUEST_LOG:-$BUILD/log/guest.log}
for ((n = 2; ; n++)); do
	exec 9>>"$log"
	flock -n 9 && break
	if [ -n "${GUEST_LOG-}" ]; then
		# One that was stopped a moment ago may still have it.
		flock -w 10 9 || die 2 "another guest writes to $GUEST_LOG: stop it first"
		break
	fi
	log=$BUILD/log/guest.$n.log
done
: >"$log"

run=$(mktemp -d "$BUILD/guest.XXXXXX")
vm='' out='' err='' watch=''
# shellcheck disable=SC2317 # the trap below calls it
cleanup() {
	trap '' HUP INT TERM
	[ -z "$vm" ] || kill "$vm" 2>/dev/null || :
	{ kill "$(cat "$run/qemu.pid")" || :; } 2>/dev/null
	[ -z "$out" ] || kill "$out" "$err" 2>/dev/null || :
	[ -z "$watch" ] || kill "$watch" 2>/dev/null || :
	wait
	rm -rf "$run"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# Stop a boot that hangs, which an emulator may bring about.
watch_boot() {
	local still=0 size=0 now
	while [ $((still += 1)) -le "$quiet" ]; do
		sleep 1
		! grep -q 'pidfd-guest: up' "$log" || return
		now=$(stat -c %s "$log")
		[ "$now" = "$size" ] || still=0
		size=$now
	done
	kill "$(cat "$run/qemu.pid")"
}

# What the guest's side needs to know.
[ -z "$module" ] || module=$(realpath "$module")
dir=
if [ -n "${DIR-}" ]; then
	[ -d "$DIR" ] || die 2 "DIR=$DIR is not a folder"
	dir=$(realpath "$DIR")
	case $dir in *[!a-zA-Z0-9_+/.-]*) die 2 "DIR=$dir: the name has characters virtme-ng cannot pass on" ;; esac
fi
printf '%s' "${CMD-}" >"$run/cmd"
printf '%s=%q\n' mode "$mode" module "$module" dir "$dir" cwd "$PWD" \
	path "$PATH" home "${HOME:-/root}" lang "${LC_ALL:-${LANG:-C.UTF-8}}" >"$run/settings"
printf '#!/bin/bash\nexec bash %q %q\n' "$here/guest-init.sh" "$run" >"$run/start"
chmod +x "$run/start"
: >"$run/out"
: >"$run/err"

args=(--mods none --kimg "$KERNEL" --cpus "${CPUS:-2}" --memory "${MEM:-2G}")
args+=(--force-9p --qemu-bin "$emulator" ${dir:+--rwdir "$dir"})
read -ra qemu <<<"${QEMU_OPTS-}"
qemu+=(-no-reboot -pidfile "$run/qemu.pid")
# Some machines have a /dev/kvm that hangs.
if ! { [ -r /dev/kvm ] && [ -w /dev/kvm ] && grep -qwE 'vmx|svm' /proc/cpuinfo; }; then
	args+=(--disable-kvm)
	# One emulated CPU may go on running code that another one has patched, such as jump
	# labels and static calls: "Oops: int3". Before QEMU 8.1 that is common; with 10.0 it
	# was seen once in some 800 loads of the module while pidfds were made.
	version=$("$emulator" --version | sed -nE '1s/[^0-9]*([0-9]+\.[0-9]+).*/\1/p')
	case ${PATCHES:-no},$version in
	yes,* | *,[0-7].* | *,8.0) qemu+=(-accel "tcg,thread=single") ;;
	esac
fi
# Without block devices the kernel takes no root for granted. Nobody changes the
# root under the guest's feet, so it may cache what it read.
args+=(--kopt root=/dev/root
	--kopt "rootflags=version=9p2000.L,trans=virtio,access=any,msize=500000,cache=loose"
	--kopt ignore_loglevel --kopt oops=panic --kopt panic=-1)
# What virtme-ng would have these do takes seconds under TCG, and nobody needs it.
mkdir "$run/bin"
ln -s /bin/true "$run/bin/systemd-tmpfiles"
ln -s /bin/true "$run/bin/udevadm"
args+=(--kopt "PATH=$run/bin")
read -ra words <<<"${APPEND-}"
for word in "${words[@]}"; do
	args+=(--kopt "$word")
done

# virtme-ng writes the kernel's console to its standard error, so that is the log.
# Its own ports for a script's output need udev in the guest, and truncate or
# overwrite an output that is a file; these two do not.
if [ "$mode" = run ]; then
	args+=(--show-boot-console --script-sh "exec $(printf %q "$run/start")")
	qemu+=(-device "virtio-serial-pci,id=pidfd")
	for port in out err; do
		qemu+=(-chardev "file,id=pidfd-$port,path=${run//,/,,}/$port"
			-device "virtserialport,bus=pidfd.0,name=pidfd.$port,chardev=pidfd-$port")
	done
	TMPDIR=$run timeout -k 5 "$timeout" "$virtme" "${args[@]}" --qemu-opts "${qemu[@]}" \
		</dev/null >"$run/virtme" 2>>"$log" &
	vm=$!
	watch_boot </dev/null >/dev/null 2>&1 9>&- &
	watch=$!
	tail -c +1 -f -s 0.1 --pid="$vm" "$run/out" &
	out=$!
	tail -c +1 -f -s 0.1 --pid="$vm" "$run/err" >&2 &
	err=$!
	wait -n "$vm" "$out" "$err" || :
	# Nobody reads on, as in: guest.sh run | head.
	if kill -0 "$vm" 2>/dev/null && ! { kill -0 "$out" && kill -0 "$err"; } 2>/dev/null; then
		exit 141
	fi
	ended=0
	wait "$vm" || ended=$?
	vm=
	kill "$watch" 2>/dev/null || :
	watch=
	wait "$out" "$err" || :
	out=
else
	say "leave with 'exit' or Ctrl-D; Ctrl-A X stops the guest at once"
	TMPDIR=$run "$virtme" "${args[@]}" --shell "$run/start" --qemu-opts "${qemu[@]}" \
		<&0 2>>"$log" &
	vm=$!
	ended=0
	wait "$vm" || ended=$?
	vm=
fi

tr -d '\r' <"$log" >"$run/log"
cat "$run/log" >"$log"

up=$(in_log up)
failed=$(in_log failed)
status=$(in_log exit)
first=$({
	grep -nE "$stamp($complaints)" "$log" | grep -v "$races"
	grep -nE "$our_races" "$log"
} | sort -n | head -n 1)

if [ -n "$first" ] && [ -n "$up" ]; then
	say "the kernel complained: $(sed -E "s/$stamp//" <<<"${first#*:}")"
	show_end
	exit 120
elif [ -n "$failed" ]; then
	say "$failed"
	show_end
	[ "${failed#cannot load}" = "$failed" ] || exit 126
	exit 125
elif [ -n "$status" ]; then
	exit "$status"
elif [ "$ended" = 124 ] || [ "$ended" = 137 ]; then
	say "no end within TIMEOUT=$timeout seconds"
	show_end
	exit 124
elif [ -n "$up" ]; then
	[ "$mode" = run ] || exit 0 # Ctrl-A X
	say "the guest went down before the command ended"
	show_end
	exit 125
else
	# An emulator may reset or hang in the middle of the boot, without a word from it or
	# from the kernel, before anything of ours runs: that is tried once more.
	if [ "$mode" = run ] && [ -z "$first" ] && [ -z "${AGAIN-}" ]; then
		say "the guest went down while it booted, and nothing says why; once more"
		cleanup
		AGAIN=no exec "$0" run 9>&-
	fi
	say "the guest did not boot"
	show_end
	exit 125
fi
