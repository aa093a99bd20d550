// SPDX-License-Identifier: GPL-2.0
/*
 * Pidfd providers: implementations of pid file descriptors.
 *
 * See include/linux/pidfd_provider.h for the life cycle.
 */

#include <linux/cleanup.h>
#include <linux/coredump.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/jump_label.h>
#include <linux/kstrtox.h>
#include <linux/llist.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
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

/* Serialises register, unregister, and the switch. */
static DEFINE_MUTEX(pidfd_provider_lock);

/* The registered provider, whether it serves or not. Protected by pidfd_provider_lock. */
static const struct pidfd_provider *pidfd_provider_registered;

/* The parameter pidfd.provider. Protected by pidfd_provider_lock. */
static bool pidfd_provider_enabled = true;

/* The registered provider while it serves. */
static const struct pidfd_provider __rcu *pidfd_provider;

/* file_operations of the registered provider. NULL matches no file. */
const struct file_operations *pidfd_provider_fops;

/* Enabled while a provider serves. */
static DEFINE_STATIC_KEY_FALSE(pidfd_provider_key);

/* The C code, which serves without a provider. */

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
 * A static call that is not inlined reads its target from memory, and may find that
 * of another provider than @provider. Use the function of @provider then.
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

/* Protects the lookup of the provider and the call. */
DEFINE_STATIC_SRCU_FAST(pidfd_provider_srcu);

/**
 * pidfd_provider_hold - hold the provider's module, and get the provider's root
 * @wanted: false if C serves the call
 * @root:   set to the root of the provider's file system, below which file handles are
 *          opened; the caller drops the reference before pidfd_provider_put()
 *
 * The module comes first. Unregistration waits for the last reference to the root, so
 * no reference is given after an unload has begun.
 *
 * Process context, may sleep.
 *
 * Return: the provider; or NULL, with @root unchanged, if C serves the call.
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
 * pidfd_provider_put - release the module that pidfd_provider_hold() holds
 * @provider: the provider, which may be freed by another CPU after this, or NULL
 *
 * Any context.
 */
void pidfd_provider_put(const struct pidfd_provider *provider)
{
	if (provider)
		module_put(provider->owner);
}

/**
 * pidfd_provider_alloc_file - make the file of a pidfd
 * @pid:   pid of the process or thread
 * @flags: as for pidfs_alloc_file()
 *
 * Process context, may sleep.
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
			/* -ENODEV: an unload of the provider has begun. */
			if (likely(file != ERR_PTR(-ENODEV)))
				return file;
		}
	}
	return pidfd_alloc_file_c(NULL, pid, flags);
}

/**
 * pidfd_provider_clone - make the pidfd for CLONE_PIDFD
 * @pid:      pid of the new child, which no task uses yet
 * @flags:    as for pidfd_prepare()
 * @upidfd:   address to which the descriptor's number is written
 * @ret_file: set to the file on success
 *
 * Process context, may sleep.
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
			/* -ENODEV: an unload of the provider has begun. */
			if (likely(fd != -ENODEV))
				return fd;
		}
	}
	return pidfd_clone_c(NULL, pid, flags, upidfd, ret_file);
}

/**
 * pidfd_provider_made - check for the dentry of a provider's pidfd
 * @dentry: any dentry
 *
 * Any context.
 *
 * Return: true if @dentry is in the file system of a provider.
 */
bool pidfd_provider_made(const struct dentry *dentry)
{
	return dentry->d_sb->s_type == &pidfd_provider_fs_type;
}

/*
 * The functions below keep pid->attr and pid->record consistent, whether a provider is
 * registered or not. They call no code of a module, and need no SRCU.
 */

static struct kmem_cache *pidfd_record_cachep __ro_after_init;

