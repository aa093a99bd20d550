// SPDX-License-Identifier: GPL-2.0

//! Unit tests of [`kernel::fs::pseudo`](super).

#[macros::kunit_tests(rust_pseudo_fs)]
mod cases {
    use super::super::{
        test_support::*,
        *, //
    };
    use crate::fs::{
        export::types::FILEID_KERNFS,
        file::FileDescriptorReservation,
        file_operations::events::EPOLLIN,
        inode::flags::{
            S_IMMUTABLE,
            S_PRIVATE, //
        },
        xattr::checked_len, //
    };
    use core::mem::{
        self,
        MaybeUninit, //
    };

    #[test]
    fn is_mounted_once_at_a_time() {
        let mount = mount();
        assert_eq!(THINGS.mount(OTHER_TYPE.get()).err(), Some(EBUSY));
        assert_eq!(mount.super_block().magic(), 0x7e57);
        drop(mount);
        drop(self::mount());
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
        // SAFETY: This thread is the only user of the type.
        assert!(unsafe { (*TYPE.0.get()).init_fs_context.is_none() });

        // The next mount meets it.
        let mount = self::mount();
        assert!(mount.path(&Thing::new(1)).is_ok());
        drop(mount);
        // SAFETY: The reference was taken above.
        unsafe { bindings::put_super(sb) };
        drop(self::mount());
    }

    #[test]
    fn a_stash_serves_one_file_system() {
        let (mount, other) = (mount(), OTHERS.mount(OTHER_TYPE.get()).unwrap());
        let thing = Thing::new(1);
        let path = mount.path(&thing).unwrap();
        assert_eq!(other.path(&thing).err(), Some(EBUSY));
        let late = other.alloc_dentry(&thing).unwrap();
        // SAFETY: This is the only reference, and the stash is that of the object.
        let published = unsafe { ThingFs::stash(&thing).unwrap().publish(late) };
        assert_eq!(published.err(), Some(EBUSY));
        assert_eq!(dentry(&mount.path(&thing).unwrap()), dentry(&path));
        assert_eq!(thing.refs(), 2);
        drop(path);
        assert!(other.path(&thing).is_ok());
        assert_eq!(thing.refs(), 1);
    }

    #[test]
    fn all_users_of_an_object_share_a_dentry() {
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
        // SAFETY: This thread is the only user of the field.
        assert!(unsafe { *thing.stashed.get() }.is_null());
        assert!(mount.path(&thing).is_ok());
    }

    /// As it is for a moment when its last user is gone.
    #[test]
    fn a_dead_dentry_is_not_reused() {
        const DEAD: c_int = -128;

        let mount = mount();
        let thing = Thing::new(1);
        let path = mount.path(&thing).unwrap();
        // SAFETY: The dentry is valid, and this thread is its only user.
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
    fn publish_returns_the_dentry_that_came_first() {
        let mount = mount();
        let thing = Thing::new(1);
        let path = mount.path(&thing).unwrap();
        let late = mount.alloc_dentry(&thing).unwrap();
        assert_ne!(late.as_ptr(), dentry(&path));
        // SAFETY: This is the only reference, and the stash is that of the object.
        let got = unsafe { ThingFs::stash(&thing).unwrap().publish(late) }.unwrap();
        assert_eq!(got.as_ptr(), dentry(&path));
        assert_eq!(thing.refs(), 2);
    }

    #[test]
    fn dentries_and_paths_convert_to_raw_and_back() {
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
        // SAFETY: This thread is the only user of the field.
        unsafe { *thing.stashed.get() }.is_null()
    }

    /// As the last file does when it is closed.
    fn retire(path: Path) {
        // SAFETY: The path has a reference to a dentry of this file system, and is not looked at
        // any more.
        unsafe { THINGS.retire(dentry(&path)) };
    }

    #[test]
    fn an_unused_dentry_is_reused_for_another_object() {
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
    fn a_dentry_in_use_is_not_reused() {
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
    fn an_inode_in_use_is_not_reused() {
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
    fn a_retired_dentry_is_not_reused_before_its_last_put() {
        let mount = mount();
        let (one, two) = (Thing::new(1), Thing::new(2));
        let path = mount.path(&one).unwrap();
        // SAFETY: The test does not use the object through the dentry any more.
        unsafe { THINGS.retire(dentry(&path)) };
        assert_ne!(dentry(&mount.path(&two).unwrap()), dentry(&path));
        drop(path);
    }

    #[test]
    fn a_full_free_list_frees_the_dentry() {
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
    fn a_failed_open_is_not_released() {
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
    fn a_poller_waits_on_the_queue_of_the_object() {
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
    fn a_cloned_path_holds_references() {
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
    fn getattr_reports_the_inode() {
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
    fn getattr_can_clear_the_file_type() {
        let mount = mount();
        let path = mount.path(&Thing::new(UNREADABLE)).unwrap();
        assert_eq!(getattr(&path).err(), Some(EPERM));
    }

    #[test]
    fn setattr_can_refuse_a_change() {
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
        // SAFETY: The dentry is valid, and the buffer has the given size.
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

        // SAFETY: The dentry is valid, and the buffer has the given size.
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

    /// C copies as many bytes to user space as the function returns.
    #[test]
    fn xattr_lengths_are_limited_to_the_buffer() {
        let mount = mount();
        let path = mount.path(&Thing::new(BOASTFUL)).unwrap();
        let mut buffer = [0; 17];

        assert_eq!(get(&path, &mut buffer), 17);
        assert_eq!(get(&path, &mut buffer[..16]), ERANGE.to_errno() as isize);
        for (len, want) in [(17, 17), (16, ERANGE.to_errno() as isize)] {
            // SAFETY: The dentry is valid, and the buffer has the given size.
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
        let table = ExportOperationsTable::<ThingFs>::TABLE;
        let (encode, decode) = (table.encode_fh.unwrap(), table.fh_to_dentry.unwrap());
        // SAFETY: The dentry is valid.
        let (inode, sb) = unsafe { ((*dentry(&path)).d_inode, (*dentry(&path)).d_sb) };
        let mut words = [0u32; 2];
        let mut handle = |len: c_int| {
            let mut len = len;
            // SAFETY: The inode is of this file system, and the buffer has two words.
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
    fn open_of_a_handle_needs_permission() {
        let mount = mount();
        let thing = Thing::new(1);
        let path = mount.path(&thing).unwrap();
        let table = ExportOperationsTable::<ThingFs>::TABLE;
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
    fn the_root_is_an_empty_directory() {
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
    fn paths_have_the_dentry_name() {
        let mount = mount();
        let path = mount.path(&Thing::new(1)).unwrap();
        let mut buffer = [0u8; 32];
        // SAFETY: The path is valid, and the buffer has the given size.
        let name = unsafe { bindings::d_path(path.as_ptr(), buffer.as_mut_ptr().cast(), 32) };
        // SAFETY: The name is nul-terminated, and in the buffer.
        assert_eq!(unsafe { CStr::from_char_ptr(name) }, c"thing:[%s]");
    }
}
