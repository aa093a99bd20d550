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
        pseudo::Mount,
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

pub(crate) static TABLE: ProviderTable<RustProvider> = ProviderTable::new(&PIDFS, &OPERATIONS);

pub(crate) struct RustProvider;

#[vtable]
impl Provider for RustProvider {
    type FileSystem = PidFs;

    #[inline]
    fn alloc_file(mount: &Mount<PidFs>, pid: &Pid, flags: u32) -> Result<ARef<File>> {
        PidFdFile::create(mount, pid, flags)
    }

    #[inline]
    fn clone(
        mount: &Mount<PidFs>,
        pid: &Pid,
        flags: u32,
        parent_tidptr: UserPtr,
    ) -> Result<PidFd<Published>> {
        PidFd::reserve(|| PidFdFile::create(mount, pid, flags))?.publish(parent_tidptr)
    }
}
