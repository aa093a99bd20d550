// SPDX-License-Identifier: GPL-2.0

//! Children of the process that makes the calls.

use crate::sys::{call, clone, exit};
use std::arch::asm;

/// The action of a child. It may share everything with its parent, and so it uses no thread-local
/// storage and no library.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
pub enum Act {
    Pause,
    Exit,
    Crash,
    Abort,
    Stop,
    Connect,
    ConnectAndExit,
    ExitLater,
    Unshare,
    SetSid,
    LeaderExits,
    ThreadExecs,
    Exec,
    DumpableOff,
}

impl Act {
    pub const ALL: [Act; 14] = [
        Act::Pause,
        Act::Exit,
        Act::ExitLater,
        Act::LeaderExits,
        Act::Connect,
        Act::ConnectAndExit,
        Act::Stop,
        Act::Crash,
        Act::SetSid,
        Act::DumpableOff,
        Act::Abort,
        Act::ThreadExecs,
        Act::Exec,
        Act::Unshare,
    ];

    /// Whether it comes to an end, and does not end the process that it is a thread of.
    pub fn suits_vfork(self) -> bool {
        !matches!(
            self,
            Act::Pause | Act::Stop | Act::Connect | Act::Unshare | Act::SetSid | Act::DumpableOff
        )
    }

    pub fn suits_thread(self) -> bool {
        matches!(self, Act::Pause | Act::Exit | Act::ExitLater)
    }
}

/// How many bytes a child has for its orders and its stacks.
pub const CHILD_SIZE: usize = 32 << 10;

#[repr(C)]
pub struct Orders {
    pub act: Act,
    pub code: u8,
    pub thread: bool,
    /// Of namespaces.
    pub flags: usize,
    /// The file to execute.
    pub program: usize,
    /// The address to connect to.
    pub address: [u8; 32],
    pub address_len: usize,
    /// The top of the stack of the child's thread.
    pub stack: usize,
}

fn pause() -> ! {
    loop {
        call(libc::SYS_pause, [0; 6]);
    }
}

fn nap() {
    let time = [0_u64, 2_000_000];

    call(libc::SYS_nanosleep, [time.as_ptr() as usize, 0, 0, 0, 0, 0]);
}

/// Executes the program that pauses.
fn execute(orders: &Orders) {
    let name = [0_u8; 1];
    let argv = [name.as_ptr() as usize, 0];

    call(
        libc::SYS_execveat,
        [
            orders.program,
            name.as_ptr() as usize,
            argv.as_ptr() as usize,
            0,
            libc::AT_EMPTY_PATH as usize,
            0,
        ],
    );
}

fn connect(orders: &Orders) {
    let args = [
        libc::AF_UNIX as usize,
        libc::SOCK_STREAM as usize,
        0,
        0,
        0,
        0,
    ];
    let socket = call(libc::SYS_socket, args) as usize;

    call(
        libc::SYS_connect,
        [
            socket,
            orders.address.as_ptr() as usize,
            orders.address_len,
            0,
            0,
            0,
        ],
    );
}

fn start_thread(orders: &Orders, act: Act) {
    let thread = Orders {
        act,
        thread: true,
        ..*orders
    };
    let flags = libc::CLONE_VM
        | libc::CLONE_FS
        | libc::CLONE_FILES
        | libc::CLONE_SIGHAND
        | libc::CLONE_THREAD
        | libc::CLONE_SYSVSEM;
    let place = (orders.stack - size_of::<Orders>()) & !15;

    // SAFETY: The stack of the thread belongs to this child alone, and is large enough.
    unsafe { (place as *mut Orders).write(thread) };
    clone(
        libc::SYS_clone,
        [flags as usize, place, 0, 0, 0],
        child,
        place as *const Orders,
    );
}

pub extern "C" fn child(orders: *const Orders) -> ! {
    // SAFETY: The parent keeps the orders while it lives, or this child has a copy.
    let orders = unsafe { &*orders };
    let end = if orders.thread {
        libc::SYS_exit
    } else {
        libc::SYS_exit_group
    };
    let self_signal = |signal: i32| {
        let me = call(libc::SYS_getpid, [0; 6]) as usize;
        call(libc::SYS_kill, [me, signal as usize, 0, 0, 0, 0]);
    };

    match orders.act {
        Act::Pause => {}
        Act::Exit => exit(end, orders.code),
        // SAFETY: It is meant to fault.
        Act::Crash => unsafe { asm!("mov byte ptr [{}], 1", in(reg) 8_usize) },
        Act::Abort => self_signal(libc::SIGABRT),
        Act::Stop => self_signal(libc::SIGSTOP),
        Act::Connect => connect(orders),
        Act::ConnectAndExit => {
            connect(orders);
            exit(end, orders.code);
        }
        Act::ExitLater => {
            nap();
            exit(end, orders.code);
        }
        Act::Unshare => {
            call(libc::SYS_unshare, [orders.flags, 0, 0, 0, 0, 0]);
        }
        Act::SetSid => {
            call(libc::SYS_setsid, [0; 6]);
        }
        Act::LeaderExits => {
            start_thread(
                orders,
                if orders.code & 1 == 0 {
                    Act::Pause
                } else {
                    Act::ExitLater
                },
            );
            exit(libc::SYS_exit, orders.code);
        }
        Act::ThreadExecs if orders.thread => execute(orders),
        Act::ThreadExecs => start_thread(orders, Act::ThreadExecs),
        Act::Exec => execute(orders),
        Act::DumpableOff => {
            call(
                libc::SYS_prctl,
                [libc::PR_SET_DUMPABLE as usize, 0, 0, 0, 0, 0],
            );
        }
    }
    pause()
}

/// A program that pauses when it is called without arguments, and else exits.
pub const PROGRAM: [u8; 0x78 + 24] = {
    let code = [
        0x58, // pop rax
        0x83, 0xf8, 0x01, // cmp eax, 1
        0xb8, 0x22, 0, 0, 0, // mov eax, SYS_pause
        0x74, 0x07, // je 1f
        0xb8, 0x3c, 0, 0, 0, // mov eax, SYS_exit
        0x31, 0xff, // xor edi, edi
        0x0f, 0x05, // 1: syscall
        0x0f, 0x0b, // ud2
    ];
    let header = [
        0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, // 64 bits, little endian
        2, 0, 0x3e, 0, 1, 0, 0, 0, // executable, x86_64
        0x78, 0, 0x40, 0, 0, 0, 0, 0, // where it starts
        0x40, 0, 0, 0, 0, 0, 0, 0, // where the program headers are
        0, 0, 0, 0, 0, 0, 0, 0, // no sections
        0, 0, 0, 0, 0x40, 0, 0x38, 0, 1, 0, 0, 0, 0, 0, 0, 0, // one program header:
        1, 0, 0, 0, 5, 0, 0, 0, // load, to read and execute
        0, 0, 0, 0, 0, 0, 0, 0, // from here
        0, 0, 0x40, 0, 0, 0, 0, 0, // to there
        0, 0, 0x40, 0, 0, 0, 0, 0, //
        0x90, 0, 0, 0, 0, 0, 0, 0, // this many bytes
        0x90, 0, 0, 0, 0, 0, 0, 0, //
        0, 0x10, 0, 0, 0, 0, 0, 0, // aligned to a page
    ];
    let mut all = [0; 0x78 + 24];
    let mut i = 0;
    while i < 0x78 {
        all[i] = header[i];
        i += 1;
    }
    while i < 0x78 + code.len() {
        all[i] = code[i - 0x78];
        i += 1;
    }
    all
};
