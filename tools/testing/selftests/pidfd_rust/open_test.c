// SPDX-License-Identifier: GPL-2.0
/* pidfd_open(), and pidfds that the kernel makes for sockets and fanotify. */
#include <sys/fanotify.h>
#include <sys/socket.h>

#include "rust_harness.h"
#include "scm.h"
#include "waiting_thread.h"

RUST_FIXTURE(pidfd_open)

TEST_F(pidfd_open, gives_a_pidfd_of_a_process)
{
	struct child c;
	int fd = -1;

	ASSERT_EQ(0, start_child(&c, 0));
	EXPECT_RUST_MAKES(1, fd = sys_pidfd_open(c.pid, 0));
	ASSERT_GE(fd, 0);
	EXPECT_TRUE(is_pidfd(fd));
	EXPECT_EQ(c.pid, pidfd_number(fd));
	EXPECT_EQ(O_RDWR, fcntl(fd, F_GETFL));
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	close(fd);
	end_child(&c);
}

TEST_F(pidfd_open, nonblock_shows_in_the_flags)
{
	int fd = -1;

	EXPECT_RUST_MAKES(1, fd = sys_pidfd_open(getpid(), PIDFD_NONBLOCK));
	EXPECT_EQ(O_RDWR | O_NONBLOCK, fcntl(fd, F_GETFL));
	close(fd);
}

TEST_F(pidfd_open, thread_shows_in_the_flags)
{
	int fd = -1;

	EXPECT_RUST_MAKES(1, fd = sys_pidfd_open(getpid(), PIDFD_THREAD));
	EXPECT_EQ(O_RDWR | PIDFD_THREAD, fcntl(fd, F_GETFL));
	close(fd);
}

TEST_F(pidfd_open, nonblock_can_be_set_and_cleared_later)
{
	int fd = sys_pidfd_open(getpid(), 0);

	EXPECT_EQ(0, fcntl(fd, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(O_RDWR | O_NONBLOCK, fcntl(fd, F_GETFL));
	EXPECT_EQ(0, fcntl(fd, F_SETFL, 0));
	EXPECT_EQ(O_RDWR, fcntl(fd, F_GETFL));
	close(fd);
}

TEST_F(pidfd_open, refuses_every_other_flag)
{
	for (int bit = 0; bit < 32; bit++) {
		unsigned int flag = 1U << bit;

		if (flag & (PIDFD_NONBLOCK | PIDFD_THREAD))
			continue;
		EXPECT_EQ(-1, sys_pidfd_open(getpid(), flag)) {
			TH_LOG("flag %#x", flag);
		}
		EXPECT_EQ(EINVAL, errno);
	}
}

TEST_F(pidfd_open, refuses_numbers_that_are_no_pids)
{
	EXPECT_EQ(-1, sys_pidfd_open(0, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, sys_pidfd_open(-1, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, sys_pidfd_open(INT_MIN, 0));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(pidfd_open, of_no_process_is_esrch)
{
	EXPECT_EQ(-1, sys_pidfd_open(INT_MAX, 0));
	EXPECT_EQ(ESRCH, errno);
}

TEST_F(pidfd_open, of_a_reaped_process_is_esrch)
{
	struct child c;

	ASSERT_EQ(0, start_child(&c, 0));
	end_child(&c);
	EXPECT_EQ(-1, sys_pidfd_open(c.pid, 0));
	EXPECT_EQ(ESRCH, errno);
}

TEST_F(pidfd_open, of_a_zombie_works)
{
	struct child c;
	int fd = -1;

	ASSERT_EQ(0, start_child(&c, 0));
	tell_child(&c, 0);
	ASSERT_EQ(0, await_zombie(c.pid));
	EXPECT_RUST_MAKES(1, fd = sys_pidfd_open(c.pid, 0));
	EXPECT_EQ(POLLIN, ready(fd));
	close(fd);
	end_child(&c);
}

TEST_F(pidfd_open, of_a_thread_needs_the_thread_flag)
{
	struct waiting_thread t;
	int fd = -1;

	ASSERT_EQ(0, start_thread(&t));
	EXPECT_RUST_MAKES(0, EXPECT_EQ(-1, sys_pidfd_open(t.tid, 0)));
	errno = 0;
	EXPECT_EQ(-1, sys_pidfd_open(t.tid, 0));
	EXPECT_EQ(ENOENT, errno);
	EXPECT_RUST_MAKES(1, fd = sys_pidfd_open(t.tid, PIDFD_THREAD));
	ASSERT_GE(fd, 0);
	EXPECT_EQ(t.tid, pidfd_number(fd));
	close(fd);
	end_thread(&t);
}

RUST_FIXTURE(given_by)

TEST_F(given_by, so_peerpidfd)
{
	socklen_t len = sizeof(int);
	int sockets[2], fd = -1;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				sockets));
	EXPECT_RUST_MAKES(1, EXPECT_EQ(0, getsockopt(sockets[0], SOL_SOCKET,
						     SO_PEERPIDFD, &fd, &len)));
	EXPECT_EQ(getpid(), pidfd_number(fd));
	EXPECT_EQ(O_RDWR, fcntl(fd, F_GETFL));
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	close(fd);
	close(sockets[0]);
	close(sockets[1]);
}

/* A child connects and exits. Its socket still has its pid. */
TEST_F(given_by, so_peerpidfd_of_a_reaped_process)
{
	socklen_t len = sizeof(int);
	int sockets[2], fd = -1;
	int pass[2];
	pid_t pid;

	/* The child makes the pair, and is the peer of both ends. */
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pass));
	pid = sys_clone(CLONE_FILES | SIGCHLD, NULL);
	if (pid == 0) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) ||
		    write(pass[1], sockets, sizeof(sockets)) != sizeof(sockets))
			_exit(1);
		_exit(0);
	}
	ASSERT_EQ(sizeof(sockets), read(pass[0], sockets, sizeof(sockets)));
	ASSERT_EQ(0, wait_for_pid(pid));

	EXPECT_RUST_MAKES(1, EXPECT_EQ(0, getsockopt(sockets[0], SOL_SOCKET,
						     SO_PEERPIDFD, &fd, &len)));
	EXPECT_EQ(-1, pidfd_number(fd));
	EXPECT_EQ(POLLIN | POLLHUP, ready(fd));
	close(fd);
	close(sockets[0]);
	close(sockets[1]);
	close(pass[0]);
	close(pass[1]);
}

