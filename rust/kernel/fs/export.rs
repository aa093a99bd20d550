// SPDX-License-Identifier: GPL-2.0

//! File handles.
//!
//! [`ExportOperations`] is implemented by file systems whose objects can be named by
//! `name_to_handle_at(2)` and opened by `open_by_handle_at(2)`.
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

/// Kinds of file handle, as user space sees them.
pub mod types {
    /// A 64-bit number that is unique in the file system.
    pub const FILEID_KERNFS: u8 = crate::bindings::fid_type_FILEID_KERNFS as u8;
}

/// How objects of a file system are named by handles, and found by them.
///
/// All functions run in process context and may sleep.
pub trait ExportOperations: Sized + 'static {
    /// What an inode stands for.
    type Object: AlwaysRefCounted + Send + Sync + 'static;

    /// What is in a handle; a multiple of four bytes long.
    type Id: AsBytes + FromBytes + Copy;

    /// The kind of handle that has such an [`Id`](ExportOperations::Id), one of [`types`] say.
    const TYPE: u8;

    /// Names an object.
    fn encode(object: &Self::Object) -> Self::Id;

    /// Finds what was named.
    ///
    /// # Errors
    ///
    /// - [`ESTALE`] if it is gone, or none of the caller's business.
    /// - [`ENOMEM`] if memory runs out. User space sees any other error as `ESTALE`.
    fn decode(id: Self::Id) -> Result<ARef<Self::Object>>;

    /// Decides whether the current task may open handles, with `flags` as for `open(2)`.
    ///
    /// # Errors
    ///
    /// What `open_by_handle_at(2)` shall fail with.
    fn permission(flags: u32) -> Result;

    /// Opens what was found.
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
    /// How many 32-bit words a handle has.
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

    /// # Safety
    ///
    /// Called by C as `->encode_fh()` for an inode of our file system.
    unsafe extern "C" fn encode_fh(
        inode: *mut bindings::inode,
        words: *mut u32,
        max_len: *mut c_int,
        _parent: *mut bindings::inode,
    ) -> c_int {
        // SAFETY: C calls with a length that is its own during the call.
        let len = unsafe { ptr::replace(max_len, Self::WORDS) };
        if len < Self::WORDS {
            return bindings::fid_type_FILEID_INVALID as c_int;
        }

        // SAFETY: The inode is valid during the call, and of our file system.
        let id = E::encode(unsafe { Inode::from_raw(inode).object() });
        // SAFETY: There is room for `len` words at `words`.
        unsafe { words.cast::<E::Id>().write_unaligned(id) };
        E::TYPE.into()
    }

    /// # Safety
    ///
    /// Called by C as `->fh_to_dentry()` for our file system.
    unsafe extern "C" fn fh_to_dentry(
        sb: *mut bindings::super_block,
        fid: *mut bindings::fid,
        len: c_int,
        fh_type: c_int,
    ) -> *mut bindings::dentry {
        if len < Self::WORDS || fh_type != c_int::from(E::TYPE) {
            return ptr::null_mut();
        }
        // SAFETY: There are `len` words at `fid`, any content of which is an `Id`.
        let id = unsafe { fid.cast::<E::Id>().read_unaligned() };
        // SAFETY: `sb` is a super block of our file system.
        let fs = unsafe { PseudoFs::<T>::of_super(sb) };
        // SAFETY: The caller has a path in it during the call, and so the mount.
        let mount = unsafe { fs.as_mounted() };

        match E::decode(id).and_then(|object| mount.dentry(&object)) {
            Ok(dentry) => dentry.into_raw(),
            Err(err) => err.to_ptr(),
        }
    }

    /// # Safety
    ///
    /// Called by C as `->permission()` for our file system.
    unsafe extern "C" fn permission(
        _ctx: *mut bindings::handle_to_path_ctx,
        flags: c_uint,
    ) -> c_int {
        from_result(|| E::permission(flags).map(|()| 0))
    }

    /// # Safety
    ///
    /// Called by C as `->open()` for our file system.
    unsafe extern "C" fn open(path: *const bindings::path, flags: c_uint) -> *mut bindings::file {
        // SAFETY: The path is valid during the call.
        match E::open(unsafe { Path::borrow(path) }, flags) {
            Ok(file) => ARef::into_raw(file).as_ptr().cast(),
            Err(err) => err.to_ptr(),
        }
    }
}
