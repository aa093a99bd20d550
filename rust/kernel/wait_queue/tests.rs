// SPDX-License-Identifier: GPL-2.0

//! Unit tests of [`kernel::wait_queue`](super).

#[macros::kunit_tests(rust_wait_queue)]
mod cases {
    use crate::{
        bindings,
        pid::{
            Pid,
            PidType, //
        },
        prelude::*, //
    };

    #[test]
    fn the_lock_is_held_until_the_guard_is_dropped() {
        let pid = Pid::of_task(current!(), PidType::Pid).unwrap();
        let queue = pid.wait_pidfd();
        // SAFETY: The queue is valid.
        let lock = || unsafe { &raw mut (*queue.as_ptr()).lock };

        let guard = queue.lock_irq();
        // SAFETY: The lock is valid; trying for it is always allowed.
        assert_eq!(unsafe { bindings::spin_trylock(lock()) }, 0);
        drop(guard);
        drop(queue.lock_irq());
    }
}