/**
 * pidfd_record_alloc - allocate an empty record
 * @gfp: allocation flags
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

/* The attributes may be many, and the context that frees a pid must not sleep. */
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
 * pidfd_record_free - free a record and its own attributes
 * @record: the record, to which no other reference exists
 *
 * Any context.
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
 * pidfd_provider_register_pid - make the exit of a process or thread be recorded
 * @pid: pid of the process or thread, or NULL
 * @gfp: allocation flags
 *
 * Return: 0, -ESRCH if the task was reaped before the first registration, or -ENOMEM.
 */
int pidfd_provider_register_pid(struct pid *pid, gfp_t gfp)
{
	if (static_branch_unlikely(&pidfd_provider_key))
		return pid ? rust_pid_register(pid, gfp) : 0;
	return pidfs_register_pid_gfp(pid, gfp);
}

/* True if @ptr, the C state or the Rust record of a pid, exists and can be written. */
#define pidfd_provider_keeps(ptr) (!IS_ERR_OR_NULL(READ_ONCE(ptr)))

/*
 * An exit and a coredump are written to the C state and to the record. Another task
 * may initialise one of them from the other at the same time, under the lock of
 * wait_pidfd:
 *
 *   writer                                  task that initialises one of the two
 *
 *   write to the C state, if it exists      take the lock
 *   take the lock                           copy the other one
 *   write to the record, if it exists       make it visible
 *   unlock                                  unlock
 *   if the C state exists and did not
 *   before: write to both
 *
 * If the other task takes the lock first, the writer finds the new state. If the
 * writer takes the lock first, the other task copies from a complete record. A
 * coredump is written to the C state once more and not to the record, because the
 * pid was registered on one side before.
 */

/**
 * task_wait_status - get the wait status of a task
 * @task: a task that has exited
 *
 * For a thread group leader whose threads have all exited, this is the status of the
 * process that wait4() reports, whichever thread ended it; see wait_task_zombie().
 * For another thread, it is the status of that thread. ->exit_code is the status with
 * which the task itself exited. release_task() changes it only for a leader that was
 * a zombie before the last of its threads was released.
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
 * pidfd_provider_exit - record the exit of a process or thread
 * @tsk: the task, before it is unhashed
 *
 * Process context, may sleep.
 */
void pidfd_provider_exit(struct task_struct *tsk)
{
	struct pid *pid = task_pid(tsk);
	bool c = pidfd_provider_keeps(pid->attr);

	might_sleep();

	/*
	 * pidfs_exit() reads ->exit_code. release_task() sets it for a leader that is a
	 * zombie; set it for the others. A later record is initialised from the C state.
	 */
	if (static_branch_unlikely(&pidfd_provider_key))
		WRITE_ONCE(tsk->exit_code, task_wait_status(tsk));

	if (c)
		pidfs_exit(tsk);
	rust_pid_exit(pid, tsk);
	if (!c && pidfd_provider_keeps(pid->attr)) {
		pidfs_exit(tsk);
		/* The record may have been initialised from the C state before that. */
		rust_pid_exit(pid, tsk);
	}
}

#ifdef CONFIG_COREDUMP
/**
 * pidfd_provider_coredump - record the coredump of a process
 * @cprm: the coredump; its pid is registered
 *
 * Process context, may sleep.
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
 * pidfd_provider_free_pid - free the state of a pid on both sides
 * @pid: the pid, to which no reference exists
 *
 * Any context.
 */
void pidfd_provider_free_pid(struct pid *pid)
{
	if (pidfd_provider_keeps(pid->record))
		rust_pid_free(pid);
	if (pidfd_provider_keeps(pid->attr))
		pidfs_free_pid(pid);
}

/**
 * pidfd_provider_knows - check for the record of a pid that has not been reaped
 * @pid: the pid
 *
 * Any context.
 *
 * Return: true if @pid has a record, and the record has no exit.
 */
bool pidfd_provider_knows(struct pid *pid)
{
	const struct pidfd_record *record = READ_ONCE(pid->record);

	return !IS_ERR_OR_NULL(record) &&
	       !(READ_ONCE(record->mask) & PIDFD_RECORD_EXIT);
}

