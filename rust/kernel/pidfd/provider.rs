// SPDX-License-Identifier: GPL-2.0

//! Providers: implementations of pidfds in Rust.
//!
//! C header: [`include/linux/pidfd_provider.h`](srctree/include/linux/pidfd_provider.h)

use super::{
    PidFd,
    Published, //
};
use crate::{
    bindings,
    error::to_result,
    fs::{
        pseudo::{
            FileOperationsTable,
            FileSystemType,
            Mount,
            PseudoFileSystem,
            PseudoFs, //
        },
        File, //
    },
    module::this_module,
    pid::Pid,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Acquire,
            Atomic,
            Release, //
        }, //
    },
    types::Opaque,
    uaccess::UserPtr, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};

/// An implementation of pidfds in place of the C code.
///
/// See [`include/linux/pidfd_provider.h`](srctree/include/linux/pidfd_provider.h) for the life
/// cycle.
#[vtable]
pub trait Provider: Sized + 'static {
    /// The file system of the files behind the pidfds.
    type FileSystem: PseudoFileSystem<Object = Pid>;

    /// Makes a file for `pid` in the file system that is mounted as `mount`.
    ///
    /// `flags` are those in [`flags`](super::flags), and the access mode. Process context, may
    /// sleep.
    ///
    /// # Errors
    ///
    /// - [`ESRCH`] if `pid` was reaped before its first registration, see [`Pid::register`].
    /// - [`ENFILE`] or [`ENOMEM`] if the system cannot allocate another file.
    fn alloc_file(mount: &Mount<Self::FileSystem>, pid: &Pid, flags: u32) -> Result<ARef<File>>;

    /// Makes the pidfd that `CLONE_PIDFD` requests, and publishes its number at `parent_tidptr`.
    ///
    /// Without this method, [`Provider::alloc_file`] makes the file. No task has been attached to
    /// `pid` yet. The clone may still fail, and then undoes the pidfd. Process context, may sleep.
    ///
    /// # Errors
    ///
    /// Those of [`PidFd::reserve`], [`PidFd::publish`] and [`Provider::alloc_file`].
    #[inline]
    fn clone(
        mount: &Mount<Self::FileSystem>,
        pid: &Pid,
        flags: u32,
        parent_tidptr: UserPtr,
    ) -> Result<PidFd<Published>> {
        PidFd::reserve(|| Self::alloc_file(mount, pid, flags))?.publish(parent_tidptr)
    }
}

/// The `struct pidfd_provider` of `P`, in a `static`.
///
/// # Invariants
///
/// - `inner` is the first field: its functions cast a pointer to it.
/// - `inner.owner` is the module that contains the functions of `P`.
/// - `file_system` is mounted while `inner` is registered.
#[repr(C)]
pub struct ProviderTable<P: Provider> {
    inner: Opaque<bindings::pidfd_provider>,
    file_system: &'static PseudoFs<P::FileSystem>,
    _provider: PhantomData<P>,
}

// SAFETY: The table is never written to, and refers to a `static`.
unsafe impl<P: Provider> Sync for ProviderTable<P> {}

impl<P: Provider> ProviderTable<P> {
    /// Creates the table of a provider whose files are in `file_system`, with the operations
    /// `files`.
    ///
    /// Another provider must not use `file_system`, and all of its files must have these
    /// operations.
    pub const fn new(
        file_system: &'static PseudoFs<P::FileSystem>,
        files: &'static FileOperationsTable<P::FileSystem>,
    ) -> Self {
        // INVARIANT: `OwnerModule` is the module that implements `Provider` for `P`.
        Self {
            inner: Opaque::new(bindings::pidfd_provider {
                owner: this_module::<P::OwnerModule>().as_ptr(),
                fops: files.as_ptr(),
                alloc_file: Some(Self::alloc_file),
                clone: Some(Self::clone),
                get_root: Some(Self::get_root),
            }),
            file_system,
            _provider: PhantomData,
        }
    }

    /// Returns a raw pointer to the C struct, which is the first field.
    #[inline]
    pub(super) fn as_ptr(&'static self) -> *const bindings::pidfd_provider {
        // A pointer to the whole table: the functions cast it back.
        core::ptr::from_ref(self).cast()
    }

    /// Mounts the file system, and registers the provider until the result is dropped.
    ///
    /// The last step of a module's initialisation. Process context, may sleep.
    ///
    /// # Errors
    ///
    /// - [`EBUSY`] if another provider is registered.
    /// - [`ENOMEM`] if memory runs out.
    #[doc(alias = "pidfd_provider_register")]
    pub fn register(&'static self) -> Result<Registration<P>> {
        let fs_type = FsTypeClaim::new()?;
        let mount = self.file_system.mount(fs_type.file_system_type())?;

        // INVARIANT: The file system was mounted above. `Registration` unmounts it after the
        // provider is unregistered.
        // SAFETY: The table is a `static`, so it stays valid.
        to_result(unsafe { bindings::pidfd_provider_register(self.as_ptr()) })?;
        // INVARIANT: The provider was registered above.
        Ok(Registration {
            table: self,
            _mount: mount,
            _fs_type: fs_type,
        })
    }

