// SPDX-License-Identifier: GPL-2.0
/*
 * C and Rust make pidfds of the same processes, at the same time and in turn. Numbers, attributes
 * and exit records of a process do not depend on which of them made a pidfd.
 */
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/resource.h>

#include "pidfd_module.h"
#include "pidfs.h"

#define ROUNDS_BY_DEFAULT 200

/* A closed pidfd may take a moment to be released. */
#define UNLOAD() do {							\
	ASSERT_EQ(0, unload_busy_module()) {				\
		TH_LOG("cannot unload rust_pidfd: %s; %ld pidfds open",	\
		       strerror(errno), rust_open());			\
	}								\
	ASSERT_FALSE(rust_serves());					\
} while (0)

#define EXPECT_UNLOAD_REFUSED() do {					\
	EXPECT_EQ(-1, unload_module());					\
	EXPECT_EQ(EWOULDBLOCK, errno);					\
	EXPECT_GE(rust_refcnt(), 1);					\
} while (0)

/* A process with a C pidfd. */
FIXTURE(swap)
{
	struct peer peer;
	int c;
};

FIXTURE_SETUP(swap)
{
	begin_without_module(_metadata);
	ASSERT_EQ(0, start_peer(&self->peer, CLONE_PIDFD));
	self->c = self->peer.pidfd;
}

/*
 * Runs in the parent of the test, after all pidfds of the test are closed. A peer exits with the
 * test.
 */
FIXTURE_TEARDOWN_PARENT(swap)
{
	unload_left_behind(_metadata);
}

/* Checks every system call that takes a pidfd, for a living child. */
static void check_pidfd(struct __test_metadata *_metadata, pid_t pid, int fd)
{
	size_t page = sysconf(_SC_PAGESIZE);
	struct iovec iov = { .iov_len = page };
	struct pidfd_info info;
	struct handle h;
	siginfo_t si = {};
	struct stat st;
	char path[64];
	int other;
	pid_t joiner;

	EXPECT_TRUE(is_pidfd(fd));
	EXPECT_EQ(pid, pidfd_number(fd));
	EXPECT_EQ(0, ready(fd));
	EXPECT_EQ(0, sys_pidfd_send_signal(fd, 0, NULL, 0));
	EXPECT_EQ(0, sys_waitid(P_PIDFD, fd, &si, WEXITED | WNOHANG));
	EXPECT_EQ(0, si.si_pid);
	EXPECT_EQ(0, get_info(fd, PIDFD_INFO_EXIT, &info));
	EXPECT_EQ(PIDFD_INFO_PID | PIDFD_INFO_CREDS | PIDFD_INFO_CGROUPID,
		  info.mask);
	EXPECT_EQ(pid, info.pid);

	other = sys_pidfd_getfd(fd, STDERR_FILENO, 0);
	EXPECT_GE(other, 0);
	close(other);

	/* The memory of the child is a copy of the tester's, at the same addresses. */
	iov.iov_base = (void *)((uintptr_t)&page & ~(page - 1));
	EXPECT_EQ(page, syscall(__NR_process_madvise, fd, &iov, 1, MADV_COLD, 0));

	joiner = fork();
	if (joiner == 0)
		_exit(setns(fd, CLONE_NEWUTS) ? 1 : 0);
	EXPECT_EQ(0, wait_for_pid(joiner));

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	other = ioctl(fd, PIDFD_GET_NET_NAMESPACE, 0);
	EXPECT_EQ(0, stat(path, &st));
	EXPECT_EQ(st.st_ino, ino_of(other));
	close(other);

	EXPECT_EQ(ino_of(fd), id_of(fd));
	EXPECT_EQ(0, handle_of(fd, &h));
	other = open_handle(&h, 0);
	EXPECT_EQ(ino_of(fd), ino_of(other));
	EXPECT_EQ(pid, pidfd_number(other));
	close(other);
	other = reopen(fd, O_RDWR);
	EXPECT_EQ(ino_of(fd), ino_of(other));
	EXPECT_EQ(pid, pidfd_number(other));
	close(other);

	EXPECT_EQ(0, fsetxattr(fd, "trusted.check", "1", 1, 0));
	EXPECT_EQ(1, fgetxattr(fd, "trusted.check", path, sizeof(path)));
	EXPECT_EQ(0, fremovexattr(fd, "trusted.check"));
}

