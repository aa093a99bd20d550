/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What every suite here needs: proof that Rust made the pidfds it looks at,
 * and children that live exactly as long as a test wants.
 */
#ifndef PIDFD_RUST_H
#define PIDFD_RUST_H

#include <dirent.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/fanotify.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#include "../pidfd/pidfd.h"
#include "../kselftest_harness.h"
#include "compat.h"

#define DEBUGFS "/sys/kernel/debug"
#define COUNTERS DEBUGFS "/rust_pidfd/"
#define REFCNT "/sys/module/rust_pidfd/refcnt"

/*
 * How long to wait for what must come, and how long a case may take that says
 * nothing else. Emulated machines are slow, and kernels that look for mistakes.
 */
#define PATIENCE_MS 60000
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 150

/* Reads a small file; @buf ends with a NUL. Returns its length or -1. */
static inline ssize_t read_file(const char *path, char *buf, size_t size)
{
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;

	n = read_nointr(fd, buf, size - 1);
	close(fd);
	if (n < 0)
		return -1;

	buf[n] = '\0';
	return n;
}

static inline int write_file(const char *path, const char *text)
{
	ssize_t n;
	int fd;

	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;

	n = write_nointr(fd, text, strlen(text));
	close(fd);
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

/* A file that holds a decimal number and a newline, or -1. */
static inline long read_number(const char *path)
{
	char buf[32], *end;
	long value;

	if (read_file(path, buf, sizeof(buf)) < 0)
		return -1;

	value = strtol(buf, &end, 10);
	if (end == buf || strcmp(end, "\n")) {
		errno = EPROTO;
		return -1;
	}
	return value;
}

/* How many pidfds Rust has made since it was loaded. */
static inline long rust_created(void)
{
	return read_number(COUNTERS "created");
}

/* How many of them are open now. */
static inline long rust_open(void)
{
	return read_number(COUNTERS "open");
}

/* How often the module is in use; -1 where it is built in. */
static inline long rust_refcnt(void)
{
	return read_number(REFCNT);
}

static inline bool rust_is_module(void)
{
	return access(REFCNT, F_OK) == 0;
}

/* Puts debugfs at its place, where nobody has yet. */
static inline void mount_debugfs(void)
{
	if (access(DEBUGFS "/rust_pidfd", F_OK))
		mount("debugfs", DEBUGFS, "debugfs", 0, NULL);
}

static inline bool rust_serves(void)
{
	mount_debugfs();
	return rust_created() >= 0 && rust_open() >= 0;
}

static inline long nsec_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000 + now.tv_nsec;
}

/*
 * n rounds, or as many as there is time for: with KASAN, and emulated, one may take
 * fifty times as long as without.
 */
#define ENOUGH_SEC 5
#define for_rounds(i, n) \
	for (long i = 0, end = nsec_now() + ENOUGH_SEC * 1000000000L; one_more(i, n, end); i++)

static inline bool one_more(long i, long n, long end)
{
	if (i < n && nsec_now() >= end) {
		ksft_print_msg("%ld rounds of %ld in %d seconds\n", i, n, ENOUGH_SEC);
		return false;
	}
	return i < n;
}

/*
 * The last close of a file can be carried out by someone else (a socket's
 * garbage collector, an exiting process), so a number of open ones is given
 * time. Returns what it was at last.
 */
static inline long settles(long (*number)(void), long want)
{
	long value = number();

	for (int i = 0; value != want && i < PATIENCE_MS; i++) {
		usleep(1000);
		value = number();
	}
	return value;
}

/*
 * Removes a cgroup. Who is reaped from it leaves it a moment later, when its
 * last context switch is done.
 */
static inline int remove_cgroup(const char *path)
{
	int result = rmdir(path);

	for (int i = 0; result && errno == EBUSY && i < PATIENCE_MS; i++) {
		usleep(1000);
		result = rmdir(path);
	}
	return result;
}

/* Descriptors of this process, the one that counts left out. */
static inline int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	if (!dir)
		return -1;
	while (readdir(dir))
		n++;
	closedir(dir);

	return n - 3;
}

/* The number that the next descriptor gets. */
static inline int lowest_free_fd(void)
{
	int fd = dup(STDERR_FILENO);

	close(fd);
	return fd;
}

