// SPDX-License-Identifier: GPL-2.0

//! Single values and extensible structs in user memory.

use super::UserPtr;
use crate::{
    bindings,
    prelude::*,
    transmute::AsBytes, //
};

/// Does what `to_result()` does, and is inlined.
#[inline]
fn errno_result(ret: c_int) -> Result {
    if ret < 0 {
        return Err(Error::from_errno(ret));
    }
    Ok(())
}

impl UserPtr {
    /// Writes a C `int` to user memory, in one piece.
    ///
    /// Process context, may sleep.
    ///
    /// # Errors
    ///
    /// [`EFAULT`] if the current task cannot write to the address.
    #[doc(alias = "put_user")]
    #[inline]
    pub fn put_int(self, value: c_int) -> Result {
        // SAFETY: `put_user()` accepts any value and any address.
        errno_result(unsafe { bindings::put_user_int(value, self.as_mut_ptr().cast()) })
    }

    /// Writes a struct of which user space may know another version: at most `size` bytes, and
    /// zeroes after the struct if `size` is larger.
    ///
    /// Process context, may sleep.
    ///
    /// # Errors
    ///
    /// [`EFAULT`] if the current task cannot write to the `size` bytes.
    #[doc(alias = "copy_struct_to_user")]
    #[inline]
    pub fn put_struct<T: AsBytes>(self, size: usize, value: &T) -> Result {
        let bytes = AsBytes::as_bytes(value);
        // SAFETY: `bytes` is valid for its length. The function accepts any user address and size.
        errno_result(unsafe {
            bindings::copy_struct_to_user(
                self.as_mut_ptr(),
                size,
                bytes.as_ptr().cast(),
                bytes.len(),
                core::ptr::null_mut(),
            )
        })
    }

    /// Reads a 64-bit number from user memory.
    ///
    /// Process context, may sleep.
    ///
    /// # Errors
    ///
    /// [`EFAULT`] if the current task cannot read from the address.
    #[doc(alias = "get_user")]
    #[inline]
    pub fn get_u64(self) -> Result<u64> {
        let mut value = 0;
        // SAFETY: `get_user()` accepts any address, and `value` is a local variable.
        errno_result(unsafe { bindings::get_user_u64(&mut value, self.as_const_ptr().cast()) })?;
        Ok(value)
    }
}

#[cfg(CONFIG_RUST_PID_KUNIT_TEST)]
#[macros::kunit_tests(rust_user_struct)]
mod tests {
    use super::*;
    use crate::{
        page::PAGE_SIZE,
        pid::tests::user_page, //
    };

    #[test]
    fn numbers_are_written_and_read() {
        let page = user_page();
        assert_eq!(page.get_u64(), Ok(0));
        assert_eq!(page.put_int(-2), Ok(()));
        assert_eq!(page.get_u64(), Ok(0xffff_fffe));
    }

    #[test]
    fn structs_are_cut_or_padded_to_the_size() {
        let page = user_page();
        let second = page.wrapping_byte_add(8);
        // As much as fits.
        assert_eq!(page.put_struct(4, &u64::MAX), Ok(()));
        assert_eq!(page.get_u64(), Ok(0xffff_ffff));
        // And zeroes after it.
        assert_eq!(second.put_int(7), Ok(()));
        assert_eq!(page.put_struct(16, &u64::MAX), Ok(()));
        assert_eq!((page.get_u64(), second.get_u64()), (Ok(u64::MAX), Ok(0)));
    }

    #[test]
    fn access_beyond_the_mapping_is_efault() {
        let page = user_page();
        let last = page.wrapping_byte_add(PAGE_SIZE - 4);
        assert_eq!(last.get_u64(), Err(EFAULT));
        assert_eq!(last.put_struct(8, &u64::MAX), Err(EFAULT));
        assert_eq!(last.put_int(1), Ok(()));
    }

    #[test]
    fn kernel_addresses_are_efault() {
        let kernel = UserPtr::from_addr(usize::MAX - 4095);
        assert_eq!(kernel.put_int(1), Err(EFAULT));
        assert_eq!(kernel.get_u64(), Err(EFAULT));
        assert_eq!(kernel.put_struct(4, &1u64), Err(EFAULT));
        assert_eq!(kernel.put_struct(16, &1u64), Err(EFAULT));
    }

    #[test]
    fn size_zero_writes_nothing() {
        assert_eq!(UserPtr::from_addr(0).put_struct(0, &1u64), Ok(()));
    }
}
