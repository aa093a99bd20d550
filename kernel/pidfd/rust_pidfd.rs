// SPDX-License-Identifier: GPL-2.0

//! Pid file descriptors in Rust.
//!
//! What a pidfd means: how it is made ([`provider`]), what its file does ([`file`]), when it is
//! readable ([`poll`]), what its fdinfo says ([`fdinfo`]) and what it answers ([`ioctl`], [`info`],
//! [`namespaces`]); what file system it is in ([`file_system`]), how it is named there ([`handle`])
//! and what can be attached to it ([`xattr`]); what is known when the process is gone
//! ([`exit_record`]). While the module is loaded it serves every pidfd that is asked for; unloaded,
//! `fs/pidfs.c` does.

use kernel::{
    pidfd::{
        counts::Files,
        Registration, //
    },
    prelude::*, //
};

mod counters;
mod exit_record;
mod fdinfo;
mod file;
mod file_system;
mod handle;
mod info;
mod ioctl;
mod namespaces;
mod poll;
mod provider;
mod wire;
mod xattr;

module! {
    type: RustPidfd,
    name: "rust_pidfd",
    authors: ["The Rust pidfd authors"],
    description: "Pid file descriptors in Rust",
    license: "GPL",
}

struct RustPidfd {
    // Dropped first: nobody calls us any more when the rest goes.
    _registration: Registration<provider::RustProvider>,
    _counters: Files,
}

impl kernel::Module for RustPidfd {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let counters = counters::files();

        Ok(Self {
            // Comes last: from here on we are called.
            _registration: provider::TABLE.register()?,
            _counters: counters,
        })
    }
}