static inline bool is_pidfd_link(const char *path)
{
	char link[64];
	ssize_t n = readlink(path, link, sizeof(link) - 1);

	if (n < 0)
		return false;
	link[n] = '\0';
	return !strcmp(link, "anon_inode:[pidfd]");
}

static inline bool is_pidfd(int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return is_pidfd_link(path);
}

static pid_t harness_pid;

static void __attribute__((constructor)) note_harness(void)
{
	harness_pid = getpid();
}

/*
 * The harness itself waits for each test with a pidfd, which it opens while the
 * test runs already. Numbers stand still once it has.
 */
static inline bool harness_waits(void)
{
	char path[64 + NAME_MAX];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	for (int i = 0; !found && i < PATIENCE_MS; i++) {
		snprintf(path, sizeof(path), "/proc/%d/fd", harness_pid);
		dir = opendir(path);
		if (!dir)
			return false;
		while (!found && (entry = readdir(dir))) {
			snprintf(path, sizeof(path), "/proc/%d/fd/%s",
				 harness_pid, entry->d_name);
			found = is_pidfd_link(path);
		}
		closedir(dir);
		if (!found)
			usleep(1000);
	}
	return found;
}

struct numbers {
	long created;
	long open;
	long refcnt;
	int fds;
};

static inline void look(struct numbers *n)
{
	n->created = rust_created();
	n->open = rust_open();
	n->refcnt = rust_refcnt();
	n->fds = count_fds();
}

/*
 * Runs @statement and checks that it makes Rust, and no one else, create
 * exactly @n pidfds that stay open.
 */
#define EXPECT_RUST_MAKES(n, statement) do {				\
	struct numbers _old, _new;					\
									\
	look(&_old);							\
	statement;							\
	look(&_new);							\
	EXPECT_EQ(_old.created + (n), _new.created);			\
	EXPECT_EQ(_old.open + (n), _new.open);				\
	/* An inode has the module, and there is one for each process. */ \
	if (rust_is_module()) {						\
		EXPECT_LE(_old.refcnt ?: (n) > 0, _new.refcnt);		\
		EXPECT_GE(_old.refcnt + (n), _new.refcnt);		\
	}								\
} while (0)

/* Checks that nothing is open that was not open when @before was noted. */
#define EXPECT_NOTHING_LEFT(before) do {				\
	EXPECT_EQ((before)->open, settles(rust_open, (before)->open));	\
	if (rust_is_module()) {						\
		EXPECT_EQ((before)->refcnt,				\
			  settles(rust_refcnt, (before)->refcnt));	\
	}								\
	EXPECT_EQ((before)->fds, count_fds());				\
} while (0)

#define EXPECT_NO_CHILD() do {						\
	EXPECT_EQ(-1, waitpid(-1, NULL, WNOHANG | __WALL));		\
	EXPECT_EQ(ECHILD, errno);					\
} while (0)

/* Proves that it is Rust that makes this process' pidfds. */
static inline void rust_setup(struct __test_metadata *_metadata,
			      struct numbers *before)
{
	int fd = -1;

	/* Telling a child that is gone already is no reason to die. */
	signal(SIGPIPE, SIG_IGN);

	ASSERT_TRUE(harness_waits()) {
		TH_LOG("the harness never opened its own pidfd");
	}
	look(before);
	ASSERT_TRUE(rust_serves()) {
		TH_LOG("rust_pidfd is not loaded: no " COUNTERS "created");
	}

	EXPECT_RUST_MAKES(1, fd = sys_pidfd_open(getpid(), 0));
	ASSERT_GE(fd, 0);
	EXPECT_TRUE(is_pidfd(fd));
	close(fd);
	EXPECT_NOTHING_LEFT(before);
}

/* A test must leave nothing behind. One that failed half-way may. */
static inline void rust_teardown(struct __test_metadata *_metadata,
				 struct numbers *before)
{
	if (_metadata->exit_code == KSFT_PASS) {
		EXPECT_NOTHING_LEFT(before);
		EXPECT_NO_CHILD();
	}
}

/* The fixture of a suite whose tests need nothing else. */
#define RUST_FIXTURE(name)						\
	FIXTURE(name)							\
	{								\
		struct numbers before;					\
	};								\
	FIXTURE_SETUP(name)						\
	{								\
		rust_setup(_metadata, &self->before);			\
	}								\
	FIXTURE_TEARDOWN(name)						\
	{								\
		rust_teardown(_metadata, &self->before);		\
	}

