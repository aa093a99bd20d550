// SPDX-License-Identifier: GPL-2.0

//! File operations.
//!
//! Each kind of file implements [`FileOperations`]. [`FileOperationsTable`] is the `struct
//! file_operations` of the implementation.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h)

use crate::{
    bindings,
    error::{
        from_result,
        VTABLE_DEFAULT_ERROR, //
    },
    fs::{
        inode::Inode,
        pseudo::{
            PseudoFileSystem,
            PseudoFs, //
        },
        File, //
    },
    prelude::*,
    seq_file::SeqFile,
    sync::{
        aref::AlwaysRefCounted,
        poll::PollTable, //
    },
    wait_queue::WaitQueueHead, //
};
use core::marker::PhantomData;

/// The bits in the result of [`FileOperations::poll`].
///
/// C header: [`include/uapi/linux/eventpoll.h`](srctree/include/uapi/linux/eventpoll.h)
pub mod events {
    /// A read does not block.
    pub const EPOLLIN: u32 = crate::bindings::EPOLLIN;
    /// A write does not block.
    pub const EPOLLOUT: u32 = crate::bindings::EPOLLOUT;
    /// An error. Always reported.
    pub const EPOLLERR: u32 = crate::bindings::EPOLLERR;
    /// A hang-up. Always reported.
    pub const EPOLLHUP: u32 = crate::bindings::EPOLLHUP;
    /// A read of data with normal priority does not block.
    pub const EPOLLRDNORM: u32 = crate::bindings::EPOLLRDNORM;
}

