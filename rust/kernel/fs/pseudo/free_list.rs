// SPDX-License-Identifier: GPL-2.0

//! Per-CPU free lists of dentries.
//!
//! The first file of an object needs a dentry and an inode. Their allocation, and their release by
//! way of RCU when the last file is closed, are most of what such a file costs. A free list keeps a
//! few of them for the next object, on the CPU on which the last file was closed.

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

/// The number of dentries, each with its inode, that a list may hold.
const MAX_LEN: usize = 16;

/// The free list of one CPU.
#[repr(C)]
struct FreeList {
    /// The dentry that was added last, or null. Each `d_fsdata` points at the next dentry.
    first: *mut bindings::dentry,
    len: usize,
}

/// The free lists of all CPUs.
///
/// # Invariants
///
/// - `cpus` is null, or per-CPU memory that holds a [`FreeList`] for each possible CPU. A list is
///   accessed by process context on its CPU, with preemption disabled, or by [`FreeLists::free`].
/// - Dentries on a list have a positive inode, and the list owns a reference to each.
pub(super) struct FreeLists {
    cpus: Atomic<*mut c_void>,
}

impl FreeLists {
    /// Creates lists without memory, to which no dentry can be added.
    pub(super) const fn new() -> Self {
        // INVARIANT: It is null.
        Self {
            cpus: Atomic::new(ptr::null_mut()),
        }
    }

    /// Allocates empty lists. Process context, may sleep.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`] if memory runs out.
    pub(super) fn alloc(&self) -> Result {
        // SAFETY: `alloc_percpu_bytes()` takes any size, and the alignment of any type.
        let cpus =
            unsafe { bindings::alloc_percpu_bytes(size_of::<FreeList>(), align_of::<FreeList>()) };
        if cpus.is_null() {
            return Err(ENOMEM);
        }
        // INVARIANT: The memory is per-CPU memory for a `FreeList`, and zeroed: all lists are
        // empty.
        self.cpus.store(cpus, Release);
        Ok(())
    }

    /// Calls `f` with the list of this CPU, if it has one. `f` must not sleep, nor call `with()`.
    #[inline]
    fn with<R>(&self, f: impl FnOnce(&mut FreeList) -> R) -> Option<R> {
        let cpus = self.cpus.load(Acquire);
        if cpus.is_null() {
            return None;
        }
        // SAFETY: By the type invariants this is per-CPU memory for a `FreeList`, and process
        // context on this CPU has the only access while preemption is disabled.
        let list = unsafe { &mut *bindings::get_this_cpu_ptr(cpus).cast::<FreeList>() };
        let ret = f(list);
        // SAFETY: `get_this_cpu_ptr()` has disabled preemption above.
        unsafe { bindings::put_this_cpu_ptr(cpus) };
        Some(ret)
    }

    /// Adds `dentry` to the list of this CPU. Returns false if the list is full.
    ///
    /// # Safety
    ///
    /// - `dentry` must have an inode.
    /// - The caller must own a reference to it, which passes to the list on success.
    /// - The caller must have the only access to its `d_fsdata`.
    /// - Process context.
    #[inline]
    pub(super) unsafe fn add(&self, dentry: NonNull<bindings::dentry>) -> bool {
        self.with(|list| {
            if list.len >= MAX_LEN {
                return false;
            }
            // SAFETY: The caller promises a valid dentry, and the only access to the field.
            unsafe { (*dentry.as_ptr()).d_fsdata = list.first.cast() };
            list.first = dentry.as_ptr();
            list.len += 1;
            true
        }) == Some(true)
    }

    /// Removes a dentry from the list of this CPU, if the list has the only reference to it.
    ///
    /// The caller gets that reference. The task that added the dentry may still have one of its
    /// own, and so may a task that found the dentry in its stash before. Process context.
    #[inline]
    pub(super) fn take(&self) -> Option<NonNull<bindings::dentry>> {
        self.with(|list| {
            let dentry = NonNull::new(list.first)?;
            // SAFETY: By the type invariants the dentry is valid, and its `d_fsdata` is the link.
            unsafe {
                if bindings::dentry_count(dentry.as_ptr()) != 1 {
                    return None;
                }
                list.first = (*dentry.as_ptr()).d_fsdata.cast();
            }
            list.len -= 1;
            Some(dentry)
        })
        .flatten()
    }

    /// Drops all dentries, and frees the lists. Process context, may sleep.
    ///
    /// # Safety
    ///
    /// No other method must run at the same time, or later, before [`FreeLists::alloc`] is called
    /// again.
    pub(super) unsafe fn free(&self) {
        let cpus = self.cpus.load(Relaxed);
        self.cpus.store(ptr::null_mut(), Relaxed);
        if cpus.is_null() {
            return;
        }
        for cpu in 0..cpu::nr_cpu_ids() {
            // SAFETY: By the type invariants this is per-CPU memory for a `FreeList`, and the
            // caller promises the only access. The pointer is null if the CPU is not possible.
            let Some(list) = (unsafe {
                bindings::possible_cpu_ptr(cpus, cpu)
                    .cast::<FreeList>()
                    .as_mut()
            }) else {
                continue;
            };
            while let Some(dentry) = NonNull::new(list.first) {
                // SAFETY: By the type invariants the dentry is valid, its `d_fsdata` is the link,
                // and the list owns the reference.
                unsafe {
                    list.first = (*dentry.as_ptr()).d_fsdata.cast();
                    (*dentry.as_ptr()).d_fsdata = ptr::null_mut();
                    bindings::dput(dentry.as_ptr());
                }
            }
        }
        // SAFETY: `alloc_percpu_bytes()` returned the pointer, which no one uses any more.
        unsafe { bindings::free_percpu(cpus) };
    }
}
