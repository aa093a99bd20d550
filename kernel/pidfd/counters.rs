// SPDX-License-Identifier: GPL-2.0

//! How many pidfds were made and are open, in debugfs below `rust_pidfd`.

use kernel::{
    debugfs::{
        Dir,
        File,
        Number, //
    },
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Relaxed,
        Release, //
    }, //
};

/// Pidfds made since the module was loaded.
static CREATED: Atomic<i64> = Atomic::new(0);

/// Pidfds of these that have been released.
static RELEASED: Atomic<i64> = Atomic::new(0);

/// A pidfd was made.
#[inline]
pub(crate) fn created() {
    CREATED.add(1, Relaxed);
}

/// A pidfd was released.
#[inline]
pub(crate) fn released() {
    RELEASED.fetch_add(1, Release);
}

/// The files `created` and `open`, a decimal number each.
#[pin_data]
pub(crate) struct Files {
    #[pin]
    created: File<Number>,
    #[pin]
    open: File<Number>,
    dir: Dir,
}

impl Files {
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        let dir = Dir::new(c"rust_pidfd");

        try_pin_init!(Self {
            created <- dir.number_file(c"created", count_created),
            open <- dir.number_file(c"open", count_open),
            dir,
        })
    }
}

fn count_created() -> i64 {
    CREATED.load(Relaxed)
}

/// Pidfds that are open, those that a clone has not installed yet included.
fn count_open() -> i64 {
    // In this order, so that what is released meanwhile does not make it negative.
    let released = RELEASED.load(Acquire);
    CREATED.load(Relaxed) - released
}
