// SPDX-License-Identifier: GPL-2.0

//! Extended attributes.
//!
//! A file system with extended attributes implements [`XattrHandler`]. [`SimpleXattrs`] stores them
//! in memory.
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
/// A string of C, whose length has not been computed.
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

/// The buffer for the value of an attribute.
///
/// # Invariants
///
/// `buffer` is null, or writable for `size` bytes during `'a`.
pub struct XattrValue<'a> {
    buffer: *mut c_void,
    size: usize,
    _buffer: PhantomData<&'a mut [u8]>,
}

/// The buffer for the names of attributes.
///
/// # Invariants
///
/// `buffer` is null, or writable for `size` bytes during `'a`.
pub struct XattrList<'a> {
    inode: &'a Inode,
    buffer: *mut c_char,
    size: usize,
}

impl<'a> XattrList<'a> {
    /// # Safety
    ///
    /// `buffer` must be null, or writable for `size` bytes during `'a`.
    pub(crate) unsafe fn from_raw(inode: &'a Inode, buffer: *mut c_char, size: usize) -> Self {
        // INVARIANT: As the caller promises.
        Self {
            inode,
            buffer,
            size,
        }
    }
}

/// The extended attributes with one prefix.
///
/// All functions run in process context and may sleep. The VFS has checked permissions: `trusted.`
/// requires `CAP_SYS_ADMIN` in the initial user namespace.
pub trait XattrHandler: Sized + 'static {
    /// The type of the object of an inode.
    type Object: AlwaysRefCounted + Send + Sync + 'static;

    /// The prefix, with its dot.
    const PREFIX: &'static CStr;

    /// Reads the attribute with the full name `name`, and returns the length of its value.
    ///
    /// # Errors
    ///
    /// - [`ENODATA`] if the attribute does not exist.
    /// - [`ERANGE`] if the value is too long for its buffer.
    fn get(object: &Self::Object, name: XattrName<'_>, value: XattrValue<'_>) -> Result<usize>;

    /// Writes the attribute with the full name `name`, or removes it for [`None`].
    ///
    /// Called with the lock of the inode held. `flags` are [`flags::XATTR_CREATE`] and
    /// [`flags::XATTR_REPLACE`].
    ///
    /// # Errors
    ///
    /// - [`EEXIST`] for [`flags::XATTR_CREATE`], if the attribute exists.
    /// - [`ENODATA`] for [`flags::XATTR_REPLACE`], if it does not.
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

    /// The list for a super block: one handler, and null.
    pub(crate) const LIST: &'static [*const bindings::xattr_handler; 2] =
        &[Self::HANDLER, ptr::null()];

    /// # Safety
    ///
    /// `suffix` must be the part after our prefix, in a name that is valid for `'a`.
    unsafe fn full_name<'a>(
        handler: *const bindings::xattr_handler,
        suffix: *const c_char,
    ) -> XattrName<'a> {
        // INVARIANT: The caller promises a valid name; all names are nul-terminated.
        XattrName {
            // SAFETY: The caller promises that the prefix precedes the suffix.
            name: unsafe { bindings::xattr_full_name(handler, suffix) },
            _name: PhantomData,
        }
    }

    /// `->get()`. Process context, may sleep.
    ///
    /// # Safety
    ///
    /// `inode` must be a valid inode of an object in a file system with this handler. `suffix` must
    /// be the part of a valid name after the prefix. `buffer` must be null, or writable for `size`
    /// bytes.
    unsafe extern "C" fn get(
        handler: *const bindings::xattr_handler,
        _dentry: *mut bindings::dentry,
        inode: *mut bindings::inode,
        suffix: *const c_char,
        buffer: *mut c_void,
        size: usize,
    ) -> c_int {
        // SAFETY: As the caller promises.
        let inode = unsafe { Inode::from_raw(inode) };
        // SAFETY: As the caller promises.
        let name = unsafe { Self::full_name(handler, suffix) };
        // INVARIANT: As the caller promises.
        let value = XattrValue {
            buffer,
            size,
            _buffer: PhantomData,
        };

        from_result(|| {
            // SAFETY: Inodes with this handler own a reference to a `T::Object`.
            let len = T::get(unsafe { inode.object() }, name, value)?;
            checked_len(buffer.is_null(), size, len)
        })
    }

    /// `->set()`. Process context, may sleep; the lock of the inode is held.
    ///
    /// # Safety
    ///
    /// `inode` and `suffix` as for [`Self::get`]. `value` must be null, or readable for `size`
    /// bytes.
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
        // SAFETY: As the caller promises.
        let inode = unsafe { Inode::from_raw(inode) };
        // SAFETY: As the caller promises.
        let name = unsafe { Self::full_name(handler, suffix) };
        // SAFETY: As the caller promises. Null removes the attribute.
        let value =
            (!value.is_null()).then(|| unsafe { slice::from_raw_parts(value.cast::<u8>(), size) });

        from_result(|| {
            // SAFETY: Inodes with this handler own a reference to a `T::Object`.
            T::set(unsafe { inode.object() }, name, value, flags as u32).map(|()| 0)
        })
    }
}

