// SPDX-License-Identifier: GPL-2.0

//! Pid file descriptors.
//!
//! [`PidFd`] is a pidfd for user space in the making. [`Provider`] is an implementation of pidfds.
//!
//! C headers: [`include/linux/pid.h`](srctree/include/linux/pid.h) and
//! [`include/linux/pidfd_provider.h`](srctree/include/linux/pidfd_provider.h)

use crate::{
    bindings,
    error::{
        from_err_ptr,
        to_result, //
    },
    fs::{
        file::{
            flags::O_CLOEXEC,
            FileDescriptorReservation, //
        },
        File,
        LocalFile, //
    },
    pid::Pid,
    prelude::*,
    sync::aref::ARef,
    uaccess::UserPtr, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};

pub mod counts;
mod provider;
pub mod uapi;
pub use self::provider::{
    Provider,
    ProviderTable,
    Registration, //
};

#[cfg(CONFIG_RUST_PID_KUNIT_TEST)]
mod tests;

/// Flags of a pidfd, which are flags of its file.
///
/// C header: [`include/uapi/linux/pidfd.h`](srctree/include/uapi/linux/pidfd.h)
pub mod flags {
    /// `waitid(2)` on the pidfd does not block.
    pub const PIDFD_NONBLOCK: u32 = crate::bindings::PIDFD_NONBLOCK;

    /// The pidfd refers to a thread.
    pub const PIDFD_THREAD: u32 = crate::bindings::PIDFD_THREAD;

    /// The process may have been reaped. The file does not keep this flag.
    pub const PIDFD_STALE: u32 = crate::bindings::PIDFD_STALE;

    /// The last close of the pidfd kills the process.
    pub const PIDFD_AUTOKILL: u32 = crate::bindings::PIDFD_AUTOKILL;
}

/// Returns the pid of pidfd `fd` of the current task, and the flags of its file.
///
/// Process context.
///
/// # Errors
///
/// [`EBADF`] if `fd` is not open, or is not a pidfd.
#[doc(alias = "pidfd_get_pid")]
pub fn get_pid(fd: u32) -> Result<(ARef<Pid>, u32)> {
    let file = LocalFile::fget(fd)?;
    // SAFETY: `file` holds a reference to a valid file.
    let pid = from_err_ptr(unsafe { bindings::pidfd_pid(file.as_ptr()) })?;
    // SAFETY: `file` is a pidfd, which holds a reference to its `struct pid`.
    let pid = unsafe { Pid::from_raw(pid) };
    Ok((pid.into(), file.flags()))
}

/// Returns the device number of the file system of C pidfds, in the format of the kernel.
///
/// A provider reports this number for its own pidfds, so that `st_dev` and `st_ino` are equal for
/// all pidfds of a process.
#[inline]
pub fn device() -> bindings::dev_t {
    // SAFETY: An initcall sets it before Rust code runs, and it does not change later.
    unsafe { bindings::pidfs_device }
}

/// The state of a [`PidFd`] with a reserved descriptor.
pub struct Reserved(());

/// The state of a [`PidFd`] whose number has been written to user memory.
pub struct Published(());

/// A pidfd in the making: a file, and a descriptor that is reserved for it.
///
/// The steps are *reserve*, *publish* (optional; writes the number to user memory) and *install*.
/// Other threads of the process cannot use the descriptor before it is installed, and an installed
/// descriptor is never undone. Dropping a `PidFd` frees the descriptor and the file. A number in
/// user memory is not erased.
///
/// Belongs to the current task, in whose table the descriptor is reserved.
///
/// # Examples
///
/// ```
/// use kernel::pid::{Pid, PidType};
/// use kernel::pidfd::PidFd;
///
/// let pid = Pid::of_task(current!(), PidType::Tgid).ok_or(ESRCH)?;
/// let pidfd = PidFd::prepare(&pid, 0)?;
/// let fd = pidfd.fd();
///
/// // The descriptor is not installed, so no one can use it.
/// assert!(kernel::pidfd::get_pid(fd).is_err());
///
/// // Dropping it frees the number for the next pidfd.
/// drop(pidfd);
/// assert_eq!(PidFd::prepare(&pid, 0)?.fd(), fd);
/// # Ok::<(), Error>(())
/// ```
#[must_use = "dropping a pidfd that is not installed frees it"]
pub struct PidFd<State = Reserved> {
    file: ARef<File>,
    fd: FileDescriptorReservation,
    _state: PhantomData<State>,
}

