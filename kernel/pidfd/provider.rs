// SPDX-License-Identifier: GPL-2.0

//! How a pidfd is made.

use crate::{
    file::{
        PidFdFile,
        OPERATIONS, //
    },
    file_system::{
        PidFs,
        PIDFS, //
    }, //
};
use kernel::{
    fs::{
        pseudo::PseudoFs,
        File, //
    },
    pid::Pid,
    pidfd::{
        PidFd,
        Provider,
        ProviderTable,
        Published, //
    },
    prelude::*,
    sync::aref::ARef,
    uaccess::UserPtr, //
};

pub(crate) static TABLE: ProviderTable<RustProvider> = ProviderTable::new(&OPERATIONS);

pub(crate) struct RustProvider;

#[vtable]
impl Provider for RustProvider {
    type FileSystem = PidFs;

    fn file_system() -> &'static PseudoFs<PidFs> {
        &PIDFS
    }

    #[inline]
    fn alloc_file(pid: &Pid, flags: u32) -> Result<ARef<File>> {
        PidFdFile::create(pid, flags)
    }

    #[inline]
    fn clone(pid: &Pid, flags: u32, parent_tidptr: UserPtr) -> Result<PidFd<Published>> {
        PidFd::reserve(|| PidFdFile::create(pid, flags))?.publish(parent_tidptr)
    }
}
