// SPDX-License-Identifier: GPL-2.0

//! Pseudo file systems: files without names that refer to objects of the kernel.
//!
//! A [`PseudoFileSystem`] defines the operations of the files, and a [`PseudoFs`] makes them known
//! to C. Each object with an open file has one inode. When its last file is closed, the inode is
//! freed, or kept on a per-CPU free list for the next object.
//!
//! C headers: [`include/linux/pseudo_fs.h`](srctree/include/linux/pseudo_fs.h) and
//! [`fs/internal.h`](srctree/fs/internal.h)
//!
//! # References to the module of a pseudo file system
//!
//! A super block usually holds a reference to the module of its file system. A module that mounts
//! its own file system could then never be unloaded, so [`Mount`] does without that reference:
//!
//! - Each inode of an object holds a reference to the module. User space can hold an open file or a
//!   path that was opened with `O_PATH`, and both hold an inode: the module's exit does not begin
//!   before the last of them is gone. A file needs no reference of its own, and a
//!   [`FileOperationsTable`] has no owner.
//! - An inode on a per-CPU free list holds no reference. The module's exit empties the lists.
//! - A file and a path hold the mount longer than their dentry. The last `->release()` drops the
//!   reference to the module while it still runs, but its caller holds the mount until
//!   `->release()` has returned. The destructor of [`Mount`] waits until the mount is unused. An
//!   inotify or fanotify mark holds an inode and no mount. The removal of a mark puts the inode
//!   before it decrements the mark count of the super block, and the shutdown of the super block
//!   waits for that count in `fsnotify_sb_delete()`.
//! - An iteration over all super blocks, such as that of `sync(2)`, reads the operations of a super
//!   block, and holds a passive reference until it has visited the next super block. A file system
//!   that stalls may delay it for ever, so the destructor does not wait for the last passive
//!   reference. It waits for `SB_DEAD`: no one locks a dead super block. The [`FileSystemType`] and
//!   the `struct super_operations` are built into the kernel, and the destructor clears all
//!   pointers from the super block to the module.

use crate::{
    bindings,
    error::{
        from_err_ptr,
        to_result,
        VTABLE_DEFAULT_ERROR, //
    },
    fs::{
        dentry::{
            Dentry,
            Path,
            Stash, //
        },
        export::ExportOperations,
        file_operations::FileOperations,
        inode::NewInode,
        inode_operations::{
            InodeOperations,
            InodeOperationsTable, //
        },
        super_block::{
            StatFs,
            SuperBlock, //
        },
        xattr::{
            XattrHandler,
            XattrHandlers, //
        },
        File, //
    },
    module::this_module,
    prelude::*,
    str::CStrExt as _,
    sync::{
        aref::{
            ARef,
            AlwaysRefCounted, //
        },
        atomic::{
            Acquire,
            Atomic,
            AtomicFlag,
            Full,
            Relaxed,
            Release, //
        }, //
    },
    types::ScopeGuard, //
};
use core::{
    marker::PhantomData,
    ptr::{
        self,
        NonNull, //
    }, //
};

mod export_table;
mod file_table;
mod free_list;
mod super_operations;
pub use self::file_table::FileOperationsTable;
use self::{
    export_table::ExportOperationsTable,
    free_list::FreeLists,
    super_operations::{
        Functions,
        SUPER_OPERATIONS, //
    }, //
};

#[cfg(CONFIG_RUST_PID_KUNIT_TEST)]
mod test_support;
#[cfg(CONFIG_RUST_PID_KUNIT_TEST)]
mod tests;

/// A `struct file_system_type` of the kernel, of which one file system may be mounted.
///
/// # Invariants
///
/// The type is built into the kernel and has a name. No other value refers to it, and neither does
/// a [`Mount`].
pub struct FileSystemType(NonNull<bindings::file_system_type>);

impl FileSystemType {
    /// Takes ownership of a file system type.
    ///
    /// # Safety
    ///
    /// `ptr` must point at a file system type that is built into the kernel, and has a name and no
    /// functions. The caller must give up access to it until the value, and the [`Mount`] made from
    /// it, are dropped.
    #[inline]
    pub unsafe fn from_raw(ptr: NonNull<bindings::file_system_type>) -> Self {
        // INVARIANT: As the caller promises.
        Self(ptr)
    }
}

