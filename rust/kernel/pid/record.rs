// SPDX-License-Identifier: GPL-2.0

//! What stays known of a process or thread when it is gone.
//!
//! C header: [`include/linux/pidfd_provider.h`](srctree/include/linux/pidfd_provider.h), which
//! tells how this and C's own state of a pid are kept true by each other.

use super::Pid;
use crate::{
    alloc::Flags,
    bindings,
    fs::{
        dentry::Stash,
        xattr::SimpleXattrs, //
    },
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        barrier::{
            smp_mb,
            Full,
            Read, //
        }, //
    },
    task::Task,
    types::Opaque, //
};
use core::{
    mem::ManuallyDrop,
    ptr::{
        self,
        NonNull, //
    }, //
};

/// What is in the place of a record for a pid that was reaped before anyone registered it.
fn dead<T>() -> *mut T {
    ESRCH.to_ptr()
}

/// Who may read the memory of a process, and a dump of it.
#[doc(alias = "task_dumpable")]
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Dumpable {
    /// Nobody: it does not dump core.
    Off,
    /// Its owner.
    Owner,
    /// Root.
    Root,
}

impl Dumpable {
    /// [`None`] if C has a value that this does not know.
    fn from_raw(dumpable: u32) -> Option<Self> {
        match dumpable {
            bindings::task_dumpable_TASK_DUMPABLE_OFF => Some(Self::Off),
            bindings::task_dumpable_TASK_DUMPABLE_OWNER => Some(Self::Owner),
            bindings::task_dumpable_TASK_DUMPABLE_ROOT => Some(Self::Root),
            _ => None,
        }
    }

    /// Returns the `PIDFD_COREDUMP_*` flag that says so.
    pub fn coredump_mask(self) -> u32 {
        match self {
            Self::Off => bindings::PIDFD_COREDUMP_SKIP,
            Self::Owner => bindings::PIDFD_COREDUMP_USER,
            Self::Root => bindings::PIDFD_COREDUMP_ROOT,
        }
    }
}

/// How a process or thread ended.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Its wait status, as `wait(2)` returns it.
    pub exit_code: i32,
    /// The id of its cgroup in the default hierarchy, 0 without `CONFIG_CGROUPS`.
    pub cgroup_id: u64,
}

/// How a process dumped core.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Coredump {
    /// `PIDFD_COREDUMP*` flags.
    pub mask: u32,
    /// The signal that caused it.
    pub signal: u32,
    /// The `si_code` of that signal.
    pub code: u32,
}

/// Wraps the kernel's `struct pidfd_record`: what stays known of a [`Pid`]. Thread safe.
///
/// Made by [`Pid::register`], and there as long as the pid is. What it says of the end of the
/// process is written once, whether or not a pidfd provider is registered then.
///
/// # Invariants
///
/// Instances belong to a [`Pid`], and are freed with it. `xattrs` points at a list head that is
/// freed with it too. The fields that `mask` announces are set before their bit in `mask`.
#[repr(transparent)]
pub struct Record(Opaque<bindings::pidfd_record>);

// SAFETY: A record is used from any thread, and freed on any.
unsafe impl Send for Record {}

// SAFETY: What changes is accessed atomically.
unsafe impl Sync for Record {}

macro_rules! atomic_field {
    ($name:ident: $type:ty) => {
        #[inline]
        fn $name(&self) -> &Atomic<$type> {
            // SAFETY: By the type invariants, `self` is valid as long as this borrow. Rust accesses
            // the field only in this way, and C as said in `fs/pidfs_provider.c`: before anyone
            // else can, or having seen the bit in `mask` that announces it.
            unsafe { Atomic::from_ptr(&raw mut (*self.0.get()).$name) }
        }
    };
}

impl Record {
    atomic_field!(mask: u32);
    atomic_field!(exit_code: i32);
    atomic_field!(cgroupid: u64);
    atomic_field!(coredump_mask: u32);
    atomic_field!(coredump_signal: u32);
    atomic_field!(coredump_code: u32);

