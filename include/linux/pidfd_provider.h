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
 * - A call enters the provider only in a section of SRCU, in which it has found that
 *   the provider is still the registered one, and the section lasts until the call
 *   has returned. It may sleep: making a file allocates, writing to the caller's
 *   memory faults.
 * - pidfd_provider_unregister() first takes the provider away from new callers, and
 *   waits until all sections have ended that may have found it before. It is called
 *   by the module's exit function, and so the module is there until then.
 * - Only then do the static calls point back to C. Nobody is on the way from a
 *   check to a call: that way is part of a section.
 * - A module that is about to go, but has not unregistered yet, gives no more
 *   references to itself, and an inode would need one. The provider then returns
 *   -ENODEV, and C serves the call.
 * - An inode that stands for a pid keeps the module, and files and paths keep the
 *   inode: the module cannot be unloaded before the last of its pidfds is gone. The
 *   file_operations have no owner, so that a further pidfd of a pid does not touch
 *   the module's reference count. What is left of ->release() when the inode has
 *   gone is under the protection of the mount, see rust/kernel/fs/pseudo.rs.
 *
 * Register as the last step of the module's init function and unregister as the
 * first step of its exit function.
 *
 * Two pointers in struct pid
 *
 * C keeps what it knows of a pid in pid->attr, Rust in pid->record. Each is set
 * when the first pidfd of the pid is asked for on that side, and then stays until
 * the pid is freed. What each side writes:
 *
 * - Whoever comes second starts from what the first has: an exit, a coredump.
 * - An exit and a coredump are written to whichever of the two is there, be the
 *   provider registered or not.
 * - There is one set of extended attributes, that of whoever came first.
 * - A pid that is reaped before anyone came has the error pointer -ESRCH in its
 *   pointers, and there are no pidfds of it.
 *
 * So neither side ever knows less than the other, and to load or to unload the
 * provider moves nothing. pid->wait_pidfd.lock serialises all that sets the two
 * pointers and all that looks at both. The code that works on records is built
 * in: rust/kernel/pid/record.rs.
 */

#include <linux/cleanup.h>
#include <linux/compiler_types.h>
#include <linux/fs.h>
#include <linux/gfp_types.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/percpu-defs.h>
#include <linux/types.h>

struct coredump_params;
struct dentry;
struct file;
struct file_operations;
struct file_system_type;
struct kernel_siginfo;
struct module;
struct mutex;
struct path;
struct pid;
struct pidfs_attr;
struct simple_xattr_cache;
struct task_struct;

/* Bits of pidfd_record::mask. */
#define PIDFD_RECORD_EXIT	0x1
#define PIDFD_RECORD_COREDUMP	0x2

/**
 * struct pidfd_record - what stays known of a pid for the provider's pidfds
 * @stashed:		the dentry that all of the provider's pidfds of this pid
 *			share, as long as there is one
 * @free:		for pidfd_record_free(), when there is none any more
 * @xattrs:		list of the pid's extended attributes: @own_xattrs, or C's
 * @own_xattrs:		where they are if the record came first
 * @mask:		which of the following are there, PIDFD_RECORD_*; set after
 *			them with release semantics
 * @exit_code:		wait status
 * @cgroupid:		id of the cgroup in the default hierarchy at exit
 * @coredump_mask:	PIDFD_COREDUMP* flags
 * @coredump_signal:	signal that caused the coredump
 * @coredump_code:	its si_code
 */
struct pidfd_record {
	union {
		struct dentry *stashed;
		struct llist_node free;
	};
	struct list_head *xattrs;
	struct list_head own_xattrs;
	u32 mask;
	s32 exit_code;
	u64 cgroupid;
	u32 coredump_mask;
	u32 coredump_signal;
	u32 coredump_code;
};

/**
 * struct pidfd_provider - what makes and recognises pidfds
 * @owner:	module that holds the functions below, NULL when built in
 * @fops:	file operations of the provider's files, and of no other file.
 *		i_private of such a file's inode is the struct pid it refers to,
 *		from before the file is visible until after ->release().
 * @alloc_file:	make a file for @pid. Flags are PIDFD_THREAD, PIDFD_NONBLOCK,
 *		PIDFD_STALE, PIDFD_AUTOKILL and O_RDWR. Returns the file or an
 *		ERR_PTR(): -ESRCH if the process was reaped before anyone had a
 *		pidfd of it, -ENOMEM, -ENFILE. Called in process context, may
 *		sleep. -ENODEV lets C serve the call.
 * @clone:	serve CLONE_PIDFD: reserve a descriptor (O_CLOEXEC) in the table of
 *		the calling task, make the file, and write the number to @upidfd.
 *		Returns the descriptor with the file in @ret_file; the caller
 *		installs the two or undoes both with put_unused_fd() and fput().
 *		On error (-EMFILE, -EFAULT, and those of @alloc_file) nothing is
 *		left behind. @pid has no task yet. Called in process context, may
 *		sleep. -ENODEV lets C serve the call.
 * @get_root:	the root of the file system in which the provider's files are,
 *		with a reference, for the caller to path_put().
 *
 * Each function gets the struct itself, by which it finds what else the provider has.
 */
struct pidfd_provider {
	struct module *owner;
	const struct file_operations *fops;
	struct file *(*alloc_file)(const struct pidfd_provider *provider,
				   struct pid *pid, unsigned int flags);
	int (*clone)(const struct pidfd_provider *provider, struct pid *pid,
		     unsigned int flags, int __user *upidfd, struct file **ret_file);
	void (*get_root)(const struct pidfd_provider *provider, struct path *path);
};

#ifdef CONFIG_RUST

int pidfd_provider_register(const struct pidfd_provider *provider);
void pidfd_provider_unregister(const struct pidfd_provider *provider);

