/* SPDX-License-Identifier: GPL-2.0 */
/* Processes that run functions for a test, and one whose pid outlives it. */
#ifndef PEER_H
#define PEER_H

#include "scm.h"

/* A process that runs the functions that it receives over a socket. */
struct peer {
	pid_t pid;
	int pidfd;
	int sock;
	bool autoreap;
};

struct order {
	long (*run)(long arg);
	long arg;
};

#define PEER_DIED LONG_MIN

static inline void follow_orders(int sock)
{
	struct order order;
	long result;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read_nointr(sock, &order, sizeof(order)) == sizeof(order)) {
		if (!order.run)
			_exit(order.arg);
		result = order.run(order.arg);
		if (write_nointr(sock, &result, sizeof(result)) != sizeof(result))
			break;
	}
	_exit(255);
}

/*
 * Starts a process by clone3() with @flags, or for @old by clone(); with the
 * pid @pid, or for 0 any.
 */
static inline int start_peer_as(struct peer *p, __u64 flags, bool old, pid_t pid)
{
	struct __clone_args args = {
		.flags		= flags,
		.exit_signal	= flags & CLONE_AUTOREAP ? 0 : SIGCHLD,
		.pidfd		= ptr_to_u64(&p->pidfd),
		.set_tid	= ptr_to_u64(&pid),
		.set_tid_size	= pid ? 1 : 0,
	};
	int listener, tries = 1000;
	struct sockaddr_un addr;
	socklen_t len;
	pid_t made;

	listener = listen_anywhere(&addr, &len);
	p->pid = -1;
	p->pidfd = -1;
	p->sock = -1;
	p->autoreap = flags & CLONE_AUTOREAP;
	if (!pid)
		args.set_tid = 0;
	if (listener < 0)
		return -1;

	/*
	 * An auto-reaped process releases its pid a moment after pollers see its exit. The
	 * child may share the fixture, and must not write to it.
	 */
	do {
		made = old ? sys_clone(flags | SIGCHLD, &p->pidfd) :
			     sys_clone3(&args, sizeof(args));
	} while (made < 0 && errno == EEXIST && tries-- && !usleep(1000));
	if (made == 0) {
		close(listener);
		follow_orders(connect_to(&addr, len));
	}
	p->pid = made;
	if (made > 0)
		p->sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
	return p->sock < 0 ? -1 : 0;
}

static inline int start_peer(struct peer *p, __u64 flags)
{
	return start_peer_as(p, flags, false, 0);
}

/* Has the peer run a function, and returns its result. */
static inline long peer_does(const struct peer *p, long (*run)(long), long arg)
{
	struct order order = { .run = run, .arg = arg };
	long result;

	if (write_nointr(p->sock, &order, sizeof(order)) != sizeof(order) ||
	    read_nointr(p->sock, &result, sizeof(result)) != sizeof(result))
		return PEER_DIED;
	return result;
}

static inline long does_nothing(long arg)
{
	return arg;
}

static inline bool is_alive(const struct peer *p)
{
	return peer_does(p, does_nothing, 42) == 42;
}

/* Lets the peer become a zombie. */
static inline void tell_peer(const struct peer *p, int status)
{
	struct order order = { .arg = status };

	if (write_nointr(p->sock, &order, sizeof(order)) != sizeof(order))
		kill(p->pid, SIGKILL);
}

/* Waits until the peer is reaped, or reaps it. */
static inline void await_peer(struct peer *p)
{
	if (p->pid > 0 && p->autoreap) {
		int fd = sys_pidfd_open(p->pid, 0);

		if (fd >= 0)
			is_reaped(fd);
		close(fd);
	} else if (p->pid > 0) {
		waitpid(p->pid, NULL, 0);
	}
	p->pid = -1;
}

static inline void reap_peer(struct peer *p, int status)
{
	tell_peer(p, status);
	await_peer(p);
}

/* Also after the peer was reaped, or was never started. */
static inline void end_peer(struct peer *p)
{
	if (p->pid > 0)
		reap_peer(p, 0);
	if (p->sock >= 0)
		close(p->sock);
	if (p->pidfd >= 0)
		close(p->pidfd);
	p->sock = -1;
	p->pidfd = -1;
}

/* Receives a pidfd of the peer with its answer. */
static inline int sent_pidfd(const struct peer *p)
{
	struct order order = { .run = does_nothing };
	int fd;

	if (pass_pidfds(p->sock, 1) ||
	    write_nointr(p->sock, &order, sizeof(order)) != sizeof(order))
		return -1;
	fd = receive_fd(p->sock, SCM_PIDFD);
	pass_pidfds(p->sock, 0);
	return fd;
}

/*
 * A process that has been reaped, but whose pid is still in use by a process group with another
 * member.
 */
struct ghost {
	pid_t pid;
	pid_t member;
	int hold;
};

#define GHOST_CODE 33

/* The tester becomes the parent of the member. @known: registers the process. */
static inline int start_ghost(struct ghost *g, bool known)
{
	int sockets[2], hold[2];
	char byte;

	if (prctl(PR_SET_CHILD_SUBREAPER, 1) || pipe2(hold, O_CLOEXEC) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		return -1;

	g->pid = fork();
	if (g->pid == 0) {
		pid_t member;

		close(sockets[0]);
		close(hold[1]);
		setpgid(0, 0);
		member = fork();
		if (member == 0) {
			close(sockets[1]);
			_exit(read_nointr(hold[0], &byte, 1));
		}
		write_nointr(sockets[1], &member, sizeof(member));
		read_nointr(sockets[1], &byte, 1);
		_exit(GHOST_CODE);
	}
	close(sockets[1]);
	close(hold[0]);
	g->hold = hold[1];
	if (read_nointr(sockets[0], &g->member, sizeof(g->member)) !=
	    sizeof(g->member))
		return -1;
	if (known)
		close(sys_pidfd_open(g->pid, 0));
	close(sockets[0]);
	return waitpid(g->pid, NULL, 0) == g->pid ? 0 : -1;
}

static inline void end_ghost(struct ghost *g)
{
	/* Other children may have inherited the pipe, so that closing it is not enough. */
	kill(g->member, SIGKILL);
	waitpid(g->member, NULL, 0);
	close(g->hold);
}

/* A suite whose tests use one process and its pidfd. */
#define PEER_FIXTURE(name, clone_flags)					\
	FIXTURE(name)							\
	{								\
		struct numbers before;					\
		struct peer peer;					\
	};								\
	FIXTURE_SETUP(name)						\
	{								\
		rust_setup(_metadata, &self->before);			\
		ASSERT_EQ(0, start_peer(&self->peer, clone_flags));	\
	}								\
	FIXTURE_TEARDOWN(name)						\
	{								\
		end_peer(&self->peer);					\
		rust_teardown(_metadata, &self->before);		\
	}

#endif /* PEER_H */
