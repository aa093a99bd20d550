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
    /// Much cheaper than [`seq_print!`](crate::seq_file::seq_print). Output that does not fit is
    /// dropped, and the core calls again with a larger buffer.
    #[doc(alias = "seq_put_decimal_ll")]
    #[inline]
    pub fn put_decimal(&self, delimiter: &CStr, num: i64) {
        // SAFETY: `self` is a valid `struct seq_file` that only this thread accesses, and
        // `delimiter` is nul-terminated.
        unsafe { bindings::seq_put_decimal_ll(self.inner.get(), delimiter.as_char_ptr(), num) };
    }

    /// Writes one character.
    ///
    /// A character that does not fit is dropped, and the core calls again with a larger buffer.
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
        // SAFETY: `self` is a valid `struct seq_file`; the helper checks that it belongs to a file
        // on procfs before it looks at what is procfs' own.
        let ns = unsafe { bindings::seq_file_proc_pid_ns(self.inner.get()) };
        if ns.is_null() {
            return None;
        }

        // SAFETY: The super block of a procfs instance holds its pid namespace, and the open file
        // behind `self` holds the super block.
        Some(unsafe { PidNamespace::from_ptr(ns) })
    }
}
