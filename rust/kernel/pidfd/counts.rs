// SPDX-License-Identifier: GPL-2.0

//! The numbers of pidfds that a provider has made and that are open.
//!
//! Each CPU has its own counters, which are built into the kernel.
//!
//! C source: [`kernel/pidfd/counts.c`](srctree/kernel/pidfd/counts.c)

use crate::{
    bindings,
    prelude::*, //
};

#[cfg(CONFIG_RUST_PID_KUNIT_TEST)]
mod tests;

/// Counts the creation of a pidfd. Any context.
#[inline]
pub fn created() {
    // SAFETY: The function has no requirements.
    unsafe { bindings::pidfd_count_created() };
}

/// Counts the release of a pidfd. Any context.
#[inline]
pub fn released() {
    // SAFETY: The function has no requirements.
    unsafe { bindings::pidfd_count_released() };
}

/// The files `created` and `open` in a directory of debugfs, which are removed when this is
/// dropped.
///
/// Only root can read them. The removal does not wait for readers: a later read of an open file
/// fails with [`EIO`].
///
/// # Invariants
///
/// `pidfd_counts_create()` has returned the pointer.
pub struct Files(*mut bindings::dentry);

// SAFETY: Any thread may pass the pointer to `pidfd_counts_remove()`.
unsafe impl Send for Files {}

// SAFETY: A shared reference gives access to nothing.
unsafe impl Sync for Files {}

impl Files {
    /// Creates the files in directory `name`. `created` starts from 0.
    ///
    /// Without debugfs, or if memory runs out, the files do not exist. Process context, may sleep.
    #[doc(alias = "pidfd_counts_create")]
    pub fn new(name: &CStr) -> Self {
        // INVARIANT: The pointer is the result.
        // SAFETY: `name` is a valid C string.
        Self(unsafe { bindings::pidfd_counts_create(name.as_char_ptr()) })
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, `pidfd_counts_create()` has returned the pointer.
        unsafe { bindings::pidfd_counts_remove(self.0) };
    }
}
