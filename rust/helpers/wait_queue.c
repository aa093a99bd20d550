// SPDX-License-Identifier: GPL-2.0

#include <linux/wait.h>

__rust_helper void
rust_helper_init_waitqueue_func_entry(struct wait_queue_entry *entry,
				      wait_queue_func_t func)
{
	init_waitqueue_func_entry(entry, func);
}

__rust_helper int rust_helper_waitqueue_active(struct wait_queue_head *head)
{
	/* Racy by design: callers hold no lock. */
	return waitqueue_active(head);
}
