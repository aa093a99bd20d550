#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Puts rust_pidfd into an initramfs of dracut, if the kernel has the module.

check() {
	# shellcheck disable=SC2154 # set by dracut
	modinfo -k "$kernel" rust_pidfd >/dev/null 2>&1
}

installkernel() {
	instmods rust_pidfd
}

# The modules that make /init have lower numbers.
install() {
	inst_multiple modprobe mount sh
	inst_script /usr/lib/rust-pidfd/load
	# shellcheck disable=SC2154 # set by dracut
	mv "$initdir/init" "$initdir/init.dracut"
	inst_script "$moddir/init" /init
}
