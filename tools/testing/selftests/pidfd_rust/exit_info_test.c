// SPDX-License-Identifier: GPL-2.0
/* PIDFD_INFO_EXIT: the exit status in PIDFD_GET_INFO. */
#include <sys/ptrace.h>

#include "pidfs.h"
#include "rust_harness.h"
#include "thread.h"

#define ROUNDS 500

PEER_FIXTURE(end, CLONE_PIDFD)

TEST_F(end, is_reported_on_request_once_reaped)
{
	struct pidfd_info info;

	EXPECT_EQ(NO_RECORD, exit_code_of(self->peer.pidfd));
	tell_peer(&self->peer, 42);
	ASSERT_EQ(0, await_zombie(self->peer.pid));
	ASSERT_EQ(0, get_info(self->peer.pidfd, PIDFD_INFO_EXIT, &info));
	EXPECT_EQ(PIDFD_INFO_PID | PIDFD_INFO_CREDS | PIDFD_INFO_CGROUPID,
		  info.mask);
	EXPECT_EQ(self->peer.pid, info.pid);
	EXPECT_EQ(0, info.exit_code);

	await_peer(&self->peer);
	EXPECT_EQ(EXITED(42), exit_code_of(self->peer.pidfd));
	EXPECT_EQ(ESRCH, ERROR_OF(get_info(self->peer.pidfd, 0, &info)));
	EXPECT_EQ(ESRCH, ERROR_OF(get_info(self->peer.pidfd, PIDFD_INFO_COREDUMP,
					   &info)));
	/* The record stays. */
	EXPECT_EQ(EXITED(42), exit_code_of(self->peer.pidfd));
}

TEST_F(end, by_a_signal_is_reported_as_such)
{
	EXPECT_EQ(0, sys_pidfd_send_signal(self->peer.pidfd, SIGTERM, NULL, 0));
	await_peer(&self->peer);
	EXPECT_EQ(SIGTERM, exit_code_of(self->peer.pidfd));
}

TEST_F(end, is_the_status_that_waitid_reports)
{
	siginfo_t si = {};

	tell_peer(&self->peer, 9);
	EXPECT_EQ(0, sys_waitid(P_PIDFD, self->peer.pidfd, &si, WEXITED));
	self->peer.pid = -1;
	EXPECT_EQ(CLD_EXITED, si.si_code);
	EXPECT_EQ(EXITED(si.si_status), exit_code_of(self->peer.pidfd));
}

TEST_F(end, is_reported_by_a_pidfd_of_the_zombie)
{
	int fd;

	close(self->peer.pidfd);
	self->peer.pidfd = -1;
	tell_peer(&self->peer, 8);
	ASSERT_EQ(0, await_zombie(self->peer.pid));
	fd = sys_pidfd_open(self->peer.pid, 0);
	EXPECT_EQ(NO_RECORD, exit_code_of(fd));
	await_peer(&self->peer);
	EXPECT_EQ(EXITED(8), exit_code_of(fd));
	close(fd);
}

/*
 * A process is auto-reaped, or stays a zombie until its parent reaps it. The same code wakes the
 * poller in both cases. Only in the first one the poller can read the exit status.
 */
FIXTURE(woken)
{
	struct numbers before;
	char *stack;
};

FIXTURE_VARIANT(woken)
{
	bool ignored;
	bool no_wait;
	__u64 flags;
	bool leader_first;
	bool killed;
	bool zombie;
	/* Asks between any two steps of the end. */
	bool spins;
};

FIXTURE_VARIANT_ADD(woken, sigchld_ignored)
{
	.ignored = true,
};

FIXTURE_VARIANT_ADD(woken, sigchld_ignored_spinning)
{
	.ignored = true,
	.spins = true,
};

FIXTURE_VARIANT_ADD(woken, sa_nocldwait)
{
	.no_wait = true,
};

FIXTURE_VARIANT_ADD(woken, sa_nocldwait_spinning)
{
	.no_wait = true,
	.spins = true,
};

FIXTURE_VARIANT_ADD(woken, autoreap)
{
	.flags = CLONE_AUTOREAP,
};

FIXTURE_VARIANT_ADD(woken, autoreap_spinning)
{
	.flags = CLONE_AUTOREAP,
	.spins = true,
};

FIXTURE_VARIANT_ADD(woken, sigchld_ignored_killed)
{
	.ignored = true,
	.killed = true,
};

FIXTURE_VARIANT_ADD(woken, autoreap_killed)
{
	.flags = CLONE_AUTOREAP,
	.killed = true,
};

FIXTURE_VARIANT_ADD(woken, sigchld_ignored_leader_first)
{
	.ignored = true,
	.leader_first = true,
};

