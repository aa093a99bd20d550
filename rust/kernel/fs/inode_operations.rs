// SPDX-License-Identifier: GPL-2.0

//! Inode operations.
//!
//! Each kind of inode implements [`InodeOperations`].
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h)

use crate::{
    bindings,
    error::{
        from_result,
        VTABLE_DEFAULT_ERROR, //
    },
    fs::{
        inode::{
            Inode,
            Stat, //
        },
        xattr::{
            self,
            XattrList, //
        }, //
    },
    prelude::*,
    sync::aref::AlwaysRefCounted, //
};
use core::marker::PhantomData;

/// The operations on one kind of inode, each of which owns a reference to an
/// [`Object`](InodeOperations::Object).
///
/// All run in process context and may sleep.
#[vtable]
pub trait InodeOperations: Sized + 'static {
    /// The type of the object of an inode.
    type Object: AlwaysRefCounted + Send + Sync + 'static;

    /// Answers `stat(2)` and `statx(2)`. `request_mask` is that of `statx(2)`.
    ///
    /// Without this method, the fields of the inode are the answer.
    fn getattr(
        _object: &Self::Object,
        _inode: &Inode,
        _stat: &mut Stat,
        _request_mask: u32,
    ) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Decides on `chmod(2)`, `chown(2)`, `utimensat(2)` and `truncate(2)`.
    ///
    /// Called with the lock of the inode held. An implementation can only refuse the change.
    /// Without this method, `simple_setattr()` of the VFS makes it.
    fn setattr(_object: &Self::Object) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Lists the names of the extended attributes.
    fn listxattr(_object: &Self::Object, _list: XattrList<'_>) -> Result<usize> {
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

/// A `struct inode_operations` whose functions are those of `T`.
pub(crate) struct InodeOperationsTable<T: InodeOperations>(PhantomData<T>);

impl<T: InodeOperations> InodeOperationsTable<T> {
    pub(crate) const TABLE: &'static bindings::inode_operations = &bindings::inode_operations {
        getattr: if T::HAS_GETATTR {
            Some(Self::getattr)
        } else {
            None
        },
        setattr: if T::HAS_SETATTR {
            Some(Self::setattr)
        } else {
            None
        },
        listxattr: if T::HAS_LISTXATTR {
            Some(Self::listxattr)
        } else {
            None
        },
        ..pin_init::zeroed()
    };

    /// `->getattr()`. Process context, may sleep.
    ///
    /// # Safety
    ///
    /// `path` must be a valid path to an inode with this table. `stat` must be initialised, and the
    /// caller must have the only access to it.
    unsafe extern "C" fn getattr(
        _idmap: *mut bindings::mnt_idmap,
        path: *const bindings::path,
        stat: *mut bindings::kstat,
        request_mask: u32,
        _query_flags: c_uint,
    ) -> c_int {
        // SAFETY: As the caller promises.
        let inode = unsafe { Inode::from_raw((*(*path).dentry).d_inode) };
        // SAFETY: As the caller promises. `Stat` is `repr(transparent)`.
        let stat = unsafe { &mut *stat.cast::<Stat>() };

        from_result(|| {
            // SAFETY: Inodes with this table own a reference to a `T::Object`.
            T::getattr(unsafe { inode.object() }, inode, stat, request_mask).map(|()| 0)
        })
    }

    /// `->setattr()`. Process context, may sleep; the lock of the inode is held.
    ///
    /// # Safety
    ///
    /// `dentry` must be a valid dentry of an inode with this table.
    unsafe extern "C" fn setattr(
        _idmap: *mut bindings::mnt_idmap,
        dentry: *mut bindings::dentry,
        _attr: *mut bindings::iattr,
    ) -> c_int {
        // SAFETY: As the caller promises.
        let inode = unsafe { Inode::from_raw((*dentry).d_inode) };
        // SAFETY: Inodes with this table own a reference to a `T::Object`.
        from_result(|| T::setattr(unsafe { inode.object() }).map(|()| 0))
    }

    /// `->listxattr()`. Process context, may sleep.
    ///
    /// # Safety
    ///
    /// `dentry` must be a valid dentry of an inode with this table. `buffer` must be null, or
    /// writable for `size` bytes.
    unsafe extern "C" fn listxattr(
        dentry: *mut bindings::dentry,
        buffer: *mut c_char,
        size: usize,
    ) -> isize {
        // SAFETY: As the caller promises.
        let inode = unsafe { Inode::from_raw((*dentry).d_inode) };
        // SAFETY: As the caller promises.
        let list = unsafe { XattrList::from_raw(inode, buffer, size) };

        let len: c_int = from_result(|| {
            // SAFETY: Inodes with this table own a reference to a `T::Object`.
            let len = T::listxattr(unsafe { inode.object() }, list)?;
            xattr::checked_len(buffer.is_null(), size, len)
        });
        len as isize
    }
}
