// SPDX-License-Identifier: GPL-2.0

//! Unit tests of [`kernel::pid`](super).

#[macros::kunit_tests(rust_pid)]
mod cases {
    use super::super::{
        test_support::{
            allow_signal,
            flush_signals,
            me,
            Spare,
            Thread, //
        },
        *, //
    };
    use crate::{
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
        }, //
    };

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

    /// A zombie has exited, and reports no exit status.
    #[test]
    fn a_zombie_has_exited() {
        const SIGCHLD: c_int = bindings::SIGCHLD as c_int;

        extern "C" fn ends(_data: *mut c_void) -> c_int {
            // SAFETY: The new task runs nothing else.
            unsafe { bindings::do_exit(0x2a00) }
        }

        // SAFETY: Only the test uses this thread, which may wait for its children from here on.
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
        // The drop comes first: the reaping may still call the watch.
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

    /// A kernel thread ignores all signals that it has not allowed.
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
        // kernel_clone() in the parent of this thread holds a reference until it returns, and may
        // drop it between the two reads. That happens once.
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