/* Without the module every test would fail alike: one line says it. */
static inline int rust_test_main(int argc, char **argv)
{
	if (!rust_serves()) {
		ksft_print_header();
		ksft_exit_fail_msg("rust_pidfd is not loaded: no " COUNTERS
				   "created\n");
	}
	return test_harness_run(argc, argv);
}

#define RUST_TEST_MAIN							\
	int main(int argc, char **argv)					\
	{								\
		return rust_test_main(argc, argv);			\
	}

/* Fork-like clone(), whose third argument takes the pidfd. */
static inline pid_t sys_clone(unsigned long flags, int *parent_tidptr)
{
#if defined(__s390__)
	return syscall(__NR_clone, NULL, flags, parent_tidptr, NULL, NULL);
#else
	return syscall(__NR_clone, flags, NULL, parent_tidptr, NULL, NULL);
#endif
}

/* A child that does nothing until it is told how to exit. */
struct child {
	pid_t pid;
	int pidfd;
	int tell;
};

/* The child's part: ends with the status that it is told, or its parent. */
static inline void await_status(const int *pipe)
{
	unsigned char status = 255;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(pipe[1]);
	if (read_nointr(pipe[0], &status, 1) != 1)
		status = 255;
	_exit(status);
}

static inline int start_child(struct child *c, unsigned int flags)
{
	int pipe[2];

	if (pipe2(pipe, O_CLOEXEC))
		return -1;

	c->pidfd = -1;
	c->pid = create_child(&c->pidfd, flags);
	if (c->pid == 0)
		await_status(pipe);

	close(pipe[0]);
	c->tell = pipe[1];
	return c->pid < 0 ? -1 : 0;
}

static inline void tell_child(const struct child *c, unsigned char status)
{
	if (write_nointr(c->tell, &status, 1) != 1)
		kill(c->pid, SIGKILL);
}

/* Until the child is a zombie; who asks must not be the one being tested. */
static inline int await_zombie(pid_t pid)
{
	siginfo_t info;

	return waitid(P_PID, pid, &info, WEXITED | WNOWAIT);
}

static inline void end_child(struct child *c)
{
	tell_child(c, 0);
	waitpid(c->pid, NULL, 0);
	close(c->tell);
	if (c->pidfd >= 0)
		close(c->pidfd);
}

/* The revents that poll() reports at once. */
static inline int ready(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, 0) < 0 ? -1 : pfd.revents;
}

/* The same, once it has something to report. */
static inline int becomes_ready(int fd, short events)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	return poll(&pfd, 1, PATIENCE_MS) < 0 ? -1 : pfd.revents;
}

/* The part of the pidfd's fdinfo behind the lines of the VFS, or NULL. */
static inline const char *pidfd_fdinfo(const char *proc, int fd, char *buf,
				       size_t size)
{
	char path[128];
	char *line;

	snprintf(path, sizeof(path), "%s/self/fdinfo/%d", proc, fd);
	if (read_file(path, buf, size) < 0)
		return NULL;

	line = strstr(buf, "\nPid:");
	return line ? line + 1 : NULL;
}

/* The process that a pidfd refers to, as fdinfo has it; -2 for none. */
static inline long pidfd_number(int fd)
{
	char buf[4096];
	const char *info = pidfd_fdinfo("/proc", fd, buf, sizeof(buf));
	long pid;

	return info && sscanf(info, "Pid:\t%ld\n", &pid) == 1 ? pid : -2;
}

/* One character of /proc/<pid>/task/<tid>/stat; 0 where there is none. */
static inline char thread_state(pid_t pid, pid_t tid)
{
	char path[64], buf[1024], *end;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	if (read_file(path, buf, sizeof(buf)) < 0)
		return 0;

	end = strrchr(buf, ')');
	return end && end[1] ? end[2] : 0;
}

/* True once the thread is in @state, or for 0 once it is gone. */
static inline bool thread_becomes(pid_t pid, pid_t tid, char state)
{
	for (int i = 0; i < PATIENCE_MS; i++) {
		if (thread_state(pid, tid) == state)
			return true;
		usleep(1000);
	}
	return false;
}

#endif /* PIDFD_RUST_H */
