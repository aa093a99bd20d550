// SPDX-License-Identifier: GPL-2.0

//! File operations.
//!
//! [`FileOperations`] is implemented once for each kind of file, and [`FileOperationsTable`] makes
//! the `struct file_operations` that C calls out of it.
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

/// What [`FileOperations::poll`] answers, as a mask.
///
/// C header: [`include/uapi/linux/eventpoll.h`](srctree/include/uapi/linux/eventpoll.h)
pub mod events {
    /// There is something to read, or to wait for no longer.
    pub const EPOLLIN: u32 = crate::bindings::EPOLLIN;
    /// The file takes data.
    pub const EPOLLOUT: u32 = crate::bindings::EPOLLOUT;
    /// There is an error; reported whether asked for or not.
    pub const EPOLLERR: u32 = crate::bindings::EPOLLERR;
    /// The other side is gone; reported whether asked for or not.
    pub const EPOLLHUP: u32 = crate::bindings::EPOLLHUP;
    /// As [`EPOLLIN`], of normal priority.
    pub const EPOLLRDNORM: u32 = crate::bindings::EPOLLRDNORM;
}

/// The operations of one kind of file, whose inode owns a reference to an
/// [`Object`](FileOperations::Object).
///
/// All operations run in process context and may sleep.
#[vtable]
pub trait FileOperations: Sized + 'static {
    /// What a file stands for.
    type Object: AlwaysRefCounted + Send + Sync + 'static;
    /// What the files are in.
    type FileSystem: PseudoFileSystem<Files = Self, Object = Self::Object>;

    /// Called once, before anybody but who opens it has a reference to the file.
    ///
    /// # Errors
    ///
    /// What the opening shall fail with. [`release`](FileOperations::release) is not called then.
    fn open(_object: &Self::Object) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Called once, when the last reference to the file, which has these flags, is gone.
    fn release(_object: &Self::Object, _flags: u32) {}

    /// Returns the wait queue on which a change of what [`poll`](FileOperations::poll) answers is
    /// announced.
    ///
    /// It is found in a borrow of any length: `epoll` keeps its entry in the queue until the file
    /// is released, and a queue that could go away earlier does not pass the type checker.
    fn wait_queue<'a>(_object: &'a Self::Object) -> &'a WaitQueueHead
    where
        Self: 'a,
    {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Returns which of the [`events`] have happened.
    ///
    /// Must call [`OpenFile::poll_wait`] before looking at what the answer depends on: a change
    /// after the look then wakes the caller.
    fn poll(_file: &OpenFile<'_, Self>, _table: &PollTable<'_>) -> u32 {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Adds lines to `/proc/<pid>/fdinfo/<fd>`, after those of the VFS.
    fn show_fdinfo(_file: &OpenFile<'_, Self>, _m: &SeqFile) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Serves `ioctl(2)`.
    ///
    /// [`ENOTTY`] is the answer to an unknown command.
    fn ioctl(_file: &OpenFile<'_, Self>, _cmd: u32, _arg: usize) -> Result<isize> {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Serves `ioctl(2)` of a 32-bit program on a 64-bit kernel.
    ///
    /// Without this method [`ioctl`](FileOperations::ioctl) serves them too, with the argument
    /// taken as a pointer.
    #[cfg(CONFIG_COMPAT)]
    fn compat_ioctl(_file: &OpenFile<'_, Self>, _cmd: u32, _arg: usize) -> Result<isize> {
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

/// A file during one of its [`FileOperations`], before its release.
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
        // SAFETY: The file is valid for `'a`; its inode does not change, and stays as long as it.
        unsafe { Inode::from_raw((*self.file.as_ptr()).f_inode) }
    }

    /// Returns what the file stands for.
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
        // SAFETY: `wait_queue()` finds the queue in a borrow of any lifetime, so also in one that
        // ends with the file's release. By the type invariants such a borrow is possible: the
        // object stays until then, and with it the queue.
        unsafe { table.register_wait_queue(self.file, queue) };
    }
}

/// A `struct file_operations` whose functions are those of `T`.
///
/// Lives in a `static`, so that its address tells the files that have it from all others. Given to
/// inodes by a [`PseudoFs`](crate::fs::pseudo::PseudoFs), and so only to those that own a reference
/// to a `T::Object`.
///
/// # Invariants
///
/// `inner.owner` is null: the inode holds the module of `T`'s functions, and the file holds the
/// inode. See [`kernel::fs::pseudo`](crate::fs::pseudo).
#[repr(transparent)]
pub struct FileOperationsTable<T: FileOperations> {
    inner: bindings::file_operations,
    _operations: PhantomData<T>,
}

// SAFETY: Nothing ever writes to the table.
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

    /// # Safety
    ///
    /// Called by C as `->open()` of a file with this table.
    unsafe extern "C" fn open(inode: *mut bindings::inode, _file: *mut bindings::file) -> c_int {
        // SAFETY: The inode is valid during the call; inodes with this table own a reference to a
        // `T::Object`.
        from_result(|| unsafe { T::open(Inode::from_raw(inode).object()).map(|()| 0) })
    }

    /// # Safety
    ///
    /// Called by C as `->release()` of a file with this table.
    unsafe extern "C" fn release(inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: Both are valid during the file's release; inodes with this table own a reference
        // to a `T::Object`. Nobody reads or writes the file any more. It has a reference to its
        // dentry and to the mount until after this, and is in that file system.
        unsafe {
            T::release(Inode::from_raw(inode).object(), (*file).f_flags);
            PseudoFs::<T::FileSystem>::of_super((*inode).i_sb).retire(bindings::file_dentry(file));
        }
        0
    }

    /// # Safety
    ///
    /// Called by C as `->poll()` of a file with this table.
    unsafe extern "C" fn poll(
        file: *mut bindings::file,
        table: *mut bindings::poll_table,
    ) -> bindings::__poll_t {
        // SAFETY: C calls with a file that is not released during the call; polling does not touch
        // the file position.
        let file = unsafe { OpenFile::<T>::from_raw(file) };
        // SAFETY: C calls with a table that is valid during the call, or null.
        let table = unsafe { PollTable::from_raw(table) };

        T::poll(&file, &table)
    }

    /// # Safety
    ///
    /// Called by C as `->show_fdinfo()` of a file with this table.
    unsafe extern "C" fn show_fdinfo(m: *mut bindings::seq_file, file: *mut bindings::file) {
        // SAFETY: procfs holds a reference to the file during the call, and does not touch its file
        // position.
        let file = unsafe { OpenFile::<T>::from_raw(file) };
        // SAFETY: procfs calls with a `seq_file` that is its own during the call.
        let m = unsafe { SeqFile::from_raw(m) };

        T::show_fdinfo(&file, m);
    }

    /// # Safety
    ///
    /// Called by C as `->unlocked_ioctl()` of a file with this table.
    unsafe extern "C" fn ioctl(file: *mut bindings::file, cmd: c_uint, arg: c_ulong) -> c_long {
        // SAFETY: C calls with a file that is not released during the call; `ioctl(2)` does not
        // touch the file position.
        let file = unsafe { OpenFile::<T>::from_raw(file) };

        match T::ioctl(&file, cmd, arg) {
            Ok(ret) => ret as c_long,
            Err(err) => err.to_errno() as c_long,
        }
    }

    /// # Safety
    ///
    /// Called by C as `->compat_ioctl()` of a file with this table.
    #[cfg(CONFIG_COMPAT)]
    unsafe extern "C" fn compat_ioctl(
        file: *mut bindings::file,
        cmd: c_uint,
        arg: c_ulong,
    ) -> c_long {
        // SAFETY: C calls with a file that is not released during the call; `ioctl(2)` does not
        // touch the file position.
        let file = unsafe { OpenFile::<T>::from_raw(file) };

        match T::compat_ioctl(&file, cmd, arg) {
            Ok(ret) => ret as c_long,
            Err(err) => err.to_errno() as c_long,
        }
    }
}
