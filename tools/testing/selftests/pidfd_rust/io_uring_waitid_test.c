// SPDX-License-Identifier: GPL-2.0
/* IORING_OP_WAITID with P_PIDFD. */
#include "uring_test.h"

URING_FIXTURE(waitid)

TEST_F(waitid, reports_and_reaps_the_child)
{
	siginfo_t info = {};

	queue_waitid(&self->ring, P_PIDFD, self->child.pidfd, &info, WEXITED, 1);
	SUBMIT(1);
	EXPECT_TRUE(is_idle(&self->ring));
	tell_child(&self->child, 5);
	EXPECT_COMPLETES(&self->ring, 1, 0, 0);
	EXPECT_EQ(SIGCHLD, info.si_signo);
	EXPECT_EQ(0, info.si_errno);
	EXPECT_EQ(CLD_EXITED, info.si_code);
	EXPECT_EQ(self->child.pid, info.si_pid);
	EXPECT_EQ(getuid(), info.si_uid);
	EXPECT_EQ(5, info.si_status);
	EXPECT_EQ(POLLIN | POLLHUP, ready(self->child.pidfd));
	EXPECT_EQ(EXITED(5), exit_code_of(self->child.pidfd));
	self->child.pid = -1;
	EXPECT_NO_CHILD();
}

TEST_F(waitid, reports_the_signal_that_killed_the_child)
{
	siginfo_t info = {};

	queue_waitid(&self->ring, P_PIDFD, self->child.pidfd, &info, WEXITED, 1);
	SUBMIT(1);
	EXPECT_EQ(0, sys_pidfd_send_signal(self->child.pidfd, SIGTERM, NULL, 0));
	EXPECT_COMPLETES(&self->ring, 1, 0, 0);
	EXPECT_EQ(CLD_KILLED, info.si_code);
	EXPECT_EQ(SIGTERM, info.si_status);
	self->child.pid = -1;
}

TEST_F(waitid, of_a_zombie_completes_at_once)
{
	siginfo_t info = {};

	tell_child(&self->child, 6);
	ASSERT_EQ(0, await_zombie(self->child.pid));
	queue_waitid(&self->ring, P_PIDFD, self->child.pidfd, &info, WEXITED, 1);
	SUBMIT(1);
	EXPECT_FALSE(is_idle(&self->ring));
	EXPECT_COMPLETES(&self->ring, 1, 0, 0);
	EXPECT_EQ(self->child.pid, info.si_pid);
	EXPECT_EQ(6, info.si_status);
	self->child.pid = -1;
}

TEST_F(waitid, needs_no_siginfo)
{
	queue_waitid(&self->ring, P_PIDFD, self->child.pidfd, NULL, WEXITED, 1);
	SUBMIT(1);
	tell_child(&self->child, 0);
	EXPECT_COMPLETES(&self->ring, 1, 0, 0);
	self->child.pid = -1;
	EXPECT_NO_CHILD();
}

TEST_F(waitid, with_wnowait_leaves_the_zombie)
{
	siginfo_t info = {};

	queue_waitid(&self->ring, P_PIDFD, self->child.pidfd, &info, WEXITED | WNOWAIT, 1);
	SUBMIT(1);
	tell_child(&self->child, 8);
	EXPECT_COMPLETES(&self->ring, 1, 0, 0);
	EXPECT_EQ(self->child.pid, info.si_pid);
	EXPECT_EQ(POLLIN, ready(self->child.pidfd));
	EXPECT_EQ(8, wait_for_pid(self->child.pid));
	self->child.pid = -1;
}

TEST_F(waitid, with_wnohang_does_not_wait)
{
	siginfo_t info;

	memset(&info, 0xff, sizeof(info));
	queue_waitid(&self->ring, P_PIDFD, self->child.pidfd, &info, WEXITED | WNOHANG, 1);
	SUBMIT(1);
	EXPECT_FALSE(is_idle(&self->ring));
	EXPECT_COMPLETES(&self->ring, 1, 0, 0);
	EXPECT_EQ(0, info.si_signo);
	EXPECT_EQ(0, info.si_pid);
	tell_child(&self->child, 0);
}

