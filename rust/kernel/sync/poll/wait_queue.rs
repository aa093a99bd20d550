// SPDX-License-Identifier: GPL-2.0

//! Polling of the wait queues of C objects.

use super::PollTable;
use crate::{
    bindings,
    fs::File,
    wait_queue::WaitQueueHead, //
};

impl PollTable<'_> {
    /// Registers this table with a wait queue, so that a wake-up of the queue wakes the poller.
    ///
    /// # Safety
    ///
    /// `queue` must stay valid until `file` has been released: an `epoll` instance keeps its entry
    /// in the queue as long as `file` exists.
    #[inline]
    pub unsafe fn register_wait_queue(&self, file: &File, queue: &WaitQueueHead) {
        // SAFETY:
        // - `file` is valid for the duration of this call.
        // - `self.table` is null or valid for the duration of this call.
        // - The caller promises that `queue` outlives every entry that this call adds: the entries
        //   of `poll()` and `select()` hold a reference to `file`, those of `epoll` are removed
        //   when `file` is released.
        unsafe { bindings::poll_wait(file.as_ptr(), queue.as_ptr(), self.table) };
    }
}
