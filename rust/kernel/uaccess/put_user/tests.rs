// SPDX-License-Identifier: GPL-2.0

//! Unit tests of single values and structs in user memory.

#[macros::kunit_tests(rust_user_struct)]
mod cases {
    use super::super::*;
    use crate::{
        page::PAGE_SIZE,
        pid::test_support::user_page, //
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
