// SPDX-License-Identifier: GPL-2.0

//! Numbers of the ABI, and the layout of the memory of the calls.

use crate::{child::CHILD_SIZE, input::MOST, shared::PROGRAM_FD};
use libc::*;
use std::ffi::CStr;

/// Where the calls' memory is: below 4 GiB, so that 32-bit calls can use it. Two pages to read and
/// write, one to read, and one to which there is no access.
pub const PAGE: usize = 4096;
pub(super) const READ_ONLY: usize = 2 * PAGE;
pub(super) const NONE: usize = 3 * PAGE;
/// The orders and stacks of children follow.
pub(super) const CHILDREN: usize = 4 * PAGE;
pub const ARENA: usize = CHILDREN + MOST * CHILD_SIZE;

pub(super) const CLONE_PIDFD: u64 = 0x1000;
pub(super) const CLONE_AUTOREAP: u64 = 1 << 34;
pub(super) const CLONE_NNP: u64 = 1 << 35;
pub(super) const CLONE_PIDFD_AUTOKILL: u64 = 1 << 36;
pub(super) const CLONE_EMPTY_MNTNS: u64 = 1 << 37;
pub(super) const CLONE_NEWTIME: u64 = 0x80;
pub(super) const CLONE_INTO_CGROUP: u64 = 1 << 33;
pub(super) const CLONE_CLEAR_SIGHAND: u64 = 1 << 32;

/// The flags with which clone() creates a thread.
pub(super) const THREAD: u64 =
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD) as u64;

pub(super) const NAMESPACES: &[u64] = &[
    CLONE_NEWNS as u64,
    CLONE_NEWCGROUP as u64,
    CLONE_NEWUTS as u64,
    CLONE_NEWIPC as u64,
    CLONE_NEWUSER as u64,
    CLONE_NEWPID as u64,
    CLONE_NEWNET as u64,
    CLONE_NEWTIME,
];

pub(super) const CHEAP: u64 = CLONE_PIDFD | CLONE_VM as u64;

pub(super) const CLONE_FLAGS: &[u64] = &[
    // A child that shares our memory is made in a third of the time.
    CHEAP,
    CHEAP,
    CHEAP,
    CHEAP,
    CHEAP | CLONE_AUTOREAP,
    CHEAP | CLONE_PIDFD_AUTOKILL | CLONE_AUTOREAP | CLONE_NNP,
    CLONE_PIDFD,
    CLONE_PIDFD | CLONE_AUTOREAP,
    CLONE_PIDFD | CLONE_AUTOREAP | CLONE_NNP | CLONE_PIDFD_AUTOKILL,
    CLONE_PIDFD | CLONE_PIDFD_AUTOKILL,
    CLONE_PIDFD | THREAD,
    CLONE_AUTOREAP,
    CLONE_NNP,
    CLONE_EMPTY_MNTNS,
    CLONE_INTO_CGROUP,
    CLONE_CLEAR_SIGHAND,
    THREAD,
    CLONE_VM as u64,
    CLONE_FILES as u64,
    CLONE_FS as u64,
    CLONE_VFORK as u64,
    CLONE_PARENT as u64,
    CLONE_PTRACE as u64,
    CLONE_PARENT_SETTID as u64,
    CLONE_CHILD_SETTID as u64,
    CLONE_CHILD_CLEARTID as u64,
    CLONE_DETACHED as u64,
    CLONE_NEWPID as u64,
    CLONE_NEWUSER as u64,
    CLONE_NEWUTS as u64,
    CLONE_NEWNS as u64,
];

pub(super) const INFO_PID: u64 = 1 << 0;
pub(super) const INFO_EXIT: u64 = 1 << 3;
pub(super) const INFO_MASKS: &[u64] = &[1, 2, 4, INFO_EXIT, 1 << 4, 1 << 5, 1 << 6, 1 << 7, 0xff];

pub(super) const PIDFD_THREAD: u64 = O_EXCL as u64;
pub(super) const PIDFD_NONBLOCK: u64 = O_NONBLOCK as u64;

pub(super) const FS_IOC_GETVERSION: u64 = 0x8008_7601;
pub(super) const FS_IOC32_GETVERSION: u64 = 0x8004_7601;
pub(super) const PIDFS_IOCTL: u32 = 0xff;

/// Numbers that are no descriptors.
pub(super) const NO_FDS: [i32; 16] = [
    -10000,
    -10001,
    -10002,
    -10003,
    AT_FDCWD,
    -1,
    0,
    999,
    -10009,
    i32::MIN,
    i32::MAX,
    PROGRAM_FD,
    -2,
    63,
    1024,
    0,
];

pub(super) const XATTRS: [&CStr; 10] = [
    c"trusted.a",
    c"trusted.b",
    c"trusted.c",
    c"trusted.",
    c"user.a",
    c"security.a",
    c"system.posix_acl_access",
    c"trusted.overlay.a",
    c"",
    c"a",
];

/// No error of user space has a larger number.
pub(super) const LAST_ERRNO: isize = EHWPOISON as isize;
