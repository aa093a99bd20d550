/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Loading and unloading rust_pidfd.ko. The environment variable PIDFD_MODULE
 * says where it is.
 */
#ifndef PIDFD_MODULE_H
#define PIDFD_MODULE_H

#include "pidfd_rust.h"

static inline int load_module(void)
{
	const char *path = getenv("PIDFD_MODULE");
	int fd, ret;

	if (!path) {
		errno = ENOENT;
		return -1;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;

	ret = syscall(__NR_finit_module, fd, "", 0);
	if (ret) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	close(fd);
	return 0;
}

/* Once, and without waiting for its users to go away. */
static inline int unload_module(void)
{
	return syscall(__NR_delete_module, "rust_pidfd", O_NONBLOCK);
}

/* The same, while others still use the module now and then. */
static inline int unload_busy_module(void)
{
	for (int i = 0; i < PATIENCE_MS; i++) {
		if (!unload_module())
			return 0;
		if (errno != EWOULDBLOCK)
			return -1;
		usleep(rand() % 2000);
	}
	return -1;
}

/* A positive number from the environment. */
static inline int rounds(int by_default)
{
	const char *text = getenv("ROUNDS");
	char *end;
	long n;

	if (!text || !*text)
		return by_default;

	n = strtol(text, &end, 10);
	if (*end || n < 1 || n > INT_MAX)
		ksft_exit_fail_msg("ROUNDS=%s is not a positive number\n", text);
	return n;
}

/* Ends the program where the module cannot be, or is not, loaded. */
static inline void need_module(void)
{
	if (!rust_serves())
		ksft_exit_fail_msg("rust_pidfd is not loaded: no " COUNTERS
				   "created\n");
	if (!rust_is_module())
		ksft_exit_skip("rust_pidfd is built in and cannot be unloaded\n");
	if (!getenv("PIDFD_MODULE"))
		ksft_exit_fail_msg("PIDFD_MODULE does not say where rust_pidfd.ko is\n");
	if (access(getenv("PIDFD_MODULE"), R_OK))
		ksft_exit_fail_msg("PIDFD_MODULE=%s: %s\n",
				   getenv("PIDFD_MODULE"), strerror(errno));
}

/*
 * One turn of what busy processes do: pidfds of a child and of oneself, made,
 * polled and closed. Makes BURST pidfds; returns what went wrong, or NULL.
 */
#define BURST 3

static inline const char *burst(void)
{
	int pidfd = -1, again, self;
	const char *wrong = NULL;
	pid_t pid;

	pid = sys_clone(CLONE_PIDFD | SIGCHLD, &pidfd);
	if (pid == 0)
		_exit(EXIT_SUCCESS);
	if (pid < 0)
		return "clone()";

	again = sys_pidfd_open(pid, 0);
	self = sys_pidfd_open(getpid(), PIDFD_NONBLOCK);
	if (again < 0 || self < 0)
		wrong = "pidfd_open()";
	else if (pidfd_number(pidfd) != pid)
		wrong = "fdinfo of a child";
	else if (sys_pidfd_send_signal(self, 0, NULL, 0))
		wrong = "pidfd_send_signal()";
	else if (ready(self))
		wrong = "poll() of oneself";
	else if (becomes_ready(pidfd, POLLIN) != POLLIN)
		wrong = "poll() of a child";
	else if (sys_waitid(P_PIDFD, again, NULL, WEXITED))
		wrong = "waitid()";
	else if (ready(pidfd) != (POLLIN | POLLHUP))
		wrong = "poll() of a reaped child";
	else
		pid = 0;

	if (pid)
		waitpid(pid, NULL, 0);
	close(pidfd);
	close(again);
	close(self);
	return wrong;
}

#endif /* PIDFD_MODULE_H */
