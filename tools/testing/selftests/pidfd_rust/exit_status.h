/* SPDX-License-Identifier: GPL-2.0 */
/* Scenarios in which a process with threads exits, and what its pidfds report. */
#ifndef EXIT_STATUS_H
#define EXIT_STATUS_H

#include <sys/resource.h>

#include "pidfs.h"
#include "process.h"
#include "rust_harness.h"

/* Exit codes of the leader, of the thread that ends the process, and of others. */
#define LEADER_CODE 11
#define THREAD_CODE 22
#define OTHER_CODE 33
#define GROUP_CODE 44
#define PROGRAM_CODE 55

#define DUMPED 0x80

/*
 * A scenario ends a process with threads, or makes it end at let_end(). It returns NULL, or the
 * step that failed.
 */
#define MUST(condition) do {						\
	if (!(condition))						\
		return #condition;					\
} while (0)

/* A thread that asks for the status as soon as poll() returns. */
struct asker {
	pthread_t thread;
	pid_t tid;
	int fd;
	int revents;
	int reported;
	bool woken;
};

static inline void *asks_when_woken(void *arg)
{
	struct asker *a = arg;

	__atomic_store_n(&a->tid, gettid(), __ATOMIC_SEQ_CST);
	a->revents = becomes_ready(a->fd, POLLIN);
	a->reported = exit_code_of(a->fd);
	__atomic_store_n(&a->woken, true, __ATOMIC_SEQ_CST);
	return NULL;
}

static inline bool start_asker(struct asker *a, int fd)
{
	*a = (struct asker) { .fd = fd };
	if (pthread_create(&a->thread, NULL, asks_when_woken, a))
		return false;
	while (!__atomic_load_n(&a->tid, __ATOMIC_SEQ_CST))
		sched_yield();
	return thread_becomes(getpid(), a->tid, 'S');
}

static struct asker asker;

/* No pidfd reports the end of the process. */
static inline bool still_lives(const struct process *p)
{
	return !__atomic_load_n(&asker.woken, __ATOMIC_SEQ_CST) && !ready(p->leader.pidfd) &&
	       exit_code_of(p->leader.pidfd) == NO_RECORD;
}

#define CORE_FILE "core"
#define DIR_SIZE 32

/* The leader becomes a zombie, and its threads go on. */
static inline bool leader_ends(struct process *p)
{
	tell_thread(&p->leader, LEADER_CODE);
	return becomes(p, &p->leader, 'Z') && still_lives(p);
}

static inline long writes_to(long address)
{
	*(int *)address = 0;
	return 0;
}

static inline void crash(const struct peer *thread)
{
	order_peer(thread, writes_to, 16);
}

static inline long dumps_no_core(long unused)
{
	struct rlimit none = {};

	return setrlimit(RLIMIT_CORE, &none);
}

static inline bool signal_thread(const struct process *p, const struct peer *thread, int sig)
{
	return !syscall(__NR_tgkill, p->leader.pid, thread->pid, sig);
}

/* Makes children dump core to a file in a new directory. */
static inline void begin_scenarios(struct __test_metadata *_metadata, struct numbers *before,
				   struct core *old, char *dir)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	const char *reason = no_brakes();
	char pattern[64];

	if (reason)
		SKIP(return, "%s", reason);
	rust_setup(_metadata, before);
	snprintf(dir, DIR_SIZE, "/tmp/exit_status.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(dir));
	snprintf(pattern, sizeof(pattern), "%s/" CORE_FILE, dir);
	ASSERT_EQ(0, set_core(old, pattern));
	ASSERT_EQ(0, setrlimit(RLIMIT_CORE, &all));
	/* A dump of memory takes long, and no test looks at it. */
	ASSERT_EQ(0, write_file("/proc/self/coredump_filter", "0"));
}

static inline void end_scenarios(struct __test_metadata *_metadata, struct numbers *before,
				 const struct core *old, const char *dir)
{
	char path[64];

	put_core(old);
	snprintf(path, sizeof(path), "%s/" CORE_FILE, dir);
	unlink(path);
	rmdir(dir);
	rust_teardown(_metadata, before);
}

#endif /* EXIT_STATUS_H */
