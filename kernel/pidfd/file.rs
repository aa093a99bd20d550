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
    fs::{
        dentry::Path,
        file::flags::O_RDWR,
        file_operations::{
            FileOperations,
            OpenFile, //
        },
        pseudo::Mount,
        File, //
    },
    pid::{
        signal::SIGKILL,
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

/// Makes a file for `pid`, unless `pid` was reaped before anyone had a pidfd of it.
#[inline]
pub(crate) fn create(mount: &Mount<PidFs>, pid: &Pid, flags: u32) -> Result<ARef<File>> {
    let (open, kept) = split_flags(flags & !PIDFD_STALE);
    mount.open(pid, open, kept)
}

/// Opens the file at `path`, which is a path of this file system.
#[inline]
pub(crate) fn open(path: &Path, flags: u32) -> Result<ARef<File>> {
    let (open, kept) = split_flags(flags);
    path.open_with(open, kept)
}

/// Returns the flags to open a file with, and those of them that the file keeps.
///
/// A pidfd is open for reading and writing, whatever `flags` request.
fn split_flags(flags: u32) -> (u32, u32) {
    (flags | O_RDWR, flags & (PIDFD_THREAD | PIDFD_AUTOKILL))
}

#[vtable]
impl FileOperations for PidFs {
    type Object = Pid;

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
        ioctl::ioctl(file.object(), file.inode(), cmd, arg)
    }

    #[cfg(CONFIG_COMPAT)]
    fn compat_ioctl(file: &OpenFile<'_, Self>, cmd: u32, arg: usize) -> Result<isize> {
        ioctl::compat_ioctl(file.object(), file.inode(), cmd, arg)
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
                    // An error means that the process is dead already.
                    let _ = process.send_signal(SIGKILL, PidType::Tgid);
                }
            }
        }
    }
}
