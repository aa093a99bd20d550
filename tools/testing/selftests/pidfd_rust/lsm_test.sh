#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# lsm_test.sh MODULE...: load a policy for each security module, have lsm make the same
# calls on C pidfds and on Rust pidfds, and compare what the module allows, denies and audits.
#
# It runs in a guest in which the modules are on and rust_pidfd is not loaded. lsm runs
# four times: by Rust with rust_pidfd loaded before the policy, by C, by Rust with
# rust_pidfd loaded after the policy, and by C again.
#
# Environment:
#   PIDFD_MODULE     rust_pidfd.ko
#   SELINUX_POLICY   policies/selinux.te, compiled
#   APPARMOR_PARSER  apparmor_parser
#   OUT              folder in which all that was compared stays
#   ROUNDS           how often lsm moves inodes from role to role (300)

set -u

here=$(dirname "$(realpath "$0")")
debugfs=/sys/kernel/debug
securityfs=/sys/kernel/security
tracefs=/sys/kernel/tracing
policies=$here/policies
n=0

is() {
	local name=$1
	shift
	n=$((n + 1))
	if "$@"; then
		echo "ok $n $name"
	else
		echo "not ok $n $name"
	fi
}

bail_out() {
	echo "Bail out! $*"
	exit 1
}

# same FILE FILE: print the first lines that differ.
same() {
	local out
	out=$(diff "$1" "$2") && return
	head -n 20 <<<"$out" | cut -c 1-200 | sed 's/^/# /'
	return 1
}

# mounted TYPE FOLDER
mounted() {
	mountpoint -q "$2" || mount -t "$1" none "$2" || bail_out "no $1"
}

ima_policy() {
	cat "$1" >$securityfs/ima/policy || bail_out "IMA does not take $1"
}

# IMA audits access from one label to another, so the records show the labels of inodes.
policy_selinux() {
	mounted selinuxfs /sys/fs/selinux
	cat "$SELINUX_POLICY" >/sys/fs/selinux/load || bail_out "SELinux does not take the policy"
	echo 1 >/sys/fs/selinux/enforce
	[ "$(cat /sys/fs/selinux/enforce)" = 1 ] || bail_out "SELinux does not enforce"
	ima_policy "$policies/selinux.ima"
}

policy_smack() {
	local rule
	mounted smackfs /sys/fs/smackfs
	while read -r rule; do
		echo "$rule" >/sys/fs/smackfs/load2 || bail_out "Smack does not take: $rule"
	done <"$policies/smack.rules"
	ima_policy "$policies/smack.ima"
}

# TOMOYO enforces after the program that TOMOYO_trigger= names has run once.
policy_tomoyo() {
	local trigger
	trigger=$(tr ' ' '\n' </proc/cmdline | sed -n 's/^TOMOYO_trigger=//p')
	cat "$policies/tomoyo.profile" >$securityfs/tomoyo/profile &&
		cat "$policies/tomoyo.exceptions" >$securityfs/tomoyo/exception_policy &&
		cat "$policies/tomoyo.domains" >$securityfs/tomoyo/domain_policy &&
		cp /bin/true "$trigger" && "$trigger" && return
	bail_out "TOMOYO does not take the policy"
}

policy_apparmor() {
	"$APPARMOR_PARSER" --replace --skip-cache "$policies/apparmor.profiles" ||
		bail_out "AppArmor does not take the profiles"
}

# The processes confine themselves.
policy_landlock() {
	:
}

# EVM verifies signatures (2). All else it does takes a key.
policy_ima() {
	ima_policy "$policies/ima.ima"
	echo 2 >$securityfs/evm || bail_out "EVM does not become active"
}

