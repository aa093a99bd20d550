// SPDX-License-Identifier: GPL-2.0
/* IORING_OP_POLL_ADD on pidfds, and how long requests keep a pidfd open. */
#include <linux/fs.h>

#include "uring_test.h"

#define MANY 32

#define EXITED_EVENTS (POLLIN | POLLRDNORM)
#define REAPED_EVENTS (POLLIN | POLLRDNORM | POLLHUP)

URING_FIXTURE(poll)

TEST_F(poll, completes_when_the_process_exits)
{
	queue_poll(&self->ring, self->child.pidfd, POLLIN | POLLRDNORM, 1);
	SUBMIT(1);
	EXPECT_TRUE(is_idle(&self->ring));
	tell_child(&self->child, 0);
	EXPECT_COMPLETES(&self->ring, 1, EXITED_EVENTS, 0);

	/* A single shot does not report the reaping. */
	reap(&self->child);
	EXPECT_TRUE(is_idle(&self->ring));
}

TEST_F(poll, reports_only_what_it_asks_for)
{
	queue_poll(&self->ring, self->child.pidfd, POLLIN, 1);
	queue_poll(&self->ring, self->child.pidfd, POLLRDNORM, 2);
	queue_poll(&self->ring, self->child.pidfd, POLLOUT | POLLPRI, 3);
	SUBMIT(3);
	tell_child(&self->child, 0);
	EXPECT_COMPLETE(&self->ring, 1, POLLIN, 2, POLLRDNORM);
	EXPECT_TRUE(is_idle(&self->ring));

	/* Every poll request reports a hang-up. */
	reap(&self->child);
	EXPECT_COMPLETES(&self->ring, 3, POLLHUP, 0);
}

TEST_F(poll, of_a_zombie_completes_at_once)
{
	tell_child(&self->child, 0);
	ASSERT_EQ(0, await_zombie(self->child.pid));
	queue_poll(&self->ring, self->child.pidfd, POLLIN | POLLRDNORM, 1);
	SUBMIT(1);
	EXPECT_FALSE(is_idle(&self->ring));
	EXPECT_COMPLETES(&self->ring, 1, EXITED_EVENTS, 0);
}

TEST_F(poll, of_a_reaped_process_completes_at_once)
{
	tell_child(&self->child, 0);
	reap(&self->child);
	queue_poll(&self->ring, self->child.pidfd, POLLIN | POLLRDNORM, 1);
	SUBMIT(1);
	EXPECT_FALSE(is_idle(&self->ring));
	EXPECT_COMPLETES(&self->ring, 1, REAPED_EVENTS, 0);
}

TEST_F(poll, multishot_reports_the_exit_and_the_reaping)
{
	queue_poll(&self->ring, self->child.pidfd, POLLIN | POLLRDNORM, 1)->len =
		IORING_POLL_ADD_MULTI;
	SUBMIT(1);
	EXPECT_TRUE(is_idle(&self->ring));
	tell_child(&self->child, 0);
	EXPECT_COMPLETES(&self->ring, 1, EXITED_EVENTS, IORING_CQE_F_MORE);
	EXPECT_TRUE(is_idle(&self->ring));
	reap(&self->child);
	EXPECT_COMPLETES(&self->ring, 1, REAPED_EVENTS, IORING_CQE_F_MORE);
	EXPECT_TRUE(is_idle(&self->ring));

	/* The request stays armed, although no event can follow. */
	queue_cancel(&self->ring, IORING_OP_POLL_REMOVE, 1, 2);
	SUBMIT(1);
	EXPECT_COMPLETE(&self->ring, 1, -ECANCELED, 2, 0);
}

TEST_F(poll, multishot_of_a_zombie_reports_it_and_the_reaping)
{
	tell_child(&self->child, 0);
	ASSERT_EQ(0, await_zombie(self->child.pid));
	queue_poll(&self->ring, self->child.pidfd, POLLIN | POLLRDNORM, 1)->len =
		IORING_POLL_ADD_MULTI;
	SUBMIT(1);
	EXPECT_COMPLETES(&self->ring, 1, EXITED_EVENTS, IORING_CQE_F_MORE);
	reap(&self->child);
	EXPECT_COMPLETES(&self->ring, 1, REAPED_EVENTS, IORING_CQE_F_MORE);
	EXPECT_TRUE(is_idle(&self->ring));
}