    /// Returns how the process or thread ended; [`None`] as long as it has not been reaped.
    #[inline]
    pub fn exit(&self) -> Option<Exit> {
        (self.mask().load(Acquire) & bindings::PIDFD_RECORD_EXIT != 0).then(|| Exit {
            exit_code: self.exit_code().load(Relaxed),
            cgroup_id: self.cgroupid().load(Relaxed),
        })
    }

    /// As [`Record::exit`], for who has found before that no task has the pid.
    ///
    /// That a process or thread ended is written before its task is unhashed, so that this is set
    /// unless the pid never had a task.
    #[inline]
    pub fn exit_of_gone(&self) -> Option<Exit> {
        // Pairs with the barrier in `rust_pid_exit()`.
        smp_mb(Read);
        self.exit()
    }

    /// Returns how the process dumped core; [`None`] as long as it has not.
    #[inline]
    pub fn coredump(&self) -> Option<Coredump> {
        (self.mask().load(Acquire) & bindings::PIDFD_RECORD_COREDUMP != 0).then(|| Coredump {
            mask: self.coredump_mask().load(Relaxed),
            signal: self.coredump_signal().load(Relaxed),
            code: self.coredump_code().load(Relaxed),
        })
    }

    /// Announces what was written before.
    fn announce(&self, bit: u32) {
        // `pid->wait_pidfd.lock` is held.
        let mask = self.mask().load(Relaxed);
        self.mask().store(mask | bit, Release);
    }

    fn set_exit(&self, exit: Exit) {
        self.exit_code().store(exit.exit_code, Relaxed);
        self.cgroupid().store(exit.cgroup_id, Relaxed);
        self.announce(bindings::PIDFD_RECORD_EXIT);
    }

    fn set_coredump(&self, coredump: Coredump) {
        self.coredump_mask().store(coredump.mask, Relaxed);
        self.coredump_signal().store(coredump.signal, Relaxed);
        self.coredump_code().store(coredump.code, Relaxed);
        self.announce(bindings::PIDFD_RECORD_COREDUMP);
    }

    /// Returns where the dentry is stashed that stands for the pid in a file system.
    #[inline]
    pub fn stash(&self) -> &Stash {
        // SAFETY: By the type invariants, `self` is valid as long as this borrow, and only a
        // `Stash` uses the field.
        unsafe { Stash::from_raw(&raw mut (*self.0.get()).__bindgen_anon_1.stashed) }
    }

    /// Returns the extended attributes of the pid.
    #[inline]
    pub fn xattrs(&self) -> SimpleXattrs<'_> {
        // SAFETY: By the type invariants, the list head is valid as long as this borrow. All
        // changes to lists in this cache that belong to pids are made with this lock held.
        unsafe {
            SimpleXattrs::from_raw(
                (*self.0.get()).xattrs,
                bindings::pidfs_xattr_cache,
                &raw mut bindings::pidfd_provider_xattr_lock,
            )
        }
    }
}

/// A record that nobody can see yet.
///
/// # Invariants
///
/// It came from `pidfd_record_alloc()`, and nobody else has a pointer to it.
struct NewRecord(NonNull<bindings::pidfd_record>);

impl NewRecord {
    fn new(gfp: bindings::gfp_t) -> Result<Self> {
        // SAFETY: Any flags will do.
        let record = unsafe { bindings::pidfd_record_alloc(gfp) };
        // INVARIANT: It has just been allocated.
        NonNull::new(record).map(Self).ok_or(ENOMEM)
    }

    /// Gives up the record.
    fn into_raw(self) -> *mut bindings::pidfd_record {
        ManuallyDrop::new(self).0.as_ptr()
    }
}

impl Drop for NewRecord {
    fn drop(&mut self) {
        // SAFETY: By the type invariants it was allocated there, and is ours.
        unsafe { bindings::pidfd_record_free(self.0.as_ptr()) };
    }
}