/* For the hooks in C; see kernel/pidfd/provider.c. */
struct file *pidfd_provider_alloc_file(struct pid *pid, unsigned int flags);
int pidfd_provider_clone(struct pid *pid, unsigned int flags,
			 int __user *upidfd, struct file **ret_file);
bool pidfd_provider_made(const struct dentry *dentry);
int pidfd_provider_register_pid(struct pid *pid, gfp_t gfp);
void pidfd_provider_exit(struct task_struct *tsk);
void pidfd_provider_free_pid(struct pid *pid);
void pidfd_provider_coredump(const struct coredump_params *cprm);

/* See kernel/pidfd/provider.c. */
extern const struct file_operations *pidfd_provider_fops;

/**
 * pidfd_provider_is_pidfd - is this file a pidfd?
 * @file: any open file
 * @fops: file operations of C's pidfds
 *
 * The inode of a provider's file keeps the provider's module, and so its file
 * operations, in place: if the addresses are equal, it is the provider's file.
 * While it is open, the provider is registered. (The static key does not show
 * that: it is switched on in one place after the other.)
 *
 * Return: whether i_private of the file's inode is the struct pid that a pidfd
 * refers to, valid as long as @file.
 */
static inline bool pidfd_provider_is_pidfd(const struct file *file,
					   const struct file_operations *fops)
{
	if (likely(file->f_op == READ_ONCE(pidfd_provider_fops)))
		return true;
	return file->f_op == fops;
}

/*
 * Get @root of the provider, if one is registered and @wanted says so, and keep the
 * provider's module to the end of a scope.
 */
const struct pidfd_provider *pidfd_provider_hold(bool wanted, struct path *root);
void pidfd_provider_put(const struct pidfd_provider *provider);

/* For C's extended attributes, which both sides share. */
struct list_head *pidfd_provider_xattrs(struct pid *pid, struct list_head *attr_xattrs);

/* The type of the provider's file system; it stays when the provider goes. */
extern struct file_system_type pidfd_provider_fs_type;

int task_wait_status(const struct task_struct *task);

/* Memory of records. */
struct pidfd_record *pidfd_record_alloc(gfp_t gfp);
void pidfd_record_free(struct pidfd_record *record);

/* Does Rust know @pid as one that has not been reaped? */
bool pidfd_provider_knows(struct pid *pid);

/* The Rust side; see rust/kernel/pid/record.rs. */
int rust_pid_register(struct pid *pid, gfp_t gfp);
void rust_pid_exit(struct pid *pid, struct task_struct *tsk);
void rust_pid_coredump(struct pid *pid, unsigned int dumpable,
		       const struct kernel_siginfo *info);
void rust_pid_free(struct pid *pid);

/* What Rust needs of C's state; see fs/pidfs_provider.c. */
struct pid *pidfs_find_pid(u64 ino);
bool pidfs_attr_gone(const struct pidfs_attr *attr);
void pidfs_attr_to_record(struct pidfs_attr *attr, struct pidfd_record *record);
void pidfs_record_to_attr(struct pid *pid, struct pidfs_attr *attr);
extern struct simple_xattr_cache *const pidfs_xattr_cache;
extern dev_t pidfs_device;

/**
 * struct pidfd_counts - how many pidfds of a provider each CPU has made
 * @created:	pidfds that were opened on this CPU
 * @released:	pidfds that were released on this CPU
 */
struct pidfd_counts {
	unsigned long created;
	unsigned long released;
};

DECLARE_PER_CPU(struct pidfd_counts, pidfd_counts);
struct dentry *pidfd_counts_create(const char *name);
void pidfd_counts_remove(struct dentry *dir);

#else /* !CONFIG_RUST */

/* There can be no provider: each hook is the C code. */

#define pidfd_provider_alloc_file(pid, flags)	pidfs_alloc_file(pid, flags)
#define pidfd_provider_clone(pid, flags, upidfd, ret_file) \
	pidfd_clone(pid, flags, upidfd, ret_file)
#define pidfd_provider_register_pid(pid, gfp)	pidfs_register_pid_gfp(pid, gfp)
#define pidfd_provider_exit(tsk)		pidfs_exit(tsk)
#define pidfd_provider_free_pid(pid)		pidfs_free_pid(pid)
#define pidfd_provider_coredump(cprm)		pidfs_coredump(cprm)

static inline bool pidfd_provider_made(const struct dentry *dentry)
{
	return false;
}

static inline bool pidfd_provider_is_pidfd(const struct file *file,
					   const struct file_operations *fops)
{
	return file->f_op == fops;
}

static inline const struct pidfd_provider *pidfd_provider_hold(bool wanted,
							       struct path *root)
{
	return NULL;
}

static inline void pidfd_provider_put(const struct pidfd_provider *provider)
{
}

static inline struct list_head *pidfd_provider_xattrs(struct pid *pid,
						      struct list_head *attr_xattrs)
{
	return attr_xattrs;
}

static inline bool pidfd_provider_knows(struct pid *pid)
{
	return false;
}

static inline void pidfs_record_to_attr(struct pid *pid, struct pidfs_attr *attr)
{
}

#endif /* CONFIG_RUST */

/* The C code for CLONE_PIDFD; see kernel/pidfd/clone.c. */
int pidfd_clone(struct pid *pid, unsigned int flags, int __user *upidfd,
		struct file **ret_file);

/* Held, below the lock of an inode, to change extended attributes of a pidfd. */
extern struct mutex pidfd_provider_xattr_lock;

DEFINE_CLASS(pidfd_provider, const struct pidfd_provider *, pidfd_provider_put(_T),
	     pidfd_provider_hold(wanted, root), bool wanted, struct path *root)

#endif /* _LINUX_PIDFD_PROVIDER_H */
