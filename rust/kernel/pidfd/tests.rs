// SPDX-License-Identifier: GPL-2.0

//! Unit tests of [`kernel::pidfd`](super).

#[macros::kunit_tests(rust_pidfd)]
mod cases {
    use super::super::*;
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
            inode::NewInode,
            inode_operations::InodeOperations,
            pseudo::{
                FileOperationsTable,
                Mount,
                PseudoFileSystem,
                PseudoFs, //
            },
            xattr::{
                XattrHandler,
                XattrName,
                XattrValue, //
            }, //
        },
        pid::{
            test_support::{
                user_page,
                without_descriptors,
                Spare, //
            },
            PidType, //
        },
        seq_file::SeqFile,
        sync::atomic::{
            Atomic,
            Relaxed, //
        }, //
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

    /// Returns the lines that `show_fdinfo()` writes.
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

    /// One test for all, because only one provider can be registered at a time. A built-in provider
    /// is registered already.
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
    fn the_device_is_that_of_c_pidfds() {
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
    fn a_dropped_pidfd_frees_its_number() {
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
    fn a_thread_pid_needs_the_thread_flag() {
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
    fn opening_a_pid_without_a_task_fails() {
        let pid = Spare::new();
        assert_eq!(PidFd::prepare(&pid, 0).err(), Some(ESRCH));
        assert_eq!(PidFd::prepare(&pid, flags::PIDFD_THREAD).err(), Some(ESRCH));
        // With `PIDFD_STALE`, it succeeds.
        assert!(PidFd::prepare(&pid, flags::PIDFD_STALE).is_ok());
        flush();
    }

    #[test]
    fn a_failed_publish_frees_the_pidfd() {
        let fd = next_fd();
        let pidfd = PidFd::prepare(&me(), 0).unwrap();
        let kernel_address = UserPtr::from_addr(usize::MAX - 4095);
        assert_eq!(pidfd.publish(kernel_address).err(), Some(EFAULT));
        assert_eq!(next_fd(), fd);
    }

    #[test]
    fn publish_writes_the_number_to_user_memory() {
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
    fn a_reservation_converts_to_raw_and_back() {
        let fd = FileDescriptorReservation::get_unused_fd_flags(O_CLOEXEC)
            .unwrap()
            .into_raw();
        assert_ne!(next_fd(), fd);
        // SAFETY: The number is reserved, and this thread alone frees it.
        drop(unsafe { FileDescriptorReservation::from_raw(fd) });
        assert_eq!(next_fd(), fd);
    }

    #[test]
    fn a_full_table_fails_before_the_file_is_made() {
        without_descriptors(|| {
            assert_eq!(PidFd::prepare(&me(), 0).err(), Some(EMFILE));
            assert_eq!(PidFd::reserve(|| Err(EIO)).err(), Some(EMFILE));
        });
    }

    #[test]
    fn a_failed_file_frees_the_number() {
        let fd = next_fd();
        assert_eq!(PidFd::reserve(|| Err(ENOMEM)).err(), Some(ENOMEM));
        assert_eq!(next_fd(), fd);
    }

    #[test]
    fn get_pid_refuses_a_closed_descriptor() {
        assert_eq!(get_pid(u32::MAX).err(), Some(EBADF));
    }
}
