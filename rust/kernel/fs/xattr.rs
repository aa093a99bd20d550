// SPDX-License-Identifier: GPL-2.0

//! Extended attributes.
//!
//! [`XattrHandler`] is implemented by file systems that have some. [`SimpleXattrs`] keeps them in
//! memory.
//!
//! C header: [`include/linux/xattr.h`](srctree/include/linux/xattr.h)

use crate::{
    bindings,
    error::{
        from_err_ptr,
        from_result, //
    },
    fs::inode::Inode,
    prelude::*,
    str::CStrExt as _,
    sync::aref::AlwaysRefCounted, //
};
use core::{
    marker::PhantomData,
    ptr,
    slice, //
};

/// Flags of [`XattrHandler::set`].
pub mod flags {
    /// The attribute must not exist.
    pub const XATTR_CREATE: u32 = crate::bindings::XATTR_CREATE;
    /// The attribute must exist.
    pub const XATTR_REPLACE: u32 = crate::bindings::XATTR_REPLACE;
}

/// The full name of an attribute, with its prefix.
///
/// As C has it: a [`CStr`] of which nobody has found out yet how long it is.
///
/// # Invariants
///
/// The pointer is valid for `'a`, and nul-terminated.
#[derive(Copy, Clone)]
pub struct XattrName<'a> {
    name: *const c_char,
    _name: PhantomData<&'a CStr>,
}

impl<'a> From<&'a CStr> for XattrName<'a> {
    fn from(name: &'a CStr) -> Self {
        // INVARIANT: A `CStr` is nul-terminated.
        Self {
            name: name.as_char_ptr(),
            _name: PhantomData,
        }
    }
}

/// Where a value of an attribute goes.
///
/// # Invariants
///
/// `buffer` is null, or can be written to for `size` bytes during `'a`.
pub struct XattrValue<'a> {
    buffer: *mut c_void,
    size: usize,
    _buffer: PhantomData<&'a mut [u8]>,
}

/// Where names of attributes go.
///
/// # Invariants
///
/// `buffer` is null, or can be written to for `size` bytes during `'a`.
pub struct XattrList<'a> {
    inode: &'a Inode,
    buffer: *mut c_char,
    size: usize,
}

impl<'a> XattrList<'a> {
    /// # Safety
    ///
    /// `buffer` must be null, or be there to be written to for `size` bytes during `'a`.
    pub(crate) unsafe fn from_raw(inode: &'a Inode, buffer: *mut c_char, size: usize) -> Self {
        // INVARIANT: As the caller promises.
        Self {
            inode,
            buffer,
            size,
        }
    }
}

/// The extended attributes whose names have one prefix.
///
/// All functions run in process context and may sleep. Permissions have been looked at: for
/// `trusted.` the VFS has found `CAP_SYS_ADMIN` in the initial user namespace.
pub trait XattrHandler: Sized + 'static {
    /// What an inode stands for.
    type Object: AlwaysRefCounted + Send + Sync + 'static;

    /// The prefix, with its dot.
    const PREFIX: &'static CStr;

    /// Reads the attribute with the full name `name`, and returns how long its value is.
    ///
    /// # Errors
    ///
    /// - [`ENODATA`] if there is none.
    /// - [`ERANGE`] if the value is too long for its buffer.
    fn get(object: &Self::Object, name: XattrName<'_>, value: XattrValue<'_>) -> Result<usize>;

    /// Writes the attribute with the full name `name`, or removes it for [`None`].
    ///
    /// Called with the inode's lock held. `flags` are [`flags::XATTR_CREATE`] and
    /// [`flags::XATTR_REPLACE`].
    ///
    /// # Errors
    ///
    /// - [`EEXIST`] and [`ENODATA`] if `flags` are against it.
    /// - [`ENOMEM`] if memory runs out.
    fn set(object: &Self::Object, name: XattrName<'_>, value: Option<&[u8]>, flags: u32) -> Result;
}

/// A `struct xattr_handler` whose functions are those of `T`.
pub(crate) struct XattrHandlers<T: XattrHandler>(PhantomData<T>);

impl<T: XattrHandler> XattrHandlers<T> {
    const HANDLER: &'static bindings::xattr_handler = &bindings::xattr_handler {
        prefix: crate::str::as_char_ptr_in_const_context(T::PREFIX),
        get: Some(Self::get),
        set: Some(Self::set),
        ..pin_init::zeroed()
    };

    /// What a super block points at: one handler, and null.
    pub(crate) const LIST: &'static [*const bindings::xattr_handler; 2] =
        &[Self::HANDLER, ptr::null()];

    /// # Safety
    ///
    /// `suffix` must be what follows our prefix in a name that is valid for `'a`.
    unsafe fn full_name<'a>(
        handler: *const bindings::xattr_handler,
        suffix: *const c_char,
    ) -> XattrName<'a> {
        // INVARIANT: The caller promises a valid name; all names are nul-terminated.
        XattrName {
            // SAFETY: The caller promises that the prefix is in front of the suffix.
            name: unsafe { bindings::xattr_full_name(handler, suffix) },
            _name: PhantomData,
        }
    }

    /// # Safety
    ///
    /// Called by C as `->get()` of our handler, for an inode of our file system.
    unsafe extern "C" fn get(
        handler: *const bindings::xattr_handler,
        _dentry: *mut bindings::dentry,
        inode: *mut bindings::inode,
        suffix: *const c_char,
        buffer: *mut c_void,
        size: usize,
    ) -> c_int {
        // SAFETY: The inode is valid during the call.
        let inode = unsafe { Inode::from_raw(inode) };
        // SAFETY: C calls with what follows our prefix.
        let name = unsafe { Self::full_name(handler, suffix) };
        // INVARIANT: C calls with a null buffer, or one of `size` bytes to write to.
        let value = XattrValue {
            buffer,
            size,
            _buffer: PhantomData,
        };

        from_result(|| {
            // SAFETY: Inodes with this handler stand for a `T::Object`.
            let len = T::get(unsafe { inode.object() }, name, value)?;
            checked_len(buffer.is_null(), size, len)
        })
    }

    /// # Safety
    ///
    /// Called by C as `->set()` of our handler, for an inode of our file system.
    unsafe extern "C" fn set(
        handler: *const bindings::xattr_handler,
        _idmap: *mut bindings::mnt_idmap,
        _dentry: *mut bindings::dentry,
        inode: *mut bindings::inode,
        suffix: *const c_char,
        value: *const c_void,
        size: usize,
        flags: c_int,
    ) -> c_int {
        // SAFETY: The inode is valid during the call.
        let inode = unsafe { Inode::from_raw(inode) };
        // SAFETY: C calls with what follows our prefix.
        let name = unsafe { Self::full_name(handler, suffix) };
        // SAFETY: C calls with null, to remove the attribute, or with `size` bytes.
        let value =
            (!value.is_null()).then(|| unsafe { slice::from_raw_parts(value.cast::<u8>(), size) });

        from_result(|| {
            // SAFETY: Inodes with this handler stand for a `T::Object`.
            T::set(unsafe { inode.object() }, name, value, flags as u32).map(|()| 0)
        })
    }
}

