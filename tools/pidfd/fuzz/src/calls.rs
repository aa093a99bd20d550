// SPDX-License-Identifier: GPL-2.0

//! The table of calls.

mod abi;
mod exec;
mod file;
mod info;
mod process;
mod socket;

use self::abi::{
    CLONE_FLAGS, CLONE_PIDFD, FS_IOC_GETVERSION, FS_IOC32_GETVERSION, INFO_MASKS, NAMESPACES,
    PIDFD_NONBLOCK, PIDFD_THREAD,
};
pub use self::{
    abi::{ARENA, PAGE},
    exec::Exec,
};
use crate::{input::Call, shared::OUTSIDER_FD};
use libc::*;

pub struct Op {
    /// The values that `v` of the call is composed of.
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

impl Exec<'_> {
    /// Makes the calls, and checks at the end that nothing is left open.
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
}
