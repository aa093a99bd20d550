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

struct role {
	const char *does;
	void (*turn)(void);
	int n;
	/* The namespaces of the actor, and the function that it runs first. */
	__u64 flags;
	void (*prepare)(void);
	/* Receives descriptors even while no actor begins a turn. */
	bool receives;
};

struct race {
	const char *name;
	struct role roles[MOST_ROLES];
};

/* All races. Each is a struct race, whose name has "_race" behind it. */
#define RACES(X)							\
	X(exit) X(exec) X(reopen) X(peer) X(recycle) X(namespace) X(xattr)	\
	X(autokill) X(pass)

#define DECLARE_RACE(name) extern const struct race name##_race;
RACES(DECLARE_RACE)

#define AUTOKILL (CLONE_AUTOREAP | CLONE_PIDFD_AUTOKILL)
#define ENDED (POLLIN | POLLHUP)

/* The function that a target runs before it waits. */
typedef void first_fn(const struct target *t);

/* The actor that runs in this process. */
extern struct stage *stage;
extern struct team *team;
extern int role;

/* The module is loaded and unloaded during the race. */
extern bool swapped;

void __noreturn __printf(1, 2) wrong(const char *format, ...);

#define MUST(condition) do {						\
	errno = 0;							\
	if (!(condition))						\
		wrong("%s(), line %d: expected %s (%s)", __func__,	\
		      __LINE__, #condition, strerrorname_np(errno));	\
} while (0)

#define MUST_BE(expected, seen) do {					\
	errno = 0;							\
	long long _expected = (expected), _seen = (seen);		\
									\
	if (_expected != _seen)						\
		wrong("%s(), line %d: expected %s to be %s (%lld), it is %lld (%s)", \
		      __func__, __LINE__, #seen, #expected, _expected,	\
		      _seen, strerrorname_np(errno));			\
} while (0)

/* race_target.c */
void linger(void);
void count_round(bool late);
void publish(const struct target *t);
bool look_at(struct target *t);
void say(enum said what, const struct target *t);
bool has(enum said what, const struct target *t);
void await_company(const struct target *t);
void check_reaped(const struct target *t, int fd);
bool watch(const struct target *t, int fd, int looks);
int open_target(const struct target *t);
int start_target(struct target *t, __u64 flags, first_fn *first, int *tell);
void end_target(const struct target *t, int pidfd, int tell);
void reap_target(const struct target *t, int pidfd);
void raises_children(void);
void mounts_proc(void);
void act(void (*turn)(void), bool receives);

/* race_namespace.c */
int receive_passed(void);

#endif /* RACE_H */
