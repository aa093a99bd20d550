// SPDX-License-Identifier: GPL-2.0

#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/kdev_t.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <linux/statfs.h>

__rust_helper struct file *rust_helper_dentry_open_current(const struct path *path,
							   unsigned int flags)
{
	return dentry_open(path, flags, current_cred());
}

/*
 * Unmount what kern_mount() mounted, and wait until nobody is left who looks at
 * its super block's operations.
 */
__rust_helper void rust_helper_kern_unmount_wait(struct vfsmount *mnt)
{
	struct super_block *sb = mnt->mnt_sb;

	/* With this, all that the last user of the mount does to @sb is to let go. */
	atomic_inc(&sb->s_active);
	kern_unmount(mnt);
	while (atomic_read(&sb->s_active) > 1)
		schedule_timeout_uninterruptible(1);
	deactivate_super(sb);
}

__rust_helper __kernel_fsid_t rust_helper_dev_to_fsid(dev_t dev)
{
	return u64_to_fsid(huge_encode_dev(dev));
}
