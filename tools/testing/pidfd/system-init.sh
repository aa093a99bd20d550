#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The part of system.py that runs in a whole Debian, as a service of systemd. Its
# argument is the folder in which system.py left the command. It reports through the
# kernel log, as guest-init.sh does.

set -u

report() { printf '<5>pidfd-guest: %s\n' "$*" >/dev/kmsg; }

run=$1
tmp=$(mktemp -d)
report "up 1"
mkfifo "$tmp/out" "$tmp/err"
pumps=()
for port in out err; do
	cat "$tmp/$port" >/dev/virtio-ports/pidfd.$port &
	pumps+=($!)
done
export HOME=/root USER=root LOGNAME=root SHELL=/bin/bash
cd /root || :
status=0
setsid bash -c "$(<"$run/cmd")" >"$tmp/out" 2>"$tmp/err" </dev/null || status=$?
# What the command left running may hold on to the pipes.
{ sleep 2; kill "${pumps[@]}"; } &
wait "${pumps[@]}" || :
report "exit $status"
sync
echo b >/proc/sysrq-trigger
