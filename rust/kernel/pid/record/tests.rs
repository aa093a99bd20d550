// SPDX-License-Identifier: GPL-2.0

//! Unit tests of records.

#[macros::kunit_tests(rust_pid_record)]
mod cases {
    use super::super::*;
    use crate::pid::test_support::{
        me,
        Spare,
        Thread, //
    };
    use core::mem::MaybeUninit;

    /// A record that belongs to no pid.
    fn record() -> NewRecord {
        NewRecord::new(GFP_KERNEL.as_raw()).unwrap()
    }

    impl NewRecord {
        fn get(&self) -> &Record {
            // SAFETY: The record is valid, and empty, and its list of attributes is `own_xattrs`.
            unsafe { self.0.cast().as_ref() }
        }
    }

    #[test]
    fn a_new_record_is_empty() {
        let new = record();
        assert_eq!(new.get().exit(), None);
        assert_eq!(new.get().exit_of_gone(), None);
        assert_eq!(new.get().coredump(), None);
        // SAFETY: The field is valid.
        assert!(unsafe { *new.get().stash().as_ptr() }.is_null());
    }

    #[test]
    fn an_exit_reads_as_written() {
        let new = record();
        let exit = Exit {
            exit_code: 0x2a00,
            cgroup_id: u64::MAX - 1,
        };
        new.get().set_exit(exit);
        assert_eq!(new.get().exit(), Some(exit));
        assert_eq!(new.get().exit_of_gone(), Some(exit));
        assert_eq!(new.get().coredump(), None);
    }

    #[test]
    fn a_coredump_reads_as_written() {
        let new = record();
        let coredump = Coredump {
            mask: bindings::PIDFD_COREDUMPED | bindings::PIDFD_COREDUMP_ROOT,
            signal: 11,
            code: 2,
        };
        new.get().set_coredump(coredump);
        assert_eq!(new.get().coredump(), Some(coredump));
        assert_eq!(new.get().exit(), None);
    }

    #[test]
    fn register_returns_the_same_record_each_time() {
        let first: *const Record = me().register(GFP_KERNEL).unwrap();
        assert!(ptr::eq(first, me().register(GFP_KERNEL).unwrap()));
        assert!(me().record().is_some_and(|record| ptr::eq(first, record)));
        assert_eq!(me().record().and_then(|record| record.exit()), None);
    }

    #[test]
    fn a_registered_pid_is_found_by_inode_number() {
        let pid = me();
        assert!(pid.register(GFP_KERNEL).is_ok());
        assert!(pid.is_known());
        assert!(Pid::find_get_ino(pid.ino()).as_deref() == Some(&*pid));
        assert!(Pid::find_get_ino(0).is_none());
        assert!(Pid::find_get_ino(u64::MAX).is_none());
    }

    #[test]
    fn a_pid_registered_by_c_is_known() {
        let pid = Spare::new();
        assert!(!pid.is_known());
        // SAFETY: The pid is valid.
        let ret = unsafe { bindings::pidfs_register_pid_gfp(pid.as_ptr(), GFP_KERNEL.as_raw()) };
        assert_eq!(ret, 0);
        assert!(pid.record().is_none());
        assert!(pid.is_known());
        // The attributes are then C's, which frees them.
        let xattrs = pid.register(GFP_KERNEL).unwrap().xattrs();
        assert!(xattrs.set(c"trusted.a".into(), Some(b"x"), 0).is_ok());
    }

    #[test]
    fn c_registers_once() {
        let pid = Spare::new();
        // SAFETY: The pid is valid.
        let register = || unsafe { rust_pid_register(pid.as_ptr(), GFP_KERNEL.as_raw()) };
        assert_eq!(register(), 0);
        let first: *const Record = pid.record().unwrap();
        assert_eq!(register(), 0);
        assert!(ptr::eq(first, pid.record().unwrap()));
    }

    #[test]
    fn a_pid_reaped_unregistered_cannot_be_registered() {
        let pid = Spare::new();
        let task = current!();
        // SAFETY: Both are valid.
        unsafe { rust_pid_exit(pid.as_ptr(), task.as_ptr()) };
        assert!(pid.record().is_none());
        assert!(!pid.is_known());
        assert_eq!(pid.register(GFP_KERNEL).err(), Some(ESRCH));
        // SAFETY: The pid is valid.
        let ret = unsafe { rust_pid_register(pid.as_ptr(), GFP_KERNEL.as_raw()) };
        assert_eq!(ret, ESRCH.to_errno());
        // SAFETY: As above.
        let ret = unsafe { bindings::pidfs_register_pid_gfp(pid.as_ptr(), GFP_KERNEL.as_raw()) };
        assert_eq!(ret, ESRCH.to_errno());
    }

