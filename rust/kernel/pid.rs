// SPDX-License-Identifier: GPL-2.0

//! Process identifiers.
//!
//! A [`Pid`] stands for a process, a thread, a process group or a session without keeping it alive,
//! and never for another one that got the same number later.
//!
//! C header: [`include/linux/pid.h`](srctree/include/linux/pid.h)

use crate::{
    bindings,
    cred::Credential,
    error::to_result,
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
    marker::PhantomPinned,
    pin::Pin,
    ptr::{
        self,
        NonNull, //
    }, //
};
use pin_init::pinned_drop;

mod record;
pub use self::record::{
    Coredump,
    Dumpable,
    Exit,
    Record, //
};

/// A pid number, as user space knows it.
pub type PidNr = bindings::pid_t;

/// Signals, for [`Task::send_signal`].
pub mod signal {
    /// Kills the process. Cannot be blocked, ignored or handled.
    pub const SIGKILL: crate::ffi::c_int = crate::bindings::SIGKILL as crate::ffi::c_int;
}

/// What a task uses a [`Pid`] as.
#[doc(alias = "pid_type")]
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum PidType {
    /// Of the thread itself.
    Pid = bindings::pid_type_PIDTYPE_PID,
    /// Of its thread group, that is, its process.
    Tgid = bindings::pid_type_PIDTYPE_TGID,
    /// Of its process group.
    Pgid = bindings::pid_type_PIDTYPE_PGID,
    /// Of its session.
    Sid = bindings::pid_type_PIDTYPE_SID,
}

/// How far a process or thread has come.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It has not exited. A thread group leader that other threads of its group outlive has not
    /// exited in this sense: the last of them will announce it, or, having called exec, take over
    /// the leader's pid.
    Running,
    /// It has exited, and was not reaped.
    Exited,
    /// It was reaped.
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

