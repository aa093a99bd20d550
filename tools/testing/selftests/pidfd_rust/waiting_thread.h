/* SPDX-License-Identifier: GPL-2.0 */
/* A thread of the C library that waits. */
#ifndef WAITING_THREAD_H
#define WAITING_THREAD_H

#include "pidfd_rust.h"

/* A thread that waits, and to which signals stay pending. */
struct waiting_thread {
	pthread_t thread;
	int pipe[2];
	pid_t tid;
};

static inline void *tells_tid_and_waits(void *arg)
{
	struct waiting_thread *t = arg;
	char byte;

	__atomic_store_n(&t->tid, gettid(), __ATOMIC_SEQ_CST);
	while (read(t->pipe[0], &byte, 1) < 0 && errno == EINTR)
		;
	return NULL;
}

static inline int start_thread(struct waiting_thread *t)
{
	t->tid = 0;
	if (pipe2(t->pipe, O_CLOEXEC) ||
	    pthread_create(&t->thread, NULL, tells_tid_and_waits, t))
		return -1;
	while (!__atomic_load_n(&t->tid, __ATOMIC_SEQ_CST))
		sched_yield();
	return 0;
}

static inline void end_thread(struct waiting_thread *t)
{
	close(t->pipe[1]);
	pthread_join(t->thread, NULL);
	close(t->pipe[0]);
}

#endif /* WAITING_THREAD_H */