# The calls that each module has to deny. Without a denial, the comparison proves nothing.
has_to_deny() {
	case $1 in
	selinux)
		printf '%s\n' "pidfd_send_signal(SIGUSR1)" "pidfd_send_signal(SIGKILL)" \
			"pidfd_getfd(stderr)" "ioctl(PIDFD_GET_UTS_NAMESPACE)" "setns(0x4000000)" \
			"fcntl(F_GETFL)" "flock(LOCK_SH)" "ioctl(PIDFD_GET_INFO)" "fstatfs()" \
			"fsetxattr(trusted.lsm)"
		;;
	smack)
		printf '%s\n' "pidfd_send_signal(SIGUSR1)" "pidfd_send_signal(SIGKILL)" \
			"pidfd_getfd(stderr)" "ioctl(PIDFD_GET_UTS_NAMESPACE)" "setns(0x4000000)" \
			"pidfd_open() while it is held" "open_by_handle_at(O_RDONLY)" \
			"open(/proc/self/fd, O_RDONLY)" "open(mounted, O_RDWR)" \
			"getsockopt(SO_PEERPIDFD) while it is held"
		;;
	tomoyo)
		printf '%s\n' "pidfd_open()" "clone(CLONE_PIDFD)" "clone3(CLONE_PIDFD)" \
			"getsockopt(SO_PEERPIDFD)" "recvmsg(SCM_PIDFD)" \
			"open(/proc/self/fd, O_RDWR)" "open_by_handle_at(O_RDWR)" \
			"ioctl(PIDFD_GET_INFO)" "ioctl(PIDFD_GET_UTS_NAMESPACE)" \
			"fcntl(F_SETFL, O_APPEND)"
		;;
	apparmor)
		printf '%s\n' "pidfd_send_signal(SIGUSR1)" "pidfd_send_signal(SIGKILL)" \
			"pidfd_getfd(stderr)" "ioctl(PIDFD_GET_UTS_NAMESPACE)" "setns(0x4000000)" \
			"fsetxattr(trusted.lsm)"
		;;
	landlock)
		printf '%s\n' "pidfd_send_signal(SIGUSR1)" "pidfd_send_signal(SIGKILL)" \
			"pidfd_getfd(stderr)" "ioctl(PIDFD_GET_UTS_NAMESPACE)" "setns(0x4000000)"
		;;
	ima)
		printf '%s\n' "open(/proc/self/fd, O_RDONLY)" "open(/proc/self/fd, O_WRONLY)" \
			"open(/proc/self/fd, O_RDWR)" "open(mounted, O_RDONLY)"
		;;
	esac
}

# Calls that free may make on free, and a confined process may not.
denied() {
	awk -F ' = ' '
		{ role = $1; sub(/ > .*/, "", role); call = $1; sub(/^[^:]*: [^:]*: /, "", call)
		  sub(/, (mode|mask|type|its pid|another pid).*/, "", call) }
		/^free > free: / && $2 !~ /^-1/ { may[call] = 1 }
		role != "free" && $2 ~ /-1 (EACCES|EPERM)/ && may[call] { print call }
	' "$1" | sort | uniq -c
}

denies_what_it_has_to() {
	local call missing=0
	while read -r call; do
		sed -E 's/^ *[0-9]+ //' "$out/denied" | grep -qxF -- "$call" && continue
		echo "# no process was denied $call"
		missing=1
	done < <(has_to_deny "$module")
	return $missing
}

# Audit records of security modules in the kernel log, without what differs from run to
# run: ids; the capabilities that AppArmor has audited a moment ago and does not audit
# again; and the end of a Landlock domain, which a work item logs.
audited() {
	dmesg | sed -nE 's/^\[[^]]*\] audit: (type=(14|18)[0-9][0-9] )/\1/p' |
		grep -vE 'apparmor=.* operation="capable"|type=1424 .* status=deallocated' |
		sed -E 's/audit\([0-9.:]+\)//; s/\b(pid|ppid|opid|ino)=[0-9]+/\1=/g
			s/\bdomain=[0-9a-f]+/domain=/'
}

# TOMOYO has a file of its own. A null byte ends each record.
refused() {
	tr '\0' '\n' <$securityfs/tomoyo/audit |
		sed -E 's/^#[0-9/: ]+#/#/; s/\b(global-pid|pid|ppid|ino|major|minor)=[0-9]+/\1=/g'
}

# run NAME: run lsm. Files of that name get the results, what was audited, and what IMA
# measured.
run() {
	local status=0
	dmesg --clear
	"$here/lsm" "$module" >"$out/$1.all" || status=$?
	# kauditd prints the records.
	sleep 1
	audited >"$out/$1.audit"
	[ "$module" != tomoyo ] || refused >>"$out/$1.audit"
	tail -n +$((listed + 1)) $securityfs/ima/ascii_runtime_measurements >"$out/$1.list"
	listed=$(wc -l <$securityfs/ima/ascii_runtime_measurements)
	grep '^#' "$out/$1.all" | sed "s/^#/# $1:/"
	grep -v '^#' "$out/$1.all" >"$out/$1.calls"
	return "$status"
}

