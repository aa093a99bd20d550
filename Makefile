# SPDX-License-Identifier: GPL-2.0
#
# The front door: make help.

MAKEFLAGS += --no-print-directory
SHELL := /bin/bash

# What the user may set; see help.
SERIES ?= 7.3
BUILD ?= $(CURDIR)/build
CPUS ?= 2
MEM ?= 2G
TIMEOUT ?= 600
JOBS ?= $(shell nproc)
MODULE ?= yes
override BUILD := $(abspath $(BUILD))
# Ours only: what the kernel's own make is told, scripts/pidfd/build.sh says. A
# dollar sign in CMD is the guest's shell's.
MAKEOVERRIDES :=
override CMD := $(value CMD)
export SERIES KERNEL_SRC BUILD CMD MODULE CPUS MEM DIR TIMEOUT JOBS SETUP ICOUNT PRISTINE LSM TIME SEED

SCRIPTS := $(CURDIR)/scripts/pidfd
OBJ := $(BUILD)/kernel
export KERNEL = $(OBJ)/arch/x86/boot/bzImage
export MODULE_KO = $(OBJ)/kernel/pidfd/rust_pidfd.ko

goals := $(or $(MAKECMDGOALS),all)

ifneq ($(filter-out help clean,$(goals)),)
ifneq ($(LLVM),1)
$(error Rust in the kernel needs clang: make LLVM=1 CONFIG_RUST=y $(MAKECMDGOALS))
endif
ifneq ($(CONFIG_RUST),y)
$(error this project is Rust: make LLVM=1 CONFIG_RUST=y $(MAKECMDGOALS))
endif
# Before 4.4, make does not hand variables to what $(shell) runs.
set_up = $(shell SETUP='$(SETUP)' PIDFD_CACHE='$(PIDFD_CACHE)' $(SCRIPTS)/setup.sh $(BUILD) $1 >&2; echo $$?)
ifneq ($(call set_up),0)
$(error not set up; see above)
endif
include $(BUILD)/tools.mk
ifneq ($(filter test-lsm,$(goals)),)
ifneq ($(call set_up,lsm),0)
$(error not set up; see above)
endif
include $(BUILD)/tools-lsm.mk
export CHECKPOLICY APPARMOR_PARSER
endif
export RUSTC RUSTDOC RUSTFMT CLIPPY_DRIVER RUST_LIB_SRC BINDGEN LIBCLANG_PATH
export LLVM_BIN SPATCH VNG QEMU CCACHE CARGO PYTHON
endif

all: kernel

help:
	@sed 's/^# \?//' $(SCRIPTS)/help.txt

kernel:
	@$(SCRIPTS)/build.sh kernel

sample:
	@$(MAKE) -s -C samples/pidfd OUT=$(BUILD)/samples

run: kernel sample
	@CMD=$(BUILD)/samples/pidfd-metadata MODULE=yes $(SCRIPTS)/guest.sh run

guest: kernel
	@$(SCRIPTS)/guest.sh run

shell: kernel
	@$(SCRIPTS)/guest.sh shell

test: kernel sample
	@$(SCRIPTS)/test.sh

test-debug: sample
	@$(SCRIPTS)/test-debug.sh

test-lsm:
	@$(SCRIPTS)/test-lsm.sh

fuzz:
	@$(SCRIPTS)/build.sh weave
	@$(SCRIPTS)/build.sh variant debug kasan
	@$(SCRIPTS)/fuzz.sh $(REPLAY)

models:
	@$(SCRIPTS)/models.sh

bench: kernel
	@$(SCRIPTS)/bench.sh

check: kernel
	@$(SCRIPTS)/check.sh

modules:
	@$(SCRIPTS)/build.sh modules "$(KDIR)"

clean:
	rm -rf $(BUILD)

.PHONY: all help kernel sample run guest shell test test-debug test-lsm fuzz models bench check modules clean
