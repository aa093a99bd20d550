// SPDX-License-Identifier: GPL-2.0

//! What calls there are, and what has to be true of their results.

use crate::{
    input::{Call, MOST},
    run::{KO_FD, KcovArea, MOST_FDS, OUTSIDER_FD, PROGRAM_FD, Shared},
    sys::{self, Act, CHILD_SIZE, Orders},
};
use libc::*;
use std::{ffi::CStr, fmt, fs, io::Write};

/// Where the calls' memory is: below 4 GiB, so that 32-bit calls can use it. Two pages to read and
/// write, one to read, and one to which there is no access.
pub const PAGE: usize = 4096;
const READ_ONLY: usize = 2 * PAGE;
const NONE: usize = 3 * PAGE;
/// Behind them is what children need.
const CHILDREN: usize = 4 * PAGE;
pub const ARENA: usize = CHILDREN + MOST * CHILD_SIZE;

const CLONE_PIDFD: u64 = 0x1000;
const CLONE_AUTOREAP: u64 = 1 << 34;
const CLONE_NNP: u64 = 1 << 35;
const CLONE_PIDFD_AUTOKILL: u64 = 1 << 36;
const CLONE_EMPTY_MNTNS: u64 = 1 << 37;
const CLONE_NEWTIME: u64 = 0x80;
const CLONE_INTO_CGROUP: u64 = 1 << 33;
const CLONE_CLEAR_SIGHAND: u64 = 1 << 32;

/// What a thread is made of.
const THREAD: u64 = (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD) as u64;

const NAMESPACES: &[u64] = &[
    CLONE_NEWNS as u64,
    CLONE_NEWCGROUP as u64,
    CLONE_NEWUTS as u64,
    CLONE_NEWIPC as u64,
    CLONE_NEWUSER as u64,
    CLONE_NEWPID as u64,
    CLONE_NEWNET as u64,
    CLONE_NEWTIME,
];

const CHEAP: u64 = CLONE_PIDFD | CLONE_VM as u64;

const CLONE_FLAGS: &[u64] = &[
    // A child that shares our memory is made in a third of the time.
    CHEAP,
    CHEAP,
    CHEAP,
    CHEAP,
    CHEAP | CLONE_AUTOREAP,
    CHEAP | CLONE_PIDFD_AUTOKILL | CLONE_AUTOREAP | CLONE_NNP,
    CLONE_PIDFD,
    CLONE_PIDFD | CLONE_AUTOREAP,
    CLONE_PIDFD | CLONE_AUTOREAP | CLONE_NNP | CLONE_PIDFD_AUTOKILL,
    CLONE_PIDFD | CLONE_PIDFD_AUTOKILL,
    CLONE_PIDFD | THREAD,
    CLONE_AUTOREAP,
    CLONE_NNP,
    CLONE_EMPTY_MNTNS,
    CLONE_INTO_CGROUP,
    CLONE_CLEAR_SIGHAND,
    THREAD,
    CLONE_VM as u64,
    CLONE_FILES as u64,
    CLONE_FS as u64,
    CLONE_VFORK as u64,
    CLONE_PARENT as u64,
    CLONE_PTRACE as u64,
    CLONE_PARENT_SETTID as u64,
    CLONE_CHILD_SETTID as u64,
    CLONE_CHILD_CLEARTID as u64,
    CLONE_DETACHED as u64,
    CLONE_NEWPID as u64,
    CLONE_NEWUSER as u64,
    CLONE_NEWUTS as u64,
    CLONE_NEWNS as u64,
];

const INFO_PID: u64 = 1 << 0;
const INFO_EXIT: u64 = 1 << 3;
const INFO_MASKS: &[u64] = &[1, 2, 4, INFO_EXIT, 1 << 4, 1 << 5, 1 << 6, 1 << 7, 0xff];

const PIDFD_THREAD: u64 = O_EXCL as u64;
const PIDFD_NONBLOCK: u64 = O_NONBLOCK as u64;

const FS_IOC_GETVERSION: u64 = 0x8008_7601;
const FS_IOC32_GETVERSION: u64 = 0x8004_7601;
const PIDFS_IOCTL: u32 = 0xff;

/// What stands for a descriptor without being one.
const NO_FDS: [i32; 16] = [
    -10000,
    -10001,
    -10002,
    -10003,
    AT_FDCWD,
    -1,
    0,
    999,
    -10009,
    i32::MIN,
    i32::MAX,
    PROGRAM_FD,
    -2,
    63,
    1024,
    0,
];

const XATTRS: [&CStr; 10] = [
    c"trusted.a",
    c"trusted.b",
    c"trusted.c",
    c"trusted.",
    c"user.a",
    c"security.a",
    c"system.posix_acl_access",
    c"trusted.overlay.a",
    c"",
    c"a",
];

/// No error of user space has a larger number.
const LAST_ERRNO: isize = EHWPOISON as isize;