TEST_F(poll, of_many_requests_completes_each)
{
	bool seen[MANY] = {};

	for (int i = 0; i < MANY; i++)
		queue_poll(&self->ring, self->child.pidfd, POLLIN, i);
	SUBMIT(MANY);
	EXPECT_TRUE(is_idle(&self->ring));
	tell_child(&self->child, 0);
	for (int i = 0; i < MANY; i++) {
		struct io_uring_cqe cqe;

		ASSERT_TRUE(completes(&self->ring, &cqe));
		EXPECT_EQ(POLLIN, cqe.res);
		ASSERT_LT(cqe.user_data, MANY);
		EXPECT_FALSE(seen[cqe.user_data]);
		seen[cqe.user_data] = true;
	}
	EXPECT_TRUE(is_idle(&self->ring));
}

TEST_F(poll, works_on_a_ring_with_a_kernel_thread)
{
	struct ring ring;

	ASSERT_EQ(0, start_ring(&ring, IORING_SETUP_SQPOLL));
	queue_poll(&ring, self->child.pidfd, POLLIN | POLLRDNORM, 1);
	ASSERT_EQ(1, submit(&ring));
	EXPECT_TRUE(is_idle(&ring));
	tell_child(&self->child, 0);
	EXPECT_COMPLETES(&ring, 1, EXITED_EVENTS, 0);
	end_ring(&ring);
}

TEST_F(poll, is_removed)
{
	queue_poll(&self->ring, self->child.pidfd, POLLIN, 1);
	SUBMIT(1);
	queue_cancel(&self->ring, IORING_OP_POLL_REMOVE, 1, 2);
	SUBMIT(1);
	EXPECT_COMPLETE(&self->ring, 1, -ECANCELED, 2, 0);
	tell_child(&self->child, 0);
	reap(&self->child);
	EXPECT_TRUE(is_idle(&self->ring));

	queue_cancel(&self->ring, IORING_OP_POLL_REMOVE, 1, 3);
	SUBMIT(1);
	EXPECT_COMPLETES(&self->ring, 3, -ENOENT, 0);
}

TEST_F(poll, is_cancelled_by_its_user_data)
{
	queue_poll(&self->ring, self->child.pidfd, POLLIN, 1);
	SUBMIT(1);
	queue_cancel(&self->ring, IORING_OP_ASYNC_CANCEL, 1, 2);
	SUBMIT(1);
	EXPECT_COMPLETE(&self->ring, 1, -ECANCELED, 2, 0);
	tell_child(&self->child, 0);
	reap(&self->child);
	EXPECT_TRUE(is_idle(&self->ring));
}

TEST_F(poll, is_cancelled_by_its_pidfd)
{
	int other = sys_pidfd_open(self->child.pid, 0);
	struct io_uring_sqe *sqe;

	queue_poll(&self->ring, self->child.pidfd, POLLIN, 1);
	queue_poll(&self->ring, other, POLLIN, 2)->len = IORING_POLL_ADD_MULTI;
	SUBMIT(2);
	sqe = queue(&self->ring, IORING_OP_ASYNC_CANCEL, other, 3);
	sqe->cancel_flags = IORING_ASYNC_CANCEL_FD;
	SUBMIT(1);
	EXPECT_COMPLETE(&self->ring, 2, -ECANCELED, 3, 0);
	EXPECT_TRUE(is_idle(&self->ring));

	/* The first pidfd of the process is another file. */
	tell_child(&self->child, 0);
	EXPECT_COMPLETES(&self->ring, 1, POLLIN, 0);
	close(other);
}

