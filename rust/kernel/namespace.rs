// SPDX-License-Identifier: GPL-2.0

//! Namespaces of a task.
//!
//! C headers: [`include/linux/ns_common.h`](srctree/include/linux/ns_common.h) and
//! [`include/linux/nsproxy.h`](srctree/include/linux/nsproxy.h)

use crate::{
    bindings,
    prelude::*,
    task::Task,
    types::NotThreadSafe, //
};
use core::{
    mem::ManuallyDrop,
    ptr::NonNull, //
};

#[cfg(CONFIG_RUST_PID_KUNIT_TEST)]
mod tests;

/// The namespaces of a task.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// The cgroup namespace.
    Cgroup = bindings::task_ns_TASK_NS_CGROUP,
    /// The namespace of System V IPC and POSIX message queues.
    Ipc = bindings::task_ns_TASK_NS_IPC,
    /// The mount namespace.
    Mnt = bindings::task_ns_TASK_NS_MNT,
    /// The network namespace.
    Net = bindings::task_ns_TASK_NS_NET,
    /// The pid namespace of the task.
    Pid = bindings::task_ns_TASK_NS_PID,
    /// The pid namespace of future children.
    PidForChildren = bindings::task_ns_TASK_NS_PID_FOR_CHILDREN,
    /// The time namespace of the task.
    Time = bindings::task_ns_TASK_NS_TIME,
    /// The time namespace of future children.
    TimeForChildren = bindings::task_ns_TASK_NS_TIME_FOR_CHILDREN,
    /// The user namespace.
    User = bindings::task_ns_TASK_NS_USER,
    /// The namespace of host name and domain name.
    Uts = bindings::task_ns_TASK_NS_UTS,
}

/// A reference to a namespace of any kind.
///
/// # Invariants
///
/// The pointer is valid, and `self` owns a reference.
pub struct Namespace(NonNull<bindings::ns_common>);

impl Namespace {
    /// Opens the namespace, as `open(2)` on a file in `/proc/<pid>/ns` does, and returns the
    /// descriptor in the table of the current task. It is close-on-exec.
    ///
    /// Process context, may sleep.
    ///
    /// # Errors
    ///
    /// - [`EMFILE`] if the descriptor table of the current task is full.
    /// - [`ENFILE`] or [`ENOMEM`] if the system cannot allocate another file.
    #[doc(alias = "open_namespace")]
    #[inline]
    pub fn open(self) -> Result<u32> {
        // SAFETY: By the type invariants, `self` owned a reference, which passes to C.
        let fd = unsafe { bindings::open_namespace(ManuallyDrop::new(self).0.as_ptr()) };
        if fd < 0 {
            return Err(Error::from_errno(fd));
        }
        Ok(fd as u32)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, `self` owns the reference.
        unsafe { bindings::ns_common_put(self.0.as_ptr()) };
    }
}

/// A lock that prevents a change of a task's credentials by `execve(2)`.
///
/// # Examples
///
/// ```
/// use kernel::namespace::{Kind, Namespace};
/// use kernel::task::Task;
///
/// fn user_namespace(task: &Task) -> Result<Option<Namespace>> {
///     let exec = task.lock_exec_update_killable()?;
///     if !exec.may_read_by_fscreds() {
///         return Err(EACCES);
///     }
///     // The namespace belongs to the program whose credentials were checked.
///     exec.namespace(Kind::User)
/// }
///
/// user_namespace(current!())?;
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// `task->signal->exec_update_lock` is held for reading, by this thread.
#[must_use = "the lock is released when the guard is dropped"]
pub struct ExecUpdateGuard<'a> {
    task: &'a Task,
    _not_send: NotThreadSafe,
}

impl Task {
    /// Prevents a change of the task's credentials until the result is dropped.
    ///
    /// A check of the credentials holds for the task as long as the lock is held. Process context,
    /// may sleep.
    ///
    /// # Errors
    ///
    /// [`EINTR`] if the current task is killed while it waits.
    #[inline]
    pub fn lock_exec_update_killable(&self) -> Result<ExecUpdateGuard<'_>> {
        // SAFETY: By the type invariants, `self` is valid, and so is its `signal`.
        let ret = unsafe { bindings::task_lock_exec_update_killable(self.as_ptr()) };
        if ret < 0 {
            return Err(Error::from_errno(ret));
        }
        // INVARIANT: The lock was taken above.
        Ok(ExecUpdateGuard {
            task: self,
            _not_send: NotThreadSafe,
        })
    }
}

impl ExecUpdateGuard<'_> {
    /// Returns true if the current task may inspect the task, by the rules of `ptrace(2)` and with
    /// the file system credentials of the current task.
    #[doc(alias = "ptrace_may_access")]
    #[doc(alias = "PTRACE_MODE_READ_FSCREDS")]
    #[inline]
    pub fn may_read_by_fscreds(&self) -> bool {
        // SAFETY: The borrow of `Task` is a valid task.
        unsafe {
            bindings::ptrace_may_access(self.task.as_ptr(), bindings::PTRACE_MODE_READ_FSCREDS)
        }
    }

    /// Returns one of the task's namespaces.
    ///
    /// Returns [`None`] if the kernel has no such namespaces, or the last reference is gone.
    ///
    /// # Errors
    ///
    /// [`ESRCH`] if the task is exiting, and has no namespaces.
    #[inline]
    pub fn namespace(&self, kind: Kind) -> Result<Option<Namespace>> {
        let mut ns = core::ptr::null_mut();
        // SAFETY: The borrow of `Task` is a valid task, and `ns` is a local variable.
        let ret = unsafe { bindings::task_get_namespace(self.task.as_ptr(), kind as u32, &mut ns) };
        if ret < 0 {
            return Err(Error::from_errno(ret));
        }
        // INVARIANT: A non-null pointer is a namespace, and the caller owns the reference.
        Ok(NonNull::new(ns).map(Namespace))
    }
}

impl Drop for ExecUpdateGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariants, this thread holds the lock.
        unsafe { bindings::task_unlock_exec_update(self.task.as_ptr()) };
    }
}