TEST_F(swap, keeps_number_and_device)
{
	__u64 ino = ino_of(self->c), id = id_of(self->c);
	dev_t dev = dev_of(self->c);
	struct statfs fs_c, fs_rust;
	struct stat c, by_rust;
	int rust;

	LOAD();
	EXPECT_RUST_MAKES(1, rust = sys_pidfd_open(self->peer.pid, 0));
	EXPECT_EQ(0, fstat(self->c, &c));
	EXPECT_EQ(0, fstat(rust, &by_rust));
	EXPECT_EQ(ino, c.st_ino);
	EXPECT_EQ(ino, by_rust.st_ino);
	EXPECT_EQ(dev, c.st_dev);
	EXPECT_EQ(dev, by_rust.st_dev);
	EXPECT_EQ(c.st_mode, by_rust.st_mode);
	EXPECT_EQ(c.st_nlink, by_rust.st_nlink);
	EXPECT_EQ(c.st_blksize, by_rust.st_blksize);
	EXPECT_EQ(id, id_of(self->c));
	EXPECT_EQ(id, id_of(rust));
	EXPECT_EQ(0, fstatfs(self->c, &fs_c));
	EXPECT_EQ(0, fstatfs(rust, &fs_rust));
	EXPECT_EQ(0, memcmp(&fs_c, &fs_rust, sizeof(fs_c)));
	close(rust);
	UNLOAD();
	EXPECT_EQ(ino, ino_of(self->c));
	EXPECT_EQ(id, id_of(self->c));
	rust = sys_pidfd_open(self->peer.pid, 0);
	EXPECT_EQ(ino, ino_of(rust));
	EXPECT_EQ(dev, dev_of(rust));
	close(rust);
}

TEST_F(swap, keeps_the_number_of_a_process_that_c_never_registered)
{
	struct peer peer;
	__u64 ino;
	int fd;

	LOAD();
	ASSERT_EQ(0, start_peer(&peer, CLONE_PIDFD));
	ino = ino_of(peer.pidfd);
	close(peer.pidfd);
	peer.pidfd = -1;
	UNLOAD();
	fd = sys_pidfd_open(peer.pid, 0);
	EXPECT_EQ(ino, ino_of(fd));
	EXPECT_EQ(ino, id_of(fd));
	close(fd);
	end_peer(&peer);
}

TEST_F(swap, shares_no_locks)
{
	int rust;

	LOAD();
	EXPECT_RUST_MAKES(1, rust = sys_pidfd_open(self->peer.pid, 0));
	EXPECT_EQ(0, flock(self->c, LOCK_EX | LOCK_NB));
	EXPECT_EQ(0, flock(rust, LOCK_EX | LOCK_NB));
	close(rust);
	UNLOAD();
}

TEST_F(swap, leaves_both_kinds_at_work)
{
	int rust;

	check_pidfd(_metadata, self->peer.pid, self->c);
	LOAD();
	EXPECT_RUST_MAKES(1, rust = sys_pidfd_open(self->peer.pid, 0));
	check_pidfd(_metadata, self->peer.pid, self->c);
	check_pidfd(_metadata, self->peer.pid, rust);
	close(rust);
	UNLOAD();
	check_pidfd(_metadata, self->peer.pid, self->c);
}

