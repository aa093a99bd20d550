// SPDX-License-Identifier: GPL-2.0

//! When a pidfd is readable.

use kernel::{
    fs::file_operations::events::{
        EPOLLHUP,
        EPOLLIN,
        EPOLLRDNORM, //
    },
    pid::{
        Pid,
        State, //
    }, //
};

/// Readable once the process or thread has exited, with a hang-up once it has been reaped.
#[inline]
pub(crate) fn events(pid: &Pid) -> u32 {
    match pid.state() {
        State::Running => 0,
        State::Exited => EPOLLIN | EPOLLRDNORM,
        State::Reaped => EPOLLIN | EPOLLRDNORM | EPOLLHUP,
    }
}