impl PidFd<Reserved> {
    /// Makes a pidfd for `pid`, with the registered provider or with C.
    ///
    /// `flags` are [`flags::PIDFD_NONBLOCK`] and [`flags::PIDFD_THREAD`]. Process context, may
    /// sleep.
    ///
    /// # Errors
    ///
    /// - [`ESRCH`] if the process or thread has been reaped.
    /// - [`ENOENT`] if `pid` is that of a thread other than a thread group leader, and `flags` lack
    ///   [`flags::PIDFD_THREAD`].
    /// - [`EMFILE`] if the descriptor table of the current task is full.
    /// - [`ENFILE`] if the system has no room for another file.
    /// - [`ENOMEM`] if memory runs out.
    #[doc(alias = "pidfd_prepare")]
    pub fn prepare(pid: &Pid, flags: u32) -> Result<Self> {
        let mut file = core::ptr::null_mut();
        // SAFETY: `pid` is valid, and `file` is a local variable.
        let fd = unsafe { bindings::pidfd_prepare(pid.as_ptr(), flags, &mut file) };
        to_result(fd)?;

        Ok(Self {
            // SAFETY: On success, `file` is a new file, and the caller owns the reference.
            file: unsafe { ARef::from_raw(NonNull::new_unchecked(file.cast())) },
            // SAFETY: On success, `fd` is reserved in the table of the current task for the caller.
            fd: unsafe { FileDescriptorReservation::from_raw(fd as u32) },
            _state: PhantomData,
        })
    }

    /// Reserves a descriptor, close-on-exec, for the file that `make` returns.
    ///
    /// For providers. Other callers use [`PidFd::prepare`]. Process context, may sleep.
    ///
    /// # Errors
    ///
    /// [`EMFILE`] if the descriptor table of the current task is full, and those of `make`.
    #[inline]
    pub fn reserve(make: impl FnOnce() -> Result<ARef<File>>) -> Result<Self> {
        // The descriptor comes first, because the check for a full table is cheap.
        let fd = FileDescriptorReservation::get_unused_fd_flags(O_CLOEXEC)?;
        Ok(Self {
            file: make()?,
            fd,
            _state: PhantomData,
        })
    }

    /// Writes the number of the descriptor, a C `int`, to user memory.
    ///
    /// Process context, may sleep.
    ///
    /// # Errors
    ///
    /// [`EFAULT`] if `to` is not writable. The pidfd is freed then.
    #[inline]
    pub fn publish(self, to: UserPtr) -> Result<PidFd<Published>> {
        to.put_int(self.fd() as c_int)?;
        Ok(PidFd {
            file: self.file,
            fd: self.fd,
            _state: PhantomData,
        })
    }
}

impl<State> PidFd<State> {
    /// Returns the number of the descriptor.
    #[inline]
    pub fn fd(&self) -> u32 {
        self.fd.reserved_fd()
    }

    /// Installs the pidfd, and returns its number.
    ///
    /// Every thread of the process can use it from now on, and close it.
    #[inline]
    pub fn install(self) -> u32 {
        let fd = self.fd();
        self.fd.fd_install(self.file);
        fd
    }

    /// Passes the reservation and the file to a C function, which installs or frees both.
    #[inline]
    fn into_raw(self) -> (u32, *mut bindings::file) {
        let fd = self.fd.into_raw();
        (fd, ARef::into_raw(self.file).as_ptr().cast())
    }
}
