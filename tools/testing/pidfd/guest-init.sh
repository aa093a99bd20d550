#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The part of guest.py that runs inside the guest, as root, when virtme-ng has
# mounted the host's files read-only. Its one argument is the folder in which
# guest.py left the settings. It reports through the kernel log, which survives
# everything: "up 1", "failed" with a reason, "exit" with a status.

set -eu

report() { printf '<5>pidfd-guest: %s\n' "$*" >/dev/kmsg; }
fail() { report "failed $*"; exit 125; }

run=$1
mode='' module='' dir='' cwd='' path='' home='' lang=''
# shellcheck source=/dev/null
. "$run/settings"
[ "$mode" = shell ] || exec </dev/null >/dev/null 2>&1
report "up 1"

# A throw-away layer over the root. It has to be the root itself: a process in a
# chroot may not create user namespaces.
top=/run/pidfd
mkdir -p $top/upper $top/work $top/root $top/old
{
	echo "overlay $top/root overlay xino=off,lowerdir=/,upperdir=$top/upper,workdir=$top/work"
	echo "/run $top/root/run none bind" # without the overlay in it
	for fs in /proc /sys /dev $dir; do
		echo "$fs $top/root$fs none rbind"
	done
} >$top/fstab
mount --all --fstab $top/fstab || fail "cannot put a writable layer over the root"
cd $top/root
pivot_root . .$top/old || fail "cannot make the writable layer the root"
cd /
umount -l $top/old
# Let go of what virtme-ng had open, all of it below the old root.
for fd in /proc/self/fd/*; do
	case ${fd##*/} in
	[012] | 255) ;;
	*) eval "exec ${fd##*/}>&-" ;;
	esac
done
[ "$mode" = shell ] || exec </dev/null >/dev/null 2>&1

if [ -n "$module" ] && [ ! -e /sys/module/rust_pidfd ]; then
	why=$(insmod "$module" 2>&1) || fail "cannot load $module: ${why##*: }"
fi

# Not before, as booting takes long enough.
races=/sys/kernel/debug/kcsan
[ ! -w $races ] || echo on >$races
# Interrupts are dear where they are emulated and looked at: spare the scheduler's own.
[ ! -e /proc/lockdep ] || echo NO_HRTICK >/sys/kernel/debug/sched/features || :

cd "$cwd" 2>/dev/null || cd /
# Nothing of the kernel's command line is left in the environment.
for name in $(compgen -e); do
	[ "$name" = TERM ] || unset "$name"
done
export PATH="$path:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
export HOME="$home" LANG="$lang" USER=root LOGNAME=root SHELL=/bin/bash

status=0
if [ "$mode" = shell ]; then
	PS1='guest:\w\$ ' bash --noprofile --norc -i || status=$?
else
	# A port takes one writer and cannot be opened again: hand out pipes.
	mkfifo $top/out $top/err
	pumps=()
	for port in /sys/class/virtio-ports/*; do
		read -r name <"$port/name"
		case $name in
		pidfd.*)
			cat "$top/${name#pidfd.}" >"/dev/${port##*/}" &
			pumps+=($!)
			;;
		esac
	done
	setsid bash -c "$(<"$run/cmd")" >$top/out 2>$top/err || status=$?
	# What the command left running may hold on to the pipes.
	{ sleep 2; kill "${pumps[@]}"; } &
	wait "${pumps[@]}" || :
fi

# kmemleak reports a lost object when it is some seconds old, and has not changed since the
# last scan.
leaks=/sys/kernel/debug/kmemleak
if [ -w $leaks ] && ! grep -qw kmemleak=off /proc/cmdline; then
	sleep 6
	echo scan >$leaks && echo scan >$leaks ||
		fail "kmemleak does not scan: it has switched itself off"
	head -n 50 $leaks | while IFS= read -r line; do
		printf '<5>%s\n' "$line" >/dev/kmsg
	done
fi
report "exit $status"

# All is said: go down at once, instead of through the shutdown of every device.
sync
echo b >/proc/sysrq-trigger
