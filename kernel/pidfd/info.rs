// SPDX-License-Identifier: GPL-2.0

//! `PIDFD_GET_INFO`: information about the process or thread of a pidfd.

use crate::exit_record;
use kernel::{
    pid::{
        Exit,
        Pid,
        PidType,
        Record, //
    },
    pidfd::uapi::{
        info_mask as mask,
        Info,
        INFO_SIZE_VER0, //
    },
    prelude::*,
    task::Task,
    uaccess::UserPtr, //
};

/// The bits of the mask that this implementation supports.
const SUPPORTED: u64 = mask::PID
    | mask::CREDS
    | mask::CGROUPID
    | mask::EXIT
    | mask::COREDUMP
    | mask::SUPPORTED_MASK
    | mask::COREDUMP_SIGNAL
    | mask::COREDUMP_CODE;

const _: () = assert!(SUPPORTED == mask::COREDUMP_CODE * 2 - 1);

/// Writes `size` bytes of a `struct pidfd_info` to `arg`, where the caller has set the mask.
///
/// # Errors
///
/// - [`EINVAL`] if `arg` is null, or `size` smaller than any published struct.
/// - [`EREMOTE`] if the process is not visible in the caller's pid namespace.
/// - [`ESRCH`] if the process has been reaped and the caller does not request the exit status.
/// - [`EFAULT`] if `arg` cannot be accessed.
#[inline]
pub(crate) fn get_info(pid: &Pid, arg: UserPtr, size: usize) -> Result {
    if arg.as_const_ptr().is_null() || size < INFO_SIZE_VER0 {
        return Err(EINVAL);
    }
    let wanted = arg.get_u64()?;

    let task = current!();
    let is_visible = task.active_pid_ns().is_some_and(|ns| pid.is_in(ns));
    if !is_visible {
        return Err(EREMOTE);
    }

    let record = pid.record().ok_or(ESRCH)?;
    let mut snapshot;
    loop {
        snapshot = Snapshot::default();
        match snapshot.take(pid, record, wanted) {
            // The exit status is all that is left of the process.
            Seen::Reaped if wanted & mask::EXIT == 0 => return Err(ESRCH),
            Seen::Reaped | Seen::One => break,
            Seen::Another => (),
        }
    }
    let mut info = snapshot.0;
    if wanted & mask::SUPPORTED_MASK != 0 {
        info.mask |= mask::SUPPORTED_MASK;
        info.supported_mask = SUPPORTED;
    }

    arg.put_struct(size, &info)
}

/// What a snapshot has seen.
enum Seen {
    /// No task: the process has been reaped.
    Reaped,
    /// One task, which used the pid all the time.
    One,
    /// The task was reaped or lost its pid meanwhile. Take another snapshot.
    Another,
}

/// The state of a process or thread at one time.
#[derive(Default)]
struct Snapshot(Info);

impl Snapshot {
    /// Fills in an empty snapshot.
    #[inline]
    fn take(&mut self, pid: &Pid, record: &Record, wanted: u64) -> Seen {
        // The task comes first: if the pid has none, the exit is recorded.
        let task = pid.get_task(PidType::Pid);

        if wanted & mask::EXIT != 0 {
            if let Some(exit) = exit_record::exit(record, task.as_deref()) {
                self.set_exit(exit);
            }
        }
        if wanted & mask::COREDUMP != 0 {
            self.set_coredump(record);
        }

        match task {
            Some(task) => self.set_alive(pid, &task, wanted),
            None => Seen::Reaped,
        }
    }

    /// Fills in what only a process that has not been reaped has. Out of line, so that the path for
    /// a reaped process saves fewer registers.
    #[inline(never)]
    fn set_alive(&mut self, pid: &Pid, task: &Task, wanted: u64) -> Seen {
        if wanted & mask::COREDUMP != 0 && self.0.coredump().coredump_mask == 0 {
            self.set_would_dump(task);
        }
        self.set_creds(task);
        self.set_cgroup(task);
        // The pids come last: the check below shows that they are those of this task.
        self.set_pids(pid, task);

        // The task was reaped meanwhile, or a thread that called exec took over its pid.
        if !pid.is_used_by(task) || self.0.tgid == 0 {
            return Seen::Another;
        }
        Seen::One
    }

    fn set_exit(&mut self, exit: Exit) {
        let info = &mut self.0;

        info.mask |= mask::EXIT;
        info.exit_code = exit.exit_code;
        if cfg!(CONFIG_CGROUPS) {
            info.mask |= mask::CGROUPID;
            info.cgroupid = exit.cgroup_id;
        }
    }

    fn set_coredump(&mut self, record: &Record) {
        if let Some(coredump) = record.coredump() {
            self.0.mask |= mask::COREDUMP | mask::COREDUMP_SIGNAL | mask::COREDUMP_CODE;

            let info = self.0.coredump_mut();
            info.coredump_mask = coredump.mask;
            info.coredump_signal = coredump.signal;
            info.coredump_code = coredump.code;
        }
    }

    /// Reports how the process would dump core. It has not done so, and no signal caused it.
    fn set_would_dump(&mut self, task: &Task) {
        self.0.mask |= mask::COREDUMP;
        self.0.coredump_mut().coredump_mask = task.dumpable().map_or(0, |d| d.coredump_mask());
    }

    fn set_creds(&mut self, task: &Task) {
        let ids = task.get_cred().ids_in_current_ns();
        let info = &mut self.0;

        info.mask |= mask::CREDS;
        info.ruid = ids.ruid;
        info.rgid = ids.rgid;
        info.euid = ids.euid;
        info.egid = ids.egid;
        info.suid = ids.suid;
        info.sgid = ids.sgid;
        info.fsuid = ids.fsuid;
        info.fsgid = ids.fsgid;
    }

    fn set_cgroup(&mut self, task: &Task) {
        if cfg!(CONFIG_CGROUPS) && self.0.cgroupid == 0 {
            self.0.mask |= mask::CGROUPID;
            self.0.cgroupid = task.cgroup_id();
        }
    }

    fn set_pids(&mut self, pid: &Pid, task: &Task) {
        let info = &mut self.0;

        info.mask |= mask::PID;
        info.ppid = task.ppid_vnr() as u32;
        info.tgid = task.tgid_vnr() as u32;
        info.pid = pid.vnr() as u32;
    }
}