/// The operations of a pseudo file system.
#[vtable]
pub trait PseudoFileSystem: Sized + 'static {
    /// The type that a file refers to. Each inode owns a reference to an object.
    type Object: AlwaysRefCounted + Send + Sync + 'static;
    /// The operations on its files.
    type Files: FileOperations<Object = Self::Object>;
    /// The operations on its inodes.
    type Inodes: InodeOperations<Object = Self::Object>;
    /// Its extended attributes.
    type Xattrs: XattrHandler<Object = Self::Object>;
    /// Its file handles.
    type Export: ExportOperations<Object = Self::Object>;

    /// The magic number, which `statfs(2)` reports.
    const MAGIC: usize;

    /// The dentry name of each file, which `readlink(2)` reports for `/proc/<pid>/fd/<fd>`.
    const DENTRY_NAME: &'static CStr;

    /// Returns the stash of an object, which holds its dentry.
    ///
    /// The lifetime shows that the stash lives as long as the object.
    ///
    /// # Errors
    ///
    /// An error if the object has no stash. [`Mount::path`] then fails with it.
    fn stash<'a>(object: &'a Self::Object) -> Result<&'a Stash>
    where
        Self: 'a;

    /// Initialises the number, mode and flags of a new inode for `object`.
    fn init_inode(object: &Self::Object, inode: &mut NewInode);

    /// Changes the answer to `statfs(2)`.
    ///
    /// Without this method, `simple_statfs()` answers.
    fn statfs(_sb: &SuperBlock, _stat: &mut StatFs) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

/// A pseudo file system, in a `static`.
///
/// # Invariants
///
/// - `functions` is the first field, at which `s_fs_info` of the super block points.
/// - `mnt` is null, or the mount that a [`Mount`] owns.
/// - `claimed` is true while a [`Mount`] exists or is being made.
#[repr(C)]
pub struct PseudoFs<T: PseudoFileSystem> {
    functions: Functions,
    mnt: Atomic<*mut bindings::vfsmount>,
    claimed: AtomicFlag,
    free_lists: FreeLists,
    files: &'static FileOperationsTable<T>,
    _file_system: PhantomData<fn() -> T>,
}

impl<T: PseudoFileSystem> PseudoFs<T> {
    /// Creates a file system whose files have the operations `files`.
    pub const fn new(files: &'static FileOperationsTable<T>) -> Self {
        Self {
            functions: Functions {
                stashed: bindings::stashed_operations {
                    stash_dentry: None,
                    put_data: Some(Self::put_data),
                    init_inode: Some(Self::init_inode),
                },
                put_inode: Self::put_inode,
                statfs: if T::HAS_STATFS {
                    Some(Self::statfs)
                } else {
                    None
                },
            },
            mnt: Atomic::new(ptr::null_mut()),
            claimed: AtomicFlag::new(false),
            free_lists: FreeLists::new(),
            files,
            _file_system: PhantomData,
        }
    }