/// Returns what C is told of a value or a list of length `len`: it copies as much to user space,
/// from a buffer of `size` bytes, unless that `is_null`.
#[inline]
pub(super) fn checked_len(is_null: bool, size: usize, len: usize) -> Result<c_int> {
    if !is_null && len > size {
        return Err(ERANGE);
    }
    c_int::try_from(len).map_err(|_| E2BIG)
}

/// Extended attributes of one object that are kept in memory. Thread safe.
///
/// # Invariants
///
/// `list` is a list of attributes in `cache`, and `lock` a mutex that is held whenever it changes.
/// All are valid during `'a`.
#[derive(Copy, Clone)]
pub struct SimpleXattrs<'a> {
    list: *mut bindings::list_head,
    cache: *mut bindings::simple_xattr_cache,
    lock: *mut bindings::mutex,
    _borrow: PhantomData<&'a ()>,
}

impl SimpleXattrs<'_> {
    /// Creates a reference from valid pointers.
    ///
    /// # Safety
    ///
    /// `list` must be an initialised list, `cache` the one that all its attributes are in, `lock`
    /// an initialised mutex that everyone else holds to change the list, and all valid during the
    /// lifetime of the result.
    #[inline]
    pub unsafe fn from_raw(
        list: *mut bindings::list_head,
        cache: *mut bindings::simple_xattr_cache,
        lock: *mut bindings::mutex,
    ) -> Self {
        // INVARIANT: As the caller promises.
        Self {
            list,
            cache,
            lock,
            _borrow: PhantomData,
        }
    }

    /// Reads attribute `name`, and returns how long its value is.
    ///
    /// # Errors
    ///
    /// - [`ENODATA`] if there is none.
    /// - [`ERANGE`] if the value is too long for its buffer.
    #[doc(alias = "simple_xattr_get")]
    #[inline]
    pub fn get(&self, name: XattrName<'_>, value: XattrValue<'_>) -> Result<usize> {
        // SAFETY: By the type invariants, list, cache and buffer are valid.
        let size = unsafe {
            bindings::simple_xattr_get(self.cache, self.list, name.name, value.buffer, value.size)
        };
        if size < 0 {
            return Err(Error::from_errno(size));
        }
        Ok(size as usize)
    }

    /// Writes attribute `name`, or removes it for [`None`]. Process context, may sleep.
    ///
    /// # Errors
    ///
    /// - [`EEXIST`] for [`flags::XATTR_CREATE`], and [`ENODATA`] for [`flags::XATTR_REPLACE`], if
    ///   they are not met.
    /// - [`ENOMEM`] if memory runs out.
    #[doc(alias = "simple_xattr_set")]
    pub fn set(&self, name: XattrName<'_>, value: Option<&[u8]>, flags: u32) -> Result {
        let (buffer, size) = value.map_or((ptr::null(), 0), |v| (v.as_ptr(), v.len()));

        // SAFETY: By the type invariants, list and cache are valid, and nobody else changes the
        // list while we hold the lock.
        let old = unsafe {
            bindings::mutex_lock(self.lock);
            let old = bindings::simple_xattr_set(
                self.cache,
                self.list,
                name.name,
                buffer.cast(),
                size,
                flags as c_int,
            );
            bindings::mutex_unlock(self.lock);
            old
        };
        // SAFETY: What is returned is null, or has been taken off the list and is ours to free.
        unsafe { bindings::simple_xattr_free_rcu(from_err_ptr(old)?) };
        Ok(())
    }

    /// Lists the names, and returns how long the list is.
    ///
    /// Names in `trusted.` are left out for who has no `CAP_SYS_ADMIN` in the initial user
    /// namespace.
    ///
    /// # Errors
    ///
    /// [`ERANGE`] if the list is too long for its buffer.
    #[doc(alias = "simple_xattr_list")]
    pub fn list(&self, to: XattrList<'_>) -> Result<usize> {
        // SAFETY: By the type invariants, list, inode and buffer are valid.
        let size = unsafe {
            bindings::simple_xattr_list(to.inode.as_ptr(), self.list, to.buffer, to.size)
        };
        if size < 0 {
            return Err(Error::from_errno(size as c_int));
        }
        Ok(size as usize)
    }
}
