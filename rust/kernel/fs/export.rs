// SPDX-License-Identifier: GPL-2.0

//! File handles.
//!
//! A file system implements [`ExportOperations`] to serve `name_to_handle_at(2)` and
//! `open_by_handle_at(2)`.
//!
//! C header: [`include/linux/exportfs.h`](srctree/include/linux/exportfs.h)

use crate::{
    fs::{
        dentry::Path,
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
