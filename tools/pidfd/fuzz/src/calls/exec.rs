// SPDX-License-Identifier: GPL-2.0

//! The state of the process that makes the calls of an input.

use super::abi::{LAST_ERRNO, NO_FDS, NONE, PAGE, READ_ONLY};
use crate::{
    input::MOST,
    shared::{KcovArea, MOST_FDS, Shared},
    sys,
};
use libc::*;
use std::{fmt, io::Write};

/// A child of this process.
pub(super) struct Kid {
    pub(super) pid: i32,
    /// The inode of its pidfds, 0 as long as that is not known.
    pub(super) ino: u64,
    /// No other process reaps it.
    pub(super) ours: bool,
    /// Its exit code is the status that wait() reports.
    pub(super) simple: bool,
    /// The status that wait() reported.
    pub(super) reaped: Option<i32>,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct Handle {
    pub(super) bytes: u32,
    pub(super) kind: i32,
    pub(super) id: [u64; 4],
}

/// Makes the calls of one input.
pub struct Exec<'a> {
    pub(super) arena: usize,
    pub(super) shared: &'a Shared,
    pub(super) kcov: Option<KcovArea>,
    pub(super) loud: bool,
    pub(super) module: bool,
    /// Where the inodes of pidfds are.
    pub(super) dev: u64,
    pub(super) fds: Vec<i32>,
    pub(super) kids: Vec<Kid>,
    pub(super) spawned: usize,
    pub(super) handles: [Handle; 4],
    pub(super) address: ([u8; 32], usize),
}

pub(super) struct Errno(pub(super) isize);

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 >= 0 {
            return write!(f, "{}", self.0);
        }
        let error = std::io::Error::from_raw_os_error(-self.0 as i32).to_string();
        write!(
            f,
            "-{} {}",
            -self.0,
            error.split(" (os").next().unwrap_or_default()
        )
    }
}

impl<'a> Exec<'a> {
    pub fn new(
        arena: usize,
        shared: &'a Shared,
        kcov: Option<KcovArea>,
        loud: bool,
        module: bool,
    ) -> Self {
        let mut exec = Exec {
            arena,
            shared,
            kcov,
            loud,
            module,
            dev: 0,
            fds: Vec::with_capacity(64),
            kids: Vec::with_capacity(MOST),
            spawned: 0,
            handles: [Handle {
                bytes: 8,
                kind: 0xf1,
                id: [0; 4],
            }; 4],
            address: ([0; 32], 2),
        };
        let mine = sys::call(SYS_pidfd_open, [exec.me(), 0, 0, 0, 0, 0]);

        exec.dev = exec.file_of(mine as i32).map_or(0, |file| file.0);
        exec.close_fd(mine as i32);
        exec
    }

    pub(super) fn me(&self) -> usize {
        sys::call(SYS_getpid, [0; 6]) as usize
    }

    /// Closes all that was opened, and sees that this is all that is open.
    pub(super) fn end(&mut self) {
        self.mark();
        for fd in std::mem::take(&mut self.fds) {
            self.close_fd(fd);
        }
        let mut open: Vec<pollfd> = (3..MOST_FDS)
            .map(|fd| pollfd {
                fd,
                events: 0,
                revents: 0,
            })
            .collect();
        sys::call(
            SYS_poll,
            [open.as_mut_ptr() as usize, open.len(), 0, 0, 0, 0],
        );
        if let Some(pfd) = open.iter().find(|pfd| pfd.revents & POLLNVAL == 0) {
            self.wrong(format_args!(
                "descriptor {} is open, and no call returned it",
                pfd.fd
            ));
        }
        for kid in &self.kids {
            if kid.reaped.is_none() && kid.pid > 0 {
                sys::call(SYS_kill, [kid.pid as usize, SIGKILL as usize, 0, 0, 0, 0]);
            }
        }
        while sys::call(SYS_wait4, [usize::MAX, 0, __WALL as usize, 0, 0, 0]) > 0 {}
    }

    /// Marks the begin of a call, from which on coverage belongs to it.
    pub(super) fn mark(&self) {
        if let Some(kcov) = &self.kcov {
            self.shared.mark(kcov.len());
        }
    }

    /// Reports an error.
    pub(super) fn wrong(&self, what: fmt::Arguments<'_>) {
        if self.loud {
            println!("\n!!! {what}");
        }
        self.shared.complain(&what.to_string());
    }

    /// Makes one call.
    pub(super) fn sys<const N: usize>(
        &self,
        what: fmt::Arguments<'_>,
        nr: i64,
        args: [usize; N],
    ) -> isize {
        let mut all = [0; 6];
        all[..N].copy_from_slice(&args);
        self.made_by(what, || sys::call(nr, all))
    }

