// SPDX-License-Identifier: GPL-2.0

//! Warnings that are reported once.
//!
//! C header: [`include/asm-generic/bug.h`](srctree/include/asm-generic/bug.h)

/// Reports a warning the first time that `cond` is true. Returns `cond`.
///
/// For a condition that user space may cause repeatedly, and that must not fill the kernel log.
///
/// Mirrors the kernel's `WARN_ON_ONCE` macro. Any context.
///
/// # Examples
///
/// ```
/// let flags = 0;
/// if kernel::warn_on_once!(flags != 0) {
///     return Err(EINVAL);
/// }
/// # Ok::<(), Error>(())
/// ```
#[macro_export]
macro_rules! warn_on_once {
    ($cond:expr) => {{
        let cond = $cond;

        if cond {
            $crate::do_once_lite! {
                $crate::warn_on!(true);
            }
        }
        cond
    }};
}