TEST_F(swap, lets_handles_be_opened_by_the_other)
{
	struct handle by_c, by_rust;
	__u64 ino = ino_of(self->c);
	int rust, fd;

	ASSERT_EQ(0, handle_of(self->c, &by_c));
	LOAD();
	EXPECT_RUST_MAKES(1, rust = open_handle(&by_c, 0));
	EXPECT_EQ(ino, ino_of(rust));
	ASSERT_EQ(0, handle_of(rust, &by_rust));
	EXPECT_EQ(0, memcmp(&by_c, &by_rust, sizeof(by_c)));
	fd = open_by_handle_at(self->c, &by_rust.fh, 0);
	EXPECT_EQ(ino, ino_of(fd));
	EXPECT_EQ(self->peer.pid, pidfd_number(fd));
	close(fd);
	fd = open_by_handle_at(rust, &by_c.fh, 0);
	EXPECT_EQ(ino, ino_of(fd));
	EXPECT_EQ(self->peer.pid, pidfd_number(fd));
	close(fd);
	close(rust);
	UNLOAD();
	fd = open_handle(&by_rust, 0);
	EXPECT_EQ(ino, ino_of(fd));
	EXPECT_EQ(self->peer.pid, pidfd_number(fd));
	close(fd);
}

TEST_F(swap, makes_handles_stale_for_both_when_the_process_is_reaped)
{
	struct handle h;
	int rust;

	ASSERT_EQ(0, handle_of(self->c, &h));
	LOAD();
	EXPECT_RUST_MAKES(1, rust = sys_pidfd_open(self->peer.pid, 0));
	reap_peer(&self->peer, 0);
	EXPECT_EQ(ESTALE, ERROR_OF(open_handle(&h, 0)));
	EXPECT_EQ(ESTALE, ERROR_OF(open_by_handle_at(self->c, &h.fh, 0)));
	EXPECT_EQ(ESTALE, ERROR_OF(open_by_handle_at(rust, &h.fh, 0)));
	close(rust);
	UNLOAD();
	EXPECT_EQ(ESTALE, ERROR_OF(open_handle(&h, 0)));
	LOAD();
	EXPECT_EQ(ESTALE, ERROR_OF(open_handle(&h, 0)));
	UNLOAD();
}

/* Reopening a C pidfd gives a C pidfd, even while Rust serves. */
TEST_F(swap, reopens_a_pidfd_as_the_same_kind)
{
	int rust, fd;

	LOAD();
	EXPECT_RUST_MAKES(0, fd = reopen(self->c, O_RDWR));
	EXPECT_EQ(self->peer.pid, pidfd_number(fd));
	close(fd);
	EXPECT_RUST_MAKES(1, rust = sys_pidfd_open(self->peer.pid, 0));
	EXPECT_RUST_MAKES(1, fd = reopen(rust, O_RDWR));
	EXPECT_EQ(self->peer.pid, pidfd_number(fd));
	close(fd);
	close(rust);
	UNLOAD();
}

/* Extended attributes. */

TEST_F(swap, shares_attributes_between_both_kinds)
{
	int rust;

	EXPECT_EQ(0, set_value(self->c, "trusted.before", "1", 0));
	LOAD();
	EXPECT_RUST_MAKES(1, rust = sys_pidfd_open(self->peer.pid, 0));
	EXPECT_STREQ("1", value_of(rust, "trusted.before"));
	EXPECT_EQ(0, set_value(self->c, "trusted.by_c", "2", 0));
	EXPECT_EQ(0, set_value(rust, "trusted.by_rust", "3", 0));
	EXPECT_STREQ("2", value_of(rust, "trusted.by_c"));
	EXPECT_STREQ("3", value_of(self->c, "trusted.by_rust"));
	EXPECT_EQ(flistxattr(rust, NULL, 0), flistxattr(self->c, NULL, 0));

	/* Each kind changes and removes attributes that the other has set. */
	EXPECT_EQ(0, set_value(rust, "trusted.by_c", "4", 0));
	EXPECT_STREQ("4", value_of(self->c, "trusted.by_c"));
	EXPECT_EQ(0, fremovexattr(self->c, "trusted.by_rust"));
	EXPECT_STREQ("ENODATA", value_of(rust, "trusted.by_rust"));
	EXPECT_EQ(0, fremovexattr(rust, "trusted.before"));
	EXPECT_STREQ("ENODATA", value_of(self->c, "trusted.before"));
	EXPECT_EQ(EEXIST, ERROR_OF(fsetxattr(rust, "trusted.by_c", "5", 1,
					     XATTR_CREATE)));
	close(rust);
	UNLOAD();
	EXPECT_STREQ("4", value_of(self->c, "trusted.by_c"));
	EXPECT_STREQ("ENODATA", value_of(self->c, "trusted.before"));
	EXPECT_EQ(sizeof("trusted.by_c"), flistxattr(self->c, NULL, 0));
}

