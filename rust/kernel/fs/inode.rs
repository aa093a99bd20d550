// SPDX-License-Identifier: GPL-2.0

//! Inodes of objects of the kernel.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h)

use crate::{
    bindings,
    types::Opaque, //
};

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
