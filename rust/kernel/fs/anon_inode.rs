// SPDX-License-Identifier: GPL-2.0

//! Files on the anonymous inode.
//!
//! C header: [`include/linux/anon_inodes.h`](srctree/include/linux/anon_inodes.h)

use crate::{
    bindings,
    error::from_err_ptr,
    fs::{
        file_operations::{
            FileOperations,
            FileOperationsTable, //
        },
        File, //
    },
    prelude::*,
    str::CStrExt as _,
    sync::aref::ARef,
    types::ForeignOwnable, //
};
use core::ptr::NonNull;

/// Makes a file on the anonymous inode.
///
/// The file owns `private`, and `readlink` on `/proc/<pid>/fd/<fd>` says `anon_inode:` followed by
/// `name`. Of `flags`, the access mode and `O_NONBLOCK` are the VFS'; other bits are kept in the
/// file's flags for the file operations to read. The file is in no descriptor table yet, see
/// [`FileDescriptorReservation`].
///
/// Process context, may sleep.
///
/// # Errors
///
/// - [`ENOENT`] if the module of the file operations is being unloaded.
/// - [`ENFILE`] if the system has no room for another file.
/// - [`ENOMEM`] if memory runs out.
///
/// `private` is dropped then.
///
/// # Examples
///
/// ```
/// use kernel::fs::{
///     anon_inode,
///     file::flags::O_RDWR,
///     file_operations::{
///         FileOperations,
///         FileOperationsTable, //
///     }, //
/// };
///
/// struct Nothing;
///
/// #[vtable]
/// impl FileOperations for Nothing {
///     type Private = ();
/// }
///
/// static NOTHING: FileOperationsTable<Nothing> = FileOperationsTable::new();
///
/// let file = anon_inode::getfile(c"[nothing]", &NOTHING, (), O_RDWR)?;
/// assert_eq!(file.flags(), O_RDWR);
/// # Ok::<(), Error>(())
/// ```
///
/// [`FileDescriptorReservation`]: crate::fs::file::FileDescriptorReservation
#[doc(alias = "anon_inode_getfile")]
pub fn getfile<T: FileOperations>(
    name: &CStr,
    operations: &'static FileOperationsTable<T>,
    private: T::Private,
    flags: u32,
) -> Result<ARef<File>> {
    let private = private.into_foreign();

    // SAFETY: `name` is nul-terminated and copied; `operations` is static, and its functions expect
    // the result of `into_foreign()` on a `T::Private`.
    let file = from_err_ptr(unsafe {
        bindings::anon_inode_getfile(
            name.as_char_ptr(),
            operations.as_ptr(),
            private,
            flags as c_int,
        )
    })
    .inspect_err(|_| {
        // SAFETY: There is no file, so `private` is ours as `into_foreign()` left it.
        drop(unsafe { <T::Private as ForeignOwnable>::from_foreign(private) });
    })?;

    const VFS_FLAGS: u32 = bindings::O_ACCMODE | bindings::O_NONBLOCK;
    // SAFETY: Nobody else has seen the file yet, so nobody else reads or writes its flags.
    unsafe { (*file).f_flags |= flags & !VFS_FLAGS };

    // SAFETY: `anon_inode_getfile()` returned a file, non-null, with a reference that is ours.
    Ok(unsafe { ARef::from_raw(NonNull::new_unchecked(file.cast())) })
}

#[cfg(CONFIG_RUST_PID_KUNIT_TEST)]
#[macros::kunit_tests(rust_anon_inode)]
mod tests {
    use super::*;
    use crate::{
        fs::file_operations::{
            events::EPOLLIN,
            OpenFile, //
        },
        sync::{
            poll::PollTable,
            Arc, //
        }, //
    };

    struct Bare;

    #[vtable]
    impl FileOperations for Bare {
        type Private = ();
    }

    static BARE: FileOperationsTable<Bare> = FileOperationsTable::new();

    struct Readable;

    #[vtable]
    impl FileOperations for Readable {
        type Private = Arc<u32>;

        fn poll(file: &OpenFile<'_, Self>, _table: &PollTable<'_>) -> u32 {
            assert!(file.file().flags() & bindings::O_NONBLOCK != 0);
            *file.private()
        }

        fn ioctl(_file: &OpenFile<'_, Self>, cmd: u32, _arg: usize) -> Result<isize> {
            match cmd {
                1 => Ok(7),
                _ => Err(ENOTTY),
            }
        }
    }

    static READABLE: FileOperationsTable<Readable> = FileOperationsTable::new();

    fn table<T: FileOperations>(
        operations: &'static FileOperationsTable<T>,
    ) -> &'static bindings::file_operations {
        // SAFETY: The table is static and never written to.
        unsafe { &*operations.as_ptr() }
    }

    #[test]
    fn what_is_not_implemented_is_not_in_the_table() {
        let bare = table(&BARE);
        assert!(bare.release.is_some());
        assert!(bare.poll.is_none() && bare.show_fdinfo.is_none());
        assert!(bare.unlocked_ioctl.is_none() && bare.compat_ioctl.is_none());
        assert!(table(&READABLE).poll.is_some() && table(&READABLE).unlocked_ioctl.is_some());
    }

    #[test]
    fn flags_that_the_vfs_does_not_know_are_kept() {
        let flags = bindings::O_RDWR | bindings::O_EXCL | bindings::O_TRUNC;
        let file = getfile(c"[test]", &BARE, (), flags).unwrap();
        assert_eq!(file.flags(), flags);
    }

    #[test]
    fn operations_see_what_the_file_owns_until_its_release_drops_it() {
        let owned = Arc::new(EPOLLIN, GFP_KERNEL).unwrap();
        let file = getfile(c"[test]", &READABLE, owned.clone(), bindings::O_NONBLOCK).unwrap();
        // SAFETY: The file was made with this table; a null table is allowed.
        let poll =
            || unsafe { table(&READABLE).poll.unwrap()(file.as_ptr(), core::ptr::null_mut()) };
        // SAFETY: The file was made with this table.
        let ioctl =
            |cmd| unsafe { table(&READABLE).unlocked_ioctl.unwrap()(file.as_ptr(), cmd, 0) };

        assert_eq!(poll(), EPOLLIN);
        assert_eq!(ioctl(1), 7);
        assert_eq!(ioctl(2), ENOTTY.to_errno() as c_long);

        let owned = Arc::into_unique_or_drop(owned);
        assert!(owned.is_none());
        drop(file);
    }

    #[test]
    fn release_drops_what_the_file_owns() {
        let owned = Arc::new(0, GFP_KERNEL).unwrap();
        drop(getfile(c"[test]", &READABLE, owned.clone(), 0).unwrap());
        // SAFETY: No requirements; a kernel thread's last reference is dropped by a work item.
        unsafe { bindings::flush_delayed_fput() };
        assert!(Arc::into_unique_or_drop(owned).is_some());
    }
}