    pub(super) fn made_by(&self, what: fmt::Arguments<'_>, call: impl FnOnce() -> isize) -> isize {
        if self.loud {
            print!("  {what}");
            let _ = std::io::stdout().flush();
        }
        self.mark();
        let result = call();
        if self.loud {
            println!(" = {}", Errno(result));
        }
        if (-4095..-LAST_ERRNO).contains(&result) {
            self.wrong(format_args!(
                "{what} = {result}, which is no error of user space"
            ));
        }
        result
    }

    /// Checks that a failed call returned one of these errors.
    pub(super) fn only(&self, what: &str, result: isize, errors: &[i32]) {
        if (-4095..0).contains(&result) && !errors.contains(&(-result as i32)) {
            self.wrong(format_args!(
                "{what} = {}, which it never fails by",
                Errno(result)
            ));
        }
    }

    pub(super) fn fd(&self, a: u8) -> i32 {
        match usize::from(a) {
            n @ 0xf0.. => NO_FDS[n & 15],
            // The youngest first.
            n if !self.fds.is_empty() => self.fds[self.fds.len() - 1 - n % self.fds.len()],
            _ => -1,
        }
    }

    pub(super) fn pid(&self, a: u8) -> i32 {
        match usize::from(a) {
            0xff => -1,
            0xfe => 0,
            0xfd => 1,
            0xfc => i32::MAX,
            0xfb => self.me() as i32,
            0xfa => i32::MIN,
            n if !self.kids.is_empty() => self.kids[self.kids.len() - 1 - n % self.kids.len()].pid,
            _ => self.me() as i32,
        }
    }

    /// Where `len` bytes are, or where they ought to be. Small ones are at place `n`.
    pub(super) fn ptr(&self, kind: u8, n: usize, len: usize) -> usize {
        let arena = self.arena;

        match kind & 0x1f {
            16 => arena + READ_ONLY - len.min(PAGE),
            17 => arena + READ_ONLY - (len / 2).min(PAGE),
            18 => arena + READ_ONLY,
            19 => arena + NONE - (len / 2).min(PAGE),
            20 => 0,
            21 => arena + NONE,
            22 => 0xffff_8880_0010_0000,
            23 => 0x8000_0000_0000_0000,
            24 => 0x7fff_ffff_fff8,
            25 => 8,
            26 => usize::MAX,
            _ if len <= 128 => arena + n * 128,
            _ => arena + PAGE,
        }
    }

    /// Returns whether it can be written there.
    pub(super) fn put<T>(&self, at: usize, value: T) -> bool {
        let fits = (self.arena..=self.arena + READ_ONLY - size_of::<T>()).contains(&at);

        if fits {
            // SAFETY: It is in the arena, and to be written.
            unsafe { (at as *mut T).write_unaligned(value) };
        }
        fits
    }

    pub(super) fn get<T: Copy>(&self, at: usize) -> T {
        assert!(at >= self.arena && at + size_of::<T>() <= self.arena + NONE);
        // SAFETY: It is in the readable part of the arena. All values of the types are valid.
        unsafe { (at as *const T).read_unaligned() }
    }

    pub(super) fn made(&mut self, fd: isize) {
        if fd >= 0 {
            self.fds.push(fd as i32);
        }
    }

    pub(super) fn close_fd(&self, fd: i32) {
        sys::call(SYS_close, [fd as usize, 0, 0, 0, 0, 0]);
    }

    /// Device and inode.
    pub(super) fn file_of(&self, fd: i32) -> Option<(u64, u64)> {
        // SAFETY: It consists of numbers.
        let mut st: stat = unsafe { std::mem::zeroed() };
        let at = &raw mut st as usize;

        (sys::call(SYS_fstat, [fd as usize, at, 0, 0, 0, 0]) == 0).then_some((st.st_dev, st.st_ino))
    }

    /// The inode of a pidfd.
    pub(super) fn pidfd(&self, fd: i32) -> Option<u64> {
        let (dev, ino) = self.file_of(fd)?;
        let flags = sys::call(SYS_fcntl, [fd as usize, F_GETFL as usize, 0, 0, 0, 0]);

        (dev == self.dev && flags & O_PATH as isize == 0).then_some(ino)
    }

    /// Whether children that end are reaped without a word. Not only `sigaction()` brings that
    /// about: the init of a pid namespace ignores SIGCHLD when it ends, and so does who shares its
    /// signal handlers.
    pub(super) fn ends_are_ignored(&self) -> bool {
        let mut action = [0_usize; 4];
        let at = action.as_mut_ptr() as usize;

        sys::call(SYS_rt_sigaction, [SIGCHLD as usize, 0, at, 8, 0, 0]);
        action[0] == SIG_IGN || action[1] & SA_NOCLDWAIT as usize != 0
    }

    pub(super) fn kid(&self, ino: u64) -> Option<&Kid> {
        let kid = self.kids.iter().find(|kid| kid.ino == ino && kid.ours);

        kid.filter(|_| !self.ends_are_ignored())
    }
}
