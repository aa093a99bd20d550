// SPDX-License-Identifier: GPL-2.0

//! The interface of pidfds to user space, as the kernel's headers define it.
//!
//! C header: [`include/uapi/linux/pidfd.h`](srctree/include/uapi/linux/pidfd.h)

use crate::{
    bindings,
    prelude::*,
    transmute::AsBytes, //
};
use core::{
    mem::offset_of,
    ops::{
        Deref,
        DerefMut, //
    }, //
};

/// The magic number of the file system, which `statfs(2)` reports.
pub const PID_FS_MAGIC: usize = bindings::PID_FS_MAGIC as usize;

/// Commands of `ioctl(2)`.
///
/// The number of a command contains the size of its argument. [`PIDFD_GET_INFO`](ioctl) contains
/// the size of [`Info`] in this kernel; a caller may know a shorter or a longer one.
pub mod ioctl {
    pub use crate::bindings::{
        PIDFD_GET_CGROUP_NAMESPACE,
        PIDFD_GET_INFO,
        PIDFD_GET_IPC_NAMESPACE,
        PIDFD_GET_MNT_NAMESPACE,
        PIDFD_GET_NET_NAMESPACE,
        PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE,
        PIDFD_GET_PID_NAMESPACE,
        PIDFD_GET_TIME_FOR_CHILDREN_NAMESPACE,
        PIDFD_GET_TIME_NAMESPACE,
        PIDFD_GET_USER_NAMESPACE,
        PIDFD_GET_UTS_NAMESPACE, //
    };
}

/// Bits of [`Info`]'s `mask` and `supported_mask`.
pub mod info_mask {
    use crate::bindings;

    /// The pids. Always set.
    pub const PID: u64 = bindings::PIDFD_INFO_PID as u64;
    /// The user and group ids. Always set.
    pub const CREDS: u64 = bindings::PIDFD_INFO_CREDS as u64;
    /// The cgroup. Always set if the kernel has cgroups.
    pub const CGROUPID: u64 = bindings::PIDFD_INFO_CGROUPID as u64;
    /// The exit status. Set on request, once the exit is recorded.
    pub const EXIT: u64 = bindings::PIDFD_INFO_EXIT as u64;
    /// The coredump, or how the process would dump core. Set on request.
    pub const COREDUMP: u64 = bindings::PIDFD_INFO_COREDUMP as u64;
    /// The bits that the kernel supports. Set on request.
    pub const SUPPORTED_MASK: u64 = bindings::PIDFD_INFO_SUPPORTED_MASK as u64;
    /// The signal that caused the coredump. Set with `COREDUMP`, after a coredump.
    pub const COREDUMP_SIGNAL: u64 = bindings::PIDFD_INFO_COREDUMP_SIGNAL as u64;
    /// The code of that signal. Set with `COREDUMP`, after a coredump.
    pub const COREDUMP_CODE: u64 = bindings::PIDFD_INFO_COREDUMP_CODE as u64;
}

/// The size of the first published [`Info`], in bytes. The struct has grown at its end since then.
pub const INFO_SIZE_VER0: usize = bindings::PIDFD_INFO_SIZE_VER0 as usize;

/// `struct pidfd_info`, the answer to `PIDFD_GET_INFO`.
///
/// # Examples
///
/// ```
/// use kernel::pidfd::uapi::{info_mask, Info};
///
/// let mut info = Info::default();
/// info.mask = info_mask::COREDUMP;
/// info.coredump_mut().coredump_signal = 11;
/// assert_eq!(info.coredump().coredump_signal, 11);
/// ```
#[derive(Default)]
#[repr(transparent)]
pub struct Info(bindings::pidfd_info);

impl Info {
    /// Returns the fields about the coredump.
    #[inline]
    pub fn coredump(&self) -> &bindings::pidfd_info__bindgen_ty_1 {
        &self.0.__bindgen_anon_1
    }

    /// Returns the fields about the coredump, to be written to.
    #[inline]
    pub fn coredump_mut(&mut self) -> &mut bindings::pidfd_info__bindgen_ty_1 {
        &mut self.0.__bindgen_anon_1
    }
}

impl Deref for Info {
    type Target = bindings::pidfd_info;

    #[inline]
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Info {
    #[inline]
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

/// Asserts that fields of `$type`, in this order, fill it from the first byte to the last.
macro_rules! assert_no_padding {
    ($type:ty: $($field:ident $size:expr,)*) => {
        const _: () = {
            let mut end = 0;
            $(
                assert!(offset_of!($type, $field) == end);
                end += $size;
            )*
            assert!(size_of::<$type>() == end);
        };
    };
}

assert_no_padding!(bindings::pidfd_info:
    mask 8,
    cgroupid 8,
    pid 4,
    tgid 4,
    ppid 4,
    ruid 4,
    rgid 4,
    euid 4,
    egid 4,
    suid 4,
    sgid 4,
    fsuid 4,
    fsgid 4,
    exit_code 4,
    __bindgen_anon_1 16,
    supported_mask 8,
);

assert_no_padding!(bindings::pidfd_info__bindgen_ty_1:
    coredump_mask 4,
    coredump_signal 4,
    coredump_code 4,
    coredump_pad 4,
);

// SAFETY: All fields are integers. The fields fill the struct, as asserted above, so it has no
// uninitialised byte.
unsafe impl AsBytes for Info {}

// As `pidfd_info()` and `pidfs_alloc_file()` of `fs/pidfs.c` check at compile time.
const _: () = {
    use super::flags::*;

    assert!(size_of::<Info>() == bindings::PIDFD_INFO_SIZE_VER3 as usize);
    assert!(
        (PIDFD_THREAD | PIDFD_NONBLOCK | PIDFD_STALE | PIDFD_AUTOKILL).count_ones() == 4,
        "two flags share a bit"
    );
};
