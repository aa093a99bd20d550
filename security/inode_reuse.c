// SPDX-License-Identifier: GPL-2.0
/*
 * Inodes that go from one object to the next without being freed.
 *
 * A security module must not be able to tell such an inode from a new one: the
 * blob has to be as security_inode_alloc() leaves it, on behalf of the task that
 * uses the inode next.
 *
 * What each module keeps in the blob of an S_PRIVATE inode, and when:
 *
 * ============ ==============================================================
 * bpf          storage that a program or bpf(2) attaches: checked
 * evm          status of a verification that S_PRIVATE inodes never undergo
 * ima          state of a measurement, together with S_IMA: checked
 * ipe          fs-verity's signature, which such an inode cannot have
 * landlock     object of a rule; refused for S_PRIVATE inodes, and checked
 * selinux      sid of the task that allocated the inode, and more on ->open()
 * smack        label of the task that allocated the inode
 * ============ ==============================================================
 *
 * AppArmor, TOMOYO and the smaller modules keep nothing in inodes. With SELinux,
 * Smack, or a module that is not known here, the blob is freed and allocated
 * again. The hooks of BPF programs run in either case.
 */

#include <linux/bpf_lsm.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/inode_reuse.h>
#include <linux/security.h>
#include <uapi/linux/lsm.h>

#include "lsm.h"
#ifdef CONFIG_SECURITY_LANDLOCK
#include "landlock/fs.h"
#endif

/* Whether each active module is one whose blob does not depend on the task. */
static bool blobs_are_inert __ro_after_init;
static bool bpf_is_active __ro_after_init;
static bool landlock_is_active __ro_after_init;

/**
 * security_inode_is_reusable - check that modules have attached nothing
 * @inode: an S_PRIVATE inode that only the caller uses
 *
 * Any context.
 *
 * Return: false if a module keeps something for @inode that has to be released
 * when the object of @inode goes.
 */
bool security_inode_is_reusable(const struct inode *inode)
{
	if (IS_IMA(inode))
		return false;
#ifdef CONFIG_BPF_LSM
	if (bpf_is_active && rcu_access_pointer(bpf_inode(inode)->storage))
		return false;
#endif
#ifdef CONFIG_SECURITY_LANDLOCK
	if (landlock_is_active && rcu_access_pointer(landlock_inode(inode)->object))
		return false;
#endif
	return true;
}

/* As a new inode is when its blob is allocated: a program may look. */
static void forget_object(struct inode *inode)
{
	inode->i_ino = 0;
	inode->i_flags = 0;
	inode->i_mode = 0;
}

/* Free the blob and allocate another one. On error the old one stays. */
static int security_inode_replace(struct inode *inode)
{
	void *old = inode->i_security, *new;
	int ret;

	forget_object(inode);
	ret = security_inode_alloc(inode, GFP_KERNEL);
	new = inode->i_security;
	inode->i_security = old;
	if (ret)
		return ret;

	security_inode_free(inode);
	inode->i_security = new;
	return 0;
}

/**
 * security_inode_reuse - make the blob as that of a new inode
 * @inode: an S_PRIVATE inode that only the caller uses, and for which
 *         security_inode_is_reusable() was true since its last user was gone
 *
 * On behalf of the current task. The number, flags and mode of @inode are the
 * caller's to set again. Process context, may sleep.
 *
 * Return: 0, -ENOMEM, or the error of a BPF program. The inode can then only be
 * freed.
 */
int security_inode_reuse(struct inode *inode)
{
	if (unlikely(!blobs_are_inert))
		return security_inode_replace(inode);
#ifdef CONFIG_BPF_LSM
	if (bpf_is_active) {
		bpf_lsm_inode_free_security(inode);
		/* A program may have attached something even now. */
		if (unlikely(rcu_access_pointer(bpf_inode(inode)->storage)))
			return security_inode_replace(inode);
		forget_object(inode);
		return bpf_lsm_inode_alloc_security(inode);
	}
#endif
	return 0;
}

static int __init inode_reuse_init(void)
{
	unsigned int i;

	blobs_are_inert = true;
	for (i = 0; i < lsm_active_cnt; i++) {
		switch (lsm_idlist[i]->id) {
		case LSM_ID_BPF:
			bpf_is_active = true;
			break;
		case LSM_ID_LANDLOCK:
			landlock_is_active = true;
			break;
		case LSM_ID_APPARMOR:
		case LSM_ID_CAPABILITY:
		case LSM_ID_EVM:
		case LSM_ID_IMA:
		case LSM_ID_IPE:
		case LSM_ID_LOADPIN:
		case LSM_ID_LOCKDOWN:
		case LSM_ID_SAFESETID:
		case LSM_ID_TOMOYO:
		case LSM_ID_YAMA:
			break;
		default:
			blobs_are_inert = false;
		}
	}
	return 0;
}
core_initcall(inode_reuse_init);
