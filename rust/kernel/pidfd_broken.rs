// SPDX-License-Identifier: GPL-2.0

//! A mistake on purpose, for `kernel/pidfd/pidfd_broken.c`: to see that KCSAN sees what Rust does.
//! Only there with `CONFIG_PIDFD_BROKEN`.

use crate::ffi::{
    c_int,
    c_long, //
};
use core::hint::black_box;

/// Counts `number` up, `times` times, without a thought for who else may do so.
///
/// Any context.
///
/// # Safety
///
/// `number` must be valid for reads and writes. Two that run at the same time with the same one are
/// the mistake: a data race, for which Rust promises nothing.
#[no_mangle]
pub unsafe extern "C" fn rust_pidfd_broken_count(number: *mut c_long, times: c_int) {
    for _ in 0..times {
        // SAFETY: The caller says that it is valid. That nobody else uses it meanwhile is what is
        // not true here.
        unsafe { *black_box(number) += 1 };
    }
}
