// SPDX-License-Identifier: GPL-2.0

//! Records of the exit and the coredump of a process or thread.
//!
//! C header: [`include/linux/pidfd_provider.h`](srctree/include/linux/pidfd_provider.h), which
//! describes how records and the C state of a pid are kept consistent.

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

#[cfg(CONFIG_RUST_PID_KUNIT_TEST)]
mod tests;

/// The error pointer in place of the record of a pid that was reaped before its registration.
fn dead<T>() -> *mut T {
    ESRCH.to_ptr()
}

/// The users who may read the memory of a process, and its coredump.
///
/// # Examples
///
/// ```
/// use kernel::pid::Dumpable;
///
/// if current!().dumpable() == Some(Dumpable::Off) {
///     pr_info!("the current process dumps no core\n");
/// }
/// ```
#[doc(alias = "task_dumpable")]
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Dumpable {
    /// No user: the process dumps no core.
    Off,
    /// The owner of the process.
    Owner,
    /// Root.
    Root,
}

impl Dumpable {
    /// Returns [`None`] for a value of C that has no counterpart here.
    pub(super) fn from_raw(dumpable: u32) -> Option<Self> {
        match dumpable {
            bindings::task_dumpable_TASK_DUMPABLE_OFF => Some(Self::Off),
            bindings::task_dumpable_TASK_DUMPABLE_OWNER => Some(Self::Owner),
            bindings::task_dumpable_TASK_DUMPABLE_ROOT => Some(Self::Root),
            _ => None,
        }
    }

    /// Returns the corresponding `PIDFD_COREDUMP_*` flag.
    pub fn coredump_mask(self) -> u32 {
        match self {
            Self::Off => bindings::PIDFD_COREDUMP_SKIP,
            Self::Owner => bindings::PIDFD_COREDUMP_USER,
            Self::Root => bindings::PIDFD_COREDUMP_ROOT,
        }
    }
}

/// The exit of a process or thread.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The wait status, as `wait(2)` returns it.
    pub exit_code: i32,
    /// The id of the cgroup in the default hierarchy, or 0 without `CONFIG_CGROUPS`.
    pub cgroup_id: u64,
}

/// The coredump of a process.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Coredump {
    /// `PIDFD_COREDUMP*` flags.
    pub mask: u32,
    /// The signal that caused the coredump.
    pub signal: u32,
    /// The `si_code` of that signal.
    pub code: u32,
}

/// Wraps the kernel's `struct pidfd_record`, which belongs to a [`Pid`]. Thread safe.
///
/// [`Pid::register`] makes the record, which exists as long as the pid. The exit is written once,
/// whether a pidfd provider is registered or not.
///
/// # Examples
///
/// ```
/// use kernel::pid::{Pid, PidType};
///
/// let pid = Pid::of_task(current!(), PidType::Pid).ok_or(ESRCH)?;
/// let record = pid.register(GFP_KERNEL)?;
/// // The current task has not been reaped.
/// assert_eq!(record.exit(), None);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// - Instances belong to a [`Pid`], and are freed with it.
/// - `xattrs` points at a list head that is freed with the pid.
/// - Fields are set before their bit in `mask`.
#[repr(transparent)]
pub struct Record(Opaque<bindings::pidfd_record>);

// SAFETY: Any thread may use or free a record.
unsafe impl Send for Record {}

// SAFETY: Fields that change are accessed atomically.
unsafe impl Sync for Record {}

