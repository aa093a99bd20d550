// SPDX-License-Identifier: GPL-2.0

//! System calls without a library.

use std::arch::asm;

#[cfg(not(target_arch = "x86_64"))]
compile_error!("the calls are those of x86_64");

/// Makes a system call. The arguments may be arbitrary. Those that point at memory of Rust objects
/// point at objects that outlive the call.
pub fn call(nr: i64, args: [usize; 6]) -> isize {
    let result;

    // SAFETY: The callers pass memory that may be overwritten, see above.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") nr as isize => result,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            in("r9") args[5],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// Makes a call by `int 0x80`, as a 32-bit program does.
pub fn call32(nr: u32, args: [u32; 3]) -> isize {
    let result: isize;

    // SAFETY: As in `call()`.
    unsafe {
        asm!(
            "xchg rbx, {first}",
            "int 0x80",
            "xchg rbx, {first}",
            first = inout(reg) u64::from(args[0]) => _,
            inlateout("rax") u64::from(nr) as isize => result,
            in("rcx") u64::from(args[1]),
            in("rdx") u64::from(args[2]),
            lateout("r8") _,
            lateout("r9") _,
            lateout("r10") _,
            lateout("r11") _,
        );
    }
    result
}

/// Makes `clone()` or `clone3()`; the child runs `f`.
pub fn clone<T>(
    nr: i64,
    args: [usize; 5],
    f: extern "C" fn(*const T) -> !,
    arg: *const T,
) -> isize {
    let result;

    // SAFETY: The child never comes back: it runs `f` on the stack that it was given, or on its
    // copy of the stack of its parent.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "and rsp, -16",
            "mov rdi, r12",
            "call r13",
            "ud2",
            "2:",
            inlateout("rax") nr as isize => result,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            in("r12") arg,
            in("r13") f,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    result
}

/// Ends a thread or a process.
pub fn exit(nr: i64, code: u8) -> ! {
    loop {
        call(nr, [code.into(), 0, 0, 0, 0, 0]);
    }
}
