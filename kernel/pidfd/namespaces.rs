// SPDX-License-Identifier: GPL-2.0

//! `PIDFD_GET_*_NAMESPACE`: the namespaces of a process or thread.

use kernel::{
    namespace::Kind,
    pid::{
        Pid,
        PidType, //
    },
    pidfd::uapi::ioctl::*,
    prelude::*, //
};

/// Returns the kind of namespace that command `cmd` requests.
#[inline]
pub(crate) fn kind(cmd: u32) -> Option<Kind> {
    Some(match cmd {
        PIDFD_GET_CGROUP_NAMESPACE => Kind::Cgroup,
        PIDFD_GET_IPC_NAMESPACE => Kind::Ipc,
        PIDFD_GET_MNT_NAMESPACE => Kind::Mnt,
        PIDFD_GET_NET_NAMESPACE => Kind::Net,
        PIDFD_GET_PID_NAMESPACE => Kind::Pid,
        PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE => Kind::PidForChildren,
        PIDFD_GET_TIME_NAMESPACE => Kind::Time,
        PIDFD_GET_TIME_FOR_CHILDREN_NAMESPACE => Kind::TimeForChildren,
        PIDFD_GET_USER_NAMESPACE => Kind::User,
        PIDFD_GET_UTS_NAMESPACE => Kind::Uts,
        _ => return None,
    })
}

/// Opens a namespace of the process or thread, and returns the descriptor.
///
/// The caller needs the same permission as for `/proc/<pid>/ns`. `exec_update_lock` is held from
/// the check of the credentials to the look at the namespace, so that both belong to one program.
///
/// # Errors
///
/// - [`ESRCH`] if the process has been reaped or is exiting.
/// - [`EINVAL`] if the command has an argument.
/// - [`EACCES`] if the caller may not inspect the process.
/// - [`EOPNOTSUPP`] if the kernel was built without such namespaces.
#[inline]
pub(crate) fn open(pid: &Pid, kind: Kind, arg: usize) -> Result<isize> {
    let task = pid.get_task(PidType::Pid).ok_or(ESRCH)?;
    if arg != 0 {
        return Err(EINVAL);
    }

    let exec = task.lock_exec_update_killable()?;
    if !exec.may_read_by_fscreds() {
        return Err(EACCES);
    }
    let namespace = exec.namespace(kind)?;
    drop(exec);

    Ok(namespace.ok_or(EOPNOTSUPP)?.open()? as isize)
}
