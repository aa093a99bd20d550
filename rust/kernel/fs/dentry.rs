// SPDX-License-Identifier: GPL-2.0

//! Paths, and dentries that are stashed to be found again.
//!
//! C headers: [`include/linux/dcache.h`](srctree/include/linux/dcache.h) and
//! [`include/linux/path.h`](srctree/include/linux/path.h)

use crate::{
    bindings,
    error::from_err_ptr,
    fs::File,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Acquire,
            Atomic, //
        },
        rcu, //
    },
    types::Opaque, //
};
use core::{
    mem::ManuallyDrop,
    ptr::NonNull, //
};

/// A dentry as seen through a mount, with a reference to each.
///
/// # Invariants
///
/// Both pointers are valid, and hold a reference.
pub struct Path(bindings::path);

// SAFETY: References to dentries and mounts may be dropped on any thread.
unsafe impl Send for Path {}

// SAFETY: A shared reference allows only what C allows on several threads at once.
unsafe impl Sync for Path {}

impl Path {
    /// Takes over the references that a C function returned.
    ///
    /// # Safety
    ///
    /// Both pointers in `path` must be valid, and the caller must give up a reference to each.
    #[inline]
    pub unsafe fn from_raw(path: bindings::path) -> Self {
        // INVARIANT: As the caller promises.
        Self(path)
    }

    /// Creates a reference from a pointer.
    ///
    /// # Safety
    ///
    /// `path` must point at a path with valid pointers that hold references during `'a`.
    #[inline]
    pub unsafe fn borrow<'a>(path: *const bindings::path) -> &'a Self {
        // SAFETY: As the caller promises. A `Path` is a `bindings::path`, and one that is borrowed
        // is not dropped.
        unsafe { &*path.cast() }
    }

    /// Returns a raw pointer to the C struct.
    #[inline]
    pub fn as_ptr(&self) -> *const bindings::path {
        &self.0
    }

    /// Gives up the references, for a C function to take over.
    #[inline]
    pub fn into_raw(self) -> bindings::path {
        ManuallyDrop::new(self).0
    }

    /// Opens the file, with the file operations of its inode and the current task's credentials.
    ///
    /// `flags` are those of `open(2)`, as far as they concern an open file. Permissions are not
    /// looked at. The file is in no descriptor table yet, see [`FileDescriptorReservation`].
    /// Process context, may sleep.
    ///
    /// # Errors
    ///
    /// - [`ENFILE`] if the system has no room for another file.
    /// - [`ENOMEM`] if memory runs out.
    /// - What a security module says against it.
    ///
    /// [`FileDescriptorReservation`]: crate::fs::file::FileDescriptorReservation
    #[doc(alias = "dentry_open")]
    #[inline]
    pub fn open(&self, flags: u32) -> Result<ARef<File>> {
        // SAFETY: By the type invariants the path is valid.
        let file = from_err_ptr(unsafe { bindings::dentry_open_current(&self.0, flags) })?;
        // SAFETY: On success it is a file, non-null, with a reference that is ours.
        Ok(unsafe { ARef::from_raw(NonNull::new_unchecked(file.cast())) })
    }

    /// As [`Path::open`], and adds `kept` to the flags of the file.
    ///
    /// The VFS takes flags from a file that say only how to open it, `O_EXCL` and `O_TRUNC` say;
    /// file systems that give them a meaning of their own put them back in this way.
    #[inline]
    pub fn open_with(&self, flags: u32, kept: u32) -> Result<ARef<File>> {
        let file = self.open(flags)?;
        // SAFETY: Nobody else has seen the file yet, so nobody else reads or writes its flags.
        unsafe { (*file.as_ptr()).f_flags |= kept };
        Ok(file)
    }
}

impl Clone for Path {
    fn clone(&self) -> Self {
        // SAFETY: By the type invariants the pointers are valid.
        unsafe { bindings::path_get(&self.0) };
        // INVARIANT: The references have just been taken.
        Self(self.0)
    }
}

impl Drop for Path {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariants, the references are ours to drop.
        unsafe { bindings::path_put(&self.0) };
    }
}

/// A place in which the one dentry of an object is found again.
///
/// It does not keep the dentry: when its last user is gone the dentry is, and the next one to ask
/// makes another. All who ask at the same time get the same dentry. Part of a C struct that belongs
/// to the object.
///
/// # Invariants
///
/// Null, or a dentry that removes itself from here, before an RCU grace period at whose end it is
/// freed.
#[repr(transparent)]
pub struct Stash(Opaque<*mut bindings::dentry>);

// SAFETY: A stash may be used on any thread.
unsafe impl Send for Stash {}

// SAFETY: C changes it atomically.
unsafe impl Sync for Stash {}

/// A dentry, with a reference.
///
/// # Invariants
///
/// The pointer is valid, and holds a reference.
pub struct Dentry(NonNull<bindings::dentry>);

impl Dentry {
    /// Takes over a reference that a C function returned.
    ///
    /// # Safety
    ///
    /// `dentry` must be valid, and the caller must give up a reference to it.
    #[inline]
    pub unsafe fn from_raw(dentry: NonNull<bindings::dentry>) -> Self {
        // INVARIANT: As the caller promises.
        Self(dentry)
    }

    /// Gives up the reference, for a C function to take over.
    #[inline]
    pub fn into_raw(self) -> *mut bindings::dentry {
        ManuallyDrop::new(self).as_ptr()
    }

    /// Returns a raw pointer to the C struct.
    #[inline]
    pub fn as_ptr(&self) -> *mut bindings::dentry {
        self.0.as_ptr()
    }
}

impl Drop for Dentry {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariants, the reference is ours to drop.
        unsafe { bindings::dput(self.as_ptr()) };
    }
}

impl Stash {
    /// Returns the dentry that is in it, unless its last user is gone.
    #[doc(alias = "stashed_dentry_get")]
    #[inline]
    pub fn get(&self) -> Option<Dentry> {
        let _rcu = rcu::read_lock();
        // SAFETY: By the type invariants, `self` is valid; C changes the field atomically.
        let dentry = unsafe { Atomic::from_ptr(self.as_ptr()) }.load(Acquire);
        let dentry = NonNull::new(dentry)?;
        // SAFETY: By the type invariants, a dentry that was found here under the RCU read lock is
        // not freed before the end of that.
        let alive =
            unsafe { bindings::lockref_get_not_dead(&raw mut (*dentry.as_ptr()).d_lockref) };
        // INVARIANT: It is alive, and the reference was taken just now. No value is made of one
        // that is not: it would be dropped.
        alive.then(|| Dentry(dentry))
    }

    /// Creates a reference from a pointer to a C field.
    ///
    /// # Safety
    ///
    /// `ptr` must point at a pointer that is valid for `'a`, null at first, and only used as a
    /// `Stash`.
    #[inline]
    pub unsafe fn from_raw<'a>(ptr: *mut *mut bindings::dentry) -> &'a Self {
        // INVARIANT: Null at first, and else as C's functions for stashed dentries leave it.
        // SAFETY: As the caller promises; `Stash` is `repr(transparent)`.
        unsafe { &*ptr.cast() }
    }

    /// Returns a raw pointer to the C field.
    #[inline]
    pub fn as_ptr(&self) -> *mut *mut bindings::dentry {
        self.0.get()
    }
}