// SAFETY: Through a shared reference we read what never changes after `alloc_pid()`, or call C
// functions that synchronise.
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

    /// Takes over the reference that a C function returned; [`None`] for null.
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

    /// Finds what has number `nr` in the pid namespace of the current task.
    ///
    /// Returns [`None`] when nothing has it.
    #[doc(alias = "find_get_pid")]
    #[inline]
    pub fn find_get(nr: PidNr) -> Option<ARef<Self>> {
        // SAFETY: `find_get_pid()` takes any number, and returns null or a reference.
        unsafe { Self::from_get(bindings::find_get_pid(nr)) }
    }

    /// Finds what has number `nr` in pid namespace `ns`.
    ///
    /// Returns [`None`] when nothing has it.
    #[doc(alias = "find_pid_ns")]
    pub fn find_get_ns(nr: PidNr, ns: &PidNamespace) -> Option<ARef<Self>> {
        let _rcu = rcu::read_lock();
        // SAFETY: The RCU read lock is held, under which the result is valid, and `ns` is valid.
        let pid = unsafe { bindings::find_pid_ns(nr, ns.as_ptr()) };
        // SAFETY: `get_pid()` takes null, or a `struct pid` as found under the RCU read lock: its
        // own reference on itself is dropped a grace period after it left the table.
        unsafe { Self::from_get(bindings::get_pid(pid)) }
    }

    /// Returns what `task` uses as `kind`.
    ///
    /// Returns [`None`] when the task has been reaped.
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

    /// Returns the number in the pid namespace of the current task, 0 outside its hierarchy.
    #[doc(alias = "pid_vnr")]
    #[inline]
    pub fn vnr(&self) -> PidNr {
        // SAFETY: By the type invariants, `self` is valid.
        unsafe { bindings::pid_vnr(self.as_ptr()) }
    }

    /// Returns the number in `ns`; 0 if `ns` is neither the namespace it was allocated in nor an
    /// ancestor of that.
    #[doc(alias = "pid_nr_ns")]
    #[inline]
    pub fn nr_ns(&self, ns: &PidNamespace) -> PidNr {
        // SAFETY: By the type invariants, `self` is valid, and so is `ns`.
        unsafe { bindings::pid_nr_ns(self.as_ptr(), ns.as_ptr()) }
    }

    /// Returns the depth of the pid namespace it was allocated in; 0 is the initial one.
    #[inline]
    pub fn level(&self) -> u32 {
        // SAFETY: By the type invariants, `self` is valid; `level` never changes.
        unsafe { (*self.as_ptr()).level }
    }

    /// Returns its numbers, from the initial pid namespace down to the one it was allocated in.
    #[inline]
    pub fn numbers(&self) -> impl DoubleEndedIterator<Item = PidNr> + ExactSizeIterator + '_ {
        // SAFETY: By the type invariants, `self` is valid. `numbers` has `level + 1` elements, none
        // of which changes once the pid can be found.
        let numbers = unsafe { (*self.as_ptr()).numbers.as_slice(self.level() as usize + 1) };
        numbers.iter().map(|upid| upid.nr)
    }

    /// Tells whether a task uses it as `kind`.
    ///
    /// Without a lock the answer may be out of date at once.
    #[doc(alias = "pid_has_task")]
    #[inline]
    pub fn has_task(&self, kind: PidType) -> bool {
        // SAFETY: By the type invariants, `self` is valid.
        unsafe { bindings::pid_has_task(self.as_ptr(), kind as u32) }
    }

    /// Returns the task that uses it as `kind`, as long as the RCU read lock is held.
    ///
    /// Of several, as in a process group, it is one of them. Returns [`None`] once there is none:
    /// for [`PidType::Pid`] and [`PidType::Tgid`], when the task has been reaped.
    #[doc(alias = "pid_task")]
    #[inline]
    pub fn task<'rcu>(&self, kind: PidType, _rcu: &'rcu rcu::Guard) -> Option<&'rcu Task> {
        // SAFETY: By the type invariants, `self` is valid. The RCU read lock is held.
        let task = unsafe { bindings::pid_task(self.as_ptr(), kind as u32) };
        // SAFETY: The task was attached under the RCU read lock, and a task's last reference is
        // dropped a grace period after it is detached: it stays counted for `'rcu`. `Task` is
        // `repr(transparent)`.
        unsafe { task.cast::<Task>().as_ref() }
    }

    /// Returns a reference to the task that uses it as `kind`, as [`Pid::task`] finds it.
    #[doc(alias = "get_pid_task")]
    #[inline]
    pub fn get_task(&self, kind: PidType) -> Option<ARef<Task>> {
        // SAFETY: By the type invariants, `self` is valid.
        let task = unsafe { bindings::get_pid_task(self.as_ptr(), kind as u32) };
        // SAFETY: `get_pid_task()` returns null or a reference that is ours; `Task` is
        // `repr(transparent)`.
        NonNull::new(task.cast()).map(|task| unsafe { ARef::from_raw(task) })
    }

    /// Returns how far the process or thread has come.
    ///
    /// A change is announced on [`Pid::wait_pidfd`]. Any context.
    #[inline]
    pub fn state(&self) -> State {
        let rcu = rcu::read_lock();

        let Some(task) = self.task(PidType::Pid, &rcu) else {
            return State::Reaped;
        };
        if task.exit_state() == 0 || task.delay_group_leader() {
            return State::Running;
        }
        // A thread that calls exec takes the pid from its leader, which has exited, and then makes
        // it a leader no more: `de_thread()`. Nothing orders the two for us, so a task that is no
        // leader may be found at the pid of a process. The process has not exited then.
        if !task.is_group_leader() && self.has_task(PidType::Tgid) {
            return State::Running;
        }
        State::Exited
    }

    /// Tells whether `task` uses it as [`PidType::Pid`].
    #[inline]
    pub fn is_used_by(&self, task: &Task) -> bool {
        // SAFETY: By the type invariants, both are valid.
        unsafe { bindings::pid_is_used_by(self.as_ptr(), task.as_ptr()) }
    }

    /// Tells whether it has a number in `ns`: it was allocated there, or in a namespace below.
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

    /// Returns the wait queue that is woken when the process or thread exits and when it is reaped.
    #[inline]
    pub fn wait_pidfd(&self) -> &WaitQueueHead {
        // SAFETY: By the type invariants, `self` is valid; `alloc_pid()` initialised its queue.
        unsafe { WaitQueueHead::from_raw(&raw mut (*self.as_ptr()).wait_pidfd) }
    }
}

impl PidNamespace {
    /// Returns how many pid namespaces are above this one; 0 for the initial one.
    #[inline]
    pub fn level(&self) -> u32 {
        // SAFETY: `self` is valid; `level` never changes.
        unsafe { (*self.as_ptr()).level }
    }
}

impl Task {
    /// Returns 0 while the task runs, and a combination of `EXIT_ZOMBIE` and `EXIT_DEAD` later.
    ///
    /// Without a lock the answer may be out of date at once, but never goes back to 0.
    #[inline]
    pub fn exit_state(&self) -> u32 {
        // SAFETY: By the type invariants, `self` is a valid task.
        unsafe { bindings::task_exit_state(self.as_ptr()) }
    }

    /// Sends signal `sig` from the kernel, to the thread or, for [`PidType::Tgid`], its process.
    ///
    /// Permissions are not looked at, and the signal cannot be blocked by a container's init. Any
    /// context that may take the task's signal lock with interrupts on or off.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`] if there is no such signal. 0 is allowed, and sends nothing.
    /// - [`ESRCH`] if the task is gone.
    #[doc(alias = "do_send_sig_info")]
    pub fn send_signal(&self, sig: c_int, kind: PidType) -> Result {
        // SAFETY: By the type invariants, `self` is a valid task. The helper checks the number.
        to_result(unsafe { bindings::send_sig_priv(sig, self.as_ptr(), kind as u32) })
    }

