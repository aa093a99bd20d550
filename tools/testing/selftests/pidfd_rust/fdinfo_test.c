// SPDX-License-Identifier: GPL-2.0
/* The content of /proc/<pid>/fdinfo/<fd> for a pidfd, to the letter. */
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "rust_harness.h"

/* The depth of nested pid namespaces. */
#define DEPTH 3

/*
 * A chain of processes. Each one but the first is the init of a pid namespace within that of the
 * one before. The last process waits, and its pidfd is in the descriptor table that all share. Its
 * number goes to @report.
 */
static void descend(int tell, int report)
{
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);

	for (int depth = 1; depth <= DEPTH; depth++) {
		int pidfd = -1;
		pid_t pid = create_child(&pidfd, CLONE_NEWPID | CLONE_FILES);

		if (pid == 0)
			continue;

		if (depth < DEPTH)
			close(pidfd);
		else if (write_nointr(report, &pidfd, sizeof(pidfd)) !=
			 sizeof(pidfd))
			_exit(255);
		_exit(pid < 0 ? 255 : wait_for_pid(pid));
	}

	_exit(read_nointr(tell, &byte, 1) == 1 ? 0 : 255);
}

RUST_FIXTURE(fdinfo)

/* The lines of the pidfd in fdinfo, of the procfs at @proc. */
#define EXPECT_FDINFO(proc, fd, ...) do {				\
	char _text[128], _file[4096];					\
	const char *_part;						\
									\
	snprintf(_text, sizeof(_text), __VA_ARGS__);			\
	_part = pidfd_fdinfo(proc, fd, _file, sizeof(_file));		\
	ASSERT_NE(NULL, _part);						\
	EXPECT_STREQ(_text, _part);					\
} while (0)

TEST_F(fdinfo, ends_with_pid_and_nspid)
{
	struct child c;

	ASSERT_EQ(0, start_child(&c, 0));
	EXPECT_FDINFO("/proc", c.pidfd, "Pid:\t%d\nNSpid:\t%d\n", c.pid, c.pid);
	end_child(&c);
}