# Rust has moved inodes from one process to another: otherwise, nothing could have been
# left in them.
moves_inodes() {
	local first new
	read -r first new < <(sed -nE 's/^# ([0-9]+) first pidfds, ([0-9]+) new inodes$/\1 \2/p' "$out/$1.all")
	[ "${new:-0}" -lt "${first:-0}" ]
}

# kept: the number of objects that security modules have allocated for inodes.
kept() {
	local cache
	echo 3 >/proc/sys/vm/drop_caches
	# RCU frees some of them a moment later.
	sleep 1
	for cache in lsm_inode_cache ima_iint_cache; do
		[ ! -e /sys/kernel/slab/$cache/shrink ] || echo 1 >/sys/kernel/slab/$cache/shrink
	done
	awk '$1 == "lsm_inode_cache" || $1 == "ima_iint_cache" { print $1, $2 }' /proc/slabinfo |
		sort
}

# An object that each inode loses would be more than this.
nothing_lost() {
	local limit=$((${ROUNDS:-300} / 4 + 100)) lost
	[ -s "$out/before.kept" ] || return
	lost=$(join "$out/before.kept" "$out/after.kept" |
		awk -v limit=$limit '$3 - $2 > limit { print "# " $1 ": " $2 " to " $3 }')
	[ -z "$lost" ] || echo "$lost"
	[ -z "$lost" ]
}

created() { cat $debugfs/rust_pidfd/created; }

load() { insmod "$PIDFD_MODULE" || bail_out "$PIDFD_MODULE cannot be loaded"; }

# The last close of a pidfd may be deferred.
unload() {
	local i
	for ((i = 0; i < 100; i++)); do
		rmmod rust_pidfd 2>/dev/null && return
		sleep 0.1
	done
	bail_out "rust_pidfd cannot be unloaded: pidfds are open"
}

compare() {
	local module=$1 out listed what
	out=${OUT:-$tmp}/$module
	mkdir -p "$out"
	[[ ,$(cat $securityfs/lsm), = *,$module,* ]] ||
		bail_out "$module is off: lsm= on the kernel command line does not name it"
	load
	"policy_$module"
	listed=$(wc -l <$securityfs/ima/ascii_runtime_measurements)

	is "$module: Rust makes the calls, loaded before the policy" run early
	is "$module: the pidfds were Rust's" test "$(created)" -gt 300
	is "$module: Rust has moved inodes" moves_inodes early
	unload
	is "$module: C makes the calls" run c
	load
	kept >"$out/before.kept"
	is "$module: Rust makes the calls" run rust
	kept >"$out/after.kept"
	is "$module: the pidfds were Rust's" test "$(created)" -gt 300
	is "$module: Rust has moved inodes" moves_inodes rust
	is "$module: Rust has lost no memory of the module" nothing_lost
	unload
	is "$module: C makes the calls again" run again

	echo "# $module: $(wc -l <"$out/rust.calls") calls, $(wc -l <"$out/rust.audit") lines audited, $(wc -l <"$out/rust.list") measured"
	for what in calls audit list; do
		[ -s "$out/c.$what" ] || continue
		is "$module: $what of C and Rust are equal" same "$out/c.$what" "$out/rust.$what"
		is "$module: $what of C and Rust are equal, loaded before the policy" \
			same "$out/c.$what" "$out/early.$what"
		is "$module: $what of C before and after Rust are equal" \
			same "$out/c.$what" "$out/again.$what"
	done
	denied "$out/rust.calls" >"$out/denied"
	is "$module: the policy denies what it has to" denies_what_it_has_to
	is "$module: the module audits" test -s "$out/rust.audit"
}

echo "TAP version 13"
[ -r "${PIDFD_MODULE-}" ] || bail_out "PIDFD_MODULE does not say where rust_pidfd.ko is"
[ ! -e /sys/module/rust_pidfd ] || bail_out "rust_pidfd is loaded already"
mounted securityfs $securityfs
mounted debugfs $debugfs
mounted tracefs $tracefs
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
# No record may get lost.
echo 0 >/proc/sys/kernel/printk_ratelimit
# lsm reads how often this function was called, by which C and Rust get new inodes.
echo 'p:lsm_made path_from_stashed' >$tracefs/kprobe_events || bail_out "no kprobe"
echo 1 >$tracefs/events/kprobes/lsm_made/enable
for module; do
	compare "$module"
done
echo 0 >$tracefs/events/kprobes/lsm_made/enable
echo "1..$n"
