// SPDX-License-Identifier: GPL-2.0
/*
 * Included at the end of fs/pidfs.c: access of a pidfd provider to the C state of a
 * pid, which is private to that file.
 */

/* Held, below the lock of an inode, to change extended attributes of a pidfd. */
DEFINE_MUTEX(pidfd_provider_xattr_lock);

#ifdef CONFIG_RUST

/* The caller holds the RCU read lock. */
struct pid *pidfs_find_pid(u64 ino)
{
	return rhashtable_lookup(&pidfs_ino_ht, &ino, pidfs_ino_ht_params);
}

/* True if the pid of @attr was reaped. @attr is not NULL. */
bool pidfs_attr_gone(const struct pidfs_attr *attr)
{
	return IS_ERR(attr) || test_bit(PIDFS_ATTR_BIT_EXIT, &attr->attr_mask);
}

/*
 * Initialise @record from the C state. The caller holds pid->wait_pidfd.lock, and
 * @attr is no error pointer. If C is writing an exit or a coredump at this time, the
 * writer updates the record afterwards, see pidfd_provider_exit().
 */
void pidfs_attr_to_record(struct pidfs_attr *attr, struct pidfd_record *record)
{
	record->xattrs = &attr->xattrs;

	if (test_bit(PIDFS_ATTR_BIT_EXIT, &attr->attr_mask)) {
		smp_rmb(); /* pairs with smp_wmb() in pidfs_exit() */
		record->cgroupid = attr->cgroupid;
		record->exit_code = attr->exit_code;
		record->mask |= PIDFD_RECORD_EXIT;
	}
	if (test_bit(PIDFS_ATTR_BIT_COREDUMP, &attr->attr_mask)) {
		smp_rmb(); /* pairs with smp_wmb() in pidfs_coredump() */
		record->coredump_mask = attr->coredump_mask;
		record->coredump_signal = attr->coredump_signal;
		record->coredump_code = attr->coredump_code;
		record->mask |= PIDFD_RECORD_COREDUMP;
	}
}

/* Initialise @attr, which is not visible yet, from the record. Locking as above. */
void pidfs_record_to_attr(struct pid *pid, struct pidfs_attr *attr)
{
	const struct pidfd_record *record = pid->record;
	u32 mask;

	/* Pairs with the store in Record::announce(). */
	mask = IS_ERR_OR_NULL(record) ? 0 : smp_load_acquire(&record->mask);
	if (mask & PIDFD_RECORD_EXIT) {
		attr->cgroupid = record->cgroupid;
		attr->exit_code = record->exit_code;
		set_bit(PIDFS_ATTR_BIT_EXIT, &attr->attr_mask);
	}
	if (mask & PIDFD_RECORD_COREDUMP) {
		attr->coredump_mask = record->coredump_mask;
		attr->coredump_signal = record->coredump_signal;
		attr->coredump_code = record->coredump_code;
		set_bit(PIDFS_ATTR_BIT_COREDUMP, &attr->attr_mask);
	}
}

/* One cache serves both sides, so that they can share attributes. */
struct simple_xattr_cache *const pidfs_xattr_cache = &pidfs_xa_cache;

/* The device number that st_dev reports for each pidfd. */
dev_t pidfs_device __ro_after_init;

/* pidfs_init() comes before all initcalls. */
static int __init pidfs_provider_init(void)
{
	pidfs_device = pidfs_mnt->mnt_sb->s_dev;
	return 0;
}
pure_initcall(pidfs_provider_init);

#endif /* CONFIG_RUST */
