// SPDX-License-Identifier: GPL-2.0

//! The file system in which pidfds are: what `fstat(2)`, `statfs(2)` and `readlink(2)` say of them.

use crate::{
    file::{
        PidFdFile,
        OPERATIONS, //
    },
    handle::PidFdHandle,
    xattr::PidFdXattrs, //
};
use kernel::{
    bindings::{
        PID_FS_MAGIC,
        S_IRWXU, //
    },
    fs::{
        dentry::Stash,
        inode::{
            flags::{
                S_ANON_INODE,
                S_IMMUTABLE,
                S_PRIVATE, //
            },
            Inode,
            InodeOperations,
            NewInode,
            Stat, //
        },
        pseudo::{
            PseudoFileSystem,
            PseudoFs, //
        },
        super_block::{
            StatFs,
            SuperBlock, //
        },
        xattr::XattrList, //
    },
    pid::Pid,
    pidfd,
    prelude::*, //
};

pub(crate) static PIDFS: PseudoFs<PidFs> = PseudoFs::new(&OPERATIONS);

/// One inode for each process or thread that somebody has a pidfd of.
pub(crate) struct PidFs;

#[vtable]
impl PseudoFileSystem for PidFs {
    type Object = Pid;
    type Files = PidFdFile;
    type Inodes = PidFdInode;
    type Xattrs = PidFdXattrs;
    type Export = PidFdHandle;

    const MAGIC: usize = PID_FS_MAGIC as usize;

    // Programs know pidfds by this since before there was a file system of them.
    const LINK: &'static CStr = c"anon_inode:[pidfd]";

    #[inline]
    fn stash<'a>(pid: &'a Pid) -> Result<&'a Stash>
    where
        Self: 'a,
    {
        pid.register(GFP_KERNEL).map(|record| record.stash())
    }

    #[inline]
    fn init_inode(pid: &Pid, inode: &mut NewInode) {
        let (ino, generation) = number(pid.ino());

        inode.set_number(ino, generation);
        inode.change_flags(S_PRIVATE | S_ANON_INODE, S_IMMUTABLE);
        inode.add_mode(S_IRWXU as u16);
    }

    fn statfs(_sb: &SuperBlock, stat: &mut StatFs) -> Result {
        stat.set_fsid(pidfd::device());
        Ok(())
    }
}

/// What is unique is a 64-bit number. Where inode numbers are shorter, its upper half is the
/// generation number.
#[inline]
fn number(ino: u64) -> (u64, u32) {
    if cfg!(CONFIG_64BIT) {
        (ino, 0)
    } else {
        (ino & u64::from(u32::MAX), (ino >> 32) as u32)
    }
}

pub(crate) struct PidFdInode;

#[vtable]
impl InodeOperations for PidFdInode {
    type Object = Pid;

    /// A pidfd is no kind of file. Its device is that of the pidfds that C makes: the same process
    /// has the same `st_dev` and `st_ino`, whoever made the pidfd.
    fn getattr(_pid: &Pid, inode: &Inode, stat: &mut Stat, request_mask: u32) -> Result {
        stat.fill(inode, request_mask);
        stat.clear_file_type();
        stat.set_device(pidfd::device());
        Ok(())
    }

    /// Who may do what to a process is not decided by mode and owner of a pidfd.
    fn setattr(_pid: &Pid) -> Result {
        Err(EOPNOTSUPP)
    }

    #[inline]
    fn listxattr(pid: &Pid, list: XattrList<'_>) -> Result<usize> {
        pid.record().ok_or(ESRCH)?.xattrs().list(list)
    }
}
