// SPDX-License-Identifier: GPL-2.0
/*
 * Pidfd providers: who makes and recognises pid file descriptors.
 *
 * include/linux/pidfd_provider.h tells the life cycle and why it is safe.
 */

#include <linux/cleanup.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/jump_label.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/pidfd_provider.h>
#include <linux/pidfs.h>
#include <linux/rcupdate.h>
#include <linux/static_call.h>
#include <linux/uaccess.h>

/* Serialises register and unregister. */
static DEFINE_MUTEX(pidfd_provider_lock);

static const struct pidfd_provider __rcu *pidfd_provider;

/* file_operations of the registered provider; matches no file when NULL. */
static const struct file_operations *pidfd_provider_fops;

/* On while a provider is registered. */
static DEFINE_STATIC_KEY_FALSE(pidfd_provider_key);

static int pidfd_clone_c(struct pid *pid, unsigned int flags,
			 int __user *upidfd, struct file **ret_file)
{
	struct file *file;
	int fd, ret;

	fd = pidfd_prepare(pid, flags, &file);
	if (fd < 0)
		return fd;

	ret = put_user(fd, upidfd);
	if (ret) {
		fput(file);
		put_unused_fd(fd);
		return ret;
	}

	*ret_file = file;
	return fd;
}

DEFINE_STATIC_CALL(pidfd_alloc_file, pidfs_alloc_file);
DEFINE_STATIC_CALL(pidfd_clone, pidfd_clone_c);

/*
 * Get the registered provider with a reference on its module, or NULL when C
 * has to serve the call.
 */
static const struct pidfd_provider *pidfd_provider_get(void)
{
	const struct pidfd_provider *provider;

	if (!static_branch_unlikely(&pidfd_provider_key))
		return NULL;

	guard(rcu)();
	provider = rcu_dereference(pidfd_provider);
	if (provider && try_module_get(provider->owner))
		return provider;
	return NULL;
}

/* The provider itself may be gone as soon as its module reference is dropped. */
static void pidfd_provider_put(const struct pidfd_provider *provider)
{
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
	const struct pidfd_provider *provider = pidfd_provider_get();
	struct file *file;

	if (!provider)
		return pidfs_alloc_file(pid, flags);

	file = static_call(pidfd_alloc_file)(pid, flags);
	pidfd_provider_put(provider);
	return file;
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
	const struct pidfd_provider *provider = pidfd_provider_get();
	int fd;

	if (!provider)
		return pidfd_clone_c(pid, flags, upidfd, ret_file);

	fd = static_call(pidfd_clone)(pid, flags, upidfd, ret_file);
	pidfd_provider_put(provider);
	return fd;
}

/**
 * pidfd_provider_pid - the process that a provider's pidfd refers to
 * @file: any open file
 *
 * @file keeps the provider's module, and so its file_operations, in place: if
 * the addresses are equal, it is the provider's file.
 *
 * Return: the struct pid, valid as long as @file; -EBADF for other files.
 */
struct pid *pidfd_provider_pid(const struct file *file)
{
	if (file->f_op != READ_ONCE(pidfd_provider_fops))
		return ERR_PTR(-EBADF);
	return file->private_data;
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
EXPORT_SYMBOL_FOR_MODULES(pidfd_provider_register, "rust_pidfd");

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
	synchronize_rcu();
	static_call_update(pidfd_alloc_file, pidfs_alloc_file);
	static_call_update(pidfd_clone, pidfd_clone_c);
	WRITE_ONCE(pidfd_provider_fops, NULL);
}
EXPORT_SYMBOL_FOR_MODULES(pidfd_provider_unregister, "rust_pidfd");
