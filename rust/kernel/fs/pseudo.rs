// SPDX-License-Identifier: GPL-2.0

//! Pseudo file systems: files that stand for objects of the kernel, and have no names.
//!
//! A [`PseudoFileSystem`] says what its files do, and a [`PseudoFs`] is what C sees of it. There is
//! one inode for each object that has an open file. With the last of them it goes, or onto a shelf,
//! where it stands for nothing until the next object needs one.
//!
//! C headers: [`include/linux/pseudo_fs.h`](srctree/include/linux/pseudo_fs.h) and
//! [`fs/internal.h`](srctree/fs/internal.h)
//!
//! # What keeps a module that has a pseudo file system
//!
//! A super block has a reference to the module of its file system, and so a module that mounts its
//! own for itself could never be unloaded. [`Mount`] goes without that reference. In its place:
//!
//! - Each inode that stands for an object has a reference to the module. Whatever user space can
//!   hold on to, an open file as well as a path that was opened with `O_PATH`, holds an inode: the
//!   module's exit does not begin before the last of them is gone. So a file needs no reference of
//!   its own, and its [`FileOperationsTable`] names no owner.
//! - An inode on a per-CPU free list has no reference: the module's exit empties the lists.
//! - A file and a path hold the mount longer than the dentry that was found in it. The last
//!   `->release()` gives up the reference to the module while it still runs, but its caller holds
//!   the mount until `->release()` has returned. [`Mount`]'s destructor waits until nobody holds
//!   the mount. An inotify or fanotify mark holds an inode and no mount; its removal counts down
//!   the super block's marks after it has put the inode, and the shutdown of the super block waits
//!   for that count, `fsnotify_sb_delete()`.
//! - A walk over all super blocks, as `sync(2)` does it, reads the operations of a super block, and
//!   keeps a passive reference to it until it has dealt with the next one. A file system that
//!   stalls delays that for any time, so nobody waits for it. The [`FileSystemType`] and the
//!   `struct super_operations` are built into the kernel, and the destructor waits for no more than
//!   `SB_DEAD`. A super block that is dead is never locked again, and the destructor takes from it
//!   all that points into the module.

