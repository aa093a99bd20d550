// SPDX-License-Identifier: GPL-2.0

//! Numbers, in files that may be open when their module goes.

use super::{
    file_ops::{
        FileOps,
        ReadFile, //
    },
    Dir,
    File,
    Writer, //
};
use crate::{
    fmt,
    prelude::*, //
};

/// Where a number comes from.
pub struct Number(fn() -> i64);

impl Writer for Number {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", (self.0)())
    }
}

// SAFETY: Nothing ever writes to file operations.
unsafe impl Sync for FileOps<Number> {}

/// debugfs looks at these when a file is closed, which may be long after the file was removed and
/// its module is gone; they have no owner that would keep it. So they are not a module's, as those
/// of the other files of [`Dir`] are, but in one place in the kernel.
static FILE_OPS: FileOps<Number> = <Number as ReadFile<Number>>::FILE_OPS;

impl Dir {
    /// Creates a file that only its owner, root, can read, with what `get` returns in decimal.
    ///
    /// The file is removed when the result is dropped, which waits for who is just reading it.
    /// Whoever has it open then may keep it so, and the module of `get` may go. Without debugfs or
    /// memory there is no file. Process context, may sleep; `get` is called in process context too.
    pub fn number_file<'a>(
        &'a self,
        name: &'a CStr,
        get: fn() -> i64,
    ) -> impl PinInit<File<Number>> + 'a {
        self.create_file(name, Number(get), &FILE_OPS)
    }
}

#[cfg(CONFIG_RUST_PID_KUNIT_TEST)]
#[macros::kunit_tests(rust_debugfs_number)]
mod tests {
    use super::*;
    use crate::str::CString;

    struct Text(Number);

    impl fmt::Display for Text {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.write(f)
        }
    }

    fn get() -> i64 {
        -42
    }

    #[test]
    fn a_number_is_one_line() {
        let text = CString::try_from_fmt(fmt!("{}", Text(Number(get)))).unwrap();
        assert_eq!(&*text, c"-42\n");
    }

    #[cfg(CONFIG_DEBUG_FS)]
    #[test]
    fn a_file_is_there_until_it_is_dropped() {
        use crate::bindings;

        let dir = Dir::new(c"rust_debugfs_number");
        let parent = dir.0.as_ref().unwrap().as_ptr();
        // SAFETY: The directory is valid; what is found is ours to put.
        let is_there = || unsafe {
            let dentry = bindings::debugfs_lookup(c"number".as_char_ptr(), parent);
            if !dentry.is_null() {
                bindings::dput(dentry);
            }
            !dentry.is_null()
        };
        assert!(!is_there());
        let file = KBox::pin_init(dir.number_file(c"number", get), GFP_KERNEL).unwrap();
        assert!(is_there());
        drop(file);
        assert!(!is_there());
    }
}
