// SPDX-License-Identifier: GPL-2.0

//! Dentries that nobody uses, kept for the next object.
//!
//! Most of what the first file of an object costs is to make a dentry and an inode, and to free
//! them, by way of RCU, when the last file is closed. Instead, a few of them stay on the shelf of
//! the CPU on which that happened.

use crate::{
    bindings,
    cpu,
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Relaxed,
        Release, //
    }, //
};
use core::ptr::{
    self,
    NonNull, //
};

/// How many dentries, each with its inode, a CPU keeps.
const ROOM: usize = 16;

/// What one CPU keeps.
#[repr(C)]
struct Shelf {
    /// The last one put here, null if there is none. The others follow by their `d_fsdata`.
    top: *mut bindings::dentry,
    len: usize,
}

/// The shelves of all CPUs.
///
/// # Invariants
///
/// - `cpus` is null, or per-CPU memory that holds a [`Shelf`] for each CPU, which is accessed with
///   preemption disabled, by code that runs on this CPU in process context, or by
///   [`Shelves::free`].
/// - Dentries on a shelf have a positive inode, and the shelf owns a reference to each.
pub(super) struct Shelves {
    cpus: Atomic<*mut c_void>,
}

impl Shelves {
    /// Without room for anything.
    pub(super) const fn new() -> Self {
        // INVARIANT: It is null.
        Self {
            cpus: Atomic::new(ptr::null_mut()),
        }
    }

    /// Makes room. Process context, may sleep.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`] if memory runs out.
    pub(super) fn alloc(&self) -> Result {
        // SAFETY: Any size and alignment will do. What is allocated is zeroed.
        let cpus = unsafe { bindings::alloc_percpu_bytes(size_of::<Shelf>(), align_of::<Shelf>()) };
        if cpus.is_null() {
            return Err(ENOMEM);
        }
        // INVARIANT: It was allocated for this, and all shelves are empty.
        self.cpus.store(cpus, Release);
        Ok(())
    }

    /// Runs `f` with this CPU's shelf, if there is one. `f` must not sleep, nor use a shelf.
    #[inline]
    fn with<R>(&self, f: impl FnOnce(&mut Shelf) -> R) -> Option<R> {
        let cpus = self.cpus.load(Acquire);
        if cpus.is_null() {
            return None;
        }
        // SAFETY: By the type invariants this is per-CPU memory of a `Shelf`, which nobody else
        // uses while we are on this CPU and cannot be preempted.
        let shelf = unsafe { &mut *bindings::get_this_cpu_ptr(cpus).cast::<Shelf>() };
        let ret = f(shelf);
        // SAFETY: Ends what `get_this_cpu_ptr()` has begun.
        unsafe { bindings::put_this_cpu_ptr(cpus) };
        Some(ret)
    }

    /// Puts `dentry` on this CPU's shelf. Tells whether there was room.
    ///
    /// # Safety
    ///
    /// `dentry` must have an inode. If there was room, the caller must give up a reference to it.
    /// Nobody else must use its `d_fsdata`. Process context.
    #[inline]
    pub(super) unsafe fn put(&self, dentry: NonNull<bindings::dentry>) -> bool {
        self.with(|shelf| {
            if shelf.len >= ROOM {
                return false;
            }
            // SAFETY: The caller promises that the dentry is valid and the field ours.
            unsafe { (*dentry.as_ptr()).d_fsdata = shelf.top.cast() };
            shelf.top = dentry.as_ptr();
            shelf.len += 1;
            true
        }) == Some(true)
    }

    /// Takes a dentry from this CPU's shelf to which nobody else has a reference.
    ///
    /// The caller gets the reference. Who has just put one there may still have its own, and so may
    /// who has found it where it was stashed before; it is of no use then. Process context.
    #[inline]
    pub(super) fn take(&self) -> Option<NonNull<bindings::dentry>> {
        self.with(|shelf| {
            let dentry = NonNull::new(shelf.top)?;
            // SAFETY: By the type invariants the dentry is valid, and its `d_fsdata` the shelf's.
            unsafe {
                if bindings::dentry_count(dentry.as_ptr()) != 1 {
                    return None;
                }
                shelf.top = (*dentry.as_ptr()).d_fsdata.cast();
            }
            shelf.len -= 1;
            Some(dentry)
        })
        .flatten()
    }

    /// Gives up everything. Process context, may sleep.
    ///
    /// # Safety
    ///
    /// Nobody else must use the shelves, now or later, before they are allocated again.
    pub(super) unsafe fn free(&self) {
        let cpus = self.cpus.load(Relaxed);
        self.cpus.store(ptr::null_mut(), Relaxed);
        if cpus.is_null() {
            return;
        }
        for cpu in 0..cpu::nr_cpu_ids() {
            // SAFETY: This is per-CPU memory of a `Shelf`, all of which are ours now. There is one
            // for each possible CPU, and a null pointer for each number that is none.
            let Some(shelf) = (unsafe {
                bindings::possible_cpu_ptr(cpus, cpu)
                    .cast::<Shelf>()
                    .as_mut()
            }) else {
                continue;
            };
            while let Some(dentry) = NonNull::new(shelf.top) {
                // SAFETY: By the type invariants the dentry is valid, its `d_fsdata` the shelf's,
                // and a reference ours to drop.
                unsafe {
                    shelf.top = (*dentry.as_ptr()).d_fsdata.cast();
                    (*dentry.as_ptr()).d_fsdata = ptr::null_mut();
                    bindings::dput(dentry.as_ptr());
                }
            }
        }
        // SAFETY: It came from there, and nobody uses it any more.
        unsafe { bindings::free_percpu(cpus) };
    }
}
