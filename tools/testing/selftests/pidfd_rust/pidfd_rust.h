/* SPDX-License-Identifier: GPL-2.0 */
/* The counters of the module, and children that exit when the test says so. */
#ifndef PIDFD_RUST_H
#define PIDFD_RUST_H

#include <dirent.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/fanotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#include "../pidfd/pidfd.h"
#include "../kselftest.h"
#include "compat.h"

#define DEBUGFS "/sys/kernel/debug"
#define COUNTERS DEBUGFS "/rust_pidfd/"
#define REFCNT "/sys/module/rust_pidfd/refcnt"

/* The time to wait for an expected event. Emulated and debugging kernels are slow. */
#define PATIENCE_MS 60000

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

/* The decimal number in a file that ends with a newline, or -1. */
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

/* The number of pidfds that Rust has made since the module was loaded. */
static inline long rust_created(void)
{
	return read_number(COUNTERS "created");
}

/* The number of them that are open now. */
static inline long rust_open(void)
{
	return read_number(COUNTERS "open");
}

/* The reference count of the module; -1 if it is built in. */
static inline long rust_refcnt(void)
{
	return read_number(REFCNT);
}

static inline bool rust_is_module(void)
{
	return access(REFCNT, F_OK) == 0;
}

/* Mounts debugfs if it is not mounted. */
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
 * n rounds, or fewer if they take too long: a round may take fifty times as long with KASAN and
 * emulation.
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
 * Waits until a number has the value @want. Another task may carry out the last close of a file,
 * such as the garbage collector of sockets. Returns the last value.
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
 * Removes a cgroup. A process leaves its cgroup in its last context switch, which may come after
 * the reaping.
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

/* The number of descriptors of this process, without the one that counts them. */
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

/* Fork-like clone(), whose third argument takes the pidfd. */
static inline pid_t sys_clone(unsigned long flags, int *parent_tidptr)
{
#if defined(__s390__)
	return syscall(__NR_clone, NULL, flags, parent_tidptr, NULL, NULL);
#else
	return syscall(__NR_clone, flags, NULL, parent_tidptr, NULL, NULL);
#endif
}

/* A child that waits for its exit status. */
struct child {
	pid_t pid;
	int pidfd;
	int tell;
};

/* Runs in the child: exits with the status it reads, or with its parent. */
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

/* Waits until the child is a zombie, without a pidfd. */
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

/* The revents that poll() reports once it returns. */
static inline int becomes_ready(int fd, short events)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	return poll(&pfd, 1, PATIENCE_MS) < 0 ? -1 : pfd.revents;
}

/* Waits until the process is reaped. */
static inline bool is_reaped(int fd)
{
	return becomes_ready(fd, 0) == POLLHUP;
}

/* The lines of fdinfo from "Pid:" on, or NULL. */
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

/* The pid in fdinfo; -2 for none. */
static inline long pidfd_number(int fd)
{
	char buf[4096];
	const char *info = pidfd_fdinfo("/proc", fd, buf, sizeof(buf));
	long pid;

	return info && sscanf(info, "Pid:\t%ld\n", &pid) == 1 ? pid : -2;
}

/* The state of a thread in /proc/<pid>/task/<tid>/stat; 0 for none. */
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

static inline void stay_on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

#endif /* PIDFD_RUST_H */
