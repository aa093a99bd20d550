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