FIXTURE_VARIANT_ADD(woken, sigchld_ignored_leader_first_spinning)
{
	.ignored = true,
	.leader_first = true,
	.spins = true,
};

FIXTURE_VARIANT_ADD(woken, autoreap_leader_first)
{
	.flags = CLONE_AUTOREAP,
	.leader_first = true,
};

FIXTURE_VARIANT_ADD(woken, autoreap_leader_first_spinning)
{
	.flags = CLONE_AUTOREAP,
	.leader_first = true,
	.spins = true,
};

FIXTURE_VARIANT_ADD(woken, zombie)
{
	.zombie = true,
};

FIXTURE_VARIANT_ADD(woken, zombie_spinning)
{
	.zombie = true,
	.spins = true,
};

FIXTURE_VARIANT_ADD(woken, zombie_killed)
{
	.zombie = true,
	.killed = true,
};

FIXTURE_VARIANT_ADD(woken, zombie_leader_first)
{
	.zombie = true,
	.leader_first = true,
};

FIXTURE_VARIANT_ADD(woken, zombie_leader_first_spinning)
{
	.zombie = true,
	.leader_first = true,
	.spins = true,
};

FIXTURE_SETUP(woken)
{
	struct sigaction sa = { .sa_handler = SIG_DFL };

	rust_setup(_metadata, &self->before);
	self->stack = new_stack(THREAD_STACK);
	ASSERT_NE(NULL, self->stack);
	if (variant->no_wait)
		sa.sa_flags = SA_NOCLDWAIT;
	if (variant->ignored)
		sa.sa_handler = SIG_IGN;
	ASSERT_EQ(0, sigaction(SIGCHLD, &sa, NULL));
}

FIXTURE_TEARDOWN(woken)
{
	munmap(self->stack, THREAD_STACK);
	rust_teardown(_metadata, &self->before);
}

static int other_cpu(int round)
{
	return round % sysconf(_SC_NPROCESSORS_ONLN);
}

#define LAST_CODE 77

/* The child. Its exit code is that of its last thread. */
static void ends_with(int code, char *stack, bool leader_first)
{
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(thread_pipe[1]);
	if (leader_first) {
		if (clone(thread_awaits_a_byte, stack + THREAD_STACK, THREAD,
			  (void *)(long)LAST_CODE) < 0)
			_exit(255);
		syscall(__NR_exit, code);
	}
	read_nointr(thread_pipe[0], &byte, 1);
	_exit(code);
}

/* Returns the events as soon as the pidfd is readable. */
static int await_wake_up(int fd, bool spins)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	if (!spins)
		return poll(&pfd, 1, PATIENCE_MS) == 1 ? pfd.revents : 0;
	while (poll(&pfd, 1, 0) == 0)
		;
	return pfd.revents;
}

TEST_F_TIMEOUT(woken, finds_the_exit_status_if_and_only_if_it_is_final, 240)
{
	int missed = 0, early = 0, wrong = 0, changed = 0;

	for_rounds(i, ROUNDS) {
		int pidfd = -1, code = i & 0xff, reported, want;
		struct __clone_args args = {
			.flags		= CLONE_PIDFD | variant->flags,
			.exit_signal	= variant->flags ? 0 : SIGCHLD,
			.pidfd		= ptr_to_u64(&pidfd),
		};
		int at_first;
		pid_t pid;

		ASSERT_EQ(0, pipe2(thread_pipe, O_CLOEXEC));
		stay_on_cpu(other_cpu(i / 2));
		pid = sys_clone3(&args, sizeof(args));
		if (pid == 0) {
			stay_on_cpu(other_cpu(i));
			ends_with(code, self->stack, variant->leader_first);
		}
		ASSERT_GT(pid, 0);
		close(thread_pipe[0]);
		if (variant->leader_first) {
			ASSERT_TRUE(thread_becomes(pid, pid, 'Z'));
			/* The process ends with its last thread. */
			ASSERT_EQ(0, ready(pidfd));
			ASSERT_EQ(NO_RECORD, exit_code_of(pidfd));
		}
		if (variant->killed)
			sys_pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
		else
			write_nointr(thread_pipe[1], "", 1);

		ASSERT_NE(0, await_wake_up(pidfd, variant->spins) & POLLIN);
		reported = exit_code_of(pidfd);
		at_first = reported;
		want = variant->killed ? SIGKILL :
		       EXITED(variant->leader_first ? LAST_CODE : code);
		if (variant->zombie) {
			early += reported != NO_RECORD;
			for (int j = 0; j < 10; j++)
				early += exit_code_of(pidfd) != NO_RECORD;
			ASSERT_EQ(pid, waitpid(pid, NULL, 0));
			at_first = want;
		} else {
			missed += reported == NO_RECORD;
			wrong += reported != NO_RECORD && reported != want;
			ASSERT_TRUE(is_reaped(pidfd));
		}
		reported = exit_code_of(pidfd);
		wrong += reported != want;
		changed += reported != at_first;
		close(thread_pipe[1]);
		close(pidfd);
	}
	EXPECT_EQ(0, missed);
	EXPECT_EQ(0, early);
	EXPECT_EQ(0, wrong);
	EXPECT_EQ(0, changed);
	/* No child is left, not even a zombie. */
	EXPECT_NO_CHILD();
}