    const DENTRIES: &'static bindings::dentry_operations = &bindings::dentry_operations {
        d_dname: Some(Self::d_dname),
        d_prune: Some(Self::d_prune),
        ..pin_init::zeroed()
    };

    /// Mounts the file system, for use inside the kernel, until the result is dropped.
    ///
    /// Process context, may sleep.
    ///
    /// # Errors
    ///
    /// - [`EBUSY`] if the file system is mounted already.
    /// - [`ENOMEM`] if memory runs out.
    #[doc(alias = "kern_mount")]
    pub fn mount(&'static self, fs_type: FileSystemType) -> Result<Mount<T>> {
        if self.claimed.xchg(true, Full) {
            return Err(EBUSY);
        }
        let claim = ScopeGuard::new(|| self.claimed.store(false, Release));

        self.free_lists.alloc()?;

        let raw = fs_type.0.as_ptr();
        // SAFETY: By the type invariants this is the only user of the type. C calls
        // `init_fs_context()` during `kern_mount_wait()`, and to reconfigure a mount. Both happen
        // before the destructor of the `Mount` clears the pointer.
        let mnt = from_err_ptr(unsafe {
            (*raw).init_fs_context = Some(Self::init_fs_context);
            (*raw).kill_sb = Some(bindings::kill_anon_super);
            bindings::kern_mount_wait(raw)
        })
        // SAFETY: Nothing was mounted, so no one uses the type or the free lists. If a super block
        // was made, it is dead: `kern_mount_wait()` has waited for that.
        .inspect_err(|_| unsafe {
            (*raw).init_fs_context = None;
            self.free_lists.free();
        })?;
        // SAFETY: The mount is valid, and so is its super block. The field is accessed atomically.
        unsafe { Atomic::from_ptr(&raw mut (*(*mnt).mnt_sb).s_fs_info) }
            .store(ptr::from_ref(self).cast_mut().cast(), Release);
        self.mnt.store(mnt, Release);
        claim.dismiss();

        // INVARIANT: `mnt` is the mount made above.
        Ok(Mount(self))
    }

    /// Returns the mount.
    ///
    /// # Safety
    ///
    /// The file system must be mounted during `'a`: its [`Mount`] must not be dropped, or the
    /// destructor must wait for the caller.
    #[inline]
    pub(crate) unsafe fn as_mounted<'a>(self: &'a &'static Self) -> &'a Mount<T> {
        // SAFETY: `Mount` is `repr(transparent)`. A borrowed `Mount` is not dropped, and the caller
        // promises that its invariants hold.
        unsafe { &*ptr::from_ref(self).cast() }
    }

    /// Initialises a dentry from a free list, and its inode, for `object`.
    ///
    /// The result equals that of [`Mount::alloc_dentry`].
    ///
    /// # Safety
    ///
    /// `dentry` must come from a free list, and be the only reference.
    unsafe fn reuse(dentry: Dentry, object: &T::Object) -> Result<Dentry> {
        let data = ARef::into_raw(ARef::from(object)).as_ptr().cast();

        // SAFETY: The caller promises the only access to the dentry. `d_seq` need not change: a
        // lookup can start at the dentry with an empty path only, and `path_init()` clears
        // `LOOKUP_RCU` for an empty path.
        let inode = unsafe {
            (*dentry.as_ptr()).d_fsdata = ptr::null_mut();
            (*dentry.as_ptr()).d_inode
        };
        // SAFETY: A dentry on a free list has an inode, to which the caller has the only access.
        if unsafe { bindings::security_inode_reuse(inode) } != 0 {
            // SAFETY: The reference was taken above, and no inode owns it.
            unsafe { Self::put_data(data) };
            // The error of a failed inode allocation.
            return Err(ENOMEM);
        }
        // SAFETY: As above. The fields that are not set here have their initial values:
        // `retire()` has checked that.
        unsafe {
            (*inode).i_flags = bindings::S_IMMUTABLE;
            (*inode).i_mode = bindings::S_IFREG as u16;
            bindings::simple_inode_init_ts(inode);
        }
        // SAFETY: The inode is as new, and the reference that was taken above passes to it.
        to_result(unsafe { Self::init_inode(inode, data) })?;
        Ok(dentry)
    }

    /// Moves a dentry to the free list of this CPU, if the caller is its only user.
    ///
    /// Requires the sole reference, checked under `d_lock`. Process context.
    ///
    /// # Safety
    ///
    /// - `dentry` must be a dentry of this file system, other than the root of a mount.
    /// - The caller must have a reference to it, and must not use its object after the call.
    /// - The caller must hold the mount or the module.
    #[inline]
    pub(crate) unsafe fn retire(&'static self, dentry: *mut bindings::dentry) {
        // SAFETY: The caller has a reference to the dentry, and the dentry has one to the inode.
        let inode = unsafe { (*dentry).d_inode };

        // SAFETY: The caller has a reference to the dentry.
        if !unsafe { bindings::dentry_lock_unshared(dentry) } {
            return;
        }
        // SAFETY: The dentry has a reference to the inode.
        if !unsafe { bindings::inode_is_unused(inode) } {
            // SAFETY: `dentry_lock_unshared()` has taken the lock.
            unsafe { bindings::dentry_unlock(dentry) };
            return;
        }
        // SAFETY: The dentry is valid. Its inode still owns the reference to the object, so the
        // stash is valid.
        unsafe { Self::d_prune(dentry) };
        // SAFETY: The lock is held, by `dentry_lock_unshared()`. The reference taken here is for
        // the free list.
        unsafe {
            bindings::dget_dlock(dentry);
            bindings::dentry_unlock(dentry);
        }

        // SAFETY: The caller had the sole reference under the lock, and the dentry is no longer in
        // its stash, so no one else can find it or its inode.
        let data = unsafe { ptr::replace(&raw mut (*inode).i_private, ptr::null_mut()) };
        // SAFETY: The dentry has an inode, and no one else has access to `d_fsdata`. The reference
        // for the list was taken above.
        if !unsafe { self.free_lists.add(NonNull::new_unchecked(dentry)) } {
            // SAFETY: The list is full, so the reference is not the list's. The caller still has
            // its own, and this is not the last one.
            unsafe {
                (*dentry).d_fsdata = ptr::null_mut();
                bindings::dput(dentry);
            }
        }
        // SAFETY: The inode owned a reference to an object and one to the module. The caller holds
        // the mount or the module, so the code stays until this returns.
        unsafe {
            Self::put_data(data);
            bindings::module_put(Self::owner());
        }
    }

    /// # Safety
    ///
    /// `sb` must be a super block of this file system, and be mounted.
    #[inline]
    pub(crate) unsafe fn of_super(sb: *mut bindings::super_block) -> &'static Self {
        // SAFETY: The caller promises that `mount()` has set the field to a `static`.
        unsafe { &*(*sb).s_fs_info.cast() }
    }

    /// Returns the module that contains the functions of `T`, or null if they are built in.
    fn owner() -> *mut bindings::module {
        this_module::<T::OwnerModule>().as_ptr()
    }

    /// `->init_fs_context()`: initialises the context of a mount. May sleep.
    ///
    /// # Safety
    ///
    /// `fc` must be a new context.
    unsafe extern "C" fn init_fs_context(fc: *mut bindings::fs_context) -> c_int {
        // SAFETY: The caller promises a new context.
        let ctx = unsafe { bindings::init_pseudo(fc, T::MAGIC) };
        if ctx.is_null() {
            return ENOMEM.to_errno();
        }

        // SAFETY: `init_pseudo()` has allocated this, and only `fc` refers to it.
        let ctx = unsafe { &mut *ctx };
        ctx.ops = &SUPER_OPERATIONS.0;
        ctx.eops = ExportOperationsTable::<T>::TABLE;
        ctx.xattr = XattrHandlers::<T::Xattrs>::LIST.as_ptr();
        ctx.dops = Self::DENTRIES;
        ctx.s_d_flags |= bindings::dentry_flags_DCACHE_DONTCACHE;
        0
    }

    /// `->init_inode()`: initialises the inode of an object. May sleep.
    ///
    /// # Safety
    ///
    /// `inode` must be a new inode of this file system, to which the caller has the only access.
    /// `data` must be a reference to a `T::Object`, which passes to this function.
    unsafe extern "C" fn init_inode(inode: *mut bindings::inode, data: *mut c_void) -> c_int {
        // SAFETY: The module is null, or runs this function.
        if !unsafe { bindings::try_module_get(Self::owner()) } {
            // SAFETY: The caller gave up the reference, and the inode does not take it.
            unsafe { Self::put_data(data) };
            return ENODEV.to_errno();
        }

        // SAFETY: C makes an inode of an object only through a mount of this file system.
        let this = unsafe { Self::of_super((*inode).i_sb) };
        // INVARIANT: The inode gets the table of its file system, together with the object.
        // SAFETY: The caller promises the only access to the inode, which owns the reference from
        // here on.
        unsafe {
            (*inode).i_private = data;
            (*inode).i_op = InodeOperationsTable::<T::Inodes>::TABLE;
            (*inode).__bindgen_anon_3.i_fop = this.files.as_ptr();
        }
        // SAFETY: `data` points at a `T::Object`, which the reference keeps valid.
        let object = unsafe { &*data.cast::<T::Object>() };
        // SAFETY: The caller promises the only access to the inode.
        T::init_inode(object, unsafe { NewInode::from_raw(inode) });
        0
    }

    /// `->put_data()`: drops a reference to an object that no inode owns.
    ///
    /// # Safety
    ///
    /// `data` must be a reference to a `T::Object` that the caller gives up.
    unsafe extern "C" fn put_data(data: *mut c_void) {
        // SAFETY: As the caller promises.
        drop(unsafe { ARef::<T::Object>::from_raw(NonNull::new_unchecked(data.cast())) });
    }

    /// Drops the references that the inode of an object owns.
    ///
    /// # Safety
    ///
    /// `inode` must be an inode of an object in this file system, and no one may use the object
    /// through it after the call.
    unsafe fn put_inode(inode: *mut bindings::inode) {
        // SAFETY: The inode owned a reference to an object and one to the module. The caller of
        // `evict_inode()` holds the mount, or has yet to decrement the mark count of the super
        // block. The module's exit waits for both, so the code stays until this returns.
        unsafe {
            Self::put_data((*inode).i_private);
            bindings::module_put(Self::owner());
        }
    }

    /// `->d_prune()`: removes a dentry from its stash, before it is freed. `d_lock` is held.
    ///
    /// # Safety
    ///
    /// `dentry` must be a dentry of this file system whose inode still owns its object.
    unsafe extern "C" fn d_prune(dentry: *mut bindings::dentry) {
        // SAFETY: `d_fsdata` is null, or `publish()` has set it to the stash of the object. The
        // object is valid, and so is its stash.
        unsafe {
            if let Some(stash) = (*dentry).d_fsdata.cast::<Stash>().as_ref() {
                stash.clear(dentry);
            }
        }
    }

    /// Calls [`PseudoFileSystem::statfs`].
    ///
    /// # Safety
    ///
    /// `dentry` must be a dentry of this file system. `stat` must be initialised, and the caller
    /// must have the only access to it.
    unsafe fn statfs(dentry: *mut bindings::dentry, stat: *mut bindings::kstatfs) -> Result {
        // SAFETY: As the caller promises.
        unsafe { T::statfs(SuperBlock::from_raw((*dentry).d_sb), StatFs::from_raw(stat)) }
    }

    /// `->d_dname()`: writes the dentry name. Atomic context.
    ///
    /// # Safety
    ///
    /// `buffer` must be writable for `len` bytes.
    unsafe extern "C" fn d_dname(
        _dentry: *mut bindings::dentry,
        buffer: *mut c_char,
        len: c_int,
    ) -> *mut c_char {
        // SAFETY: The caller promises a buffer of `len` bytes. The format takes one string.
        unsafe {
            bindings::dynamic_dname(
                buffer,
                len,
                c"%s".as_char_ptr(),
                T::DENTRY_NAME.as_char_ptr(),
            )
        }
    }
}