TEST_F(swap, keeps_attributes_that_only_rust_has_seen)
{
	struct peer peer;
	int fd;

	LOAD();
	ASSERT_EQ(0, start_peer(&peer, CLONE_PIDFD));
	EXPECT_EQ(0, set_value(peer.pidfd, "trusted.a", "1", 0));
	close(peer.pidfd);
	peer.pidfd = -1;
	UNLOAD();
	fd = sys_pidfd_open(peer.pid, 0);
	EXPECT_STREQ("1", value_of(fd, "trusted.a"));
	EXPECT_EQ(0, set_value(fd, "trusted.b", "2", 0));
	close(fd);

	LOAD();
	EXPECT_RUST_MAKES(1, fd = sys_pidfd_open(peer.pid, 0));
	EXPECT_STREQ("1", value_of(fd, "trusted.a"));
	EXPECT_STREQ("2", value_of(fd, "trusted.b"));
	EXPECT_EQ(0, fremovexattr(fd, "trusted.a"));
	close(fd);
	UNLOAD();
	fd = sys_pidfd_open(peer.pid, 0);
	EXPECT_STREQ("ENODATA", value_of(fd, "trusted.a"));
	EXPECT_STREQ("2", value_of(fd, "trusted.b"));
	close(fd);
	end_peer(&peer);
}

TEST_F(swap, keeps_attributes_beyond_the_end)
{
	LOAD();
	EXPECT_EQ(0, set_value(self->c, "trusted.a", "1", 0));
	reap_peer(&self->peer, 0);
	EXPECT_STREQ("1", value_of(self->c, "trusted.a"));
	UNLOAD();
	EXPECT_STREQ("1", value_of(self->c, "trusted.a"));
}

struct writer {
	pthread_t thread;
	int fd;
	long wrong;
};

/* Sets and removes one attribute, which the other thread may have removed. */
static void *writes(void *arg)
{
	struct writer *w = arg;

	for (int i = 0; i < 2000; i++) {
		if (set_value(w->fd, "trusted.a", i & 1 ? "odd" : "even", 0))
			w->wrong++;
		if (fremovexattr(w->fd, "trusted.a") && errno != ENODATA)
			w->wrong++;
	}
	return NULL;
}

TEST_F(swap, lets_both_kinds_change_attributes_at_once)
{
	struct writer c = { .fd = self->c }, rust = {};

	LOAD();
	EXPECT_RUST_MAKES(1, rust.fd = sys_pidfd_open(self->peer.pid, 0));
	ASSERT_EQ(0, pthread_create(&c.thread, NULL, writes, &c));
	ASSERT_EQ(0, pthread_create(&rust.thread, NULL, writes, &rust));
	pthread_join(c.thread, NULL);
	pthread_join(rust.thread, NULL);
	EXPECT_EQ(0, c.wrong);
	EXPECT_EQ(0, rust.wrong);
	EXPECT_EQ(0, flistxattr(self->c, NULL, 0));
	EXPECT_EQ(0, flistxattr(rust.fd, NULL, 0));
	close(rust.fd);
	UNLOAD();
}

/* Exit records. */

