/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_PIDFD_PROVIDER_H
#define _LINUX_PIDFD_PROVIDER_H

/*
 * A pidfd provider makes the files behind pid file descriptors in place of
 * fs/pidfs.c. At most one is registered at a time. Without one, each call below
 * is a direct call of the C code.
 *
 * Life cycle
 *
 *   idle --register--> serving --unregister--> idle
 *
 * A provider usually lives in a module and may go away while every CPU makes
 * pidfds. What keeps a CPU from running in unloaded code:
 *
 * - A call enters the provider only with a reference on its module, taken under
 *   rcu_read_lock() while the provider is still the registered one, and gives
 *   the reference back after it has returned. The reference covers sleeping:
 *   making a file allocates, writing to the caller's memory faults.
 * - pidfd_provider_unregister() first takes the provider away from new callers
 *   and waits an RCU grace period. Whoever saw the provider before has its
 *   module reference by then, or has failed to get one because the module is
 *   going, and serves the call with C.
 * - Only then do the static calls point back to C. Nobody is on the way from a
 *   check to a call: being on that way takes a module reference, and with a
 *   reference the module's exit function, and with it unregister, does not run.
 * - A file keeps its file_operations' module, as any file does: the module
 *   cannot be unloaded before the last of its pidfds is gone.
 *
 * Register as the last step of the module's init function and unregister as the
 * first step of its exit function.
 */

#include <linux/compiler_types.h>
#include <linux/types.h>

struct file;
struct file_operations;
struct module;
struct pid;

/**
 * struct pidfd_provider - what makes and recognises pidfds
 * @owner:	module that holds the functions below, NULL when built in
 * @fops:	file operations of the provider's files, and of no other file.
 *		private_data of such a file is the struct pid it refers to, from
 *		before the file is visible until ->release() returns.
 * @alloc_file:	make a file for @pid. Flags are PIDFD_THREAD, PIDFD_NONBLOCK,
 *		PIDFD_STALE, PIDFD_AUTOKILL and O_RDWR. Returns the file or an
 *		ERR_PTR(): -ESRCH if the process was reaped before anyone had a
 *		pidfd of it, -ENOMEM, -ENFILE. Called in process context, may
 *		sleep.
 * @clone:	serve CLONE_PIDFD: reserve a descriptor (O_CLOEXEC) in the table of
 *		the calling task, make the file, and write the number to @upidfd.
 *		Returns the descriptor with the file in @ret_file; the caller
 *		installs the two or undoes both with put_unused_fd() and fput().
 *		On error (-EMFILE, -EFAULT, and those of @alloc_file) nothing is
 *		left behind. @pid has no task yet. Called in process context, may
 *		sleep.
 */
struct pidfd_provider {
	struct module *owner;
	const struct file_operations *fops;
	struct file *(*alloc_file)(struct pid *pid, unsigned int flags);
	int (*clone)(struct pid *pid, unsigned int flags, int __user *upidfd,
		     struct file **ret_file);
};

int pidfd_provider_register(const struct pidfd_provider *provider);
void pidfd_provider_unregister(const struct pidfd_provider *provider);

/* For the hooks in C; see kernel/pidfd/provider.c. */
struct file *pidfd_provider_alloc_file(struct pid *pid, unsigned int flags);
int pidfd_provider_clone(struct pid *pid, unsigned int flags,
			 int __user *upidfd, struct file **ret_file);
struct pid *pidfd_provider_pid(const struct file *file);

#endif /* _LINUX_PIDFD_PROVIDER_H */