use crate::{
    bindings,
    error::{
        from_err_ptr,
        from_result,
        to_result,
        VTABLE_DEFAULT_ERROR, //
    },
    fs::{
        dentry::{
            Dentry,
            Path,
            Stash, //
        },
        export::{
            ExportOperations,
            ExportOperationsTable, //
        },
        file_operations::{
            FileOperations,
            FileOperationsTable, //
        },
        inode::{
            InodeOperations,
            InodeOperationsTable,
            NewInode, //
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

mod shelf;
use self::shelf::Shelves;

/// The right to mount one file system of a kernel's `struct file_system_type`.
///
/// # Invariants
///
/// The type is built into the kernel and has a name. No other value of this type refers to it, and
/// no [`Mount`] was made from one.
pub struct FileSystemType(NonNull<bindings::file_system_type>);

impl FileSystemType {
    /// Takes over a file system type.
    ///
    /// # Safety
    ///
    /// `ptr` must point at a file system type that is built into the kernel, has a name and no
    /// functions. Nobody else must use it until the value is dropped, and the [`Mount`] that it
    /// becomes part of.
    #[inline]
    pub unsafe fn from_raw(ptr: NonNull<bindings::file_system_type>) -> Self {
        // INVARIANT: As the caller promises.
        Self(ptr)
    }
}

/// What the files of a pseudo file system are, and do.
#[vtable]
pub trait PseudoFileSystem: Sized + 'static {
    /// What a file stands for. Each inode owns a reference to one.
    type Object: AlwaysRefCounted + Send + Sync + 'static;
    /// The operations on its files.
    type Files: FileOperations<Object = Self::Object, FileSystem = Self>;
    /// The operations on its inodes.
    type Inodes: InodeOperations<Object = Self::Object>;
    /// Its extended attributes.
    type Xattrs: XattrHandler<Object = Self::Object>;
    /// Its file handles.
    type Export: ExportOperations<Object = Self::Object>;

    /// What `statfs(2)` calls the kind of file system.
    const MAGIC: usize;

    /// What `readlink(2)` on `/proc/<pid>/fd/<fd>` says of each of its files.
    const DENTRY_NAME: &'static CStr;

    /// Returns where the dentry of an object is stashed.
    ///
    /// It is found in a borrow of any length: the stash lives as long as the object.
    ///
    /// # Errors
    ///
    /// Those of [`Mount::dentry`], if the object has no such place.
    fn stash<'a>(object: &'a Self::Object) -> Result<&'a Stash>
    where
        Self: 'a;

    /// Sets up a new inode for an object: number, mode and flags.
    fn init_inode(object: &Self::Object, inode: &mut NewInode);

    /// Changes what `statfs(2)` says.
    fn statfs(_sb: &SuperBlock, _stat: &mut StatFs) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

/// The functions of a [`PseudoFs`] that are found by its super block's `s_fs_info`.
///
/// # Invariants
///
/// `stashed` comes first: C takes `s_fs_info` for a pointer to it.
#[repr(C)]
struct Functions {
    stashed: bindings::stashed_operations,
    /// Gives up what an inode owns that stands for an object.
    put_inode: unsafe fn(*mut bindings::inode),
    /// [`PseudoFileSystem::statfs`], if it is implemented.
    statfs: Option<unsafe fn(*mut bindings::dentry, *mut bindings::kstatfs) -> Result>,
}

impl Functions {
    /// Returns the functions of the file system whose super block is `sb`.
    ///
    /// Returns [`None`] before it is mounted.
    ///
    /// # Safety
    ///
    /// `sb` must have [`SUPER_OPERATIONS`], and not be dead during `'a`.
    unsafe fn of_super<'a>(sb: *mut bindings::super_block) -> Option<&'a Self> {
        // SAFETY: The super block is valid. `mount()` writes the field in this way, and `kill()`
        // when the super block is dead.
        let info = unsafe { Atomic::from_ptr(&raw mut (*sb).s_fs_info) }.load(Acquire);
        // SAFETY: `mount()` has left a pointer to a `PseudoFs`, which begins with its functions. It
        // is in a `static` of a module that stays until the super block is dead.
        unsafe { info.cast::<Self>().as_ref() }
    }
}

/// The operations of every [`PseudoFs`]'s super block.
///
/// In the kernel, not in the module that mounts: see the top of this file.
static SUPER_OPERATIONS: SuperOperations = SuperOperations(bindings::super_operations {
    drop_inode: Some(bindings::inode_just_drop),
    evict_inode: Some(evict_inode),
    statfs: Some(statfs),
    ..pin_init::zeroed()
});

struct SuperOperations(bindings::super_operations);

// SAFETY: Nothing ever writes to the table.
unsafe impl Sync for SuperOperations {}

/// # Safety
///
/// Called by C when nobody has the inode, which is of a super block with [`SUPER_OPERATIONS`], any
/// more.
unsafe extern "C" fn evict_inode(inode: *mut bindings::inode) {
    // SAFETY: The inode is valid during the call.
    unsafe {
        bindings::clear_inode(inode);
        // The root stands for nothing, nor does an inode that could not be set up.
        if !(*inode).i_private.is_null() {
            // A super block has no inodes any more when it is dead.
            if let Some(functions) = Functions::of_super((*inode).i_sb) {
                (functions.put_inode)(inode);
            }
        }
    }
}

/// # Safety
///
/// Called by C as `->statfs()` of a super block with [`SUPER_OPERATIONS`].
unsafe extern "C" fn statfs(dentry: *mut bindings::dentry, stat: *mut bindings::kstatfs) -> c_int {
    // SAFETY: C calls with a valid dentry and a `stat` to fill in, and holds the mount or the lock
    // of the super block, which is not dead then.
    from_result(|| unsafe {
        to_result(bindings::simple_statfs(dentry, stat))?;
        match Functions::of_super((*dentry).d_sb).and_then(|functions| functions.statfs) {
            Some(statfs) => statfs(dentry, stat).map(|()| 0),
            None => Ok(0),
        }
    })
}

/// A pseudo file system. Lives in a `static`.
///
/// # Invariants
///
/// - `functions` comes first, to be found by the super block's `s_fs_info`.
/// - `mnt` is null, or the mount that a [`Mount`] owns.
/// - `claimed` is true while there is a [`Mount`], or somebody makes one.
#[repr(C)]
pub struct PseudoFs<T: PseudoFileSystem> {
    functions: Functions,
    mnt: Atomic<*mut bindings::vfsmount>,
    claimed: AtomicFlag,
    shelves: Shelves,
    files: &'static FileOperationsTable<T::Files>,
    _file_system: PhantomData<fn() -> T>,
}

impl<T: PseudoFileSystem> PseudoFs<T> {
    /// Creates the file system, whose files have the operations `files`.
    pub const fn new(files: &'static FileOperationsTable<T::Files>) -> Self {
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
            shelves: Shelves::new(),
            files,
            _file_system: PhantomData,
        }
    }

    const DENTRIES: &'static bindings::dentry_operations = &bindings::dentry_operations {
        d_dname: Some(Self::d_dname),
        d_prune: Some(Self::d_prune),
        ..pin_init::zeroed()
    };

    /// Mounts the file system, for the kernel's own use, until the result is dropped.
    ///
    /// Once at a time. Process context, may sleep.
    ///
    /// # Errors
    ///
    /// - [`EBUSY`] if it is mounted.
    /// - [`ENOMEM`] if memory runs out.
    #[doc(alias = "kern_mount")]
    pub fn mount(&'static self, fs_type: FileSystemType) -> Result<Mount<T>> {
        if self.claimed.xchg(true, Full) {
            return Err(EBUSY);
        }
        let claim = ScopeGuard::new(|| self.claimed.store(false, Release));

        self.shelves.alloc()?;

        let raw = fs_type.0.as_ptr();
        // SAFETY: By the type invariants nobody else uses the type. C calls `init_fs_context()`
        // during `kern_mount_wait()`, and to reconfigure what a user has mounted elsewhere, which holds
        // the module; what makes it find us is valid until the `Mount` is dropped.
        let mnt = from_err_ptr(unsafe {
            (*raw).init_fs_context = Some(Self::init_fs_context);
            (*raw).kill_sb = Some(bindings::kill_anon_super);
            bindings::kern_mount_wait(raw)
        })
        // SAFETY: Nothing was mounted, so nobody has found anything in it, nor the type. A super
        // block that was made is dead: `kern_mount_wait()` has waited for that.
        .inspect_err(|_| unsafe {
            (*raw).init_fs_context = None;
            self.shelves.free();
        })?;
        // SAFETY: The mount is valid, and so has a super block. Others read the field in this way.
        unsafe { Atomic::from_ptr(&raw mut (*(*mnt).mnt_sb).s_fs_info) }
            .store(ptr::from_ref(self).cast_mut().cast(), Release);
        self.mnt.store(mnt, Release);
        claim.dismiss();

        // INVARIANT: It was mounted just now.
        Ok(Mount(self))
    }

    /// Returns the mount.
    ///
    /// # Safety
    ///
    /// The file system must be mounted during `'a`: its [`Mount`] not be dropped, or its destructor
    /// wait for the caller.
    #[inline]
    pub(crate) unsafe fn as_mounted<'a>(self: &'a &'static Self) -> &'a Mount<T> {
        // SAFETY: As the caller promises; `Mount` is `repr(transparent)`, and one that is borrowed
        // is not dropped.
        unsafe { &*ptr::from_ref(self).cast() }
    }

    /// Lets a dentry and its inode stand for another object, as [`Mount::fresh`] makes them.
    ///
    /// # Safety
    ///
    /// `dentry` must come from a shelf, and nobody else have a reference to it.
    unsafe fn renew(dentry: Dentry, object: &T::Object) -> Result<Dentry> {
        let data = ARef::into_raw(ARef::from(object)).as_ptr().cast();

        // SAFETY: The caller promises that nobody else has access to dentry and inode. What is not
        // set here is as it was: [`PseudoFs::retire`] has seen to that. The dentry's `d_seq` stays:
        // a lookup by descriptor with an empty path, the only one that starts at this dentry, does
        // not run in RCU mode, see `path_init()`.
        unsafe {
            (*dentry.as_ptr()).d_fsdata = ptr::null_mut();
            let inode = (*dentry.as_ptr()).d_inode;
            if bindings::security_inode_reuse(inode) != 0 {
                Self::put_data(data);
                // As when an inode cannot be allocated.
                return Err(ENOMEM);
            }
            (*inode).i_flags = bindings::S_IMMUTABLE;
            (*inode).i_mode = bindings::S_IFREG as u16;
            bindings::simple_inode_init_ts(inode);
            to_result(Self::init_inode(inode, data))?;
        }
        Ok(dentry)
    }

    /// Keeps a dentry on the shelf, if nobody but the caller uses it and its inode.
    ///
    /// # Safety
    ///
    /// `dentry` must be one of this file system, to which the caller has a reference, but that of a
    /// mount's root. The caller must not look at what it stands for any more, and must have a hold
    /// on the module. Process context.
    #[inline]
    pub(crate) unsafe fn retire(&'static self, dentry: *mut bindings::dentry) {
        // SAFETY: The caller has a reference to the dentry, and it to the inode. Where the dentry's
        // lock is held and there is no other reference, nobody can get one: whoever finds it in its
        // stash needs the lock for it. Nobody then looks at what the inode stands for.
        let data = unsafe {
            let inode = (*dentry).d_inode;

            if !bindings::dentry_lock_unshared(dentry) {
                return;
            }
            if !bindings::inode_is_unused(inode) {
                bindings::dentry_unlock(dentry);
                return;
            }
            Self::d_prune(dentry);
            // For the shelf.
            bindings::dget_dlock(dentry);
            bindings::dentry_unlock(dentry);

            let data = ptr::replace(&raw mut (*inode).i_private, ptr::null_mut());
            if !self.shelves.put(NonNull::new_unchecked(dentry)) {
                (*dentry).d_fsdata = ptr::null_mut();
                bindings::dput(dentry);
            }
            data
        };
        // SAFETY: The inode owned a reference to an object and one to the module, which the caller
        // has another hold on.
        unsafe {
            Self::put_data(data);
            bindings::module_put(Self::owner());
        }
    }

    /// # Safety
    ///
    /// `sb` must be a super block of this file system.
    #[inline]
    pub(crate) unsafe fn of_super(sb: *mut bindings::super_block) -> &'static Self {
        // SAFETY: The caller promises that it is ours; `mount()` has left a pointer to a static.
        unsafe { &*(*sb).s_fs_info.cast() }
    }

    /// The module that holds the functions of `T`; null when built in.
    fn owner() -> *mut bindings::module {
        this_module::<T::OwnerModule>().as_ptr()
    }

    /// # Safety
    ///
    /// Called by C during `kern_mount_wait()`.
    unsafe extern "C" fn init_fs_context(fc: *mut bindings::fs_context) -> c_int {
        // SAFETY: C calls with a context to set up.
        let ctx = unsafe { bindings::init_pseudo(fc, T::MAGIC) };
        if ctx.is_null() {
            return ENOMEM.to_errno();
        }

        // SAFETY: `init_pseudo()` has allocated this for us to fill in.
        let ctx = unsafe { &mut *ctx };
        ctx.ops = &SUPER_OPERATIONS.0;
        ctx.eops = ExportOperationsTable::<T, T::Export>::TABLE;
        ctx.xattr = XattrHandlers::<T::Xattrs>::LIST.as_ptr();
        ctx.dops = Self::DENTRIES;
        ctx.s_d_flags |= bindings::dentry_flags_DCACHE_DONTCACHE;
        0
    }

    /// # Safety
    ///
    /// Called by C with a new inode of ours, and a reference to a `T::Object` for it to own.
    unsafe extern "C" fn init_inode(inode: *mut bindings::inode, data: *mut c_void) -> c_int {
        // SAFETY: A null module is allowed; ours is running this.
        if !unsafe { bindings::try_module_get(Self::owner()) } {
            // SAFETY: The reference is ours, and the inode does not get it.
            unsafe { Self::put_data(data) };
            return ENODEV.to_errno();
        }

        // SAFETY: Nobody else has access to the new inode, nor to the `sb` it has a pointer to in
        // a way that would change it.
        unsafe {
            let this = Self::of_super((*inode).i_sb);
            (*inode).i_private = data;
            (*inode).i_op = InodeOperationsTable::<T::Inodes>::TABLE;
            (*inode).__bindgen_anon_3.i_fop = this.files.as_ptr();
            T::init_inode(&*data.cast::<T::Object>(), NewInode::from_raw(inode));
        }
        0
    }

    /// # Safety
    ///
    /// Called by C with the reference to a `T::Object` that no inode got.
    unsafe extern "C" fn put_data(data: *mut c_void) {
        // SAFETY: The caller gives up a reference.
        drop(unsafe { ARef::<T::Object>::from_raw(NonNull::new_unchecked(data.cast())) });
    }

    /// # Safety
    ///
    /// `inode` must be one of ours that stands for an object, and nobody look at that any more.
    unsafe fn put_inode(inode: *mut bindings::inode) {
        // SAFETY: The inode owned a reference to an object and one to the module. The caller of
        // `evict_inode()` holds the mount, or is about to take a mark off the super block's count
        // of them: the module's exit waits for either.
        unsafe {
            Self::put_data((*inode).i_private);
            bindings::module_put(Self::owner());
        }
    }

    /// # Safety
    ///
    /// Called by C as `->d_prune()` of our dentries, when they go.
    unsafe extern "C" fn d_prune(dentry: *mut bindings::dentry) {
        // SAFETY: `publish()` has left a pointer to the stash, which is the object's: the inode
        // still owns a reference to it. Null if it was not stashed, or has been taken out again.
        unsafe {
            if let Some(stash) = (*dentry).d_fsdata.cast::<Stash>().as_ref() {
                stash.clear(dentry);
            }
        }
    }

    /// # Safety
    ///
    /// `dentry` must be one of ours, and `stat` be filled in already, and nobody else access it.
    unsafe fn statfs(dentry: *mut bindings::dentry, stat: *mut bindings::kstatfs) -> Result {
        // SAFETY: As the caller promises.
        unsafe { T::statfs(SuperBlock::from_raw((*dentry).d_sb), StatFs::from_raw(stat)) }
    }

    /// # Safety
    ///
    /// Called by C as `->d_dname()` of our dentries.
    unsafe extern "C" fn d_dname(
        _dentry: *mut bindings::dentry,
        buffer: *mut c_char,
        len: c_int,
    ) -> *mut c_char {
        // SAFETY: There is room for `len` bytes at `buffer`, and the name is no format.
        unsafe { bindings::dynamic_dname(buffer, len, c"%s".as_char_ptr(), T::DENTRY_NAME.as_char_ptr()) }
    }
}

