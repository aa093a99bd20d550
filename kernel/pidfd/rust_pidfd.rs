// SPDX-License-Identifier: GPL-2.0

//! Pid file descriptors in Rust.
//!
//! This module is the policy of pidfds. [`file_system`] defines [`PidFs`](file_system::PidFs),
//! which implements every operation:
//!
//! - [`provider`]: the creation of pidfds,
//! - [`file`]: the file, with [`poll`], [`fdinfo`] and [`ioctl`] ([`info`], [`namespaces`]),
//! - [`inode`], [`xattr`], [`export`]: the inode, extended attributes, file handles,
//! - [`exit_record`]: the exit status of a process that is gone.
//!
//! The module serves every request for a pidfd while it is loaded. After an unload,
//! `fs/pidfs.c` serves again.

use file_system::{
    PidFs,
    PROVIDER, //
};
use kernel::{
    pidfd::{
        counts::Files,
        Registration, //
    },
    prelude::*, //
};

mod counters;
mod exit_record;
mod export;
mod fdinfo;
mod file;
mod file_system;
mod info;
mod inode;
mod ioctl;
mod namespaces;
mod poll;
mod provider;
mod xattr;

module! {
    type: RustPidfd,
    name: "rust_pidfd",
    authors: ["The Rust pidfd authors"],
    description: "Pid file descriptors in Rust",
    license: "GPL",
}

struct RustPidfd {
    // Dropped first: nothing calls into the module after that.
    _registration: Registration<PidFs>,
    _counters: Files,
}

impl kernel::Module for RustPidfd {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let counters = counters::files();

        Ok(Self {
            // The last step: from here on the kernel calls into the module.
            _registration: PROVIDER.register()?,
            _counters: counters,
        })
    }
}
