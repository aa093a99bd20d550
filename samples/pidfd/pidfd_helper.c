// SPDX-License-Identifier: GPL-2.0
/*
 * Process file descriptors for user space. The rules that all functions here
 * keep (errors, signals, descriptors) are in the header.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pidfd_helper.h"

/* For C libraries and kernel headers older than the calls. */
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif

#ifndef __NR_pidfd_send_signal
#define __NR_pidfd_send_signal 424
#endif

#ifndef __NR_pidfd_open
#define __NR_pidfd_open 434
#endif

/* P_PIDFD is an enumerator in some C libraries and absent from others. */
#define PIDFDH_P_PIDFD ((idtype_t)3)

static void close_keep_errno(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
}

static int open_nointr(const char *path, int flags)
{
	int fd;

	do {
		fd = open(path, flags | O_CLOEXEC);
	} while (fd < 0 && errno == EINTR);

	return fd;
}

static ssize_t read_nointr(int fd, char *buf, size_t size)
{
	ssize_t n;

	do {
		n = read(fd, buf, size);
	} while (n < 0 && errno == EINTR);

	return n;
}

/*
 * Writes @prefix, the decimal @number, which is not negative, and a NUL.
 * snprintf() is not async-signal-safe.
 */
static void format_path(char *buf, const char *prefix, int number)
{
	char digits[3 * sizeof(number)];
	size_t n = 0;

	while (*prefix)
		*buf++ = *prefix++;

	do {
		digits[n++] = (char)('0' + number % 10);
		number /= 10;
	} while (number);

	while (n)
		*buf++ = digits[--n];
	*buf = '\0';
}

/*
 * Reads the number at @s, up to the newline at its end. False where there is
 * none, or one that no pid can have.
 */
static int parse_pid(const char *s, pid_t *pid)
{
	int negative = *s == '-';
	int value = 0;

	s += negative;
	if (*s < '0' || *s > '9')
		return 0;

	for (; *s >= '0' && *s <= '9'; s++) {
		if (value > (INT_MAX - 9) / 10)
			return 0;
		value = value * 10 + (*s - '0');
	}
	if (*s != '\n')
		return 0;

	*pid = negative ? -value : value;
	return 1;
}

/**
 * pidfdh_fork - create a child process and a pidfd for it
 * @pidfd: where the parent finds the pidfd
 *
 * As fork(2), with a pidfd for the child that is there from the start: no other
 * process can ever be meant by it. The pidfd is in the parent's descriptor
 * table only. When the child ends, the parent gets SIGCHLD and reaps it as any
 * other child.
 *
 * This is the bare system call: handlers of pthread_atfork() do not run. The
 * child of a process with several threads may only call what is
 * async-signal-safe until it calls execve(2).
 *
 * Return: the child's pid in the parent and 0 in the child. On error -1, no
 * child exists, and errno is set: EFAULT where @pidfd cannot be written, EMFILE
 * or ENFILE where no descriptor is free, or as clone(2) says.
 */
pid_t pidfdh_fork(int *pidfd)
{
	const unsigned long flags = CLONE_PIDFD | SIGCHLD;

	/*
	 * The order of clone()'s parameters differs between architectures.
	 * Those behind the third are zero in any order.
	 */
#if defined(__s390__) || defined(__cris__)
	return (pid_t)syscall(__NR_clone, NULL, flags, pidfd, NULL, NULL);
#elif defined(__microblaze__)
	return (pid_t)syscall(__NR_clone, flags, NULL, 0, pidfd, NULL, NULL);
#else
	return (pid_t)syscall(__NR_clone, flags, NULL, pidfd, NULL, NULL);
#endif
}

