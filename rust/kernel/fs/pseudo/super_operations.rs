// SPDX-License-Identifier: GPL-2.0

//! The operations of the super blocks of all pseudo file systems.
//!
//! They are built into the kernel. While a super block is not dead, they call the module of the
//! file system through its `s_fs_info`. See the documentation of [`super`].

use crate::{
    bindings,
    error::{
        from_result,
        to_result, //
    },
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic, //
    }, //
};

/// The functions of a [`PseudoFs`](super::PseudoFs), at which `s_fs_info` of its super block
/// points.
///
/// # Invariants
///
/// `stashed` is the first field: C uses `s_fs_info` as a pointer to it.
#[repr(C)]
pub(super) struct Functions {
    pub(super) stashed: bindings::stashed_operations,
    /// Drops the references that the inode of an object owns.
    pub(super) put_inode: unsafe fn(*mut bindings::inode),
    /// [`PseudoFileSystem::statfs`](super::PseudoFileSystem::statfs), if it is implemented.
    pub(super) statfs: Option<unsafe fn(*mut bindings::dentry, *mut bindings::kstatfs) -> Result>,
}

impl Functions {
    /// Returns the functions of the file system of `sb`, or [`None`] before `sb` is mounted.
    ///
    /// # Safety
    ///
    /// `sb` must have [`SUPER_OPERATIONS`], and not be dead during `'a`.
    unsafe fn of_super<'a>(sb: *mut bindings::super_block) -> Option<&'a Self> {
        // SAFETY: The super block is valid. `mount()` writes the field atomically, and
        // `kill_super()` when the super block is dead.
        let info = unsafe { Atomic::from_ptr(&raw mut (*sb).s_fs_info) }.load(Acquire);
        // SAFETY: The field is null, or points at a `PseudoFs`, whose first field this is. The
        // `PseudoFs` is a `static` of a module that is not unloaded before the super block is dead.
        unsafe { info.cast::<Self>().as_ref() }
    }
}

/// The operations of the super block of each [`PseudoFs`](super::PseudoFs).
///
/// Built into the kernel, see the module documentation.
pub(super) static SUPER_OPERATIONS: SuperOperations = SuperOperations(bindings::super_operations {
    drop_inode: Some(bindings::inode_just_drop),
    evict_inode: Some(evict_inode),
    statfs: Some(statfs),
    ..pin_init::zeroed()
});

pub(super) struct SuperOperations(pub(super) bindings::super_operations);

// SAFETY: The table is never written to.
unsafe impl Sync for SuperOperations {}

/// `->evict_inode()`: called when the last reference to an inode is gone. May sleep.
///
/// # Safety
///
/// `inode` must be an inode of a super block with [`SUPER_OPERATIONS`], to which the caller has the
/// only access.
unsafe extern "C" fn evict_inode(inode: *mut bindings::inode) {
    // SAFETY: The caller promises a valid inode that no one else uses.
    unsafe { bindings::clear_inode(inode) };
    // SAFETY: As above.
    if unsafe { (*inode).i_private.is_null() } {
        // The root, an inode on a free list, or one whose initialisation failed.
        return;
    }
    // SAFETY: The super block of an inode is not dead, because a dead super block has no inodes.
    if let Some(functions) = unsafe { Functions::of_super((*inode).i_sb) } {
        // SAFETY: The inode has an object, and the functions are those of its file system.
        unsafe { (functions.put_inode)(inode) };
    }
}

/// `->statfs()`: answers `statfs(2)`. May sleep.
///
/// # Safety
///
/// `dentry` must be valid, and belong to a super block with [`SUPER_OPERATIONS`] that does not die
/// during the call. `stat` must be valid, and the caller must have the only access to it.
unsafe extern "C" fn statfs(dentry: *mut bindings::dentry, stat: *mut bindings::kstatfs) -> c_int {
    from_result(|| {
        // SAFETY: The caller promises a valid dentry, and the only access to `stat`.
        to_result(unsafe { bindings::simple_statfs(dentry, stat) })?;
        // SAFETY: The caller promises a valid dentry, whose super block is not dead.
        let functions = unsafe { Functions::of_super((*dentry).d_sb) };
        if let Some(statfs) = functions.and_then(|functions| functions.statfs) {
            // SAFETY: The functions are those of the file system of `dentry`. `simple_statfs()` has
            // initialised `stat`.
            unsafe { statfs(dentry, stat)? };
        }
        Ok(0)
    })
}
