// SPDX-License-Identifier: GPL-2.0

#include <linux/cred.h>
#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/inode_reuse.h>
#include <linux/kdev_t.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/statfs.h>

#include "../../fs/internal.h"

__rust_helper struct file *rust_helper_dentry_open_current(const struct path *path,
							   unsigned int flags)
{
	return dentry_open(path, flags, current_cred());
}

/*
 * Unmount @mnt of kern_mount_wait(), and wait until it has no user: no file and no path.
 * Returns the super block, which the caller passes to kill_super().
 */
__rust_helper struct super_block *rust_helper_kern_unmount_wait(struct vfsmount *mnt)
{
	struct super_block *sb = mnt->mnt_sb;

	/* The last user of the mount drops its reference, and does not shut down @sb. */
	atomic_inc(&sb->s_active);
	kern_unmount(mnt);
	while (atomic_read(&sb->s_active) > 1)
		schedule_timeout_uninterruptible(1);
	return sb;
}

/*
 * Drop the reference of kern_unmount_wait(), and wait until @sb is dead. A thaw of all
 * file systems may hold an active reference for a moment, and then shuts down @sb in
 * place of this function. An iteration over all super blocks may hold a passive
 * reference for ever; clear the pointers to the module of the file system.
 */
__rust_helper void rust_helper_kill_super(struct super_block *sb)
{
	refcount_inc(&sb->s_passive);
	deactivate_super(sb);
	/* Pairs with the store in super_wake(). */
	while (!(smp_load_acquire(&sb->s_flags) & SB_DEAD))
		schedule_timeout_uninterruptible(1);
	sb->s_fs_info = NULL;
	sb->s_export_op = NULL;
	sb->s_xattr = NULL;
	sb->__s_d_op = NULL;
	put_super(sb);
}

/*
 * Mount @type as kern_mount() does. If this fails after the super block was made, a
 * thaw of all file systems may hold an active reference to it: wait until it is dead.
 */
__rust_helper struct vfsmount *rust_helper_kern_mount_wait(struct file_system_type *type)
{
	struct fs_context *fc = fs_context_for_mount(type, SB_KERNMOUNT);
	struct super_block *sb = NULL;
	struct vfsmount *mnt;
	int ret;

	if (IS_ERR(fc))
		return ERR_CAST(fc);
	ret = vfs_parse_fs_string(fc, "source", type->name);
	mnt = ret ? ERR_PTR(ret) : fc_mount_longterm(fc);
	if (IS_ERR(mnt) && fc->root) {
		sb = fc->root->d_sb;
		atomic_inc(&sb->s_active);
	}
	put_fs_context(fc);
	if (sb)
		rust_helper_kill_super(sb);
	return mnt;
}

__rust_helper __kernel_fsid_t rust_helper_dev_to_fsid(dev_t dev)
{
	return u64_to_fsid(huge_encode_dev(dev));
}

__rust_helper struct dentry *rust_helper_file_dentry(const struct file *file)
{
	return file_dentry(file);
}

__rust_helper unsigned int rust_helper_dentry_count(const struct dentry *dentry)
{
	/* The count may be outdated. A caller that relies on it checks again under the lock. */
	return data_race(READ_ONCE(dentry->d_lockref.count));
}

/* Lock @dentry if the caller has the only reference to it. */
__rust_helper bool rust_helper_dentry_lock_unshared(struct dentry *dentry)
{
	if (rust_helper_dentry_count(dentry) != 1)
		return false;
	spin_lock(&dentry->d_lock);
	if (d_count(dentry) == 1)
		return true;
	spin_unlock(&dentry->d_lock);
	return false;
}

__rust_helper void rust_helper_dentry_unlock(struct dentry *dentry)
{
	spin_unlock(&dentry->d_lock);
}

__rust_helper void rust_helper_dget_dlock(struct dentry *dentry)
{
	dget_dlock(dentry);
}

/*
 * True if the dentry of @inode is its only user, and no state of this use is attached:
 * notification marks, locks, a write hint, state of security modules. The next object
 * of @inode must not see such state.
 */
__rust_helper bool rust_helper_inode_is_unused(struct inode *inode)
{
	if (icount_read_once(inode) != 1 || inode_state_read_once(inode))
		return false;
	if (READ_ONCE(inode->i_write_hint) != WRITE_LIFE_NOT_SET)
		return false;
#ifdef CONFIG_FSNOTIFY
	if (rcu_access_pointer(inode->i_fsnotify_marks))
		return false;
#endif
	return !inode->i_flctx && security_inode_is_reusable(inode);
}

#ifndef CONFIG_SECURITY
__rust_helper int rust_helper_security_inode_reuse(struct inode *inode)
{
	return security_inode_reuse(inode);
}
#endif

#ifndef CONFIG_MODULES
__rust_helper bool rust_helper_try_module_get(struct module *module)
{
	return try_module_get(module);
}

__rust_helper void rust_helper_module_put(struct module *module)
{
	module_put(module);
}
#endif

__rust_helper void *rust_helper_alloc_percpu_bytes(size_t size, size_t align)
{
	return (__force void *)__alloc_percpu(size, align);
}

/* The pointer of this CPU. Disables preemption until rust_helper_put_this_cpu_ptr(). */
__rust_helper void *rust_helper_get_this_cpu_ptr(void *cpus)
{
	return get_cpu_ptr((__force void __percpu *)cpus);
}

__rust_helper void rust_helper_put_this_cpu_ptr(void *cpus)
{
	put_cpu_ptr((__force void __percpu *)cpus);
}

/* The pointer of CPU @cpu, or NULL if the CPU is not possible. */
__rust_helper void *rust_helper_possible_cpu_ptr(void *cpus, unsigned int cpu)
{
	return cpu_possible(cpu) ? per_cpu_ptr((__force void __percpu *)cpus, cpu) : NULL;
}
