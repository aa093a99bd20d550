// SPDX-License-Identifier: GPL-2.0

//! The table of a pseudo file system's export operations.
//!
//! C header: [`include/linux/exportfs.h`](srctree/include/linux/exportfs.h)

use super::{
    PseudoFileSystem,
    PseudoFs, //
};
use crate::{
    bindings,
    error::from_result,
    fs::{
        dentry::Path,
        export::ExportOperations,
        inode::Inode, //
    },
    prelude::*,
    sync::aref::ARef, //
};
use core::{
    marker::PhantomData,
    ptr, //
};

/// A `struct export_operations` whose functions are those of file system `T`.
pub(super) struct ExportOperationsTable<T: PseudoFileSystem>(PhantomData<T>);

/// The content of a handle.
type Id<T> = <<T as PseudoFileSystem>::Export as ExportOperations>::Id;

impl<T: PseudoFileSystem> ExportOperationsTable<T> {
    /// The number of 32-bit words in a handle.
    const WORDS: c_int = {
        assert!(size_of::<Id<T>>() % 4 == 0);
        (size_of::<Id<T>>() / 4) as c_int
    };

    pub(super) const TABLE: &'static bindings::export_operations = &bindings::export_operations {
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
        let id = T::Export::encode(unsafe { Inode::from_raw(inode).object() });
        // SAFETY: The caller promises `len` words, and `len` is not less than `WORDS`.
        unsafe { words.cast::<Id<T>>().write_unaligned(id) };
        T::Export::TYPE.into()
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
        if len < Self::WORDS || fh_type != c_int::from(T::Export::TYPE) {
            return ptr::null_mut();
        }
        // SAFETY: The caller promises `len` words. Any content is a valid `Id`, which is
        // `FromBytes`.
        let id = unsafe { fid.cast::<Id<T>>().read_unaligned() };
        // SAFETY: As the caller promises.
        let fs = unsafe { PseudoFs::<T>::of_super(sb) };
        // SAFETY: The caller holds the mount.
        let mount = unsafe { fs.as_mounted() };

        match T::Export::decode(id).and_then(|object| mount.dentry(&object)) {
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
        from_result(|| T::Export::permission(flags).map(|()| 0))
    }

    /// `->open()`: opens the file of a decoded handle. Process context, may sleep.
    ///
    /// # Safety
    ///
    /// `path` must be a valid path in this file system during the call.
    unsafe extern "C" fn open(path: *const bindings::path, flags: c_uint) -> *mut bindings::file {
        // SAFETY: As the caller promises.
        match T::Export::open(unsafe { Path::borrow(path) }, flags) {
            Ok(file) => ARef::into_raw(file).as_ptr().cast(),
            Err(err) => err.to_ptr(),
        }
    }
}
