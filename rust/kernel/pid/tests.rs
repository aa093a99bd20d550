// SPDX-License-Identifier: GPL-2.0

//! Unit tests of [`kernel::pid`](super), and functions that other unit tests use.

pub(crate) use self::cases::*;

#[macros::kunit_tests(rust_pid)]
pub(crate) mod cases {
    use super::super::*;
    use crate::{
        error::from_err_ptr,
        page::PAGE_SIZE,
        sync::{
            atomic::{
                Atomic,
                Relaxed, //
            },
            Arc, //
        },
        time::{
            delay::fsleep,
            Delta, //
        },
        uaccess::UserPtr, //
    };
    use core::{
        mem,
        ops::Deref, //
    };

    fn me() -> ARef<Pid> {
        Pid::of_task(current!(), PidType::Pid).unwrap()
    }

    /// A pid that no task has, as that of a child in the making.
    pub(crate) struct Spare(*mut bindings::pid);

    impl Spare {
        pub(crate) fn new() -> Self {
            // SAFETY: The namespace is there for good, and no numbers are asked for.
            let pid =
                unsafe { bindings::alloc_pid(&raw mut bindings::init_pid_ns, ptr::null_mut(), 0) };
            Self(from_err_ptr(pid).unwrap())
        }
    }

    impl Deref for Spare {
        type Target = Pid;

        fn deref(&self) -> &Pid {
            // SAFETY: It is valid and counted until it is dropped.
            unsafe { Pid::from_raw(self.0) }
        }
    }

    impl Drop for Spare {
        fn drop(&mut self) {
            // SAFETY: It is ours, and no task has it.
            unsafe { bindings::free_pid(self.0) };
        }
    }

    /// Gives the current thread user memory, until it ends, and returns where: a page of zeroes.
    pub(crate) fn user_page() -> UserPtr {
        const PROT_READ_WRITE: usize = 3;
        const MAP_PRIVATE_ANONYMOUS: usize = 0x22;

        // SAFETY: Any kernel thread may have user memory, and any place in it will do.
        let addr = unsafe {
            assert_eq!(bindings::kunit_attach_mm(), 0);
            let (prot, flags) = (PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS);
            bindings::vm_mmap(ptr::null_mut(), 0, PAGE_SIZE, prot, flags, 0)
        };
        // Else it is an error.
        assert!(addr % PAGE_SIZE == 0);
        UserPtr::from_addr(addr)
    }

    /// Lets this thread have no descriptors while `f` runs.
    pub(crate) fn without_descriptors<T>(f: impl FnOnce() -> T) -> T {
        let task = current!().as_ptr();
        // SAFETY: This thread is a process of its own, and the only one that changes its limits.
        let limits = unsafe { &mut (*(*task).signal).rlim };
        let limit = &mut limits[bindings::RLIMIT_NOFILE as usize].rlim_cur;
        let before = mem::replace(limit, 0);
        let result = f();
        *limit = before;
        result
    }

    /// Lets this thread, which is none but a test's, have signal `sig` pending.
    pub(crate) fn allow_signal(sig: c_int) {
        const SIG_KTHREAD: usize = 2;

        // SAFETY: C makes a function's address of the number, too, and calls no such function.
        unsafe {
            let action = mem::transmute::<usize, bindings::__sighandler_t>(SIG_KTHREAD);
            bindings::kernel_sigaction(sig, action);
        }
    }

    /// Takes back what signals are pending.
    pub(crate) fn flush_signals() {
        let task = current!().as_ptr();
        // SAFETY: The task is valid.
        unsafe { bindings::flush_signals(task) };
    }

    /// A kernel thread that exits when [`Thread::end`] wakes it.
    pub(crate) struct Thread(ARef<Task>);

    impl Thread {
        pub(crate) fn new() -> Self {
            extern "C" fn ends(_data: *mut c_void) -> c_int {
                0
            }

            // SAFETY: The function takes anything, and the name is no format.
            let task = from_err_ptr(unsafe {
                bindings::kthread_create_on_node(
                    Some(ends),
                    ptr::null_mut(),
                    bindings::NUMA_NO_NODE,
                    c"rust_pid".as_char_ptr(),
                )
            })
            .unwrap();
            // SAFETY: The thread waits to be woken, and so is valid.
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
            // The last of its pids to go.
            while Pid::of_task(&self.0, PidType::Tgid).is_some() {
                fsleep(Delta::from_millis(1));
            }
            self.0
        }
    }

    #[test]
    fn find_get_finds_by_number() {
        assert!(Pid::find_get(me().vnr()).as_deref() == Some(&*me()));
    }

    #[test]
    fn find_get_finds_nothing_for_a_free_number() {
        assert!(Pid::find_get(-1).is_none());
        assert!(Pid::find_get(0).is_none());
        assert!(Pid::find_get(PidNr::MAX).is_none());
    }

