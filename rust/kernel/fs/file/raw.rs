// SPDX-License-Identifier: GPL-2.0

//! Descriptor reservations of C functions.

use super::FileDescriptorReservation;
use crate::types::NotThreadSafe;

impl FileDescriptorReservation {
    /// Takes ownership of a reservation that a C function made.
    ///
    /// # Safety
    ///
    /// `fd` must be reserved in the descriptor table of the current task. The caller must neither
    /// install a file nor free the number.
    #[inline]
    pub unsafe fn from_raw(fd: u32) -> Self {
        // INVARIANT: The caller promises that `fd` is reserved by the current task.
        Self {
            fd,
            _not_send: NotThreadSafe,
        }
    }

    /// Returns the number. The caller must install a file or free the number.
    #[inline]
    pub fn into_raw(self) -> u32 {
        let fd = self.fd;
        core::mem::forget(self);
        fd
    }
}