/// A pseudo file system that is mounted; unmounted when it is dropped.
///
/// Who makes a file needs a reference to this, and so makes none before it is mounted, or after. To
/// be dropped late in a module's exit. Waits for all who still use a path in it.
///
/// # Invariants
///
/// The file system is mounted, and so its `mnt` not null.
#[repr(transparent)]
pub struct Mount<T: PseudoFileSystem>(&'static PseudoFs<T>);

impl<T: PseudoFileSystem> Mount<T> {
    /// Returns the mount as C sees it.
    #[inline]
    fn mnt(&self) -> *mut bindings::vfsmount {
        self.0.mnt.load(Acquire)
    }

    /// Returns the super block.
    pub fn super_block(&self) -> &SuperBlock {
        // SAFETY: By the type invariants it is mounted, and so has a super block.
        unsafe { SuperBlock::from_raw((*self.mnt()).mnt_sb) }
    }

    /// Returns the dentry of an object.
    ///
    /// It is the same, down to the inode, for all who ask while one of them has it. It keeps no
    /// mount: for the file system itself. Process context, may sleep.
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

        // SAFETY: By the type invariants it is mounted, and so has a super block.
        match stash.get(unsafe { (*self.mnt()).mnt_sb })? {
            Some(dentry) => Ok(dentry),
            None => self.new_dentry(object, stash),
        }
    }

    #[doc(alias = "path_from_stashed")]
    fn new_dentry(&self, object: &T::Object, stash: &Stash) -> Result<Dentry> {
        let dentry = match self.0.shelves.take() {
            // SAFETY: What is on a shelf is ours, and we have the only reference.
            Some(dentry) => unsafe { PseudoFs::<T>::renew(Dentry::from_raw(dentry), object)? },
            None => self.fresh(object)?,
        };
        // SAFETY: Nobody has seen the dentry yet. The stash lives as long as the object, and so as
        // long as the dentry has an inode that owns a reference to it.
        unsafe { stash.publish(dentry) }
    }

    /// Makes a dentry and an inode.
    fn fresh(&self, object: &T::Object) -> Result<Dentry> {
        let mut path = bindings::path::default();
        let mut stash = ptr::null_mut();
        // SAFETY: By the type invariants the mount is valid. The dentry refers to the stash, which
        // is empty and not the object's, until that is changed below. A reference to the object, C
        // takes from us.
        to_result(unsafe {
            bindings::path_from_stashed(
                &mut stash,
                self.mnt(),
                ARef::into_raw(ARef::from(object)).as_ptr().cast(),
                &mut path,
            )
        })?;
        // SAFETY: On success the path has references to mount and dentry, and both are ours.
        unsafe {
            bindings::mntput(path.mnt);
            (*path.dentry).d_fsdata = ptr::null_mut();
            Ok(Dentry::from_raw(NonNull::new_unchecked(path.dentry)))
        }
    }

    /// Returns the path of an object's file.
    ///
    /// It is the same, down to the inode, for all who ask while one of them has it. Process
    /// context, may sleep.
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

        // SAFETY: By the type invariants the mount is valid; a reference to it is taken.
        unsafe {
            let mnt = bindings::mntget(self.mnt());
            Ok(Path::from_raw(bindings::path { mnt, dentry }))
        }
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

        // SAFETY: We have a reference to the dentry, and by the type invariants the mount is valid
        // as long as `self`.
        let file = unsafe { Path::borrow(&path) }.open_with(flags, kept)?;
        // SAFETY: The file has a reference of its own.
        unsafe { dentry.put_not_last() };
        Ok(file)
    }

    /// Returns the root, in which there is nothing.
    ///
    /// It is below it that file handles are opened. It stands for no object, and so must not get to
    /// who could look for one: into a file.
    #[inline]
    pub(crate) fn root(&self) -> Path {
        let mnt = self.mnt();
        // SAFETY: By the type invariants the mount is valid, and so has a root.
        unsafe {
            let path = bindings::path {
                mnt,
                dentry: (*mnt).mnt_root,
            };
            bindings::path_get(&path);
            Path::from_raw(path)
        }
    }
}

