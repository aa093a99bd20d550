// SPDX-License-Identifier: GPL-2.0

//! Super blocks.
//!
//! C header: [`include/linux/fs/super_types.h`](srctree/include/linux/fs/super_types.h)

use crate::{
    bindings,
    types::Opaque, //
};

/// Wraps the kernel's `struct super_block`: a file system that is in use.
///
/// # Invariants
///
/// Instances are valid super blocks, and stay so as long as they are borrowed.
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

    /// Returns the device number, by which `st_dev` tells files of different file systems apart. In
    /// the kernel's own format.
    #[inline]
    pub fn device(&self) -> bindings::dev_t {
        // SAFETY: By the type invariants, `self` is valid; the number does not change.
        unsafe { (*self.0.get()).s_dev }
    }

    /// Returns the number that tells what kind of file system it is, as `statfs(2)` does.
    #[inline]
    pub fn magic(&self) -> usize {
        // SAFETY: By the type invariants, `self` is valid; the number does not change.
        unsafe { (*self.0.get()).s_magic }
    }
}

/// What `statfs(2)` gets to see.
#[repr(transparent)]
pub struct StatFs(Opaque<bindings::kstatfs>);

impl StatFs {
    /// # Safety
    ///
    /// `ptr` must point at a `struct kstatfs` that nobody else accesses during `'a`.
    #[inline]
    pub(crate) unsafe fn from_raw<'a>(ptr: *mut bindings::kstatfs) -> &'a mut Self {
        // SAFETY: As the caller promises; `StatFs` is `repr(transparent)`.
        unsafe { &mut *ptr.cast() }
    }

    /// Sets the id of the file system to that of the one with this device number.
    #[doc(alias = "huge_encode_dev")]
    #[inline]
    pub fn set_fsid(&mut self, device: bindings::dev_t) {
        // SAFETY: We have the only access to `self`.
        unsafe { (*self.0.get()).f_fsid = bindings::dev_to_fsid(device) };
    }
}