TEST_F(poll, can_be_changed_to_wait_for_the_reaping)
{
	struct io_uring_sqe *sqe;

	queue_poll(&self->ring, self->child.pidfd, POLLIN, 1);
	SUBMIT(1);
	sqe = queue_poll(&self->ring, -1, POLLOUT, 2);
	sqe->opcode = IORING_OP_POLL_REMOVE;
	sqe->addr = 1;
	sqe->len = IORING_POLL_UPDATE_EVENTS;
	SUBMIT(1);
	EXPECT_COMPLETES(&self->ring, 2, 0, 0);
	tell_child(&self->child, 0);
	ASSERT_EQ(0, await_zombie(self->child.pid));
	EXPECT_TRUE(is_idle(&self->ring));
	reap(&self->child);
	EXPECT_COMPLETES(&self->ring, 1, POLLHUP, 0);
}

TEST_F(poll, ends_at_a_linked_timeout)
{
	struct __kernel_timespec soon = { .tv_nsec = 1000000 };
	struct io_uring_sqe *sqe;

	queue_poll(&self->ring, self->child.pidfd, POLLIN, 1)->flags = IOSQE_IO_LINK;
	sqe = queue(&self->ring, IORING_OP_LINK_TIMEOUT, -1, 2);
	sqe->addr = (uintptr_t)&soon;
	sqe->len = 1;
	SUBMIT(2);
	EXPECT_COMPLETE(&self->ring, 1, -ECANCELED, 2, -ETIME);
	tell_child(&self->child, 0);
	reap(&self->child);
	EXPECT_TRUE(is_idle(&self->ring));
}

TEST_F(poll, of_a_closed_pidfd_keeps_the_file)
{
	long opened = rust_open();

	queue_poll(&self->ring, self->child.pidfd, POLLIN, 1);
	SUBMIT(1);
	close(self->child.pidfd);
	self->child.pidfd = -1;
	EXPECT_EQ(opened, rust_open());
	EXPECT_TRUE(is_idle(&self->ring));
	tell_child(&self->child, 0);
	EXPECT_COMPLETES(&self->ring, 1, POLLIN, 0);
	EXPECT_EQ(opened - 1, settles(rust_open, opened - 1));
}

TEST_F(poll, of_a_closed_pidfd_keeps_the_file_until_it_is_cancelled)
{
	long opened = rust_open();

	queue_poll(&self->ring, self->child.pidfd, POLLIN, 1);
	SUBMIT(1);
	close(self->child.pidfd);
	self->child.pidfd = -1;
	EXPECT_EQ(opened, rust_open());
	queue_cancel(&self->ring, IORING_OP_ASYNC_CANCEL, 1, 2);
	SUBMIT(1);
	EXPECT_COMPLETE(&self->ring, 1, -ECANCELED, 2, 0);
	EXPECT_EQ(opened - 1, settles(rust_open, opened - 1));
	tell_child(&self->child, 0);
}

TEST_F(poll, ends_with_the_ring)
{
	long opened = rust_open();

	queue_poll(&self->ring, self->child.pidfd, POLLIN, 1);
	queue_poll(&self->ring, self->child.pidfd, POLLIN, 2)->len = IORING_POLL_ADD_MULTI;
	SUBMIT(2);
	close(self->child.pidfd);
	self->child.pidfd = -1;
	EXPECT_EQ(opened, rust_open());
	end_ring(&self->ring);
	EXPECT_EQ(opened - 1, settles(rust_open, opened - 1));

	/* The exit wakes no request. */
	tell_child(&self->child, 0);
	reap(&self->child);
}

TEST_F(poll, ends_with_the_process_that_asks)
{
	long opened = rust_open();
	pid_t pid;

	pid = fork();
	if (pid == 0) {
		struct ring ring;
		int fd = sys_pidfd_open(self->child.pid, 0);

		if (start_ring(&ring, 0))
			_exit(1);
		queue_poll(&ring, fd, POLLIN, 1);
		_exit(submit(&ring) == 1 && is_idle(&ring) ? 0 : 2);
	}
	EXPECT_EQ(0, wait_for_pid(pid));
	EXPECT_EQ(opened, settles(rust_open, opened));
	tell_child(&self->child, 0);
	reap(&self->child);
}

