// SPDX-License-Identifier: GPL-2.0

//! Stops the build when C and Rust disagree on a layout.
//!
//! `bindgen` can lose the alignment of an empty struct, and then places every later field of the
//! struct around it wrongly, without a word: the kernel passes it `--no-layout-tests`. Here the
//! size, the alignment and the fields that `kernel::pid`, `kernel::pidfd` and the files below them
//! touch are compared with what C says of them in [`rust/bindings/pidfd_bindings_helper.h`].
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
    ($($type:ident { $($field:ident),* $(,)? })*) => { paste! { $(
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
                offset_of!(bindings::$type, $field) == bindings::[<LAYOUT_ $type _ $field>],
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
    file { f_op, f_flags, f_cred, private_data }
    file_operations { owner, poll, unlocked_ioctl, compat_ioctl, release, show_fdinfo }
    pid { level, wait_pidfd, numbers }
    pid_namespace { level }
    pidfd_provider { owner, fops, alloc_file, clone }
    task_struct { exit_state, group_leader, mm, pid, signal, tgid }
    upid { nr, ns }
    wait_queue_entry { private, func }
}
