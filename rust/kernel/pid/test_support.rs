// SPDX-License-Identifier: GPL-2.0

//! Pids, threads, user memory and signals for the unit tests of this and other modules.

use super::{
    Pid,
    PidType, //
};
use crate::{
    bindings,
    error::from_err_ptr,
    page::PAGE_SIZE,
    prelude::*,
    sync::aref::ARef,
    task::Task,
    time::{
        delay::fsleep,
        Delta, //
    },
    uaccess::UserPtr, //
};
use core::{
    mem,
    ops::Deref,
    ptr, //
};

/// Returns the pid of the current thread.
pub(crate) fn me() -> ARef<Pid> {
    Pid::of_task(current!(), PidType::Pid).unwrap()
}

/// A pid that no task uses, like that of a child that is being created.
pub(crate) struct Spare(*mut bindings::pid);

impl Spare {
    pub(crate) fn new() -> Self {
        // SAFETY: The initial namespace is never freed, and the array of numbers is empty.
        let pid =
            unsafe { bindings::alloc_pid(&raw mut bindings::init_pid_ns, ptr::null_mut(), 0) };
        Self(from_err_ptr(pid).unwrap())
    }
}

impl Deref for Spare {
    type Target = Pid;

    fn deref(&self) -> &Pid {
        // SAFETY: `self` owns a reference to the pid.
        unsafe { Pid::from_raw(self.0) }
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        // SAFETY: `self` owns the pid, and no task uses it.
        unsafe { bindings::free_pid(self.0) };
    }
}

/// Maps a page of zeroes as user memory of the current thread, until the thread exits.
pub(crate) fn user_page() -> UserPtr {
    const PROT_READ_WRITE: usize = 3;
    const MAP_PRIVATE_ANONYMOUS: usize = 0x22;

    // SAFETY: A kernel thread may attach user memory, and `vm_mmap()` chooses the address.
    let addr = unsafe {
        assert_eq!(bindings::kunit_attach_mm(), 0);
        let (prot, flags) = (PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS);
        bindings::vm_mmap(ptr::null_mut(), 0, PAGE_SIZE, prot, flags, 0)
    };
    // An error code is not aligned.
    assert!(addr % PAGE_SIZE == 0);
    UserPtr::from_addr(addr)
}

/// Calls `f` while this thread may have no descriptors.
pub(crate) fn without_descriptors<T>(f: impl FnOnce() -> T) -> T {
    let task = current!().as_ptr();
    // SAFETY: This thread is the only one of its process, and only it changes its limits.
    let limits = unsafe { &mut (*(*task).signal).rlim };
    let limit = &mut limits[bindings::RLIMIT_NOFILE as usize].rlim_cur;
    let before = mem::replace(limit, 0);
    let result = f();
    *limit = before;
    result
}

/// Allows signal `sig` to be pending for this thread, which only tests use.
pub(crate) fn allow_signal(sig: c_int) {
    const SIG_KTHREAD: usize = 2;

    // SAFETY: `allow_signal()` passes the same number as an address, which is never called.
    unsafe {
        let action = mem::transmute::<usize, bindings::__sighandler_t>(SIG_KTHREAD);
        bindings::kernel_sigaction(sig, action);
    }
}

/// Clears all pending signals.
pub(crate) fn flush_signals() {
    let task = current!().as_ptr();
    // SAFETY: The current task is valid.
    unsafe { bindings::flush_signals(task) };
}

/// A kernel thread that exits when [`Thread::end`] wakes it.
pub(crate) struct Thread(ARef<Task>);

impl Thread {
    pub(crate) fn new() -> Self {
        extern "C" fn ends(_data: *mut c_void) -> c_int {
            0
        }

        // SAFETY: `ends()` ignores its argument, and the name contains no conversion.
        let task = from_err_ptr(unsafe {
            bindings::kthread_create_on_node(
                Some(ends),
                ptr::null_mut(),
                bindings::NUMA_NO_NODE,
                c"rust_pid".as_char_ptr(),
            )
        })
        .unwrap();
        // SAFETY: The thread does not exit before it is woken, so it is valid.
        Self(unsafe { &*task.cast::<Task>() }.into())
    }

    pub(crate) fn task(&self) -> ARef<Task> {
        self.0.clone()
    }

    pub(crate) fn pid(&self) -> ARef<Pid> {
        Pid::of_task(&self.0, PidType::Pid).unwrap()
    }

    /// Ends the thread, and returns after it was reaped and no task uses its pid.
    pub(crate) fn end(self) -> ARef<Task> {
        self.0.wake_up();
        // The task loses this pid last.
        while Pid::of_task(&self.0, PidType::Tgid).is_some() {
            fsleep(Delta::from_millis(1));
        }
        self.0
    }
}
