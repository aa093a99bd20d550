// SPDX-License-Identifier: GPL-2.0

//! Unit tests of output to a [`SeqFile`](super::SeqFile).

#[macros::kunit_tests(rust_seq_file_put)]
mod cases {
    use super::super::*;
    use core::mem::MaybeUninit;

    /// Returns the content of the buffer after `fill`, and whether all output fit into it.
    fn filled(buffer: &mut [u8], fill: impl FnOnce(&SeqFile)) -> (&[u8], bool) {
        let mut seq = MaybeUninit::<bindings::seq_file>::zeroed();
        // SAFETY: Zeroes are a `seq_file` without a buffer.
        let seq = unsafe { seq.assume_init_mut() };
        seq.buf = buffer.as_mut_ptr().cast();
        seq.size = buffer.len();
        // SAFETY: `size` is the length of the buffer, and `fill` has the only access to `seq`.
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
