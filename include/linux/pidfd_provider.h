/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_PIDFD_PROVIDER_H
#define _LINUX_PIDFD_PROVIDER_H

/*
 * A pidfd provider makes the files of pid file descriptors in place of fs/pidfs.c.
 * At most one provider is registered at a time. Without one, each call below is a
 * direct call of the C code.
 *
 * Life cycle
 *
 *   idle --register--> serving --unregister--> idle
 *                      |     ^
 *      pidfd.provider=0|     |pidfd.provider=1
 *                      v     |
 *                      standby --unregister--> idle
 *
 * The parameter pidfd.provider switches between the provider and C while pidfds are
 * open. A provider on standby makes no new pidfds, and its pidfds go on. A call that
 * has found the provider ends with it, however long that takes: the switch waits for
 * no call. Only unregistration does.
 *
 * A provider usually lives in a module, which may be unloaded while every CPU makes
 * pidfds. These rules prevent that a CPU runs code of the unloaded module:
 *
 * - A caller looks up the registered provider and calls it in one SRCU read-side
 *   section. The provider may sleep: it allocates the file, and writes to the
 *   memory of the caller.
 * - pidfd_provider_unregister() hides the provider from new callers, and then waits
 *   for all sections that may have found it. The module's exit function calls it, so
 *   the module stays until these sections have ended.
 * - The static calls point back to the C code only after that. No caller is between
 *   the lookup and the call, because both are in one section.
 * - A module whose unload has begun refuses references before it unregisters. A new
 *   inode needs a reference, so the provider returns -ENODEV, and C serves the call.
 * - The inode of a pid holds the module, and files and paths hold the inode. So the
 *   unload fails while a pidfd exists. The file_operations have no owner: a further
 *   pidfd of a pid does not write to the module's reference count. The last steps
 *   of ->release(), after the inode has gone, rely on the mount instead, see
 *   rust/kernel/fs/pseudo.rs.
 *
 * A module registers as the last step of its init function, and unregisters as the
 * first step of its exit function.
 *
 * Two pointers in struct pid
 *
 * pid->attr is the C state of a pid, and pid->record is the Rust state. The first
 * request for a pidfd on either side sets its pointer, which stays until the pid is
 * freed:
 *
 * - The second of the two is initialised with the exit and the coredump of the first.
 * - An exit and a coredump are written to both, whether a provider is registered or
 *   not.
 * - Both share the extended attributes of the first.
 * - If a pid is reaped before the first request, both pointers are set to the error
 *   pointer -ESRCH, and no pidfd of it can be made.
 *
 * So both sides have the same information, and a load or an unload moves no state.
 * pid->wait_pidfd.lock serialises each change of the two pointers, and each access
 * to both. The code that accesses records is built in: rust/kernel/pid/record.rs.
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
 * struct pidfd_record - state of a pid for the pidfds of a provider
 * @stashed:		dentry that all pidfds of this pid share, or NULL
 * @free:		list entry of pidfd_record_free(); unused before
 * @xattrs:		list of the extended attributes: @own_xattrs, or the list of C
 * @own_xattrs:		the list, if the record came before the C state
 * @mask:		PIDFD_RECORD_* bits of the valid fields below; stored with release
 *			semantics after these fields
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
 * struct pidfd_provider - an implementation of pidfds
 * @owner:	module that contains the functions below, NULL if they are built in
 * @fops:	file operations of the provider's files, and of no other file.
 *		i_private of the inode of such a file is its struct pid, from before
 *		the file is visible until after ->release().
 * @alloc_file:	make a file for @pid. Flags are PIDFD_THREAD, PIDFD_NONBLOCK,
 *		PIDFD_STALE, PIDFD_AUTOKILL and O_RDWR. Returns the file or an
 *		ERR_PTR(): -ESRCH if the process was reaped before a pidfd of it
 *		was made, -ENOMEM, -ENFILE. Process context, may sleep. C serves
 *		the call on -ENODEV.
 * @clone:	serve CLONE_PIDFD: reserve a descriptor (O_CLOEXEC) in the table of
 *		the calling task, make the file, and write the number to @upidfd.
 *		Returns the descriptor with the file in @ret_file; the caller
 *		installs the two or undoes both with put_unused_fd() and fput().
 *		An error (-EMFILE, -EFAULT, and those of @alloc_file) leaves
 *		nothing behind. @pid has no task yet. Process context, may sleep.
 *		C serves the call on -ENODEV.
 * @get_root:	set the path to the root of the file system of the provider's
 *		files, with a reference that the caller drops with path_put().
 *
 * Each function gets the struct, and finds the other data of the provider by it.
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

/* Called by the hooks; see kernel/pidfd/provider.c. */
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
 * pidfd_provider_is_pidfd - check whether a file is a pidfd
 * @file: any open file
 * @fops: file operations of C pidfds
 *
 * The inode of a provider's file holds the provider's module, so the file operations
 * stay valid: a file with the same address is a file of the provider. The provider
 * is registered while such a file is open. The static key does not show that,
 * because it is enabled at one call site after the other.
 *
 * Return: true if i_private of the file's inode is the struct pid of a pidfd, which
 * is valid as long as @file.
 */
static inline bool pidfd_provider_is_pidfd(const struct file *file,
					   const struct file_operations *fops)
{
	if (likely(file->f_op == READ_ONCE(pidfd_provider_fops)))
		return true;
	return file->f_op == fops;
}

/*
 * If @wanted is true and a provider is registered, get @root of it, and hold its
 * module until the end of the scope.
 */
const struct pidfd_provider *pidfd_provider_hold(bool wanted, struct path *root);
void pidfd_provider_put(const struct pidfd_provider *provider);

/* The extended attributes, which both sides share. */
struct list_head *pidfd_provider_xattrs(struct pid *pid, struct list_head *attr_xattrs);

/* The type of the provider's file system, which is built in. */
extern struct file_system_type pidfd_provider_fs_type;

int task_wait_status(const struct task_struct *task);

/* Memory of records. */
struct pidfd_record *pidfd_record_alloc(gfp_t gfp);
void pidfd_record_free(struct pidfd_record *record);

/* True if @pid has a record, and has not been reaped. */
bool pidfd_provider_knows(struct pid *pid);

/* The Rust side; see rust/kernel/pid/record.rs. */
int rust_pid_register(struct pid *pid, gfp_t gfp);
void rust_pid_exit(struct pid *pid, struct task_struct *tsk);
void rust_pid_coredump(struct pid *pid, unsigned int dumpable,
		       const struct kernel_siginfo *info);
void rust_pid_free(struct pid *pid);

/* A deliberate data race of pidfd_broken.ko; see rust/kernel/pidfd_broken.rs. */
void rust_pidfd_broken_count(long *number, int times);

/* Access of Rust to the C state; see fs/pidfs_provider.c. */
struct pid *pidfs_find_pid(u64 ino);
bool pidfs_attr_gone(const struct pidfs_attr *attr);
void pidfs_attr_to_record(struct pidfs_attr *attr, struct pidfd_record *record);
void pidfs_record_to_attr(struct pid *pid, struct pidfs_attr *attr);
extern struct simple_xattr_cache *const pidfs_xattr_cache;
extern dev_t pidfs_device;

/**
 * struct pidfd_counts - number of pidfds of a provider, for each CPU
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

/* Without Rust, no provider exists, and each hook is the C code. */

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