/// Returns the length of a value or a list for C, which copies as many bytes to user space.
///
/// # Errors
///
/// - [`ERANGE`] if the buffer of `size` bytes is shorter; a buffer that `is_null` has no size.
/// - [`E2BIG`] if the length is not a [`c_int`].
#[inline]
pub(super) fn checked_len(is_null: bool, size: usize, len: usize) -> Result<c_int> {
    if !is_null && len > size {
        return Err(ERANGE);
    }
    c_int::try_from(len).map_err(|_| E2BIG)
}

/// Extended attributes of one object, in memory. Thread safe.
///
/// # Examples
///
/// ```
/// use kernel::fs::xattr::flags::XATTR_CREATE;
/// use kernel::pid::{Pid, PidType};
///
/// let pid = Pid::of_task(current!(), PidType::Pid).ok_or(ESRCH)?;
/// let xattrs = pid.register(GFP_KERNEL)?.xattrs();
/// let name = c"trusted.example".into();
///
/// xattrs.set(name, Some(b"value"), XATTR_CREATE)?;
/// assert_eq!(xattrs.set(name, Some(b"other"), XATTR_CREATE), Err(EEXIST));
/// xattrs.set(name, None, 0)?;
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// `list` is a list of attributes in `cache`, and `lock` a mutex that is held for each change of
/// the list. All are valid during `'a`.
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
    /// - `list` must be an initialised list, and `cache` must contain all of its attributes.
    /// - `lock` must be an initialised mutex, which all other users hold to change the list.
    /// - All must be valid during the lifetime of the result.
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

    /// Reads attribute `name`, and returns the length of its value. Process context, may sleep.
    ///
    /// # Errors
    ///
    /// - [`ENODATA`] if the attribute does not exist.
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
    /// - [`EEXIST`] for [`flags::XATTR_CREATE`], if the attribute exists.
    /// - [`ENODATA`] for [`flags::XATTR_REPLACE`], if it does not.
    /// - [`ENOMEM`] if memory runs out.
    #[doc(alias = "simple_xattr_set")]
    pub fn set(&self, name: XattrName<'_>, value: Option<&[u8]>, flags: u32) -> Result {
        let (buffer, size) = value.map_or((ptr::null(), 0), |v| (v.as_ptr(), v.len()));

        // SAFETY: By the type invariants, list and cache are valid, and the lock excludes other
        // changes of the list.
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
        // SAFETY: The pointer is null, or an attribute that was removed from the list.
        unsafe { bindings::simple_xattr_free_rcu(from_err_ptr(old)?) };
        Ok(())
    }

    /// Lists the names, and returns the length of the list. Process context, may sleep.
    ///
    /// Callers without `CAP_SYS_ADMIN` in the initial user namespace do not see names in
    /// `trusted.`.
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
