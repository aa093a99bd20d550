// SPDX-License-Identifier: GPL-2.0
/* PIDFD_AUTOKILL: the last close of the pidfd kills the process. */
#include "pidfs.h"
#include "rust_harness.h"

PEER_FIXTURE(autokill, CLONE_PIDFD | CLONE_AUTOREAP | CLONE_PIDFD_AUTOKILL)

/* The pidfd that kills was closed; @left is another one. */
static void expect_killed(struct __test_metadata *_metadata, struct peer *peer,
			  int left)
{
	EXPECT_TRUE(is_reaped(left));
	EXPECT_EQ(SIGKILL, exit_code_of(left));
	peer->pid = -1;
	EXPECT_NO_CHILD();
}

TEST_F(autokill, happens_on_the_last_close)
{
	int other = sys_pidfd_open(self->peer.pid, 0), copy;

	EXPECT_EQ(O_RDWR | O_TRUNC, fcntl(self->peer.pidfd, F_GETFL));
	EXPECT_EQ(O_RDWR, fcntl(other, F_GETFL));
	copy = dup(self->peer.pidfd);
	close(self->peer.pidfd);
	EXPECT_TRUE(is_alive(&self->peer));
	self->peer.pidfd = -1;
	close(copy);
	expect_killed(_metadata, &self->peer, other);
	close(other);
}

TEST_F(autokill, does_not_happen_on_the_close_of_another_pidfd)
{
	struct handle h;
	int fds[4];

	ASSERT_EQ(0, handle_of(self->peer.pidfd, &h));
	fds[0] = sys_pidfd_open(self->peer.pid, 0);
	fds[1] = peer_pidfd(self->peer.sock);
	fds[2] = open_handle(&h, 0);
	fds[3] = reopen(self->peer.pidfd, O_PATH);
	for (int i = 0; i < 4; i++) {
		EXPECT_GE(fds[i], 0);
		EXPECT_EQ(0, fcntl(fds[i], F_GETFL) & O_TRUNC);
		close(fds[i]);
		ASSERT_TRUE(is_alive(&self->peer));
	}
	EXPECT_EQ(EINVAL, ERROR_OF(open_handle(&h, O_TRUNC)));
	EXPECT_TRUE(is_alive(&self->peer));
}

TEST_F(autokill, is_not_got_by_reopening)
{
	static const int flags[] = { O_RDWR, O_RDWR | O_TRUNC, O_RDONLY | O_TRUNC };
	int other;

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		other = reopen(self->peer.pidfd, flags[i]);
		if (other >= 0) {
			EXPECT_EQ(0, fcntl(other, F_GETFL) & O_TRUNC);
			close(other);
		}
		ASSERT_TRUE(is_alive(&self->peer));
	}

	/* The second file does not keep the first one from killing. */
	other = reopen(self->peer.pidfd, O_RDWR);
	EXPECT_GE(other, 0);
	close(self->peer.pidfd);
	self->peer.pidfd = -1;
	expect_killed(_metadata, &self->peer, other);
	close(other);
}

TEST_F(autokill, cannot_be_switched_off)
{
	int other = sys_pidfd_open(self->peer.pid, 0);

	EXPECT_EQ(0, fcntl(self->peer.pidfd, F_SETFL, 0));
	EXPECT_EQ(O_RDWR | O_TRUNC, fcntl(self->peer.pidfd, F_GETFL));
	EXPECT_EQ(0, fcntl(other, F_SETFL, O_TRUNC));
	EXPECT_EQ(O_RDWR, fcntl(other, F_GETFL));
	close(self->peer.pidfd);
	self->peer.pidfd = -1;
	expect_killed(_metadata, &self->peer, other);
	close(other);
}

TEST_F(autokill, waits_for_another_process_that_has_the_pidfd)
{
	int other = sys_pidfd_open(self->peer.pid, 0);
	struct child c;

	ASSERT_EQ(0, start_child(&c, 0));
	close(self->peer.pidfd);
	self->peer.pidfd = -1;
	EXPECT_TRUE(is_alive(&self->peer));

	/* The last copy of the pidfd goes with the child. */
	tell_child(&c, 0);
	EXPECT_EQ(0, wait_for_pid(c.pid));
	expect_killed(_metadata, &self->peer, other);
	close(c.tell);
	close(c.pidfd);
	close(other);
}

TEST_F(autokill, waits_for_a_pidfd_under_way)
{
	int other = sys_pidfd_open(self->peer.pid, 0), sockets[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	ASSERT_EQ(0, send_fd(sockets[0], self->peer.pidfd));
	close(self->peer.pidfd);
	self->peer.pidfd = -1;
	EXPECT_TRUE(is_alive(&self->peer));
	close(sockets[0]);
	close(sockets[1]);
	expect_killed(_metadata, &self->peer, other);
	close(other);
}

static long blocks_all_signals(long unused)
{
	sigset_t all;

	sigfillset(&all);
	return sigprocmask(SIG_BLOCK, &all, NULL);
}

TEST_F(autokill, cannot_be_blocked)
{
	int other = sys_pidfd_open(self->peer.pid, 0);

	EXPECT_EQ(0, peer_does(&self->peer, blocks_all_signals, 0));
	close(self->peer.pidfd);
	self->peer.pidfd = -1;
	expect_killed(_metadata, &self->peer, other);
	close(other);
}

TEST_F(autokill, of_the_dead_does_nothing)
{
	pid_t pid = self->peer.pid;
	struct peer next;

	tell_peer(&self->peer, 6);
	EXPECT_TRUE(is_reaped(self->peer.pidfd));
	EXPECT_EQ(EXITED(6), exit_code_of(self->peer.pidfd));
	self->peer.pid = -1;

	/* The next process with the pid lives on. */
	ASSERT_EQ(0, start_peer_as(&next, CLONE_PIDFD, false, pid));
	close(self->peer.pidfd);
	self->peer.pidfd = -1;
	EXPECT_TRUE(is_alive(&next));
	end_peer(&next);
}

TEST_F(autokill, of_a_clone_that_failed_does_nothing)
{
	struct __clone_args args = {
		.flags	= CLONE_PIDFD | CLONE_AUTOREAP | CLONE_PIDFD_AUTOKILL,
		.pidfd	= 8,
	};

	EXPECT_EQ(EFAULT, ERROR_OF(sys_clone3(&args, sizeof(args))));
	EXPECT_TRUE(is_alive(&self->peer));
}

RUST_TEST_MAIN