TEST_F(swap, reports_the_same_exit_through_both_kinds)
{
	struct pidfd_info c, by_rust;
	int rust;

	LOAD();
	EXPECT_RUST_MAKES(1, rust = sys_pidfd_open(self->peer.pid, 0));
	tell_peer(&self->peer, 42);
	EXPECT_EQ(POLLIN, becomes_ready(self->c, POLLIN));
	EXPECT_EQ(POLLIN, becomes_ready(rust, POLLIN));
	EXPECT_EQ(NO_RECORD, exit_code_of(self->c));
	EXPECT_EQ(NO_RECORD, exit_code_of(rust));
	EXPECT_EQ(0, sys_waitid(P_PIDFD, rust, NULL, WEXITED));
	self->peer.pid = -1;

	EXPECT_EQ(POLLIN | POLLHUP, ready(self->c));
	EXPECT_EQ(POLLIN | POLLHUP, ready(rust));
	EXPECT_EQ(0, get_info(self->c, PIDFD_INFO_EXIT, &c));
	EXPECT_EQ(0, get_info(rust, PIDFD_INFO_EXIT, &by_rust));
	EXPECT_EQ(PIDFD_INFO_EXIT | PIDFD_INFO_CGROUPID, c.mask);
	EXPECT_EQ(EXITED(42), c.exit_code);
	EXPECT_EQ(0, memcmp(&c, &by_rust, sizeof(c)));
	close(rust);
	UNLOAD();
	EXPECT_EQ(EXITED(42), exit_code_of(self->c));
}

TEST_F(swap, reports_an_exit_before_the_swap_through_both_kinds)
{
	int rust;

	LOAD();
	EXPECT_RUST_MAKES(1, rust = sys_pidfd_open(self->peer.pid, 0));
	close(rust);
	UNLOAD();
	reap_peer(&self->peer, 43);
	EXPECT_EQ(EXITED(43), exit_code_of(self->c));
	LOAD();
	rust = peer_pidfd(self->peer.sock);
	EXPECT_EQ(ino_of(self->c), ino_of(rust));
	EXPECT_EQ(EXITED(43), exit_code_of(rust));
	EXPECT_EQ(EXITED(43), exit_code_of(self->c));
	close(rust);
	UNLOAD();
	EXPECT_EQ(EXITED(43), exit_code_of(self->c));
}

TEST_F(swap, wakes_pollers_of_both_kinds)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC), rust;

	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->c, &event));
	LOAD();
	EXPECT_RUST_MAKES(1, rust = sys_pidfd_open(self->peer.pid, 0));
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, rust, &event));
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	EXPECT_EQ(0, sys_pidfd_send_signal(self->c, SIGKILL, NULL, 0));
	ASSERT_EQ(0, await_zombie(self->peer.pid));
	EXPECT_EQ(2, epoll_wait(epoll, (struct epoll_event [2]){}, 2, PATIENCE_MS));
	await_peer(&self->peer);
	EXPECT_EQ(SIGKILL, exit_code_of(self->c));
	EXPECT_EQ(SIGKILL, exit_code_of(rust));
	close(rust);
	close(epoll);
	UNLOAD();
}

/* References that hold the module. */

TEST_F(swap, is_refused_while_a_rust_pidfd_is_open)
{
	int rust, copy;

	LOAD();
	EXPECT_RUST_MAKES(1, rust = sys_pidfd_open(self->peer.pid, 0));
	copy = reopen(rust, O_RDWR);
	EXPECT_UNLOAD_REFUSED();
	close(rust);
	EXPECT_UNLOAD_REFUSED();
	reap_peer(&self->peer, 1);
	EXPECT_UNLOAD_REFUSED();
	EXPECT_EQ(EXITED(1), exit_code_of(copy));
	close(copy);
	EXPECT_EQ(0, settles(rust_refcnt, 0));
	EXPECT_EQ(0, unload_module());
}

TEST_F(swap, is_refused_while_a_path_to_a_rust_pidfd_is_open)
{
	__u64 ino = ino_of(self->c);
	int rust, path;

	LOAD();
	EXPECT_RUST_MAKES(1, rust = sys_pidfd_open(self->peer.pid, 0));
	path = reopen(rust, O_PATH);
	close(rust);
	EXPECT_EQ(0, settles(rust_open, 0));
	EXPECT_UNLOAD_REFUSED();
	EXPECT_EQ(ino, ino_of(path));
	EXPECT_EQ(ino, id_of(path));
	EXPECT_RUST_MAKES(1, rust = reopen(path, O_RDWR));
	EXPECT_EQ(self->peer.pid, pidfd_number(rust));
	close(rust);
	close(path);
	EXPECT_EQ(0, settles(rust_refcnt, 0));
	EXPECT_EQ(0, unload_module());
}

