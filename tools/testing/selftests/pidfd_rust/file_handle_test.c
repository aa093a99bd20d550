// SPDX-License-Identifier: GPL-2.0
/* File handles of pidfds: name_to_handle_at() and open_by_handle_at(). */
#include "pidfs.h"
#include "rust_harness.h"

PEER_FIXTURE(handle, CLONE_PIDFD)

TEST_F(handle, leads_back_after_all_pidfds_are_closed)
{
	__u64 ino = ino_of(self->peer.pidfd);
	struct handle h;
	int own, fd;

	ASSERT_EQ(0, handle_of(self->peer.pidfd, &h));
	EXPECT_EQ(sizeof(__u64), h.fh.handle_bytes);
	EXPECT_EQ(ino, id_in(&h));
	close(self->peer.pidfd);

	EXPECT_RUST_MAKES(1, fd = open_handle(&h, O_CLOEXEC));
	EXPECT_EQ(ino, ino_of(fd));
	EXPECT_EQ(self->peer.pid, pidfd_number(fd));
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	close(fd);

	/* Any pidfd names the file system. */
	own = sys_pidfd_open(getpid(), 0);
	EXPECT_RUST_MAKES(1, fd = open_by_handle_at(own, &h.fh, O_CLOEXEC));
	EXPECT_EQ(ino, ino_of(fd));
	EXPECT_EQ(self->peer.pid, pidfd_number(fd));
	close(own);
	self->peer.pidfd = fd;
}

TEST_F(handle, is_the_same_as_an_identifier_of_the_file)
{
	struct handle h, fid = {};
	int mount;

	fid.fh.handle_bytes = MAX_HANDLE_SZ;
	ASSERT_EQ(0, handle_of(self->peer.pidfd, &h));
	ASSERT_EQ(0, name_to_handle_at(self->peer.pidfd, "", &fid.fh, &mount,
				       AT_EMPTY_PATH | AT_HANDLE_FID));
	EXPECT_EQ(h.fh.handle_type, fid.fh.handle_type);
	EXPECT_EQ(id_in(&h), id_in(&fid));
}

TEST_F(handle, reports_the_size_it_needs)
{
	struct handle h;
	int mount;

	for (unsigned int room = 0; room < sizeof(__u64); room++) {
		memset(&h, 0, sizeof(h));
		h.fh.handle_bytes = room;
		EXPECT_EQ(EOVERFLOW,
			  ERROR_OF(name_to_handle_at(self->peer.pidfd, "", &h.fh,
						     &mount, AT_EMPTY_PATH)));
		EXPECT_EQ(sizeof(__u64), h.fh.handle_bytes);
	}
	h.fh.handle_bytes = sizeof(__u64);
	EXPECT_EQ(0, name_to_handle_at(self->peer.pidfd, "", &h.fh, &mount,
				       AT_EMPTY_PATH));
}

TEST_F(handle, keeps_the_flags_that_a_pidfd_has)
{
	static const struct {
		int asked;
		int given;
	} flags[] = {
		{ O_RDONLY,		O_RDWR },
		{ O_WRONLY,		O_RDWR | O_WRONLY },
		{ O_RDWR,		O_RDWR },
		{ O_CLOEXEC,		O_RDWR | O_CLOEXEC },
		{ PIDFD_THREAD,		O_RDWR | PIDFD_THREAD },
		{ PIDFD_NONBLOCK,	O_RDWR | PIDFD_NONBLOCK },
	};
	struct handle h;

	ASSERT_EQ(0, handle_of(self->peer.pidfd, &h));
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		int fd = open_handle(&h, flags[i].asked);

		EXPECT_GE(fd, 0);
		EXPECT_EQ(flags[i].given, fcntl(fd, F_GETFL)) {
			TH_LOG("asked for %o", flags[i].asked);
		}
		EXPECT_EQ(flags[i].asked & O_CLOEXEC ? FD_CLOEXEC : 0,
			  fcntl(fd, F_GETFD));
		close(fd);
	}
}

TEST_F(handle, opened_for_the_thread_signals_the_thread)
{
	struct handle h;
	int fd;

	ASSERT_EQ(0, handle_of(self->peer.pidfd, &h));
	fd = open_handle(&h, PIDFD_THREAD);
	EXPECT_EQ(0, sys_pidfd_send_signal(fd, SIGKILL, NULL, 0));
	EXPECT_EQ(POLLIN, becomes_ready(fd, POLLIN));
	await_peer(&self->peer);
	EXPECT_EQ(SIGKILL, exit_code_of(fd));
	close(fd);
}

TEST_F(handle, refuses_all_other_flags)
{
	static const int flags[] = {
		O_CREAT, O_TRUNC, O_APPEND, O_DIRECTORY, O_NOFOLLOW, O_PATH,
		O_TMPFILE, O_DIRECT, O_NOATIME, O_SYNC, O_DSYNC, O_ASYNC,
		O_NOCTTY, O_CREAT | O_EXCL, O_TRUNC | PIDFD_THREAD,
	};
	struct handle h;

	ASSERT_EQ(0, handle_of(self->peer.pidfd, &h));
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		EXPECT_EQ(EINVAL, ERROR_OF(open_handle(&h, flags[i]))) {
			TH_LOG("asked for %o", flags[i]);
		}
		EXPECT_EQ(EINVAL, ERROR_OF(open_by_handle_at(self->peer.pidfd, &h.fh,
							     flags[i])));
	}
	EXPECT_TRUE(is_alive(&self->peer));
}

