// SPDX-License-Identifier: GPL-2.0
/*
 * The numbers of pidfds that a provider has made and that are open.
 *
 * Counters and files are built in. A process that has a file open, or whose memory
 * stalls a read of it, does not delay an unload of the provider.
 */

#include <linux/cpumask.h>
#include <linux/dcache.h>
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/percpu.h>
#include <linux/pidfd_provider.h>
#include <linux/seq_file.h>

DEFINE_PER_CPU(struct pidfd_counts, pidfd_counts);

static unsigned long pidfd_counts_sum(const unsigned long __percpu *count)
{
	unsigned long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(count, cpu));
	return sum;
}

static bool pidfd_counts_removed(const struct seq_file *m)
{
	return d_unlinked(file_dentry(m->file));
}

/* The private data is the number of pidfds created before the file. */
static int pidfd_counts_created_show(struct seq_file *m, void *v)
{
	if (pidfd_counts_removed(m))
		return -EIO;

	seq_printf(m, "%lu\n", pidfd_counts_sum(&pidfd_counts.created) - (unsigned long)m->private);
	return 0;
}

static int pidfd_counts_open_show(struct seq_file *m, void *v)
{
	unsigned long created, released;

	if (pidfd_counts_removed(m))
		return -EIO;

	released = pidfd_counts_sum(&pidfd_counts.released);
	/* Read the second count last: a pidfd is created before it is released. */
	smp_rmb();
	created = pidfd_counts_sum(&pidfd_counts.created);
	/* The two counts of one pidfd may become visible in either order. */
	seq_printf(m, "%lu\n", created > released ? created - released : 0);
	return 0;
}

/*
 * debugfs_remove() waits for an open(), and not for a read: a read copies the number
 * to user space without a reference to the file.
 */
DEFINE_SHOW_ATTRIBUTE(pidfd_counts_created);
DEFINE_SHOW_ATTRIBUTE(pidfd_counts_open);

/**
 * pidfd_counts_create - create the files created and open in debugfs
 * @name: name of their directory
 *
 * The number of pidfds created starts from 0. Process context, may sleep.
 *
 * Return: the directory, for pidfd_counts_remove(), or an error pointer.
 */
struct dentry *pidfd_counts_create(const char *name)
{
	struct dentry *dir = debugfs_create_dir(name, NULL);
	void *base = (void *)pidfd_counts_sum(&pidfd_counts.created);

	debugfs_create_file_unsafe("created", 0400, dir, base, &pidfd_counts_created_fops);
	debugfs_create_file_unsafe("open", 0400, dir, NULL, &pidfd_counts_open_fops);
	return dir;
}

/**
 * pidfd_counts_remove - remove the files created and open
 * @dir: directory that pidfd_counts_create() returned
 *
 * A later read of an open file fails with -EIO. Process context, may sleep.
 */
void pidfd_counts_remove(struct dentry *dir)
{
	debugfs_remove(dir);
}
