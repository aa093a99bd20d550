// SPDX-License-Identifier: GPL-2.0

//! Wait queues that belong to C.
//!
//! C header: [`include/linux/wait.h`](srctree/include/linux/wait.h)

use crate::{
    bindings,
    types::Opaque, //
};

/// Wraps the kernel's `struct wait_queue_head`. Thread safe.
///
/// A wait queue head is part of an object of C's, whose abstraction hands out a borrow of it. To
/// let `poll` and `epoll` wait on it, see [`OpenFile::poll_wait`].
///
/// [`OpenFile::poll_wait`]: crate::fs::file_operations::OpenFile::poll_wait
///
/// # Invariants
///
/// Instances are initialised wait queue heads.
#[repr(transparent)]
pub struct WaitQueueHead(Opaque<bindings::wait_queue_head>);

// SAFETY: A wait queue head may be used from any thread.
unsafe impl Send for WaitQueueHead {}

// SAFETY: All that a shared reference allows takes the wait queue's own lock, or is a racy read
// that C allows.
unsafe impl Sync for WaitQueueHead {}

impl WaitQueueHead {
    /// Creates a reference from a valid pointer.
    ///
    /// # Safety
    ///
    /// `ptr` must point at an initialised wait queue head that stays valid for `'a`.
    #[inline]
    pub unsafe fn from_raw<'a>(ptr: *mut bindings::wait_queue_head) -> &'a Self {
        // INVARIANT: The caller promises an initialised wait queue head.
        // SAFETY: The caller promises validity for `'a`, and `Self` is `repr(transparent)`.
        unsafe { &*ptr.cast() }
    }

    /// Returns a raw pointer to the inner C struct.
    #[inline]
    pub fn as_ptr(&self) -> *mut bindings::wait_queue_head {
        self.0.get()
    }

    /// Tells whether anyone waits on this queue.
    ///
    /// The answer may be out of date at once; it takes no lock and orders nothing.
    #[doc(alias = "waitqueue_active")]
    #[inline]
    pub fn is_active(&self) -> bool {
        // SAFETY: By the type invariant, `self` is an initialised wait queue head.
        unsafe { bindings::waitqueue_active(self.as_ptr()) != 0 }
    }
}
