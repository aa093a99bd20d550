// SPDX-License-Identifier: GPL-2.0

//! Stops the build when C and Rust disagree on a layout.
//!
//! `bindgen` can lose the alignment of an empty struct, and then computes a wrong offset for every
//! later field of the struct that contains it. The kernel passes `--no-layout-tests`, so `bindgen`
//! does not check. This file compares size, alignment and the offsets of all fields that
//! `kernel::pid`, `kernel::pidfd` and the files below them use with the values of C in
//! [`rust/bindings/pidfd_bindings_helper.h`].
//!
//! [`rust/bindings/pidfd_bindings_helper.h`]: srctree/rust/bindings/pidfd_bindings_helper.h

use crate::bindings;
use core::mem::{
    align_of,
    offset_of,
    size_of, //
};
use macros::paste;

macro_rules! layout {
    ($($type:ident { $($field:ident $(in $outer:ident)?),* $(,)? })*) => { paste! { $(
        const _: () = assert!(
            size_of::<bindings::$type>() == bindings::[<LAYOUT_SIZE_ $type>],
            concat!("C and Rust disagree on the size of struct ", stringify!($type)),
        );
        const _: () = assert!(
            align_of::<bindings::$type>() == bindings::[<LAYOUT_ALIGN_ $type>],
            concat!("C and Rust disagree on the alignment of struct ", stringify!($type)),
        );
        $(
            const _: () = assert!(
                offset_of!(bindings::$type, $($outer.)? $field)
                    == bindings::[<LAYOUT_ $type _ $field>],
                concat!(
                    "C and Rust disagree on the offset of field ",
                    stringify!($field),
                    " in struct ",
                    stringify!($type),
                ),
            );
        )*
    )* } };
}

layout! {
    cred { uid, gid, suid, sgid, euid, egid, fsuid, fsgid }
    dentry { d_fsdata, d_inode, d_lockref, d_sb }
    dentry_operations { d_dname, d_prune }
    export_operations { encode_fh, fh_to_dentry, permission, open }
    file { f_cred, f_flags, f_inode, f_op, private_data }
    file_operations { compat_ioctl, open, owner, poll, release, show_fdinfo, unlocked_ioctl }
    file_system_type { init_fs_context, kill_sb, name }
    inode { i_flags, i_fop in __bindgen_anon_3, i_generation, i_ino, i_mode, i_op, i_private, i_sb }
    inode_operations { getattr, listxattr, setattr }
    kstat { dev, mode }
    kstatfs { f_fsid }
    path { dentry, mnt }
    pid {
        attr in __bindgen_anon_1, ino in __bindgen_anon_1, level, numbers,
        record in __bindgen_anon_1, tasks, wait_pidfd,
    }
    pid_namespace { level }
    pidfd_info { exit_code, supported_mask }
    pidfd_provider { alloc_file, clone, fops, get_root, owner }
    pidfd_record {
        cgroupid, coredump_code, coredump_mask, coredump_signal, exit_code, mask, own_xattrs,
        stashed in __bindgen_anon_1, xattrs,
    }
    poll_table_struct { _key, _qproc }
    pseudo_fs_context { dops, eops, ops, s_d_flags, xattr }
    seq_file { buf, count, size }
    signal_struct { exec_update_lock, rlim }
    stashed_operations { init_inode, put_data, stash_dentry }
    super_block { s_dev, s_fs_info, s_magic, s_passive, s_type }
    super_operations { drop_inode, evict_inode, statfs }
    task_struct { exit_state, group_leader, mm, pid, signal, tgid }
    upid { nr, ns }
    vfsmount { mnt_root, mnt_sb }
    wait_queue_entry { func, private }
    wait_queue_head { lock }
    xattr_handler { get, prefix, set }
}

#[cfg(CONFIG_FAULT_INJECTION)]
layout! {
    task_struct { fail_nth }
}
