#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# models.sh: check the models in tools/pidfd/models with spin: all that can happen
# in them, and that a mistake is found, each of the MISTAKE_... that a model names.
# BUILD says where to work.

set -u -o pipefail

models=$(cd "$(dirname "$0")/../.." && pwd)/tools/pidfd/models
build=$BUILD/models
cc=${LLVM_BIN:-}clang
passed=0
failed=0

command -v spin >/dev/null || {
	echo "models: spin is missing; Debian has it: apt-get install spin" >&2
	exit 1
}
command -v "$cc" >/dev/null || cc=cc

# What to check in a model: a word, and options for spin. "ends" is about something
# that has to happen some time, if all processes get to run.
properties() {
	echo "safety"
	[ "$1" != provider ] || echo "ends -DFOREVER"
}

# check MODEL PROPERTY OPTION...: prints what spin's verifier says.
check() {
	local model=$1 property=$2 compile=-DSAFETY optimize=-O1 run=
	shift 2
	# A mistake is found soon.
	[[ $* != *MISTAKE* ]] || optimize=-O0
	if [ "$property" = ends ]; then
		compile=-DNFAIR=3
		run="-a -f"
	fi
	rm -rf "$build"
	mkdir -p "$build"
	cd "$build" || return
	cp "$models/$model.pml" . &&
		spin -a "$@" "$model.pml" &&
		"$cc" -w $optimize -DCOLLAPSE -DVECTORSZ=2048 "$compile" pan.c -o pan &&
		timeout 300 ./pan -m100000 -w22 $run
}

# Nothing is wrong, nothing was left out, and every process that has an end can
# come to it.
verified() {
	local property=$1 out=$2

	grep -q "errors: 0$" <<<"$out" &&
		! grep -qE "max search depth too small|Search not completed" <<<"$out" &&
		{ [ "$property" = ends ] || ! grep -q '"-end-"' <<<"$out"; }
}

ok() {
	passed=$((passed + 1))
	echo "ok $*"
}

not_ok() {
	failed=$((failed + 1))
	echo "not ok $1"
	sed 's/^/# /' <<<"$2"
}

for file in "$models"/*.pml; do
	model=$(basename "$file" .pml)
	while read -r property options; do
		# shellcheck disable=SC2086
		out=$(check "$model" "$property" $options 2>&1)
		states=$(awk '/states, stored/ { print $1; exit }' <<<"$out")
		if verified "$property" "$out"; then
			ok "$model $property: $states states"
		else
			not_ok "$model $property" "$out"
		fi
	done < <(properties "$model")

	for mistake in $(grep -o 'MISTAKE_[A-Z_]*' "$file" | sort -u); do
		name=${mistake#MISTAKE_}
		found=
		while read -r property options; do
			# shellcheck disable=SC2086
			out=$(check "$model" "$property" $options "-D$mistake" 2>&1)
			found=$(sed -n 's/^pan:1: \(.*\) (at depth.*/\1/p' <<<"$out")
			[ -z "$found" ] || break
		done < <(properties "$model")
		if [ -n "$found" ]; then
			ok "$model: finds ${name,,}: $found"
		else
			not_ok "$model: finds ${name,,}" "$out"
		fi
	done
done

echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
