// SPDX-License-Identifier: GPL-2.0

//! Inodes of objects of the kernel.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h)

use crate::{
    bindings,
    error::{
        from_result,
        VTABLE_DEFAULT_ERROR, //
    },
    fs::xattr::{
        self,
        XattrList, //
    },
    prelude::*,
    sync::aref::AlwaysRefCounted,
    types::Opaque, //
};
use core::marker::PhantomData;

/// Flags of an inode.
pub mod flags {
    /// Security modules do not mediate access to the inode.
    pub const S_PRIVATE: u32 = bindings::S_PRIVATE;
    /// The inode is in no directory tree.
    pub const S_ANON_INODE: u32 = bindings::S_ANON_INODE;
    /// No attribute of the inode can be changed.
    pub const S_IMMUTABLE: u32 = bindings::S_IMMUTABLE;

    use crate::bindings;
}

/// Permission bits of an inode's mode.
pub mod mode {
    /// The owner may read, write and execute.
    pub const S_IRWXU: u16 = crate::bindings::S_IRWXU as u16;
}

/// Commands of `ioctl(2)` that every file system may serve.
///
/// C header: [`include/uapi/linux/fs.h`](srctree/include/uapi/linux/fs.h)
pub mod ioctl {
    pub use crate::bindings::{
        FS_IOC32_GETVERSION,
        FS_IOC_GETVERSION, //
    };
}

/// Wraps the kernel's `struct inode`.
///
/// # Invariants
///
/// Instances are valid inodes for as long as they are borrowed.
#[repr(transparent)]
pub struct Inode(Opaque<bindings::inode>);

impl Inode {
    /// Creates a reference from a valid pointer.
    ///
    /// # Safety
    ///
    /// `ptr` must point at an inode that stays valid for `'a`.
    #[inline]
    pub unsafe fn from_raw<'a>(ptr: *const bindings::inode) -> &'a Self {
        // SAFETY: As the caller promises; `Inode` is `repr(transparent)`.
        unsafe { &*ptr.cast() }
    }

    /// Returns a raw pointer to the C struct.
    #[inline]
    pub fn as_ptr(&self) -> *mut bindings::inode {
        self.0.get()
    }

    /// Returns the generation number, which distinguishes inodes with the same number.
    #[inline]
    pub fn generation(&self) -> u32 {
        // SAFETY: By the type invariants, `self` is valid. The field is set before the inode is
        // visible.
        unsafe { (*self.as_ptr()).i_generation }
    }

    /// Returns the object of the inode.
    ///
    /// # Safety
    ///
    /// The inode must own a reference to a `T`: its file system must be one of such inodes, and the
    /// inode must not be the root.
    #[inline]
    pub(crate) unsafe fn object<T>(&self) -> &T {
        // SAFETY: The caller promises a reference to a `T`, which the inode owns until it is
        // evicted.
        unsafe { &*(*self.as_ptr()).i_private.cast() }
    }
}

/// A new inode, which is not visible yet.
///
/// Initially an immutable regular file without permissions.
#[repr(transparent)]
pub struct NewInode(Opaque<bindings::inode>);

impl NewInode {
    /// # Safety
    ///
    /// `ptr` must point at an inode to which the caller has the only access during `'a`.
    #[inline]
    pub(crate) unsafe fn from_raw<'a>(ptr: *mut bindings::inode) -> &'a mut Self {
        // SAFETY: As the caller promises. `NewInode` is `repr(transparent)`.
        unsafe { &mut *ptr.cast() }
    }

    #[inline]
    fn inode(&mut self) -> &mut bindings::inode {
        // SAFETY: The caller of `from_raw()` has promised the only access.
        unsafe { &mut *self.0.get() }
    }

    /// Sets the inode number and the generation number.
    #[inline]
    pub fn set_number(&mut self, ino: u64, generation: u32) {
        self.inode().i_ino = ino;
        self.inode().i_generation = generation;
    }

    /// Sets and clears [`flags`].
    #[inline]
    pub fn change_flags(&mut self, set: u32, clear: u32) {
        let inode = self.inode();
        inode.i_flags = (inode.i_flags | set) & !clear;
    }

    /// Adds permission bits.
    #[inline]
    pub fn add_mode(&mut self, mode: u16) {
        self.inode().i_mode |= mode & 0o7777;
    }
}

/// The answer to `stat(2)` and `statx(2)`.
#[repr(transparent)]
pub struct Stat(Opaque<bindings::kstat>);

impl Stat {
    /// Sets all fields from the inode.
    ///
    /// `request_mask` is that of `statx(2)`.
    #[doc(alias = "generic_fillattr")]
    #[inline]
    pub fn fill(&mut self, inode: &Inode, request_mask: u32) {
        // SAFETY: `inode` is valid, and the mutable borrow gives the only access to `self`.
        unsafe {
            bindings::generic_fillattr(
                &raw mut bindings::nop_mnt_idmap,
                request_mask,
                inode.as_ptr(),
                self.0.get(),
            )
        };
    }

