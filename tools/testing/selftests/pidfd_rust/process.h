/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Starts a process with threads, has each thread run what the test sends it, and holds a thread
 * in the middle of its exit.
 */
#ifndef PROCESS_H
#define PROCESS_H

#include "pidfs.h"
#include "slow_page.h"
#include "thread.h"

#define MOST_THREADS 2

/*
 * A thread that exits closes its descriptors before it becomes a zombie. The last close of one
 * end of a pipe takes the pipe's lock. A write() of data on a slow page has taken that lock, so
 * the exit waits until the test provides the page. No signal wakes it up.
 */
struct brake {
	struct slow_pages slow;
	int pipe[2];
	pthread_t writer;
	bool on;
};

/* In the peer of a thread, pid is the thread's id. */
struct process {
	struct peer leader;
	struct peer thread[MOST_THREADS];
	struct brake brake;
};

/* The thread has the second socket of its pair. The process inherits both numbers. */
static int thread_socks[MOST_THREADS][2];

static inline int follows_orders(void *sock)
{
	follow_orders((long)sock);
	return 0;
}

static inline long starts_thread(long i)
{
	char *stack = new_stack(THREAD_STACK);

	if (!stack)
		return -1;
	return clone(follows_orders, stack + THREAD_STACK, THREAD,
		     (void *)(long)thread_socks[i][1]);
}

/* Sends an order and does not wait for its result. */
static inline void order_peer(const struct peer *p, long (*run)(long), long arg)
{
	struct order order = { .run = run, .arg = arg };

	if (write_nointr(p->sock, &order, sizeof(order)) != sizeof(order))
		kill(p->pid, SIGKILL);
}

/* Receives the result of the last order. */
static inline long peer_answers(const struct peer *p)
{
	long result;

	if (read_nointr(p->sock, &result, sizeof(result)) != sizeof(result))
		return PEER_DIED;
	return result;
}

/* The system call ends the thread; that of the C library would end the process. */
static inline long exits(long status)
{
	return syscall(__NR_exit, status);
}

static inline void tell_thread(const struct peer *p, int status)
{
	order_peer(p, exits, status);
}

/* Returns NULL, or a reason to skip: without slow pages start_process() fails. */
static inline const char *no_brakes(void)
{
	struct slow_pages slow;
	const char *reason = make_slow_pages(&slow, 1);

	if (!reason)
		free_slow_pages(&slow);
	return reason;
}

static inline int start_process(struct process *p, __u64 flags)
{
	memset(p, 0, sizeof(*p));
	if (make_slow_pages(&p->brake.slow, 1) || pipe2(p->brake.pipe, O_CLOEXEC))
		return -1;
	for (int i = 0; i < MOST_THREADS; i++)
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, thread_socks[i]))
			return -1;
	if (start_peer(&p->leader, flags))
		return -1;
	for (int i = 0; i < MOST_THREADS; i++) {
		p->thread[i].pid = peer_does(&p->leader, starts_thread, i);
		p->thread[i].sock = thread_socks[i][0];
		p->thread[i].pidfd = -1;
		close(thread_socks[i][1]);
		if (p->thread[i].pid < 0)
			return -1;
	}
	return 0;
}

static inline long executes(long sock)
{
	char number[16];

	snprintf(number, sizeof(number), "%ld", sock);
	fcntl(sock, F_SETFD, 0);
	/* /proc/self/exe belongs to the leader, and leads nowhere once that is a zombie. */
	execl("/proc/thread-self/exe", "executed", number, NULL);
	return -1;
}

/*
 * Has a thread execute this program. The program sends one result and then follows orders on the
 * thread's socket, but its functions have other addresses: only tell_peer() works.
 */
static inline void execute(const struct process *p, int thread)
{
	order_peer(&p->thread[thread], executes, thread_socks[thread][1]);
}

/* A program that uses execute() calls this first in main(). */
static inline void follow_if_executed(int argc, char **argv)
{
	long result = 0;
	int sock;

	if (argc != 2 || argv[1][0] == '-')
		return;
	sock = atoi(argv[1]);
	if (write_nointr(sock, &result, sizeof(result)) == sizeof(result))
		follow_orders(sock);
	_exit(EXIT_FAILURE);
}

/* Waits until the thread is in @state, or for 0 until it is gone. */
static inline bool becomes(const struct process *p, const struct peer *thread, char state)
{
	return thread_becomes(p->leader.pid, thread->pid, state);
}

/* Opens a file in a descriptor table of the thread alone, so that its exit closes the file. */
static inline long opens_for_itself(long fd)
{
	char path[64];

	if (unshare(CLONE_FILES))
		return -1;
	snprintf(path, sizeof(path), "/proc/thread-self/fd/%ld", fd);
	return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

static inline void *writes_slowly(void *arg)
{
	struct brake *brake = arg;

	return (void *)(long)write_nointr(brake->pipe[1], brake->slow.slow, 1);
}

/* The exit of the thread will stop in state 'D', until let_end(). */
static inline bool keep_from_ending(struct process *p, const struct peer *thread)
{
	struct brake *brake = &p->brake;

	if (peer_does(thread, opens_for_itself, brake->pipe[0]) < 0 ||
	    pthread_create(&brake->writer, NULL, writes_slowly, brake))
		return false;
	brake->on = true;
	return page_is_wanted(&brake->slow);
}

static inline void let_end(struct process *p)
{
	struct brake *brake = &p->brake;

	if (!brake->on)
		return;
	give_page(&brake->slow, 0, NULL);
	pthread_join(brake->writer, NULL);
	brake->on = false;
}

/* The process has been reaped. */
static inline void end_process(struct process *p)
{
	let_end(p);
	for (int i = 0; i < MOST_THREADS; i++)
		close(p->thread[i].sock);
	p->leader.pid = -1;
	end_peer(&p->leader);
	close(p->brake.pipe[0]);
	close(p->brake.pipe[1]);
	free_slow_pages(&p->brake.slow);
}

#endif /* PROCESS_H */
