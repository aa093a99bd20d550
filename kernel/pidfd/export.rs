// SPDX-License-Identifier: GPL-2.0

//! File handles of pidfds.
//!
//! A handle contains the 64-bit number of a pid, which the kernel never gives to another one.

use crate::{
    file,
    file_system::PidFs, //
};
use kernel::{
    fs::{
        dentry::Path,
        export::{
            types::FILEID_KERNFS,
            ExportOperations, //
        },
        file::flags::{
            O_CLOEXEC,
            O_EXCL,
            O_LARGEFILE,
            O_NONBLOCK,
            O_RDONLY,
            O_RDWR,
            O_WRONLY, //
        },
        File, //
    },
    pid::Pid,
    pidfd::flags::PIDFD_AUTOKILL,
    prelude::*,
    sync::aref::ARef,
    warn_on_once, //
};

/// The flags that a caller of `open_by_handle_at(2)` may pass. `PIDFD_THREAD` is `O_EXCL`. The
/// system call adds `O_LARGEFILE`.
const VALID_FLAGS: u32 =
    O_RDONLY | O_WRONLY | O_RDWR | O_NONBLOCK | O_CLOEXEC | O_EXCL | O_LARGEFILE;

impl ExportOperations for PidFs {
    type Object = Pid;
    type Id = u64;

    const TYPE: u8 = FILEID_KERNFS;

    fn encode(pid: &Pid) -> u64 {
        pid.ino()
    }

    /// Finds a pid that has been registered, has not been reaped, and is visible in the caller's
    /// pid namespace.
    fn decode(ino: u64) -> Result<ARef<Pid>> {
        Pid::find_get_ino(ino)
            .filter(|pid| pid.is_known() && pid.vnr() != 0)
            .ok_or(ESTALE)
    }

    /// Checks the flags alone: a caller may have a pidfd of each process that it sees, and
    /// [`decode`](Self::decode) checks that.
    fn permission(flags: u32) -> Result {
        if flags & !VALID_FLAGS != 0 {
            return Err(EINVAL);
        }
        Ok(())
    }

    /// Opens a pidfd without `PIDFD_AUTOKILL`: only the clone of a process can request it.
    fn open(path: &Path, flags: u32) -> Result<ARef<File>> {
        if warn_on_once!(flags & PIDFD_AUTOKILL != 0) {
            return Err(EINVAL);
        }
        file::open(path, flags & !O_LARGEFILE)
    }
}
