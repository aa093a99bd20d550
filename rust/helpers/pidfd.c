// SPDX-License-Identifier: GPL-2.0

#include <linux/percpu.h>
#include <linux/pidfd_provider.h>

__rust_helper void rust_helper_pidfd_count_created(void)
{
	this_cpu_inc(pidfd_counts.created);
}

__rust_helper void rust_helper_pidfd_count_released(void)
{
	this_cpu_inc(pidfd_counts.released);
}