    /// Returns how the task ended, once nobody waits for it any more: reaped by its parent, or by
    /// itself.
    ///
    /// Unlike [`Record::exit`] it does so from the moment on at which this is settled. Who is woken
    /// by the exit of a task that nobody waits for may find no record yet, but finds this: it waits
    /// for `exit_notify()` to make up its mind. Takes `tasklist_lock`: not for [`Wake::wake`].
    pub fn final_exit(&self) -> Option<Exit> {
        if self.exit_state() == 0 {
            return None;
        }
        let mut exit_code = 0;
        // SAFETY: By the type invariants, `self` is a valid task, and `exit_code` is ours.
        unsafe { bindings::task_final_exit_code(self.as_ptr(), &mut exit_code) }.then(|| Exit {
            exit_code,
            cgroup_id: self.cgroup_id(),
        })
    }

    /// Returns the number of its parent in the pid namespace of the current task, 0 outside its
    /// hierarchy.
    #[doc(alias = "task_ppid_vnr")]
    #[inline]
    pub fn ppid_vnr(&self) -> PidNr {
        // SAFETY: By the type invariants, `self` is a valid task.
        unsafe { bindings::task_ppid_vnr(self.as_ptr()) }
    }

    /// Returns the number of its process in the pid namespace of the current task, 0 outside its
    /// hierarchy or once it has been reaped.
    #[doc(alias = "task_tgid_vnr")]
    #[inline]
    pub fn tgid_vnr(&self) -> PidNr {
        // SAFETY: By the type invariants, `self` is a valid task.
        unsafe { bindings::task_tgid_vnr(self.as_ptr()) }
    }

    /// Returns the task's credentials.
    #[doc(alias = "get_task_cred")]
    #[inline]
    pub fn get_cred(&self) -> ARef<Credential> {
        // SAFETY: By the type invariants, `self` is a valid task; each has credentials, and the
        // reference is ours. `Credential` is `repr(transparent)`.
        unsafe {
            let cred = bindings::get_task_cred(self.as_ptr()).cast_mut();
            ARef::from_raw(NonNull::new_unchecked(cred.cast()))
        }
    }

    /// Tells whether it is a thread of the kernel's own, or a worker in a user's process.
    #[inline]
    pub fn is_kernel_worker(&self) -> bool {
        // SAFETY: By the type invariants, `self` is a valid task.
        unsafe { bindings::task_is_kernel_worker(self.as_ptr()) }
    }

    /// Tells whether the task is the leader of its thread group.
    ///
    /// A leader ceases to be one when another thread of its group calls exec. Without a lock the
    /// answer may be out of date at once.
    #[doc(alias = "thread_group_leader")]
    #[inline]
    pub fn is_group_leader(&self) -> bool {
        // SAFETY: By the type invariants, `self` is a valid task.
        unsafe { bindings::thread_group_leader(self.as_ptr()) }
    }

    /// Tells whether the task is a thread group leader that other threads of its group outlive.
    ///
    /// Such a leader is not reported dead: the last of the other threads will be, or one of them
    /// calls exec and takes the leader's place.
    #[inline]
    pub fn delay_group_leader(&self) -> bool {
        // SAFETY: By the type invariants, `self` is a valid task.
        unsafe { bindings::delay_group_leader(self.as_ptr()) }
    }
}

/// What a [`Watch`] calls.
///
/// It borrows nothing: a [`Watch`] that is forgotten stays in the queue.
pub trait Wake: Send + Sync + 'static {
    /// Called when `pid` exits, and again when it is reaped, or for no reason at all.
    ///
    /// Atomic context: interrupts are off, the wait queue's lock is held and, depending on what
    /// happened, `tasklist_lock` for writing or the signal lock of the task. Must not sleep, nor
    /// touch the wait queue, and so must not call [`Pid::register`], [`Task::final_exit`] or
    /// [`Task::send_signal`].
    fn wake(&self, pid: &Pid);
}

/// Watches a [`Pid`] for the exit of its process or thread, until it is dropped.
///
/// # Examples
///
/// ```
/// use kernel::pid::{Pid, PidType, Wake, Watch};
///
/// struct Log;
///
/// impl Wake for Log {
///     fn wake(&self, pid: &Pid) {
///         pr_info!("something happened to {}\n", pid.nr());
///     }
/// }
///
/// let pid = Pid::of_task(current!(), PidType::Tgid).ok_or(ESRCH)?;
/// let watch = KBox::pin_init(Watch::new(pid.clone(), Log), GFP_KERNEL)?;
/// assert!(pid.wait_pidfd().is_active());
/// drop(watch);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// `entry` is in the wait queue of `pid`, and its `private` points at this value.
#[pin_data(PinnedDrop)]
pub struct Watch<T: Wake> {
    pid: ARef<Pid>,
    wake: T,
    #[pin]
    entry: Opaque<bindings::wait_queue_entry>,
    #[pin]
    _pin: PhantomPinned,
}

