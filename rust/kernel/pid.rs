// SPDX-License-Identifier: GPL-2.0

//! Process identifiers.
//!
//! A [`Pid`] identifies a process, a thread, a process group or a session. It does not keep that
//! alive, and never identifies another one that gets the same number later.
//!
//! [`Pid`] is a `struct pid`. It is not [`kernel::task::Pid`](crate::task::Pid), which is a number
//! (`pid_t`), and which this module calls [`PidNr`].
//!
//! C header: [`include/linux/pid.h`](srctree/include/linux/pid.h)

use crate::{
    bindings,
    pid_namespace::PidNamespace,
    prelude::*,
    sync::{
        aref::{
            ARef,
            AlwaysRefCounted, //
        },
        rcu, //
    },
    task::Task,
    types::Opaque,
    wait_queue::WaitQueueHead, //
};
use core::{
    ptr::{
        self,
        NonNull, //
    }, //
};

mod record;
mod task;
mod watch;

#[cfg(CONFIG_RUST_PID_KUNIT_TEST)]
pub(crate) mod test_support;
#[cfg(CONFIG_RUST_PID_KUNIT_TEST)]
mod tests;

pub use self::record::{
    Coredump,
    Dumpable,
    Exit,
    Record, //
};
pub use self::watch::{
    Wake,
    Watch, //
};

/// The number of a process or thread in a pid namespace, which user space calls a pid.
pub type PidNr = crate::task::Pid;

/// Signals, for [`Task::send_signal`].
pub mod signal {
    /// Kills the process. Cannot be blocked, ignored or handled.
    pub const SIGKILL: crate::ffi::c_int = crate::bindings::SIGKILL as crate::ffi::c_int;
}

/// The relation of a task to a [`Pid`].
#[doc(alias = "pid_type")]
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum PidType {
    /// The pid of the thread.
    Pid = bindings::pid_type_PIDTYPE_PID,
    /// The pid of its thread group, which is its process.
    Tgid = bindings::pid_type_PIDTYPE_TGID,
    /// The pid of its process group.
    Pgid = bindings::pid_type_PIDTYPE_PGID,
    /// The pid of its session.
    Sid = bindings::pid_type_PIDTYPE_SID,
}

/// The state of a process or thread.
///
/// # Examples
///
/// ```
/// use kernel::pid::{Pid, PidType, State};
///
/// let pid = Pid::of_task(current!(), PidType::Pid).ok_or(ESRCH)?;
/// assert_eq!(pid.state(), State::Running);
/// # Ok::<(), Error>(())
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The task has not exited. A thread group leader counts as running while other threads of its
    /// group run: the last of them announces the exit, or calls `exec` and takes over the pid.
    Running,
    /// The task has exited, and has not been reaped.
    Exited,
    /// The task has been reaped.
    Reaped,
}

/// Wraps the kernel's `struct pid`. Thread safe.
///
/// # Invariants
///
/// Instances are valid and counted: [`ARef<Pid>`] holds a reference of `get_pid()`.
///
/// # Examples
///
/// ```
/// use kernel::pid::{Pid, PidType};
///
/// let pid = Pid::of_task(current!(), PidType::Pid).ok_or(ESRCH)?;
/// assert_eq!(pid.nr(), current!().pid());
/// assert!(pid.has_task(PidType::Pid));
/// # Ok::<(), Error>(())
/// ```
#[repr(transparent)]
pub struct Pid(Opaque<bindings::pid>);

// SAFETY: The last reference to a `struct pid` may be dropped on any thread.
unsafe impl Send for Pid {}

// SAFETY: A shared reference gives access to fields that do not change after `alloc_pid()`, and to
// C functions that synchronise.
unsafe impl Sync for Pid {}

// SAFETY: `get_pid()` and `put_pid()` count references, and by the type invariants every instance
// is counted.
unsafe impl AlwaysRefCounted for Pid {
    #[inline]
    fn inc_ref(&self) {
        // SAFETY: The existence of a shared reference means that the count is not zero.
        unsafe { bindings::get_pid(self.as_ptr()) };
    }

    #[inline]
    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller gives up a reference. `Pid` is `repr(transparent)`.
        unsafe { bindings::put_pid(obj.cast().as_ptr()) };
    }
}

impl PartialEq for Pid {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        ptr::eq(self, other)
    }
}

impl Eq for Pid {}

