// SPDX-License-Identifier: GPL-2.0

//! Output to a [`SeqFile`] without the formatting machinery.

use super::SeqFile;
use crate::{
    bindings,
    pid_namespace::PidNamespace,
    prelude::*, //
};

impl SeqFile {
    /// Writes `delimiter` and then `num` in decimal.
    ///
    /// Takes fewer instructions than [`seq_print!`](crate::seq_file::seq_print). If the buffer is
    /// full, the core allocates a larger one and calls again.
    #[doc(alias = "seq_put_decimal_ll")]
    #[inline]
    pub fn put_decimal(&self, delimiter: &CStr, num: i64) {
        // SAFETY: `self` is a valid `struct seq_file` that only this thread accesses, and
        // `delimiter` is nul-terminated.
        unsafe { bindings::seq_put_decimal_ll(self.inner.get(), delimiter.as_char_ptr(), num) };
    }

    /// Writes bytes.
    ///
    /// If the buffer is full, the core allocates a larger one and calls again.
    #[doc(alias = "seq_write")]
    #[inline]
    pub fn write(&self, bytes: &[u8]) {
        // SAFETY: `self` is a valid `struct seq_file` that only this thread accesses, and `bytes`
        // is valid for its length.
        unsafe { bindings::seq_write(self.inner.get(), bytes.as_ptr().cast(), bytes.len()) };
    }

    /// Writes one character.
    ///
    /// If the buffer is full, the core allocates a larger one and calls again.
    #[doc(alias = "seq_putc")]
    #[inline]
    pub fn putc(&self, c: u8) {
        // SAFETY: `self` is a valid `struct seq_file` that only this thread accesses.
        unsafe { bindings::seq_putc(self.inner.get(), c) };
    }

    /// Returns the pid namespace of the procfs instance that this file is read through.
    ///
    /// Returns [`None`] for a file that is not on procfs.
    #[inline]
    pub fn proc_pid_ns(&self) -> Option<&PidNamespace> {
        // SAFETY: `self` is a valid `struct seq_file`. The helper checks that its file is on
        // procfs.
        let ns = unsafe { bindings::seq_file_proc_pid_ns(self.inner.get()) };
        if ns.is_null() {
            return None;
        }

        // SAFETY: The super block of a procfs instance holds its pid namespace, and the open file
        // behind `self` holds the super block.
        Some(unsafe { PidNamespace::from_ptr(ns) })
    }
}

/// A number in decimal, as text.
pub struct Decimal {
    text: [u8; Self::MAX],
    start: usize,
}

impl Decimal {
    /// The length of the longest text, that of [`i32::MIN`].
    const MAX: usize = 11;

    /// Converts `num`.
    #[inline]
    pub fn new(num: i32) -> Self {
        let mut this = Self {
            text: [b'-'; Self::MAX],
            start: Self::MAX,
        };
        let mut rest = num.unsigned_abs();
        // At most ten digits. The iteration needs no check of an index.
        for (at, digit) in this.text[1..].iter_mut().enumerate().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                this.start = at + 1;
                break;
            }
        }
        if num < 0 {
            this.start -= 1;
        }
        this
    }

    /// Returns the text.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.text.get(self.start..).unwrap_or_default()
    }
}

/// Text of at most `N` bytes that is assembled for a [`SeqFile`]. Bytes beyond that are dropped.
pub struct Text<const N: usize> {
    text: [u8; N],
    len: usize,
}

impl<const N: usize> Text<N> {
    /// Creates an empty text.
    #[inline]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self {
            text: [0; N],
            len: 0,
        }
    }

    /// Adds `bytes`.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        if let Some(room) = self.text.get_mut(self.len..self.len + bytes.len()) {
            for (to, from) in room.iter_mut().zip(bytes) {
                *to = *from;
            }
            self.len += bytes.len();
        }
    }

    /// Returns the text.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.text.get(..self.len).unwrap_or_default()
    }
}

#[cfg(CONFIG_RUST_PID_KUNIT_TEST)]
#[macros::kunit_tests(rust_seq_file_put)]
mod tests {
    use super::*;
    use core::mem::MaybeUninit;

    /// What is there after `fill`, of what fits into the buffer, and whether all did.
    fn filled(buffer: &mut [u8], fill: impl FnOnce(&SeqFile)) -> (&[u8], bool) {
        let mut seq = MaybeUninit::<bindings::seq_file>::zeroed();
        // SAFETY: Zeroes are a `seq_file` without a buffer.
        let seq = unsafe { seq.assume_init_mut() };
        seq.buf = buffer.as_mut_ptr().cast();
        seq.size = buffer.len();
        // SAFETY: The buffer is as long as it says, and nobody else uses `seq`.
        fill(unsafe { SeqFile::from_raw(seq) });
        (&buffer[..seq.count], seq.count < seq.size)
    }

    #[test]
    fn numbers_and_characters_are_written() {
        let mut buffer = [0; 64];
        let (text, all) = filled(&mut buffer, |m| {
            m.put_decimal(c"Pid:\t", 42);
            m.put_decimal(c"\t", -1);
            m.put_decimal(c"", 1 << 40);
            m.write(b"");
            m.write(b" as they are");
            m.putc(b'\n');
        });
        assert!(all);
        assert_eq!(text, b"Pid:\t42\t-11099511627776 as they are\n");
    }

    #[test]
    fn numbers_become_text() {
        for (num, text) in [
            (0, "0"),
            (9, "9"),
            (10, "10"),
            (-1, "-1"),
            (4_194_304, "4194304"),
            (i32::MAX, "2147483647"),
            (i32::MIN, "-2147483648"),
        ] {
            assert_eq!(Decimal::new(num).as_bytes(), text.as_bytes());
        }
    }

    #[test]
    fn text_is_assembled() {
        let mut text = Text::<8>::new();
        assert_eq!(text.as_bytes(), b"");
        text.push(b"Pid");
        text.push(b":\t");
        text.push(b"1234");
        assert_eq!(text.as_bytes(), b"Pid:\t");
        text.push(b"123");
        assert_eq!(text.as_bytes(), b"Pid:\t123");
    }

    #[test]
    fn overflow_is_reported() {
        let mut buffer = [0; 4];
        assert!(!filled(&mut buffer, |m| m.put_decimal(c"Pid:\t", 42)).1);
        assert!(!filled(&mut buffer, |m| m.write(b"Pid:\t42")).1);
        assert!(!filled(&mut buffer, |m| (0..5).for_each(|_| m.putc(b'x'))).1);
    }

    #[test]
    fn only_procfs_has_a_pid_namespace() {
        let mut buffer = [0; 4];
        let mut none = false;
        filled(&mut buffer, |m| none = m.proc_pid_ns().is_none());
        assert!(none);
    }
}