TEST_F(poll, of_a_registered_pidfd_needs_no_descriptor)
{
	long opened = rust_open();

	ASSERT_EQ(0, register_files(&self->ring, &self->child.pidfd, 1));
	close(self->child.pidfd);
	self->child.pidfd = -1;
	EXPECT_EQ(opened, rust_open());
	queue_poll(&self->ring, 0, POLLIN | POLLRDNORM, 1)->flags = IOSQE_FIXED_FILE;
	SUBMIT(1);
	EXPECT_TRUE(is_idle(&self->ring));
	tell_child(&self->child, 0);
	EXPECT_COMPLETES(&self->ring, 1, EXITED_EVENTS, 0);
	EXPECT_EQ(opened, rust_open());
	ASSERT_EQ(0, unregister_files(&self->ring));
	EXPECT_EQ(opened - 1, settles(rust_open, opened - 1));
}

TEST_F(poll, lets_a_linked_waitid_reap)
{
	siginfo_t info = {};

	queue_poll(&self->ring, self->child.pidfd, POLLIN, 1)->flags = IOSQE_IO_LINK;
	queue_waitid(&self->ring, P_PIDFD, self->child.pidfd, &info, WEXITED | WNOHANG, 2);
	SUBMIT(2);
	EXPECT_TRUE(is_idle(&self->ring));
	tell_child(&self->child, 7);
	EXPECT_COMPLETES(&self->ring, 1, POLLIN, 0);
	EXPECT_COMPLETES(&self->ring, 2, 0, 0);
	EXPECT_EQ(self->child.pid, info.si_pid);
	EXPECT_EQ(CLD_EXITED, info.si_code);
	EXPECT_EQ(7, info.si_status);
	EXPECT_EQ(EXITED(7), exit_code_of(self->child.pidfd));
	self->child.pid = -1;
	EXPECT_NO_CHILD();
}

TEST_F(poll, that_is_cancelled_cancels_a_linked_waitid)
{
	siginfo_t info = {};
	struct io_uring_cqe cqe;
	int results[4] = {};

	queue_poll(&self->ring, self->child.pidfd, POLLIN, 1)->flags = IOSQE_IO_LINK;
	queue_waitid(&self->ring, P_PIDFD, self->child.pidfd, &info, WEXITED, 2);
	SUBMIT(2);
	queue_cancel(&self->ring, IORING_OP_ASYNC_CANCEL, 1, 3);
	SUBMIT(1);
	for (int i = 0; i < 3; i++) {
		ASSERT_TRUE(completes(&self->ring, &cqe));
		results[cqe.user_data & 3] = cqe.res;
	}
	EXPECT_EQ(-ECANCELED, results[1]);
	EXPECT_EQ(-ECANCELED, results[2]);
	EXPECT_EQ(0, results[3]);
	tell_child(&self->child, 0);
}

/* io_uring polls a file before it reads from the file. A pidfd has no read operation. */
TEST_F(poll, of_a_read_request_fails_it_when_the_process_exits)
{
	struct io_uring_sqe *sqe;
	char byte;

	sqe = queue(&self->ring, IORING_OP_READ, self->child.pidfd, 1);
	sqe->addr = (uintptr_t)&byte;
	sqe->len = 1;
	SUBMIT(1);
	EXPECT_TRUE(is_idle(&self->ring));
	tell_child(&self->child, 0);
	EXPECT_COMPLETES(&self->ring, 1, -EINVAL, 0);
}

/* Threads. */

FIXTURE(threads)
{
	struct numbers before;
	struct ring ring;
	struct process process;
	int fd;
};

