// SPDX-License-Identifier: GPL-2.0

//! The commands of `ioctl(2)` on a pidfd.

use crate::{
    info,
    namespaces, //
};
use kernel::{
    fs::inode::{
        ioctl::FS_IOC_GETVERSION,
        Inode, //
    },
    ioctl::{
        _IOC_DIR,
        _IOC_NR,
        _IOC_SIZE,
        _IOC_TYPE, //
    },
    pid::Pid,
    pidfd::uapi::{
        ioctl::PIDFD_GET_INFO,
        INFO_SIZE_VER0, //
    },
    prelude::*,
    uaccess::UserPtr, //
};

/// Serves command `cmd` for the process or thread of `pid`; `inode` is that of the pidfd.
#[inline(always)]
pub(crate) fn ioctl(pid: &Pid, inode: &Inode, cmd: u32, arg: usize) -> Result<isize> {
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
        UserPtr::from_addr(arg).put_int(inode.generation() as c_int)?;
        return Ok(0);
    }
    Err(ENOIOCTLCMD)
}

/// Returns true if `cmd` is `PIDFD_GET_INFO` with a struct of any valid size.
///
/// The struct has grown, and will grow again. The size in `cmd` is that of the struct that the
/// caller was compiled with.
#[inline]
fn is_get_info(cmd: u32) -> bool {
    _IOC_DIR(cmd) == _IOC_DIR(PIDFD_GET_INFO)
        && _IOC_TYPE(cmd) == _IOC_TYPE(PIDFD_GET_INFO)
        && _IOC_NR(cmd) == _IOC_NR(PIDFD_GET_INFO)
        && _IOC_SIZE(cmd) >= INFO_SIZE_VER0
}

/// Serves a 32-bit program, whose pointers and commands differ.
#[cfg(CONFIG_COMPAT)]
pub(crate) fn compat_ioctl(pid: &Pid, inode: &Inode, cmd: u32, arg: usize) -> Result<isize> {
    use kernel::fs::inode::ioctl::FS_IOC32_GETVERSION;

    let cmd = match cmd {
        FS_IOC32_GETVERSION => FS_IOC_GETVERSION,
        _ => cmd,
    };
    ioctl(pid, inode, cmd, arg as u32 as usize)
}
