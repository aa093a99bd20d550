// SPDX-License-Identifier: GPL-2.0
/*
 * Deliberate mistakes that the checks of the kernel have to detect, for make test-debug:
 * insmod pidfd_broken.ko mistake=NAME. lkdtm and samples/kmemleak make further ones.
 */

#include <linux/cleanup.h>
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/pidfd_provider.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

static char *mistake = "none";
module_param(mistake, charp, 0444);
MODULE_PARM_DESC(mistake, "name of the mistake to make");

static DEFINE_SPINLOCK(outer);
static DEFINE_SPINLOCK(inner);

/* DEBUG_ATOMIC_SLEEP. */
static void sleep_in_atomic(void)
{
	guard(spinlock)(&outer);
	kfree(kmalloc(192, GFP_KERNEL));
}

/* PROVE_LOCKING: two orders of two locks. */
static void lock_inversion(void)
{
	scoped_guard(spinlock, &outer)
		guard(spinlock)(&inner);
	scoped_guard(spinlock, &inner)
		guard(spinlock)(&outer);
}

/* PROVE_RCU. */
static void rcu_without_lock(void)
{
	static int __rcu *pointer;

	pr_info("pointer %p\n", rcu_dereference(pointer));
}

static long shared;

#define TIMES 2000000

static int rust_count_up(void *done)
{
	rust_pidfd_broken_count(&shared, TIMES);
	complete(done);
	return 0;
}

/* KCSAN. */
static void rust_data_race(void)
{
	DECLARE_COMPLETION_ONSTACK(one);
	DECLARE_COMPLETION_ONSTACK(two);
	struct task_struct *first = kthread_create(rust_count_up, &one, "pidfd_broken/0");
	struct task_struct *second = kthread_create(rust_count_up, &two, "pidfd_broken/1");

	if (IS_ERR(first) || IS_ERR(second))
		return;
	kthread_bind(first, 0);
	kthread_bind(second, 1);
	wake_up_process(first);
	wake_up_process(second);
	wait_for_completion(&one);
	wait_for_completion(&two);
}

static const struct {
	const char *name;
	void (*make)(void);
} mistakes[] = {
	{ "sleep_in_atomic", sleep_in_atomic },
	{ "lock_inversion", lock_inversion },
	{ "rcu_without_lock", rcu_without_lock },
	{ "rust_data_race", rust_data_race },
};

static int __init pidfd_broken_init(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
		if (!strcmp(mistake, mistakes[i].name)) {
			mistakes[i].make();
			return 0;
		}
	}
	pr_err("mistake=%s is not known\n", mistake);
	return -EINVAL;
}
module_init(pidfd_broken_init);

static void __exit pidfd_broken_exit(void)
{
}
module_exit(pidfd_broken_exit);

MODULE_DESCRIPTION("Deliberate mistakes for the checks of the kernel");
MODULE_LICENSE("GPL");