impl Pid {
    /// Where the record of this pid is.
    #[inline]
    fn record_ptr(&self) -> &Atomic<*mut bindings::pidfd_record> {
        // SAFETY: By the type invariants, `self` is valid; after `alloc_pid()` the field is
        // accessed only in this way, and by C with `READ_ONCE()`.
        unsafe { Atomic::from_ptr(&raw mut (*self.as_ptr()).__bindgen_anon_1.record) }
    }

    /// Where C keeps what it knows of this pid.
    #[inline]
    fn attr_ptr(&self) -> &Atomic<*mut bindings::pidfs_attr> {
        // SAFETY: By the type invariants, `self` is valid; C writes this with the lock of
        // `wait_pidfd` held, and else reads it with `READ_ONCE()`.
        unsafe { Atomic::from_ptr(&raw mut (*self.as_ptr()).__bindgen_anon_1.attr) }
    }

    /// Returns what stays known of this pid, if it was [registered](Pid::register).
    #[inline]
    pub fn record(&self) -> Option<&Record> {
        let record = self.record_ptr().load(Acquire);
        // A pointer, neither null nor an error.
        if record.is_null() || record == dead() {
            return None;
        }
        // SAFETY: Once set, the record stays until the pid is freed. `Record` is
        // `repr(transparent)`.
        Some(unsafe { &*record.cast() })
    }

    /// Makes the kernel keep, from now on, how the process or thread ends, and returns where.
    ///
    /// A pidfd exists only for a `Pid` of which this has succeeded. Process context, may sleep.
    ///
    /// # Errors
    ///
    /// - [`ESRCH`] if it was reaped without ever having been registered.
    /// - [`ENOMEM`] if memory runs out.
    #[doc(alias = "pidfs_register_pid")]
    #[inline]
    pub fn register(&self, flags: Flags) -> Result<&Record> {
        match self.record() {
            Some(record) => Ok(record),
            None => self.register_slow(flags.as_raw()),
        }
    }

    #[cold]
    fn register_slow(&self, gfp: bindings::gfp_t) -> Result<&Record> {
        if self.record_ptr().load(Relaxed) == dead() {
            return Err(ESRCH);
        }
        let new = NewRecord::new(gfp)?;

        let _lock = self.wait_pidfd().lock_irq();
        let record = self.record_ptr().load(Relaxed);
        if record == dead() {
            return Err(ESRCH);
        }
        if record.is_null() {
            let attr = self.attr_ptr().load(Acquire);
            if attr == dead() {
                return Err(ESRCH);
            }
            if !attr.is_null() {
                // SAFETY: The lock is held, `attr` is neither null nor an error pointer, and the
                // new record is ours.
                unsafe { bindings::pidfs_attr_to_record(attr, new.0.as_ptr()) };
            }
            self.record_ptr().store(new.into_raw(), Release);
        }

        self.record().ok_or(ESRCH)
    }

    /// Tells whether anyone, in Rust or in C, has [registered](Pid::register) it, and it has not
    /// been reaped since.
    pub fn is_known(&self) -> bool {
        if let Some(record) = self.record() {
            return record.exit().is_none();
        }
        let attr = self.attr_ptr().load(Acquire);
        // SAFETY: Once set, `attr` is an error pointer, or valid until the pid is freed.
        !attr.is_null() && !unsafe { bindings::pidfs_attr_gone(attr) }
    }

    /// Finds what has inode number `ino`, unless it has been reaped.
    ///
    /// The number is unique among all pids that there ever are, see `pid->ino`.
    pub fn find_get_ino(ino: u64) -> Option<crate::sync::aref::ARef<Self>> {
        let _rcu = crate::sync::rcu::read_lock();
        // SAFETY: The RCU read lock is held, under which the result is valid.
        let pid = unsafe { bindings::pidfs_find_pid(ino) };
        // SAFETY: `get_pid()` takes null, or a `struct pid` as found under the RCU read lock: its
        // own reference on itself is dropped a grace period after it left the table.
        unsafe { Self::from_get(bindings::get_pid(pid)) }
    }

