// SPDX-License-Identifier: GPL-2.0

//! Unit tests of [`kernel::pidfd::counts`](super).

#[macros::kunit_tests(rust_pidfd_counts)]
mod cases {
    #[cfg(CONFIG_DEBUG_FS)]
    #[test]
    fn files_exist_until_they_are_dropped() {
        use super::super::*;

        let is_there = || {
            // SAFETY: The string is valid. A dentry that is found has a reference of the caller.
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
