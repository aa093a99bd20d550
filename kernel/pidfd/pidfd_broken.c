// SPDX-License-Identifier: GPL-2.0
/*
 * Mistakes of the kinds that the kernel's checks are to find, to see that they do:
 * insmod pidfd_broken.ko mistake=NAME. For make test-debug only.
 */

#include <linux/cleanup.h>
#include <linux/compiler.h>
#include <linux/completion.h>
#include <linux/gfp.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

static char *mistake = "none";
module_param(mistake, charp, 0444);
MODULE_PARM_DESC(mistake, "what to do wrong");

/* KASAN. */
static void use_after_free(void)
{
	int *numbers = kmalloc_array(4, sizeof(*numbers), GFP_KERNEL);

	if (!numbers)
		return;
	OPTIMIZER_HIDE_VAR(numbers);
	kfree(numbers);
	pr_info("number %d\n", READ_ONCE(numbers[1]));
}

/* SLUB_DEBUG: what is written is found when the memory goes back. */
static void write_after_free(void)
{
	struct kmem_cache *cache = kmem_cache_create("pidfd_broken", 64, 0, SLAB_NO_MERGE, NULL);
	u64 *numbers;

	if (!cache)
		return;
	numbers = kmem_cache_alloc(cache, GFP_KERNEL);
	if (numbers) {
		OPTIMIZER_HIDE_VAR(numbers);
		kmem_cache_free(cache, numbers);
		WRITE_ONCE(numbers[1], 1);
	}
	kmem_cache_destroy(cache);
}

/* PAGE_POISONING: when it is handed out again. */
static void write_to_free_page(void)
{
	u64 *numbers = (u64 *)__get_free_page(GFP_KERNEL);
	unsigned long again[64];

	if (!numbers)
		return;
	OPTIMIZER_HIDE_VAR(numbers);
	free_page((unsigned long)numbers);
	WRITE_ONCE(numbers[1], 1);
	for (int i = 0; i < ARRAY_SIZE(again); i++)
		again[i] = __get_free_page(GFP_KERNEL);
	for (int i = 0; i < ARRAY_SIZE(again); i++)
		free_page(again[i]);
}

/* UBSAN. */
static void out_of_bounds(void)
{
	static int numbers[4];
	/* One past the end is a place that an address may have. */
	int i = 5 + current->pid % 2;

	OPTIMIZER_HIDE_VAR(i);
	numbers[i - 5] = i;
	pr_info("number %d\n", READ_ONCE(numbers[i]));
}

/* kmemleak. */
static void leak(void)
{
	for (int i = 0; i < 16; i++) {
		void *lost = kmalloc(192, GFP_KERNEL);

		OPTIMIZER_HIDE_VAR(lost);
	}
}

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

/* DEBUG_LIST. */
static void list_corruption(void)
{
	static LIST_HEAD(head);
	static struct list_head entry;

	list_add(&entry, &head);
	list_add(&entry, &head);
}

/* REFCOUNT: a count that was zero is taken up again. */
static void refcount_from_zero(void)
{
	refcount_t count = REFCOUNT_INIT(0);

	refcount_inc(&count);
}

static long shared;

#define TIMES 2000000

static int count_up(void *done)
{
	for (int i = 0; i < TIMES; i++) {
		shared++;
		barrier();
	}
	complete(done);
	return 0;
}

/* rust/kernel/pidfd_broken.rs */
void rust_pidfd_broken_count(long *number, int times);

static int rust_count_up(void *done)
{
	rust_pidfd_broken_count(&shared, TIMES);
	complete(done);
	return 0;
}

static void race(int (*count)(void *done))
{
	DECLARE_COMPLETION_ONSTACK(one);
	DECLARE_COMPLETION_ONSTACK(two);
	struct task_struct *first = kthread_create(count, &one, "pidfd_broken/0");
	struct task_struct *second = kthread_create(count, &two, "pidfd_broken/1");

	if (IS_ERR(first) || IS_ERR(second))
		return;
	kthread_bind(first, 0);
	kthread_bind(second, 1);
	wake_up_process(first);
	wake_up_process(second);
	wait_for_completion(&one);
	wait_for_completion(&two);
}

/* KCSAN. */
static void racing_writers(void)
{
	race(count_up);
}

/* KCSAN, of Rust. */
static void racing_rust(void)
{
	race(rust_count_up);
}

static const struct {
	const char *name;
	void (*make)(void);
} mistakes[] = {
	{ "use_after_free", use_after_free },
	{ "write_after_free", write_after_free },
	{ "write_to_free_page", write_to_free_page },
	{ "out_of_bounds", out_of_bounds },
	{ "leak", leak },
	{ "sleep_in_atomic", sleep_in_atomic },
	{ "lock_inversion", lock_inversion },
	{ "rcu_without_lock", rcu_without_lock },
	{ "list_corruption", list_corruption },
	{ "refcount_from_zero", refcount_from_zero },
	{ "data_race", racing_writers },
	{ "rust_data_race", racing_rust },
};

static int __init pidfd_broken_init(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
		if (!strcmp(mistake, mistakes[i].name)) {
			mistakes[i].make();
			return 0;
		}
	}
	pr_err("mistake=%s is none that is known here\n", mistake);
	return -EINVAL;
}
module_init(pidfd_broken_init);

static void __exit pidfd_broken_exit(void)
{
}
module_exit(pidfd_broken_exit);

MODULE_DESCRIPTION("Mistakes that the kernel's checks are to find");
MODULE_LICENSE("GPL");