    #[test]
    fn find_get_ns_finds_by_number() {
        let task = current!();
        let ns = task.active_pid_ns().unwrap();
        assert!(Pid::find_get_ns(me().nr_ns(ns), ns).as_deref() == Some(&*me()));
        assert!(Pid::find_get_ns(0, ns).is_none());
    }

    #[test]
    fn numbers_run_from_the_initial_namespace_to_its_own() {
        let pid = me();
        assert_eq!(pid.numbers().len(), pid.level() as usize + 1);
        assert_eq!(pid.numbers().next(), Some(pid.nr()));
        assert_eq!(current!().active_pid_ns().map(|ns| ns.level()), Some(0));
    }

    #[test]
    fn task_returns_the_task_of_the_pid() {
        let pid = me();
        let rcu = rcu::read_lock();
        assert!(pid.has_task(PidType::Pid));
        assert!(pid.task(PidType::Pid, &rcu) == Some(&**current!()));
        assert!(pid.get_task(PidType::Pid).as_deref() == Some(&**current!()));
        assert_eq!(
            pid.task(PidType::Pid, &rcu).map(|task| task.exit_state()),
            Some(0)
        );
    }

    #[test]
    fn a_pid_without_a_task_has_none_of_any_kind() {
        let pid = Spare::new();
        let rcu = rcu::read_lock();
        for kind in [PidType::Pid, PidType::Tgid, PidType::Pgid, PidType::Sid] {
            assert!(!pid.has_task(kind));
            assert!(pid.task(kind, &rcu).is_none());
            assert!(pid.get_task(kind).is_none());
        }
        assert_eq!(pid.state(), State::Reaped);
        assert!(!pid.is_used_by(current!()));
        assert!(*pid != *me());
    }

    #[test]
    fn a_pid_is_found_until_it_is_freed() {
        let pid = Spare::new();
        let kept: ARef<Pid> = (&*pid).into();
        let nr = pid.nr();
        assert!(Pid::find_get(nr).as_deref() == Some(&*kept));
        assert!(Pid::find_get_ino(kept.ino()).as_deref() == Some(&*kept));
        drop(pid);
        assert!(Pid::find_get(nr).is_none());
        assert!(Pid::find_get_ino(kept.ino()).is_none());
    }

    #[test]
    fn a_reaped_task_has_no_pid() {
        let thread = Thread::new();
        let pid = thread.pid();
        assert_eq!(pid.state(), State::Running);
        let task = thread.end();
        assert_eq!(pid.state(), State::Reaped);
        assert!(!pid.is_used_by(&task));
        for kind in [PidType::Pid, PidType::Tgid] {
            assert!(Pid::of_task(&task, kind).is_none());
        }
        assert_eq!(task.tgid_vnr(), 0);
        assert!(task.exit_state() != 0);
        assert_eq!(task.final_exit(), Some(task.exit_record()));
        assert_eq!(task.exit_record().exit_code, 0);
        assert_eq!(task.send_signal(1, PidType::Tgid), Err(ESRCH));
    }

    /// A zombie has exited, and says nothing of it.
    #[test]
    fn a_zombie_has_exited() {
        const SIGCHLD: c_int = bindings::SIGCHLD as c_int;

        extern "C" fn ends(_data: *mut c_void) -> c_int {
            // SAFETY: The new task runs nothing else.
            unsafe { bindings::do_exit(0x2a00) }
        }

        // SAFETY: This thread is none but the test's. So it does not ignore its children, and has
        // one.
        let nr = unsafe {
            bindings::kernel_sigaction(SIGCHLD, None);
            bindings::user_mode_thread(Some(ends), ptr::null_mut(), SIGCHLD as usize)
        };
        let pid = Pid::find_get(nr).unwrap();
        let task = pid.get_task(PidType::Pid).unwrap();
        while pid.state() == State::Running {
            fsleep(Delta::from_millis(1));
        }
        assert_eq!(pid.state(), State::Exited);
        assert!(task.exit_state() != 0);
        assert_eq!(task.final_exit(), None);
        assert!(!task.is_kernel_worker());
        assert!(task.is_group_leader());

        // As another thread that dumps core does.
        // SAFETY: The task is valid, and no one else reads its exit status.
        unsafe { (*(*task.as_ptr()).signal).group_exit_code |= 0x80 };
        let mut status = 0;
        // SAFETY: `status` is ours to write.
        assert_eq!(unsafe { bindings::kernel_wait(nr, &mut status) }, nr);
        assert_eq!(status, 0x2a80);
        assert_eq!(pid.state(), State::Reaped);
        assert_eq!(task.final_exit().map(|exit| exit.exit_code), Some(0x2a80));
    }