/* Both kinds of a leader's pidfd refer to the process. */
FIXTURE_VARIANT(threads)
{
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(threads, of_a_pidfd_for_the_process)
{
	.flags = 0,
};

FIXTURE_VARIANT_ADD(threads, of_a_pidfd_for_the_leader)
{
	.flags = PIDFD_THREAD,
};

FIXTURE_SETUP(threads)
{
	const char *reason = no_io_uring() ?: no_brakes();

	if (reason)
		SKIP(return, "%s", reason);
	rust_setup(_metadata, &self->before);
	ASSERT_EQ(0, start_process(&self->process, CLONE_PIDFD));
	ASSERT_EQ(0, start_ring(&self->ring, 0));
	EXPECT_RUST_MAKES(1, self->fd = sys_pidfd_open(self->process.leader.pid, variant->flags));
}

FIXTURE_TEARDOWN(threads)
{
	close(self->fd);
	kill(self->process.leader.pid, SIGKILL);
	waitpid(self->process.leader.pid, NULL, 0);
	end_process(&self->process);
	end_ring(&self->ring);
	rust_teardown(_metadata, &self->before);
}

TEST_F(threads, keep_a_poll_waiting_after_the_leader_ended)
{
	struct process *p = &self->process;

	queue_poll(&self->ring, self->fd, POLLIN | POLLRDNORM, 1);
	queue_poll(&self->ring, self->fd, POLLIN | POLLRDNORM, 2)->len = IORING_POLL_ADD_MULTI;
	SUBMIT(2);
	tell_thread(&p->leader, 1);
	ASSERT_TRUE(becomes(p, &p->leader, 'Z'));
	EXPECT_TRUE(is_idle(&self->ring));
	tell_thread(&p->thread[0], 2);
	ASSERT_TRUE(becomes(p, &p->thread[0], 0));
	EXPECT_TRUE(is_idle(&self->ring));

	/* A request that comes after the leader's exit waits, too. */
	queue_poll(&self->ring, self->fd, POLLIN | POLLRDNORM, 3);
	SUBMIT(1);
	EXPECT_TRUE(is_idle(&self->ring));
	queue_cancel(&self->ring, IORING_OP_POLL_REMOVE, 3, 4);
	SUBMIT(1);
	EXPECT_COMPLETE(&self->ring, 3, -ECANCELED, 4, 0);

	tell_thread(&p->thread[1], 3);
	EXPECT_COMPLETE(&self->ring, 1, EXITED_EVENTS, 2, EXITED_EVENTS);
	EXPECT_TRUE(is_idle(&self->ring));
}

TEST_F(threads, keep_a_waitid_waiting_after_the_leader_ended)
{
	struct process *p = &self->process;
	siginfo_t info = {};

	queue_waitid(&self->ring, P_PIDFD, self->fd, &info, WEXITED | WNOWAIT, 1);
	SUBMIT(1);
	tell_thread(&p->leader, 1);
	ASSERT_TRUE(becomes(p, &p->leader, 'Z'));
	tell_thread(&p->thread[0], 2);
	ASSERT_TRUE(becomes(p, &p->thread[0], 0));
	EXPECT_TRUE(is_idle(&self->ring));
	tell_thread(&p->thread[1], 3);
	EXPECT_COMPLETES(&self->ring, 1, 0, 0);
	EXPECT_EQ(p->leader.pid, info.si_pid);
	EXPECT_EQ(3, info.si_status);
}

TEST_F(threads, keep_a_poll_waiting_when_one_of_them_executes)
{
	struct process *p = &self->process;

	queue_poll(&self->ring, self->fd, POLLIN | POLLRDNORM, 1);
	queue_poll(&self->ring, self->fd, POLLIN | POLLRDNORM, 2)->len = IORING_POLL_ADD_MULTI;
	SUBMIT(2);
	tell_thread(&p->leader, 1);
	ASSERT_TRUE(becomes(p, &p->leader, 'Z'));
	execute(p, 0);
	ASSERT_EQ(0, peer_answers(&p->thread[0]));
	EXPECT_TRUE(is_idle(&self->ring));
	tell_peer(&p->thread[0], 2);
	EXPECT_COMPLETE(&self->ring, 1, EXITED_EVENTS, 2, EXITED_EVENTS);
}

TEST_F(threads, are_polled_one_by_one)
{
	struct process *p = &self->process;
	struct io_uring_cqe cqe;
	int fd;

	EXPECT_RUST_MAKES(1, fd = sys_pidfd_open(p->thread[0].pid, PIDFD_THREAD));
	queue_poll(&self->ring, self->fd, POLLIN | POLLRDNORM, 1);
	queue_poll(&self->ring, fd, POLLIN | POLLRDNORM, 2);
	queue_poll(&self->ring, fd, POLLIN | POLLRDNORM, 3)->len = IORING_POLL_ADD_MULTI;
	SUBMIT(3);
	tell_thread(&p->thread[1], 1);
	ASSERT_TRUE(becomes(p, &p->thread[1], 0));
	EXPECT_TRUE(is_idle(&self->ring));

	/* The thread is released right after it exits, and one more report may come for that. */
	tell_thread(&p->thread[0], 2);
	for (int singles = 0, last = 0; !singles || !(last & POLLHUP);) {
		ASSERT_TRUE(completes(&self->ring, &cqe));
		EXPECT_EQ(EXITED_EVENTS, cqe.res & EXITED_EVENTS);
		ASSERT_TRUE(cqe.user_data == 2 || cqe.user_data == 3);
		if (cqe.user_data == 2) {
			EXPECT_EQ(0, cqe.flags);
			EXPECT_EQ(0, singles);
			singles++;
		} else {
			EXPECT_EQ(IORING_CQE_F_MORE, cqe.flags);
			last = cqe.res;
		}
	}
	EXPECT_TRUE(is_idle(&self->ring));
	EXPECT_TRUE(is_alive(&p->leader));
	close(fd);
}

/* The last close of this pidfd kills the process. */

FIXTURE(autokill)
{
	struct numbers before;
	struct ring ring;
	struct peer peer;
	int other;
};

FIXTURE_SETUP(autokill)
{
	const char *reason = no_io_uring();

	if (reason)
		SKIP(return, "%s", reason);
	rust_setup(_metadata, &self->before);
	ASSERT_EQ(0, start_peer(&self->peer, CLONE_PIDFD | CLONE_AUTOREAP | CLONE_PIDFD_AUTOKILL));
	ASSERT_EQ(0, start_ring(&self->ring, 0));
	EXPECT_RUST_MAKES(1, self->other = sys_pidfd_open(self->peer.pid, 0));
}

FIXTURE_TEARDOWN(autokill)
{
	/* Each test ends with the process killed. */
	self->peer.pid = -1;
	end_peer(&self->peer);
	close(self->other);
	end_ring(&self->ring);
	rust_teardown(_metadata, &self->before);
}

#define EXPECT_KILLED() do {						\
	EXPECT_TRUE(is_reaped(self->other));				\
	EXPECT_EQ(SIGKILL, exit_code_of(self->other));			\
} while (0)

