// SPDX-License-Identifier: GPL-2.0

//! Single values and extensible structs in user memory.

use super::UserPtr;
use crate::{
    bindings,
    prelude::*,
    transmute::AsBytes, //
};

#[cfg(CONFIG_RUST_PID_KUNIT_TEST)]
mod tests;

/// Does what `to_result()` does, and is inlined.
#[inline]
fn errno_result(ret: c_int) -> Result {
    if ret < 0 {
        return Err(Error::from_errno(ret));
    }
    Ok(())
}

impl UserPtr {
    /// Writes a C `int` to user memory, in one piece.
    ///
    /// Process context, may sleep.
    ///
    /// # Errors
    ///
    /// [`EFAULT`] if the current task cannot write to the address.
    #[doc(alias = "put_user")]
    #[inline]
    pub fn put_int(self, value: c_int) -> Result {
        // SAFETY: `put_user()` accepts any value and any address.
        errno_result(unsafe { bindings::put_user_int(value, self.as_mut_ptr().cast()) })
    }

    /// Writes a struct of which user space may know another version: at most `size` bytes, and
    /// zeroes after the struct if `size` is larger.
    ///
    /// Process context, may sleep.
    ///
    /// # Errors
    ///
    /// [`EFAULT`] if the current task cannot write to the `size` bytes.
    #[doc(alias = "copy_struct_to_user")]
    #[inline]
    pub fn put_struct<T: AsBytes>(self, size: usize, value: &T) -> Result {
        let bytes = AsBytes::as_bytes(value);
        // SAFETY: `bytes` is valid for its length. The function accepts any user address and size.
        errno_result(unsafe {
            bindings::copy_struct_to_user(
                self.as_mut_ptr(),
                size,
                bytes.as_ptr().cast(),
                bytes.len(),
                core::ptr::null_mut(),
            )
        })
    }

    /// Reads a 64-bit number from user memory.
    ///
    /// Process context, may sleep.
    ///
    /// # Errors
    ///
    /// [`EFAULT`] if the current task cannot read from the address.
    #[doc(alias = "get_user")]
    #[inline]
    pub fn get_u64(self) -> Result<u64> {
        let mut value = 0;
        // SAFETY: `get_user()` accepts any address, and `value` is a local variable.
        errno_result(unsafe { bindings::get_user_u64(&mut value, self.as_const_ptr().cast()) })?;
        Ok(value)
    }
}
