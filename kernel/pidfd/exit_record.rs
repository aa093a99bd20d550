// SPDX-License-Identifier: GPL-2.0

//! How a process or thread ended.
//!
//! `release_task()` records the exit status when the process is reaped. A zombie that awaits its
//! parent has no record, and reports no exit status.
//!
//! A process that is auto-reaped, as after `CLONE_AUTOREAP` or with `SIGCHLD` ignored, wakes the
//! pollers of its pidfd before `release_task()` runs. Its exit status is final in between, and a
//! poller that was woken can always read it:
//!
//! ```text
//! exit_notify(), tasklist_lock held      poller
//! exit_state = EXIT_ZOMBIE
//! wake up the wait queue                  is woken, requests the exit status
//!                                         no record, task has exited: wait for tasklist_lock
//! exit_state = EXIT_DEAD
//! unlock                                  EXIT_DEAD: read the status that will be recorded
//! release_task(): write the record
//! ```
//!
//! A task that is still `EXIT_ZOMBIE` when the lock is free awaits its parent.

use kernel::{
    pid::{
        Exit,
        Record, //
    },
    task::Task, //
};

/// Returns how the process or thread ended, if that is final. `task` is the task that uses the pid,
/// if the caller has found one.
#[inline]
pub(crate) fn exit(record: &Record, task: Option<&Task>) -> Option<Exit> {
    match task {
        None => record.exit_of_gone(),
        Some(task) => record.exit().or_else(|| task.final_exit()),
    }
}
