// SPDX-License-Identifier: GPL-2.0

//! Memory and descriptors that the runner and the process of an input share.

use libc::*;
use std::{
    fs::{File, OpenOptions},
    io,
    os::fd::AsRawFd,
    ptr,
    sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed},
};

/// Descriptors that inputs need are above those that they make.
pub const MOST_FDS: i32 = 48;
pub const KCOV_FD: i32 = 200;
pub const PROGRAM_FD: i32 = 201;
pub const OUTSIDER_FD: i32 = 202;
pub const KO_FD: i32 = 203;

pub const KCOV: &str = "/sys/kernel/debug/kcov";

pub const KCOV_INIT_TRACE: c_ulong = 0x8008_6301;
pub const KCOV_ENABLE: c_ulong = 0x6364;
pub const KCOV_TRACE_PC: c_ulong = 0;

/// Words of the coverage buffer.
pub const KCOV_WORDS: usize = 1 << 18;

/// Reports of the process of an input, in shared memory.
pub struct Shared {
    pub marks: [AtomicU32; 256],
    pub marked: AtomicUsize,
    pub message: [AtomicU32; 256],
    pub length: AtomicUsize,
}

impl Shared {
    /// From the word `at` of the coverage on it is another call's.
    pub fn mark(&self, at: usize) {
        if let Some(mark) = self.marks.get(self.marked.load(Relaxed)) {
            mark.store(at as u32, Relaxed);
            self.marked.fetch_add(1, Relaxed);
        }
    }

    /// Reports an error. The first one counts.
    pub fn complain(&self, what: &str) {
        if self.length.load(Relaxed) != 0 {
            return;
        }
        let mut length = 0;
        for (to, from) in self.message.iter().zip(what.chars()) {
            to.store(from.into(), Relaxed);
            length += 1;
        }
        self.length.store(length, Relaxed);
    }

    pub fn complaint(&self) -> Option<String> {
        let text = &self.message[..self.length.load(Relaxed)];
        let text: String = text
            .iter()
            .filter_map(|c| char::from_u32(c.load(Relaxed)))
            .collect();

        (!text.is_empty()).then_some(text)
    }
}

/// The memory to which the kernel writes its coverage.
#[derive(Clone, Copy)]
pub struct KcovArea(pub *mut u64);

impl KcovArea {
    /// Opens it, at [`KCOV_FD`].
    pub fn open() -> Result<Self, String> {
        let file = OpenOptions::new().read(true).write(true).open(KCOV);
        let file = file.map_err(|e| format!("no coverage: {KCOV}: {e}"))?;

        // SAFETY: The file is open, and the mapping a new one.
        let area = unsafe {
            if ioctl(file.as_raw_fd(), KCOV_INIT_TRACE, KCOV_WORDS) != 0 {
                return Err(format!(
                    "no coverage: {KCOV}: {}",
                    io::Error::last_os_error()
                ));
            }
            map(KCOV_WORDS * 8, MAP_SHARED, file.as_raw_fd())?
        };
        place(file, KCOV_FD)?;
        Ok(KcovArea(area.cast()))
    }

    pub fn len(&self) -> usize {
        // SAFETY: The area is never unmapped.
        let len = unsafe { self.0.read_volatile() } as usize;
        len.min(KCOV_WORDS - 1)
    }

    pub fn reset(&self) {
        // SAFETY: As above.
        unsafe { self.0.write_volatile(0) };
    }

    pub fn get(&self, at: usize) -> u64 {
        // SAFETY: As above, and `at` is less than `len()`.
        unsafe { self.0.add(1 + at).read_volatile() }
    }
}

pub fn last_error(what: &str) -> String {
    format!("{what}: {}", io::Error::last_os_error())
}

/// # Safety
///
/// `fd` must fit `flags`.
pub unsafe fn map(size: usize, flags: c_int, fd: c_int) -> Result<*mut c_void, String> {
    // SAFETY: The mapping is a new one.
    let at = unsafe { mmap(ptr::null_mut(), size, PROT_READ | PROT_WRITE, flags, fd, 0) };

    if at == MAP_FAILED {
        Err(last_error("mmap"))
    } else {
        Ok(at)
    }
}

/// Moves a file to the descriptor `fd`.
pub fn place(file: File, fd: c_int) -> Result<(), String> {
    // SAFETY: `fd` is not in use.
    match unsafe { dup3(file.as_raw_fd(), fd, O_CLOEXEC) } {
        -1 => Err(last_error("dup3")),
        _ => Ok(()),
    }
}