pub struct Op {
    /// What a call's `v` can be made of.
    pub values: &'static [u64],
    run: fn(&mut Exec<'_>, &Call),
}

macro_rules! ops {
    ($($name:ident: $values:expr,)*) => {
        pub const OPS: &[Op] = &[$(
            Op { values: $values, run: |exec, call| exec.$name(call) },
        )*];
    };
}

ops! {
    clone3: CLONE_FLAGS,
    clone: CLONE_FLAGS,
    pidfd_open: &[0, 0, PIDFD_THREAD, PIDFD_NONBLOCK, O_TRUNC as u64, CLONE_PIDFD],
    pidfd_send_signal: &[0, 1, 2, 4],
    pidfd_getfd: &[0],
    waitid: &[
        WEXITED as u64, WNOHANG as u64, WNOWAIT as u64, WSTOPPED as u64, WCONTINUED as u64,
        __WALL as u64, __WCLONE as u64, __WNOTHREAD as u64,
    ],
    wait_any: &[WNOHANG as u64, __WALL as u64, WNOWAIT as u64],
    process_madvise: &[MADV_COLD as u64, MADV_PAGEOUT as u64, MADV_WILLNEED as u64, 25],
    process_mrelease: &[0],
    setns: NAMESPACES,
    poll: &[POLLIN as u64, POLLHUP as u64, POLLOUT as u64],
    epoll: &[EPOLLIN as u64, EPOLLET as u64, EPOLLONESHOT as u64, EPOLLEXCLUSIVE as u64],
    epoll_wait: &[],
    get_info: INFO_MASKS,
    get_info_plain: INFO_MASKS,
    get_namespace: &[0, 0, 0, 1],
    ioctl: &[
        FS_IOC_GETVERSION, FS_IOC32_GETVERSION, 0xff01, 0xff0c, 0xc058_ff0b, 0x4040_ff0b,
        0x8008_6601, FIONREAD, FIONBIO, FIOCLEX, 0xb701, 0xb702, 0x541b,
    ],
    ioctl32: &[FS_IOC_GETVERSION, FS_IOC32_GETVERSION, 0xff01, 0xff0a, 0xc058_ff0b, 0xc040_ff0b],
    fsetxattr: &[0, XATTR_CREATE as u64, XATTR_REPLACE as u64],
    fgetxattr: &[],
    flistxattr: &[],
    fremovexattr: &[],
    name_to_handle_at: &[AT_EMPTY_PATH as u64, 0x200, 1, 2],
    open_by_handle_at: &[
        O_RDWR as u64, O_CLOEXEC as u64, O_NONBLOCK as u64, O_EXCL as u64, O_TRUNC as u64,
        O_PATH as u64, O_DIRECTORY as u64,
    ],
    fdinfo: &[],
    stat: &[AT_EMPTY_PATH as u64, 0x2000, 0x4000],
    change: &[],
    readlink: &[],
    reopen: &[O_RDWR as u64, O_PATH as u64, O_NONBLOCK as u64, O_DIRECTORY as u64, O_TRUNC as u64],
    fcntl: &[0, 1, O_NONBLOCK as u64, O_APPEND as u64, O_ASYNC as u64, O_DIRECT as u64],
    read_write: &[],
    mmap: &[],
    dup: &[],
    close: &[],
    socketpair: &[],
    send: &[],
    receive: &[],
    listen: &[],
    accept: &[],
    peer_pidfd: &[],
    unshare: NAMESPACES,
    kill: &[],
    prctl: &[],
    sigchld: &[],
    open_tree: &[1, AT_EMPTY_PATH as u64, 0x8000, O_CLOEXEC as u64],
    fanotify: &[0x80, 0x100, 0x200, 0x400, 0x2000],
    kcmp: &[],
    flock: &[],
    nap: &[],
    finit_module: &[],
    delete_module: &[],
}

/// A child that is ours to wait for.
struct Kid {
    pid: i32,
    /// The inode of its pidfds, 0 as long as that is not known.
    ino: u64,
    /// Nobody but us reaps it, and we would know.
    ours: bool,
    /// What its exit code is says what wait tells.
    simple: bool,
    /// What wait told.
    reaped: Option<i32>,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Handle {
    bytes: u32,
    kind: i32,
    id: [u64; 4],
}

/// Makes the calls of one input.
pub struct Exec<'a> {
    arena: usize,
    shared: &'a Shared,
    kcov: Option<KcovArea>,
    loud: bool,
    module: bool,
    /// Where the inodes of pidfds are.
    dev: u64,
    fds: Vec<i32>,
    kids: Vec<Kid>,
    spawned: usize,
    handles: [Handle; 4],
    address: ([u8; 32], usize),
}

struct Errno(isize);

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

    fn me(&self) -> usize {
        sys::call(SYS_getpid, [0; 6]) as usize
    }