static int thread_cpu;

static int thread_ends_on_its_cpu(void *result)
{
	cpu_set_t set;
	char byte;

	CPU_ZERO(&set);
	CPU_SET(thread_cpu, &set);
	syscall(__NR_sched_setaffinity, 0, sizeof(set), &set);
	syscall(__NR_read, thread_pipe[0], &byte, 1);
	return (long)result;
}

static void thread_rounds(struct __test_metadata *_metadata, bool spins)
{
	char *stack = new_stack(THREAD_STACK);
	int missed = 0, wrong = 0;

	ASSERT_NE(NULL, stack);
	ASSERT_EQ(0, pipe2(thread_pipe, O_CLOEXEC));
	for_rounds(i, ROUNDS) {
		long code = i & 0xff;
		int pidfd = -1, opened, reported;
		pid_t tid;

		thread_cpu = other_cpu(i);
		stay_on_cpu(other_cpu(i / 2));
		tid = clone(thread_ends_on_its_cpu, stack + THREAD_STACK,
			    THREAD | CLONE_PIDFD, (void *)code, &pidfd);
		ASSERT_GT(tid, 0);
		opened = sys_pidfd_open(tid, PIDFD_THREAD);
		ASSERT_EQ(1, write_nointr(thread_pipe[1], "", 1));
		ASSERT_NE(0, await_wake_up(opened, spins) & POLLIN);
		reported = exit_code_of(opened);
		missed += reported == NO_RECORD;
		wrong += reported != NO_RECORD && reported != EXITED(code);
		ASSERT_TRUE(is_reaped(pidfd));
		wrong += exit_code_of(pidfd) != EXITED(code);
		close(opened);
		close(pidfd);
	}
	EXPECT_EQ(0, missed);
	EXPECT_EQ(0, wrong);
	close(thread_pipe[0]);
	close(thread_pipe[1]);
	munmap(stack, THREAD_STACK);
}

TEST_F_TIMEOUT(end, of_a_thread_is_found_by_a_woken_poller, 120)
{
	thread_rounds(_metadata, false);
}

TEST_F_TIMEOUT(end, of_a_thread_is_found_by_a_spinning_poller, 120)
{
	thread_rounds(_metadata, true);
}

/* Traces the child and waits for its exit. The wait passes the zombie on to its parent. */
static void traces(pid_t pid, int ready)
{
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) ||
	    write_nointr(ready, "", 1) != 1)
		_exit(1);
	_exit(waitpid(pid, NULL, __WALL) == pid ? 0 : 1);
}

/*
 * While the tracer reaps the zombie, its exit_state is EXIT_TRACE, from which EXIT_DEAD follows
 * unless the parent has to reap it.
 */
TEST_F_TIMEOUT(end, seen_by_a_tracer_is_not_reported_before_the_parent_reaps, 120)
{
	int early = 0;

	for_rounds(i, 100) {
		siginfo_t si = {};
		struct child c;
		pid_t tracer;
		int pipe[2];
		char byte;

		ASSERT_EQ(0, pipe2(pipe, O_CLOEXEC));
		ASSERT_EQ(0, start_child(&c, 0));
		tracer = fork();
		if (tracer == 0)
			traces(c.pid, pipe[1]);
		close(pipe[1]);
		ASSERT_EQ(1, read_nointr(pipe[0], &byte, 1));
		tell_child(&c, 12);
		do {
			early += exit_code_of(c.pidfd) != NO_RECORD;
			si.si_pid = 0;
			ASSERT_EQ(0, waitid(P_PID, tracer, &si,
					    WEXITED | WNOHANG | WNOWAIT));
		} while (!si.si_pid);
		EXPECT_EQ(0, wait_for_pid(tracer));
		early += exit_code_of(c.pidfd) != NO_RECORD;
		EXPECT_EQ(12, wait_for_pid(c.pid));
		EXPECT_EQ(EXITED(12), exit_code_of(c.pidfd));
		close(c.tell);
		close(c.pidfd);
		close(pipe[0]);
	}
	EXPECT_EQ(0, early);
}

