// SPDX-License-Identifier: GPL-2.0

//! Inodes that stand for an object of the kernel.
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
    /// Security modules leave the inode alone.
    pub const S_PRIVATE: u32 = bindings::S_PRIVATE;
    /// The inode is in no directory tree, and takes part in nothing that needs one.
    pub const S_ANON_INODE: u32 = bindings::S_ANON_INODE;
    /// The inode does not change: no attribute of it can be set.
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
/// Instances are valid inodes, and stay so as long as they are borrowed.
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

    /// Returns the generation number, which tells inodes apart that have the same number.
    #[inline]
    pub fn generation(&self) -> u32 {
        // SAFETY: By the type invariants, `self` is valid; the field is set before the inode can be
        // found.
        unsafe { (*self.as_ptr()).i_generation }
    }

    /// Returns what the inode stands for.
    ///
    /// # Safety
    ///
    /// The inode must belong to a file system whose inodes stand for an `T`, and not be its root.
    #[inline]
    pub(crate) unsafe fn object<T>(&self) -> &T {
        // SAFETY: The caller promises that the inode owns a reference to a `T`, from before anyone
        // else sees it until it is evicted, after its last user is gone.
        unsafe { &*(*self.as_ptr()).i_private.cast() }
    }
}

/// An inode that nobody else can see yet.
///
/// An immutable regular file that nobody may read or write, until something else is said.
#[repr(transparent)]
pub struct NewInode(Opaque<bindings::inode>);

impl NewInode {
    /// # Safety
    ///
    /// `ptr` must point at an inode to which nobody else has access during `'a`.
    #[inline]
    pub(crate) unsafe fn from_raw<'a>(ptr: *mut bindings::inode) -> &'a mut Self {
        // SAFETY: As the caller promises; `NewInode` is an `inode`.
        unsafe { &mut *ptr.cast() }
    }

    #[inline]
    fn inode(&mut self) -> &mut bindings::inode {
        // SAFETY: By the promise of `from_raw()`, nobody else has access.
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

/// What `stat(2)` and `statx(2)` get to see.
#[repr(transparent)]
pub struct Stat(Opaque<bindings::kstat>);

impl Stat {
    /// Sets everything from the inode.
    ///
    /// `request_mask` says what `statx(2)` asked for.
    #[doc(alias = "generic_fillattr")]
    #[inline]
    pub fn fill(&mut self, inode: &Inode, request_mask: u32) {
        // SAFETY: `inode` is valid, and we have the only access to `self`.
        unsafe {
            bindings::generic_fillattr(
                &raw mut bindings::nop_mnt_idmap,
                request_mask,
                inode.as_ptr(),
                self.0.get(),
            )
        };
    }

    /// Says of no kind of file that it is one.
    #[inline]
    pub fn clear_file_type(&mut self) {
        // SAFETY: We have the only access to `self`.
        unsafe { (*self.0.get()).mode &= !(bindings::S_IFMT as u16) };
    }

    /// Sets the device number, in the kernel's own format.
    #[inline]
    pub fn set_device(&mut self, device: bindings::dev_t) {
        // SAFETY: We have the only access to `self`.
        unsafe { (*self.0.get()).dev = device };
    }
}

/// The operations on one kind of inode, each of which owns a reference to an
/// [`Object`](InodeOperations::Object).
///
/// All run in process context and may sleep.
#[vtable]
pub trait InodeOperations: Sized + 'static {
    /// What an inode stands for.
    type Object: AlwaysRefCounted + Send + Sync + 'static;

    /// Says what `stat(2)` and its like get to see. `request_mask` is that of `statx(2)`.
    ///
    /// Without this method it is what the inode says.
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
    /// Called with the inode's lock held. There is no way yet to let one happen: without this
    /// method the VFS does as it thinks fit.
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

    /// # Safety
    ///
    /// Called by C as `->getattr()` of an inode with this table.
    unsafe extern "C" fn getattr(
        _idmap: *mut bindings::mnt_idmap,
        path: *const bindings::path,
        stat: *mut bindings::kstat,
        request_mask: u32,
        _query_flags: c_uint,
    ) -> c_int {
        // SAFETY: C calls with a path to an inode with this table, valid during the call.
        let inode = unsafe { Inode::from_raw((*(*path).dentry).d_inode) };
        // SAFETY: C calls with a `stat` to fill in; `Stat` is `repr(transparent)`.
        let stat = unsafe { &mut *stat.cast::<Stat>() };

        from_result(|| {
            // SAFETY: Inodes with this table stand for a `T::Object`.
            T::getattr(unsafe { inode.object() }, inode, stat, request_mask).map(|()| 0)
        })
    }

    /// # Safety
    ///
    /// Called by C as `->setattr()` of an inode with this table.
    unsafe extern "C" fn setattr(
        _idmap: *mut bindings::mnt_idmap,
        dentry: *mut bindings::dentry,
        _attr: *mut bindings::iattr,
    ) -> c_int {
        // SAFETY: C calls with a dentry of an inode with this table, valid during the call.
        let inode = unsafe { Inode::from_raw((*dentry).d_inode) };
        // SAFETY: Inodes with this table stand for a `T::Object`.
        from_result(|| T::setattr(unsafe { inode.object() }).map(|()| 0))
    }

    /// # Safety
    ///
    /// Called by C as `->listxattr()` of an inode with this table.
    unsafe extern "C" fn listxattr(
        dentry: *mut bindings::dentry,
        buffer: *mut c_char,
        size: usize,
    ) -> isize {
        // SAFETY: C calls with a dentry of an inode with this table, valid during the call.
        let inode = unsafe { Inode::from_raw((*dentry).d_inode) };
        // SAFETY: C calls with a null buffer, or one of `size` bytes to write to.
        let list = unsafe { XattrList::from_raw(inode, buffer, size) };

        let len: c_int = from_result(|| {
            // SAFETY: Inodes with this table stand for a `T::Object`.
            let len = T::listxattr(unsafe { inode.object() }, list)?;
            xattr::checked_len(buffer.is_null(), size, len)
        });
        len as isize
    }
}
