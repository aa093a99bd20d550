// SPDX-License-Identifier: GPL-2.0

//! Watches a process and logs its exit.
//!
//! `insmod rust_pidfd_watch.ko pid=1234` watches the process that has the number at that time. The
//! process may exit, and its number may be reused, at any time.

use kernel::{
    pid::{
        Pid,
        PidNr,
        PidType,
        State,
        Wake,
        Watch, //
    },
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

module! {
    type: PidWatch,
    name: "rust_pidfd_watch",
    authors: ["The Rust pidfd authors"],
    description: "Logs the exit of a process",
    license: "GPL",
    params: {
        pid: i32 {
            default: 0,
            description: "Process to watch, in the pid namespace of the loader",
        },
    },
}

struct Log {
    nr: PidNr,
    /// The last [`State`] that was logged.
    logged: Atomic<i32>,
}

impl Log {
    /// Logs the state of `pid`, unless it was logged before.
    fn log(&self, pid: &Pid) {
        let state = pid.state();

        if self.logged.xchg(state as i32, Relaxed) == state as i32 {
            return;
        }
        match state {
            State::Running => {}
            State::Exited => pr_info!("process {} has exited\n", self.nr),
            State::Reaped => pr_info!("process {} has been reaped\n", self.nr),
        }
    }
}

impl Wake for Log {
    fn wake(&self, pid: &Pid) {
        self.log(pid);
    }
}

struct PidWatch {
    _watch: Pin<KBox<Watch<Log>>>,
}

impl kernel::Module for PidWatch {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let nr = module_parameters::pid.value();
        let no_process = || pr_err!("pid={nr} is no process: give the pid of one\n");
        let pid = Pid::find_get(nr)
            .ok_or(ESRCH)
            .inspect_err(|_| no_process())?;

        let log = Log {
            nr,
            logged: Atomic::new(State::Running as i32),
        };
        let watch = KBox::pin_init(Watch::new(pid, log), GFP_KERNEL)?;
        // Check after the registration: a process that is reaped in between would not be logged.
        if !watch.pid().has_task(PidType::Tgid) {
            no_process();
            return Err(ESRCH);
        }
        pr_info!("watching process {nr}\n");

        Ok(Self { _watch: watch })
    }
}