impl Pid {
    /// Creates a reference from a valid pointer.
    ///
    /// # Safety
    ///
    /// `ptr` must point at a `struct pid` whose count does not drop to zero during `'a`.
    #[inline]
    pub unsafe fn from_raw<'a>(ptr: *mut bindings::pid) -> &'a Self {
        // INVARIANT: The caller promises a valid, counted `struct pid`.
        // SAFETY: The caller promises validity for `'a`; `Pid` is `repr(transparent)`.
        unsafe { &*ptr.cast() }
    }

    /// Takes ownership of the reference that a C function returned. Returns [`None`] for null.
    ///
    /// # Safety
    ///
    /// `ptr` must be null, or point at a `struct pid` of which the caller gives up a reference.
    #[inline]
    unsafe fn from_get(ptr: *mut bindings::pid) -> Option<ARef<Self>> {
        // SAFETY: The caller gives up a reference; `Pid` is `repr(transparent)`.
        NonNull::new(ptr.cast()).map(|ptr| unsafe { ARef::from_raw(ptr) })
    }

    /// Returns a raw pointer to the C struct.
    #[inline]
    pub fn as_ptr(&self) -> *mut bindings::pid {
        self.0.get()
    }

    /// Finds the pid with number `nr` in the pid namespace of the current task.
    ///
    /// Any context. Returns [`None`] if the number is free.
    #[doc(alias = "find_get_pid")]
    #[inline]
    pub fn find_get(nr: PidNr) -> Option<ARef<Self>> {
        // SAFETY: `find_get_pid()` takes any number, and returns null or a reference.
        unsafe { Self::from_get(bindings::find_get_pid(nr)) }
    }

    /// Finds the pid with number `nr` in pid namespace `ns`.
    ///
    /// Any context. Returns [`None`] if the number is free.
    #[doc(alias = "find_pid_ns")]
    pub fn find_get_ns(nr: PidNr, ns: &PidNamespace) -> Option<ARef<Self>> {
        let _rcu = rcu::read_lock();
        // SAFETY: The RCU read lock is held, and `ns` is valid.
        let pid = unsafe { bindings::find_pid_ns(nr, ns.as_ptr()) };
        // SAFETY: `get_pid()` accepts null. A `struct pid` that was found under the RCU read lock
        // has a reference: the one of the table is dropped a grace period after the removal.
        unsafe { Self::from_get(bindings::get_pid(pid)) }
    }

    /// Returns the pid that `task` uses as `kind`.
    ///
    /// Any context. Returns [`None`] if the task has been reaped.
    #[doc(alias = "get_task_pid")]
    #[inline]
    pub fn of_task(task: &Task, kind: PidType) -> Option<ARef<Self>> {
        // SAFETY: `task` is valid; the function returns null or a reference.
        unsafe { Self::from_get(bindings::get_task_pid(task.as_ptr(), kind as u32)) }
    }

    /// Returns the number in the initial pid namespace.
    #[doc(alias = "pid_nr")]
    #[inline]
    pub fn nr(&self) -> PidNr {
        // SAFETY: By the type invariants, `self` is valid.
        unsafe { bindings::pid_nr(self.as_ptr()) }
    }

    /// Returns the number in the pid namespace of the current task, or 0 if the pid is not visible
    /// there.
    #[doc(alias = "pid_vnr")]
    #[inline]
    pub fn vnr(&self) -> PidNr {
        // SAFETY: By the type invariants, `self` is valid.
        unsafe { bindings::pid_vnr(self.as_ptr()) }
    }

    /// Returns the number in `ns`, or 0 if `ns` is neither the namespace of the pid nor an
    /// ancestor.
    #[doc(alias = "pid_nr_ns")]
    #[inline]
    pub fn nr_ns(&self, ns: &PidNamespace) -> PidNr {
        // SAFETY: By the type invariants, `self` is valid, and so is `ns`.
        unsafe { bindings::pid_nr_ns(self.as_ptr(), ns.as_ptr()) }
    }

    /// Returns the level of the namespace of the pid; the initial namespace has level 0.
    #[inline]
    pub fn level(&self) -> u32 {
        // SAFETY: By the type invariants, `self` is valid; `level` never changes.
        unsafe { (*self.as_ptr()).level }
    }

