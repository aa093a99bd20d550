// SPDX-License-Identifier: GPL-2.0

//! Paths, dentries, and the stash of an object's dentry.
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
            Atomic,
            Full, //
        },
        barrier::{
            smp_mb,
            Read, //
        },
        rcu, //
    },
    types::Opaque, //
};
use core::{
    mem::ManuallyDrop,
    ptr::{
        self,
        NonNull, //
    }, //
};

/// A dentry and a mount, with a reference to each.
///
/// # Invariants
///
/// Both pointers are valid, and `self` owns a reference to each.
#[repr(transparent)]
pub struct Path(bindings::path);

// SAFETY: Any thread may drop references to dentries and mounts.
unsafe impl Send for Path {}

// SAFETY: All methods with a shared reference call C functions that synchronise.
unsafe impl Sync for Path {}

impl Path {
    /// Takes ownership of the references that a C function returned.
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
        // SAFETY: As the caller promises. `Path` is `repr(transparent)`, and a borrowed `Path` is
        // not dropped.
        unsafe { &*path.cast() }
    }

    /// Returns a raw pointer to the C struct.
    #[inline]
    pub fn as_ptr(&self) -> *const bindings::path {
        &self.0
    }

    /// Returns the C struct. The caller owns the references.
    #[inline]
    pub fn into_raw(self) -> bindings::path {
        ManuallyDrop::new(self).0
    }

    /// Opens the file, with the file operations of its inode and the credentials of the current
    /// task.
    ///
    /// `flags` are those of `open(2)` that apply to an open file. No permission is checked. The
    /// file has no descriptor yet, see [`FileDescriptorReservation`]. Process context, may sleep.
    ///
    /// # Errors
    ///
    /// - [`ENFILE`] if the system has no room for another file.
    /// - [`ENOMEM`] if memory runs out.
    /// - The error of a security module.
    ///
    /// [`FileDescriptorReservation`]: crate::fs::file::FileDescriptorReservation
    #[doc(alias = "dentry_open")]
    #[inline]
    pub fn open(&self, flags: u32) -> Result<ARef<File>> {
        // SAFETY: By the type invariants the path is valid.
        let file = from_err_ptr(unsafe { bindings::dentry_open_current(&self.0, flags) })?;
        // SAFETY: On success, the pointer is a file, and the caller owns the reference.
        Ok(unsafe { ARef::from_raw(NonNull::new_unchecked(file.cast())) })
    }

    /// Opens the file as [`Path::open`] does, and then sets `kept` in the flags of the file.
    ///
    /// The VFS clears flags that apply only to the open itself, such as `O_EXCL` and `O_TRUNC`. A
    /// file system that gives them another meaning sets them again.
    ///
    /// # Errors
    ///
    /// Those of [`Path::open`].
    #[inline]
    pub fn open_with(&self, flags: u32, kept: u32) -> Result<ARef<File>> {
        let file = self.open(flags)?;
        // SAFETY: No one else has a reference to the new file, so nothing accesses its flags.
        unsafe { (*file.as_ptr()).f_flags |= kept };
        Ok(file)
    }
}

impl Clone for Path {
    fn clone(&self) -> Self {
        // SAFETY: By the type invariants the pointers are valid.
        unsafe { bindings::path_get(&self.0) };
        // INVARIANT: `path_get()` has taken the references.
        Self(self.0)
    }
}

impl Drop for Path {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariants, `self` owns the references.
        unsafe { bindings::path_put(&self.0) };
    }
}

/// A pointer to the dentry that all users of an object share.
///
/// A stash holds no reference: the dentry goes with its last user, and the next user makes another
/// one. The stash is a field of a C struct that belongs to the object.
///
/// # Invariants
///
/// The pointer is null, or points at a dentry. The dentry is removed from the stash before it is
/// reused for another object, and an RCU grace period before it is freed. A live dentry is removed
/// only by its sole user, with `d_lock` held.
#[repr(transparent)]
pub struct Stash(Opaque<*mut bindings::dentry>);

// SAFETY: Any thread may use a stash.
unsafe impl Send for Stash {}

// SAFETY: The pointer is accessed atomically.
unsafe impl Sync for Stash {}

/// A reference to a dentry.
///
/// # Invariants
///
/// The pointer is valid, and `self` owns a reference.
pub struct Dentry(NonNull<bindings::dentry>);

impl Dentry {
    /// Takes ownership of a reference that a C function returned.
    ///
    /// # Safety
    ///
    /// `dentry` must be valid, and the caller must give up a reference to it.
    #[inline]
    pub unsafe fn from_raw(dentry: NonNull<bindings::dentry>) -> Self {
        // INVARIANT: As the caller promises.
        Self(dentry)
    }

    /// Returns the pointer. The caller owns the reference.
    #[inline]
    pub fn into_raw(self) -> *mut bindings::dentry {
        ManuallyDrop::new(self).as_ptr()
    }

    /// Returns a raw pointer to the C struct.
    #[inline]
    pub fn as_ptr(&self) -> *mut bindings::dentry {
        self.0.as_ptr()
    }

    /// Returns true if the dentry belongs to super block `sb`.
    #[inline]
    fn is_in(&self, sb: *mut bindings::super_block) -> bool {
        // SAFETY: By the type invariants, the dentry is valid. The field does not change.
        ptr::eq(unsafe { (*self.as_ptr()).d_sb }, sb)
    }