/**
 * pidfdh_open - open a pidfd for an existing process
 * @pid: number of the process in the caller's pid namespace
 * @flags: 0, or flags of pidfd_open(2) such as PIDFD_NONBLOCK
 *
 * Unless @pid is a child of the caller that has not been reaped, the number may
 * by now belong to another process than the caller has in mind.
 *
 * Return: a pidfd. On error -1, and errno is set: ESRCH where there is no such
 * process, EINVAL for a bad @pid or @flags, or as pidfd_open(2) says.
 */
int pidfdh_open(pid_t pid, unsigned int flags)
{
	return (int)syscall(__NR_pidfd_open, pid, flags);
}

/**
 * pidfdh_getpid - number of the process that a pidfd refers to
 * @pidfd: the pidfd
 *
 * The number is that of the pid namespace which /proc belongs to, and stays
 * true until the process has been reaped.
 *
 * Return: the pid, always greater than 0. On error -1, and errno is set: ESRCH
 * where the process has been reaped, EREMOTE where it has no number in that pid
 * namespace, EBADF where @pidfd is no pidfd, or as open(2) says where /proc
 * cannot be read.
 */
pid_t pidfdh_getpid(int pidfd)
{
	/* The thread's own directory: its descriptor table need not be shared. */
	static const char prefix[] = "/proc/thread-self/fdinfo/";
	static const char key[] = "Pid:\t";
	char path[sizeof(prefix) + 3 * sizeof(pidfd)];
	/* One line of interest: a key, a number and a sign fit easily. */
	char line[32];
	char chunk[256];
	size_t len = 0;
	ssize_t n, i;
	pid_t pid;
	int fd;

	if (pidfd < 0) {
		errno = EBADF;
		return -1;
	}

	format_path(path, prefix, pidfd);
	fd = open_nointr(path, O_RDONLY);
	if (fd < 0) {
		/* With a working /proc, what is missing is the descriptor. */
		if (errno == ENOENT && fcntl(pidfd, F_GETFD) < 0)
			errno = EBADF;
		return -1;
	}

	while ((n = read_nointr(fd, chunk, sizeof(chunk))) > 0) {
		for (i = 0; i < n; i++) {
			/* A line too long to be ours is cut and never matches. */
			if (len < sizeof(line))
				line[len++] = chunk[i];
			if (chunk[i] != '\n')
				continue;

			for (len = 0; key[len] && key[len] == line[len];)
				len++;
			if (!key[len] && parse_pid(line + len, &pid)) {
				close(fd);
				goto found;
			}
			len = 0;
		}
	}

	if (n == 0)
		errno = EBADF;
	close_keep_errno(fd);
	return -1;

found:
	if (pid > 0)
		return pid;

	errno = pid ? ESRCH : EREMOTE;
	return -1;
}

/**
 * pidfdh_send_signal - send a signal to the process of a pidfd
 * @pidfd: the pidfd
 * @sig: the signal, or 0 to check only whether it could be sent
 *
 * Return: 0. On error -1, and errno is set: ESRCH where the process has been
 * reaped, EPERM where the caller may not signal it, EBADF where @pidfd is no
 * pidfd, EINVAL for a bad @sig or for a process outside of the caller's pid
 * namespace.
 */
int pidfdh_send_signal(int pidfd, int sig)
{
	return (int)syscall(__NR_pidfd_send_signal, pidfd, sig, NULL, 0);
}

/**
 * pidfdh_alive - check whether the process of a pidfd still owns its pid
 * @pidfd: the pidfd
 *
 * A zombie does: its number is free for others only once it has been reaped.
 *
 * Return: 0 where it does. On error -1, and errno is set: ESRCH where the
 * process has been reaped, else as pidfdh_send_signal() says, EPERM excepted.
 */
int pidfdh_alive(int pidfd)
{
	int saved = errno;

	if (!pidfdh_send_signal(pidfd, 0))
		return 0;

	/* Only a process that exists can deny a permission. */
	if (errno == EPERM) {
		errno = saved;
		return 0;
	}

	return -1;
}