    /// Clears `S_IFMT`.
    #[inline]
    pub fn clear_file_type(&mut self) {
        // SAFETY: The mutable borrow gives the only access to `self`.
        unsafe { (*self.0.get()).mode &= !(bindings::S_IFMT as u16) };
    }

    /// Sets the device number, in the kernel's own format.
    #[inline]
    pub fn set_device(&mut self, device: bindings::dev_t) {
        // SAFETY: The mutable borrow gives the only access to `self`.
        unsafe { (*self.0.get()).dev = device };
    }
}

/// The operations on one kind of inode, each of which owns a reference to an
/// [`Object`](InodeOperations::Object).
///
/// All run in process context and may sleep.
#[vtable]
pub trait InodeOperations: Sized + 'static {
    /// The type of the object of an inode.
    type Object: AlwaysRefCounted + Send + Sync + 'static;

    /// Answers `stat(2)` and `statx(2)`. `request_mask` is that of `statx(2)`.
    ///
    /// Without this method, the fields of the inode are the answer.
    fn getattr(
        _object: &Self::Object,
        _inode: &Inode,
        _stat: &mut Stat,
        _request_mask: u32,
    ) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Decides on `chmod(2)`, `chown(2)`, `utimensat(2)` and `truncate(2)`.
    ///
    /// Called with the lock of the inode held. An implementation can only refuse the change.
    /// Without this method, `simple_setattr()` of the VFS makes it.
    fn setattr(_object: &Self::Object) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Lists the names of the extended attributes.
    fn listxattr(_object: &Self::Object, _list: XattrList<'_>) -> Result<usize> {
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

/// A `struct inode_operations` whose functions are those of `T`.
pub(crate) struct InodeOperationsTable<T: InodeOperations>(PhantomData<T>);

impl<T: InodeOperations> InodeOperationsTable<T> {
    pub(crate) const TABLE: &'static bindings::inode_operations = &bindings::inode_operations {
        getattr: if T::HAS_GETATTR {
            Some(Self::getattr)
        } else {
            None
        },
        setattr: if T::HAS_SETATTR {
            Some(Self::setattr)
        } else {
            None
        },
        listxattr: if T::HAS_LISTXATTR {
            Some(Self::listxattr)
        } else {
            None
        },
        ..pin_init::zeroed()
    };

    /// `->getattr()`. Process context, may sleep.
    ///
    /// # Safety
    ///
    /// `path` must be a valid path to an inode with this table. `stat` must be initialised, and the
    /// caller must have the only access to it.
    unsafe extern "C" fn getattr(
        _idmap: *mut bindings::mnt_idmap,
        path: *const bindings::path,
        stat: *mut bindings::kstat,
        request_mask: u32,
        _query_flags: c_uint,
    ) -> c_int {
        // SAFETY: As the caller promises.
        let inode = unsafe { Inode::from_raw((*(*path).dentry).d_inode) };
        // SAFETY: As the caller promises. `Stat` is `repr(transparent)`.
        let stat = unsafe { &mut *stat.cast::<Stat>() };

        from_result(|| {
            // SAFETY: Inodes with this table own a reference to a `T::Object`.
            T::getattr(unsafe { inode.object() }, inode, stat, request_mask).map(|()| 0)
        })
    }

    /// `->setattr()`. Process context, may sleep; the lock of the inode is held.
    ///
    /// # Safety
    ///
    /// `dentry` must be a valid dentry of an inode with this table.
    unsafe extern "C" fn setattr(
        _idmap: *mut bindings::mnt_idmap,
        dentry: *mut bindings::dentry,
        _attr: *mut bindings::iattr,
    ) -> c_int {
        // SAFETY: As the caller promises.
        let inode = unsafe { Inode::from_raw((*dentry).d_inode) };
        // SAFETY: Inodes with this table own a reference to a `T::Object`.
        from_result(|| T::setattr(unsafe { inode.object() }).map(|()| 0))
    }

    /// `->listxattr()`. Process context, may sleep.
    ///
    /// # Safety
    ///
    /// `dentry` must be a valid dentry of an inode with this table. `buffer` must be null, or
    /// writable for `size` bytes.
    unsafe extern "C" fn listxattr(
        dentry: *mut bindings::dentry,
        buffer: *mut c_char,
        size: usize,
    ) -> isize {
        // SAFETY: As the caller promises.
        let inode = unsafe { Inode::from_raw((*dentry).d_inode) };
        // SAFETY: As the caller promises.
        let list = unsafe { XattrList::from_raw(inode, buffer, size) };

        let len: c_int = from_result(|| {
            // SAFETY: Inodes with this table own a reference to a `T::Object`.
            let len = T::listxattr(unsafe { inode.object() }, list)?;
            xattr::checked_len(buffer.is_null(), size, len)
        });
        len as isize
    }
}
