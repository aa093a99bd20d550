// SPDX-License-Identifier: GPL-2.0

//! The creation of pidfds.

use crate::{
    file,
    file_system::PidFs, //
};
use kernel::{
    fs::{
        pseudo::Mount,
        File, //
    },
    pid::Pid,
    pidfd::Provider,
    prelude::*,
    sync::aref::ARef, //
};

#[vtable]
impl Provider for PidFs {
    type FileSystem = Self;

    #[inline]
    fn alloc_file(mount: &Mount<Self>, pid: &Pid, flags: u32) -> Result<ARef<File>> {
        file::create(mount, pid, flags)
    }
}
