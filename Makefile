# SPDX-License-Identifier: GPL-2.0
#
# The front door: make help.

MAKEFLAGS += --no-print-directory
SHELL := /bin/bash

# What the user may set; see help.
BUILD ?= $(CURDIR)/build
override BUILD := $(abspath $(BUILD))
# Ours only: what the kernel's own make gets, tools/testing/pidfd/build.py has. A
# dollar sign in CMD is the guest's shell's.
MAKEOVERRIDES :=
override CMD := $(value CMD)

TOOL := $(CURDIR)/tools/testing/pidfd
goals := $(or $(MAKECMDGOALS),all)
# Packages are for a Debian system.
CONFIG ?= $(if $(filter deb system,$(goals)),debian)

ifneq ($(filter-out help clean,$(goals)),)
ifneq ($(LLVM),1)
$(error Rust in the kernel needs clang: make LLVM=1 CONFIG_RUST=y $(MAKECMDGOALS))
endif
ifneq ($(CONFIG_RUST),y)
$(error this project is Rust: make LLVM=1 CONFIG_RUST=y $(MAKECMDGOALS))
endif
# Before 4.4, make does not hand variables to what $(shell) runs.
set_up = $(shell SETUP='$(SETUP)' PIDFD_CACHE='$(PIDFD_CACHE)' $(TOOL)/setup.sh $(BUILD) $1 >&2; echo $$?)
ifneq ($(call set_up),0)
$(error not set up; see above)
endif
include $(BUILD)/tools.mk
# What only some goals need.
extras := $(if $(filter test-lsm,$(goals)),lsm) $(if $(filter docs,$(goals)),docs) \
	$(if $(filter debian,$(CONFIG)),debian) $(if $(filter deb,$(goals)),deb) \
	$(if $(filter system,$(goals) $(if $(filter test,$(goals)),$(if $(wildcard \
	/etc/debian_version),$(or $(TESTS),system)))),system)
$(foreach extra,$(extras),$(if $(filter-out 0,$(call set_up,$(extra))),$(error not set up; see above)))
endif

# $(call quote,TEXT): one word of the shell, whatever is in it.
define newline


endef
quote = '$(subst $(newline),'$$'\n'',$(subst ','\'',$1))'
# $(call options,NAME...): each variable that is set, as an option of the same name.
lower = $(shell tr A-Z_ a-z- <<<'$1')
options = $(foreach name,$1,$(if $($(name)),--$(call lower,$(name))=$(call quote,$($(name)))))
# $(call typed,NAME): the variable, if the user has typed it as an argument of make.
typed = $(if $(filter command,$(firstword $(origin $1))),$($1))
tools = $(foreach name,RUSTC RUSTDOC RUSTFMT CLIPPY_DRIVER RUST_LIB_SRC CARGO BINDGEN LLVM_BIN \
	LIBCLANG_PATH SPATCH CCACHE QEMU PYTHON VNG APPARMOR_PARSER CHECKPOLICY,$(if $(call \
	typed,$(name)),--tool=$(call quote,$(name)=$($(name)))))

where = $(call options,BUILD SERIES UPDATE KERNEL_SRC CONFIG FLAVOUR MODULE_KEY JOBS) $(tools) \
	$(if $(PIDFD_CACHE),--cache=$(call quote,$(PIDFD_CACHE)))
booted = $(where) $(call options,CPUS MEM TIMEOUT QUIET DIR APPEND QEMU_OPTS) \
	$(if $(call typed,KERNEL),--kernel=$(call quote,$(KERNEL))) \
	$(if $(call typed,MODULE_KO),--module=$(call quote,$(MODULE_KO))) \
	$(if $(MODULE),--load=$(call quote,$(MODULE)))
tested = $(booted) $(call options,ROUNDS RACE_SECONDS BY_C LEAVE_OUT LIMIT)

pidfd = @$(PYTHON) -B $(TOOL)/pidfd.py

all: kernel

help:
	@sed 's/^# \?//' $(TOOL)/help.txt

kernel:
	$(pidfd) kernel $(where)

sample:
	@$(MAKE) -s -C samples/pidfd OUT=$(BUILD)/samples

run: kernel sample
	$(pidfd) guest $(booted) --load=yes --cmd=$(BUILD)/samples/pidfd-metadata

guest: kernel
	$(pidfd) guest $(booted) --cmd=$(call quote,$(CMD))

shell: kernel
	$(pidfd) shell $(booted)

test: kernel sample
	$(pidfd) test $(tested) $(call options,TESTS)

test-debug: sample
	$(pidfd) test-debug $(tested) $(call options,TESTS VARIANTS)

test-lsm:
	$(pidfd) test-lsm $(tested) $(call options,LSM)

fuzz:
	$(pidfd) fuzz $(booted) $(call options,TIME SEED) $(REPLAY)

models:
	$(pidfd) models $(where)

bench: kernel
	$(pidfd) bench $(booted) $(call options,ICOUNT PRISTINE LSM)

check: kernel
	$(pidfd) check $(where)

docs:
	$(pidfd) docs $(where)

deb:
	$(pidfd) deb $(where)

system:
	$(pidfd) system $(booted) $(call options,RELEASE) --cmd=$(call quote,$(CMD))

modules:
	$(pidfd) modules $(where) $(call options,KDIR)

clean:
	rm -rf $(BUILD)

.PHONY: all help kernel sample run guest shell test test-debug test-lsm fuzz models bench check docs deb system modules clean
