// SPDX-License-Identifier: GPL-2.0

//! Callbacks on the exit of a process or thread.

use super::Pid;
use crate::{
    bindings,
    prelude::*,
    sync::aref::ARef,
    types::Opaque, //
};
use core::{
    marker::PhantomPinned,
    pin::Pin, //
};
use pin_init::pinned_drop;

/// A callback of a [`Watch`].
///
/// Must be `'static`: a [`Watch`] that is forgotten stays in the queue.
pub trait Wake: Send + Sync + 'static {
    /// Called when the process or thread of `pid` exits, when it is reaped, and possibly without a
    /// change of its state.
    ///
    /// Atomic context: interrupts are disabled, and the caller holds the lock of the wait queue and
    /// `tasklist_lock` for writing. When the task is reaped, the caller also holds the signal lock
    /// of the task. The callback must not sleep, and must not take any of these locks. So it must
    /// not call [`Pid::register`], [`Task::final_exit`] or [`Task::send_signal`].
    ///
    /// [`Task::final_exit`]: crate::task::Task::final_exit
    /// [`Task::send_signal`]: crate::task::Task::send_signal
    fn wake(&self, pid: &Pid);
}

/// A callback on the exit of a process or thread, registered until this is dropped.
///
/// # Examples
///
/// ```
/// use kernel::pid::{Pid, PidType, Wake, Watch};
///
/// struct Log;
///
/// impl Wake for Log {
///     fn wake(&self, pid: &Pid) {
///         pr_info!("process {} may have exited\n", pid.nr());
///     }
/// }
///
/// let pid = Pid::of_task(current!(), PidType::Tgid).ok_or(ESRCH)?;
/// let watch = KBox::pin_init(Watch::new(pid.clone(), Log), GFP_KERNEL)?;
/// assert!(pid.wait_pidfd().is_active());
/// drop(watch);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// `entry` is in the wait queue of `pid`, and its `private` points at this value.
#[pin_data(PinnedDrop)]
pub struct Watch<T: Wake> {
    pid: ARef<Pid>,
    wake: T,
    #[pin]
    entry: Opaque<bindings::wait_queue_entry>,
    #[pin]
    _pin: PhantomPinned,
}

impl<T: Wake> Watch<T> {
    /// Registers the callback.
    ///
    /// An exit before that does not call it: the caller must check [`Pid::state`] afterwards.
    /// Process context.
    pub fn new(pid: ARef<Pid>, wake: T) -> impl PinInit<Self> {
        pin_init!(&this in Self {
            pid,
            wake,
            _pin: PhantomPinned,
            // The last field: from here on C may call `wake`.
            entry <- Opaque::ffi_init(|entry: *mut bindings::wait_queue_entry| {
                // INVARIANT: The entry goes into the queue of `pid`, with a pointer to `this`.
                // SAFETY: `entry` is valid for writes. `this` is pinned, and its other fields are
                // initialised. `drop()` removes the entry from the queue, which `pid` keeps valid
                // until then.
                unsafe {
                    bindings::init_waitqueue_func_entry(entry, Some(Self::callback));
                    (*entry).private = this.as_ptr().cast();
                    bindings::add_wait_queue(this.as_ref().pid.wait_pidfd().as_ptr(), entry);
                }
            }),
        })
    }

    /// Returns the pid that is watched.
    pub fn pid(&self) -> &Pid {
        &self.pid
    }

    /// The wake function of the wait queue entry. Atomic context.
    ///
    /// # Safety
    ///
    /// `entry` must be that of a `Watch<T>`, in its queue, and the lock of the queue must be held.
    unsafe extern "C" fn callback(
        entry: *mut bindings::wait_queue_entry,
        _mode: c_uint,
        _flags: c_int,
        _key: *mut c_void,
    ) -> c_int {
        // SAFETY: By the type invariants, `private` points at the `Watch` that `entry` belongs to.
        // `drop()` needs the lock of the queue, so the `Watch` stays valid during the call.
        let this = unsafe { &*(*entry).private.cast::<Self>() };
        this.wake.wake(&this.pid);
        0
    }
}

#[pinned_drop]
impl<T: Wake> PinnedDrop for Watch<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariants, the entry is in this queue. The removal takes the lock of
        // the queue, so no callback runs after it.
        unsafe { bindings::remove_wait_queue(self.pid.wait_pidfd().as_ptr(), self.entry.get()) };
    }
}

// SAFETY: Any thread may remove a wait queue entry from its queue, and `T` is `Send`.
unsafe impl<T: Wake> Send for Watch<T> {}

// SAFETY: A shared reference gives access to `pid` only, which is `Sync`; `T` is `Sync`.
unsafe impl<T: Wake> Sync for Watch<T> {}
