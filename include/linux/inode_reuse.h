/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_INODE_REUSE_H
#define _LINUX_INODE_REUSE_H

/*
 * Security modules and inodes that a file system reuses for another object without
 * freeing them. See security/inode_reuse.c.
 */

#include <linux/types.h>

struct inode;

#ifdef CONFIG_SECURITY
bool security_inode_is_reusable(const struct inode *inode);
int security_inode_reuse(struct inode *inode);
#else
static inline bool security_inode_is_reusable(const struct inode *inode)
{
	return true;
}

static inline int security_inode_reuse(struct inode *inode)
{
	return 0;
}
#endif

#endif /* _LINUX_INODE_REUSE_H */
