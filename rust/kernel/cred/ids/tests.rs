// SPDX-License-Identifier: GPL-2.0

//! Unit tests of user and group ids.

#[macros::kunit_tests(rust_cred_ids)]
mod cases {
    use crate::prelude::*;

    #[test]
    fn a_kernel_thread_has_root_ids() {
        let ids = current!().get_cred().ids_in_current_ns();
        assert_eq!([ids.ruid, ids.euid, ids.suid, ids.fsuid], [0; 4]);
        assert_eq!([ids.rgid, ids.egid, ids.sgid, ids.fsgid], [0; 4]);
    }
}
