// SPDX-License-Identifier: GPL-2.0

//! Output to a [`SeqFile`] without the formatting machinery.

use super::SeqFile;
use crate::{
    bindings,
    pid_namespace::PidNamespace,
    prelude::*, //
};

#[cfg(CONFIG_RUST_PID_KUNIT_TEST)]
mod tests;

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
///
/// # Examples
///
/// ```
/// use kernel::seq_file::Decimal;
///
/// assert_eq!(Decimal::new(-42).as_bytes(), b"-42");
/// ```
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

/// Text of at most `N` bytes that is assembled for a [`SeqFile`].
///
/// An addition that does not fit is dropped as a whole.
///
/// # Examples
///
/// ```
/// use kernel::seq_file::{Decimal, Text};
///
/// let mut text = Text::<8>::new();
/// text.push(b"Pid:\t");
/// text.push(Decimal::new(42).as_bytes());
/// text.push(b" too long");
/// assert_eq!(text.as_bytes(), b"Pid:\t42");
/// ```
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

    /// Adds `bytes`, if all of them fit.
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
