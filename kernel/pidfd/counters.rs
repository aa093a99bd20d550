// SPDX-License-Identifier: GPL-2.0

//! How many pidfds were made and are open, in debugfs below `rust_pidfd`.

use kernel::{
    debugfs::{
        Dir,
        File, //
    },
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// Pidfds made since the module was loaded.
static CREATED: Atomic<i64> = Atomic::new(0);

/// Pidfds that are open, those that a clone has not installed yet included.
static OPEN: Atomic<i64> = Atomic::new(0);

/// A pidfd was made.
pub(crate) fn created() {
    CREATED.add(1, Relaxed);
    OPEN.add(1, Relaxed);
}

/// A pidfd was released.
pub(crate) fn released() {
    OPEN.add(-1, Relaxed);
}

/// The files `created` and `open`, a decimal number each.
#[pin_data]
pub(crate) struct Files {
    #[pin]
    created: File<&'static Atomic<i64>>,
    #[pin]
    open: File<&'static Atomic<i64>>,
    dir: Dir,
}

impl Files {
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        let dir = Dir::new(c"rust_pidfd");

        try_pin_init!(Self {
            created <- dir.read_callback_file(c"created", &CREATED, &show),
            open <- dir.read_callback_file(c"open", &OPEN, &show),
            dir,
        })
    }
}

fn show(counter: &&'static Atomic<i64>, f: &mut kernel::fmt::Formatter<'_>) -> kernel::fmt::Result {
    writeln!(f, "{}", counter.load(Relaxed))
}