TEST_F(swap, is_not_refused_for_a_path_to_a_c_pidfd)
{
	int path = reopen(self->c, O_PATH), fd;

	close(self->c);
	self->peer.pidfd = -1;
	LOAD();
	EXPECT_RUST_MAKES(0, fd = reopen(path, O_RDWR));
	EXPECT_EQ(self->peer.pid, pidfd_number(fd));
	EXPECT_EQ(0, unload_module());
	EXPECT_EQ(self->peer.pid, pidfd_number(fd));
	close(fd);
	close(path);
}

TEST_F(swap, is_refused_while_a_rust_pidfd_is_mounted)
{
	char target[] = "/tmp/pidfd_rust.XXXXXX";
	int file = mkostemp(target, O_CLOEXEC), rust;
	__u64 ino = ino_of(self->c);
	struct stat st;

	close(file);
	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	LOAD();
	EXPECT_RUST_MAKES(1, rust = sys_pidfd_open(self->peer.pid, 0));
	EXPECT_EQ(NULL, mount_on(rust, target));
	close(rust);
	EXPECT_EQ(0, settles(rust_open, 0));
	EXPECT_UNLOAD_REFUSED();
	EXPECT_EQ(0, stat(target, &st));
	EXPECT_EQ(ino, st.st_ino);
	EXPECT_EQ(0, umount2(target, 0));
	EXPECT_EQ(0, settles(rust_refcnt, 0));
	EXPECT_EQ(0, unload_module());

	/* A C pidfd does not hold it. */
	EXPECT_EQ(NULL, mount_on(self->c, target));
	LOAD();
	EXPECT_EQ(0, stat(target, &st));
	EXPECT_EQ(ino, st.st_ino);
	EXPECT_EQ(0, unload_module());
	EXPECT_EQ(0, umount2(target, 0));
	unlink(target);
}

/* Each round adds a pidfd, and checks all earlier ones. */
TEST_F_TIMEOUT(swap, comes_and_goes_while_c_has_a_pidfd, 500)
{
	__u64 ino = ino_of(self->c);
	int n = rounds(ROUNDS_BY_DEFAULT);
	char value[16];

	for (int i = 0; i < n; i++) {
		struct peer peer;
		int fd;

		LOAD();
		/* The peer starts first, so that it does not inherit a Rust pidfd. */
		ASSERT_EQ(0, start_peer(&peer, CLONE_PIDFD));
		fd = sys_pidfd_open(self->peer.pid, 0);
		ASSERT_EQ(2, rust_created());
		ASSERT_EQ(ino, ino_of(fd));
		ASSERT_EQ(ino, ino_of(self->c));
		if (i) {
			snprintf(value, sizeof(value), "%d", i - 1);
			ASSERT_STREQ(value, value_of(fd, "trusted.round"));
		}
		snprintf(value, sizeof(value), "%d", i);
		ASSERT_EQ(0, set_value(i & 1 ? fd : self->c, "trusted.round", value, 0));
		ASSERT_STREQ(value, value_of(i & 1 ? self->c : fd, "trusted.round"));
		ASSERT_EQ(0, ready(fd));
		ASSERT_EQ(0, ready(self->c));
		if (i & 2)
			reap_peer(&peer, i & 0xff);
		close(peer.pidfd);
		close(fd);
		UNLOAD();

		ASSERT_STREQ(value, value_of(self->c, "trusted.round"));
		ASSERT_EQ(self->peer.pid, pidfd_number(self->c));
		ASSERT_EQ(ino, ino_of(self->c));
		if (!(i & 2))
			reap_peer(&peer, i & 0xff);
		peer.pidfd = peer_pidfd(peer.sock);
		ASSERT_EQ(EXITED(i & 0xff), exit_code_of(peer.pidfd));
		end_peer(&peer);
	}
}

MODULE_TEST_MAIN
