// SPDX-License-Identifier: GPL-2.0
/*
 * Pidfd providers: who makes and recognises pid file descriptors.
 *
 * include/linux/pidfd_provider.h tells the life cycle and why it is safe.
 */

#include <linux/cleanup.h>
#include <linux/coredump.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/jump_label.h>
#include <linux/llist.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/path.h>
#include <linux/pid.h>
#include <linux/pidfd_provider.h>
#include <linux/pidfs.h>
#include <linux/rculist.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/static_call.h>
#include <linux/vfsdebug.h>
#include <linux/workqueue.h>
#include <linux/xattr.h>

#include "../../fs/internal.h"

/* Serialises register and unregister. */
static DEFINE_MUTEX(pidfd_provider_lock);

static const struct pidfd_provider __rcu *pidfd_provider;

/* file_operations of the registered provider; matches no file when NULL. */
const struct file_operations *pidfd_provider_fops;

/* On while a provider is registered. */
static DEFINE_STATIC_KEY_FALSE(pidfd_provider_key);

/* What serves when no provider does. */

static struct file *pidfd_alloc_file_c(const struct pidfd_provider *provider,
				       struct pid *pid, unsigned int flags)
{
	return pidfs_alloc_file(pid, flags);
}

static int pidfd_clone_c(const struct pidfd_provider *provider, struct pid *pid,
			 unsigned int flags, int __user *upidfd, struct file **ret_file)
{
	return pidfd_clone(pid, flags, upidfd, ret_file);
}

DEFINE_STATIC_CALL(pidfd_alloc_file, pidfd_alloc_file_c);
DEFINE_STATIC_CALL(pidfd_clone, pidfd_clone_c);

/*
 * A static call that is not inlined reads its target from memory at some other
 * time than the caller has read @provider.
 */
static __always_inline struct file *
provider_alloc_file(const struct pidfd_provider *provider, struct pid *pid,
		    unsigned int flags)
{
#ifdef CONFIG_HAVE_STATIC_CALL_INLINE
	return static_call(pidfd_alloc_file)(provider, pid, flags);
#else
	typeof(provider->alloc_file) alloc_file = READ_ONCE(provider->alloc_file);

	return alloc_file(provider, pid, flags);
#endif
}

static __always_inline int
provider_clone(const struct pidfd_provider *provider, struct pid *pid,
	       unsigned int flags, int __user *upidfd, struct file **ret_file)
{
#ifdef CONFIG_HAVE_STATIC_CALL_INLINE
	return static_call(pidfd_clone)(provider, pid, flags, upidfd, ret_file);
#else
	typeof(provider->clone) clone = READ_ONCE(provider->clone);

	return clone(provider, pid, flags, upidfd, ret_file);
#endif
}

/* Who looks at the provider, or calls it, is in a section of this. */
DEFINE_STATIC_SRCU_FAST(pidfd_provider_srcu);

/**
 * pidfd_provider_hold - get the registered provider's root, and keep its module
 * @wanted: whether to do so at all
 * @root:   set to the root of the file system in which the provider's file handles
 *          are opened, with a reference, which the caller drops before it calls
 *          pidfd_provider_put()
 *
 * The module is kept first: a provider waits for the last reference to its root
 * when it is unregistered, and so a module that is about to go gives none.
 *
 * Return: the provider, or NULL, and no root, when C has to serve the call.
 */
const struct pidfd_provider *pidfd_provider_hold(bool wanted, struct path *root)
{
	const struct pidfd_provider *provider;

	if (!static_branch_unlikely(&pidfd_provider_key) || !wanted)
		return NULL;

	guard(srcu_fast)(&pidfd_provider_srcu);
	provider = srcu_dereference(pidfd_provider, &pidfd_provider_srcu);
	if (!provider || !try_module_get(provider->owner))
		return NULL;
	provider->get_root(provider, root);
	return provider;
}

