// SPDX-License-Identifier: GPL-2.0

#include <linux/magic.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>

/* The pid namespace of the procfs instance of @m, or NULL if @m is in another file system. */
__rust_helper struct pid_namespace *
rust_helper_seq_file_proc_pid_ns(struct seq_file *m)
{
	struct super_block *sb;

	if (!m->file)
		return NULL;
	sb = file_inode(m->file)->i_sb;
	return sb->s_magic == PROC_SUPER_MAGIC ? proc_pid_ns(sb) : NULL;
}
