// SPDX-License-Identifier: GPL-2.0

//! Readiness and information of pidfds.

use super::{
    abi::{FS_IOC_GETVERSION, INFO_EXIT, INFO_PID, PIDFS_IOCTL, READ_ONLY},
    exec::{Errno, Exec},
};
use crate::{input::Call, sys};
use libc::*;
use std::fs;

impl Exec<'_> {
    pub(super) fn poll(&mut self, call: &Call) {
        let fd = self.fd(call.a);
        let events = call.v as i16;
        let mut pfd = pollfd {
            fd,
            events,
            revents: 0,
        };
        let before = self.pidfd(fd);
        let wait = usize::from(call.b) & 3;

        let result = self.sys(
            format_args!("poll({fd}, {events:#x}, {wait})"),
            SYS_poll,
            [&raw mut pfd as usize, 1, wait],
        );
        if result < 0 {
            return;
        }
        let Some(kid) = before.and_then(|ino| self.kid(ino)) else {
            return;
        };
        let hup = pfd.revents & POLLHUP != 0;
        if hup != kid.reaped.is_some() {
            self.wrong(format_args!(
                "poll() says {:#x} of {}, of which wait has said {:x?}",
                pfd.revents, kid.pid, kid.reaped
            ));
        }
    }

    pub(super) fn epoll(&mut self, call: &Call) {
        let fd = self.fd(call.a);
        let ep = self.sys(format_args!("epoll_create1(0)"), SYS_epoll_create1, [0]);
        let at = self.ptr(call.b, 6, 12);

        self.made(ep);
        self.put(at, [call.v as u32, fd as u32, 0]);
        self.sys(
            format_args!("epoll_ctl({ep}, EPOLL_CTL_ADD, {fd}, {:#x})", call.v as u32),
            SYS_epoll_ctl,
            [ep as usize, EPOLL_CTL_ADD as usize, fd as usize, at],
        );
    }

    pub(super) fn epoll_wait(&mut self, call: &Call) {
        let fd = self.fd(call.a);
        let at = self.ptr(call.b, 7, 128);
        self.sys(
            format_args!("epoll_wait({fd}, {at:#x}, 8, {})", call.c & 3),
            SYS_epoll_wait,
            [fd as usize, at, 8, usize::from(call.c) & 3],
        );
    }

    pub(super) fn info(&mut self, fd: i32, at: usize, size: usize, mask: u64) -> isize {
        let cmd = 0xc000_ff0b | (size & 0x3fff) << 16;

        self.put(at, mask);
        let ino = self.pidfd(fd);
        let result = self.sys(
            format_args!("ioctl({fd}, PIDFD_GET_INFO {size}, {at:#x} {{ mask {mask:#x} }})"),
            SYS_ioctl,
            [fd as usize, cmd, at],
        );
        if ino.is_some() {
            self.only(
                "PIDFD_GET_INFO",
                result,
                &[EINVAL, EFAULT, EREMOTE, ESRCH, ENOTTY],
            );
        }
        let Some(kid) = ino.and_then(|ino| self.kid(ino)) else {
            return result;
        };
        let good = self.arena..=self.arena + READ_ONLY - size;
        if size < 64 || !good.contains(&at) {
            return result;
        }
        let exit_wanted = mask & INFO_EXIT != 0;
        if result != 0 {
            let gone = result == -(ESRCH as isize) && !exit_wanted && kid.reaped.is_some();
            if !gone {
                self.wrong(format_args!(
                    "PIDFD_GET_INFO fails by {} for {}, of which wait has said {:x?}",
                    Errno(result),
                    kid.pid,
                    kid.reaped
                ));
            }
            return result;
        }
        let told: u64 = self.get(at);
        let numbers: [i32; 12] = self.get(at + 16);
        if told & INFO_PID != 0 && numbers[0] != kid.pid {
            self.wrong(format_args!(
                "PIDFD_GET_INFO says {} of pid {}",
                numbers[0], kid.pid
            ));
        }
        match kid.reaped {
            None if told & INFO_EXIT != 0 => {
                self.wrong(format_args!(
                    "PIDFD_GET_INFO tells the exit of {}, a zombie",
                    kid.pid
                ));
            }
            Some(status) if exit_wanted => {
                let (is_told, code) = (told & INFO_EXIT != 0, numbers[11]);
                if !is_told || (kid.simple && code != status) {
                    self.wrong(format_args!(
                        "PIDFD_GET_INFO says mask {told:#x}, exit {code:#x} of {}, which ended by \
                         {status:#x}",
                        kid.pid
                    ));
                }
            }
            Some(_) => self.wrong(format_args!(
                "PIDFD_GET_INFO finds {}, which is reaped",
                kid.pid
            )),
            None => {}
        }
        result
    }

    pub(super) fn get_info(&mut self, call: &Call) {
        let size = match call.w {
            n @ 0..0x100 => [64, 72, 80, 88][usize::from(n) & 3],
            n @ 0x100..0x8000 => usize::from(n) & 0xff,
            n => usize::from(n) & 0x3fff,
        };
        let (fd, at) = (self.fd(call.a), self.ptr(call.b, 8, size));
        self.info(fd, at, size, call.v);
    }

    pub(super) fn get_info_plain(&mut self, call: &Call) {
        let (fd, at) = (self.fd(call.a), self.ptr(0, 8, 88));
        self.info(fd, at, 88, call.v & 0xff);
    }

    pub(super) fn get_namespace(&mut self, call: &Call) {
        let fd = self.fd(call.a);
        let nr = usize::from(call.b) % 12;
        let pidfd = self.pidfd(fd).is_some();
        let result = self.sys(
            format_args!("ioctl({fd}, PIDFD_GET_*_NAMESPACE {nr}, {:#x})", call.v),
            SYS_ioctl,
            [fd as usize, 0xff00 | nr, call.v as usize],
        );
        if pidfd {
            let errors = [
                EINVAL, ESRCH, EACCES, EOPNOTSUPP, EINTR, ENOMEM, EMFILE, ENFILE, ENOTTY,
            ];
            self.only("PIDFD_GET_*_NAMESPACE", result, &errors);
            self.made(result);
        }
    }

    /// Commands that make descriptors are left to those that know.
    pub(super) fn ioctl(&mut self, call: &Call) {
        let (fd, cmd) = (self.fd(call.a), call.v as u32);
        let at = self.ptr(call.b, 9, 128);
        let own = (cmd >> 8) & 0xff == PIDFS_IOCTL && cmd & 0xff < 11;

        if own || (cmd >> 8) & 0xff == 0xb7 {
            return;
        }
        let pidfd = self.pidfd(fd).is_some();
        let result = self.sys(
            format_args!("ioctl({fd}, {cmd:#x}, {at:#x})"),
            SYS_ioctl,
            [fd as usize, cmd as usize, at],
        );
        if pidfd && u64::from(cmd) == FS_IOC_GETVERSION {
            self.only("FS_IOC_GETVERSION", result, &[EINVAL, EFAULT]);
        }
    }

    pub(super) fn ioctl32(&mut self, call: &Call) {
        let (fd, cmd) = (self.fd(call.a), call.v as u32);
        let own = (cmd >> 8) & 0xff == PIDFS_IOCTL && cmd & 0xff < 11;
        let pidfd = self.pidfd(fd).is_some();
        let at = match call.b {
            0..64 if own => 0,
            _ => self.ptr(call.b, 9, 128),
        };

        if (own && !pidfd) || (cmd >> 8) & 0xff == 0xb7 {
            return;
        }
        let result = self.made_by(
            format_args!("32-bit ioctl({fd}, {cmd:#x}, {at:#x})"),
            || sys::call32(54, [fd as u32, cmd, at as u32]),
        );
        if own {
            self.made(result);
        }
    }

    pub(super) fn number(text: &str, name: &str) -> Vec<i64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.map_or(Vec::new(), |line| {
            line.split_whitespace()
                .filter_map(|n| n.parse().ok())
                .collect()
        })
    }

    /// fdinfo and `PIDFD_GET_INFO` must agree if the latter reports the same before and after.
    pub(super) fn fdinfo(&mut self, call: &Call) {
        let fd = self.fd(call.a);
        let at = self.ptr(0, 8, 88);
        let before = self.info(fd, at, 64, 0);
        let pid: i32 = self.get(at + 16);
        self.mark();
        let text = fs::read_to_string(format!("/proc/self/fdinfo/{fd}"));
        let after = self.info(fd, at, 64, 0);

        let (Some(_), Ok(text)) = (self.pidfd(fd), text) else {
            return;
        };
        if self.loud {
            println!("  fdinfo of {fd}: {}", text.trim_end().replace('\n', ", "));
        }
        // The pids here are one level below those of the mounted procfs.
        let pids = Self::number(&text, "NSpid:");
        let shown = Self::number(&text, "Pid:");
        let right = match (before, after) {
            (0, 0) => {
                shown.first().is_some_and(|n| *n > 0)
                    && pids.first() == shown.first()
                    && pids.get(1) == Some(&i64::from(pid))
            }
            (-3, _) => shown == [-1] && pids == [-1],
            _ => true,
        };
        if !right {
            self.wrong(format_args!(
                "fdinfo says Pid {shown:?}, NSpid {pids:?}; PIDFD_GET_INFO {before}, {pid}, {after}"
            ));
        }
    }
}