/* waitid() fails with EAGAIN here, and the request succeeds without a report. */
TEST_F(waitid, of_a_nonblocking_pidfd_does_not_wait)
{
	int fd = sys_pidfd_open(self->child.pid, PIDFD_NONBLOCK);
	siginfo_t info;

	memset(&info, 0xff, sizeof(info));
	queue_waitid(&self->ring, P_PIDFD, fd, &info, WEXITED, 1);
	SUBMIT(1);
	EXPECT_FALSE(is_idle(&self->ring));
	EXPECT_COMPLETES(&self->ring, 1, 0, 0);
	EXPECT_EQ(0, info.si_pid);
	EXPECT_EQ(EAGAIN, ERROR_OF(sys_waitid(P_PIDFD, fd, NULL, WEXITED)));
	tell_child(&self->child, 0);
	close(fd);
}

TEST_F(waitid, reports_a_stop_and_a_continuation)
{
	int fd = self->child.pidfd;
	siginfo_t info = {};

	queue_waitid(&self->ring, P_PIDFD, fd, &info, WSTOPPED, 1);
	SUBMIT(1);
	EXPECT_TRUE(is_idle(&self->ring));
	EXPECT_EQ(0, sys_pidfd_send_signal(fd, SIGSTOP, NULL, 0));
	EXPECT_COMPLETES(&self->ring, 1, 0, 0);
	EXPECT_EQ(self->child.pid, info.si_pid);
	EXPECT_EQ(CLD_STOPPED, info.si_code);
	EXPECT_EQ(SIGSTOP, info.si_status);
	/* A pidfd does not report a stop. */
	EXPECT_EQ(0, ready(fd));

	queue_waitid(&self->ring, P_PIDFD, fd, &info, WCONTINUED, 2);
	SUBMIT(1);
	EXPECT_TRUE(is_idle(&self->ring));
	EXPECT_EQ(0, sys_pidfd_send_signal(fd, SIGCONT, NULL, 0));
	EXPECT_COMPLETES(&self->ring, 2, 0, 0);
	EXPECT_EQ(CLD_CONTINUED, info.si_code);
	EXPECT_EQ(SIGCONT, info.si_status);
	tell_child(&self->child, 0);
}

TEST_F(waitid, of_no_child_is_echild)
{
	int own = sys_pidfd_open(getpid(), 0);

	queue_waitid(&self->ring, P_PIDFD, own, NULL, WEXITED, 1);
	SUBMIT(1);
	EXPECT_COMPLETES(&self->ring, 1, -ECHILD, 0);

	tell_child(&self->child, 0);
	reap(&self->child);
	queue_waitid(&self->ring, P_PIDFD, self->child.pidfd, NULL, WEXITED, 2);
	SUBMIT(1);
	EXPECT_COMPLETES(&self->ring, 2, -ECHILD, 0);
	close(own);
}

TEST_F(waitid, fails_when_another_wait_reaps_the_child)
{
	siginfo_t info = {};

	queue_waitid(&self->ring, P_PIDFD, self->child.pidfd, &info, WEXITED, 1);
	queue_waitid(&self->ring, P_PIDFD, self->child.pidfd, &info, WEXITED, 2);
	SUBMIT(2);
	tell_child(&self->child, 0);
	for (int i = 0, reaped = 0; i < 2; i++) {
		struct io_uring_cqe cqe;

		ASSERT_TRUE(completes(&self->ring, &cqe));
		if (!cqe.res)
			reaped++;
		else
			EXPECT_EQ(-ECHILD, cqe.res);
		EXPECT_TRUE(i == 0 || reaped == 1);
	}
	self->child.pid = -1;
	EXPECT_NO_CHILD();
}

TEST_F(waitid, refuses_descriptors_that_are_no_pidfds)
{
	int closed = lowest_free_fd();

	queue_waitid(&self->ring, P_PIDFD, closed, NULL, WEXITED, 1);
	SUBMIT(1);
	EXPECT_COMPLETES(&self->ring, 1, -EBADF, 0);
	queue_waitid(&self->ring, P_PIDFD, STDERR_FILENO, NULL, WEXITED, 2);
	SUBMIT(1);
	EXPECT_COMPLETES(&self->ring, 2, -EBADF, 0);
	queue_waitid(&self->ring, P_PIDFD, self->ring.fd, NULL, WEXITED, 3);
	SUBMIT(1);
	EXPECT_COMPLETES(&self->ring, 3, -EBADF, 0);
	queue_waitid(&self->ring, P_PIDFD, -1, NULL, WEXITED, 4);
	SUBMIT(1);
	EXPECT_COMPLETES(&self->ring, 4, -EINVAL, 0);
	/* waitid() does not take the constants for the caller. */
	queue_waitid(&self->ring, P_PIDFD, PIDFD_SELF_THREAD_GROUP, NULL, WEXITED, 5);
	SUBMIT(1);
	EXPECT_COMPLETES(&self->ring, 5, -EINVAL, 0);
	tell_child(&self->child, 0);
}

