// SPDX-License-Identifier: GPL-2.0

//! The lines of a pidfd in `/proc/<pid>/fdinfo/<fd>`.

use kernel::{
    pid::{
        Pid,
        PidNr,
        PidType, //
    },
    seq_file::{
        Decimal,
        SeqFile,
        Text, //
    }, //
};

/// The number of a process or thread that has been reaped.
const REAPED: PidNr = -1;

/// The number of a process that is not visible in the pid namespace of the procfs.
const NOT_VISIBLE: PidNr = 0;

/// Adds `Pid:`, the number in the pid namespace of the procfs, and `NSpid:`, the same number
/// followed by the numbers in the namespaces below it, down to the namespace of the process.
#[inline]
pub(crate) fn show(pid: &Pid, m: &SeqFile) {
    let ns = m.proc_pid_ns();
    let nr = match ns {
        _ if !pid.has_task(PidType::Pid) => REAPED,
        Some(ns) => pid.nr_ns(ns),
        None => NOT_VISIBLE,
    };

    // Both lines begin with the same number: convert it once.
    let decimal = Decimal::new(nr);
    let mut text = Text::<48>::new();
    text.push(b"Pid:\t");
    text.push(decimal.as_bytes());
    if cfg!(CONFIG_PID_NS) {
        text.push(b"\nNSpid:\t");
        text.push(decimal.as_bytes());
    }
    m.write(text.as_bytes());

    if cfg!(CONFIG_PID_NS) {
        if let Some(ns) = ns.filter(|_| nr > 0) {
            for nr in pid.numbers().skip(ns.level() as usize + 1) {
                m.put_decimal(c"\t", nr.into());
            }
        }
    }

    m.putc(b'\n');
}