impl<T: Wake> Watch<T> {
    /// Starts to watch `pid`.
    ///
    /// What happened before is not reported: look at the pid after this to learn of it.
    pub fn new(pid: ARef<Pid>, wake: T) -> impl PinInit<Self> {
        pin_init!(&this in Self {
            pid,
            wake,
            _pin: PhantomPinned,
            // Comes last: from here on `wake` may be called.
            entry <- Opaque::ffi_init(|entry: *mut bindings::wait_queue_entry| {
                // INVARIANT: The entry goes into the queue of `pid`, with a pointer to `this`.
                // SAFETY: `entry` is ours to write. `this` is pinned, its other fields are
                // initialised, and its `drop()` takes the entry out of the queue, which `pid` keeps
                // in place until then.
                unsafe {
                    bindings::init_waitqueue_func_entry(entry, Some(Self::callback));
                    (*entry).private = this.as_ptr().cast();
                    bindings::add_wait_queue(this.as_ref().pid.wait_pidfd().as_ptr(), entry);
                }
            }),
        })
    }

    /// Returns what is watched.
    pub fn pid(&self) -> &Pid {
        &self.pid
    }

    /// # Safety
    ///
    /// Called by C with the `entry` of a `Watch<T>` that is in its queue.
    unsafe extern "C" fn callback(
        entry: *mut bindings::wait_queue_entry,
        _mode: c_uint,
        _flags: c_int,
        _key: *mut c_void,
    ) -> c_int {
        // SAFETY: By the type invariants, `private` points at the `Watch` that `entry` belongs to.
        // It is not dropped while the entry is in the queue, whose lock C holds.
        let this = unsafe { &*(*entry).private.cast::<Self>() };
        this.wake.wake(&this.pid);
        0
    }
}

#[pinned_drop]
impl<T: Wake> PinnedDrop for Watch<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariants, the entry is in this queue. Taking it out takes the
        // queue's lock, after which no callback runs any more.
        unsafe { bindings::remove_wait_queue(self.pid.wait_pidfd().as_ptr(), self.entry.get()) };
    }
}

// SAFETY: A wait queue entry may be taken out of its queue on any thread, and `T` is `Send`.
unsafe impl<T: Wake> Send for Watch<T> {}

// SAFETY: A shared reference gives access to `pid` only, which is `Sync`; `T` is `Sync`.
unsafe impl<T: Wake> Sync for Watch<T> {}

#[cfg(CONFIG_RUST_PID_KUNIT_TEST)]
#[macros::kunit_tests(rust_pid)]
pub(crate) mod tests {
    use super::*;
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
        // SAFETY: This thread is a process of its own, and nobody else changes its limits.
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

    /// A kernel thread that ends when it is told to.
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

        /// Returns when nobody waits for it any more, and its pid has no task.
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
    fn task_is_the_one_that_uses_it() {
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
    fn a_task_that_ended_has_no_pid() {
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
    fn a_task_that_awaits_its_parent_has_exited() {
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
        // SAFETY: The task is valid, and nobody else looks at how it ended.
        unsafe { (*(*task.as_ptr()).signal).group_exit_code |= 0x80 };
        let mut status = 0;
        // SAFETY: `status` is ours to write.
        assert_eq!(unsafe { bindings::kernel_wait(nr, &mut status) }, nr);
        assert_eq!(status, 0x2a80);
        assert_eq!(pid.state(), State::Reaped);
        assert_eq!(task.final_exit().map(|exit| exit.exit_code), Some(0x2a80));
    }

    #[test]
    fn a_watch_is_woken_by_the_end() {
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
    fn a_task_that_runs_is_running() {
        assert_eq!(me().state(), State::Running);
        assert!(me().is_used_by(current!()));
    }

    #[test]
    fn everything_is_in_the_initial_namespace() {
        let task = current!();
        assert!(me().is_in(task.active_pid_ns().unwrap()));
    }

    #[test]
    fn it_has_no_number_in_other_namespaces() {
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
        // SAFETY: Nobody else looks at the field.
        unsafe { (*task).fail_nth = 1 };
        assert_eq!(pid.register(GFP_NOWAIT).err(), Some(ENOMEM));
        assert!(pid.record().is_none());
        assert!(pid.register(GFP_NOWAIT).is_ok());
    }

    /// A kernel thread takes none but those that it asks for.
    #[test]
    fn signals_are_sent_to_who_takes_them() {
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
    fn signals_that_are_none_are_refused() {
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
    fn watch_is_woken_until_it_is_dropped() {
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