/**
 * pidfdh_open_proc - open the /proc directory of a pidfd's process
 * @pidfd: the pidfd
 * @pid: number of its process, from pidfdh_fork() or pidfdh_getpid()
 *
 * The directory is opened by number, which could by then be another process's.
 * So it is opened first, and then the process is shown to still exist: until it
 * has been reaped no other process can have its number, hence what was opened is
 * its directory. From there on openat(2) on the result never reaches another
 * process: once this one has been reaped it fails with ESRCH.
 *
 * Return: a descriptor of the directory. On error -1, and errno is set: ESRCH
 * where the process has been reaped, EINVAL where @pid is not positive, EBADF
 * where @pidfd is no pidfd, or as open(2) says where /proc cannot be read.
 */
int pidfdh_open_proc(int pidfd, pid_t pid)
{
	static const char prefix[] = "/proc/";
	char path[sizeof(prefix) + 3 * sizeof(pid)];
	int saved, dirfd;

	if (pid <= 0) {
		errno = EINVAL;
		return -1;
	}

	format_path(path, prefix, pid);
	dirfd = open_nointr(path, O_RDONLY | O_DIRECTORY);
	saved = errno;

	if (pidfdh_alive(pidfd)) {
		if (dirfd >= 0)
			close_keep_errno(dirfd);
		return -1;
	}

	/* The process exists, so a missing directory means that /proc is not mounted. */
	if (dirfd < 0)
		errno = saved;
	return dirfd;
}

/**
 * pidfdh_wait - wait until the process of a pidfd has ended
 * @pidfd: the pidfd
 * @timeout_ms: how long to wait at most, in milliseconds; negative for ever
 *
 * Any process may wait in this way, not the parent alone. Signals do not
 * lengthen the time. The process is not reaped.
 *
 * Return: 0 where all threads of the process have ended. On error -1, and errno
 * is set: ETIMEDOUT where they have not, EBADF where @pidfd is not open.
 */
int pidfdh_wait(int pidfd, int timeout_ms)
{
	struct pollfd pfd = { .fd = pidfd, .events = POLLIN };
	struct timespec now;
	long long end, left;
	int ret;

	/* poll() ignores negative descriptors and would wait for nothing. */
	if (pidfd < 0) {
		errno = EBADF;
		return -1;
	}

	if (clock_gettime(CLOCK_MONOTONIC, &now))
		return -1;
	end = now.tv_sec * 1000LL + now.tv_nsec / 1000000 + timeout_ms;
	left = timeout_ms;

	while ((ret = poll(&pfd, 1, timeout_ms < 0 ? -1 : (int)left)) < 0) {
		if (errno != EINTR)
			return -1;
		if (timeout_ms < 0)
			continue;

		if (clock_gettime(CLOCK_MONOTONIC, &now))
			return -1;
		left = end - (now.tv_sec * 1000LL + now.tv_nsec / 1000000);
		if (left < 0)
			left = 0;
	}

	if (ret == 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	if (pfd.revents & POLLNVAL) {
		errno = EBADF;
		return -1;
	}

	return 0;
}

/**
 * pidfdh_reap - reap the child of a pidfd
 * @pidfd: the pidfd
 * @info: the exit status in the form of waitid(2); may be NULL
 *
 * Waits until the child has ended. Once this returned 0, its number may belong
 * to another process.
 *
 * Return: 0. On error -1, and errno is set: ECHILD where the process is not a
 * child of the caller, or has been reaped, EAGAIN where @pidfd is non-blocking
 * and the child has not ended, EBADF where @pidfd is no pidfd.
 */
int pidfdh_reap(int pidfd, siginfo_t *info)
{
	siginfo_t unused;
	int ret;

	if (pidfd < 0) {
		errno = EBADF;
		return -1;
	}

	do {
		ret = waitid(PIDFDH_P_PIDFD, (id_t)pidfd, info ? info : &unused,
			     WEXITED);
	} while (ret < 0 && errno == EINTR);

	return ret;
}
