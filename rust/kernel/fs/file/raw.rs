// SPDX-License-Identifier: GPL-2.0

//! Descriptor reservations that cross into C.

use super::FileDescriptorReservation;
use crate::types::NotThreadSafe;

impl FileDescriptorReservation {
    /// Takes over a reservation that C made.
    ///
    /// # Safety
    ///
    /// `fd` must be reserved in the descriptor table of the current task, and the caller must give
    /// up what it owes: to install something there or to give the number back.
    #[inline]
    pub unsafe fn from_raw(fd: u32) -> Self {
        // INVARIANT: The caller promises that `fd` is reserved by the current task.
        Self {
            fd,
            _not_send: NotThreadSafe,
        }
    }

    /// Hands the reservation to C, which has to install something there or to give the number back.
    #[inline]
    pub fn into_raw(self) -> u32 {
        let fd = self.fd;
        core::mem::forget(self);
        fd
    }
}