    /// Drops the reference without the check for the last one, which takes fewer instructions.
    ///
    /// # Safety
    ///
    /// Another reference must exist until this returns.
    #[inline]
    pub(super) unsafe fn put_not_last(self) {
        let dentry = self.into_raw();
        // SAFETY: By the type invariants, `self` owned the reference. The caller promises another
        // one, so the count does not drop to zero.
        unsafe {
            if bindings::lockref_put_return(&raw mut (*dentry).d_lockref) <= 0 {
                // The lock is held, and the count has not changed.
                bindings::dput(dentry);
            }
        }
    }
}

impl Drop for Dentry {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariants, `self` owns the reference.
        unsafe { bindings::dput(self.as_ptr()) };
    }
}

impl Stash {
    #[inline]
    fn field(&self) -> &Atomic<*mut bindings::dentry> {
        // SAFETY: By the type invariants, `self` is valid. The field is accessed atomically.
        unsafe { Atomic::from_ptr(self.as_ptr()) }
    }

    /// Returns the dentry, or [`None`] if it has no user.
    ///
    /// `sb` is the super block of a mounted file system. Any context.
    ///
    /// # Errors
    ///
    /// [`EBUSY`] if the dentry belongs to another file system.
    #[doc(alias = "stashed_dentry_get")]
    #[inline]
    pub(super) fn get(&self, sb: *mut bindings::super_block) -> Result<Option<Dentry>> {
        loop {
            let dentry = {
                let rcu = rcu::read_lock();
                match self.try_get(self.field().load(Acquire), &rcu) {
                    Some(dentry) => dentry,
                    None => return Ok(None),
                }
            };
            if self.still_has(&dentry) {
                return dentry.is_in(sb).then_some(Some(dentry)).ok_or(EBUSY);
            }
        }
    }

    /// Takes a reference to `dentry`, which was read from this stash, unless it has no user.
    ///
    /// The dentry may have been reused for another object, see [`Stash::still_has`].
    #[inline]
    fn try_get(&self, dentry: *mut bindings::dentry, _rcu: &rcu::Guard) -> Option<Dentry> {
        let dentry = NonNull::new(dentry)?;
        // SAFETY: By the type invariants, a dentry that was read from the stash under the RCU read
        // lock is not freed before the lock is released.
        let alive =
            unsafe { bindings::lockref_get_not_dead(&raw mut (*dentry.as_ptr()).d_lockref) };
        // INVARIANT: The reference was taken above, if the dentry is alive.
        alive.then(|| Dentry(dentry))
    }

    /// Returns true if `dentry`, which was read from this stash, still belongs to its object.
    ///
    /// It then belongs to the object as long as the caller's reference exists.
    #[inline]
    fn still_has(&self, dentry: &Dentry) -> bool {
        // The sole user removes the dentry, with `d_lock` held. If our reference came after its
        // check for other references, `d_lock` orders the removal before this load.
        smp_mb(Read);
        // Acquire: the dentry may have been removed, and added again for the same object.
        self.field().load(Acquire) == dentry.as_ptr()
    }

    /// Adds `new` to the stash and returns it, or returns the dentry that another task has added.
    ///
    /// # Errors
    ///
    /// [`EBUSY`] if the dentry in the stash belongs to another file system.
    ///
    /// # Safety
    ///
    /// `new` must be the only reference to its dentry. The stash must live as long as its inode.
    #[doc(alias = "stash_dentry")]
    pub(super) unsafe fn publish(&self, new: Dentry) -> Result<Dentry> {
        // SAFETY: The caller promises the only reference.
        unsafe { (*new.as_ptr()).d_fsdata = self.as_ptr().cast() };

        loop {
            let there = {
                let rcu = rcu::read_lock();
                let Err(old) = self.field().cmpxchg(ptr::null_mut(), new.as_ptr(), Full) else {
                    return Ok(new);
                };
                match self.try_get(old, &rcu) {
                    Some(there) => there,
                    // The old dentry is dead, and has not removed itself yet. It is not reused as
                    // long as the RCU read lock is held.
                    None if self.field().cmpxchg(old, new.as_ptr(), Full).is_ok() => {
                        return Ok(new)
                    }
                    None => continue,
                }
            };
            if self.still_has(&there) {
                // SAFETY: `new` is valid. The field does not change.
                let sb = unsafe { (*new.as_ptr()).d_sb };
                return there.is_in(sb).then_some(there).ok_or(EBUSY);
            }
        }
    }

    /// Removes `dentry`, if it is in the stash. Any context.
    #[doc(alias = "stashed_dentry_prune")]
    #[inline]
    pub(super) fn clear(&self, dentry: *mut bindings::dentry) {
        // On failure, another task has replaced the dead dentry.
        let _ = self.field().cmpxchg(dentry, ptr::null_mut(), Full);
    }

    /// Creates a reference from a pointer to a C field.
    ///
    /// # Safety
    ///
    /// `ptr` must point at a pointer that is valid for `'a`, null at first, and only used as a
    /// `Stash`.
    #[inline]
    pub unsafe fn from_raw<'a>(ptr: *mut *mut bindings::dentry) -> &'a Self {
        // INVARIANT: The pointer is null at first, and only this type changes it.
        // SAFETY: As the caller promises; `Stash` is `repr(transparent)`.
        unsafe { &*ptr.cast() }
    }

    /// Returns a raw pointer to the C field.
    #[inline]
    pub fn as_ptr(&self) -> *mut *mut bindings::dentry {
        self.0.get()
    }
}
