// SPDX-License-Identifier: GPL-2.0

//! Pid file descriptors.
//!
//! [`PidFd`] is for whoever hands a pidfd to user space. [`Provider`] is for whoever makes all of
//! them.
//!
//! C headers: [`include/linux/pid.h`](srctree/include/linux/pid.h) and
//! [`include/linux/pidfd_provider.h`](srctree/include/linux/pidfd_provider.h)

use crate::{
    bindings,
    error::{
        from_err_ptr,
        to_result, //
    },
    fs::{
        file::{
            flags::O_CLOEXEC,
            FileDescriptorReservation, //
        },
        file_operations::FileOperationsTable,
        pseudo::{
            FileSystemType,
            Mount,
            PseudoFileSystem,
            PseudoFs, //
        },
        File,
        LocalFile, //
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

pub mod counts;
pub mod uapi;

/// Flags of a pidfd, as found in its file's flags.
///
/// C header: [`include/uapi/linux/pidfd.h`](srctree/include/uapi/linux/pidfd.h)
pub mod flags {
    /// `waitid()` on the pidfd does not block.
    pub const PIDFD_NONBLOCK: u32 = crate::bindings::PIDFD_NONBLOCK;

    /// The pidfd refers to a thread, not to its process.
    pub const PIDFD_THREAD: u32 = crate::bindings::PIDFD_THREAD;

    /// The pidfd is made although its process may have been reaped. Not kept in the file.
    pub const PIDFD_STALE: u32 = crate::bindings::PIDFD_STALE;

    /// The process is killed when the pidfd is released.
    pub const PIDFD_AUTOKILL: u32 = crate::bindings::PIDFD_AUTOKILL;
}

/// Returns what pidfd `fd` of the current task refers to, and the flags of its file.
///
/// Process context.
///
/// # Errors
///
/// [`EBADF`] if `fd` is not open or not a pidfd.
#[doc(alias = "pidfd_get_pid")]
pub fn get_pid(fd: u32) -> Result<(ARef<Pid>, u32)> {
    let file = LocalFile::fget(fd)?;
    // SAFETY: `file` holds a reference to a valid file.
    let pid = from_err_ptr(unsafe { bindings::pidfd_pid(file.as_ptr()) })?;
    // SAFETY: `file` is a pidfd, and holds a reference to its `struct pid`.
    let pid = unsafe { Pid::from_raw(pid) };
    Ok((pid.into(), file.flags()))
}

/// State of a [`PidFd`]: its descriptor is reserved.
pub struct Reserved(());

/// State of a [`PidFd`]: its number is in user memory as well.
pub struct Published(());

/// A pidfd in the making: a file, and a descriptor for it that is not installed yet.
///
/// The three steps are *reserve*, *publish* (optional: writes the number to user memory) and
/// *install*. Only the last can be seen by other threads of the process, and nothing can fail after
/// it. A `PidFd` that is dropped before undoes what was done: the descriptor is free again and the
/// file is gone. The number in user memory stays; it refers to nothing.
///
/// Bound to the current task, whose descriptor table it reserves in.
///
/// # Examples
///
/// ```
/// use kernel::pid::{Pid, PidType};
/// use kernel::pidfd::PidFd;
///
/// let pid = Pid::of_task(current!(), PidType::Tgid).ok_or(ESRCH)?;
/// let pidfd = PidFd::prepare(&pid, 0)?;
/// let fd = pidfd.fd();
///
/// // Not installed, and so not there for anyone.
/// assert!(kernel::pidfd::get_pid(fd).is_err());
///
/// // Never installed: undone, and the number is free for the next one.
/// drop(pidfd);
/// assert_eq!(PidFd::prepare(&pid, 0)?.fd(), fd);
/// # Ok::<(), Error>(())
/// ```
#[must_use = "a pidfd that is not installed is undone when it is dropped"]
pub struct PidFd<State = Reserved> {
    file: ARef<File>,
    fd: FileDescriptorReservation,
    _state: PhantomData<State>,
}

impl PidFd<Reserved> {
    /// Makes a pidfd that refers to `pid`, by way of the registered provider.
    ///
    /// `flags` are [`flags::PIDFD_NONBLOCK`] and [`flags::PIDFD_THREAD`]. Process context, may
    /// sleep.
    ///
    /// # Errors
    ///
    /// - [`ESRCH`] if the process or thread has been reaped.
    /// - [`ENOENT`] if `pid` is a thread's, not a thread group leader's, and there is no
    ///   [`flags::PIDFD_THREAD`].
    /// - [`EMFILE`] if the descriptor table of the current task is full.
    /// - [`ENFILE`] if the system has no room for another file.
    /// - [`ENOMEM`] if memory runs out.
    #[doc(alias = "pidfd_prepare")]
    pub fn prepare(pid: &Pid, flags: u32) -> Result<Self> {
        let mut file = core::ptr::null_mut();
        // SAFETY: `pid` is valid, and `file` is ours to write.
        let fd = unsafe { bindings::pidfd_prepare(pid.as_ptr(), flags, &mut file) };
        to_result(fd)?;

        Ok(Self {
            // SAFETY: On success `file` is a new file, non-null, with a reference that is ours.
            file: unsafe { ARef::from_raw(NonNull::new_unchecked(file.cast())) },
            // SAFETY: On success `fd` is reserved in the table of the current task and ours.
            fd: unsafe { FileDescriptorReservation::from_raw(fd as u32) },
            _state: PhantomData,
        })
    }

    /// Reserves a descriptor, close-on-exec, for the file that `make` makes.
    ///
    /// For providers; everybody else wants [`PidFd::prepare`]. Process context, may sleep.
    ///
    /// # Errors
    ///
    /// [`EMFILE`] if the descriptor table of the current task is full, and those of `make`.
    #[inline]
    pub fn reserve(make: impl FnOnce() -> Result<ARef<File>>) -> Result<Self> {
        // The descriptor comes first: a full table is cheap to find out.
        let fd = FileDescriptorReservation::get_unused_fd_flags(O_CLOEXEC)?;
        Ok(Self {
            file: make()?,
            fd,
            _state: PhantomData,
        })
    }

    /// Writes the descriptor's number, a C `int`, to user memory.
    ///
    /// Process context, may sleep.
    ///
    /// # Errors
    ///
    /// [`EFAULT`] if `to` cannot be written to; the pidfd is undone.
    #[inline]
    pub fn publish(self, to: UserPtr) -> Result<PidFd<Published>> {
        to.put_int(self.fd() as c_int)?;
        Ok(PidFd {
            file: self.file,
            fd: self.fd,
            _state: PhantomData,
        })
    }
}

impl<State> PidFd<State> {
    /// Returns the number of the descriptor.
    #[inline]
    pub fn fd(&self) -> u32 {
        self.fd.reserved_fd()
    }

    /// Installs the pidfd, and returns its number.
    ///
    /// From now on every thread of the process can use it, and close it.
    #[inline]
    pub fn install(self) -> u32 {
        let fd = self.fd();
        self.fd.fd_install(self.file);
        fd
    }

    /// Hands reservation and file to a C function that installs or undoes both.
    #[inline]
    fn into_raw(self) -> (u32, *mut bindings::file) {
        let fd = self.fd.into_raw();
        (fd, ARef::into_raw(self.file).as_ptr().cast())
    }
}

/// Makes the kernel's pidfds in place of C.
///
/// See [`include/linux/pidfd_provider.h`](srctree/include/linux/pidfd_provider.h) for the life
/// cycle.
#[vtable]
pub trait Provider: Sized + 'static {
    /// The file system in which the files behind the pidfds are.
    type FileSystem: PseudoFileSystem<Object = Pid>;

    /// Makes a file that refers to `pid`, in the file system that is mounted as `mount`.
    ///
    /// `flags` are those in [`flags`], and the access mode. Process context, may sleep.
    ///
    /// # Errors
    ///
    /// - [`ESRCH`] if `pid` was reaped without ever having been registered, see [`Pid::register`].
    /// - [`ENFILE`] or [`ENOMEM`] if there is no room for another file.
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

/// The `struct pidfd_provider` of `P`; lives in a `static`.
///
/// # Invariants
///
/// - `inner` comes first, for its functions to find the rest by it.
/// - `inner.owner` is the module that holds the functions of `P`.
/// - While `inner` is registered, `file_system` is mounted.
#[repr(C)]
pub struct ProviderTable<P: Provider> {
    inner: Opaque<bindings::pidfd_provider>,
    file_system: &'static PseudoFs<P::FileSystem>,
    _provider: PhantomData<P>,
}

// SAFETY: Nothing ever writes to the table, and what it refers to is in a `static`.
unsafe impl<P: Provider> Sync for ProviderTable<P> {}

impl<P: Provider> ProviderTable<P> {
    /// Creates the table, of a provider whose files are in `file_system`, which is the provider's
    /// alone, and have the operations `files`, and no others.
    pub const fn new(
        file_system: &'static PseudoFs<P::FileSystem>,
        files: &'static FileOperationsTable<<P::FileSystem as PseudoFileSystem>::Files>,
    ) -> Self {
        // INVARIANT: `OwnerModule` is the module in which `P` implements `Provider`.
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

    /// Returns the table as C sees it.
    #[inline]
    fn as_ptr(&'static self) -> *const bindings::pidfd_provider {
        // By the type invariants `inner` comes first. Not a pointer to it alone: the functions get
        // to the rest by this.
        core::ptr::from_ref(self).cast()
    }

    /// Mounts the provider's file system, and lets the provider serve all pidfds made from now on,
    /// until the result is dropped.
    ///
    /// To be called as the last step of a module's initialisation. May sleep.
    ///
    /// # Errors
    ///
    /// - [`EBUSY`] if another provider is registered.
    /// - [`ENOMEM`] if memory runs out.
    #[doc(alias = "pidfd_provider_register")]
    pub fn register(&'static self) -> Result<Registration<P>> {
        let fs_type = FsTypeClaim::new()?;
        let mount = self.file_system.mount(fs_type.file_system_type())?;

        // INVARIANT: The file system was mounted just now, and stays so until it is no longer
        // registered, see `Registration`.
        // SAFETY: The table is valid, and static: it stays in place.
        to_result(unsafe { bindings::pidfd_provider_register(self.as_ptr()) })?;
        // INVARIANT: It was registered just now.
        Ok(Registration {
            table: self,
            _mount: mount,
            _fs_type: fs_type,
        })
    }

    /// # Safety
    ///
    /// `provider` must be the `inner` of such a table, and registered during `'a`.
    #[inline]
    unsafe fn mount<'a>(provider: *const bindings::pidfd_provider) -> &'a Mount<P::FileSystem> {
        // SAFETY: By the type invariants `inner` comes first; the caller promises that it is one.
        let table = unsafe { &*provider.cast::<Self>() };
        // SAFETY: By the type invariants the file system is mounted while `inner` is registered.
        unsafe { table.file_system.as_mounted() }
    }

    /// # Safety
    ///
    /// Called by C as `->alloc_file()` of the registered provider.
    unsafe extern "C" fn alloc_file(
        provider: *const bindings::pidfd_provider,
        pid: *mut bindings::pid,
        flags: c_uint,
    ) -> *mut bindings::file {
        // SAFETY: C calls with the provider that has this function, and does not unregister it
        // during the call.
        let mount = unsafe { Self::mount(provider) };
        // SAFETY: The caller holds a reference to `pid` during the call.
        let pid = unsafe { Pid::from_raw(pid) };

        match P::alloc_file(mount, pid, flags) {
            Ok(file) => ARef::into_raw(file).as_ptr().cast(),
            Err(err) => err.to_ptr(),
        }
    }

    /// # Safety
    ///
    /// Called by C as `->clone()` of the registered provider.
    unsafe extern "C" fn clone(
        provider: *const bindings::pidfd_provider,
        pid: *mut bindings::pid,
        flags: c_uint,
        upidfd: *mut c_int,
        ret_file: *mut *mut bindings::file,
    ) -> c_int {
        // SAFETY: As for `alloc_file()`.
        let mount = unsafe { Self::mount(provider) };
        // SAFETY: The caller holds a reference to `pid` during the call.
        let pid = unsafe { Pid::from_raw(pid) };

        match P::clone(mount, pid, flags, UserPtr::from_ptr(upidfd.cast())) {
            Ok(pidfd) => {
                let (fd, file) = pidfd.into_raw();
                // SAFETY: The caller lets us write here.
                unsafe { *ret_file = file };
                fd as c_int
            }
            Err(err) => err.to_errno(),
        }
    }

    /// # Safety
    ///
    /// Called by C as `->get_root()` of the registered provider.
    unsafe extern "C" fn get_root(
        provider: *const bindings::pidfd_provider,
        path: *mut bindings::path,
    ) {
        // SAFETY: As for `alloc_file()`; the caller lets us write here.
        unsafe { path.write(Self::mount(provider).root().into_raw()) };
    }
}

/// Returns the device number of the file system in which C makes pidfds, in the kernel's own
/// format.
///
/// A provider that says it is that of its own lets user space tell by `st_dev` and `st_ino`, as
/// before, whether two pidfds are of the same process, whoever made them.
#[inline]
pub fn device() -> bindings::dev_t {
    // SAFETY: It is written to once, before any of Rust runs.
    unsafe { bindings::pidfs_device }
}

/// Whether somebody has the file system type of providers.
static FS_TYPE_CLAIMED: Atomic<bool> = Atomic::new(false);

/// The right to use the file system type of providers; given up when it is dropped.
///
/// # Invariants
///
/// There is one at a time: [`FS_TYPE_CLAIMED`] is set by it.
struct FsTypeClaim(());

impl FsTypeClaim {
    fn new() -> Result<Self> {
        if FS_TYPE_CLAIMED.xchg(true, Acquire) {
            return Err(EBUSY);
        }
        // INVARIANT: It was not set, and is now.
        Ok(Self(()))
    }

    fn file_system_type(&self) -> FileSystemType {
        // SAFETY: It is built in, has a name and no functions. By the type invariants, nobody else
        // uses it; what is mounted with it goes before this does, see `Registration`.
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

/// The registration of a provider; ends when it is dropped.
///
/// To be dropped as the first step of a module's exit.
///
/// # Invariants
///
/// The provider is registered, and its file system mounted.
pub struct Registration<P: Provider> {
    table: &'static ProviderTable<P>,
    // Dropped in this order.
    _mount: Mount<P::FileSystem>,
    _fs_type: FsTypeClaim,
}

impl<P: Provider> Drop for Registration<P> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants it is registered. A file that is open now keeps working,
        // but is no pidfd for system calls any more; in a module's exit there is none, as the
        // inode of a file keeps the module in place.
        unsafe { bindings::pidfd_provider_unregister(self.table.as_ptr()) };
    }
}

#[cfg(CONFIG_RUST_PID_KUNIT_TEST)]
#[macros::kunit_tests(rust_pidfd)]
mod tests {
    use super::*;
    use crate::{
        fs::{
            dentry::{
                Path,
                Stash, //
            },
            export::{
                types::FILEID_KERNFS,
                ExportOperations, //
            },
            file_operations::{
                FileOperations,
                OpenFile, //
            },
            inode::{
                InodeOperations,
                NewInode, //
            },
            xattr::{
                XattrHandler,
                XattrName,
                XattrValue, //
            }, //
        },
        pid::{
            tests::{
                user_page,
                without_descriptors,
                Spare, //
            },
            PidType, //
        },
        seq_file::SeqFile,
        sync::atomic::Relaxed, //
    };
    use core::mem::MaybeUninit;

    fn me() -> ARef<Pid> {
        Pid::of_task(current!(), PidType::Tgid).unwrap()
    }

    /// A provider that does as [`ANSWER`] says.
    struct Test;

    /// An error, or 0 to make a file.
    static ANSWER: Atomic<i32> = Atomic::new(0);

    #[vtable]
    impl FileOperations for Test {
        type Object = Pid;
        type FileSystem = Self;

        fn show_fdinfo(file: &OpenFile<'_, Self>, m: &SeqFile) {
            m.put_decimal(c"", file.object().nr().into());
            m.putc(b'\n');
        }
    }

    #[vtable]
    impl InodeOperations for Test {
        type Object = Pid;
    }

    impl XattrHandler for Test {
        type Object = Pid;

        const PREFIX: &'static CStr = c"trusted.";

        fn get(_pid: &Pid, _name: XattrName<'_>, _value: XattrValue<'_>) -> Result<usize> {
            Err(ENODATA)
        }

        fn set(_pid: &Pid, _name: XattrName<'_>, _value: Option<&[u8]>, _flags: u32) -> Result {
            Err(EPERM)
        }
    }

    impl ExportOperations for Test {
        type Object = Pid;
        type Id = u64;

        const TYPE: u8 = FILEID_KERNFS;

        fn encode(pid: &Pid) -> u64 {
            pid.ino()
        }

        fn decode(_ino: u64) -> Result<ARef<Pid>> {
            Err(ESTALE)
        }

        fn permission(_flags: u32) -> Result {
            Err(EPERM)
        }

        fn open(path: &Path, flags: u32) -> Result<ARef<File>> {
            path.open(flags)
        }
    }

    #[vtable]
    impl PseudoFileSystem for Test {
        type Object = Pid;
        type Files = Self;
        type Inodes = Self;
        type Xattrs = Self;
        type Export = Self;

        const MAGIC: usize = 0x7e57;
        const DENTRY_NAME: &'static CStr = c"test";

        fn stash<'a>(pid: &'a Pid) -> Result<&'a Stash>
        where
            Self: 'a,
        {
            pid.record().map(|record| record.stash()).ok_or(ESRCH)
        }

        fn init_inode(_pid: &Pid, _inode: &mut NewInode) {}
    }

    #[vtable]
    impl Provider for Test {
        type FileSystem = Self;

        fn alloc_file(mount: &Mount<Self>, pid: &Pid, flags: u32) -> Result<ARef<File>> {
            match ANSWER.load(Relaxed) {
                0 => {
                    pid.register(GFP_KERNEL)?;
                    mount.open(pid, bindings::O_RDWR, flags & flags::PIDFD_THREAD)
                }
                err => Err(Error::from_errno(err)),
            }
        }

        fn clone(
            mount: &Mount<Self>,
            pid: &Pid,
            flags: u32,
            to: UserPtr,
        ) -> Result<PidFd<Published>> {
            PidFd::reserve(|| Self::alloc_file(mount, pid, flags))?.publish(to)
        }
    }

    static FILES: FileOperationsTable<Test> = FileOperationsTable::new();
    static FILE_SYSTEM: PseudoFs<Test> = PseudoFs::new(&FILES);
    static TABLE: ProviderTable<Test> = ProviderTable::new(&FILE_SYSTEM, &FILES);

    /// Whether a file is of the test's provider.
    fn is_ours(pidfd: &PidFd) -> bool {
        // SAFETY: The file is valid.
        unsafe { (*pidfd.file.as_ptr()).f_op == FILES.as_ptr() }
    }

    fn flush() {
        // SAFETY: No requirements; a kernel thread's last reference to a file is dropped by a work
        // item.
        unsafe { bindings::flush_delayed_fput() };
    }

    /// What is in the fdinfo of a file of ours.
    fn fdinfo<'a>(pidfd: &PidFd, buffer: &'a mut [u8]) -> &'a [u8] {
        let mut seq = MaybeUninit::<bindings::seq_file>::zeroed();
        // SAFETY: Zeroes are a `seq_file` without a buffer.
        let seq = unsafe { seq.assume_init_mut() };
        seq.buf = buffer.as_mut_ptr().cast();
        seq.size = buffer.len();
        // SAFETY: The table is static, the file has it, and the buffer is as long as it says.
        unsafe { (*FILES.as_ptr()).show_fdinfo.unwrap()(seq, pidfd.file.as_ptr()) };
        &buffer[..seq.count]
    }

    /// In one test, as there is one provider at a time. If one is built in, there is another.
    #[test]
    fn the_provider_serves_while_it_is_registered() {
        let registration = match TABLE.register() {
            Ok(registration) => registration,
            Err(err) => {
                assert_eq!(err, EBUSY);
                assert!(cfg!(CONFIG_PIDFD_RUST = "y"));
                return;
            }
        };
        assert_eq!(TABLE.register().err(), Some(EBUSY));
        // SAFETY: The table is valid, and static.
        let ret = unsafe { bindings::pidfd_provider_register(TABLE.as_ptr()) };
        assert_eq!(ret, EBUSY.to_errno());

        // It makes the file, which is known as a pidfd.
        let pidfd = PidFd::prepare(&me(), flags::PIDFD_THREAD).unwrap();
        assert!(is_ours(&pidfd));
        assert!(fdinfo(&pidfd, &mut [0; 16]).ends_with(b"\n"));
        let fd = pidfd.install();
        let (pid, flags) = get_pid(fd).unwrap();
        assert!(pid == me());
        assert!(flags & flags::PIDFD_THREAD != 0);
        // SAFETY: The descriptor was installed above.
        assert_eq!(unsafe { bindings::close_fd(fd) }, 0);

        // Its errors are those of the call, but for one.
        ANSWER.store(EPERM.to_errno(), Relaxed);
        assert_eq!(PidFd::prepare(&me(), 0).err(), Some(EPERM));
        ANSWER.store(ENODEV.to_errno(), Relaxed);
        assert!(!is_ours(&PidFd::prepare(&me(), 0).unwrap()));
        ANSWER.store(0, Relaxed);

        // A clone without user memory fails, and leaves nothing.
        let fd = next_fd();
        let mut file = core::ptr::null_mut();
        let kernel_address = (usize::MAX - 4095) as *mut c_int;
        // SAFETY: The pid is valid, and `file` is ours to write.
        let ret =
            unsafe { bindings::pidfd_provider_clone(me().as_ptr(), 0, kernel_address, &mut file) };
        assert_eq!(ret, EFAULT.to_errno());
        assert!(file.is_null());
        assert_eq!(next_fd(), fd);

        // With user memory it leaves what C installs, or undoes.
        let page = user_page();
        // SAFETY: As above.
        let ret = unsafe {
            bindings::pidfd_provider_clone(me().as_ptr(), 0, page.as_mut_ptr().cast(), &mut file)
        };
        assert_eq!(ret, fd as c_int);
        assert_eq!(page.get_u64(), Ok(fd.into()));
        assert!(get_pid(fd).is_err());
        assert_ne!(next_fd(), fd);
        // SAFETY: Both were handed to us just now.
        let (f_op, undone) = unsafe {
            let f_op = (*file).f_op;
            bindings::fput(file);
            (f_op, FileDescriptorReservation::from_raw(fd))
        };
        assert_eq!(f_op, FILES.as_ptr());
        drop(undone);
        assert_eq!(next_fd(), fd);

        let mut root = bindings::path::default();
        // SAFETY: `root` is ours to write.
        let provider = unsafe { bindings::pidfd_provider_hold(false, &mut root) };
        assert!(provider.is_null() && root.mnt.is_null());
        // SAFETY: As above.
        let provider = unsafe { bindings::pidfd_provider_hold(true, &mut root) };
        assert!(!provider.is_null());
        // SAFETY: We have a reference to the root, which is ours to drop, and to the provider.
        let magic = unsafe {
            let magic = (*(*root.mnt).mnt_sb).s_magic;
            bindings::path_put(&root);
            bindings::pidfd_provider_put(provider);
            magic
        };
        assert_eq!(magic, Test::MAGIC);

        flush();
        drop(registration);
        assert!(!is_ours(&PidFd::prepare(&me(), 0).unwrap()));
        flush();
        assert!(TABLE.register().is_ok());
    }

    #[test]
    fn the_device_is_that_of_pidfds_of_c() {
        // SAFETY: The pid is valid.
        let file = from_err_ptr(unsafe { bindings::pidfs_alloc_file(me().as_ptr(), 0) }).unwrap();
        // SAFETY: The file is valid, and its reference ours to drop.
        let dev = unsafe {
            let dev = (*(*(*file).f_inode).i_sb).s_dev;
            bindings::fput(file);
            dev
        };
        flush();
        assert_eq!(device(), dev);
    }

    /// The descriptor that the next reservation gets.
    fn next_fd() -> u32 {
        PidFd::prepare(&me(), 0).unwrap().fd()
    }

    #[test]
    fn a_prepared_pidfd_is_not_visible() {
        let pidfd = PidFd::prepare(&me(), 0).unwrap();
        assert!(get_pid(pidfd.fd()).is_err());
    }

    #[test]
    fn a_dropped_pidfd_gives_its_number_back() {
        let fd = next_fd();
        assert_eq!(next_fd(), fd);
    }

    #[test]
    fn an_installed_pidfd_refers_to_its_pid() {
        let fd = PidFd::prepare(&me(), flags::PIDFD_THREAD)
            .unwrap()
            .install();
        let (pid, flags) = get_pid(fd).unwrap();
        assert!(pid == me());
        assert!(flags & flags::PIDFD_THREAD != 0);
        // SAFETY: The descriptor was installed above.
        assert_eq!(unsafe { bindings::close_fd(fd) }, 0);
        assert!(get_pid(fd).is_err());
    }

    /// As of a thread.
    #[test]
    fn a_pid_that_is_no_leader_s_is_opened_as_a_thread() {
        let pid = Spare::new();
        let mut node = bindings::hlist_node::default();
        // SAFETY: The pid is ours, and that the list is not empty is all that is looked at.
        let list = unsafe { &mut (*pid.as_ptr()).tasks[PidType::Pid as usize].first };
        *list = &mut node;
        let process = PidFd::prepare(&pid, 0).err();
        let thread = PidFd::prepare(&pid, flags::PIDFD_THREAD).is_ok();
        *list = core::ptr::null_mut();
        assert_eq!(process, Some(ENOENT));
        assert!(thread);
        flush();
    }

    #[test]
    fn a_pid_without_a_task_is_not_opened() {
        let pid = Spare::new();
        assert_eq!(PidFd::prepare(&pid, 0).err(), Some(ESRCH));
        assert_eq!(PidFd::prepare(&pid, flags::PIDFD_THREAD).err(), Some(ESRCH));
        // For who says that it will have one, there is one.
        assert!(PidFd::prepare(&pid, flags::PIDFD_STALE).is_ok());
        flush();
    }

    #[test]
    fn a_pidfd_that_cannot_be_published_is_undone() {
        let fd = next_fd();
        let pidfd = PidFd::prepare(&me(), 0).unwrap();
        let kernel_address = UserPtr::from_addr(usize::MAX - 4095);
        assert_eq!(pidfd.publish(kernel_address).err(), Some(EFAULT));
        assert_eq!(next_fd(), fd);
    }

    #[test]
    fn a_pidfd_that_is_published_has_its_number_in_user_memory() {
        let page = user_page();
        let fd = PidFd::prepare(&me(), 0)
            .and_then(|pidfd| pidfd.publish(page))
            .unwrap()
            .install();
        assert_eq!(page.get_u64(), Ok(fd.into()));
        assert!(get_pid(fd).unwrap().0 == me());
        // SAFETY: The descriptor was installed just now.
        assert_eq!(unsafe { bindings::close_fd(fd) }, 0);
    }

    #[test]
    fn a_reservation_goes_to_c_and_back() {
        let fd = FileDescriptorReservation::get_unused_fd_flags(O_CLOEXEC)
            .unwrap()
            .into_raw();
        assert_ne!(next_fd(), fd);
        // SAFETY: It is reserved, and given up by nobody else.
        drop(unsafe { FileDescriptorReservation::from_raw(fd) });
        assert_eq!(next_fd(), fd);
    }

    #[test]
    fn a_full_table_is_found_out_before_a_file_is_made() {
        without_descriptors(|| {
            assert_eq!(PidFd::prepare(&me(), 0).err(), Some(EMFILE));
            assert_eq!(PidFd::reserve(|| Err(EIO)).err(), Some(EMFILE));
        });
    }

    #[test]
    fn a_file_that_cannot_be_made_gives_the_number_back() {
        let fd = next_fd();
        assert_eq!(PidFd::reserve(|| Err(ENOMEM)).err(), Some(ENOMEM));
        assert_eq!(next_fd(), fd);
    }

    #[test]
    fn get_pid_refuses_what_is_not_open() {
        assert_eq!(get_pid(u32::MAX).err(), Some(EBADF));
    }
}