TEST_F(handle, opens_a_zombie_but_is_stale_when_it_is_reaped)
{
	struct handle h;
	int fd;

	ASSERT_EQ(0, handle_of(self->peer.pidfd, &h));
	tell_peer(&self->peer, 0);
	ASSERT_EQ(0, await_zombie(self->peer.pid));
	fd = open_handle(&h, 0);
	EXPECT_GE(fd, 0);
	EXPECT_EQ(POLLIN, ready(fd));
	close(fd);

	/* Although pidfds are open. */
	await_peer(&self->peer);
	EXPECT_EQ(ESTALE, ERROR_OF(open_handle(&h, 0)));
	EXPECT_EQ(ESTALE, ERROR_OF(open_by_handle_at(self->peer.pidfd, &h.fh, 0)));
	EXPECT_EQ(id_in(&h), id_of(self->peer.pidfd));
}

TEST_F(handle, is_stale_for_the_next_process_with_the_pid)
{
	pid_t pid = self->peer.pid;
	struct peer next;
	struct handle h;

	ASSERT_EQ(0, handle_of(self->peer.pidfd, &h));
	reap_peer(&self->peer, 0);
	ASSERT_EQ(0, start_peer_as(&next, CLONE_PIDFD, false, pid));
	EXPECT_EQ(ESTALE, ERROR_OF(open_handle(&h, 0)));
	end_peer(&next);
}

static struct handle passed;

static int error_of_opening(int unused)
{
	return ERROR_OF(open_handle(&passed, 0));
}

static long opens_handle(long unused)
{
	return ERROR_OF(open_handle(&passed, 0));
}

TEST_F(handle, is_stale_in_a_pid_namespace_without_the_process)
{
	struct peer inside;
	int fd;

	ASSERT_EQ(0, handle_of(self->peer.pidfd, &passed));
	ASSERT_EQ(0, start_peer(&inside, CLONE_PIDFD | CLONE_NEWPID));
	EXPECT_EQ(ESTALE, peer_does(&inside, opens_handle, 0));

	/* The outer namespace sees the process in the inner one. */
	ASSERT_EQ(0, handle_of(inside.pidfd, &passed));
	fd = open_handle(&passed, 0);
	EXPECT_EQ(inside.pid, pidfd_number(fd));
	close(fd);
	end_peer(&inside);
}

TEST_F(handle, opens_for_any_user_that_sees_the_process)
{
	ASSERT_EQ(0, handle_of(self->peer.pidfd, &passed));
	EXPECT_EQ(0, as_nobody(error_of_opening, 0));
}

/*
 * Each CPU assigns numbers in sequence. The number of a process that was created between two
 * others is therefore known without a pidfd of it.
 */
TEST_F(handle, is_stale_for_a_process_without_a_registration)
{
	struct handle h;
	int pipe[2];

	ASSERT_EQ(0, handle_of(self->peer.pidfd, &h));
	ASSERT_EQ(0, pipe2(pipe, O_CLOEXEC));
	stay_on_cpu(0);
	for (int i = 0; i < 1000; i++) {
		int before = -1, after = -1, fd;
		pid_t pids[3];
		bool between;

		pids[0] = create_child(&before, 0);
		if (pids[0] == 0)
			await_status(pipe);
		pids[1] = fork();
		if (pids[1] == 0)
			await_status(pipe);
		pids[2] = create_child(&after, 0);
		if (pids[2] == 0)
			await_status(pipe);

		between = ino_of(after) == ino_of(before) + 2;
		if (between) {
			put_id(&h, ino_of(before) + 1);
			EXPECT_EQ(ESTALE, ERROR_OF(open_handle(&h, 0)));
			fd = sys_pidfd_open(pids[1], 0);
			EXPECT_EQ(ino_of(before) + 1, ino_of(fd));
			close(fd);
			fd = open_handle(&h, 0);
			EXPECT_EQ(pids[1], pidfd_number(fd));
			close(fd);
		}
		close(before);
		close(after);
		for (int j = 0; j < 3; j++) {
			kill(pids[j], SIGKILL);
			waitpid(pids[j], NULL, 0);
		}
		if (between) {
			close(pipe[0]);
			close(pipe[1]);
			return;
		}
	}
	ASSERT_TRUE(false) {
		TH_LOG("the numbers were never in sequence");
	}
}

TEST_F(handle, made_up_is_stale)
{
	struct handle h, wrong;

	ASSERT_EQ(0, handle_of(self->peer.pidfd, &h));
	wrong = h;
	put_id(&wrong, 0);
	EXPECT_EQ(ESTALE, ERROR_OF(open_handle(&wrong, 0)));
	put_id(&wrong, ~0ULL);
	EXPECT_EQ(ESTALE, ERROR_OF(open_handle(&wrong, 0)));
	wrong = h;
	wrong.fh.handle_type = 1;
	EXPECT_EQ(ESTALE, ERROR_OF(open_handle(&wrong, 0)));
	wrong = h;
	wrong.fh.handle_bytes = 4;
	EXPECT_EQ(ESTALE, ERROR_OF(open_handle(&wrong, 0)));
	wrong.fh.handle_bytes = 0;
	EXPECT_EQ(EINVAL, ERROR_OF(open_handle(&wrong, 0)));
	EXPECT_EQ(EBADF, ERROR_OF(open_by_handle_at(-1, &h.fh, 0)));
}

RUST_TEST_MAIN
