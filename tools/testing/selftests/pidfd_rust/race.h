/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What runs a race: actors, each a process, that take turn after turn until time is
 * up or one of them finds something wrong.
 */
#ifndef RACE_H
#define RACE_H

#include "pidfs.h"

#define MOST_ROLES 6
#define MOST_TEAMS 16

/* The process that a team is about; made by its leader. */
struct target {
	unsigned int turn;
	pid_t pid;
	/* A second one: a thread, or a member of the namespace. */
	pid_t other;
	__u64 flags;
	__u64 ino;
	/* How it ends, as wait() tells it; and how it may end as well, or 0. */
	int end;
	int end_too;
	struct handle handle;
};

/* Somebody has it open; it may call exec, have ended, have been reaped. */
enum said {
	MET,
	EXECUTING,
	ENDING,
	REAPING,
};

struct team {
	/* Odd while the target is written. */
	unsigned int sequence;
	struct target target;

	/* Up to which turn each has been said. */
	unsigned int said[REAPING + 1];

	/* How many copies of the pidfd that kills are open. */
	int holders;
	pid_t thread;

	/* For passing descriptors: the first end sends. */
	int pass[2];
	int listener;
	struct sockaddr_un addr;
	socklen_t addr_len;
};

/* Shared by all actors of a race and who conducts it. */
struct stage {
	bool over;
	/* The same for those who receive what the others pass on. */
	bool nothing_sent;
	/* Nobody begins a turn, so that the last pidfds get closed. */
	bool quiet;
	bool taken;
	bool is_wrong;
	char wrong[256];
	long rounds[MOST_ROLES];
	/* In how many of them the process was gone already. */
	long late[MOST_ROLES];
	int teams;
	struct team team[MOST_TEAMS];
};

#define load(var) __atomic_load_n(&(var), __ATOMIC_SEQ_CST)
#define store(var, value) __atomic_store_n(&(var), value, __ATOMIC_SEQ_CST)
#define add(var, n) __atomic_add_fetch(&(var), n, __ATOMIC_SEQ_CST)

/* On @fd, or for -1 for the caller and its children. */
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
