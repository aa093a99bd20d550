#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What a Debian does with pidfds: systemd, D-Bus and containers. Runs in a guest of
# system.py, and prints lines "NAME: ANSWER", or "NAME: ANSWER (not WANTED)". The answers
# have to be the same with C and with Rust, but for those in the last part, "served".

set -u

# answer NAME WANTED ANSWER
answer() {
	local note=
	[ "$3" = "$2" ] || note=" (not $2)"
	echo "$1: $3$note"
}
# wait_until COMMAND...: succeeds when it does, within a minute.
wait_until() {
	for _ in {1..300}; do
		"$@" >/dev/null 2>&1 && return
		sleep 0.2
	done
	return 1
}

answer state running "$(systemctl is-system-running --wait)"
answer "failed units" "" "$(systemctl --failed --no-legend --plain)"

systemd-run --quiet --wait --collect sh -c 'exit 3'
answer "service that exits" 3 $?
systemd-run --quiet --wait --collect sh -c 'kill -SEGV $$'
answer "service that is killed" 2 $?
systemd-run --quiet --scope --collect sh -c 'exit 4'
answer scope 4 $?
answer pipe hello "$(systemd-run --quiet --wait --pipe --collect echo hello)"

systemd-run --quiet --unit=again --property=Restart=always --property=RestartSec=0 sleep infinity
main() { systemctl show --value --property=MainPID again; }
first=$(main)
kill -KILL "$first"
restarted() { [ "$(main)" != "$first" ] && [ "$(main)" != 0 ]; }
wait_until restarted
answer "service that is restarted" 1 "$(systemctl show --value --property=NRestarts again)"

first=$(main)
systemctl daemon-reexec
answer "process after daemon-reexec" same "$([ "$(main)" = "$first" ] && echo same)"
kill -KILL "$first"
wait_until restarted
answer "restarted after daemon-reexec" 0 $?
systemctl stop again
answer stopped "inactive 0" "$(systemctl is-active again) $(main)"

# Its answer has a pidfd of the process that is asked for.
credentials=$(busctl call org.freedesktop.DBus / org.freedesktop.DBus GetConnectionCredentials s \
	org.freedesktop.systemd1 2>&1)
answer "pidfd of a D-Bus peer" 1 "$(grep -c '"ProcessFD" h' <<<"$credentials")"

# overlayfs cannot take ext2 as its upper layer.
mkdir -p /var/lib/containers
mount -t tmpfs containers /var/lib/containers
mkdir -p /tmp/root/bin
cp /run/host/bin/busybox /tmp/root/bin/
ln -s busybox /tmp/root/bin/sh
tar -C /tmp/root -c . | podman import --quiet - box >/dev/null
podman() { command podman --log-level=error "$@"; }
run=(podman run --network=none)
"${run[@]}" --rm box /bin/busybox sh -c 'exit 5'
answer "container that exits" 5 $?
"${run[@]}" --detach --name=c box /bin/busybox sleep 1000 >/dev/null
answer "exec in a container" inside "$(podman exec c /bin/busybox echo inside)"
answer "pause of a container" paused \
	"$(podman pause c >/dev/null && podman inspect -f '{{.State.Status}}' c)"
podman unpause c >/dev/null
podman kill c >/dev/null
answer "killed container" 137 "$(podman wait c)"
podman rm --force c >/dev/null
answer "containers left" 0 "$(podman ps --all --quiet | wc -l)"

# The switch, while process 1 holds pidfds of before.
created() { cat /sys/kernel/debug/rust_pidfd/created 2>/dev/null || echo 0; }
provider=/sys/module/pidfd/parameters/provider
systemd-run --quiet --unit=before sleep infinity
echo 0 >$provider
before=$(created)
systemd-run --quiet --wait --collect sh -c 'exit 6'
answer "service on C pidfds" 6 $?
systemctl daemon-reexec
systemctl kill --signal=KILL before
failed() { systemctl is-failed before; }
wait_until failed
answer "service from before the switch" failed "$(systemctl is-failed before)"
switched=$(($(created) - before))
echo 1 >$provider
systemctl reset-failed before
systemd-run --quiet --wait --collect sh -c 'exit 7'
answer "service after the switch" 7 $?

answer "failed units in the end" "" "$(systemctl --failed --no-legend --plain)"

echo served
echo "module: $([ -e /sys/module/rust_pidfd ] && echo loaded || echo 'not loaded')"
echo "created: $(created)"
echo "created while C was on: $switched"
echo "pidfds of process 1: $(ls -l /proc/1/fd | grep -c 'pidfd')"
echo "log: $(dmesg | grep -o 'rust-pidfd: .*')"