    /// Returns the mount of the provider's file system.
    ///
    /// # Safety
    ///
    /// `provider` must be the `inner` of such a table, and registered during `'a`.
    #[inline]
    unsafe fn mount<'a>(provider: *const bindings::pidfd_provider) -> &'a Mount<P::FileSystem> {
        // SAFETY: By the type invariants `inner` is the first field of the table.
        let table = unsafe { &*provider.cast::<Self>() };
        // SAFETY: By the type invariants the file system is mounted while `inner` is registered.
        unsafe { table.file_system.as_mounted() }
    }

    /// `->alloc_file()`: makes a file. Process context, may sleep.
    ///
    /// # Safety
    ///
    /// `provider` must be the registered provider, and stay registered during the call. `pid` must
    /// be valid, with a reference that is held during the call.
    unsafe extern "C" fn alloc_file(
        provider: *const bindings::pidfd_provider,
        pid: *mut bindings::pid,
        flags: c_uint,
    ) -> *mut bindings::file {
        // SAFETY: The caller promises that the provider is registered. Only the table of `P` has
        // this function.
        let mount = unsafe { Self::mount(provider) };
        // SAFETY: As the caller promises.
        let pid = unsafe { Pid::from_raw(pid) };

        match P::alloc_file(mount, pid, flags) {
            Ok(file) => ARef::into_raw(file).as_ptr().cast(),
            Err(err) => err.to_ptr(),
        }
    }

    /// `->clone()`: makes a pidfd for `CLONE_PIDFD`. Process context, may sleep.
    ///
    /// # Safety
    ///
    /// As for [`Self::alloc_file`]. `ret_file` must be valid for writes. `upidfd` may be any
    /// address.
    unsafe extern "C" fn clone(
        provider: *const bindings::pidfd_provider,
        pid: *mut bindings::pid,
        flags: c_uint,
        upidfd: *mut c_int,
        ret_file: *mut *mut bindings::file,
    ) -> c_int {
        // SAFETY: As for `alloc_file()`.
        let mount = unsafe { Self::mount(provider) };
        // SAFETY: As the caller promises.
        let pid = unsafe { Pid::from_raw(pid) };

        match P::clone(mount, pid, flags, UserPtr::from_ptr(upidfd.cast())) {
            Ok(pidfd) => {
                let (fd, file) = pidfd.into_raw();
                // SAFETY: As the caller promises.
                unsafe { *ret_file = file };
                fd as c_int
            }
            Err(err) => err.to_errno(),
        }
    }

    /// `->get_root()`: gets the root of the file system, with a reference. Any context.
    ///
    /// # Safety
    ///
    /// `provider` must be the registered provider, and stay registered during the call. `path` must
    /// be valid for writes.
    unsafe extern "C" fn get_root(
        provider: *const bindings::pidfd_provider,
        path: *mut bindings::path,
    ) {
        // SAFETY: As for `alloc_file()`.
        let mount = unsafe { Self::mount(provider) };
        // SAFETY: As the caller promises.
        unsafe { path.write(mount.root().into_raw()) };
    }
}

/// True while an [`FsTypeClaim`] exists.
static FS_TYPE_CLAIMED: Atomic<bool> = Atomic::new(false);

/// The exclusive right to use the file system type of providers.
///
/// # Invariants
///
/// At most one exists. [`FS_TYPE_CLAIMED`] is true while it exists.
struct FsTypeClaim(());

impl FsTypeClaim {
    fn new() -> Result<Self> {
        if FS_TYPE_CLAIMED.xchg(true, Acquire) {
            return Err(EBUSY);
        }
        // INVARIANT: `FS_TYPE_CLAIMED` was false, so no other claim exists.
        Ok(Self(()))
    }

    fn file_system_type(&self) -> FileSystemType {
        // SAFETY: The type is built in, and has a name and no functions. By the type invariants,
        // this is its only user. `Registration` drops the `Mount` before the claim.
        unsafe {
            let fs_type = NonNull::new_unchecked(&raw mut bindings::pidfd_provider_fs_type);
            FileSystemType::from_raw(fs_type)
        }
    }
}

impl Drop for FsTypeClaim {
    fn drop(&mut self) {
        FS_TYPE_CLAIMED.store(false, Release);
    }
}

/// The registration of a provider, which ends when this is dropped.
///
/// The first step of a module's exit drops it.
///
/// # Invariants
///
/// The provider is registered, and its file system is mounted.
pub struct Registration<P: Provider> {
    table: &'static ProviderTable<P>,
    // Dropped in this order.
    _mount: Mount<P::FileSystem>,
    _fs_type: FsTypeClaim,
}

impl<P: Provider> Drop for Registration<P> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the provider is registered. None of its files is open in a
        // module's exit, because the inode of a file holds the module. In a unit test, an open file
        // stays valid, and system calls no longer recognise it as a pidfd.
        unsafe { bindings::pidfd_provider_unregister(self.table.as_ptr()) };
    }
}
