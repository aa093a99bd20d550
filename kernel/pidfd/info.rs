// SPDX-License-Identifier: GPL-2.0

//! `PIDFD_GET_INFO`: what a pidfd tells of its process or thread.

use crate::{
    exit_record,
    wire::{
        mask,
        Info,
        INFO_SIZE_VER0, //
    }, //
};
use kernel::{
    pid::{
        Exit,
        Pid,
        PidType,
        Record, //
    },
    prelude::*,
    task::Task,
    uaccess::UserPtr, //
};

/// Fills in `size` bytes of a `struct pidfd_info` at `arg`, of which the caller has set the mask.
///
/// Fails with [`EREMOTE`] if the process is not in the caller's pid namespace or below, and with
/// [`ESRCH`] if it has been reaped and the caller does not ask how it ended.
#[inline]
pub(crate) fn get_info(pid: &Pid, arg: UserPtr, size: usize) -> Result {
    if arg.as_const_ptr().is_null() || size < INFO_SIZE_VER0 {
        return Err(EINVAL);
    }
    let wanted = arg.get_u64()?;

    let task = current!();
    let in_sight = task.active_pid_ns().is_some_and(|ns| pid.is_in(ns));
    if !in_sight {
        return Err(EREMOTE);
    }

    let record = pid.record().ok_or(ESRCH)?;
    let mut info;
    loop {
        info = Info::default();
        match info.collect(pid, record, wanted) {
            // Nothing is left of it but how it ended.
            Seen::Nobody if wanted & mask::EXIT == 0 => return Err(ESRCH),
            Seen::Nobody | Seen::One => break,
            Seen::Another => (),
        }
    }
    if wanted & mask::SUPPORTED_MASK != 0 {
        info.mask |= mask::SUPPORTED_MASK;
        info.supported_mask = mask::SUPPORTED;
    }

    arg.put_struct(size, &info)
}

/// Whom one look at a process has seen.
enum Seen {
    /// Nobody: it has been reaped.
    Nobody,
    /// The same process all the time.
    One,
    /// Not the same all the time, which takes another look.
    Another,
}

impl Info {
    /// One look at the process, for an empty `self`.
    #[inline]
    fn collect(&mut self, pid: &Pid, record: &Record, wanted: u64) -> Seen {
        // First the task: without one, the end is recorded.
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
            None => Seen::Nobody,
        }
    }

    /// What only a process that has not been reaped has to tell. Out of line, as who asks for one
    /// that has does not need its registers.
    #[inline(never)]
    fn set_alive(&mut self, pid: &Pid, task: &Task, wanted: u64) -> Seen {
        if wanted & mask::COREDUMP != 0 && self.coredump_mask == 0 {
            self.set_would_dump(task);
        }
        self.set_creds(task);
        self.set_cgroup(task);
        // Last the pids, which are the first to be out of date.
        self.set_pids(pid, task);

        // It was reaped meanwhile, or has lost its pid to a thread that called exec.
        if !pid.is_of(task) || self.tgid == 0 {
            return Seen::Another;
        }
        Seen::One
    }

    fn set_exit(&mut self, exit: Exit) {
        self.mask |= mask::EXIT;
        self.exit_code = exit.exit_code;
        if cfg!(CONFIG_CGROUPS) {
            self.mask |= mask::CGROUPID;
            self.cgroupid = exit.cgroup_id;
        }
    }

    fn set_coredump(&mut self, record: &Record) {
        if let Some(coredump) = record.coredump() {
            self.mask |= mask::COREDUMP | mask::COREDUMP_SIGNAL | mask::COREDUMP_CODE;
            self.coredump_mask = coredump.mask;
            self.coredump_signal = coredump.signal;
            self.coredump_code = coredump.code;
        }
    }

    /// It has not dumped core, and so there is no signal that made it do so.
    fn set_would_dump(&mut self, task: &Task) {
        self.mask |= mask::COREDUMP;
        self.coredump_mask = task.dumpable().map_or(0, |d| d.coredump_mask());
    }

    fn set_creds(&mut self, task: &Task) {
        let ids = task.get_cred().ids_in_current_ns();

        self.mask |= mask::CREDS;
        self.ruid = ids.ruid;
        self.rgid = ids.rgid;
        self.euid = ids.euid;
        self.egid = ids.egid;
        self.suid = ids.suid;
        self.sgid = ids.sgid;
        self.fsuid = ids.fsuid;
        self.fsgid = ids.fsgid;
    }

    fn set_cgroup(&mut self, task: &Task) {
        if cfg!(CONFIG_CGROUPS) && self.cgroupid == 0 {
            self.mask |= mask::CGROUPID;
            self.cgroupid = task.cgroup_id();
        }
    }

    fn set_pids(&mut self, pid: &Pid, task: &Task) {
        self.mask |= mask::PID;
        self.ppid = task.ppid_vnr() as u32;
        self.tgid = task.tgid_vnr() as u32;
        self.pid = pid.vnr() as u32;
    }
}