/**
 * pidfd_provider_put - give back what pidfd_provider_hold() returned
 * @provider: the provider, which may be gone when this returns, or NULL
 */
void pidfd_provider_put(const struct pidfd_provider *provider)
{
	if (provider)
		module_put(provider->owner);
}

/**
 * pidfd_provider_alloc_file - make the file of a pidfd
 * @pid:   process or thread that the file refers to
 * @flags: as for pidfs_alloc_file()
 *
 * Return: the file, or an ERR_PTR().
 */
struct file *pidfd_provider_alloc_file(struct pid *pid, unsigned int flags)
{
	const struct pidfd_provider *provider;
	struct file *file;

	if (static_branch_unlikely(&pidfd_provider_key)) {
		guard(srcu_fast)(&pidfd_provider_srcu);
		provider = srcu_dereference(pidfd_provider, &pidfd_provider_srcu);
		if (provider) {
			file = provider_alloc_file(provider, pid, flags);
			/* -ENODEV: it is about to go. */
			if (likely(file != ERR_PTR(-ENODEV)))
				return file;
		}
	}
	return pidfd_alloc_file_c(NULL, pid, flags);
}

/**
 * pidfd_provider_clone - make the pidfd that CLONE_PIDFD asks for
 * @pid:      the new child's, without a task so far
 * @flags:    as for pidfd_prepare()
 * @upidfd:   where to write the descriptor's number
 * @ret_file: set to the file on success
 *
 * Return: a reserved descriptor, or a negative errno and nothing to undo.
 */
int pidfd_provider_clone(struct pid *pid, unsigned int flags,
			 int __user *upidfd, struct file **ret_file)
{
	const struct pidfd_provider *provider;
	int fd;

	if (static_branch_unlikely(&pidfd_provider_key)) {
		guard(srcu_fast)(&pidfd_provider_srcu);
		provider = srcu_dereference(pidfd_provider, &pidfd_provider_srcu);
		if (provider) {
			fd = provider_clone(provider, pid, flags, upidfd, ret_file);
			/* -ENODEV: it is about to go. */
			if (likely(fd != -ENODEV))
				return fd;
		}
	}
	return pidfd_clone_c(NULL, pid, flags, upidfd, ret_file);
}

/**
 * pidfd_provider_made - is this the dentry of a provider's pidfd?
 * @dentry: any dentry
 */
bool pidfd_provider_made(const struct dentry *dentry)
{
	return dentry->d_sb->s_type == &pidfd_provider_fs_type;
}

/*
 * What follows keeps pid->attr and pid->record true by each other, be a provider
 * registered or not, and so needs none of the above: nothing here is a module's.
 */

static struct kmem_cache *pidfd_record_cachep __ro_after_init;

/**
 * pidfd_record_alloc - allocate a record that knows nothing
 * @gfp: how to allocate
 *
 * Return: the record, or NULL.
 */
struct pidfd_record *pidfd_record_alloc(gfp_t gfp)
{
	struct pidfd_record *record = kmem_cache_zalloc(pidfd_record_cachep, gfp);

	if (record) {
		INIT_LIST_HEAD_RCU(&record->own_xattrs);
		record->xattrs = &record->own_xattrs;
	}
	return record;
}

static LLIST_HEAD(pidfd_record_free_list);

/* There may be any number of attributes, and who frees a pid must not sleep. */
static void pidfd_record_free_work(struct work_struct *work)
{
	struct llist_node *head = llist_del_all(&pidfd_record_free_list);
	struct pidfd_record *record, *next;

	llist_for_each_entry_safe(record, next, head, free) {
		simple_xattrs_free(pidfs_xattr_cache, &record->own_xattrs, NULL);
		kmem_cache_free(pidfd_record_cachep, record);
	}
}

static DECLARE_WORK(pidfd_record_work, pidfd_record_free_work);

