// SPDX-License-Identifier: GPL-2.0

//! Methods of tasks and of pid namespaces.
//!
//! C headers: [`include/linux/sched.h`](srctree/include/linux/sched.h) and
//! [`include/linux/sched/signal.h`](srctree/include/linux/sched/signal.h)

use super::{
    Dumpable,
    Exit,
    PidNr,
    PidType, //
};
use crate::{
    bindings,
    cred::Credential,
    error::to_result,
    pid_namespace::PidNamespace,
    prelude::*,
    sync::aref::ARef,
    task::Task, //
};
use core::ptr::NonNull;

impl PidNamespace {
    /// Returns the level of the namespace, which is the number of its ancestors.
    #[inline]
    pub fn level(&self) -> u32 {
        // SAFETY: `self` is valid; `level` never changes.
        unsafe { (*self.as_ptr()).level }
    }
}

impl Task {
    /// Returns 0 while the task runs, and a combination of `EXIT_ZOMBIE` and `EXIT_DEAD` later.
    ///
    /// Any context. Without a lock, the answer may be outdated at once, but never returns to 0.
    #[inline]
    pub fn exit_state(&self) -> u32 {
        // SAFETY: By the type invariants, `self` is a valid task.
        unsafe { bindings::task_exit_state(self.as_ptr()) }
    }

    /// Sends signal `sig` to the thread or, for [`PidType::Tgid`], to its process.
    ///
    /// The signal comes from the kernel: it needs no permission, and the init of a container cannot
    /// block it. Any context in which the signal lock of the task is not held.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`] if `sig` is no signal. 0 is allowed, and sends none.
    /// - [`ESRCH`] if the task has been reaped.
    #[doc(alias = "do_send_sig_info")]
    pub fn send_signal(&self, sig: c_int, kind: PidType) -> Result {
        // SAFETY: By the type invariants, `self` is a valid task. The helper checks the number.
        to_result(unsafe { bindings::send_sig_priv(sig, self.as_ptr(), kind as u32) })
    }

    /// Returns the exit status of the task if its parent, or the task itself, reaps or has reaped
    /// it.
    ///
    /// A poller woken by an auto-reaped exit may find no exit in the [`Record`](super::Record) yet.
    /// This function waits until `exit_notify()` has decided who reaps the task, so it always
    /// returns the status then. Takes `tasklist_lock`: must not be called by
    /// [`Wake::wake`](super::Wake::wake).
    pub fn final_exit(&self) -> Option<Exit> {
        if self.exit_state() == 0 {
            return None;
        }
        let mut exit_code = 0;
        // SAFETY: By the type invariants, `self` is a valid task. `exit_code` is a local variable.
        unsafe { bindings::task_final_exit_code(self.as_ptr(), &mut exit_code) }.then(|| Exit {
            exit_code,
            cgroup_id: self.cgroup_id(),
        })
    }

    /// Returns the number of the parent in the pid namespace of the current task, or 0 if the
    /// parent is not visible there.
    #[doc(alias = "task_ppid_vnr")]
    #[inline]
    pub fn ppid_vnr(&self) -> PidNr {
        // SAFETY: By the type invariants, `self` is a valid task.
        unsafe { bindings::task_ppid_vnr(self.as_ptr()) }
    }

    /// Returns the number of the process in the pid namespace of the current task, or 0 if the
    /// process is not visible there or has been reaped.
    #[doc(alias = "task_tgid_vnr")]
    #[inline]
    pub fn tgid_vnr(&self) -> PidNr {
        // SAFETY: By the type invariants, `self` is a valid task.
        unsafe { bindings::task_tgid_vnr(self.as_ptr()) }
    }

    /// Returns the credentials of the task.
    ///
    /// Any context.
    #[doc(alias = "get_task_cred")]
    #[inline]
    pub fn get_cred(&self) -> ARef<Credential> {
        // SAFETY: By the type invariants, `self` is a valid task, and so has credentials. The
        // caller owns the returned reference. `Credential` is `repr(transparent)`.
        unsafe {
            let cred = bindings::get_task_cred(self.as_ptr()).cast_mut();
            ARef::from_raw(NonNull::new_unchecked(cred.cast()))
        }
    }

    /// Returns true if the task is a kernel thread, or a worker of the kernel in a user process.
    #[inline]
    pub fn is_kernel_worker(&self) -> bool {
        // SAFETY: By the type invariants, `self` is a valid task.
        unsafe { bindings::task_is_kernel_worker(self.as_ptr()) }
    }

    /// Returns true if the task is the leader of its thread group.
    ///
    /// Any context. Another thread of the group becomes the leader when it calls `exec`, so without
    /// a lock the answer may be outdated at once.
    #[doc(alias = "thread_group_leader")]
    #[inline]
    pub fn is_group_leader(&self) -> bool {
        // SAFETY: By the type invariants, `self` is a valid task.
        unsafe { bindings::thread_group_leader(self.as_ptr()) }
    }

    /// Returns true if the task is a thread group leader whose group has other threads.
    ///
    /// The exit of such a leader is not announced. The last of the other threads announces the exit
    /// of the process, or calls `exec` and becomes the leader. Any context.
    #[inline]
    pub fn delay_group_leader(&self) -> bool {
        // SAFETY: By the type invariants, `self` is a valid task.
        unsafe { bindings::delay_group_leader(self.as_ptr()) }
    }

    /// Returns the exit status of the task, which is final when its exit state is `EXIT_DEAD`.
    ///
    /// For a thread group leader this is the exit status of the process that `wait4(2)` reports,
    /// whichever thread ended the process. Any context.
    #[doc(alias = "wait_task_zombie")]
    #[inline]
    pub fn exit_record(&self) -> Exit {
        Exit {
            // SAFETY: By the type invariants, `self` is a valid task.
            exit_code: unsafe { bindings::task_wait_status(self.as_ptr()) },
            cgroup_id: self.cgroup_id(),
        }
    }

    /// Returns who may read the memory of the task's process.
    ///
    /// Any context. Returns [`None`] for a value of C that has no counterpart here.
    #[doc(alias = "task_exec_state_get_dumpable")]
    pub fn dumpable(&self) -> Option<Dumpable> {
        // SAFETY: By the type invariants, `self` is a valid task.
        Dumpable::from_raw(unsafe { bindings::task_exec_state_get_dumpable(self.as_ptr()) })
    }

    /// Returns the id of the task's cgroup in the default hierarchy, or 0 without `CONFIG_CGROUPS`.
    ///
    /// Any context.
    #[doc(alias = "task_dfl_cgroup")]
    #[inline]
    pub fn cgroup_id(&self) -> u64 {
        // SAFETY: By the type invariants, `self` is a valid task.
        unsafe { bindings::task_dfl_cgroup_id(self.as_ptr()) }
    }
}
