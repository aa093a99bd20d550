/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Races: actors, each of which is a process, take turns until time is up or one of them finds an
 * error.
 */
#ifndef RACE_H
#define RACE_H

#include "pidfs.h"

#define MOST_ROLES 6
#define MOST_TEAMS 16

/* The process that a team races on. The first actor of the team makes it. */
struct target {
	unsigned int turn;
	pid_t pid;
	/* A second process: a thread, or a member of the namespace. */
	pid_t other;
	__u64 flags;
	__u64 ino;
	/* The exit code in the form of wait(), and another possible one or 0. */
	int end;
	int end_too;
	struct handle handle;
};

/* The progress of a target: opened by an actor, may call exec, may have exited, may be reaped. */
enum said {
	MET,
	EXECUTING,
	ENDING,
	REAPING,
};

struct team {
	/* Odd during a write to the target. */
	unsigned int sequence;
	struct target target;

	/* The last turn for which each was announced. */
	unsigned int said[REAPING + 1];

	/* The number of open copies of the pidfd that kills. */
	int holders;
	pid_t thread;

	/* Passes descriptors from the first end to the second. */
	int pass[2];
	int listener;
	struct sockaddr_un addr;
	socklen_t addr_len;
};

/* Shared by all actors of a race and the process that runs it. */
struct stage {
	bool over;
	/* The same for the actors that receive descriptors from others. */
	bool nothing_sent;
	/* No actor begins a turn, so that all pidfds get closed. */
	bool quiet;
	bool taken;
	bool is_wrong;
	char wrong[256];
	long rounds[MOST_ROLES];
	/* The number of rounds in which the process had been reaped. */
	long late[MOST_ROLES];
	int teams;
	struct team team[MOST_TEAMS];
};

#define load(var) __atomic_load_n(&(var), __ATOMIC_SEQ_CST)
#define store(var, value) __atomic_store_n(&(var), value, __ATOMIC_SEQ_CST)
#define add(var, n) __atomic_add_fetch(&(var), n, __ATOMIC_SEQ_CST)

/* Maps a stage on @fd; -1: for the caller and its children. */
static inline struct stage *map_stage(int fd)
{
	struct stage *stage = mmap(NULL, sizeof(*stage), PROT_READ | PROT_WRITE,
				   MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);

	return stage == MAP_FAILED ? NULL : stage;
}

static inline long all_rounds(struct stage *stage)
{
	long n = 0;

	for (int i = 0; i < MOST_ROLES; i++)
		n += load(stage->rounds[i]);
	return n;
}

#endif /* RACE_H */
