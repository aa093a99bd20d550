// SPDX-License-Identifier: GPL-2.0

//! Unit tests of [`kernel::namespace`](super).

#[macros::kunit_tests(rust_namespace)]
mod cases {
    use super::super::*;
    use crate::{
        pid::{
            test_support::{
                allow_signal,
                flush_signals,
                without_descriptors,
                Thread, //
            },
            PidType, //
        },
        sync::atomic::{
            Acquire,
            Atomic,
            Release, //
        },
        time::{
            delay::fsleep,
            Delta, //
        },
        workqueue, //
    };

    const ALL: [Kind; 10] = [
        Kind::Cgroup,
        Kind::Ipc,
        Kind::Mnt,
        Kind::Net,
        Kind::Pid,
        Kind::PidForChildren,
        Kind::Time,
        Kind::TimeForChildren,
        Kind::User,
        Kind::Uts,
    ];

    #[test]
    fn a_task_may_inspect_itself() {
        let task = current!();
        assert!(task
            .lock_exec_update_killable()
            .unwrap()
            .may_read_by_fscreds());
    }

    #[test]
    fn a_namespace_reference_is_counted() {
        let task = current!();
        let guard = task.lock_exec_update_killable().unwrap();
        for kind in ALL {
            let ns = guard.namespace(kind).unwrap();
            assert!(ns.is_some() || !matches!(kind, Kind::Mnt));
        }
    }

    #[test]
    fn an_exited_task_has_no_namespaces() {
        let task = Thread::new().end();
        let guard = task.lock_exec_update_killable().unwrap();
        for kind in ALL {
            assert_eq!(guard.namespace(kind).err(), Some(ESRCH));
        }
    }

    /// As of `execve(2)`, by a work item.
    #[test]
    fn a_signal_ends_the_wait_for_the_lock() {
        const SIGKILL: c_int = bindings::SIGKILL as c_int;
        static STATE: Atomic<i32> = Atomic::new(0);
        const LOCKED: i32 = 1;
        const LET_GO: i32 = 2;

        let thread = Thread::new();
        let task = thread.task();
        // SAFETY: The task is valid, and has a `signal` as long as it.
        let lock = unsafe { &raw mut (*(*task.as_ptr()).signal).exec_update_lock } as usize;
        STATE.store(0, Release);
        workqueue::system()
            .try_spawn(GFP_KERNEL, move || {
                let lock = lock as *mut bindings::rw_semaphore;
                // SAFETY: The task stays until this has ended, for which the test waits.
                unsafe { bindings::down_write(lock) };
                STATE.store(LOCKED, Release);
                while STATE.load(Acquire) != LET_GO {
                    fsleep(Delta::from_millis(1));
                }
                // SAFETY: The lock was taken above.
                unsafe { bindings::up_write(lock) };
            })
            .unwrap();
        while STATE.load(Acquire) != LOCKED {
            fsleep(Delta::from_millis(1));
        }

        allow_signal(SIGKILL);
        assert_eq!(current!().send_signal(SIGKILL, PidType::Pid), Ok(()));
        let killed = task.lock_exec_update_killable().err();
        flush_signals();
        STATE.store(LET_GO, Release);
        let waited = task.lock_exec_update_killable().is_ok();
        assert_eq!(killed, Some(EINTR));
        assert!(waited);
        thread.end();
    }

    /// This thread's namespaces, those that the kernel does not have left out.
    fn mine() -> impl Iterator<Item = Namespace> {
        ALL.into_iter().filter_map(|kind| {
            let task = current!();
            let guard = task.lock_exec_update_killable().unwrap();
            guard.namespace(kind).unwrap()
        })
    }

    #[test]
    fn opening_a_namespace_needs_a_descriptor() {
        for ns in mine() {
            assert_eq!(without_descriptors(|| ns.open()).err(), Some(EMFILE));
        }
    }

    #[test]
    fn an_opened_namespace_has_a_descriptor() {
        for ns in mine() {
            let fd = ns.open().unwrap();
            // SAFETY: The descriptor was installed just now.
            assert_eq!(unsafe { bindings::close_fd(fd) }, 0);
        }
    }
}
