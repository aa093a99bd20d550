// SPDX-License-Identifier: GPL-2.0

//! What `/proc/<pid>/fdinfo/<fd>` says of a pidfd.

use kernel::{
    pid::{
        Pid,
        PidType, //
    },
    seq_file::SeqFile, //
};

/// The number of something that has been reaped.
const REAPED: i64 = -1;

/// The number of something outside the hierarchy of the pid namespace that asks.
const OUTSIDE: i64 = 0;

/// Adds `Pid:`, the number in the pid namespace of the procfs that is read, and `NSpid:`, the same
/// followed by the numbers in the namespaces below, down to the process' own.
pub(crate) fn show(pid: &Pid, m: &SeqFile) {
    let ns = m.proc_pid_ns();
    let nr = match ns {
        _ if !pid.has_task(PidType::Pid) => REAPED,
        Some(ns) => pid.nr_ns(ns).into(),
        None => OUTSIDE,
    };

    m.put_decimal(c"Pid:\t", nr);

    if cfg!(CONFIG_PID_NS) {
        m.put_decimal(c"\nNSpid:\t", nr);
        if let Some(ns) = ns.filter(|_| nr > 0) {
            for nr in pid.numbers().skip(ns.level() as usize + 1) {
                m.put_decimal(c"\t", nr.into());
            }
        }
    }

    m.putc(b'\n');
}