    #[test]
    fn a_reaped_pid_has_an_exit_and_is_not_known() {
        let pid = Spare::new();
        let record = pid.register(GFP_KERNEL).unwrap();
        assert!(pid.is_known());
        let task = current!();
        // SAFETY: Both are valid.
        unsafe { rust_pid_exit(pid.as_ptr(), task.as_ptr()) };
        assert!(!pid.is_known());
        assert_eq!(record.exit(), Some(task.exit_record()));
        assert_eq!(record.exit_of_gone(), record.exit());
        assert!(ptr::eq(record, pid.register(GFP_KERNEL).unwrap()));
    }

    #[test]
    fn a_thread_exit_is_recorded() {
        let thread = Thread::new();
        let pid = thread.pid();
        let record = pid.register(GFP_KERNEL).unwrap();
        assert_eq!(record.exit(), None);
        let task = thread.end();
        assert_eq!(record.exit_of_gone(), Some(task.exit_record()));
        assert!(!pid.is_known());
    }

    #[test]
    fn an_unregistered_thread_exit_is_not_recorded() {
        let thread = Thread::new();
        let pid = thread.pid();
        thread.end();
        assert_eq!(pid.register(GFP_KERNEL).err(), Some(ESRCH));
    }

    #[test]
    fn a_coredump_is_written_to_a_record() {
        let mut info = MaybeUninit::<bindings::kernel_siginfo>::zeroed();
        // SAFETY: Zeroes are a `kernel_siginfo`.
        let info = unsafe { info.assume_init_mut() };
        info.__bindgen_anon_1.si_signo = 11;
        info.__bindgen_anon_1.si_code = -6;
        let pid = Spare::new();
        let dump = |dumpable| {
            // SAFETY: Both are valid.
            unsafe { rust_pid_coredump(pid.as_ptr(), dumpable, &raw const *info) }
        };

        dump(bindings::task_dumpable_TASK_DUMPABLE_ROOT);
        assert!(pid.record().is_none());
        let record = pid.register(GFP_KERNEL).unwrap();
        assert_eq!(record.coredump(), None);
        dump(bindings::task_dumpable_TASK_DUMPABLE_ROOT);
        let coredump = Coredump {
            mask: bindings::PIDFD_COREDUMPED | bindings::PIDFD_COREDUMP_ROOT,
            signal: 11,
            code: -6i32 as u32,
        };
        assert_eq!(record.coredump(), Some(coredump));
        dump(u32::MAX);
        assert_eq!(
            record.coredump().map(|coredump| coredump.mask),
            Some(bindings::PIDFD_COREDUMPED)
        );
    }

    #[test]
    fn a_live_task_has_no_final_exit() {
        assert_eq!(current!().final_exit(), None);
    }

    #[test]
    fn the_cgroup_of_a_kernel_thread_is_the_root() {
        assert_eq!(
            current!().cgroup_id(),
            if cfg!(CONFIG_CGROUPS) { 1 } else { 0 }
        );
        assert_eq!(current!().exit_record().cgroup_id, current!().cgroup_id());
    }

    #[test]
    fn dumpable_has_the_values_of_c() {
        assert!(current!().dumpable().is_some());
        assert_eq!(Dumpable::from_raw(u32::MAX), None);
        assert_eq!(
            Dumpable::from_raw(bindings::task_dumpable_TASK_DUMPABLE_ROOT).unwrap(),
            Dumpable::Root
        );
        assert_eq!(Dumpable::Off.coredump_mask(), bindings::PIDFD_COREDUMP_SKIP);
        assert_eq!(
            Dumpable::Owner.coredump_mask(),
            bindings::PIDFD_COREDUMP_USER
        );
        assert_eq!(
            Dumpable::Root.coredump_mask(),
            bindings::PIDFD_COREDUMP_ROOT
        );
    }

    #[test]
    fn a_record_has_its_own_attributes() {
        let new = record();
        let xattrs = new.get().xattrs();
        assert!(xattrs.set(c"trusted.a".into(), Some(b"x"), 0).is_ok());
        assert_eq!(xattrs.set(c"trusted.a".into(), Some(b"y"), 1), Err(EEXIST));
        assert_eq!(xattrs.set(c"trusted.b".into(), Some(b"y"), 2), Err(ENODATA));
        assert!(xattrs.set(c"trusted.a".into(), None, 0).is_ok());
        assert_eq!(xattrs.set(c"trusted.a".into(), None, 2), Err(ENODATA));
    }
}
