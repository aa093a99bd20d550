// SPDX-License-Identifier: GPL-2.0

//! Super blocks.
//!
//! C header: [`include/linux/fs/super_types.h`](srctree/include/linux/fs/super_types.h)

use crate::{
    bindings,
    types::Opaque, //
};

/// Wraps the kernel's `struct super_block`, a file system in use.
///
/// # Invariants
///
/// Instances are valid super blocks for as long as they are borrowed.
#[repr(transparent)]
pub struct SuperBlock(Opaque<bindings::super_block>);

impl SuperBlock {
    /// Creates a reference from a valid pointer.
    ///
    /// # Safety
    ///
    /// `ptr` must point at a super block that stays valid for `'a`.
    #[inline]
    pub unsafe fn from_raw<'a>(ptr: *const bindings::super_block) -> &'a Self {
        // SAFETY: As the caller promises; `SuperBlock` is `repr(transparent)`.
        unsafe { &*ptr.cast() }
    }

    /// Returns the device number, which `st_dev` reports, in the format of the kernel.
    #[inline]
    pub fn device(&self) -> bindings::dev_t {
        // SAFETY: By the type invariants, `self` is valid. The number does not change.
        unsafe { (*self.0.get()).s_dev }
    }

    /// Returns the magic number of the file system, which `statfs(2)` reports.
    #[inline]
    pub fn magic(&self) -> usize {
        // SAFETY: By the type invariants, `self` is valid. The number does not change.
        unsafe { (*self.0.get()).s_magic }
    }
}

/// The answer to `statfs(2)`.
#[repr(transparent)]
pub struct StatFs(Opaque<bindings::kstatfs>);

impl StatFs {
    /// # Safety
    ///
    /// `ptr` must point at a `struct kstatfs` to which the caller has the only access during `'a`.
    #[inline]
    pub(crate) unsafe fn from_raw<'a>(ptr: *mut bindings::kstatfs) -> &'a mut Self {
        // SAFETY: As the caller promises; `StatFs` is `repr(transparent)`.
        unsafe { &mut *ptr.cast() }
    }

    /// Sets the id of the file system to that of the file system with this device number.
    #[doc(alias = "huge_encode_dev")]
    #[inline]
    pub fn set_fsid(&mut self, device: bindings::dev_t) {
        // SAFETY: The mutable borrow gives the only access to `self`.
        unsafe { (*self.0.get()).f_fsid = bindings::dev_to_fsid(device) };
    }
}
