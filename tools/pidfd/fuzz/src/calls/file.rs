// SPDX-License-Identifier: GPL-2.0

//! Calls on the file of a pidfd.

use super::{
    abi::{PAGE, XATTRS},
    exec::{Exec, Handle},
};
use crate::{input::Call, shared::MOST_FDS};
use libc::*;
use std::io::Write;

impl Exec<'_> {
    pub(super) fn stat(&mut self, call: &Call) {
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

    pub(super) fn change(&mut self, call: &Call) {
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

    pub(super) fn path(&self, fd: i32) -> [u8; 32] {
        let mut path = [0; 32];
        let _ = write!(&mut path[..31], "/proc/self/fd/{fd}");
        path
    }

    pub(super) fn readlink(&mut self, call: &Call) {
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

    pub(super) fn reopen(&mut self, call: &Call) {
        let fd = self.fd(call.a);
        // Not to a new file, and not to a file that another process writes.
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

    pub(super) fn fcntl(&mut self, call: &Call) {
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

    pub(super) fn read_write(&mut self, call: &Call) {
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

    pub(super) fn mmap(&mut self, call: &Call) {
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

    pub(super) fn dup(&mut self, call: &Call) {
        let fd = self.fd(call.a);
        let result = self.sys(format_args!("dup({fd})"), SYS_dup, [fd as usize]);
        self.made(result);
    }

    pub(super) fn close(&mut self, call: &Call) {
        let fd = self.fd(call.a);
        // The descriptors that the runner needs stay open.
        if (3..MOST_FDS).contains(&fd) {
            self.sys(format_args!("close({fd})"), SYS_close, [fd as usize]);
        }
    }

    pub(super) fn open_tree(&mut self, call: &Call) {
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

    /// An event, and the pidfd of the process that caused it.
    pub(super) fn fanotify(&mut self, call: &Call) {
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

    pub(super) fn flock(&mut self, call: &Call) {
        let fd = self.fd(call.a);
        let how = [LOCK_EX, LOCK_SH, LOCK_UN, 99][usize::from(call.b) & 3] | LOCK_NB;
        self.sys(
            format_args!("flock({fd}, {how})"),
            SYS_flock,
            [fd as usize, how as usize],
        );
    }

    pub(super) fn xattr_name(&self, b: u8) -> usize {
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

    pub(super) fn fsetxattr(&mut self, call: &Call) {
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

    pub(super) fn fgetxattr(&mut self, call: &Call) {
        let (fd, name) = (self.fd(call.a), self.xattr_name(call.b));
        let size = usize::from(call.w);
        let at = self.ptr(call.c, 11, size.min(PAGE));
        self.sys(
            format_args!("fgetxattr({fd}, {}, {at:#x}, {size})", call.b),
            SYS_fgetxattr,
            [fd as usize, name, at, size.min(PAGE)],
        );
    }

    pub(super) fn flistxattr(&mut self, call: &Call) {
        let (fd, size) = (self.fd(call.a), usize::from(call.w).min(PAGE));
        let at = self.ptr(call.c, 11, size);
        self.sys(
            format_args!("flistxattr({fd}, {at:#x}, {size})"),
            SYS_flistxattr,
            [fd as usize, at, size],
        );
    }

    pub(super) fn fremovexattr(&mut self, call: &Call) {
        let (fd, name) = (self.fd(call.a), self.xattr_name(call.b));
        self.sys(
            format_args!("fremovexattr({fd}, {})", call.b),
            SYS_fremovexattr,
            [fd as usize, name],
        );
    }

    pub(super) fn name_to_handle_at(&mut self, call: &Call) {
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

    pub(super) fn open_by_handle_at(&mut self, call: &Call) {
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
}
