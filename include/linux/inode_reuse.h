/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_INODE_REUSE_H
#define _LINUX_INODE_REUSE_H

/*
 * An inode that a file system keeps after its last user is gone, and gives to
 * another object later, still has the blob of the security modules. See
 * security/inode_reuse.c.
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
