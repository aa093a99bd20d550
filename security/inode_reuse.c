// SPDX-License-Identifier: GPL-2.0
/*
 * Inodes that a file system reuses for another object without freeing them.
 *
 * The blob of a reused inode must equal that of a new inode: its content is that of
 * security_inode_alloc(), on behalf of the task that uses the inode next.
 *
 * The content of the blob of an S_PRIVATE inode, for each module:
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
 * AppArmor, TOMOYO and the smaller modules have no blob in inodes. With SELinux,
 * Smack, or an unknown module, the blob is freed and allocated again. The hooks of
 * BPF programs run in either case.
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

/* True if no active module has a blob that depends on the allocating task. */
static bool blobs_are_inert __ro_after_init;
static bool bpf_is_active __ro_after_init;
static bool landlock_is_active __ro_after_init;

/**
 * security_inode_is_reusable - check for state that modules have attached
 * @inode: an S_PRIVATE inode that only the caller uses
 *
 * Any context.
 *
 * Return: false if a module has attached state to @inode, which must be released
 * together with the object of @inode.
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

/* Reset the fields that a BPF program sees while the blob of a new inode is allocated. */
static void forget_object(struct inode *inode)
{
	inode->i_ino = 0;
	inode->i_flags = 0;
	inode->i_mode = 0;
}

/* Free the blob and allocate another one. Keep the old one on error. */
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
 * security_inode_reuse - make the blob equal to that of a new inode
 * @inode: an S_PRIVATE inode that only the caller uses, and for which
 *         security_inode_is_reusable() was true after its last user
 *
 * The current task is the one that allocates the blob. The caller sets the number,
 * flags and mode of @inode again. Process context, may sleep.
 *
 * Return: 0, -ENOMEM, or the error of a BPF program. After an error, the caller can
 * only free the inode.
 */
int security_inode_reuse(struct inode *inode)
{
	if (unlikely(!blobs_are_inert))
		return security_inode_replace(inode);
#ifdef CONFIG_BPF_LSM
	if (bpf_is_active) {
		bpf_lsm_inode_free_security(inode);
		/* A program may have attached storage in the meantime. */
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