    #[test]
    fn an_exit_calls_the_watch() {
        let thread = Thread::new();
        let woken = Arc::new(Atomic::new(0), GFP_KERNEL).unwrap();
        let watch =
            KBox::pin_init(Watch::new(thread.pid(), Count(woken.clone())), GFP_KERNEL).unwrap();
        assert_eq!(woken.load(Relaxed), 0);
        thread.end();
        // Dropped first: it may still be called for the reaping.
        drop(watch);
        assert!(woken.load(Relaxed) > 0);
    }

    #[test]
    fn a_live_task_is_running() {
        assert_eq!(me().state(), State::Running);
        assert!(me().is_used_by(current!()));
    }

    #[test]
    fn every_pid_is_in_the_initial_namespace() {
        let task = current!();
        assert!(me().is_in(task.active_pid_ns().unwrap()));
    }

    #[test]
    fn a_pid_has_no_number_in_other_namespaces() {
        for level in [0, 1] {
            let ns = Opaque::<bindings::pid_namespace>::zeroed();
            // SAFETY: It is ours, and only its address and its level are looked at.
            let ns = unsafe {
                (*ns.get()).level = level;
                PidNamespace::from_ptr(ns.get())
            };
            assert!(!me().is_in(ns));
            assert_eq!(me().nr_ns(ns), 0);
        }
    }

    #[test]
    fn numbers_of_a_kernel_thread() {
        assert_eq!(current!().tgid_vnr(), current!().tgid());
        // Its parent is kthreadd.
        assert_eq!(current!().ppid_vnr(), 2);
        assert!(current!().is_kernel_worker());
    }

    #[test]
    fn a_lone_leader_is_not_delayed() {
        assert!(!current!().delay_group_leader());
    }

    #[test]
    fn register_may_be_repeated() {
        assert!(me().register(GFP_KERNEL).is_ok());
        assert!(me().register(GFP_KERNEL).is_ok());
    }

    #[cfg(CONFIG_FAILSLAB)]
    #[test]
    fn register_without_memory_may_be_repeated_too() {
        let pid = Spare::new();
        let task = current!().as_ptr();
        // The first allocation from now on fails, unless it may wait.
        // SAFETY: No one else reads the field.
        unsafe { (*task).fail_nth = 1 };
        assert_eq!(pid.register(GFP_NOWAIT).err(), Some(ENOMEM));
        assert!(pid.record().is_none());
        assert!(pid.register(GFP_NOWAIT).is_ok());
    }

    /// A kernel thread takes none but those that it asks for.
    #[test]
    fn signals_reach_the_task() {
        const SIGUSR1: c_int = bindings::SIGUSR1 as c_int;

        let is_pending = || current!().signal_pending();
        assert_eq!(current!().send_signal(SIGUSR1, PidType::Pid), Ok(()));
        assert!(!is_pending());
        allow_signal(SIGUSR1);
        for kind in [PidType::Pid, PidType::Tgid] {
            assert_eq!(current!().send_signal(SIGUSR1, kind), Ok(()));
            assert!(is_pending());
            flush_signals();
        }
        assert!(!is_pending());
    }

    #[test]
    fn invalid_signals_are_refused() {
        assert_eq!(current!().send_signal(0, PidType::Pid), Ok(()));
        assert_eq!(current!().send_signal(-1, PidType::Pid), Err(EINVAL));
        assert_eq!(current!().send_signal(65, PidType::Pid), Err(EINVAL));
    }

    #[test]
    fn clones_count() {
        let pid = me();
        // SAFETY: `pid` is valid.
        let count = || unsafe { (&raw const (*pid.as_ptr()).count.refs.counter).read_volatile() };
        // Who made this thread holds a reference until kernel_clone() ends, and may drop it
        // meanwhile. That happens once.
        let is_counted = || {
            let before = count();
            let other = pid.clone();
            let with = count();
            drop(other);
            with == before + 1 && count() == before
        };
        assert!(is_counted() || is_counted());
    }

    struct Count(Arc<Atomic<i32>>);

    impl Wake for Count {
        fn wake(&self, _pid: &Pid) {
            self.0.add(1, Relaxed);
        }
    }

    #[test]
    fn a_wake_up_calls_the_watch_until_it_is_dropped() {
        let pid = me();
        let woken = Arc::new(Atomic::new(0), GFP_KERNEL).unwrap();
        // SAFETY: The queue is valid; a wake-up for no reason is allowed.
        let wake = || unsafe {
            bindings::__wake_up(pid.wait_pidfd().as_ptr(), 3, 0, core::ptr::null_mut())
        };

        let watch =
            KBox::pin_init(Watch::new(pid.clone(), Count(woken.clone())), GFP_KERNEL).unwrap();
        assert!(watch.pid() == &*pid);
        assert!(pid.wait_pidfd().is_active());
        wake();
        assert_eq!(woken.load(Relaxed), 1);

        drop(watch);
        assert!(!pid.wait_pidfd().is_active());
        wake();
        assert_eq!(woken.load(Relaxed), 1);
    }
}
