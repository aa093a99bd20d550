// SPDX-License-Identifier: GPL-2.0

//! Sockets that pass pidfds.

use super::exec::Exec;
use crate::input::Call;
use libc::*;

impl Exec<'_> {
    pub(super) fn pass(&self, fd: i32, d: u8) {
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

    pub(super) fn socketpair(&mut self, call: &Call) {
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

    pub(super) fn send(&mut self, call: &Call) {
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

    pub(super) fn receive(&mut self, call: &Call) {
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

    pub(super) fn listen(&mut self, call: &Call) {
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

    pub(super) fn accept(&mut self, call: &Call) {
        let fd = self.fd(call.a);
        let args = [fd as usize, 0, 0, SOCK_NONBLOCK as usize];
        let result = self.sys(format_args!("accept4({fd})"), SYS_accept4, args);
        self.made(result);
    }

    pub(super) fn peer_pidfd(&mut self, call: &Call) {
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
}
