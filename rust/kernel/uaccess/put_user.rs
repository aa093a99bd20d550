// SPDX-License-Identifier: GPL-2.0

//! Single values to user memory.

use super::UserPtr;
use crate::{
    bindings,
    error::to_result,
    prelude::*, //
};

impl UserPtr {
    /// Writes a C `int` to user memory: all of it, or nothing.
    ///
    /// Process context, may sleep.
    ///
    /// # Errors
    ///
    /// [`EFAULT`] if the address is not the current task's to write to.
    #[doc(alias = "put_user")]
    #[inline]
    pub fn put_int(self, value: c_int) -> Result {
        // SAFETY: `put_user()` takes any value and any address.
        to_result(unsafe { bindings::put_user_int(value, self.as_mut_ptr().cast()) })
    }
}