/* Pidfds that are made after the process was reaped. */

PEER_FIXTURE(stale, CLONE_PIDFD)

TEST_F(stale, peer_of_a_socket_reports_the_exit)
{
	struct pidfd_info info;
	int fd;

	close(self->peer.pidfd);
	self->peer.pidfd = -1;
	reap_peer(&self->peer, 21);
	EXPECT_RUST_MAKES(1, fd = peer_pidfd(self->peer.sock));
	ASSERT_GE(fd, 0);
	EXPECT_EQ(O_RDWR, fcntl(fd, F_GETFL));
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(POLLIN | POLLHUP, ready(fd));
	EXPECT_EQ(EXITED(21), exit_code_of(fd));
	EXPECT_EQ(-1, pidfd_number(fd));
	EXPECT_EQ(ESRCH, ERROR_OF(get_info(fd, 0, &info)));
	EXPECT_EQ(ESRCH, ERROR_OF(sys_pidfd_send_signal(fd, 0, NULL, 0)));
	EXPECT_EQ(ECHILD, ERROR_OF(sys_waitid(P_PIDFD, fd, NULL, WEXITED)));
	EXPECT_EQ(ino_of(fd), id_of(fd));
	close(fd);
}

TEST_F(stale, peer_of_a_socket_is_the_one_that_was_known)
{
	int fd;

	EXPECT_EQ(0, set_value(self->peer.pidfd, "trusted.a", "1", 0));
	reap_peer(&self->peer, 22);
	fd = peer_pidfd(self->peer.sock);
	EXPECT_EQ(ino_of(self->peer.pidfd), ino_of(fd));
	EXPECT_STREQ("1", value_of(fd, "trusted.a"));
	close(fd);
}

TEST_F(stale, auto_reaped_peer_reports_the_exit)
{
	struct peer peer;
	int fd;

	ASSERT_EQ(0, start_peer(&peer, CLONE_PIDFD | CLONE_AUTOREAP));
	tell_peer(&peer, 23);
	ASSERT_TRUE(is_reaped(peer.pidfd));
	peer.pid = -1;
	close(peer.pidfd);
	peer.pidfd = -1;
	fd = peer_pidfd(peer.sock);
	EXPECT_EQ(EXITED(23), exit_code_of(fd));
	close(fd);
	end_peer(&peer);
}

TEST_F(stale, sender_of_a_message_reports_the_exit)
{
	struct order order = { .run = does_nothing };
	int fd;

	close(self->peer.pidfd);
	self->peer.pidfd = -1;
	ASSERT_EQ(0, pass_pidfds(self->peer.sock, 1));
	ASSERT_EQ(sizeof(order),
		  write_nointr(self->peer.sock, &order, sizeof(order)));
	/* The message stays in the queue after the exit of the peer. */
	reap_peer(&self->peer, 24);
	EXPECT_RUST_MAKES(1, fd = receive_fd(self->peer.sock, SCM_PIDFD));
	ASSERT_GE(fd, 0);
	EXPECT_EQ(O_RDWR, fcntl(fd, F_GETFL));
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(EXITED(24), exit_code_of(fd));
	EXPECT_EQ(POLLIN | POLLHUP, ready(fd));
	close(fd);
}

/*
 * A privileged sender can name any process. The one it names here has been reaped, but a process
 * group still uses its pid.
 */
TEST_F(stale, sender_without_a_record_is_refused)
{
	struct ghost unknown, known;
	int sockets[2], fd;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	ASSERT_EQ(0, pass_pidfds(sockets[0], 1));
	ASSERT_EQ(0, start_ghost(&unknown, false));
	ASSERT_EQ(0, start_ghost(&known, true));

	EXPECT_RUST_MAKES(0, EXPECT_EQ(ESRCH, ERROR_OF(send_as(sockets[1],
							       unknown.pid))));
	EXPECT_EQ(0, send_as(sockets[1], known.pid));
	EXPECT_RUST_MAKES(1, fd = receive_fd(sockets[0], SCM_PIDFD));
	EXPECT_EQ(EXITED(GHOST_CODE), exit_code_of(fd));
	close(fd);
	end_ghost(&known);
	end_ghost(&unknown);
	close(sockets[0]);
	close(sockets[1]);
}

TEST_F(stale, process_cannot_be_opened)
{
	pid_t pid = self->peer.pid;

	reap_peer(&self->peer, 0);
	EXPECT_RUST_MAKES(0, EXPECT_EQ(ESRCH, ERROR_OF(sys_pidfd_open(pid, 0))));
}

RUST_TEST_MAIN