impl<T: PseudoFileSystem> Drop for Mount<T> {
    fn drop(&mut self) {
        let mnt = self.mnt();
        // SAFETY: By the type invariants this is a mount that is ours to give up, and nobody makes
        // any more paths in it. A caller that closes a file, which may put a dentry on a free list,
        // has the mount until that is done, for which the first call waits. The last one takes the
        // super block that we get from it. After it nobody finds the type.
        unsafe {
            let fs_type = (*(*mnt).mnt_sb).s_type;
            let sb = bindings::kern_unmount_wait(mnt);
            self.0.mnt.store(ptr::null_mut(), Relaxed);
            self.0.shelves.free();
            bindings::kill_super(sb);
            (*fs_type).init_fs_context = None;
        }
        self.0.claimed.store(false, Release);
    }
}

#[cfg(CONFIG_RUST_PID_KUNIT_TEST)]
#[macros::kunit_tests(rust_pseudo_fs)]
mod tests {
    use super::*;
    use crate::{
        fs::{
            export::types::FILEID_KERNFS,
            file::FileDescriptorReservation,
            file_operations::{
                events::EPOLLIN,
                OpenFile, //
            },
            inode::{
                flags::{
                    S_IMMUTABLE,
                    S_PRIVATE, //
                },
                Inode,
                Stat, //
            },
            xattr::{
                checked_len,
                SimpleXattrs,
                XattrList,
                XattrName,
                XattrValue, //
            }, //
        },
        sync::poll::PollTable,
        types::Opaque,
        wait_queue::WaitQueueHead, //
    };
    use core::mem::{
        self,
        MaybeUninit, //
    };

    /// An object with a reference count, a stash, a wait queue and extended attributes.
    struct Thing {
        refs: Atomic<i32>,
        number: u64,
        stashed: Opaque<*mut bindings::dentry>,
        xattrs: Opaque<bindings::list_head>,
        queue: Opaque<bindings::wait_queue_head>,
        opened: Atomic<i32>,
        released: Atomic<i32>,
        flags: Atomic<u32>,
    }

    // SAFETY: What changes is atomic, or C's to synchronise.
    unsafe impl Send for Thing {}
    // SAFETY: As above.
    unsafe impl Sync for Thing {}

    // SAFETY: `refs` counts references, and the object is freed with the last.
    unsafe impl AlwaysRefCounted for Thing {
        fn inc_ref(&self) {
            self.refs.add(1, Relaxed);
        }

        unsafe fn dec_ref(obj: NonNull<Self>) {
            // SAFETY: The caller gives up a reference, so the object is valid.
            if unsafe { obj.as_ref() }.refs.fetch_add(-1, Relaxed) == 1 {
                // SAFETY: It was the last, of what `Thing::new()` made.
                drop(unsafe { KBox::from_raw(obj.as_ptr()) });
            }
        }
    }

    impl Thing {
        fn new(number: u64) -> ARef<Self> {
            let thing = KBox::new(
                Self {
                    refs: Atomic::new(1),
                    number,
                    stashed: Opaque::new(ptr::null_mut()),
                    xattrs: Opaque::zeroed(),
                    queue: Opaque::zeroed(),
                    opened: Atomic::new(0),
                    released: Atomic::new(0),
                    flags: Atomic::new(0),
                },
                GFP_KERNEL,
            )
            .unwrap();
            let head = thing.xattrs.get();
            // SAFETY: The fields are ours to set up, and stay where they are.
            unsafe {
                (*head).next = head;
                (*head).prev = head;
                bindings::__init_waitqueue_head(
                    thing.queue.get(),
                    c"thing".as_char_ptr(),
                    KEY.get(),
                );
                ARef::from_raw(NonNull::new_unchecked(KBox::into_raw(thing)))
            }
        }

        fn refs(&self) -> i32 {
            self.refs.load(Relaxed)
        }