macro_rules! atomic_field {
    ($name:ident: $type:ty) => {
        #[inline]
        fn $name(&self) -> &Atomic<$type> {
            // SAFETY: By the type invariants, `self` is valid as long as this borrow. Rust accesses
            // the field only atomically. C writes it before the record is visible, and reads it
            // after an acquire load of its bit in `mask`, see `fs/pidfs_provider.c`.
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

    /// Returns the exit, or [`None`] if the process or thread has not been reaped.
    ///
    /// Any context.
    #[inline]
    pub fn exit(&self) -> Option<Exit> {
        (self.mask().load(Acquire) & bindings::PIDFD_RECORD_EXIT != 0).then(|| Exit {
            exit_code: self.exit_code().load(Relaxed),
            cgroup_id: self.cgroupid().load(Relaxed),
        })
    }

    /// Returns the exit. The caller has found before that no task uses the pid.
    ///
    /// The exit is recorded before the task is unhashed, so the result is [`None`] only if no task
    /// ever used the pid. Any context.
    #[inline]
    pub fn exit_of_gone(&self) -> Option<Exit> {
        // Pairs with the barrier in `rust_pid_exit()`.
        smp_mb(Read);
        self.exit()
    }

    /// Returns the coredump, or [`None`] if the process has not dumped core.
    ///
    /// Any context.
    #[inline]
    pub fn coredump(&self) -> Option<Coredump> {
        (self.mask().load(Acquire) & bindings::PIDFD_RECORD_COREDUMP != 0).then(|| Coredump {
            mask: self.coredump_mask().load(Relaxed),
            signal: self.coredump_signal().load(Relaxed),
            code: self.coredump_code().load(Relaxed),
        })
    }

    /// Sets `bit` in the mask, after its fields. `pid->wait_pidfd.lock` is held.
    fn announce(&self, bit: u32) {
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

    /// Returns the stash for the dentry of the pid.
    #[inline]
    pub fn stash(&self) -> &Stash {
        // SAFETY: By the type invariants, `self` is valid as long as this borrow, and only a
        // `Stash` uses the field.
        unsafe { Stash::from_raw(&raw mut (*self.0.get()).__bindgen_anon_1.stashed) }
    }

    /// Returns the extended attributes of the pid.
    #[inline]
    pub fn xattrs(&self) -> SimpleXattrs<'_> {
        // SAFETY: By the type invariants, the list head is valid as long as this borrow. C and Rust
        // hold this lock for each change of a list that belongs to a pid.
        unsafe {
            SimpleXattrs::from_raw(
                (*self.0.get()).xattrs,
                bindings::pidfs_xattr_cache,
                &raw mut bindings::pidfd_provider_xattr_lock,
            )
        }
    }
}

/// A record that is not visible yet.
///
/// # Invariants
///
/// `pidfd_record_alloc()` returned the pointer, and no copy of it exists.
struct NewRecord(NonNull<bindings::pidfd_record>);

impl NewRecord {
    fn new(gfp: bindings::gfp_t) -> Result<Self> {
        // SAFETY: `pidfd_record_alloc()` takes any flags.
        let record = unsafe { bindings::pidfd_record_alloc(gfp) };
        // INVARIANT: The pointer was returned above.
        NonNull::new(record).map(Self).ok_or(ENOMEM)
    }

    /// Returns the pointer, which the caller owns.
    fn into_raw(self) -> *mut bindings::pidfd_record {
        ManuallyDrop::new(self).0.as_ptr()
    }
}

impl Drop for NewRecord {
    fn drop(&mut self) {
        // SAFETY: By the type invariants this is the only pointer to the record.
        unsafe { bindings::pidfd_record_free(self.0.as_ptr()) };
    }
}

impl Pid {
    /// Returns the field for the record.
    #[inline]
    fn record_ptr(&self) -> &Atomic<*mut bindings::pidfd_record> {
        // SAFETY: By the type invariants, `self` is valid; after `alloc_pid()` the field is
        // accessed only in this way, and by C with `READ_ONCE()`.
        unsafe { Atomic::from_ptr(&raw mut (*self.as_ptr()).__bindgen_anon_1.record) }
    }

    /// Returns the field for the C state.
    #[inline]
    fn attr_ptr(&self) -> &Atomic<*mut bindings::pidfs_attr> {
        // SAFETY: By the type invariants, `self` is valid. C writes the field with the lock of
        // `wait_pidfd` held, and reads it with `READ_ONCE()`.
        unsafe { Atomic::from_ptr(&raw mut (*self.as_ptr()).__bindgen_anon_1.attr) }
    }

    /// Returns the record, if the pid is [registered](Pid::register).
    ///
    /// Any context.
    #[inline]
    pub fn record(&self) -> Option<&Record> {
        let record = self.record_ptr().load(Acquire);
        if record.is_null() || record == dead() {
            return None;
        }
        // SAFETY: Once set, the record stays until the pid is freed. `Record` is
        // `repr(transparent)`.
        Some(unsafe { &*record.cast() })
    }

    /// Registers the pid, so that its exit will be recorded, and returns the record.
    ///
    /// A pidfd exists only for a registered pid. Process context, may sleep if `flags` allow it.
    ///
    /// # Errors
    ///
    /// - [`ESRCH`] if the process or thread was reaped before the first registration.
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
                // SAFETY: The lock is held, `attr` is neither null nor an error pointer, and no one
                // else has the new record.
                unsafe { bindings::pidfs_attr_to_record(attr, new.0.as_ptr()) };
            }
            self.record_ptr().store(new.into_raw(), Release);
        }

        self.record().ok_or(ESRCH)
    }

    /// Returns true if C or Rust has [registered](Pid::register) the pid, and it has not been
    /// reaped.
    ///
    /// Any context.
    pub fn is_known(&self) -> bool {
        if let Some(record) = self.record() {
            return record.exit().is_none();
        }
        let attr = self.attr_ptr().load(Acquire);
        // SAFETY: A non-null `attr` is an error pointer, or valid until the pid is freed.
        !attr.is_null() && !unsafe { bindings::pidfs_attr_gone(attr) }
    }

    /// Finds the pid with inode number `ino`, unless it has been reaped.
    ///
    /// The kernel never gives the number to another pid, see `pid->ino`. Any context.
    pub fn find_get_ino(ino: u64) -> Option<crate::sync::aref::ARef<Self>> {
        let _rcu = crate::sync::rcu::read_lock();
        // SAFETY: The RCU read lock is held.
        let pid = unsafe { bindings::pidfs_find_pid(ino) };
        // SAFETY: `get_pid()` accepts null. A `struct pid` that was found under the RCU read lock
        // has a reference: the one of the table is dropped a grace period after the removal.
        unsafe { Self::from_get(bindings::get_pid(pid)) }
    }

    /// Returns the inode number, which the kernel never gives to another pid.
    ///
    /// 0 while the process or thread is being created.
    #[inline]
    pub fn ino(&self) -> u64 {
        // SAFETY: By the type invariants, `self` is valid. `pidfs_add_pid()` may set the field at
        // the same time, with a single store.
        unsafe { Atomic::from_ptr(&raw mut (*self.as_ptr()).__bindgen_anon_1.ino) }.load(Relaxed)
    }
}

