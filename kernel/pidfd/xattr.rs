// SPDX-License-Identifier: GPL-2.0

//! Extended attributes of pidfds: those in `trusted.`, which exist as long as the pid.

use crate::file_system::PidFs;
use kernel::{
    fs::xattr::{
        XattrHandler,
        XattrName,
        XattrValue, //
    },
    pid::Pid,
    prelude::*, //
};

impl XattrHandler for PidFs {
    type Object = Pid;

    const PREFIX: &'static CStr = c"trusted.";

    #[inline]
    fn get(pid: &Pid, name: XattrName<'_>, value: XattrValue<'_>) -> Result<usize> {
        pid.record().ok_or(ESRCH)?.xattrs().get(name, value)
    }

    #[inline]
    fn set(pid: &Pid, name: XattrName<'_>, value: Option<&[u8]>, flags: u32) -> Result {
        pid.record().ok_or(ESRCH)?.xattrs().set(name, value, flags)
    }
}
