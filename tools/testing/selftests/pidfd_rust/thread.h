/* SPDX-License-Identifier: GPL-2.0 */
/* Threads that clone() creates without the C library. */
#ifndef THREAD_H
#define THREAD_H

#include <sys/mman.h>

#include "pidfd_rust.h"

/* The flags with which clone() creates a thread. */
#define THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |	\
		CLONE_THREAD | CLONE_SYSVSEM)

#define THREAD_STACK (64 * 1024)

static inline char *new_stack(size_t size)
{
	char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	return stack == MAP_FAILED ? NULL : stack;
}

static int thread_pipe[2];

/* Shares the thread-local storage of its creator, so it must not write errno. */
static inline int thread_awaits_a_byte(void *result)
{
	char byte;

	syscall(__NR_read, thread_pipe[0], &byte, 1);
	return (long)result;
}

#endif /* THREAD_H */