/// Registers `pid`, for a later request for a pidfd.
///
/// # Safety
///
/// `pid` must be valid. Process context, may sleep if `gfp` allows it.
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

/// Records the exit of `task`, which uses `pid`, before the task is unhashed.
///
/// # Safety
///
/// Both must be valid, and interrupts enabled.
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
                // The pid was never registered. Refuse later requests for a pidfd: it could not
                // report the exit status.
                pid.attr_ptr().store(dead(), Relaxed);
                pid.record_ptr().store(dead(), Relaxed);
                return;
            }
            None => return,
        }
    }

    // A CPU that finds the task unhashed must find the exit. Pairs with the barrier in
    // `Record::exit_of_gone()`.
    smp_mb(Full);
}

/// Records the coredump of the process of `pid`.
///
/// # Safety
///
/// `pid` and `info` must be valid, and interrupts enabled.
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
        // SAFETY: The caller promises a valid `info`. Every signal has this field.
        signal: unsafe { bindings::siginfo_signo(info) } as u32,
        // SAFETY: As above.
        code: unsafe { bindings::siginfo_code(info) } as u32,
    };
    let _lock = pid.wait_pidfd().lock_irq();
    if let Some(record) = pid.record() {
        record.set_coredump(coredump);
    }
}

/// Frees the record of `pid`, after the last reference to the pid is gone. Any context.
///
/// # Safety
///
/// `pid` must be valid and have a record, and no reference to it must exist.
#[export]
unsafe extern "C" fn rust_pid_free(pid: *mut bindings::pid) {
    // SAFETY: The caller promises that no reference to the pid exists, so no one uses the record.
    unsafe { bindings::pidfd_record_free((*pid).__bindgen_anon_1.record) };
}