/**
 * pidfd_provider_xattrs - get the list of a pid's extended attributes
 * @pid:         the pid, which has an open pidfd
 * @attr_xattrs: the list in the C state of @pid
 *
 * Return: the list that both sides use, which does not change while @pid exists.
 */
struct list_head *pidfd_provider_xattrs(struct pid *pid, struct list_head *attr_xattrs)
{
	const struct pidfd_record *record = READ_ONCE(pid->record);

	return IS_ERR_OR_NULL(record) ? attr_xattrs : record->xattrs;
}

/* Let @provider make all new pidfds. Called with pidfd_provider_lock held. */
static void pidfd_provider_start(const struct pidfd_provider *provider)
{
	rcu_assign_pointer(pidfd_provider, provider);
	static_branch_enable(&pidfd_provider_key);
}

/*
 * Let the C code make all new pidfds. Called with pidfd_provider_lock held. Calls that
 * have found the provider go on. User memory can stall them, so this does not wait.
 */
static void pidfd_provider_stop(void)
{
	static_branch_disable(&pidfd_provider_key);
	RCU_INIT_POINTER(pidfd_provider, NULL);
}

/**
 * pidfd_provider_register - let a provider make all new pidfds
 * @provider: the provider, which must stay valid until it is unregistered
 *
 * Existing pidfds keep their file operations. With pidfd.provider=0, C goes on to
 * serve until the parameter changes. Process context, may sleep.
 *
 * Return: 0, or -EBUSY if another provider is registered.
 */
int pidfd_provider_register(const struct pidfd_provider *provider)
{
	guard(mutex)(&pidfd_provider_lock);

	if (pidfd_provider_registered)
		return -EBUSY;

	pidfd_provider_registered = provider;
	WRITE_ONCE(pidfd_provider_fops, provider->fops);
	static_call_update(pidfd_alloc_file, provider->alloc_file);
	static_call_update(pidfd_clone, provider->clone);
	if (pidfd_provider_enabled)
		pidfd_provider_start(provider);
	return 0;
}

/**
 * pidfd_provider_unregister - let the C code make all new pidfds
 * @provider: the registered provider, of which no file is open
 *
 * Process context, may sleep. The kernel does not use @provider after the return.
 */
void pidfd_provider_unregister(const struct pidfd_provider *provider)
{
	guard(mutex)(&pidfd_provider_lock);

	if (WARN_ON_ONCE(pidfd_provider_registered != provider))
		return;

	pidfd_provider_stop();
	synchronize_srcu_expedited(&pidfd_provider_srcu);
	static_call_update(pidfd_alloc_file, pidfd_alloc_file_c);
	static_call_update(pidfd_clone, pidfd_clone_c);
	WRITE_ONCE(pidfd_provider_fops, NULL);
	pidfd_provider_registered = NULL;
}

/*
 * The parameter pidfd.provider is the switch between C and a registered provider:
 * with 0, C makes all new pidfds. Pidfds that exist keep their file operations, so
 * the switch works while processes hold them, and the provider's module stays.
 */
static int pidfd_provider_set(const char *text, const struct kernel_param *kp)
{
	bool enabled;
	int err = kstrtobool(text, &enabled);

	if (err)
		return err;

	guard(mutex)(&pidfd_provider_lock);
	if (enabled == pidfd_provider_enabled)
		return 0;
	pidfd_provider_enabled = enabled;
	if (!pidfd_provider_registered)
		return 0;
	if (enabled)
		pidfd_provider_start(pidfd_provider_registered);
	else
		pidfd_provider_stop();
	return 0;
}

static const struct kernel_param_ops pidfd_provider_ops = {
	.set = pidfd_provider_set,
	.get = param_get_bool,
};

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "pidfd."
module_param_cb(provider, &pidfd_provider_ops, &pidfd_provider_enabled, 0644);
MODULE_PARM_DESC(provider, "let a registered provider make new pidfds (default: true)");