TEST_F(waitid, refuses_options_that_make_no_sense)
{
	queue_waitid(&self->ring, P_PIDFD, self->child.pidfd, NULL, 0, 1);
	SUBMIT(1);
	EXPECT_COMPLETES(&self->ring, 1, -EINVAL, 0);
	queue_waitid(&self->ring, P_PIDFD, self->child.pidfd, NULL, WNOHANG, 2);
	SUBMIT(1);
	EXPECT_COMPLETES(&self->ring, 2, -EINVAL, 0);
	queue_waitid(&self->ring, P_PIDFD, self->child.pidfd, NULL, WEXITED | 0x10, 3);
	SUBMIT(1);
	EXPECT_COMPLETES(&self->ring, 3, -EINVAL, 0);
	queue_waitid(&self->ring, P_PIDFD, self->child.pidfd, NULL, WEXITED, 4)->waitid_flags = 1;
	SUBMIT(1);
	EXPECT_COMPLETES(&self->ring, 4, -EINVAL, 0);
	tell_child(&self->child, 0);
}

TEST_F(waitid, reaps_even_if_the_siginfo_cannot_be_written)
{
	queue_waitid(&self->ring, P_PIDFD, self->child.pidfd, (siginfo_t *)16, WEXITED, 1);
	SUBMIT(1);
	tell_child(&self->child, 0);
	EXPECT_COMPLETES(&self->ring, 1, -EFAULT, 0);
	self->child.pid = -1;
	EXPECT_NO_CHILD();
}

TEST_F(waitid, is_cancelled)
{
	siginfo_t info;

	memset(&info, 0xff, sizeof(info));
	queue_waitid(&self->ring, P_PIDFD, self->child.pidfd, &info, WEXITED, 1);
	SUBMIT(1);
	queue_cancel(&self->ring, IORING_OP_ASYNC_CANCEL, 1, 2);
	SUBMIT(1);
	/* The result is the number of requests that were cancelled. */
	EXPECT_COMPLETE(&self->ring, 1, -ECANCELED, 2, 1);
	EXPECT_EQ(0, info.si_signo);
	EXPECT_EQ(0, info.si_pid);

	/* Another wait can reap the child. */
	tell_child(&self->child, 3);
	EXPECT_EQ(3, wait_for_pid(self->child.pid));
	self->child.pid = -1;
	EXPECT_TRUE(is_idle(&self->ring));
}

TEST_F(waitid, ends_with_the_ring)
{
	siginfo_t info = {};

	queue_waitid(&self->ring, P_PIDFD, self->child.pidfd, &info, WEXITED, 1);
	SUBMIT(1);
	end_ring(&self->ring);
	tell_child(&self->child, 4);
	EXPECT_EQ(4, wait_for_pid(self->child.pid));
	self->child.pid = -1;
	EXPECT_EQ(0, info.si_pid);
}

/* A wait request has a reference to the process, and none to the file. */
TEST_F(waitid, of_a_closed_pidfd_goes_on_without_the_file)
{
	long opened = rust_open();
	siginfo_t info = {};

	queue_waitid(&self->ring, P_PIDFD, self->child.pidfd, &info, WEXITED, 1);
	SUBMIT(1);
	close(self->child.pidfd);
	self->child.pidfd = -1;
	EXPECT_EQ(opened - 1, settles(rust_open, opened - 1));
	tell_child(&self->child, 9);
	EXPECT_COMPLETES(&self->ring, 1, 0, 0);
	EXPECT_EQ(self->child.pid, info.si_pid);
	EXPECT_EQ(9, info.si_status);
	self->child.pid = -1;
}

RUST_TEST_MAIN
