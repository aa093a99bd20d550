// SPDX-License-Identifier: GPL-2.0

//! The numbers of pidfds that were created and that are open, in debugfs below `rust_pidfd`.

use kernel::pidfd::counts::Files;

pub(crate) use kernel::pidfd::counts::{
    created,
    released, //
};

/// Creates the files `created` and `open`, which contain a decimal number each.
pub(crate) fn files() -> Files {
    Files::new(c"rust_pidfd")
}
