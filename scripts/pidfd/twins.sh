#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# twins.sh list             names the functions of C's fs/pidfs.c that Rust has a twin of
# twins.sh missing SOURCE   names those of fs/pidfs.c in SOURCE that the table lacks
# twins.sh count            inside a guest: count calls of them from now on, by kprobes
# twins.sh report           inside a guest: "twin FUNCTION CALLS" for each; one that the
#                           compiler has put into its callers is counted there
#
# Documentation/pidfd/functions.csv is the table.

set -eu

table=$(dirname "$(realpath "$0")")/../../Documentation/pidfd/functions.csv
tracing=/sys/kernel/tracing

list() { sed -nE 's/^([a-z0-9_]+),Rust,.*/\1/p' "$table"; }

case $1 in
list) list ;;
missing)
	awk '/^[a-zA-Z_].*\(/ && !/;$/ { head = $0 }
		/^{/ && match(head, /[a-zA-Z0-9_]+\(/) {
			print substr(head, RSTART, RLENGTH - 1); head = ""
		}' "$2/fs/pidfs.c" | sort -u | comm -23 - <(cut -d, -f1 "$table" | sort -u)
	;;
count)
	mountpoint -q $tracing || mount -t tracefs none $tracing
	awk 'NR == FNR { twin[$1]; next }
		$3 in twin && !seen[$3]++ { print "p:twins/" $3, $3 }' <(list) /proc/kallsyms |
		while read -r probe; do
			echo "$probe" >>$tracing/kprobe_events
		done
	echo 1 >$tracing/events/twins/enable
	;;
report) awk '{ print "twin", $1, $2 + $3 }' $tracing/kprobe_profile ;;
esac
