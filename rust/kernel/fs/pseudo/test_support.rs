// SPDX-License-Identifier: GPL-2.0

//! A pseudo file system of things, for the unit tests.

use super::*;
use crate::{
    fs::{
        export::types::FILEID_KERNFS,
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

/// An object with a reference count, a stash, a wait queue and extended attributes.
pub(super) struct Thing {
    refs: Atomic<i32>,
    number: u64,
    pub(super) stashed: Opaque<*mut bindings::dentry>,
    xattrs: Opaque<bindings::list_head>,
    pub(super) queue: Opaque<bindings::wait_queue_head>,
    pub(super) opened: Atomic<i32>,
    pub(super) released: Atomic<i32>,
    pub(super) flags: Atomic<u32>,
}

// SAFETY: Fields that change are atomic, or C functions synchronise access to them.
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
    pub(super) fn new(number: u64) -> ARef<Self> {
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
            bindings::__init_waitqueue_head(thing.queue.get(), c"thing".as_char_ptr(), KEY.get());
            ARef::from_raw(NonNull::new_unchecked(KBox::into_raw(thing)))
        }
    }

    pub(super) fn refs(&self) -> i32 {
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

pub(super) struct ThingFs;

#[vtable]
impl FileOperations for ThingFs {
    type Object = Thing;

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

pub(super) const UNOPENABLE: u64 = 1001;
pub(super) const UNSTASHED: u64 = 1002;
pub(super) const UNKNOWN: u64 = 1003;
pub(super) const BOASTFUL: u64 = 1004;
pub(super) const UNREADABLE: u64 = 1005;

pub(super) static FILES: FileOperationsTable<ThingFs> = FileOperationsTable::new();
pub(super) static THINGS: PseudoFs<ThingFs> = PseudoFs::new(&FILES);
pub(super) static OTHERS: PseudoFs<ThingFs> = PseudoFs::new(&FILES);

pub(super) struct Type(pub(super) Opaque<bindings::file_system_type>);
// SAFETY: C locks what changes.
unsafe impl Sync for Type {}

impl Type {
    const fn new() -> Self {
        Self(Opaque::new(bindings::file_system_type {
            name: crate::str::as_char_ptr_in_const_context(c"things"),
            ..pin_init::zeroed()
        }))
    }

    pub(super) fn get(&self) -> FileSystemType {
        // SAFETY: It is built in, has a name, and each test uses it once at a time.
        unsafe { FileSystemType::from_raw(NonNull::new(self.0.get()).unwrap()) }
    }
}

pub(super) static TYPE: Type = Type::new();
pub(super) static OTHER_TYPE: Type = Type::new();

pub(super) fn mount() -> Mount<ThingFs> {
    THINGS.mount(TYPE.get()).unwrap()
}

pub(super) fn dentry(path: &Path) -> *mut bindings::dentry {
    // SAFETY: The path is valid.
    unsafe { (*path.as_ptr()).dentry }
}

pub(super) fn flush() {
    // SAFETY: No requirements; a kernel thread's last reference to a file is dropped by a work
    // item.
    unsafe { bindings::flush_delayed_fput() };
}
