/* SPDX-License-Identifier: GPL-2.0 */
/* A process that traces another one and stops it in its exit. */
#ifndef TRACER_H
#define TRACER_H

#include <sys/ptrace.h>

#include "pidfd_rust.h"

/* A process that traces the leader and waits until the leader stops in its exit. */
struct tracer {
	pid_t pid;
	int said;
};

static inline void traces(pid_t pid, int said)
{
	int status;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACEEXIT) ||
	    write_nointr(said, "T", 1) != 1 ||
	    waitpid(pid, &status, __WALL) != pid ||
	    status >> 8 != (SIGTRAP | PTRACE_EVENT_EXIT << 8) ||
	    write_nointr(said, "E", 1) != 1)
		_exit(EXIT_FAILURE);
	for (;;)
		pause();
}

static inline bool tracer_says(const struct tracer *t, char what)
{
	char byte;

	return becomes_ready(t->said, POLLIN) & POLLIN && read_nointr(t->said, &byte, 1) == 1 &&
	       byte == what;
}

static inline bool start_tracer(struct tracer *t, pid_t pid)
{
	int said[2];

	if (pipe2(said, O_CLOEXEC))
		return false;
	t->said = said[0];
	t->pid = fork();
	if (t->pid == 0)
		traces(pid, said[1]);
	close(said[1]);
	return tracer_says(t, 'T');
}

/* The tracee continues without a tracer. */
static inline void end_tracer(struct tracer *t)
{
	kill(t->pid, SIGKILL);
	waitpid(t->pid, NULL, 0);
	close(t->said);
}

#endif /* TRACER_H */