        fn xattrs(&self) -> SimpleXattrs<'_> {
            // SAFETY: The list is initialised, all of its attributes are in this cache, and are
            // changed with this lock held.
            unsafe {
                SimpleXattrs::from_raw(
                    self.xattrs.get(),
                    bindings::pidfs_xattr_cache,
                    &raw mut bindings::pidfd_provider_xattr_lock,
                )
            }
        }
    }

    struct Key(Opaque<bindings::lock_class_key>);
    // SAFETY: C locks what it does with a key.
    unsafe impl Sync for Key {}
    impl Key {
        fn get(&self) -> *mut bindings::lock_class_key {
            self.0.get()
        }
    }
    static KEY: Key = Key(Opaque::zeroed());

    struct ThingFs;

    #[vtable]
    impl FileOperations for ThingFs {
        type Object = Thing;
        type FileSystem = Self;

        fn open(thing: &Thing) -> Result {
            if thing.number == UNOPENABLE {
                return Err(EPERM);
            }
            thing.opened.add(1, Relaxed);
            Ok(())
        }

        fn release(thing: &Thing, flags: u32) {
            thing.flags.store(flags, Relaxed);
            thing.released.add(1, Relaxed);
        }

        fn wait_queue<'a>(thing: &'a Thing) -> &'a WaitQueueHead
        where
            Self: 'a,
        {
            // SAFETY: The queue was initialised, and lives as long as the object.
            unsafe { WaitQueueHead::from_raw(thing.queue.get()) }
        }

        fn poll(file: &OpenFile<'_, Self>, table: &PollTable<'_>) -> u32 {
            file.poll_wait(table);
            EPOLLIN
        }

        fn ioctl(file: &OpenFile<'_, Self>, cmd: u32, _arg: usize) -> Result<isize> {
            match cmd {
                1 => Ok(file.object().number as isize),
                2 => Ok(file.inode().generation() as isize),
                4 => Ok(file.file().flags() as isize),
                _ => Err(ENOTTY),
            }
        }

        #[cfg(CONFIG_COMPAT)]
        fn compat_ioctl(file: &OpenFile<'_, Self>, cmd: u32, _arg: usize) -> Result<isize> {
            match cmd {
                32 => Ok(file.object().number as isize),
                _ => Err(ENOTTY),
            }
        }
    }

    #[vtable]
    impl InodeOperations for ThingFs {
        type Object = Thing;

        fn getattr(thing: &Thing, inode: &Inode, stat: &mut Stat, mask: u32) -> Result {
            if thing.number == UNREADABLE {
                return Err(EPERM);
            }
            stat.fill(inode, mask);
            stat.clear_file_type();
            stat.set_device(7);
            Ok(())
        }

        fn setattr(_thing: &Thing) -> Result {
            Err(EOPNOTSUPP)
        }

        fn listxattr(thing: &Thing, list: XattrList<'_>) -> Result<usize> {
            if thing.number == BOASTFUL {
                return Ok(17);
            }
            thing.xattrs().list(list)
        }
    }

    impl XattrHandler for ThingFs {
        type Object = Thing;

        const PREFIX: &'static CStr = c"trusted.";

        fn get(thing: &Thing, name: XattrName<'_>, value: XattrValue<'_>) -> Result<usize> {
            if thing.number == BOASTFUL {
                return Ok(17);
            }
            thing.xattrs().get(name, value)
        }

        fn set(thing: &Thing, name: XattrName<'_>, value: Option<&[u8]>, flags: u32) -> Result {
            thing.xattrs().set(name, value, flags)
        }
    }

    impl ExportOperations for ThingFs {
        type Object = Thing;
        type Id = u64;

        const TYPE: u8 = FILEID_KERNFS;

        fn encode(thing: &Thing) -> u64 {
            thing.number
        }

        /// Finds a new thing for any number but [`UNKNOWN`].
        fn decode(number: u64) -> Result<ARef<Thing>> {
            match number {
                UNKNOWN => Err(ESTALE),
                _ => Ok(Thing::new(number)),
            }
        }

        fn permission(flags: u32) -> Result {
            match flags {
                0 => Ok(()),
                _ => Err(EPERM),
            }
        }

        fn open(path: &Path, flags: u32) -> Result<ARef<File>> {
            path.open(flags)
        }
    }

    #[vtable]
    impl PseudoFileSystem for ThingFs {
        type Object = Thing;
        type Files = Self;
        type Inodes = Self;
        type Xattrs = Self;
        type Export = Self;

        const MAGIC: usize = 0x7e57;
        const DENTRY_NAME: &'static CStr = c"thing:[%s]";

        fn stash<'a>(thing: &'a Thing) -> Result<&'a Stash>
        where
            Self: 'a,
        {
            if thing.number == UNSTASHED {
                return Err(EINVAL);
            }
            // SAFETY: The field was null at first, is only used here, and lives as long as the
            // object.
            Ok(unsafe { Stash::from_raw(thing.stashed.get()) })
        }

        fn init_inode(thing: &Thing, inode: &mut NewInode) {
            inode.set_number(thing.number, 3);
            inode.change_flags(S_PRIVATE, S_IMMUTABLE);
            if thing.number != UNREADABLE {
                inode.add_mode(0o700);
            }
        }

        fn statfs(sb: &SuperBlock, stat: &mut StatFs) -> Result {
            stat.set_fsid(sb.device() + 1);
            Ok(())
        }
    }

    const UNOPENABLE: u64 = 1001;
    const UNSTASHED: u64 = 1002;
    const UNKNOWN: u64 = 1003;
    const BOASTFUL: u64 = 1004;
    const UNREADABLE: u64 = 1005;

    static FILES: FileOperationsTable<ThingFs> = FileOperationsTable::new();
    static THINGS: PseudoFs<ThingFs> = PseudoFs::new(&FILES);
    static OTHERS: PseudoFs<ThingFs> = PseudoFs::new(&FILES);

    struct Type(Opaque<bindings::file_system_type>);
    // SAFETY: C locks what changes.
    unsafe impl Sync for Type {}

    impl Type {
        const fn new() -> Self {
            Self(Opaque::new(bindings::file_system_type {
                name: crate::str::as_char_ptr_in_const_context(c"things"),
                ..pin_init::zeroed()
            }))
        }

        fn get(&self) -> FileSystemType {
            // SAFETY: It is built in, has a name, and each test uses it once at a time.
            unsafe { FileSystemType::from_raw(NonNull::new(self.0.get()).unwrap()) }
        }
    }

    static TYPE: Type = Type::new();
    static OTHER_TYPE: Type = Type::new();

    fn mount() -> Mount<ThingFs> {
        THINGS.mount(TYPE.get()).unwrap()
    }

    fn dentry(path: &Path) -> *mut bindings::dentry {
        // SAFETY: The path is valid.
        unsafe { (*path.as_ptr()).dentry }
    }

    fn flush() {
        // SAFETY: No requirements; a kernel thread's last reference to a file is dropped by a work
        // item.
        unsafe { bindings::flush_delayed_fput() };
    }

    #[test]
    fn is_mounted_once_at_a_time() {
        let mount = mount();
        assert_eq!(THINGS.mount(OTHER_TYPE.get()).err(), Some(EBUSY));
        assert_eq!(mount.super_block().magic(), 0x7e57);
        drop(mount);
        drop(super::tests::mount());
    }

    /// As `sync(2)` keeps one while it waits for the next file system.
    #[test]
    fn a_passive_reference_does_not_delay_an_unmount() {
        let mount = mount();
        // SAFETY: It is mounted, and so has a super block, to which we take a reference.
        let sb = unsafe {
            let sb = (*THINGS.mnt.load(Relaxed)).mnt_sb;
            bindings::refcount_inc(&raw mut (*sb).s_passive);
            &mut *sb
        };
        drop(mount);

        assert!(ptr::eq(sb.s_op, &SUPER_OPERATIONS.0));
        assert!(sb.s_fs_info.is_null() && sb.s_export_op.is_null());
        assert!(sb.s_xattr.is_null() && sb.__s_d_op.is_null());
        // SAFETY: Nobody else uses the type.
        assert!(unsafe { (*TYPE.0.get()).init_fs_context.is_none() });

        // The next one meets it.
        let mount = super::tests::mount();
        assert!(mount.path(&Thing::new(1)).is_ok());
        drop(mount);
        // SAFETY: The reference was taken above.
        unsafe { bindings::put_super(sb) };
        drop(super::tests::mount());
    }

    #[test]
    fn a_stash_serves_one_file_system() {
        let (mount, other) = (mount(), OTHERS.mount(OTHER_TYPE.get()).unwrap());
        let thing = Thing::new(1);
        let path = mount.path(&thing).unwrap();
        assert_eq!(other.path(&thing).err(), Some(EBUSY));
        let late = other.fresh(&thing).unwrap();
        // SAFETY: Nobody else has it, and the stash is that of its object.
        let published = unsafe { ThingFs::stash(&thing).unwrap().publish(late) };
        assert_eq!(published.err(), Some(EBUSY));
        assert_eq!(dentry(&mount.path(&thing).unwrap()), dentry(&path));
        assert_eq!(thing.refs(), 2);
        drop(path);
        assert!(other.path(&thing).is_ok());
        assert_eq!(thing.refs(), 1);
    }

    #[test]
    fn an_object_has_one_dentry_for_all() {
        let mount = mount();
        let (one, two) = (Thing::new(1), Thing::new(2));
        let path = mount.path(&one).unwrap();
        assert_eq!(dentry(&path), dentry(&mount.path(&one).unwrap()));
        assert_ne!(dentry(&path), dentry(&mount.path(&two).unwrap()));
    }

    #[test]
    fn the_inode_holds_the_object_until_the_last_path_is_gone() {
        let mount = mount();
        let thing = Thing::new(1);
        let path = mount.path(&thing).unwrap();
        let other = mount.path(&thing).unwrap();
        assert_eq!(thing.refs(), 2);
        drop(path);
        assert_eq!(thing.refs(), 2);
        drop(other);
        assert_eq!(thing.refs(), 1);
        // SAFETY: Nobody else uses the field.
        assert!(unsafe { *thing.stashed.get() }.is_null());
        assert!(mount.path(&thing).is_ok());
    }

    /// As it is for a moment when its last user is gone.
    #[test]
    fn a_dentry_that_is_dead_is_left_alone() {
        const DEAD: c_int = -128;

        let mount = mount();
        let thing = Thing::new(1);
        let path = mount.path(&thing).unwrap();
        // SAFETY: The dentry is valid, and nobody else uses it.
        let count = unsafe {
            &mut (*dentry(&path))
                .d_lockref
                .__bindgen_anon_1
                .__bindgen_anon_1
                .count
        };
        let alive = mem::replace(count, DEAD);
        // SAFETY: The dentry is valid.
        let sb = unsafe { (*dentry(&path)).d_sb };
        let found = ThingFs::stash(&thing).unwrap().get(sb).unwrap();
        let after = *count;
        let other = mount.path(&thing);
        *count = alive;
        assert!(found.is_none());
        assert_eq!(after, DEAD);

        // The other is in its place, and stays there.
        let other = other.unwrap();
        assert_ne!(dentry(&other), dentry(&path));
        drop(path);
        assert_eq!(dentry(&mount.path(&thing).unwrap()), dentry(&other));
        drop(other);
        assert_eq!(thing.refs(), 1);
    }

    #[test]
    fn who_comes_second_gets_the_dentry_of_who_was_faster() {
        let mount = mount();
        let thing = Thing::new(1);
        let path = mount.path(&thing).unwrap();
        let late = mount.fresh(&thing).unwrap();
        assert_ne!(late.as_ptr(), dentry(&path));
        // SAFETY: Nobody else has it, and the stash is that of its object.
        let got = unsafe { ThingFs::stash(&thing).unwrap().publish(late) }.unwrap();
        assert_eq!(got.as_ptr(), dentry(&path));
        assert_eq!(thing.refs(), 2);
    }

    #[test]
    fn dentries_and_paths_go_to_c_and_back() {
        let mount = mount();
        let thing = Thing::new(1);
        let there = mount.dentry(&thing).unwrap();
        let raw = there.into_raw();
        // SAFETY: Its reference was given up just now.
        let there = unsafe { Dentry::from_raw(NonNull::new(raw).unwrap()) };
        assert_eq!(there.as_ptr(), raw);

        let path = mount.path(&thing).unwrap().into_raw();
        // SAFETY: It is valid until it is dropped below.
        assert_eq!(dentry(unsafe { Path::borrow(&path) }), raw);
        // SAFETY: Its references were given up above.
        drop(unsafe { Path::from_raw(path) });
        drop(there);
        assert_eq!(thing.refs(), 1);
    }

    fn is_stashed_nowhere(thing: &Thing) -> bool {
        // SAFETY: Nobody else uses the field.
        unsafe { *thing.stashed.get() }.is_null()
    }

    /// As the last file does when it is closed.
    fn retire(path: Path) {
        // SAFETY: The path has a reference to a dentry of this file system, and is not looked at
        // any more.
        unsafe { THINGS.retire(dentry(&path)) };
    }

    #[test]
    fn what_nobody_uses_goes_to_the_next_object() {
        let mount = mount();

        // This thread may come to another CPU, with another list; but not every time.
        let mut reused = false;
        for _ in 0..100 {
            let (one, two) = (Thing::new(1), Thing::new(UNREADABLE));
            let path = mount.path(&one).unwrap();
            let first = dentry(&path);
            retire(path);
            assert_eq!(one.refs(), 1);
            assert!(is_stashed_nowhere(&one));

            let path = mount.path(&two).unwrap();
            if dentry(&path) != first {
                continue;
            }
            assert_eq!(two.refs(), 2);
            // SAFETY: The dentry is valid, and has an inode.
            let inode = unsafe { &*(*first).d_inode };
            assert_eq!(inode.i_ino, UNREADABLE);
            assert_eq!(u32::from(inode.i_mode), bindings::S_IFREG);
            assert!(is_stashed_nowhere(&one));
            assert_ne!(dentry(&mount.path(&one).unwrap()), first);
            reused = true;
            break;
        }
        assert!(reused);
    }

    #[test]
    fn what_somebody_uses_stays_with_its_object() {
        let mount = mount();
        let thing = Thing::new(1);
        let path = mount.path(&thing).unwrap();
        let other = mount.path(&thing).unwrap();
        retire(path);
        assert_eq!(thing.refs(), 2);
        assert_eq!(dentry(&mount.path(&thing).unwrap()), dentry(&other));
        drop(other);
        assert_eq!(thing.refs(), 1);
    }

    #[test]
    fn an_inode_that_somebody_has_stays_with_its_object() {
        let mount = mount();
        let thing = Thing::new(1);
        let path = mount.path(&thing).unwrap();
        // SAFETY: The dentry is valid, and has an inode.
        let inode = unsafe { (*dentry(&path)).d_inode };
        // SAFETY: The inode is valid.
        unsafe { bindings::ihold(inode) };
        retire(path);
        assert_eq!(thing.refs(), 2);
        // SAFETY: The reference was taken above.
        unsafe { bindings::iput(inode) };
        assert_eq!(thing.refs(), 1);
    }

    #[test]
    fn who_retires_a_dentry_has_it_until_he_lets_go() {
        let mount = mount();
        let (one, two) = (Thing::new(1), Thing::new(2));
        let path = mount.path(&one).unwrap();
        // SAFETY: What it stands for is not looked at any more.
        unsafe { THINGS.retire(dentry(&path)) };
        assert_ne!(dentry(&mount.path(&two).unwrap()), dentry(&path));
        drop(path);
    }

    #[test]
    fn what_finds_no_room_is_freed() {
        let mount = mount();
        let things: [_; 100] = core::array::from_fn(|n| Thing::new(n as u64));
        let paths = things.each_ref().map(|thing| mount.path(thing).unwrap());
        for path in paths {
            retire(path);
        }
        assert!(things.iter().all(|thing| thing.refs() == 1));
    }

    #[test]
    fn an_object_without_a_stash_is_refused() {
        let mount = mount();
        let thing = Thing::new(UNSTASHED);
        assert_eq!(mount.path(&thing).err(), Some(EINVAL));
        assert_eq!(mount.open(&thing, bindings::O_RDWR, 0).err(), Some(EINVAL));
        assert_eq!(thing.refs(), 1);
    }

    #[test]
    fn a_file_is_opened_and_released_once() {
        let mount = mount();
        let thing = Thing::new(1);
        let path = mount.path(&thing).unwrap();
        let file = path.open_with(bindings::O_RDWR, bindings::O_EXCL).unwrap();
        drop(path);
        assert!(file.flags() & bindings::O_EXCL != 0);
        assert_eq!(thing.opened.load(Relaxed), 1);
        assert_eq!(thing.released.load(Relaxed), 0);
        let flags = file.flags();
        drop(file);
        flush();
        assert_eq!(thing.released.load(Relaxed), 1);
        assert_eq!(thing.flags.load(Relaxed), flags);
        assert_eq!(thing.refs(), 1);
    }

    #[test]
    fn a_file_that_does_not_open_is_not_released() {
        let mount = mount();
        let thing = Thing::new(UNOPENABLE);
        let path = mount.path(&thing).unwrap();
        assert_eq!(path.open(bindings::O_RDWR).err(), Some(EPERM));
        assert_eq!(path.open_with(bindings::O_RDWR, 0).err(), Some(EPERM));
        assert_eq!(mount.open(&thing, bindings::O_RDWR, 0).err(), Some(EPERM));
        drop(path);
        flush();
        assert_eq!(thing.released.load(Relaxed), 0);
        assert_eq!(thing.refs(), 1);
    }

    #[test]
    fn a_file_may_be_opened_without_a_path() {
        let mount = mount();
        let thing = Thing::new(1);
        let file = mount
            .open(&thing, bindings::O_RDWR, bindings::O_EXCL)
            .unwrap();
        assert!(file.flags() & bindings::O_EXCL != 0);
        assert_eq!(thing.refs(), 2);
        drop(file);
        flush();
        assert_eq!(thing.refs(), 1);
    }

    #[test]
    fn file_operations_find_the_object() {
        let mount = mount();
        let thing = Thing::new(42);
        let file = mount.path(&thing).unwrap().open(bindings::O_RDWR).unwrap();
        // SAFETY: The table is static and never written to.
        let table = unsafe { &*FILES.as_ptr() };
        // SAFETY: The file has this table; a null poll table is allowed.
        let poll = unsafe { table.poll.unwrap()(file.as_ptr(), ptr::null_mut()) };
        // SAFETY: The file has this table.
        let ioctl = |cmd| unsafe { table.unlocked_ioctl.unwrap()(file.as_ptr(), cmd, 0) };
        assert_eq!(poll, EPOLLIN);
        assert_eq!(ioctl(1), 42);
        assert_eq!(ioctl(2), 3);
        assert_eq!(ioctl(3), ENOTTY.to_errno() as c_long);
        assert_eq!(ioctl(4), file.flags() as c_long);
        assert!(table.show_fdinfo.is_none());
        #[cfg(CONFIG_COMPAT)]
        {
            // SAFETY: The file has this table.
            let ioctl = |cmd| unsafe { table.compat_ioctl.unwrap()(file.as_ptr(), cmd, 0) };
            assert_eq!(ioctl(32), 42);
            assert_eq!(ioctl(1), ENOTTY.to_errno() as c_long);
        }
        drop(file);
        flush();
    }

    #[test]
    fn no_other_file_is_a_pidfd() {
        let mount = mount();
        let thing = Thing::new(1);
        let file = mount.path(&thing).unwrap().open(bindings::O_RDWR).unwrap();
        let reserved = FileDescriptorReservation::get_unused_fd_flags(0).unwrap();
        let fd = reserved.reserved_fd();
        reserved.fd_install(file);
        assert_eq!(crate::pidfd::get_pid(fd).err(), Some(EBADF));
        // SAFETY: The descriptor was installed just now.
        assert_eq!(unsafe { bindings::close_fd(fd) }, 0);
        flush();
    }

    /// The address of the queue that was waited on last.
    static WAITED_ON: Atomic<usize> = Atomic::new(0);

    /// # Safety
    ///
    /// Called by C to wait on `queue`.
    unsafe extern "C" fn wait_on(
        _file: *mut bindings::file,
        queue: *mut bindings::wait_queue_head,
        _table: *mut bindings::poll_table_struct,
    ) {
        WAITED_ON.store(queue as usize, Relaxed);
    }

    #[test]
    fn who_polls_waits_on_the_queue_of_the_object() {
        let mount = mount();
        let thing = Thing::new(1);
        let file = mount.path(&thing).unwrap().open(bindings::O_RDWR).unwrap();
        let mut wait = bindings::poll_table_struct {
            _qproc: Some(wait_on),
            _key: EPOLLIN,
        };
        // SAFETY: The table is static and never written to.
        let table = unsafe { &*FILES.as_ptr() };
        // SAFETY: The file has this table, and the poll table is valid.
        let poll = unsafe { table.poll.unwrap()(file.as_ptr(), &mut wait) };
        assert_eq!(poll, EPOLLIN);
        assert_eq!(WAITED_ON.load(Relaxed), thing.queue.get() as usize);
        drop(file);
        flush();
    }

    #[test]
    fn a_clone_of_a_path_is_a_path() {
        let mount = mount();
        let thing = Thing::new(1);
        let path = mount.path(&thing).unwrap();
        let other = path.clone();
        assert_eq!(dentry(&path), dentry(&other));
        drop(path);
        assert_eq!(thing.refs(), 2);
        assert!(!is_stashed_nowhere(&thing));
        drop(other);
        assert_eq!(thing.refs(), 1);
    }

    fn getattr(path: &Path) -> Result<bindings::kstat> {
        let mut stat = MaybeUninit::zeroed();
        // SAFETY: The path is valid, and `stat` ours to write.
        to_result(unsafe { bindings::vfs_getattr(path.as_ptr(), stat.as_mut_ptr(), 0x7ff, 0) })?;
        // SAFETY: Zeroes are a `kstat`.
        Ok(unsafe { stat.assume_init() })
    }

    #[test]
    fn inodes_say_what_they_are() {
        let mount = mount();
        let path = mount.path(&Thing::new(42)).unwrap();
        let stat = getattr(&path).unwrap();
        assert_eq!((stat.ino, stat.dev), (42, 7));
        assert_eq!(stat.mode, 0o700);
        // SAFETY: The dentry is valid, and has an inode.
        let flags = unsafe { (*(*dentry(&path)).d_inode).i_flags };
        assert_eq!(flags & (S_PRIVATE | S_IMMUTABLE), S_PRIVATE);
    }

    #[test]
    fn inodes_need_not_say_what_they_are() {
        let mount = mount();
        let path = mount.path(&Thing::new(UNREADABLE)).unwrap();
        assert_eq!(getattr(&path).err(), Some(EPERM));
    }

    #[test]
    fn attributes_that_must_not_change_do_not() {
        let mount = mount();
        let path = mount.path(&Thing::new(1)).unwrap();
        let setattr = InodeOperationsTable::<ThingFs>::TABLE.setattr.unwrap();
        // SAFETY: The dentry is of an inode with this table.
        let ret = unsafe { setattr(ptr::null_mut(), dentry(&path), ptr::null_mut()) };
        assert_eq!(ret, EOPNOTSUPP.to_errno());
    }

    fn set(path: &Path, value: Option<&[u8]>, flags: u32) -> c_int {
        let (ptr, len) = value.map_or((ptr::null(), 0), |v| (v.as_ptr(), v.len()));
        // SAFETY: The dentry is valid; the VFS takes the inode's lock.
        unsafe {
            if value.is_none() {
                return bindings::vfs_removexattr(
                    &raw mut bindings::nop_mnt_idmap,
                    dentry(path),
                    c"trusted.a".as_char_ptr(),
                );
            }
            bindings::vfs_setxattr(
                &raw mut bindings::nop_mnt_idmap,
                dentry(path),
                c"trusted.a".as_char_ptr(),
                ptr.cast(),
                len,
                flags as c_int,
            )
        }
    }

    fn get(path: &Path, buffer: &mut [u8]) -> isize {
        // SAFETY: The dentry is valid, and there is room for what we say.
        unsafe {
            bindings::vfs_getxattr(
                &raw mut bindings::nop_mnt_idmap,
                dentry(path),
                c"trusted.a".as_char_ptr(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
            )
        }
    }

    #[test]
    fn xattrs_are_set_read_listed_and_removed() {
        use crate::fs::xattr::flags::*;

        let mount = mount();
        let path = mount.path(&Thing::new(1)).unwrap();
        let mut buffer = [0; 16];

        assert_eq!(get(&path, &mut buffer), ENODATA.to_errno() as isize);
        assert_eq!(set(&path, Some(b"x"), XATTR_REPLACE), ENODATA.to_errno());
        assert_eq!(set(&path, Some(b"one"), XATTR_CREATE), 0);
        assert_eq!(set(&path, Some(b"two"), XATTR_CREATE), EEXIST.to_errno());
        assert_eq!(get(&path, &mut buffer[..1]), ERANGE.to_errno() as isize);
        assert_eq!(get(&path, &mut buffer), 3);
        assert_eq!(&buffer[..3], b"one");
        assert_eq!(set(&path, Some(b""), 0), 0);
        assert_eq!(get(&path, &mut buffer), 0);

        // SAFETY: The dentry is valid, and there is room for what we say.
        let listed = unsafe {
            bindings::vfs_listxattr(dentry(&path), buffer.as_mut_ptr().cast(), buffer.len())
        };
        assert_eq!(&buffer[..listed as usize], b"trusted.a\0");
        // SAFETY: As above.
        let short =
            unsafe { bindings::vfs_listxattr(dentry(&path), buffer.as_mut_ptr().cast(), 3) };
        assert_eq!(short, ERANGE.to_errno() as isize);

        assert_eq!(set(&path, None, 0), 0);
        assert_eq!(get(&path, &mut buffer), ENODATA.to_errno() as isize);
    }

    /// C gives as much of its buffer to user space as it is told of.
    #[test]
    fn no_more_is_told_of_xattrs_than_there_is_room_for() {
        let mount = mount();
        let path = mount.path(&Thing::new(BOASTFUL)).unwrap();
        let mut buffer = [0; 17];

        assert_eq!(get(&path, &mut buffer), 17);
        assert_eq!(get(&path, &mut buffer[..16]), ERANGE.to_errno() as isize);
        for (len, want) in [(17, 17), (16, ERANGE.to_errno() as isize)] {
            // SAFETY: The dentry is valid, and there is room for what we say.
            let listed =
                unsafe { bindings::vfs_listxattr(dentry(&path), buffer.as_mut_ptr().cast(), len) };
            assert_eq!(listed, want);
        }
        assert_eq!(checked_len(true, 0, usize::MAX), Err(E2BIG));
    }

    #[test]
    fn handles_name_objects() {
        let mount = mount();
        let path = mount.path(&Thing::new(42)).unwrap();
        let table = ExportOperationsTable::<ThingFs, ThingFs>::TABLE;
        let (encode, decode) = (table.encode_fh.unwrap(), table.fh_to_dentry.unwrap());
        // SAFETY: The dentry is valid.
        let (inode, sb) = unsafe { ((*dentry(&path)).d_inode, (*dentry(&path)).d_sb) };
        let mut words = [0u32; 2];
        let mut handle = |len: c_int| {
            let mut len = len;
            // SAFETY: The inode is of this file system, and there is room for two words.
            let kind = unsafe { encode(inode, words.as_mut_ptr(), &mut len, ptr::null_mut()) };
            (kind, len, words)
        };

        assert_eq!(handle(1).0, 0xff);
        assert_eq!(handle(1).1, 2);
        let (kind, len, mut words) = handle(2);
        assert_eq!((kind, len), (FILEID_KERNFS.into(), 2));

        let mut find = |number: u64, len, kind| {
            words = [number as u32, (number >> 32) as u32];
            // SAFETY: The super block is of this file system, and there are two words.
            unsafe { decode(sb, words.as_mut_ptr().cast(), len, kind) }
        };
        assert!(find(42, 1, kind).is_null());
        assert!(find(42, 2, kind + 1).is_null());
        assert_eq!(find(UNKNOWN, 2, kind), ESTALE.to_ptr());
        assert_eq!(find(UNSTASHED, 2, kind), EINVAL.to_ptr());
        let found = find(43, 2, kind);
        // SAFETY: A dentry was found, with a reference that is ours.
        assert_eq!(unsafe { (*(*found).d_inode).i_ino }, 43);
        // SAFETY: As above.
        unsafe { bindings::dput(found) };
    }

    #[test]
    fn handles_are_opened_by_who_may() {
        let mount = mount();
        let thing = Thing::new(1);
        let path = mount.path(&thing).unwrap();
        let table = ExportOperationsTable::<ThingFs, ThingFs>::TABLE;
        // SAFETY: The function does not look at the context.
        let permission = |flags| unsafe { table.permission.unwrap()(ptr::null_mut(), flags) };
        assert_eq!(permission(0), 0);
        assert_eq!(permission(1), EPERM.to_errno());
        // SAFETY: The path is valid.
        let file = unsafe { table.open.unwrap()(path.as_ptr(), 0) };
        assert_eq!(thing.opened.load(Relaxed), 1);
        // SAFETY: It was opened, and the reference is ours.
        unsafe { bindings::fput(file) };
        flush();
        assert_eq!(thing.released.load(Relaxed), 1);

        let path = mount.path(&Thing::new(UNOPENABLE)).unwrap();
        // SAFETY: The path is valid.
        let file = unsafe { table.open.unwrap()(path.as_ptr(), 0) };
        assert_eq!(file, EPERM.to_ptr());
    }

    #[test]
    fn the_root_is_a_directory_with_nothing_in_it() {
        let mount = mount();
        let root = mount.root();
        let mut stat = MaybeUninit::<bindings::kstatfs>::zeroed();
        // SAFETY: The path is valid, and `stat` ours to write.
        let ret = unsafe { bindings::vfs_statfs(root.as_ptr(), stat.as_mut_ptr()) };
        assert_eq!(ret, 0);
        // SAFETY: Zeroes are a `kstatfs`.
        let stat = unsafe { stat.assume_init() };
        assert_eq!(stat.f_type, 0x7e57);
        // SAFETY: Any device will do.
        let fsid = unsafe { bindings::dev_to_fsid(mount.super_block().device() + 1) };
        assert_eq!(stat.f_fsid.val, fsid.val);
    }

    #[test]
    fn paths_say_what_they_stand_for() {
        let mount = mount();
        let path = mount.path(&Thing::new(1)).unwrap();
        let mut buffer = [0u8; 32];
        // SAFETY: The path is valid, and there is room for what we say.
        let name = unsafe { bindings::d_path(path.as_ptr(), buffer.as_mut_ptr().cast(), 32) };
        // SAFETY: The name is nul-terminated, and in the buffer.
        assert_eq!(unsafe { CStr::from_char_ptr(name) }, c"thing:[%s]");
    }
}