/// The operations of one kind of file, whose inode owns a reference to an
/// [`Object`](FileOperations::Object).
///
/// All operations run in process context and may sleep.
#[vtable]
pub trait FileOperations: Sized + 'static {
    /// The type that a file refers to.
    type Object: AlwaysRefCounted + Send + Sync + 'static;
    /// The file system of the files.
    type FileSystem: PseudoFileSystem<Files = Self, Object = Self::Object>;

    /// Called once for each file, while the task that opens it has the only reference.
    ///
    /// # Errors
    ///
    /// The open fails with the error. [`release`](FileOperations::release) is not called then.
    fn open(_object: &Self::Object) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Called once, after the last reference to the file is gone. `flags` are those of the file.
    fn release(_object: &Self::Object, _flags: u32) {}

    /// Returns the wait queue that a change of the result of [`poll`](FileOperations::poll) wakes.
    ///
    /// The lifetime shows that the queue lives as long as the object: `epoll` keeps its entry in
    /// the queue until the file is released.
    fn wait_queue<'a>(_object: &'a Self::Object) -> &'a WaitQueueHead
    where
        Self: 'a,
    {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Returns the current [`events`].
    ///
    /// Must call [`OpenFile::poll_wait`] before it reads the state, so that a later change wakes
    /// the caller.
    fn poll(_file: &OpenFile<'_, Self>, _table: &PollTable<'_>) -> u32 {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Adds lines to `/proc/<pid>/fdinfo/<fd>`, after those of the VFS.
    fn show_fdinfo(_file: &OpenFile<'_, Self>, _m: &SeqFile) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Serves `ioctl(2)`.
    ///
    /// # Errors
    ///
    /// [`ENOTTY`] for an unknown command.
    fn ioctl(_file: &OpenFile<'_, Self>, _cmd: u32, _arg: usize) -> Result<isize> {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Serves `ioctl(2)` of a 32-bit program on a 64-bit kernel.
    ///
    /// Without this method, [`ioctl`](FileOperations::ioctl) serves it, with the argument as a
    /// pointer.
    #[cfg(CONFIG_COMPAT)]
    fn compat_ioctl(_file: &OpenFile<'_, Self>, _cmd: u32, _arg: usize) -> Result<isize> {
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

/// An open file, during one of its [`FileOperations`].
///
/// # Invariants
///
/// - The file has a [`FileOperationsTable<T>`], and its inode owns a reference to a `T::Object`.
/// - The file is not released during `'a`.
pub struct OpenFile<'a, T: FileOperations> {
    file: &'a File,
    _operations: PhantomData<T>,
}

impl<'a, T: FileOperations> OpenFile<'a, T> {
    /// # Safety
    ///
    /// `file` must have a [`FileOperationsTable<T>`], not be released before the end of `'a`, and
    /// have no `fdget_pos()` call active on this thread that did not take `f_pos_lock`.
    unsafe fn from_raw(file: *mut bindings::file) -> Self {
        // INVARIANT: As the caller promises. Only inodes that own a `T::Object` have such a table.
        Self {
            // SAFETY: The caller promises what `File` needs.
            file: unsafe { File::from_raw_file(file) },
            _operations: PhantomData,
        }
    }

    /// Returns the file.
    #[inline]
    pub fn file(&self) -> &'a File {
        self.file
    }

    /// Returns the inode.
    #[inline]
    pub fn inode(&self) -> &'a Inode {
        // SAFETY: The file is valid for `'a`. Its inode does not change, and the file holds it.
        unsafe { Inode::from_raw((*self.file.as_ptr()).f_inode) }
    }

    /// Returns the object that the file refers to.
    #[inline]
    pub fn object(&self) -> &'a T::Object {
        // SAFETY: By the type invariants, the inode owns a reference to a `T::Object`.
        unsafe { self.inode().object() }
    }

    /// Lets the caller of `poll(2)`, `select(2)` or `epoll_ctl(2)` wait on
    /// [`FileOperations::wait_queue`].
    #[inline]
    pub fn poll_wait(&self, table: &PollTable<'_>) {
        let queue = T::wait_queue(self.object());
        // SAFETY: The queue lives as long as the object, by the signature of `wait_queue()`. By the
        // type invariants, the object lives at least until the file is released.
        unsafe { table.register_wait_queue(self.file, queue) };
    }
}

/// A `struct file_operations` whose functions are those of `T`.
///
/// A `static`, whose address identifies the files with these operations. A
/// [`PseudoFs`] sets it in its inodes, each of which owns a reference
/// to a `T::Object`.
///
/// # Invariants
///
/// `inner.owner` is null: the inode holds the module with the functions of `T`, and the file holds
/// the inode. See [`kernel::fs::pseudo`](crate::fs::pseudo).
#[repr(transparent)]
pub struct FileOperationsTable<T: FileOperations> {
    inner: bindings::file_operations,
    _operations: PhantomData<T>,
}

// SAFETY: The table is never written to.
unsafe impl<T: FileOperations> Sync for FileOperationsTable<T> {}

impl<T: FileOperations> FileOperationsTable<T> {
    /// Creates the table.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        // INVARIANT: `owner` is null.
        Self {
            inner: bindings::file_operations {
                open: if T::HAS_OPEN { Some(Self::open) } else { None },
                release: Some(Self::release),
                poll: if T::HAS_POLL { Some(Self::poll) } else { None },
                show_fdinfo: if T::HAS_SHOW_FDINFO {
                    Some(Self::show_fdinfo)
                } else {
                    None
                },
                unlocked_ioctl: if T::HAS_IOCTL {
                    Some(Self::ioctl)
                } else {
                    None
                },
                #[cfg(CONFIG_COMPAT)]
                compat_ioctl: if T::HAS_COMPAT_IOCTL {
                    Some(Self::compat_ioctl)
                } else if T::HAS_IOCTL {
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
        // SAFETY: The caller promises a valid inode. Inodes with this table own a reference to a
        // `T::Object`.
        from_result(|| unsafe { T::open(Inode::from_raw(inode).object()).map(|()| 0) })
    }

    /// `->release()`: called once, after the last reference to the file is gone. Process context,
    /// may sleep.
    ///
    /// # Safety
    ///
    /// `inode` must have this table, and be the inode of `file`. The caller must hold the mount and
    /// the dentry of `file` until the call returns, and have the only access to `file`.
    unsafe extern "C" fn release(inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: The caller promises a valid inode and a valid file. Inodes with this table own a
        // reference to a `T::Object`.
        unsafe { T::release(Inode::from_raw(inode).object(), (*file).f_flags) };
        // SAFETY: Inodes with this table are in a mounted `PseudoFs`. `file` holds the dentry and
        // the mount, and its object is not used after `release()`.
        unsafe {
            PseudoFs::<T::FileSystem>::of_super((*inode).i_sb).retire(bindings::file_dentry(file))
        };
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
        // SAFETY: The caller promises that the file is not released. `poll(2)` does not use the
        // file position.
        let file = unsafe { OpenFile::<T>::from_raw(file) };
        // SAFETY: As the caller promises.
        let table = unsafe { PollTable::from_raw(table) };

        T::poll(&file, &table)
    }

    /// `->show_fdinfo()`. Process context, may sleep.
    ///
    /// # Safety
    ///
    /// `file` must have this table, and the caller must hold a reference to it. The caller must
    /// have the only access to `m`.
    unsafe extern "C" fn show_fdinfo(m: *mut bindings::seq_file, file: *mut bindings::file) {
        // SAFETY: The caller holds a reference to the file. procfs does not use the file position.
        let file = unsafe { OpenFile::<T>::from_raw(file) };
        // SAFETY: As the caller promises.
        let m = unsafe { SeqFile::from_raw(m) };

        T::show_fdinfo(&file, m);
    }

    /// `->unlocked_ioctl()`. Process context, may sleep.
    ///
    /// # Safety
    ///
    /// `file` must have this table, and not be released during the call.
    unsafe extern "C" fn ioctl(file: *mut bindings::file, cmd: c_uint, arg: c_ulong) -> c_long {
        // SAFETY: The caller promises that the file is not released. `ioctl(2)` does not use the
        // file position.
        let file = unsafe { OpenFile::<T>::from_raw(file) };

        match T::ioctl(&file, cmd, arg) {
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
        // SAFETY: The caller promises that the file is not released. `ioctl(2)` does not use the
        // file position.
        let file = unsafe { OpenFile::<T>::from_raw(file) };

        match T::compat_ioctl(&file, cmd, arg) {
            Ok(ret) => ret as c_long,
            Err(err) => err.to_errno() as c_long,
        }
    }
}