    pub fn run(&mut self, calls: impl Iterator<Item = Call>) {
        if !self.module {
            let fd = self.sys(
                format_args!("dup(outsider)"),
                SYS_dup,
                [OUTSIDER_FD as usize],
            );
            self.made(fd);
            self.close_fd(OUTSIDER_FD);
        }
        for call in calls {
            (OPS[call.op].run)(self, &call);
        }
        self.end();
    }

    /// Closes all that was opened, and sees that this is all that is open.
    fn end(&mut self) {
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

    /// A call begins: what is covered from here on follows from nothing before.
    fn mark(&self) {
        if let Some(kcov) = &self.kcov {
            self.shared.mark(kcov.len());
        }
    }

    /// Notes what must not be.
    fn wrong(&self, what: fmt::Arguments<'_>) {
        if self.loud {
            println!("\n!!! {what}");
        }
        self.shared.complain(&what.to_string());
    }

    /// Makes one call.
    fn sys<const N: usize>(&self, what: fmt::Arguments<'_>, nr: i64, args: [usize; N]) -> isize {
        let mut all = [0; 6];
        all[..N].copy_from_slice(&args);
        self.made_by(what, || sys::call(nr, all))
    }

    fn made_by(&self, what: fmt::Arguments<'_>, call: impl FnOnce() -> isize) -> isize {
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

    /// What fails must fail by one of these.
    fn only(&self, what: &str, result: isize, errors: &[i32]) {
        if (-4095..0).contains(&result) && !errors.contains(&(-result as i32)) {
            self.wrong(format_args!(
                "{what} = {}, which it never fails by",
                Errno(result)
            ));
        }
    }

    fn fd(&self, a: u8) -> i32 {
        match usize::from(a) {
            n @ 0xf0.. => NO_FDS[n & 15],
            // The youngest first.
            n if !self.fds.is_empty() => self.fds[self.fds.len() - 1 - n % self.fds.len()],
            _ => -1,
        }
    }

    fn pid(&self, a: u8) -> i32 {
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
    fn ptr(&self, kind: u8, n: usize, len: usize) -> usize {
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
    fn put<T>(&self, at: usize, value: T) -> bool {
        let fits = (self.arena..=self.arena + READ_ONLY - size_of::<T>()).contains(&at);

        if fits {
            // SAFETY: It is in the arena, and to be written.
            unsafe { (at as *mut T).write_unaligned(value) };
        }
        fits
    }

    fn get<T: Copy>(&self, at: usize) -> T {
        assert!(at >= self.arena && at + size_of::<T>() <= self.arena + NONE);
        // SAFETY: It is in the arena, and to be read; nobody asks for what has invalid values.
        unsafe { (at as *const T).read_unaligned() }
    }

    fn made(&mut self, fd: isize) {
        if fd >= 0 {
            self.fds.push(fd as i32);
        }
    }

    fn close_fd(&self, fd: i32) {
        sys::call(SYS_close, [fd as usize, 0, 0, 0, 0, 0]);
    }

    /// Device and inode.
    fn file_of(&self, fd: i32) -> Option<(u64, u64)> {
        // SAFETY: It consists of numbers.
        let mut st: stat = unsafe { std::mem::zeroed() };
        let at = &raw mut st as usize;

        (sys::call(SYS_fstat, [fd as usize, at, 0, 0, 0, 0]) == 0).then_some((st.st_dev, st.st_ino))
    }

    /// The inode of a pidfd.
    fn pidfd(&self, fd: i32) -> Option<u64> {
        let (dev, ino) = self.file_of(fd)?;
        let flags = sys::call(SYS_fcntl, [fd as usize, F_GETFL as usize, 0, 0, 0, 0]);

        (dev == self.dev && flags & O_PATH as isize == 0).then_some(ino)
    }

    /// Whether children that end are reaped without a word. Not only `sigaction()` brings that
    /// about: the init of a pid namespace ignores SIGCHLD when it ends, and so does who shares its
    /// signal handlers.
    fn ends_are_ignored(&self) -> bool {
        let mut action = [0_usize; 4];
        let at = action.as_mut_ptr() as usize;

        sys::call(SYS_rt_sigaction, [SIGCHLD as usize, 0, at, 8, 0, 0]);
        action[0] == SIG_IGN || action[1] & SA_NOCLDWAIT as usize != 0
    }

    fn kid(&self, ino: u64) -> Option<&Kid> {
        let kid = self.kids.iter().find(|kid| kid.ino == ino && kid.ours);

        kid.filter(|_| !self.ends_are_ignored())
    }

    /// The orders and the stack for a child; the orders are at the start of the place.
    fn orders(&mut self, call: &Call, flags: u64) -> (Act, usize) {
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
        // SAFETY: The place is in the arena, and nobody else's.
        unsafe { (place as *mut Orders).write(orders) };
        (act, place)
    }

    fn spawned(&mut self, pid: isize, flags: u64, signal: u64, act: Act, pidfd: usize) {
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

    fn clone3(&mut self, call: &Call) {
        let mut flags = call.v;
        let signal = match call.c {
            ..0xe0 if flags & CLONE_AUTOREAP != 0 => 0,
            ..0xc0 => SIGCHLD as u64,
            n => u64::from(n) & 0x7f,
        };
        // It cannot be that somebody waits for what nobody can end.
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
        // Where they cannot be written, there are zeroes at best.
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
                    sys::child,
                    place as *const Orders,
                )
            },
        );
        self.spawned(pid, flags, signal, act, pidfd);
    }

    fn clone(&mut self, call: &Call) {
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
                    sys::child,
                    place as *const Orders,
                )
            },
        );
        self.spawned(pid, flags, signal, act, pidfd);
    }

    fn pidfd_open(&mut self, call: &Call) {
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

    fn pidfd_send_signal(&mut self, call: &Call) {
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

    fn pidfd_getfd(&mut self, call: &Call) {
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

    /// Somebody was reaped, or was not.
    fn waited(&mut self, result: isize, at: usize, options: i32) {
        if options & WNOWAIT != 0 || (result < 0 && result != -(EFAULT as isize)) {
            return;
        }
        if result != 0 || at != self.ptr(0, 4, 128) {
            // We do not know who it was.
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

    fn waitid(&mut self, call: &Call) {
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

    fn wait_any(&mut self, call: &Call) {
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

    fn process_madvise(&mut self, call: &Call) {
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

    fn process_mrelease(&mut self, call: &Call) {
        let fd = self.fd(call.a);
        self.sys(
            format_args!("process_mrelease({fd}, {:#x})", call.v),
            SYS_process_mrelease,
            [fd as usize, call.v as usize],
        );
    }

    fn setns(&mut self, call: &Call) {
        let fd = self.fd(call.a);
        self.sys(
            format_args!("setns({fd}, {:#x})", call.v),
            SYS_setns,
            [fd as usize, call.v as usize],
        );
    }

    fn poll(&mut self, call: &Call) {
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

    fn epoll(&mut self, call: &Call) {
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

    fn epoll_wait(&mut self, call: &Call) {
        let fd = self.fd(call.a);
        let at = self.ptr(call.b, 7, 128);
        self.sys(
            format_args!("epoll_wait({fd}, {at:#x}, 8, {})", call.c & 3),
            SYS_epoll_wait,
            [fd as usize, at, 8, usize::from(call.c) & 3],
        );
    }

    fn info(&mut self, fd: i32, at: usize, size: usize, mask: u64) -> isize {
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

    fn get_info(&mut self, call: &Call) {
        let size = match call.w {
            n @ 0..0x100 => [64, 72, 80, 88][usize::from(n) & 3],
            n @ 0x100..0x8000 => usize::from(n) & 0xff,
            n => usize::from(n) & 0x3fff,
        };
        let (fd, at) = (self.fd(call.a), self.ptr(call.b, 8, size));
        self.info(fd, at, size, call.v);
    }

    fn get_info_plain(&mut self, call: &Call) {
        let (fd, at) = (self.fd(call.a), self.ptr(0, 8, 88));
        self.info(fd, at, 88, call.v & 0xff);
    }

    fn get_namespace(&mut self, call: &Call) {
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
    fn ioctl(&mut self, call: &Call) {
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

    fn ioctl32(&mut self, call: &Call) {
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

    fn xattr_name(&self, b: u8) -> usize {
        match usize::from(b) {
            0xf0.. => {
                let at = self.arena + PAGE;
                self.put(at, *b"trusted.");
                self.put(at + 8, [b'x'; 300]);
                self.put(at + 8 + 300, 0_u8);
                // 255 characters are as many as there may be.
                if b & 1 == 0 {
                    self.put(at + 255, 0_u8);
                }
                at
            }
            n @ 0xe0.. => self.ptr(n as u8, 10, 16),
            n => XATTRS[n % XATTRS.len()].as_ptr() as usize,
        }
    }

    fn fsetxattr(&mut self, call: &Call) {
        let (fd, name) = (self.fd(call.a), self.xattr_name(call.b));
        let size = if call.w < 0xff00 {
            usize::from(call.w) & 0xfff
        } else {
            usize::MAX
        };
        let at = self.ptr(call.c, 11, size.min(PAGE));
        self.sys(
            format_args!(
                "fsetxattr({fd}, {}, {at:#x}, {size}, {:#x})",
                call.b, call.v
            ),
            SYS_fsetxattr,
            [fd as usize, name, at, size, call.v as usize & 0xff],
        );
    }

    fn fgetxattr(&mut self, call: &Call) {
        let (fd, name) = (self.fd(call.a), self.xattr_name(call.b));
        let size = usize::from(call.w);
        let at = self.ptr(call.c, 11, size.min(PAGE));
        self.sys(
            format_args!("fgetxattr({fd}, {}, {at:#x}, {size})", call.b),
            SYS_fgetxattr,
            [fd as usize, name, at, size.min(PAGE)],
        );
    }

    fn flistxattr(&mut self, call: &Call) {
        let (fd, size) = (self.fd(call.a), usize::from(call.w).min(PAGE));
        let at = self.ptr(call.c, 11, size);
        self.sys(
            format_args!("flistxattr({fd}, {at:#x}, {size})"),
            SYS_flistxattr,
            [fd as usize, at, size],
        );
    }

    fn fremovexattr(&mut self, call: &Call) {
        let (fd, name) = (self.fd(call.a), self.xattr_name(call.b));
        self.sys(
            format_args!("fremovexattr({fd}, {})", call.b),
            SYS_fremovexattr,
            [fd as usize, name],
        );
    }

    fn name_to_handle_at(&mut self, call: &Call) {
        let fd = self.fd(call.a);
        let at = self.ptr(call.b, 12, size_of::<Handle>());
        let flags = if call.c < 0xe0 {
            call.v | AT_EMPTY_PATH as u64
        } else {
            call.v
        };
        let bytes = if call.w < 0x8000 {
            32
        } else {
            u32::from(call.w) & 31
        };

        self.put(
            at,
            Handle {
                bytes,
                kind: 0,
                id: [0; 4],
            },
        );
        let result = self.sys(
            format_args!("name_to_handle_at({fd}, {{ {bytes} }}, {flags:#x})"),
            SYS_name_to_handle_at,
            [
                fd as usize,
                c"".as_ptr() as usize,
                at,
                self.ptr(call.d, 13, 8),
                flags as usize,
            ],
        );
        if result == 0 {
            self.handles[usize::from(call.e) & 3] = self.get(at);
        }
    }

    fn open_by_handle_at(&mut self, call: &Call) {
        let root = if call.a < 0xc0 {
            -10002
        } else {
            self.fd(call.b)
        };
        let at = self.ptr(call.c, 12, size_of::<Handle>());
        let mut handle = self.handles[usize::from(call.e) & 3];

        match call.w {
            0..0x8000 => {}
            n @ 0x8000..0xa000 => handle.id[0] ^= u64::from(n) & 0xff,
            n @ 0xa000..0xc000 => handle.bytes ^= u32::from(n) & 0xff,
            n @ 0xc000..0xe000 => handle.kind ^= i32::from(n) & 0xff,
            n => handle.id[0] = u64::from(n) << (n & 31),
        }
        self.put(at, handle);
        let result = self.sys(
            format_args!(
                "open_by_handle_at({root}, {{ {}, {:#x}, {:#x} }}, {:#x})",
                handle.bytes, handle.kind, handle.id[0], call.v
            ),
            SYS_open_by_handle_at,
            [root as usize, at, call.v as usize],
        );
        self.made(result);
    }

    fn number(text: &str, name: &str) -> Vec<i64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.map_or(Vec::new(), |line| {
            line.split_whitespace()
                .filter_map(|n| n.parse().ok())
                .collect()
        })
    }

    /// What fdinfo and `PIDFD_GET_INFO` say has to be the same, when the latter says the same
    /// before and after.
    fn fdinfo(&mut self, call: &Call) {
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
        // Ours are the pids one level below those of the proc that is mounted.
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

    fn stat(&mut self, call: &Call) {
        let fd = self.fd(call.a);
        let at = self.ptr(call.c, 14, 256);
        let what = ["fstat", "statx", "fstatfs"][usize::from(call.b) % 3];
        let what = format_args!("{what}({fd}, {at:#x})");
        let empty = c"".as_ptr() as usize;

        match call.b % 3 {
            0 => self.sys(what, SYS_fstat, [fd as usize, at]),
            1 => self.sys(
                what,
                SYS_statx,
                [
                    fd as usize,
                    empty,
                    call.v as usize | 0x1000,
                    usize::from(call.w),
                    at,
                ],
            ),
            _ => self.sys(what, SYS_fstatfs, [fd as usize, at]),
        };
    }

    fn change(&mut self, call: &Call) {
        let fd = self.fd(call.a) as usize;
        let (w, empty) = (usize::from(call.w), c"".as_ptr() as usize);

        match call.b % 5 {
            0 => self.sys(format_args!("fchmod({fd}, {w:#o})"), SYS_fchmod, [fd, w]),
            1 => self.sys(
                format_args!("fchown({fd}, {w}, {w})"),
                SYS_fchown,
                [fd, w, w],
            ),
            2 => self.sys(
                format_args!("utimensat({fd})"),
                SYS_utimensat,
                [fd, 0, 0, 0],
            ),
            3 => self.sys(format_args!("ftruncate({fd}, {w})"), SYS_ftruncate, [fd, w]),
            _ => self.sys(
                format_args!("fchownat({fd}, {w}, {w})"),
                SYS_fchownat,
                [fd, empty, w, w, AT_EMPTY_PATH as usize],
            ),
        };
    }

    fn path(&self, fd: i32) -> [u8; 32] {
        let mut path = [0; 32];
        let _ = write!(&mut path[..31], "/proc/self/fd/{fd}");
        path
    }

    fn readlink(&mut self, call: &Call) {
        let fd = self.fd(call.a);
        let path = self.path(fd);
        let len = usize::from(call.w).min(PAGE);
        let at = self.ptr(call.c, 15, len);
        self.sys(
            format_args!("readlink(/proc/self/fd/{fd}, {at:#x}, {len})"),
            SYS_readlink,
            [path.as_ptr() as usize, at, len],
        );
    }

    fn reopen(&mut self, call: &Call) {
        let fd = self.fd(call.a);
        // Not what is new, and nothing that somebody else writes to.
        let flags = call.v as i32 & !(O_CREAT | O_TMPFILE);
        if self.pidfd(fd).is_none() && flags & O_PATH == 0 {
            return;
        }
        let path = self.path(fd);
        let result = self.sys(
            format_args!("open(/proc/self/fd/{fd}, {flags:#x})"),
            SYS_open,
            [path.as_ptr() as usize, flags as usize, 0],
        );
        self.made(result);
    }

    fn fcntl(&mut self, call: &Call) {
        const CMDS: [i32; 24] = [
            F_GETFL,
            F_SETFL,
            F_GETFD,
            F_SETFD,
            F_SETLK,
            F_GETLK,
            F_OFD_SETLK,
            F_SETLEASE,
            F_GETLEASE,
            F_NOTIFY,
            F_GET_SEALS,
            F_ADD_SEALS,
            F_GETOWN,
            10,
            11,
            F_GETPIPE_SZ,
            1036,
            1035,
            1027,
            1028,
            F_DUPFD,
            F_DUPFD_CLOEXEC,
            1039,
            9999,
        ];
        let fd = self.fd(call.a);
        let cmd = CMDS[usize::from(call.b) % CMDS.len()];
        let arg = match cmd {
            F_SETLK | F_GETLK | F_OFD_SETLK | 1035 | 1036 | 1039 => self.ptr(call.c, 13, 32),
            F_DUPFD | F_DUPFD_CLOEXEC => call.v as usize & 31,
            1027 => self.fd(call.c) as usize,
            _ => call.v as usize,
        };
        let result = self.sys(
            format_args!("fcntl({fd}, {cmd}, {arg:#x})"),
            SYS_fcntl,
            [fd as usize, cmd as usize, arg],
        );
        if cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC {
            self.made(result);
        }
    }

    fn read_write(&mut self, call: &Call) {
        let fd = self.fd(call.a) as usize;
        let len = usize::from(call.w).min(PAGE);
        let at = self.ptr(call.c, 13, len);

        match call.b % 6 {
            0 => self.sys(format_args!("read({fd}, {len})"), SYS_read, [fd, at, len]),
            1 => self.sys(format_args!("write({fd}, {len})"), SYS_write, [fd, at, len]),
            2 => self.sys(
                format_args!("lseek({fd}, {len}, {})", call.d),
                SYS_lseek,
                [fd, len, usize::from(call.d)],
            ),
            3 => self.sys(
                format_args!("pread({fd}, {len})"),
                SYS_pread64,
                [fd, at, len, 0],
            ),
            4 => self.sys(format_args!("fsync({fd})"), SYS_fsync, [fd]),
            _ => self.sys(
                format_args!("getdents64({fd})"),
                SYS_getdents64,
                [fd, at, len],
            ),
        };
    }

    fn mmap(&mut self, call: &Call) {
        let fd = self.fd(call.a);
        let flags = if call.b & 1 == 0 {
            MAP_SHARED
        } else {
            MAP_PRIVATE
        };
        self.sys(
            format_args!("mmap({fd}, {:#x}, {flags})", call.c & 7),
            SYS_mmap,
            [
                0,
                PAGE,
                usize::from(call.c & 7),
                flags as usize,
                fd as usize,
                0,
            ],
        );
    }

    fn dup(&mut self, call: &Call) {
        let fd = self.fd(call.a);
        let result = self.sys(format_args!("dup({fd})"), SYS_dup, [fd as usize]);
        self.made(result);
    }

    fn close(&mut self, call: &Call) {
        let fd = self.fd(call.a);
        // What is needed and what was never made stay.
        if (3..MOST_FDS).contains(&fd) {
            self.sys(format_args!("close({fd})"), SYS_close, [fd as usize]);
        }
    }

    fn pass(&self, fd: i32, d: u8) {
        let on = i32::from(d & 3 != 3);
        for (bit, option) in [(1, SO_PASSCRED), (2, 76)] {
            if d & bit != 0 {
                self.sys(
                    format_args!("setsockopt({fd}, {option}, {on})"),
                    SYS_setsockopt,
                    [
                        fd as usize,
                        SOL_SOCKET as usize,
                        option as usize,
                        &raw const on as usize,
                        4,
                    ],
                );
            }
        }
    }

    fn socketpair(&mut self, call: &Call) {
        let kind = [SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET][usize::from(call.b) % 3];
        let at = self.ptr(call.c, 13, 8);
        let result = self.sys(
            format_args!("socketpair({kind}, {at:#x})"),
            SYS_socketpair,
            [AF_UNIX as usize, (kind | SOCK_NONBLOCK) as usize, 0, at],
        );
        if result == 0 {
            let fds: [i32; 2] = self.get(at);
            for fd in fds {
                self.made(fd as isize);
                self.pass(fd, call.d);
            }
        }
    }

    fn send(&mut self, call: &Call) {
        let (fd, passed) = (self.fd(call.a), self.fd(call.b));
        let (kind, len) = match call.c % 3 {
            0 => (SCM_RIGHTS, 20),
            1 => (SCM_CREDENTIALS, 28),
            _ => (4, 20),
        };
        let first = if call.c % 3 == 1 {
            self.pid(call.b)
        } else {
            passed
        };
        let control = self.ptr(0, 13, 48);
        let data = [0_u8; 8];
        let iov = [data.as_ptr() as usize, 8];

        self.put(control, len as u64);
        self.put(control + 8, [SOL_SOCKET, kind, first, 0, 0, 0]);
        let msg = [0, 0, iov.as_ptr() as usize, 1, control, (len + 7) & !7, 0];
        let msg = if call.d & 0x80 != 0 {
            [msg[0], 0, msg[2], 1, 0, 0, 0]
        } else {
            msg
        };
        self.sys(
            format_args!("sendmsg({fd}, {{ {kind}: {first} }})"),
            SYS_sendmsg,
            [
                fd as usize,
                msg.as_ptr() as usize,
                (MSG_DONTWAIT | MSG_NOSIGNAL) as usize,
            ],
        );
    }

    fn receive(&mut self, call: &Call) {
        let fd = self.fd(call.a);
        let mut control = [0_u64; 32];
        let mut data = [0_u8; 8];
        let iov = [data.as_mut_ptr() as usize, 8];
        let room = if call.c < 0xc0 {
            256
        } else {
            usize::from(call.d)
        };
        let mut msg = [
            0,
            0,
            iov.as_ptr() as usize,
            1,
            control.as_mut_ptr() as usize,
            room,
            0,
        ];
        let flags =
            MSG_DONTWAIT | [0, MSG_PEEK, MSG_CMSG_CLOEXEC, MSG_TRUNC][usize::from(call.b) & 3];
        let result = self.sys(
            format_args!("recvmsg({fd}, {room}, {flags:#x})"),
            SYS_recvmsg,
            [fd as usize, msg.as_mut_ptr() as usize, flags as usize],
        );
        if result < 0 {
            return;
        }
        let bytes: Vec<u8> = control.iter().flat_map(|n| n.to_ne_bytes()).collect();
        let number = |at: usize| i32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
        let used = msg[5].min(256);
        let mut at = 0;
        while at + 16 <= used {
            let len = (number(at) as usize).min(used - at);
            if len < 16 {
                break;
            }
            if number(at + 8) == SOL_SOCKET && [SCM_RIGHTS, 4].contains(&number(at + 12)) {
                for place in (at + 16..at + len).step_by(4).filter(|p| p + 4 <= used) {
                    self.made(number(place) as isize);
                }
            }
            at += (len + 7) & !7;
        }
    }

    fn listen(&mut self, call: &Call) {
        let kind = [SOCK_STREAM, SOCK_SEQPACKET][usize::from(call.b) & 1];
        let args = [AF_UNIX as usize, (kind | SOCK_NONBLOCK) as usize, 0];
        let fd = self.sys(format_args!("socket({kind})"), SYS_socket, args);
        let family = AF_UNIX as u16;
        let mut address = ([0_u8; 32], 32_usize);

        self.made(fd);
        self.sys(
            format_args!("bind({fd})"),
            SYS_bind,
            [fd as usize, &raw const family as usize, 2],
        );
        let named = self.sys(
            format_args!("getsockname({fd})"),
            SYS_getsockname,
            [
                fd as usize,
                address.0.as_mut_ptr() as usize,
                &raw mut address.1 as usize,
            ],
        );
        if named == 0 {
            self.address = (address.0, address.1 & 31);
        }
        self.sys(format_args!("listen({fd})"), SYS_listen, [fd as usize, 4]);
        self.pass(fd as i32, call.d);
    }

    fn accept(&mut self, call: &Call) {
        let fd = self.fd(call.a);
        let args = [fd as usize, 0, 0, SOCK_NONBLOCK as usize];
        let result = self.sys(format_args!("accept4({fd})"), SYS_accept4, args);
        self.made(result);
    }

    fn peer_pidfd(&mut self, call: &Call) {
        let fd = self.fd(call.a);
        let (at, len) = (self.ptr(call.b, 13, 4), self.ptr(call.c, 14, 4));

        // One byte is enough for a descriptor.
        self.put(
            len,
            if call.d < 0xc0 {
                4
            } else {
                i32::from(call.d & 7).max(1)
            },
        );
        self.put(at, 0);
        let result = self.sys(
            format_args!("getsockopt({fd}, SO_PEERPIDFD, {at:#x}, {len:#x})"),
            SYS_getsockopt,
            [fd as usize, SOL_SOCKET as usize, 77, at, len],
        );
        if result == 0 {
            let made: i32 = self.get(at);
            self.made(made as isize);
        }
    }

    fn unshare(&mut self, call: &Call) {
        let flags = call.v as usize & !(CLONE_THREAD | CLONE_VM | CLONE_SIGHAND) as usize;
        self.sys(format_args!("unshare({flags:#x})"), SYS_unshare, [flags]);
    }

    fn kill(&mut self, call: &Call) {
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

    fn prctl(&mut self, call: &Call) {
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

    fn sigchld(&mut self, call: &Call) {
        let ignore = call.b & 1 != 0;
        let nowait = call.b & 2 != 0;
        let action: [usize; 4] = [
            usize::from(ignore),
            if nowait { SA_NOCLDWAIT as usize } else { 0 },
            0,
            0,
        ];

        // From now on somebody else may reap.
        self.kids.iter_mut().for_each(|kid| kid.ours = false);
        self.sys(
            format_args!("sigaction(SIGCHLD, {ignore}, {nowait})"),
            SYS_rt_sigaction,
            [SIGCHLD as usize, action.as_ptr() as usize, 0, 8],
        );
    }

    fn open_tree(&mut self, call: &Call) {
        let fd = self.fd(call.a);
        let flags = if call.b < 0xc0 {
            call.v | AT_EMPTY_PATH as u64
        } else {
            call.v
        };
        let result = self.sys(
            format_args!("open_tree({fd}, {flags:#x})"),
            SYS_open_tree,
            [fd as usize, c"".as_ptr() as usize, flags as usize],
        );
        self.made(result);
    }

    /// An event, and the pidfd of who was it.
    fn fanotify(&mut self, call: &Call) {
        let flags = call.v as usize & 0x2780 | FAN_NONBLOCK as usize;
        let group = self.sys(
            format_args!("fanotify_init({flags:#x})"),
            SYS_fanotify_init,
            [flags, O_RDONLY as usize],
        );
        if group < 0 {
            return;
        }
        let path = c"/tmp".as_ptr() as usize;
        let mask = FAN_OPEN | FAN_ONDIR;
        self.sys(
            format_args!("fanotify_mark({group})"),
            SYS_fanotify_mark,
            [
                group as usize,
                FAN_MARK_ADD as usize,
                mask as usize,
                AT_FDCWD as usize,
                path,
            ],
        );
        let fd = self.sys(
            format_args!("open(/tmp)"),
            SYS_open,
            [path, O_DIRECTORY as usize],
        );
        self.close_fd(fd as i32);
        let mut event = [0_u8; 256];
        let n = self.sys(
            format_args!("read({group})"),
            SYS_read,
            [
                group as usize,
                event.as_mut_ptr() as usize,
                if call.b < 0xc0 { 256 } else { 24 },
            ],
        );
        let number = |at: usize| i32::from_ne_bytes(event[at..at + 4].try_into().unwrap());
        if n >= 24 && flags & 0x200 == 0 {
            self.made(number(16) as isize);
        }
        let (mut at, end) = (24, (n.max(0) as usize).min(number(0).max(0) as usize));
        while at + 8 <= end {
            let len = usize::from(u16::from_ne_bytes([event[at + 2], event[at + 3]]));
            if event[at] == 4 {
                self.made(number(at + 4) as isize);
            }
            at += len.max(8);
        }
        self.close_fd(group as i32);
    }

    fn kcmp(&mut self, call: &Call) {
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

    fn flock(&mut self, call: &Call) {
        let fd = self.fd(call.a);
        let how = [LOCK_EX, LOCK_SH, LOCK_UN, 99][usize::from(call.b) & 3] | LOCK_NB;
        self.sys(
            format_args!("flock({fd}, {how})"),
            SYS_flock,
            [fd as usize, how as usize],
        );
    }

    /// Lets others go on.
    fn nap(&mut self, _call: &Call) {
        let time = [0_u64, 3_000_000];
        self.sys(
            format_args!("nanosleep(3 ms)"),
            SYS_nanosleep,
            [time.as_ptr() as usize, 0],
        );
    }

    fn finit_module(&mut self, _call: &Call) {
        if self.module {
            let args = [KO_FD as usize, c"".as_ptr() as usize, 0];
            self.sys(format_args!("finit_module()"), SYS_finit_module, args);
        }
    }

    fn delete_module(&mut self, _call: &Call) {
        if self.module {
            let args = [c"rust_pidfd".as_ptr() as usize, O_NONBLOCK as usize];
            self.sys(format_args!("delete_module()"), SYS_delete_module, args);
        }
    }
}
