// SPDX-License-Identifier: GPL-2.0

//! A deliberate data race for `kernel/pidfd/pidfd_broken.c`, which shows that KCSAN instruments
//! Rust. Only with `CONFIG_PIDFD_BROKEN`.

use crate::ffi::{
    c_int,
    c_long, //
};
use core::hint::black_box;

/// Increments `number` `times` times, without synchronisation.
///
/// Any context.
///
/// # Safety
///
/// `number` must be valid for reads and writes. Two calls at the same time with one `number` are
/// the deliberate mistake: a data race, which is undefined behaviour.
#[no_mangle]
pub unsafe extern "C" fn rust_pidfd_broken_count(number: *mut c_long, times: c_int) {
    for _ in 0..times {
        // SAFETY: The caller promises validity. The data race is the deliberate mistake.
        unsafe { *black_box(number) += 1 };
    }
}
