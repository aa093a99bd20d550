// SPDX-License-Identifier: GPL-2.0

//! The file behind a pidfd.

use crate::{
    counters,
    fdinfo,
    file_system::PidFs,
    ioctl,
    poll, //
};
use kernel::{
    bindings::SIGKILL,
    fs::{
        dentry::Path,
        file::flags::O_RDWR,
        file_operations::{
            FileOperations,
            FileOperationsTable,
            OpenFile, //
        },
        pseudo::Mount,
        File, //
    },
    pid::{
        Pid,
        PidType, //
    },
    pidfd::flags::{
        PIDFD_AUTOKILL,
        PIDFD_STALE,
        PIDFD_THREAD, //
    },
    prelude::*,
    seq_file::SeqFile,
    sync::{
        aref::ARef,
        poll::PollTable,
        rcu, //
    },
    wait_queue::WaitQueueHead,
    warn_on_once, //
};

pub(crate) static OPERATIONS: FileOperationsTable<PidFdFile> = FileOperationsTable::new();

/// A file that refers to a process or thread.
pub(crate) struct PidFdFile;

impl PidFdFile {
    /// Makes a file for `pid`, unless it was reaped before anybody had one.
    #[inline]
    pub(crate) fn create(mount: &Mount<PidFs>, pid: &Pid, flags: u32) -> Result<ARef<File>> {
        let (flags, kept) = Self::flags(flags & !PIDFD_STALE);
        mount.open(pid, flags, kept)
    }

    /// Opens a file that was found.
    #[inline]
    pub(crate) fn open(path: &Path, flags: u32) -> Result<ARef<File>> {
        let (flags, kept) = Self::flags(flags);
        path.open_with(flags, kept)
    }

    /// With what flags a file is opened, which is for reading and writing whatever `flags` say, and
    /// which it keeps.
    fn flags(flags: u32) -> (u32, u32) {
        (flags | O_RDWR, flags & (PIDFD_THREAD | PIDFD_AUTOKILL))
    }
}

#[vtable]
impl FileOperations for PidFdFile {
    type Object = Pid;
    type FileSystem = PidFs;

    fn wait_queue<'a>(pid: &'a Pid) -> &'a WaitQueueHead
    where
        Self: 'a,
    {
        pid.wait_pidfd()
    }

    #[inline]
    fn poll(file: &OpenFile<'_, Self>, table: &PollTable<'_>) -> u32 {
        file.poll_wait(table);
        poll::events(file.object())
    }

    #[inline]
    fn show_fdinfo(file: &OpenFile<'_, Self>, m: &SeqFile) {
        fdinfo::show(file.object(), m);
    }

    #[inline]
    fn ioctl(file: &OpenFile<'_, Self>, cmd: u32, arg: usize) -> Result<isize> {
        ioctl::ioctl(file, cmd, arg)
    }

    #[cfg(CONFIG_COMPAT)]
    fn compat_ioctl(file: &OpenFile<'_, Self>, cmd: u32, arg: usize) -> Result<isize> {
        ioctl::compat_ioctl(file, cmd, arg)
    }

    #[inline]
    fn open(_pid: &Pid) -> Result {
        counters::created();
        Ok(())
    }

    #[inline]
    fn release(pid: &Pid, flags: u32) {
        counters::released();

        if flags & PIDFD_AUTOKILL != 0 {
            let rcu = rcu::read_lock();
            if let Some(process) = pid.task(PidType::Tgid, &rcu) {
                // A clone with `CLONE_PIDFD_AUTOKILL` makes a process of user space.
                if !warn_on_once!(process.is_kernel_worker()) {
                    // A process that is past being killed needs no killing.
                    let _ = process.send_signal(SIGKILL as i32, PidType::Tgid);
                }
            }
        }
    }
}
