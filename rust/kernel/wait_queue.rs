// SPDX-License-Identifier: GPL-2.0

//! Wait queues that belong to C.
//!
//! C header: [`include/linux/wait.h`](srctree/include/linux/wait.h)

use crate::{
    bindings,
    types::{
        NotThreadSafe,
        Opaque, //
    }, //
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

    /// Takes the queue's lock, with interrupts off.
    ///
    /// C lets who waits and who wakes protect by it what is waited for. To be called with
    /// interrupts on.
    #[doc(alias = "spin_lock_irq")]
    #[inline]
    pub fn lock_irq(&self) -> WaitQueueGuard<'_> {
        // SAFETY: By the type invariant, `self` is an initialised wait queue head, with its lock.
        unsafe { bindings::spin_lock_irq_disable(&raw mut (*self.as_ptr()).lock) };
        // INVARIANT: The lock has just been taken.
        WaitQueueGuard {
            queue: self,
            _not_send: NotThreadSafe,
        }
    }
}

/// The lock of a [`WaitQueueHead`] that is held; released when this is dropped.
///
/// # Invariants
///
/// This context holds the lock of `queue`, taken by [`WaitQueueHead::lock_irq`].
#[must_use = "the lock is released when the guard is dropped"]
pub struct WaitQueueGuard<'a> {
    queue: &'a WaitQueueHead,
    _not_send: NotThreadSafe,
}

impl Drop for WaitQueueGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariants, we hold the lock.
        unsafe { bindings::spin_unlock_irq_enable(&raw mut (*self.queue.as_ptr()).lock) };
    }
}

#[cfg(CONFIG_RUST_PID_KUNIT_TEST)]
#[macros::kunit_tests(rust_wait_queue)]
mod tests {
    use crate::{
        bindings,
        pid::{
            Pid,
            PidType, //
        },
        prelude::*, //
    };

    #[test]
    fn the_lock_is_held_until_the_guard_is_dropped() {
        let pid = Pid::of_task(current!(), PidType::Pid).unwrap();
        let queue = pid.wait_pidfd();
        // SAFETY: The queue is valid.
        let lock = || unsafe { &raw mut (*queue.as_ptr()).lock };

        let guard = queue.lock_irq();
        // SAFETY: The lock is valid; trying for it is always allowed.
        assert_eq!(unsafe { bindings::spin_trylock(lock()) }, 0);
        drop(guard);
        drop(queue.lock_irq());
    }
}