TEST_F(given_by, so_peerpidfd_installs_nothing_for_a_bad_address)
{
	socklen_t len = sizeof(int);
	struct numbers before;
	int sockets[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				sockets));
	look(&before);
	EXPECT_EQ(-1, getsockopt(sockets[0], SOL_SOCKET, SO_PEERPIDFD, NULL,
				 &len));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_NOTHING_LEFT(&before);
	close(sockets[0]);
	close(sockets[1]);
}

static int send_long(int sock)
{
	long data = 0;

	return write_nointr(sock, &data, sizeof(data)) == sizeof(data) ? 0 : -1;
}

TEST_F(given_by, scm_pidfd)
{
	int sockets[2], fd = -1;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				sockets));
	ASSERT_EQ(0, pass_pidfds(sockets[0], 1));
	pid = fork();
	if (pid == 0)
		_exit(send_long(sockets[1]) ? 1 : 0);

	EXPECT_EQ(0, await_zombie(pid));
	EXPECT_RUST_MAKES(1, fd = receive_fd(sockets[0], SCM_PIDFD));
	EXPECT_EQ(pid, pidfd_number(fd));
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(POLLIN, ready(fd));
	EXPECT_EQ(0, wait_for_pid(pid));
	close(fd);
	close(sockets[0]);
	close(sockets[1]);
}

TEST_F(given_by, scm_pidfd_of_a_reaped_process)
{
	int sockets[2], fd = -1;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				sockets));
	ASSERT_EQ(0, pass_pidfds(sockets[0], 1));
	pid = fork();
	if (pid == 0)
		_exit(send_long(sockets[1]) ? 1 : 0);

	EXPECT_EQ(0, wait_for_pid(pid));
	EXPECT_RUST_MAKES(1, fd = receive_fd(sockets[0], SCM_PIDFD));
	EXPECT_EQ(-1, pidfd_number(fd));
	EXPECT_EQ(POLLIN | POLLHUP, ready(fd));
	close(fd);
	close(sockets[0]);
	close(sockets[1]);
}

/* Returns the pidfd in the first event of @group, and closes the file of the event. */
static int fanotify_pidfd(int group)
{
	char buf[4096] __attribute__((aligned(8)));
	struct fanotify_event_metadata *event = (void *)buf;
	struct fanotify_event_info_header *info;
	ssize_t n = read(group, buf, sizeof(buf));
	int fd = -1;

	if (n < (ssize_t)sizeof(*event))
		return -1;
	if (event->fd >= 0)
		close(event->fd);
	if (event->event_len <= event->metadata_len)
		return -1;

	/* A header with the number behind it. */
	info = (void *)(buf + event->metadata_len);
	if (info->info_type == FAN_EVENT_INFO_TYPE_PIDFD)
		memcpy(&fd, info + 1, sizeof(fd));
	return fd;
}

TEST_F(given_by, fanotify)
{
	char path[] = "/tmp/pidfd_rust.XXXXXX";
	int file, group, fd = -1;
	pid_t pid;

	group = syscall(__NR_fanotify_init, FAN_CLASS_NOTIF | FAN_CLOEXEC |
			FAN_NONBLOCK | FAN_REPORT_PIDFD, O_RDONLY | O_CLOEXEC);
	if (group < 0 && errno == ENOSYS)
		SKIP(return, "CONFIG_FANOTIFY is not set");
	ASSERT_GE(group, 0);

	file = mkstemp(path);
	ASSERT_GE(file, 0);
	ASSERT_EQ(0, fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD,
				   path));

	pid = fork();
	if (pid == 0)
		_exit(open(path, O_RDONLY) < 0);
	EXPECT_EQ(0, await_zombie(pid));

	EXPECT_RUST_MAKES(1, fd = fanotify_pidfd(group));
	EXPECT_EQ(pid, pidfd_number(fd));
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(0, wait_for_pid(pid));

	close(fd);
	close(file);
	close(group);
	unlink(path);
}

RUST_TEST_MAIN
