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

/// A dentry as seen through a mount, with a reference to each.
///
/// # Invariants
///
/// Both pointers are valid, and hold a reference.
#[repr(transparent)]
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
/// Null, or a dentry that is removed from here before it stands for another object, and before an
/// RCU grace period at whose end it is freed. Who removes one that has users holds its lock, and
/// has seen that there is but one.
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

    /// Checks that the dentry is one of the file system with super block `sb`.
    #[inline]
    fn is_in(&self, sb: *mut bindings::super_block) -> bool {
        // SAFETY: By the type invariants, the dentry is valid; the field never changes.
        ptr::eq(unsafe { (*self.as_ptr()).d_sb }, sb)
    }

    /// Drops the reference, for less than it costs where it may be the last.
    ///
    /// # Safety
    ///
    /// Somebody else must have a reference until this returns.
    #[inline]
    pub(super) unsafe fn put_not_last(self) {
        let dentry = self.into_raw();
        // SAFETY: By the type invariants, the reference is ours to drop. There is another, and so
        // the count does not get to zero, where more would have to be done.
        unsafe {
            if bindings::lockref_put_return(&raw mut (*dentry).d_lockref) <= 0 {
                // Somebody has the lock: nothing was dropped.
                bindings::dput(dentry);
            }
        }
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
    #[inline]
    fn field(&self) -> &Atomic<*mut bindings::dentry> {
        // SAFETY: By the type invariants, `self` is valid; the field is changed atomically.
        unsafe { Atomic::from_ptr(self.as_ptr()) }
    }

    /// Returns the dentry that is in it, unless its last user is gone.
    ///
    /// For a file system that is mounted, with super block `sb`.
    ///
    /// # Errors
    ///
    /// [`EBUSY`] if the dentry is another file system's.
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

    /// Takes a reference to `dentry`, which was found here, unless its last user is gone.
    ///
    /// It may have come to stand for another object meanwhile, see [`Stash::still_has`].
    #[inline]
    fn try_get(&self, dentry: *mut bindings::dentry, _rcu: &rcu::Guard) -> Option<Dentry> {
        let dentry = NonNull::new(dentry)?;
        // SAFETY: By the type invariants, a dentry that was found here under the RCU read lock is
        // not freed before the end of that.
        let alive =
            unsafe { bindings::lockref_get_not_dead(&raw mut (*dentry.as_ptr()).d_lockref) };
        // INVARIANT: It is alive, and the reference was taken just now. No value is made of one
        // that is not: it would be dropped.
        alive.then(|| Dentry(dentry))
    }

    /// Tells whether `dentry`, which was found here, stands for the same object as before: who has
    /// a reference and sees that may rely on it.
    #[inline]
    fn still_has(&self, dentry: &Dentry) -> bool {
        // It leaves the stash under a lock, by somebody who has seen under it that there is no
        // other reference than his own. If ours came too late for that, the lock orders it after.
        smp_mb(Read);
        // With acquire semantics: it may have left, and have been put back for the same object.
        self.field().load(Acquire) == dentry.as_ptr()
    }

    /// Puts `new` into it, and returns it; or the dentry that is there, if somebody was faster.
    ///
    /// # Errors
    ///
    /// [`EBUSY`] if the dentry that is there is another file system's.
    ///
    /// # Safety
    ///
    /// Nobody else must have a reference to `new`. The stash must live as long as its inode.
    #[doc(alias = "stash_dentry")]
    pub(super) unsafe fn publish(&self, new: Dentry) -> Result<Dentry> {
        // SAFETY: The caller promises that nobody else has access to it.
        unsafe { (*new.as_ptr()).d_fsdata = self.as_ptr().cast() };

        loop {
            let there = {
                let rcu = rcu::read_lock();
                let Err(old) = self.field().cmpxchg(ptr::null_mut(), new.as_ptr(), Full) else {
                    return Ok(new);
                };
                match self.try_get(old, &rcu) {
                    Some(there) => there,
                    // It is dead, has not got to removing itself yet, and stays what it is as long
                    // as the RCU read lock is held.
                    None if self.field().cmpxchg(old, new.as_ptr(), Full).is_ok() => {
                        return Ok(new)
                    }
                    None => continue,
                }
            };
            if self.still_has(&there) {
                // SAFETY: `new` is valid; the field never changes.
                let sb = unsafe { (*new.as_ptr()).d_sb };
                return there.is_in(sb).then_some(there).ok_or(EBUSY);
            }
        }
    }

    /// Takes `dentry` out, if it is the one that is in it.
    #[doc(alias = "stashed_dentry_prune")]
    #[inline]
    pub(super) fn clear(&self, dentry: *mut bindings::dentry) {
        // Else somebody has put another into the place of one that is dead.
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
