// SPDX-License-Identifier: GPL-2.0

//! File handles of pidfds.

use crate::file::PidFdFile;
use kernel::{
    bindings::{
        O_CLOEXEC,
        O_EXCL,
        O_LARGEFILE,
        O_NONBLOCK,
        O_RDONLY,
        O_RDWR,
        O_WRONLY, //
    },
    fs::{
        dentry::Path,
        export::{
            types::FILEID_KERNFS,
            ExportOperations, //
        },
        File, //
    },
    pid::Pid,
    pidfd::flags::PIDFD_AUTOKILL,
    prelude::*,
    sync::aref::ARef,
    warn_on_once, //
};

/// What `open_by_handle_at(2)` may be asked for; `PIDFD_THREAD` is `O_EXCL`. It adds `O_LARGEFILE`
/// itself.
const VALID_FLAGS: u32 =
    O_RDONLY | O_WRONLY | O_RDWR | O_NONBLOCK | O_CLOEXEC | O_EXCL | O_LARGEFILE;

/// A handle has the number that no other process or thread ever has.
pub(crate) struct PidFdHandle;

impl ExportOperations for PidFdHandle {
    type Object = Pid;
    type Id = u64;

    const TYPE: u8 = FILEID_KERNFS;

    fn encode(pid: &Pid) -> u64 {
        pid.ino()
    }

    /// Finds a process or thread that somebody has had a pidfd of, that has not been reaped, and
    /// that is in the caller's pid namespace or below.
    fn decode(ino: u64) -> Result<ARef<Pid>> {
        Pid::find_get_ino(ino)
            .filter(|pid| pid.is_known() && pid.vnr() != 0)
            .ok_or(ESTALE)
    }

    /// Whoever sees a process may have a pidfd of it, and [`decode`](Self::decode) looks at that.
    fn permission(flags: u32) -> Result {
        if flags & !VALID_FLAGS != 0 {
            return Err(EINVAL);
        }
        Ok(())
    }

    /// A kill on last close is decided on when a process is made, and never later.
    fn open(path: &Path, flags: u32) -> Result<ARef<File>> {
        if warn_on_once!(flags & PIDFD_AUTOKILL != 0) {
            return Err(EINVAL);
        }
        PidFdFile::open(path, flags & !O_LARGEFILE)
    }
}