    /// Returns the number that stands for it in file systems: unique among all pids that there ever
    /// are. 0 while the process or thread is being made.
    #[inline]
    pub fn ino(&self) -> u64 {
        // SAFETY: By the type invariants, `self` is valid. `pidfs_add_pid()` sets the number when
        // the pid can be found by its others already, in one go.
        unsafe { Atomic::from_ptr(&raw mut (*self.as_ptr()).__bindgen_anon_1.ino) }.load(Relaxed)
    }
}

impl Task {
    /// Returns how the task would end, or ended: what is final once its exit state is `EXIT_DEAD`.
    ///
    /// For a thread group leader this is how its process ended, as `wait4(2)` reports it, whichever
    /// thread brought the end about.
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
    /// [`None`] if C has a value that this does not know.
    #[doc(alias = "task_exec_state_get_dumpable")]
    pub fn dumpable(&self) -> Option<Dumpable> {
        // SAFETY: By the type invariants, `self` is a valid task.
        Dumpable::from_raw(unsafe { bindings::task_exec_state_get_dumpable(self.as_ptr()) })
    }

    /// Returns the id of the task's cgroup in the default hierarchy, 0 without `CONFIG_CGROUPS`.
    #[doc(alias = "task_dfl_cgroup")]
    #[inline]
    pub fn cgroup_id(&self) -> u64 {
        // SAFETY: By the type invariants, `self` is a valid task.
        unsafe { bindings::task_dfl_cgroup_id(self.as_ptr()) }
    }
}

/// Called by C when somebody will want a pidfd of `pid`.
///
/// # Safety
///
/// `pid` must be valid. The context must allow to sleep.
#[export]
unsafe extern "C" fn rust_pid_register(pid: *mut bindings::pid, gfp: bindings::gfp_t) -> c_int {
    // SAFETY: The caller promises a valid pid.
    let pid = unsafe { Pid::from_raw(pid) };

    match pid.record() {
        Some(_) => 0,
        None => pid
            .register_slow(gfp)
            .map_or_else(|err| err.to_errno(), |_| 0),
    }
}

/// Called by C when `task`, whose pid is `pid`, is about to be unhashed.
///
/// # Safety
///
/// Both must be valid, and interrupts on.
#[export]
unsafe extern "C" fn rust_pid_exit(pid: *mut bindings::pid, task: *mut bindings::task_struct) {
    // SAFETY: The caller promises a valid pid.
    let pid = unsafe { Pid::from_raw(pid) };
    // SAFETY: The caller promises a valid task, and `Task` is `repr(transparent)`.
    let task = unsafe { &*task.cast::<Task>() };

    {
        let _lock = pid.wait_pidfd().lock_irq();
        match pid.record() {
            Some(record) => record.set_exit(task.exit_record()),
            None if pid.attr_ptr().load(Relaxed).is_null() => {
                // Nobody ever asked for a pidfd, and nobody shall get one: it could not tell how
                // the process ended.
                pid.attr_ptr().store(dead(), Relaxed);
                pid.record_ptr().store(dead(), Relaxed);
                return;
            }
            None => return,
        }
    }

    // Who sees that the task is unhashed must see what was written. Pairs with the barrier in
    // `Record::exit_of_gone()`.
    smp_mb(Full);
}

/// Called by C when the process of `pid` dumps core.
///
/// # Safety
///
/// `pid` must be valid, `info` too, and interrupts on.
#[export]
unsafe extern "C" fn rust_pid_coredump(
    pid: *mut bindings::pid,
    dumpable: c_uint,
    info: *const bindings::kernel_siginfo,
) {
    // SAFETY: The caller promises a valid pid.
    let pid = unsafe { Pid::from_raw(pid) };

    let coredump = Coredump {
        mask: bindings::PIDFD_COREDUMPED
            | Dumpable::from_raw(dumpable).map_or(0, Dumpable::coredump_mask),
        // SAFETY: The caller promises a valid `info`; every kind of signal has these.
        signal: unsafe { bindings::siginfo_signo(info) } as u32,
        // SAFETY: As above.
        code: unsafe { bindings::siginfo_code(info) } as u32,
    };
    let _lock = pid.wait_pidfd().lock_irq();
    if let Some(record) = pid.record() {
        record.set_coredump(coredump);
    }
}

