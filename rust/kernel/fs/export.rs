// SPDX-License-Identifier: GPL-2.0

//! File handles.
//!
//! A file system implements [`ExportOperations`] to serve `name_to_handle_at(2)` and
//! `open_by_handle_at(2)`.
//!
//! C header: [`include/linux/exportfs.h`](srctree/include/linux/exportfs.h)

use crate::{
    bindings,
    error::from_result,
    fs::{
        dentry::Path,
        inode::Inode,
        pseudo::{
            PseudoFileSystem,
            PseudoFs, //
        },
        File, //
    },
    prelude::*,
    sync::aref::{
        ARef,
        AlwaysRefCounted, //
    },
    transmute::{
        AsBytes,
        FromBytes, //
    }, //
};
use core::{
    marker::PhantomData,
    mem::size_of,
    ptr, //
};

/// Types of file handles, which user space sees.
pub mod types {
    /// A 64-bit number that is unique in the file system.
    pub const FILEID_KERNFS: u8 = crate::bindings::fid_type_FILEID_KERNFS as u8;
}

/// The handles of a file system's objects.
///
/// All functions run in process context and may sleep.
pub trait ExportOperations: Sized + 'static {
    /// The type of the object of an inode.
    type Object: AlwaysRefCounted + Send + Sync + 'static;

    /// The content of a handle. Its size must be a multiple of four bytes.
    type Id: AsBytes + FromBytes + Copy;

    /// The type of the handles, such as one of [`types`].
    const TYPE: u8;

    /// Returns the handle of an object.
    fn encode(object: &Self::Object) -> Self::Id;

    /// Finds the object of a handle.
    ///
    /// # Errors
    ///
    /// - [`ESTALE`] if the object is gone, or not visible to the caller.
    /// - [`ENOMEM`] if memory runs out. User space sees any other error as `ESTALE`.
    fn decode(id: Self::Id) -> Result<ARef<Self::Object>>;

    /// Checks whether the current task may open handles. `flags` are those of `open(2)`.
    ///
    /// # Errors
    ///
    /// `open_by_handle_at(2)` fails with the error.
    fn permission(flags: u32) -> Result;

    /// Opens the file at `path`, which is that of a decoded handle.
    ///
    /// # Errors
    ///
    /// Those of [`Path::open`].
    fn open(path: &Path, flags: u32) -> Result<ARef<File>>;
}

/// A `struct export_operations` whose functions are those of `T`.
pub(crate) struct ExportOperationsTable<T, E>(PhantomData<(T, E)>);

impl<T, E> ExportOperationsTable<T, E>
where
    T: PseudoFileSystem<Export = E>,
    E: ExportOperations<Object = T::Object>,
{
    /// The number of 32-bit words in a handle.
    const WORDS: c_int = {
        assert!(size_of::<E::Id>() % 4 == 0);
        (size_of::<E::Id>() / 4) as c_int
    };

    pub(crate) const TABLE: &'static bindings::export_operations = &bindings::export_operations {
        encode_fh: Some(Self::encode_fh),
        fh_to_dentry: Some(Self::fh_to_dentry),
        permission: Some(Self::permission),
        open: Some(Self::open),
        ..pin_init::zeroed()
    };

    /// `->encode_fh()`: writes a handle, or returns the number of words it needs. Process context.
    ///
    /// # Safety
    ///
    /// `inode` must be a valid inode of an object in this file system. The caller must have the
    /// only access to `max_len`. `words` must be writable for `*max_len` words.
    unsafe extern "C" fn encode_fh(
        inode: *mut bindings::inode,
        words: *mut u32,
        max_len: *mut c_int,
        _parent: *mut bindings::inode,
    ) -> c_int {
        // SAFETY: As the caller promises.
        let len = unsafe { ptr::replace(max_len, Self::WORDS) };
        if len < Self::WORDS {
            return bindings::fid_type_FILEID_INVALID as c_int;
        }

        // SAFETY: As the caller promises.
        let id = E::encode(unsafe { Inode::from_raw(inode).object() });
        // SAFETY: The caller promises `len` words, and `len` is not less than `WORDS`.
        unsafe { words.cast::<E::Id>().write_unaligned(id) };
        E::TYPE.into()
    }

    /// `->fh_to_dentry()`: finds the dentry of a handle. Process context, may sleep.
    ///
    /// # Safety
    ///
    /// `sb` must be the super block of this file system, and the caller must hold its mount. `fid`
    /// must be readable for `len` words.
    unsafe extern "C" fn fh_to_dentry(
        sb: *mut bindings::super_block,
        fid: *mut bindings::fid,
        len: c_int,
        fh_type: c_int,
    ) -> *mut bindings::dentry {
        if len < Self::WORDS || fh_type != c_int::from(E::TYPE) {
            return ptr::null_mut();
        }
        // SAFETY: The caller promises `len` words. Any content is a valid `Id`, which is
        // `FromBytes`.
        let id = unsafe { fid.cast::<E::Id>().read_unaligned() };
        // SAFETY: As the caller promises.
        let fs = unsafe { PseudoFs::<T>::of_super(sb) };
        // SAFETY: The caller holds the mount.
        let mount = unsafe { fs.as_mounted() };

        match E::decode(id).and_then(|object| mount.dentry(&object)) {
            Ok(dentry) => dentry.into_raw(),
            Err(err) => err.to_ptr(),
        }
    }

    /// `->permission()`: called before a handle is decoded. Process context, may sleep.
    ///
    /// # Safety
    ///
    /// None: no pointer is used.
    unsafe extern "C" fn permission(
        _ctx: *mut bindings::handle_to_path_ctx,
        flags: c_uint,
    ) -> c_int {
        from_result(|| E::permission(flags).map(|()| 0))
    }

    /// `->open()`: opens the file of a decoded handle. Process context, may sleep.
    ///
    /// # Safety
    ///
    /// `path` must be a valid path in this file system during the call.
    unsafe extern "C" fn open(path: *const bindings::path, flags: c_uint) -> *mut bindings::file {
        // SAFETY: As the caller promises.
        match E::open(unsafe { Path::borrow(path) }, flags) {
            Ok(file) => ARef::into_raw(file).as_ptr().cast(),
            Err(err) => err.to_ptr(),
        }
    }
}
