// SPDX-License-Identifier: GPL-2.0

//! The file system that contains pidfds, and the tables that the kernel finds it by.
//!
//! Each operation of [`PidFs`] is implemented in the file of its subject: files in `file.rs`,
//! inodes in `inode.rs`, extended attributes in `xattr.rs`, file handles in `export.rs`, and the
//! creation of pidfds in `provider.rs`.

use kernel::{
    fs::{
        dentry::Stash,
        inode::{
            flags::{
                S_ANON_INODE,
                S_IMMUTABLE,
                S_PRIVATE, //
            },
            mode::S_IRWXU,
            NewInode, //
        },
        pseudo::{
            FileOperationsTable,
            PseudoFileSystem,
            PseudoFs, //
        },
        super_block::{
            StatFs,
            SuperBlock, //
        }, //
    },
    pid::Pid,
    pidfd::{
        self,
        uapi::PID_FS_MAGIC,
        ProviderTable, //
    },
    prelude::*, //
};

/// One inode for each process or thread that has an open pidfd.
pub(crate) struct PidFs;

static FILE_SYSTEM: PseudoFs<PidFs> = PseudoFs::new(&FILES);

static FILES: FileOperationsTable<PidFs> = FileOperationsTable::new();

pub(crate) static PROVIDER: ProviderTable<PidFs> = ProviderTable::new(&FILE_SYSTEM, &FILES);

#[vtable]
impl PseudoFileSystem for PidFs {
    type Object = Pid;
    type Files = Self;
    type Inodes = Self;
    type Xattrs = Self;
    type Export = Self;

    const MAGIC: usize = PID_FS_MAGIC;

    // Pidfds had this name before they had a file system, and programs recognise them by it.
    const DENTRY_NAME: &'static CStr = c"anon_inode:[pidfd]";

    #[inline]
    fn stash<'a>(pid: &'a Pid) -> Result<&'a Stash>
    where
        Self: 'a,
    {
        pid.register(GFP_KERNEL).map(|record| record.stash())
    }

    #[inline]
    fn init_inode(pid: &Pid, inode: &mut NewInode) {
        let (ino, generation) = split_ino(pid.ino());

        inode.set_number(ino, generation);
        inode.change_flags(S_PRIVATE | S_ANON_INODE, S_IMMUTABLE);
        inode.add_mode(S_IRWXU);
    }

    fn statfs(_sb: &SuperBlock, stat: &mut StatFs) -> Result {
        stat.set_fsid(pidfd::device());
        Ok(())
    }
}

/// Returns the inode number and the generation number for the unique 64-bit number of a pid.
///
/// Where inode numbers have 32 bits, the generation number is the upper half of the 64-bit number.
#[inline]
fn split_ino(ino: u64) -> (u64, u32) {
    if cfg!(CONFIG_64BIT) {
        (ino, 0)
    } else {
        (ino & u64::from(u32::MAX), (ino >> 32) as u32)
    }
}