/**
 * pidfd_record_free - free a record and the attributes that are its own
 * @record: the record, which nobody else refers to. Any context.
 */
void pidfd_record_free(struct pidfd_record *record)
{
	VFS_WARN_ON_ONCE(record->stashed);

	if (likely(list_empty(&record->own_xattrs)))
		kmem_cache_free(pidfd_record_cachep, record);
	else if (llist_add(&record->free, &pidfd_record_free_list))
		schedule_work(&pidfd_record_work);
}

static int __init pidfd_record_init(void)
{
	pidfd_record_cachep = KMEM_CACHE(pidfd_record,
					 SLAB_HWCACHE_ALIGN | SLAB_RECLAIM_ACCOUNT |
					 SLAB_ACCOUNT | SLAB_PANIC);
	return 0;
}
core_initcall(pidfd_record_init);

struct file_system_type pidfd_provider_fs_type = {
	.name = "pidfs",
};

/**
 * pidfd_provider_register_pid - make sure that it will be known how a pid ends
 * @pid: process or thread; nothing happens if NULL
 * @gfp: how to allocate
 *
 * Return: 0, -ESRCH if it was reaped before anyone asked for this, or -ENOMEM.
 */
int pidfd_provider_register_pid(struct pid *pid, gfp_t gfp)
{
	if (static_branch_unlikely(&pidfd_provider_key))
		return pid ? rust_pid_register(pid, gfp) : 0;
	return pidfs_register_pid_gfp(pid, gfp);
}

/* Is there something that C, or Rust, keeps of a pid, to be written to? */
#define pidfd_provider_keeps(ptr) (!IS_ERR_OR_NULL(READ_ONCE(ptr)))

/*
 * An end, and a coredump, go to C's state and to Rust's, and either may be in the
 * making right now, from what the other has. It is made under the lock of
 * wait_pidfd, and Rust writes under this lock. So that nothing is lost between
 * the two:
 *
 *   who writes                              who makes one of the two
 *
 *   C's, if it is there                     take the lock
 *   take the lock                           copy what the other has
 *   Rust's, if it is there                  make it visible
 *   unlock                                  unlock
 *   C's, if it is there, and was not
 *   then Rust's once more
 *
 * Who comes to the lock first has made it visible when it is looked for; who comes
 * after has the other one to copy from. A coredump needs no third look: before it,
 * the pid was registered with one of the two.
 */

/**
 * task_wait_status - how a task ended
 * @task: a task that has exited
 *
 * For a thread group leader whose threads have all exited this is what wait4()
 * reports of the process, whichever thread ended it; see wait_task_zombie(). For
 * another thread it is the end of that thread. ->exit_code is what the task
 * itself exited with, and release_task() changes it only for a leader that was a
 * zombie before the last of its threads was released.
 *
 * Any context.
 *
 * Return: the wait status.
 */
int task_wait_status(const struct task_struct *task)
{
	const struct signal_struct *signal = task->signal;

	/* de_thread() changes ->exit_signal with a plain store. */
	if (data_race(READ_ONCE(task->exit_signal)) >= 0 &&
	    (READ_ONCE(signal->flags) & SIGNAL_GROUP_EXIT))
		return READ_ONCE(signal->group_exit_code);
	return READ_ONCE(task->exit_code);
}

/**
 * pidfd_provider_exit - write down how a process or thread ended
 * @tsk: the task; about to be unhashed. May sleep.
 */
void pidfd_provider_exit(struct task_struct *tsk)
{
	struct pid *pid = task_pid(tsk);
	bool c = pidfd_provider_keeps(pid->attr);

	might_sleep();

	/*
	 * For pidfs_exit(), as release_task() does it for a leader that is a zombie:
	 * a record that is made later starts from what C has written.
	 */
	if (static_branch_unlikely(&pidfd_provider_key))
		WRITE_ONCE(tsk->exit_code, task_wait_status(tsk));

	if (c)
		pidfs_exit(tsk);
	rust_pid_exit(pid, tsk);
	if (!c && pidfd_provider_keeps(pid->attr)) {
		pidfs_exit(tsk);
		/* Rust's may have been made meanwhile, from C's before that. */
		rust_pid_exit(pid, tsk);
	}
}

