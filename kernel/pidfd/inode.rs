// SPDX-License-Identifier: GPL-2.0

//! The inode of a pidfd: `stat(2)`, `chmod(2)` and its like, `listxattr(2)`.

use crate::file_system::PidFs;
use kernel::{
    fs::{
        inode::{
            Inode,
            Stat, //
        },
        inode_operations::InodeOperations,
        xattr::XattrList, //
    },
    pid::Pid,
    pidfd,
    prelude::*, //
};

#[vtable]
impl InodeOperations for PidFs {
    type Object = Pid;

    /// Reports no file type, and the device of C pidfds: a process has one `st_dev` and `st_ino`,
    /// whether C or Rust made the pidfd.
    fn getattr(_pid: &Pid, inode: &Inode, stat: &mut Stat, request_mask: u32) -> Result {
        stat.fill(inode, request_mask);
        stat.clear_file_type();
        stat.set_device(pidfd::device());
        Ok(())
    }

    /// Refuses to change mode and owner: they do not decide on access to a process.
    fn setattr(_pid: &Pid) -> Result {
        Err(EOPNOTSUPP)
    }

    #[inline]
    fn listxattr(pid: &Pid, list: XattrList<'_>) -> Result<usize> {
        pid.record().ok_or(ESRCH)?.xattrs().list(list)
    }
}
