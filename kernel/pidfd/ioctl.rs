// SPDX-License-Identifier: GPL-2.0

//! What `ioctl(2)` does on a pidfd.

use crate::{
    file::PidFdFile,
    info,
    namespaces,
    wire::{
        cmd::*,
        INFO_SIZE_VER0, //
    }, //
};
use kernel::{
    fs::file_operations::OpenFile,
    ioctl::{
        _IOC_DIR,
        _IOC_NR,
        _IOC_SIZE,
        _IOC_TYPE, //
    },
    prelude::*,
    uaccess::UserPtr, //
};

#[inline(always)]
pub(crate) fn ioctl(file: &OpenFile<'_, PidFdFile>, cmd: u32, arg: usize) -> Result<isize> {
    let pid = file.object();

    if let Some(kind) = namespaces::kind(cmd) {
        return namespaces::open(pid, kind, arg);
    }
    if is_get_info(cmd) {
        info::get_info(pid, UserPtr::from_addr(arg), _IOC_SIZE(cmd))?;
        return Ok(0);
    }
    if cmd == FS_IOC_GETVERSION {
        if arg == 0 {
            return Err(EINVAL);
        }
        UserPtr::from_addr(arg).put_int(file.inode().generation() as c_int)?;
        return Ok(0);
    }
    Err(ENOIOCTLCMD)
}

/// The struct that it is about has grown, and will again; the size in the command is that of the
/// struct that the caller knows.
#[inline]
fn is_get_info(cmd: u32) -> bool {
    _IOC_DIR(cmd) == _IOC_DIR(PIDFD_GET_INFO)
        && _IOC_TYPE(cmd) == _IOC_TYPE(PIDFD_GET_INFO)
        && _IOC_NR(cmd) == _IOC_NR(PIDFD_GET_INFO)
        && _IOC_SIZE(cmd) >= INFO_SIZE_VER0
}

/// As [`ioctl`], for a 32-bit program: its pointers are shorter.
#[cfg(CONFIG_COMPAT)]
pub(crate) fn compat_ioctl(file: &OpenFile<'_, PidFdFile>, cmd: u32, arg: usize) -> Result<isize> {
    let cmd = match cmd {
        FS_IOC32_GETVERSION => FS_IOC_GETVERSION,
        _ => cmd,
    };
    ioctl(file, cmd, arg as u32 as usize)
}