#ifdef CONFIG_COREDUMP
/**
 * pidfd_provider_coredump - write down that a process dumps core
 * @cprm: how; its pid is registered. May sleep.
 */
void pidfd_provider_coredump(const struct coredump_params *cprm)
{
	struct pid *pid = cprm->pid;
	bool c = pidfd_provider_keeps(pid->attr);

	if (c)
		pidfs_coredump(cprm);
	rust_pid_coredump(pid, cprm->dumpable, cprm->siginfo);
	if (!c && pidfd_provider_keeps(pid->attr))
		pidfs_coredump(cprm);
}
#endif

/**
 * pidfd_provider_free_pid - free what is known of a pid
 * @pid: the pid, to which nobody refers any more. Any context.
 */
void pidfd_provider_free_pid(struct pid *pid)
{
	if (pidfd_provider_keeps(pid->record))
		rust_pid_free(pid);
	if (pidfd_provider_keeps(pid->attr))
		pidfs_free_pid(pid);
}

/**
 * pidfd_provider_knows - does Rust know a pid as one that has not been reaped?
 * @pid: the pid
 */
bool pidfd_provider_knows(struct pid *pid)
{
	const struct pidfd_record *record = READ_ONCE(pid->record);

	return !IS_ERR_OR_NULL(record) &&
	       !(READ_ONCE(record->mask) & PIDFD_RECORD_EXIT);
}

/**
 * pidfd_provider_xattrs - the list of a pid's extended attributes
 * @pid:         the pid, of which there is a pidfd
 * @attr_xattrs: the list in C's state of @pid
 *
 * Return: the one list that both sides use, the same as long as @pid lives.
 */
struct list_head *pidfd_provider_xattrs(struct pid *pid, struct list_head *attr_xattrs)
{
	const struct pidfd_record *record = READ_ONCE(pid->record);

	return IS_ERR_OR_NULL(record) ? attr_xattrs : record->xattrs;
}

/**
 * pidfd_provider_register - let a provider serve all pidfds made from now on
 * @provider: the provider; must stay in place until it is unregistered
 *
 * Pidfds that exist keep the file operations they were made with. May sleep.
 *
 * Return: 0, or -EBUSY when another provider is registered.
 */
int pidfd_provider_register(const struct pidfd_provider *provider)
{
	guard(mutex)(&pidfd_provider_lock);

	if (rcu_access_pointer(pidfd_provider))
		return -EBUSY;

	WRITE_ONCE(pidfd_provider_fops, provider->fops);
	static_call_update(pidfd_alloc_file, provider->alloc_file);
	static_call_update(pidfd_clone, provider->clone);
	rcu_assign_pointer(pidfd_provider, provider);
	static_branch_enable(&pidfd_provider_key);
	return 0;
}

/**
 * pidfd_provider_unregister - hand the making of pidfds back to C
 * @provider: the registered provider; none of its files may be open
 *
 * May sleep. When it returns, nothing calls or refers to @provider.
 */
void pidfd_provider_unregister(const struct pidfd_provider *provider)
{
	guard(mutex)(&pidfd_provider_lock);

	if (WARN_ON_ONCE(rcu_access_pointer(pidfd_provider) != provider))
		return;

	static_branch_disable(&pidfd_provider_key);
	RCU_INIT_POINTER(pidfd_provider, NULL);
	synchronize_srcu_expedited(&pidfd_provider_srcu);
	static_call_update(pidfd_alloc_file, pidfd_alloc_file_c);
	static_call_update(pidfd_clone, pidfd_clone_c);
	WRITE_ONCE(pidfd_provider_fops, NULL);
}
