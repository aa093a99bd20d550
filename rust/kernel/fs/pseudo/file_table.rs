// SPDX-License-Identifier: GPL-2.0

//! The table of the file operations in a pseudo file system.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h)

use super::{
    PseudoFileSystem,
    PseudoFs, //
};
use crate::{
    bindings,
    error::from_result,
    fs::{
        file_operations::{
            FileOperations,
            OpenFile, //
        },
        inode::Inode, //
    },
    prelude::*,
    seq_file::SeqFile,
    sync::poll::PollTable, //
};
use core::marker::PhantomData;

/// A `struct file_operations` whose functions are those of the files of file system `T`.
///
/// A `static`, whose address identifies the files with these operations. A [`PseudoFs`] sets it in
/// its inodes, each of which owns a reference to a `T::Object`.
///
/// # Invariants
///
/// - `inner.owner` is null: the inode holds the module with the functions of `T`, and the file
///   holds the inode. See [`kernel::fs::pseudo`](super).
/// - Each inode with this table is in file system `T`, and owns a reference to a `T::Object`.
#[repr(transparent)]
pub struct FileOperationsTable<T: PseudoFileSystem> {
    inner: bindings::file_operations,
    _operations: PhantomData<T>,
}

// SAFETY: The table is never written to.
unsafe impl<T: PseudoFileSystem> Sync for FileOperationsTable<T> {}

impl<T: PseudoFileSystem> FileOperationsTable<T> {
    /// Creates the table.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        // INVARIANT: `owner` is null.
        Self {
            inner: bindings::file_operations {
                open: if T::Files::HAS_OPEN {
                    Some(Self::open)
                } else {
                    None
                },
                release: Some(Self::release),
                poll: if T::Files::HAS_POLL {
                    Some(Self::poll)
                } else {
                    None
                },
                show_fdinfo: if T::Files::HAS_SHOW_FDINFO {
                    Some(Self::show_fdinfo)
                } else {
                    None
                },
                unlocked_ioctl: if T::Files::HAS_IOCTL {
                    Some(Self::ioctl)
                } else {
                    None
                },
                #[cfg(CONFIG_COMPAT)]
                compat_ioctl: if T::Files::HAS_COMPAT_IOCTL {
                    Some(Self::compat_ioctl)
                } else if T::Files::HAS_IOCTL {
                    bindings::compat_ptr_ioctl
                } else {
                    None
                },
                ..pin_init::zeroed()
            },
            _operations: PhantomData,
        }
    }

    /// Returns a raw pointer to the C struct.
    #[inline]
    pub const fn as_ptr(&'static self) -> *const bindings::file_operations {
        &self.inner
    }

    /// `->open()`: called once for each file. Process context, may sleep.
    ///
    /// # Safety
    ///
    /// `inode` must have this table, and be valid during the call.
    unsafe extern "C" fn open(inode: *mut bindings::inode, _file: *mut bindings::file) -> c_int {
        // SAFETY: The caller promises a valid inode, which by the type invariants owns an object.
        from_result(|| unsafe { T::Files::open(Inode::from_raw(inode).object()).map(|()| 0) })
    }

    /// `->release()`: called once, after the last reference to the file is gone. Process context,
    /// may sleep.
    ///
    /// # Safety
    ///
    /// `inode` must have this table, and be the inode of `file`. The caller must hold the mount and
    /// the dentry of `file` until the call returns, and have the only access to `file`.
    unsafe extern "C" fn release(inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: The caller promises a valid file, and a valid inode, which by the type invariants
        // owns an object.
        unsafe { T::Files::release(Inode::from_raw(inode).object(), (*file).f_flags) };
        // SAFETY: Inodes with this table are in a mounted `PseudoFs`. `file` holds the dentry and
        // the mount, and its object is not used after `release()`.
        unsafe { PseudoFs::<T>::of_super((*inode).i_sb).retire(bindings::file_dentry(file)) };
        0
    }

    /// `->poll()`. Process context, may sleep.
    ///
    /// # Safety
    ///
    /// `file` must have this table, and not be released during the call. `table` must be valid
    /// during the call, or null.
    unsafe extern "C" fn poll(
        file: *mut bindings::file,
        table: *mut bindings::poll_table,
    ) -> bindings::__poll_t {
        // SAFETY: The caller promises a file with this table, which is not released. By the type
        // invariants, its inode owns an object. `poll(2)` does not use the file position.
        let file = unsafe { OpenFile::<T::Files>::from_raw(file) };
        // SAFETY: As the caller promises.
        let table = unsafe { PollTable::from_raw(table) };

        T::Files::poll(&file, &table)
    }

    /// `->show_fdinfo()`. Process context, may sleep.
    ///
    /// # Safety
    ///
    /// `file` must have this table, and the caller must hold a reference to it. The caller must
    /// have the only access to `m`.
    unsafe extern "C" fn show_fdinfo(m: *mut bindings::seq_file, file: *mut bindings::file) {
        // SAFETY: The caller promises a file with this table, and holds a reference to it. By the
        // type invariants, its inode owns an object. procfs does not use the file position.
        let file = unsafe { OpenFile::<T::Files>::from_raw(file) };
        // SAFETY: As the caller promises.
        let m = unsafe { SeqFile::from_raw(m) };

        T::Files::show_fdinfo(&file, m);
    }

    /// `->unlocked_ioctl()`. Process context, may sleep.
    ///
    /// # Safety
    ///
    /// `file` must have this table, and not be released during the call.
    unsafe extern "C" fn ioctl(file: *mut bindings::file, cmd: c_uint, arg: c_ulong) -> c_long {
        // SAFETY: The caller promises a file with this table, which is not released. By the type
        // invariants, its inode owns an object. `ioctl(2)` does not use the file position.
        let file = unsafe { OpenFile::<T::Files>::from_raw(file) };

        match T::Files::ioctl(&file, cmd, arg) {
            Ok(ret) => ret as c_long,
            Err(err) => err.to_errno() as c_long,
        }
    }

    /// `->compat_ioctl()`. Process context, may sleep.
    ///
    /// # Safety
    ///
    /// As for [`Self::ioctl`].
    #[cfg(CONFIG_COMPAT)]
    unsafe extern "C" fn compat_ioctl(
        file: *mut bindings::file,
        cmd: c_uint,
        arg: c_ulong,
    ) -> c_long {
        // SAFETY: The caller promises a file with this table, which is not released. By the type
        // invariants, its inode owns an object. `ioctl(2)` does not use the file position.
        let file = unsafe { OpenFile::<T::Files>::from_raw(file) };

        match T::Files::compat_ioctl(&file, cmd, arg) {
            Ok(ret) => ret as c_long,
            Err(err) => err.to_errno() as c_long,
        }
    }
}
