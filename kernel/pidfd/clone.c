// SPDX-License-Identifier: GPL-2.0
/*
 * CLONE_PIDFD without a provider.
 */

#include <linux/file.h>
#include <linux/pid.h>
#include <linux/pidfd_provider.h>
#include <linux/uaccess.h>

/**
 * pidfd_clone - make the pidfd for CLONE_PIDFD with fs/pidfs.c
 * @pid:      pid of the new child, which no task uses yet
 * @flags:    as for pidfd_prepare()
 * @upidfd:   address to which the descriptor's number is written
 * @ret_file: set to the file on success
 *
 * Process context, may sleep.
 *
 * Return: a reserved descriptor, or a negative errno and nothing to undo.
 */
int pidfd_clone(struct pid *pid, unsigned int flags, int __user *upidfd,
		struct file **ret_file)
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
