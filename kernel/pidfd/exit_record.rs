// SPDX-License-Identifier: GPL-2.0

//! What is known of the end of a process or thread.
//!
//! The record of it is written when the process is reaped. A zombie that awaits its parent has
//! none, and so shows none. A process that nobody waits for, as after `CLONE_AUTOREAP` or with
//! `SIGCHLD` ignored, reaps itself: but it wakes those who poll its pidfd first, and writes the
//! record later. Between the two its end is settled all the same, and whoever was woken shall find
//! it:
//!
//! ```text
//! exit_notify(), tasklist_lock held      who polls
//! exit_state = EXIT_ZOMBIE
//! wake up                                 is woken, asks for the exit
//!                                         no record; not running: take tasklist_lock, and wait
//! exit_state = EXIT_DEAD
//! unlock                                  EXIT_DEAD: the end, as it will be recorded
//! release_task(): write the record
//! ```
//!
//! What stays `EXIT_ZOMBIE` when the lock is released awaits its parent.

use kernel::{
    pid::{
        Exit,
        Record, //
    },
    task::Task, //
};

/// Returns how the process or thread ended, if that is settled. `task` is what was found to use its
/// pid.
#[inline]
pub(crate) fn exit(record: &Record, task: Option<&Task>) -> Option<Exit> {
    match task {
        None => record.exit_of_gone(),
        Some(task) => record.exit().or_else(|| task.final_exit()),
    }
}