static void close_pidfd(struct peer *p)
{
	close(p->pidfd);
	p->pidfd = -1;
}

TEST_F(autokill, waits_for_a_poll_that_is_cancelled)
{
	queue_poll(&self->ring, self->peer.pidfd, POLLIN, 1);
	SUBMIT(1);
	close_pidfd(&self->peer);
	EXPECT_TRUE(is_alive(&self->peer));
	queue_cancel(&self->ring, IORING_OP_ASYNC_CANCEL, 1, 2);
	SUBMIT(1);
	EXPECT_COMPLETE(&self->ring, 1, -ECANCELED, 2, 0);
	EXPECT_KILLED();
}

TEST_F(autokill, waits_for_a_poll_that_ends_with_the_ring)
{
	queue_poll(&self->ring, self->peer.pidfd, POLLIN, 1)->len = IORING_POLL_ADD_MULTI;
	SUBMIT(1);
	close_pidfd(&self->peer);
	EXPECT_TRUE(is_alive(&self->peer));
	end_ring(&self->ring);
	EXPECT_KILLED();
}

TEST_F(autokill, happens_when_io_uring_closes_the_pidfd)
{
	queue(&self->ring, IORING_OP_CLOSE, self->peer.pidfd, 1);
	SUBMIT(1);
	EXPECT_COMPLETES(&self->ring, 1, 0, 0);
	self->peer.pidfd = -1;
	EXPECT_KILLED();
}

TEST_F(autokill, waits_for_a_registered_pidfd)
{
	ASSERT_EQ(0, register_files(&self->ring, &self->peer.pidfd, 1));
	close_pidfd(&self->peer);
	EXPECT_TRUE(is_alive(&self->peer));
	ASSERT_EQ(0, unregister_files(&self->ring));
	EXPECT_KILLED();
}

int main(int argc, char **argv)
{
	follow_if_executed(argc, argv);
	return rust_test_main(argc, argv);
}
