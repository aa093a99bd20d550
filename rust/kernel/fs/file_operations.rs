// SPDX-License-Identifier: GPL-2.0

//! File operations.
//!
//! Each kind of file implements [`FileOperations`]. The `struct file_operations` belongs to the
//! file system, see [`FileOperationsTable`](crate::fs::pseudo::FileOperationsTable).
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h)

use crate::{
    bindings,
    error::VTABLE_DEFAULT_ERROR,
    fs::{
        inode::Inode,
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
/// - The operations of the file are those of `T`, and its inode owns a reference to a `T::Object`.
/// - The file is not released during `'a`.
pub struct OpenFile<'a, T: FileOperations> {
    file: &'a File,
    _operations: PhantomData<T>,
}

impl<'a, T: FileOperations> OpenFile<'a, T> {
    /// # Safety
    ///
    /// - The operations of `file` must be those of `T`, and its inode must own a reference to a
    ///   `T::Object`.
    /// - `file` must not be released before the end of `'a`.
    /// - `file` must have no `fdget_pos()` call active on this thread that did not take
    ///   `f_pos_lock`.
    pub(super) unsafe fn from_raw(file: *mut bindings::file) -> Self {
        // INVARIANT: As the caller promises.
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
