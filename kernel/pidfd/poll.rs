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
        PidType, //
    },
    sync::rcu, //
};

/// Readable once the process or thread has exited, with a hang-up once it has been reaped.
///
/// A thread group leader that other threads of its group outlive has not exited in this sense. The
/// last of them will announce it, or, having called exec, take over the leader's pid.
pub(crate) fn events(pid: &Pid) -> u32 {
    let rcu = rcu::read_lock();

    match pid.task(PidType::Pid, &rcu) {
        None => EPOLLIN | EPOLLRDNORM | EPOLLHUP,
        Some(task) if task.exit_state() != 0 && !task.delay_group_leader() => EPOLLIN | EPOLLRDNORM,
        Some(_) => 0,
    }
}