TEST_F(fdinfo, begins_with_the_lines_of_every_file)
{
	static const char * const keys[] = { "pos:\t0\n", "flags:\t",
					     "mnt_id:\t", "ino:\t" };
	int fd = sys_pidfd_open(getpid(), 0);
	char path[64], buf[4096], *line = buf;
	unsigned int flags = 0;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	ASSERT_GT(read_file(path, buf, sizeof(buf)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		ASSERT_EQ(0, strncmp(line, keys[i], strlen(keys[i]))) {
			TH_LOG("'%s' where '%s' should be", line, keys[i]);
		}
		if (i == 1)
			sscanf(line, "flags:\t%o", &flags);
		line = strchr(line, '\n') + 1;
	}
	EXPECT_EQ(O_RDWR | O_CLOEXEC, flags);
	EXPECT_EQ(0, strncmp(line, "Pid:\t", strlen("Pid:\t")));
	close(fd);
}

TEST_F(fdinfo, names_the_inode_that_fstat_names)
{
	int fd = sys_pidfd_open(getpid(), 0);
	unsigned long long ino = 0;
	char path[64], buf[4096];
	const char *line;
	struct stat st;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	ASSERT_GT(read_file(path, buf, sizeof(buf)), 0);
	line = strstr(buf, "\nino:\t");
	ASSERT_NE(NULL, line);
	EXPECT_EQ(1, sscanf(line, "\nino:\t%llu\n", &ino));
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(st.st_ino, ino);
	close(fd);
}

/* fdinfo prints the device of the super block, not that of fstat(). */
TEST_F(fdinfo, of_an_epoll_has_the_inode_and_another_device)
{
	int fd = sys_pidfd_open(getpid(), 0), epfd = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN };
	unsigned long long ino = 0;
	unsigned int device = 0;
	char path[64], buf[4096];
	const char *line;
	struct stat st;

	ASSERT_EQ(0, epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", epfd);
	ASSERT_GT(read_file(path, buf, sizeof(buf)), 0);
	line = strstr(buf, " ino:");
	ASSERT_NE(NULL, line);
	EXPECT_EQ(2, sscanf(line, " ino:%llx sdev:%x", &ino, &device));
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(st.st_ino, ino);
	/* The kernel's own format; the major number is 0. */
	EXPECT_NE(minor(st.st_dev), device);
	close(epfd);
	close(fd);
}

TEST_F(fdinfo, of_a_thread_has_the_threads_number)
{
	/* With PIDFD_THREAD for the main thread: numbers and format are the same. */
	int fd = sys_pidfd_open(getpid(), PIDFD_THREAD);

	EXPECT_FDINFO("/proc", fd, "Pid:\t%d\nNSpid:\t%d\n", getpid(),
		      getpid());
	close(fd);
}

TEST_F(fdinfo, of_a_zombie_still_has_the_numbers)
{
	struct child c;

	ASSERT_EQ(0, start_child(&c, 0));
	tell_child(&c, 0);
	ASSERT_EQ(0, await_zombie(c.pid));
	EXPECT_FDINFO("/proc", c.pidfd, "Pid:\t%d\nNSpid:\t%d\n", c.pid, c.pid);
	end_child(&c);
}

TEST_F(fdinfo, of_a_reaped_process_has_minus_one)
{
	struct child c;

	ASSERT_EQ(0, start_child(&c, 0));
	tell_child(&c, 0);
	ASSERT_EQ(c.pid, waitpid(c.pid, NULL, 0));
	EXPECT_FDINFO("/proc", c.pidfd, "Pid:\t-1\nNSpid:\t-1\n");
	close(c.tell);
	close(c.pidfd);
}

TEST_F(fdinfo, has_a_number_for_each_namespace)
{
	struct child c;

	ASSERT_EQ(0, start_child(&c, CLONE_NEWPID));
	EXPECT_FDINFO("/proc", c.pidfd, "Pid:\t%d\nNSpid:\t%d\t1\n", c.pid,
		      c.pid);
	end_child(&c);
}

TEST_F(fdinfo, has_a_number_for_each_of_many_namespaces)
{
	char want[128], path[64], buf[4096];
	int tell[2], report[2], pidfd = -1;
	long number;
	pid_t pid;

	ASSERT_EQ(0, pipe2(tell, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(report, O_CLOEXEC));
	pid = sys_clone(CLONE_FILES | SIGCHLD, NULL);
	if (pid == 0)
		descend(tell[0], report[1]);
	ASSERT_GT(pid, 0);
	ASSERT_EQ(sizeof(pidfd), read_nointr(report[0], &pidfd, sizeof(pidfd)));

	/*
	 * The innermost process is the init of its namespace. It has another number in each
	 * namespace above, as /proc/<pid>/status shows.
	 */
	number = pidfd_number(pidfd);
	ASSERT_GT(number, 0);
	snprintf(path, sizeof(path), "/proc/%ld/status", number);
	ASSERT_GT(read_file(path, buf, sizeof(buf)), 0);
	ASSERT_NE(NULL, strstr(buf, "\nNSpid:\t"));
	snprintf(want, sizeof(want), "Pid:\t%ld\n%.*s\n", number,
		 (int)strcspn(strstr(buf, "\nNSpid:\t") + 1, "\n"),
		 strstr(buf, "\nNSpid:\t") + 1);
	EXPECT_FDINFO("/proc", pidfd, "%s", want);
	snprintf(buf, sizeof(buf), "Pid:\t%ld\nNSpid:\t%ld\t3\t2\t1\n", number,
		 number);
	EXPECT_STREQ(buf, want);

	EXPECT_EQ(1, write_nointr(tell[1], "", 1));
	EXPECT_EQ(0, wait_for_pid(pid));
	EXPECT_FDINFO("/proc", pidfd, "Pid:\t-1\nNSpid:\t-1\n");
	close(pidfd);
	close(report[0]);
	close(report[1]);
	close(tell[0]);
	close(tell[1]);
}

/*
 * A process in its own pid namespace, with a procfs of that namespace, reports the lines for a
 * pidfd that it has inherited.
 */
static void tell_from_inside(int fd, int report)
{
	char root[] = "/tmp/pidfd_rust.XXXXXX";
	char buf[4096];
	const char *info = NULL;

	if (!mkdtemp(root))
		_exit(1);
	if (!unshare(CLONE_NEWNS) &&
	    !mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	    !mount("proc", root, "proc", 0, NULL))
		info = pidfd_fdinfo(root, fd, buf, sizeof(buf));
	if (info && write_nointr(report, info, strlen(info)) < 0)
		info = NULL;
	umount2(root, MNT_DETACH);
	rmdir(root);
	_exit(info ? 0 : 1);
}

static void told_from_inside(struct __test_metadata *_metadata, int fd,
			     char *buf, size_t size)
{
	int pipe[2], unused = -1;
	ssize_t n;
	pid_t pid;

	ASSERT_EQ(0, pipe2(pipe, O_CLOEXEC));
	pid = create_child(&unused, CLONE_NEWPID);
	if (pid == 0)
		tell_from_inside(fd, pipe[1]);
	ASSERT_GT(pid, 0);
	close(pipe[1]);
	EXPECT_EQ(0, wait_for_pid(pid));
	n = read_nointr(pipe[0], buf, size - 1);
	ASSERT_GT(n, 0);
	buf[n] = '\0';
	close(pipe[0]);
	close(unused);
}

TEST_F(fdinfo, has_zero_in_a_procfs_that_does_not_know_the_process)
{
	int fd = sys_pidfd_open(getpid(), 0);
	char buf[256];

	told_from_inside(_metadata, fd, buf, sizeof(buf));
	EXPECT_STREQ("Pid:\t0\nNSpid:\t0\n", buf);
	close(fd);
}

TEST_F(fdinfo, has_zero_in_the_procfs_of_a_sibling_namespace)
{
	struct child c;
	char buf[256];

	ASSERT_EQ(0, start_child(&c, CLONE_NEWPID));
	told_from_inside(_metadata, c.pidfd, buf, sizeof(buf));
	EXPECT_STREQ("Pid:\t0\nNSpid:\t0\n", buf);
	end_child(&c);
}

TEST_F(fdinfo, of_a_reaped_process_has_minus_one_everywhere)
{
	struct child c;
	char buf[256];

	ASSERT_EQ(0, start_child(&c, 0));
	tell_child(&c, 0);
	ASSERT_EQ(c.pid, waitpid(c.pid, NULL, 0));
	told_from_inside(_metadata, c.pidfd, buf, sizeof(buf));
	EXPECT_STREQ("Pid:\t-1\nNSpid:\t-1\n", buf);
	close(c.tell);
	close(c.pidfd);
}

/* In the procfs of its namespace an init has the pid 1. */
TEST_F(fdinfo, has_the_number_of_the_procfs_that_is_read)
{
	char root[] = "/tmp/pidfd_rust.XXXXXX";
	char buf[4096];
	const char *info;
	int unused = -1;
	pid_t pid;

	ASSERT_NE(NULL, mkdtemp(root));
	pid = create_child(&unused, CLONE_NEWPID | CLONE_NEWNS);
	if (pid == 0) {
		int fd = sys_pidfd_open(getpid(), 0);

		if (mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		    mount("proc", root, "proc", 0, NULL))
			_exit(1);
		info = pidfd_fdinfo(root, fd, buf, sizeof(buf));
		_exit(info && !strcmp(info, "Pid:\t1\nNSpid:\t1\n") ? 0 : 2);
	}
	ASSERT_GT(pid, 0);
	EXPECT_EQ(0, wait_for_pid(pid));
	rmdir(root);
	close(unused);
}

RUST_TEST_MAIN