/// Called by C when the last reference to `pid`, which has a record, is gone.
///
/// # Safety
///
/// `pid` must be valid, have a record, and nobody else must refer to it. Any context.
#[export]
unsafe extern "C" fn rust_pid_free(pid: *mut bindings::pid) {
    // SAFETY: The caller promises that nobody else uses the pid, so nobody else uses its record.
    unsafe { bindings::pidfd_record_free((*pid).__bindgen_anon_1.record) };
}

#[cfg(CONFIG_RUST_PID_KUNIT_TEST)]
#[macros::kunit_tests(rust_pid_record)]
mod tests {
    use super::*;
    use crate::{
        pid::{
            tests::{
                Spare,
                Thread, //
            },
            PidType, //
        },
        sync::aref::ARef, //
    };
    use core::mem::MaybeUninit;

    fn me() -> ARef<Pid> {
        Pid::of_task(current!(), PidType::Pid).unwrap()
    }

    /// A record that belongs to no pid.
    fn record() -> NewRecord {
        NewRecord::new(GFP_KERNEL.as_raw()).unwrap()
    }

    impl NewRecord {
        fn get(&self) -> &Record {
            // SAFETY: It is valid, knows nothing, and its list of attributes is its own.
            unsafe { self.0.cast().as_ref() }
        }
    }

    #[test]
    fn a_new_record_knows_nothing() {
        let new = record();
        assert_eq!(new.get().exit(), None);
        assert_eq!(new.get().exit_of_gone(), None);
        assert_eq!(new.get().coredump(), None);
        // SAFETY: The field is valid.
        assert!(unsafe { *new.get().stash().as_ptr() }.is_null());
    }

    #[test]
    fn an_exit_is_told_as_it_was_written() {
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
    fn a_coredump_is_told_as_it_was_written() {
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
    fn who_is_registered_is_known_and_found_by_its_inode_number() {
        let pid = me();
        assert!(pid.register(GFP_KERNEL).is_ok());
        assert!(pid.is_known());
        assert!(Pid::find_get_ino(pid.ino()).as_deref() == Some(&*pid));
        assert!(Pid::find_get_ino(0).is_none());
        assert!(Pid::find_get_ino(u64::MAX).is_none());
    }

    #[test]
    fn who_is_known_to_c_is_known() {
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
    fn who_is_reaped_before_it_is_registered_never_will_be() {
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
    fn who_is_reaped_is_known_no_more_but_how() {
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
    fn the_end_of_a_thread_is_recorded() {
        let thread = Thread::new();
        let pid = thread.pid();
        let record = pid.register(GFP_KERNEL).unwrap();
        assert_eq!(record.exit(), None);
        let task = thread.end();
        assert_eq!(record.exit_of_gone(), Some(task.exit_record()));
        assert!(!pid.is_known());
    }

    #[test]
    fn a_thread_that_ends_unregistered_is_not_registered() {
        let thread = Thread::new();
        let pid = thread.pid();
        thread.end();
        assert_eq!(pid.register(GFP_KERNEL).err(), Some(ESRCH));
    }

    #[test]
    fn a_coredump_is_written_to_who_has_a_record() {
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
    fn a_task_that_runs_has_no_final_exit() {
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
    fn dumpable_is_one_of_c_s_values() {
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
    fn attributes_are_the_record_s_own() {
        let new = record();
        let xattrs = new.get().xattrs();
        assert!(xattrs.set(c"trusted.a".into(), Some(b"x"), 0).is_ok());
        assert_eq!(xattrs.set(c"trusted.a".into(), Some(b"y"), 1), Err(EEXIST));
        assert_eq!(xattrs.set(c"trusted.b".into(), Some(b"y"), 2), Err(ENODATA));
        assert!(xattrs.set(c"trusted.a".into(), None, 0).is_ok());
        assert_eq!(xattrs.set(c"trusted.a".into(), None, 2), Err(ENODATA));
    }
}
