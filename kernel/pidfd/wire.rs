// SPDX-License-Identifier: GPL-2.0

//! What goes to user space byte by byte.
//!
//! C header: [`include/uapi/linux/pidfd.h`](srctree/include/uapi/linux/pidfd.h)

use core::mem::{
    offset_of,
    size_of, //
};
use kernel::{
    bindings,
    ioctl::{
        _IO,
        _IOR,
        _IOWR, //
    },
    prelude::*, //
};

use zerocopy_derive::Immutable;

/// Commands of `ioctl(2)`.
pub(crate) mod cmd {
    use super::*;

    const MAGIC: u32 = bindings::PIDFS_IOCTL_MAGIC;

    pub(crate) const PIDFD_GET_CGROUP_NAMESPACE: u32 = _IO(MAGIC, 1);
    pub(crate) const PIDFD_GET_IPC_NAMESPACE: u32 = _IO(MAGIC, 2);
    pub(crate) const PIDFD_GET_MNT_NAMESPACE: u32 = _IO(MAGIC, 3);
    pub(crate) const PIDFD_GET_NET_NAMESPACE: u32 = _IO(MAGIC, 4);
    pub(crate) const PIDFD_GET_PID_NAMESPACE: u32 = _IO(MAGIC, 5);
    pub(crate) const PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE: u32 = _IO(MAGIC, 6);
    pub(crate) const PIDFD_GET_TIME_NAMESPACE: u32 = _IO(MAGIC, 7);
    pub(crate) const PIDFD_GET_TIME_FOR_CHILDREN_NAMESPACE: u32 = _IO(MAGIC, 8);
    pub(crate) const PIDFD_GET_USER_NAMESPACE: u32 = _IO(MAGIC, 9);
    pub(crate) const PIDFD_GET_UTS_NAMESPACE: u32 = _IO(MAGIC, 10);
    /// As it is for the [`Info`] of this kernel; the size in a command is that of the caller's.
    pub(crate) const PIDFD_GET_INFO: u32 = _IOWR::<Info>(MAGIC, 11);

    pub(crate) const FS_IOC_GETVERSION: u32 = _IOR::<c_long>(b'v' as u32, 1);
    /// As a 32-bit program says it.
    #[cfg(CONFIG_COMPAT)]
    pub(crate) const FS_IOC32_GETVERSION: u32 = _IOR::<c_int>(b'v' as u32, 1);
}

/// Bits of [`Info::mask`] and [`Info::supported_mask`].
pub(crate) mod mask {
    /// The pids. Always there.
    pub(crate) const PID: u64 = 1 << 0;
    /// The user and group ids. Always there.
    pub(crate) const CREDS: u64 = 1 << 1;
    /// The cgroup. Always there if the kernel has cgroups.
    pub(crate) const CGROUPID: u64 = 1 << 2;
    /// How it ended. There if asked for, and it has.
    pub(crate) const EXIT: u64 = 1 << 3;
    /// How it dumped core, or would. There if asked for.
    pub(crate) const COREDUMP: u64 = 1 << 4;
    /// What bits this kernel knows. There if asked for.
    pub(crate) const SUPPORTED_MASK: u64 = 1 << 5;
    /// The signal that made it dump core. There with `COREDUMP`, if it has.
    pub(crate) const COREDUMP_SIGNAL: u64 = 1 << 6;
    /// The code of that signal. There with `COREDUMP`, if it has.
    pub(crate) const COREDUMP_CODE: u64 = 1 << 7;

    /// All of them.
    pub(crate) const SUPPORTED: u64 =
        PID | CREDS | CGROUPID | EXIT | COREDUMP | SUPPORTED_MASK | COREDUMP_SIGNAL | COREDUMP_CODE;
}

/// The size of the first published [`Info`]; it has grown at its end since.
pub(crate) const INFO_SIZE_VER0: usize = 64;

/// `struct pidfd_info`.
#[repr(C)]
#[derive(Default, IntoBytes, Immutable)]
pub(crate) struct Info {
    pub(crate) mask: u64,
    pub(crate) cgroupid: u64,
    pub(crate) pid: u32,
    pub(crate) tgid: u32,
    pub(crate) ppid: u32,
    pub(crate) ruid: u32,
    pub(crate) rgid: u32,
    pub(crate) euid: u32,
    pub(crate) egid: u32,
    pub(crate) suid: u32,
    pub(crate) sgid: u32,
    pub(crate) fsuid: u32,
    pub(crate) fsgid: u32,
    pub(crate) exit_code: i32,
    pub(crate) coredump_mask: u32,
    pub(crate) coredump_signal: u32,
    pub(crate) coredump_code: u32,
    pub(crate) coredump_pad: u32,
    pub(crate) supported_mask: u64,
}

const _: () = {
    assert!(size_of::<Info>() == size_of::<bindings::pidfd_info>());
    assert!(size_of::<Info>() == bindings::PIDFD_INFO_SIZE_VER3 as usize);
    assert!(INFO_SIZE_VER0 == bindings::PIDFD_INFO_SIZE_VER0 as usize);
    assert!(mask::SUPPORTED == mask::COREDUMP_CODE * 2 - 1);
    assert!(mask::PID == bindings::PIDFD_INFO_PID as u64);
    assert!(mask::CREDS == bindings::PIDFD_INFO_CREDS as u64);
    assert!(mask::CGROUPID == bindings::PIDFD_INFO_CGROUPID as u64);
    assert!(mask::EXIT == bindings::PIDFD_INFO_EXIT as u64);
    assert!(mask::COREDUMP == bindings::PIDFD_INFO_COREDUMP as u64);
    assert!(mask::SUPPORTED_MASK == bindings::PIDFD_INFO_SUPPORTED_MASK as u64);
    assert!(mask::COREDUMP_SIGNAL == bindings::PIDFD_INFO_COREDUMP_SIGNAL as u64);
    assert!(mask::COREDUMP_CODE == bindings::PIDFD_INFO_COREDUMP_CODE as u64);
};

macro_rules! same_offsets {
    ($($field:ident $(in $outer:ident)?),* $(,)?) => { $(
        const _: () = assert!(
            offset_of!(Info, $field) == offset_of!(bindings::pidfd_info, $($outer.)? $field),
            concat!("the offset of ", stringify!($field), " is not that of the UAPI header"),
        );
    )* };
}

same_offsets!(
    mask,
    cgroupid,
    pid,
    tgid,
    ppid,
    ruid,
    rgid,
    euid,
    egid,
    suid,
    sgid,
    fsuid,
    fsgid,
    exit_code,
    coredump_mask in __bindgen_anon_1,
    coredump_signal in __bindgen_anon_1,
    coredump_code in __bindgen_anon_1,
    coredump_pad in __bindgen_anon_1,
    supported_mask,
);
