// SPDX-License-Identifier: GPL-2.0

//! Wait queues of C objects.
//!
//! C header: [`include/linux/wait.h`](srctree/include/linux/wait.h)

use crate::{
    bindings,
    types::{
        NotThreadSafe,
        Opaque, //
    }, //
};

#[cfg(CONFIG_RUST_PID_KUNIT_TEST)]
mod tests;

/// Wraps the kernel's `struct wait_queue_head`. Thread safe.
///
/// A wait queue head is a field of a C object, and the abstraction of the object returns a borrow.
/// [`OpenFile::poll_wait`] lets `poll` and `epoll` wait on it.
///
/// [`OpenFile::poll_wait`]: crate::fs::file_operations::OpenFile::poll_wait
///
/// # Examples
///
/// ```
/// use kernel::pid::{Pid, PidType};
///
/// let pid = Pid::of_task(current!(), PidType::Pid).ok_or(ESRCH)?;
/// let guard = pid.wait_pidfd().lock_irq();
/// // No wake-up of this queue runs here.
/// drop(guard);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// Instances are initialised wait queue heads.
#[repr(transparent)]
pub struct WaitQueueHead(Opaque<bindings::wait_queue_head>);

// SAFETY: Any thread may use a wait queue head.
unsafe impl Send for WaitQueueHead {}

// SAFETY: All methods with a shared reference take the lock of the wait queue, or make a racy read
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

    /// Returns true if a task waits on this queue.
    ///
    /// Any context. Takes no lock and has no barrier: the answer may be outdated at once.
    #[doc(alias = "waitqueue_active")]
    #[inline]
    pub fn is_active(&self) -> bool {
        // SAFETY: By the type invariant, `self` is an initialised wait queue head.
        unsafe { bindings::waitqueue_active(self.as_ptr()) != 0 }
    }

    /// Takes the lock of the queue, and disables interrupts.
    ///
    /// Waiters and wakers may protect the state that they wait for by this lock. Interrupts must be
    /// enabled before.
    #[doc(alias = "spin_lock_irq")]
    #[inline]
    pub fn lock_irq(&self) -> WaitQueueGuard<'_> {
        // SAFETY: By the type invariant, `self` is an initialised wait queue head, with its lock.
        unsafe { bindings::spin_lock_irq_disable(&raw mut (*self.as_ptr()).lock) };
        // INVARIANT: The lock was taken above.
        WaitQueueGuard {
            queue: self,
            _not_send: NotThreadSafe,
        }
    }
}

/// The held lock of a [`WaitQueueHead`], which is released when this is dropped.
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
        // SAFETY: By the type invariants, this context holds the lock.
        unsafe { bindings::spin_unlock_irq_enable(&raw mut (*self.queue.as_ptr()).lock) };
    }
}