    /// Returns all numbers, from the initial pid namespace down to the namespace of the pid.
    #[inline]
    pub fn numbers(&self) -> impl DoubleEndedIterator<Item = PidNr> + ExactSizeIterator + '_ {
        // SAFETY: By the type invariants, `self` is valid. `numbers` has `level + 1` elements, none
        // of which changes once the pid can be found.
        let numbers = unsafe { (*self.as_ptr()).numbers.as_slice(self.level() as usize + 1) };
        numbers.iter().map(|upid| upid.nr)
    }

    /// Returns true if a task uses the pid as `kind`.
    ///
    /// Any context. Without a lock, the answer may be outdated at once.
    #[doc(alias = "pid_has_task")]
    #[inline]
    pub fn has_task(&self, kind: PidType) -> bool {
        // SAFETY: By the type invariants, `self` is valid.
        unsafe { bindings::pid_has_task(self.as_ptr(), kind as u32) }
    }

    /// Returns the task that uses the pid as `kind`, for as long as the RCU read lock is held.
    ///
    /// Returns one of several tasks, as for a process group, and [`None`] if no task uses the pid:
    /// for [`PidType::Pid`] and [`PidType::Tgid`], after the task has been reaped.
    #[doc(alias = "pid_task")]
    #[inline]
    pub fn task<'rcu>(&self, kind: PidType, _rcu: &'rcu rcu::Guard) -> Option<&'rcu Task> {
        // SAFETY: By the type invariants, `self` is valid. The RCU read lock is held.
        let task = unsafe { bindings::pid_task(self.as_ptr(), kind as u32) };
        // SAFETY: The pointer is null, or the task was attached to the pid under the RCU read lock.
        // The last reference to a task is dropped a grace period after it is detached, so the task
        // is counted for `'rcu`. `Task` is `repr(transparent)`.
        unsafe { task.cast::<Task>().as_ref() }
    }

    /// Returns a reference to the task that uses the pid as `kind`, as [`Pid::task`] does.
    ///
    /// Any context.
    #[doc(alias = "get_pid_task")]
    #[inline]
    pub fn get_task(&self, kind: PidType) -> Option<ARef<Task>> {
        // SAFETY: By the type invariants, `self` is valid.
        let task = unsafe { bindings::get_pid_task(self.as_ptr(), kind as u32) };
        // SAFETY: `get_pid_task()` returns null, or a reference that the caller owns. `Task` is
        // `repr(transparent)`.
        NonNull::new(task.cast()).map(|task| unsafe { ARef::from_raw(task) })
    }

    /// Returns the state of the process or thread.
    ///
    /// Any context. A change wakes [`Pid::wait_pidfd`].
    #[inline]
    pub fn state(&self) -> State {
        let rcu = rcu::read_lock();

        let Some(task) = self.task(PidType::Pid, &rcu) else {
            return State::Reaped;
        };
        if task.exit_state() == 0 || task.delay_group_leader() {
            return State::Running;
        }
        // A thread that calls exec takes over the pid of its leader, which has exited, and then
        // clears the leader's leadership, see `de_thread()`. This CPU may see the second store
        // first, and find the old leader at the pid. The process has not exited then.
        if !task.is_group_leader() && self.has_task(PidType::Tgid) {
            return State::Running;
        }
        State::Exited
    }

    /// Returns true if `task` uses the pid as [`PidType::Pid`].
    ///
    /// Any context. Without a lock, the answer may be outdated at once.
    #[inline]
    pub fn is_used_by(&self, task: &Task) -> bool {
        // SAFETY: By the type invariants, both are valid.
        unsafe { bindings::pid_is_used_by(self.as_ptr(), task.as_ptr()) }
    }

    /// Returns true if the pid has a number in `ns`, which is its namespace or an ancestor.
    #[inline]
    pub fn is_in(&self, ns: &PidNamespace) -> bool {
        let level = ns.level() as usize;
        // SAFETY: By the type invariants, `self` is valid. `numbers` has `level + 1` elements, none
        // of which changes once the pid can be found.
        let numbers = unsafe { (*self.as_ptr()).numbers.as_slice(self.level() as usize + 1) };
        numbers
            .get(level)
            .is_some_and(|upid| ptr::eq(upid.ns, ns.as_ptr()))
    }

    /// Returns the wait queue that the exit and the reaping of the process or thread wake.
    #[inline]
    pub fn wait_pidfd(&self) -> &WaitQueueHead {
        // SAFETY: By the type invariants, `self` is valid; `alloc_pid()` initialised its queue.
        unsafe { WaitQueueHead::from_raw(&raw mut (*self.as_ptr()).wait_pidfd) }
    }
}