/// A mounted pseudo file system, which is unmounted when this is dropped.
///
/// The creation of a file takes a reference to the `Mount`, so files exist only while the file
/// system is mounted. A module drops it late in its exit. The destructor waits until no one uses a
/// path in the file system.
///
/// # Invariants
///
/// The file system is mounted: its `mnt` is not null.
#[repr(transparent)]
pub struct Mount<T: PseudoFileSystem>(&'static PseudoFs<T>);

impl<T: PseudoFileSystem> Mount<T> {
    /// Returns a raw pointer to the mount.
    #[inline]
    fn mnt(&self) -> *mut bindings::vfsmount {
        self.0.mnt.load(Acquire)
    }

    /// Returns the super block.
    pub fn super_block(&self) -> &SuperBlock {
        // SAFETY: By the type invariants the file system is mounted, and has a super block.
        unsafe { SuperBlock::from_raw((*self.mnt()).mnt_sb) }
    }

    /// Returns the dentry of an object.
    ///
    /// All callers get the same dentry and inode, while one of them holds it. The dentry does not
    /// hold the mount. Process context, may sleep.
    ///
    /// # Errors
    ///
    /// - [`ENODEV`] if the file system's module is being unloaded.
    /// - [`ENOMEM`] if memory runs out.
    /// - [`EBUSY`] if another file system has a dentry in the same stash.
    /// - Those of [`PseudoFileSystem::stash`].
    #[inline]
    pub(super) fn dentry(&self, object: &T::Object) -> Result<Dentry> {
        let stash = T::stash(object)?;

        // SAFETY: By the type invariants the file system is mounted, and has a super block.
        match stash.get(unsafe { (*self.mnt()).mnt_sb })? {
            Some(dentry) => Ok(dentry),
            None => self.new_dentry(object, stash),
        }
    }

    #[doc(alias = "path_from_stashed")]
    fn new_dentry(&self, object: &T::Object, stash: &Stash) -> Result<Dentry> {
        let dentry = match self.0.free_lists.take() {
            // SAFETY: The dentry comes from a free list of this file system, which had the only
            // reference.
            Some(dentry) => unsafe { PseudoFs::<T>::reuse(Dentry::from_raw(dentry), object)? },
            None => self.alloc_dentry(object)?,
        };
        // SAFETY: No one else has a reference to the dentry yet. The stash lives as long as the
        // object, and the inode of the dentry owns a reference to the object.
        unsafe { stash.publish(dentry) }
    }

    /// Allocates a dentry and an inode.
    fn alloc_dentry(&self, object: &T::Object) -> Result<Dentry> {
        let mut path = bindings::path::default();
        let mut stash = ptr::null_mut();
        // SAFETY: By the type invariants the mount is valid. `path_from_stashed()` takes over the
        // reference to the object. `stash` is an empty stash on the stack; the dentry refers to it
        // until `d_fsdata` is cleared below.
        to_result(unsafe {
            bindings::path_from_stashed(
                &mut stash,
                self.mnt(),
                ARef::into_raw(ARef::from(object)).as_ptr().cast(),
                &mut path,
            )
        })?;
        // SAFETY: On success the path owns a reference to the mount. `self` keeps the mount.
        unsafe { bindings::mntput(path.mnt) };
        // SAFETY: The dentry is new, and is in no stash but the one above, so no one else has
        // access to it.
        unsafe { (*path.dentry).d_fsdata = ptr::null_mut() };
        // SAFETY: On success the path owns a reference to the dentry, which passes to the result.
        Ok(unsafe { Dentry::from_raw(NonNull::new_unchecked(path.dentry)) })
    }

    /// Returns the path of an object's file.
    ///
    /// All callers get the same dentry and inode, while one of them holds it. Process context, may
    /// sleep.
    ///
    /// # Errors
    ///
    /// - [`ENODEV`] if the file system's module is being unloaded.
    /// - [`ENOMEM`] if memory runs out.
    /// - [`EBUSY`] if another file system has a dentry in the same stash.
    /// - Those of [`PseudoFileSystem::stash`].
    #[inline]
    pub fn path(&self, object: &T::Object) -> Result<Path> {
        let dentry = self.dentry(object)?.into_raw();

        // SAFETY: By the type invariants the mount is valid.
        let mnt = unsafe { bindings::mntget(self.mnt()) };
        // SAFETY: Both references were taken above, and pass to the path.
        Ok(unsafe { Path::from_raw(bindings::path { mnt, dentry }) })
    }

    /// Opens an object's file, as [`Path::open_with`] does.
    ///
    /// # Errors
    ///
    /// Those of [`Mount::path`] and [`Path::open`].
    #[inline]
    pub fn open(&self, object: &T::Object, flags: u32, kept: u32) -> Result<ARef<File>> {
        let dentry = self.dentry(object)?;
        let path = bindings::path {
            mnt: self.mnt(),
            dentry: dentry.as_ptr(),
        };

        // SAFETY: `dentry` is a reference to the dentry, and by the type invariants the mount is
        // valid as long as `self`.
        let file = unsafe { Path::borrow(&path) }.open_with(flags, kept)?;
        // SAFETY: The file has a reference, so this is not the last one.
        unsafe { dentry.put_not_last() };
        Ok(file)
    }

    /// Returns the root, an empty directory.
    ///
    /// File handles are opened below it. The root has no object: a caller must not open it as a
    /// file of this file system.
    #[inline]
    pub(crate) fn root(&self) -> Path {
        let mnt = self.mnt();
        // SAFETY: By the type invariants the mount is valid. Its root does not change.
        let dentry = unsafe { (*mnt).mnt_root };
        let path = bindings::path { mnt, dentry };
        // SAFETY: The mount is valid, and holds its root.
        unsafe { bindings::path_get(&path) };
        // SAFETY: The references were taken above, and pass to the result.
        unsafe { Path::from_raw(path) }
    }
}

impl<T: PseudoFileSystem> Drop for Mount<T> {
    fn drop(&mut self) {
        let mnt = self.mnt();
        // SAFETY: By the type invariants the mount is valid, and so is its super block.
        let fs_type = unsafe { (*(*mnt).mnt_sb).s_type };
        // SAFETY: By the type invariants `self` owns the mount, and no one else can make a path in
        // it. `kern_mount_wait()` made the mount.
        let sb = unsafe { bindings::kern_unmount_wait(mnt) };
        self.0.mnt.store(ptr::null_mut(), Relaxed);
        // SAFETY: Without a mount, no task takes a dentry. A task that closed a file and added a
        // dentry held the mount until then, and `kern_unmount_wait()` has waited for it.
        unsafe { self.0.free_lists.free() };
        // SAFETY: `kern_unmount_wait()` has returned the reference, which passes to C.
        unsafe { bindings::kill_super(sb) };
        // SAFETY: The file system type is built in. The super block is dead, so no one uses the
        // type: it belonged to `self`.
        unsafe { (*fs_type).init_fs_context = None };
        self.0.claimed.store(false, Release);
    }
}
