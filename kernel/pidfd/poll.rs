// SPDX-License-Identifier: GPL-2.0

//! The rule of poll: when a pidfd is readable.

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

/// Returns the events of a pidfd: readable once the process or thread has exited, and a hang-up
/// once it has been reaped.
#[inline]
pub(crate) fn events(pid: &Pid) -> u32 {
    match pid.state() {
        State::Running => 0,
        State::Exited => EPOLLIN | EPOLLRDNORM,
        State::Reaped => EPOLLIN | EPOLLRDNORM | EPOLLHUP,
    }
}
