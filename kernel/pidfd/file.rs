// SPDX-License-Identifier: GPL-2.0

//! The file behind a pidfd.

use crate::{
    counters,
    fdinfo,
    poll, //
};
use kernel::{
    bindings::SIGKILL,
    fs::{
        anon_inode,
        file::flags::O_RDWR,
        file_operations::{
            FileOperations,
            FileOperationsTable,
            OpenFile, //
        },
        File, //
    },
    pid::{
        Pid,
        PidType, //
    },
    pidfd::flags::{
        PIDFD_AUTOKILL,
        PIDFD_NONBLOCK,
        PIDFD_THREAD, //
    },
    prelude::*,
    seq_file::SeqFile,
    sync::{
        aref::ARef,
        poll::PollTable,
        rcu, //
    },
    wait_queue::WaitQueueHead, //
};

pub(crate) static OPERATIONS: FileOperationsTable<PidFdFile> = FileOperationsTable::new();

/// A file that refers to a process or thread, and owns a reference to its [`Pid`].
pub(crate) struct PidFdFile;

impl PidFdFile {
    /// Makes the file. It is open for reading and writing whatever `flags` say.
    pub(crate) fn create(pid: &Pid, flags: u32) -> Result<ARef<File>> {
        pid.register()?;

        let flags = O_RDWR | flags & (PIDFD_NONBLOCK | PIDFD_THREAD | PIDFD_AUTOKILL);
        let file = anon_inode::getfile(c"[pidfd]", &OPERATIONS, pid.into(), flags)?;
        counters::created();
        Ok(file)
    }
}

#[vtable]
impl FileOperations for PidFdFile {
    type Private = ARef<Pid>;

    fn wait_queue<'a>(pid: &'a Pid) -> &'a WaitQueueHead
    where
        Self: 'a,
    {
        pid.wait_pidfd()
    }

    fn poll(file: &OpenFile<'_, Self>, table: &PollTable<'_>) -> u32 {
        file.poll_wait(table);
        poll::events(file.private())
    }

    fn show_fdinfo(file: &OpenFile<'_, Self>, m: &SeqFile) {
        fdinfo::show(file.private(), m);
    }

    fn release(pid: ARef<Pid>, file: &File) {
        counters::released();

        if file.flags() & PIDFD_AUTOKILL != 0 {
            let rcu = rcu::read_lock();
            if let Some(process) = pid.task(PidType::Tgid, &rcu) {
                // A process that is past being killed needs no killing.
                let _ = process.send_signal(SIGKILL as i32, PidType::Tgid);
            }
        }
    }
}
