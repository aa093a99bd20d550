// SPDX-License-Identifier: GPL-2.0

//! How many pidfds a provider has made, and how many of them are open.
//!
//! The kernel counts for each CPU; the counters are not the module's that makes the pidfds.
//!
//! C source: [`kernel/pidfd/counts.c`](srctree/kernel/pidfd/counts.c)

use crate::{
    bindings,
    prelude::*, //
};

/// Counts a pidfd that is opened. Any context.
#[inline]
pub fn created() {
    // SAFETY: No requirements.
    unsafe { bindings::pidfd_count_created() };
}

/// Counts a pidfd that is released. Any context.
#[inline]
pub fn released() {
    // SAFETY: No requirements.
    unsafe { bindings::pidfd_count_released() };
}

/// The files `created` and `open` in a directory of debugfs, removed when this is dropped.
///
/// Only root reads them. A file that is open then stays open; a read of it fails with [`EIO`].
/// Nobody waits for a reader.
///
/// # Invariants
///
/// The pointer is what `pidfd_counts_create()` returned.
pub struct Files(*mut bindings::dentry);

// SAFETY: debugfs locks what it does with a dentry, and nothing else is done with it.
unsafe impl Send for Files {}

// SAFETY: A shared reference gives access to nothing.
unsafe impl Sync for Files {}

impl Files {
    /// Creates the files, in directory `name`, and begins to count what is created from 0.
    ///
    /// Without debugfs, or memory, the files do not exist. Process context, may sleep.
    #[doc(alias = "pidfd_counts_create")]
    pub fn new(name: &CStr) -> Self {
        // INVARIANT: It returned this just now.
        // SAFETY: `name` is a valid string.
        Self(unsafe { bindings::pidfd_counts_create(name.as_char_ptr()) })
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, the pointer came from there.
        unsafe { bindings::pidfd_counts_remove(self.0) };
    }
}

#[cfg(CONFIG_RUST_PID_KUNIT_TEST)]
#[macros::kunit_tests(rust_pidfd_counts)]
mod tests {
    #[cfg(CONFIG_DEBUG_FS)]
    #[test]
    fn files_are_there_until_they_are_dropped() {
        use super::*;

        let is_there = || {
            // SAFETY: The string is valid; what is found is ours to put.
            unsafe {
                let dir =
                    bindings::debugfs_lookup(c"rust_counts".as_char_ptr(), core::ptr::null_mut());
                if !dir.is_null() {
                    bindings::dput(dir);
                }
                !dir.is_null()
            }
        };
        assert!(!is_there());
        let files = Files::new(c"rust_counts");
        assert!(is_there());
        drop(files);
        assert!(!is_there());
    }
}
