// SPDX-License-Identifier: GPL-2.0

//! Calls that make, signal, and end processes.

use super::{
    abi::{CHILDREN, CLONE_AUTOREAP, CLONE_PIDFD, NAMESPACES, PAGE, READ_ONLY},
    exec::{Exec, Kid},
};
use crate::{
    child::{Act, CHILD_SIZE, Orders, child},
    input::{Call, MOST},
    shared::{KO_FD, PROGRAM_FD},
    sys,
};
use libc::*;

impl Exec<'_> {
    /// The orders and the stack for a child; the orders are at the start of the place.
    pub(super) fn orders(&mut self, call: &Call, flags: u64) -> (Act, usize) {
        let mut act = Act::ALL[usize::from(call.b) % Act::ALL.len()];
        let thread = flags & CLONE_THREAD as u64 != 0;
        let place = self.arena + CHILDREN + (self.spawned % MOST) * CHILD_SIZE;

        self.spawned += 1;
        if (thread && !act.suits_thread())
            || (flags & CLONE_VFORK as u64 != 0 && !act.suits_vfork())
        {
            act = Act::Exit;
        }
        // It would connect with a descriptor in our table.
        if flags & CLONE_FILES as u64 != 0 && matches!(act, Act::Connect | Act::ConnectAndExit) {
            act = Act::ExitLater;
        }
        let orders = Orders {
            act,
            code: call.d,
            thread,
            flags: NAMESPACES[usize::from(call.d) % NAMESPACES.len()] as usize,
            program: PROGRAM_FD as usize,
            address: self.address.0,
            address_len: self.address.1,
            stack: place + CHILD_SIZE / 2,
        };
        // SAFETY: The place is in the arena, and belongs to this child.
        unsafe { (place as *mut Orders).write(orders) };
        (act, place)
    }

    pub(super) fn spawned(&mut self, pid: isize, flags: u64, signal: u64, act: Act, pidfd: usize) {
        if pid <= 0 {
            return;
        }
        let mut kid = Kid {
            pid: pid as i32,
            ino: 0,
            ours: flags & (CLONE_PARENT as u64 | CLONE_THREAD as u64 | CLONE_AUTOREAP) == 0
                && signal == SIGCHLD as u64,
            simple: !matches!(act, Act::LeaderExits | Act::ThreadExecs),
            reaped: None,
        };
        if flags & CLONE_PIDFD != 0 {
            let fd: i32 = self.get(pidfd);
            self.made(fd as isize);
            match self.pidfd(fd) {
                Some(ino) => kid.ino = ino,
                None => self.wrong(format_args!("the pidfd of a clone is {fd}, and no pidfd")),
            }
        }
        self.kids.push(kid);
    }

    pub(super) fn clone3(&mut self, call: &Call) {
        let mut flags = call.v;
        let signal = match call.c {
            ..0xe0 if flags & CLONE_AUTOREAP != 0 => 0,
            ..0xc0 => SIGCHLD as u64,
            n => u64::from(n) & 0x7f,
        };
        // No process may wait for one that cannot be ended.
        if flags & CLONE_THREAD as u64 != 0 {
            flags &= !(CLONE_VFORK as u64);
        }
        let (act, place) = self.orders(call, flags);
        let pidfd = self.ptr(call.a, 1, 4);
        let size = match call.w {
            n @ 0x80..0x90 => [
                64, 72, 80, 88, 96, 128, 1024, 4096, 63, 1, 0, 65, 81, 4097, 87, 89,
            ][usize::from(n) & 15],
            0xf000.. => usize::from(call.w),
            _ => 88,
        };
        let args = self.ptr(call.e, 0, 4096);
        let shift = if args == self.arena + READ_ONLY - 4096 {
            4096 - size.min(4096)
        } else {
            0
        };
        let args = args + shift;
        let signal = if flags & CLONE_THREAD as u64 != 0 {
            0
        } else {
            signal
        };
        let clone_args: [u64; 11] = [
            flags,
            pidfd as u64,
            self.ptr(call.e >> 5, 2, 4) as u64,
            self.ptr(call.e >> 5, 3, 4) as u64,
            signal,
            place as u64 + 4096,
            CHILD_SIZE as u64 - 4096,
            0,
            0,
            0,
            self.fd(call.d) as u64,
        ];
        if size < 4096 {
            self.put(self.arena + PAGE + 88, [0_u64; 32]);
        }
        // If they cannot be written, the memory has zeroes at best.
        let (flags, signal) = if self.put(args, clone_args) {
            (flags, signal)
        } else {
            (0, 0)
        };
        let pid = self.made_by(
            format_args!(
                "clone3({args:#x} {{ flags {flags:#x}, pidfd {pidfd:#x}, exit_signal {signal} }}, \
                 {size}) of a child: {act:?} {}",
                call.d
            ),
            || {
                sys::clone(
                    SYS_clone3,
                    [args, size, 0, 0, 0],
                    child,
                    place as *const Orders,
                )
            },
        );
        self.spawned(pid, flags, signal, act, pidfd);
    }

    pub(super) fn clone(&mut self, call: &Call) {
        let mut flags = call.v & 0xffff_ff00;
        if flags & CLONE_THREAD as u64 != 0 {
            flags &= !(CLONE_VFORK as u64);
        }
        let signal = if call.c < 0xc0 {
            SIGCHLD as u64
        } else {
            u64::from(call.c) & 0x7f
        };
        let (act, place) = self.orders(call, flags);
        let pidfd = self.ptr(call.a, 1, 4);
        let tid = self.ptr(call.e, 3, 4);
        let pid = self.made_by(
            format_args!(
                "clone({flags:#x} | {signal}, {pidfd:#x}) of a child: {act:?} {}",
                call.d
            ),
            || {
                sys::clone(
                    SYS_clone,
                    [(flags | signal) as usize, place + CHILD_SIZE, pidfd, tid, 0],
                    child,
                    place as *const Orders,
                )
            },
        );
        self.spawned(pid, flags, signal, act, pidfd);
    }

    pub(super) fn pidfd_open(&mut self, call: &Call) {
        let pid = self.pid(call.a);
        let flags = if call.b < 128 { call.v & 0x880 } else { call.v };
        let fd = self.sys(
            format_args!("pidfd_open({pid}, {flags:#x})"),
            SYS_pidfd_open,
            [pid as usize, flags as usize],
        );
        let errors = [EINVAL, ESRCH, ENOENT, EMFILE, ENFILE, ENOMEM];

        self.only("pidfd_open", fd, &errors);
        self.made(fd);
        if fd < 0 {
            return;
        }
        let ino = self.pidfd(fd as i32);
        if ino.is_none() {
            self.wrong(format_args!(
                "pidfd_open() has made {fd}, and that is no pidfd"
            ));
        }
        // As long as it is not reaped, its pid is no one else's.
        if self.ends_are_ignored() {
            return;
        }
        for kid in &mut self.kids {
            if kid.pid == pid && kid.ours && kid.reaped.is_none() {
                if kid.ino != 0 && Some(kid.ino) != ino {
                    let what =
                        format_args!("two pidfds of {pid} have inodes {} and {ino:?}", kid.ino)
                            .to_string();
                    return self.wrong(format_args!("{what}"));
                }
                kid.ino = ino.unwrap_or(0);
            }
        }
    }

    pub(super) fn pidfd_send_signal(&mut self, call: &Call) {
        let fd = self.fd(call.a);
        let signal = match call.b {
            n @ 0..=64 => i32::from(n),
            n => [
                SIGKILL,
                SIGTERM,
                SIGSTOP,
                SIGCONT,
                SIGUSR1,
                SIGRTMIN(),
                -1,
                1000,
            ][usize::from(n) & 7],
        };
        let at = self.ptr(if call.c < 128 { 20 } else { call.c }, 0, 128);
        let code = [SI_QUEUE, SI_TKILL, SI_USER, SI_KERNEL][usize::from(call.d) & 3];

        self.put(at, [signal, 0, code, 0]);
        let result = self.sys(
            format_args!("pidfd_send_signal({fd}, {signal}, {at:#x}, {:#x})", call.v),
            SYS_pidfd_send_signal,
            [fd as usize, signal as usize, at, call.v as usize],
        );
        let errors = [EBADF, EINVAL, EPERM, ESRCH, EFAULT, EAGAIN];
        self.only("pidfd_send_signal", result, &errors);
    }

    pub(super) fn pidfd_getfd(&mut self, call: &Call) {
        let (fd, target) = (self.fd(call.a), self.fd(call.b));
        let result = self.sys(
            format_args!("pidfd_getfd({fd}, {target}, {:#x})", call.v),
            SYS_pidfd_getfd,
            [fd as usize, target as usize, call.v as usize],
        );
        self.only(
            "pidfd_getfd",
            result,
            &[EBADF, EINVAL, EMFILE, EPERM, ESRCH, ENOMEM],
        );
        self.made(result);
    }

    /// Records the result of a wait.
    pub(super) fn waited(&mut self, result: isize, at: usize, options: i32) {
        if options & WNOWAIT != 0 || (result < 0 && result != -(EFAULT as isize)) {
            return;
        }
        if result != 0 || at != self.ptr(0, 4, 128) {
            // The reaped process is unknown.
            self.kids.iter_mut().for_each(|kid| kid.ours = false);
            return;
        }
        let [signal, _, code, _, pid, _, status]: [i32; 7] = self.get(at);
        let told = match code {
            CLD_EXITED => status << 8,
            CLD_KILLED => status,
            CLD_DUMPED => status | 0x80,
            _ => return,
        };
        if signal == SIGCHLD
            && let Some(kid) = self
                .kids
                .iter_mut()
                .find(|k| k.pid == pid && k.reaped.is_none())
        {
            kid.reaped = Some(told);
        }
    }

    pub(super) fn waitid(&mut self, call: &Call) {
        let fd = self.fd(call.a);
        let at = self.ptr(call.b, 4, 128);
        let mut options = call.v as i32;

        // A good one more often than not.
        if call.c < 0xc0 {
            options = options & !0x10 | WEXITED;
        }
        self.put(at, [0_u8; 128]);
        let result = self.sys(
            format_args!("waitid(P_PIDFD, {fd}, {at:#x}, {options:#x})"),
            SYS_waitid,
            [P_PIDFD as usize, fd as usize, at, options as usize],
        );
        let errors = [EBADF, EINVAL, ECHILD, EFAULT, EAGAIN, EINTR];
        self.only("waitid(P_PIDFD)", result, &errors);
        self.waited(result, at, options);
    }

    pub(super) fn wait_any(&mut self, call: &Call) {
        let at = self.ptr(0, 4, 128);
        let pid = self.pid(call.a);
        let kind = if call.b & 1 == 0 { P_PID } else { P_ALL };
        let options = (call.v as i32 & (WNOHANG | __WALL | WNOWAIT)) | WEXITED;

        self.put(at, [0_u8; 128]);
        let result = self.sys(
            format_args!("waitid({kind}, {pid}, {at:#x}, {options:#x})"),
            SYS_waitid,
            [kind as usize, pid as usize, at, options as usize],
        );
        self.waited(result, at, options);
    }

    pub(super) fn process_madvise(&mut self, call: &Call) {
        let fd = self.fd(call.a);
        let vec = self.ptr(call.b, 5, 16);
        let memory = self.ptr(call.c, 0, 4096);
        let len = usize::from(call.w);

        self.put(vec, [memory, len]);
        self.sys(
            format_args!("process_madvise({fd}, {memory:#x} {len}, {})", call.v),
            SYS_process_madvise,
            [
                fd as usize,
                vec,
                usize::from(call.d),
                call.v as usize,
                usize::from(call.e) / 128,
            ],
        );
    }

    pub(super) fn process_mrelease(&mut self, call: &Call) {
        let fd = self.fd(call.a);
        self.sys(
            format_args!("process_mrelease({fd}, {:#x})", call.v),
            SYS_process_mrelease,
            [fd as usize, call.v as usize],
        );
    }

    pub(super) fn setns(&mut self, call: &Call) {
        let fd = self.fd(call.a);
        self.sys(
            format_args!("setns({fd}, {:#x})", call.v),
            SYS_setns,
            [fd as usize, call.v as usize],
        );
    }

    pub(super) fn unshare(&mut self, call: &Call) {
        let flags = call.v as usize & !(CLONE_THREAD | CLONE_VM | CLONE_SIGHAND) as usize;
        self.sys(format_args!("unshare({flags:#x})"), SYS_unshare, [flags]);
    }

    pub(super) fn kill(&mut self, call: &Call) {
        let pid = self.pid(call.a % 0xfa);
        let signal = [
            SIGKILL, SIGTERM, SIGSTOP, SIGCONT, SIGSEGV, SIGUSR1, 0, SIGCHLD,
        ][usize::from(call.b) & 7];

        if pid > 1 && pid as usize != self.me() {
            self.sys(
                format_args!("kill({pid}, {signal})"),
                SYS_kill,
                [pid as usize, signal as usize],
            );
        }
    }

    pub(super) fn prctl(&mut self, call: &Call) {
        let (option, arg) = [
            (PR_SET_CHILD_SUBREAPER, 1),
            (PR_SET_CHILD_SUBREAPER, 0),
            (PR_SET_DUMPABLE, 0),
            (PR_SET_DUMPABLE, 1),
            (PR_SET_NO_NEW_PRIVS, 1),
        ][usize::from(call.b) % 5];
        self.sys(
            format_args!("prctl({option}, {arg})"),
            SYS_prctl,
            [option as usize, arg, 0, 0, 0],
        );
    }

    pub(super) fn sigchld(&mut self, call: &Call) {
        let ignore = call.b & 1 != 0;
        let nowait = call.b & 2 != 0;
        let action: [usize; 4] = [
            usize::from(ignore),
            if nowait { SA_NOCLDWAIT as usize } else { 0 },
            0,
            0,
        ];

        // From now on, another process may reap.
        self.kids.iter_mut().for_each(|kid| kid.ours = false);
        self.sys(
            format_args!("sigaction(SIGCHLD, {ignore}, {nowait})"),
            SYS_rt_sigaction,
            [SIGCHLD as usize, action.as_ptr() as usize, 0, 8],
        );
    }

    pub(super) fn kcmp(&mut self, call: &Call) {
        let (one, two) = (self.fd(call.a), self.fd(call.b));
        let args = [
            self.me(),
            self.pid(call.c) as usize,
            0,
            one as usize,
            two as usize,
        ];
        self.sys(format_args!("kcmp({one}, {two})"), SYS_kcmp, args);
    }

    /// Lets others go on.
    pub(super) fn nap(&mut self, _call: &Call) {
        let time = [0_u64, 3_000_000];
        self.sys(
            format_args!("nanosleep(3 ms)"),
            SYS_nanosleep,
            [time.as_ptr() as usize, 0],
        );
    }

    pub(super) fn finit_module(&mut self, _call: &Call) {
        if self.module {
            let args = [KO_FD as usize, c"".as_ptr() as usize, 0];
            self.sys(format_args!("finit_module()"), SYS_finit_module, args);
        }
    }

    pub(super) fn delete_module(&mut self, _call: &Call) {
        if self.module {
            let args = [c"rust_pidfd".as_ptr() as usize, O_NONBLOCK as usize];
            self.sys(format_args!("delete_module()"), SYS_delete_module, args);
        }
    }
}
