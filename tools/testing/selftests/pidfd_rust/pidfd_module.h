/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Loading and unloading rust_pidfd.ko. The environment variable PIDFD_MODULE has its path.
 */
#ifndef PIDFD_MODULE_H
#define PIDFD_MODULE_H

#include "rust_harness.h"

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

/* Tries once, and does not wait for users. */
static inline int unload_module(void)
{
	return syscall(__NR_delete_module, "rust_pidfd", O_NONBLOCK);
}

/* Tries until no user is left at the moment. */
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

/* Ends the program if the module is not loaded, or cannot be loaded. */
static inline void need_module(void)
{
	if (!rust_serves())
		ksft_exit_fail_msg("rust_pidfd is not loaded: no " COUNTERS
				   "created\n");
	if (!rust_is_module())
		ksft_exit_skip("rust_pidfd is built in and cannot be unloaded\n");
	if (!getenv("PIDFD_MODULE"))
		ksft_exit_fail_msg("PIDFD_MODULE is not set to the path of rust_pidfd.ko\n");
	if (access(getenv("PIDFD_MODULE"), R_OK))
		ksft_exit_fail_msg("PIDFD_MODULE=%s: %s\n",
				   getenv("PIDFD_MODULE"), strerror(errno));
}

/*
 * Makes, polls and closes pidfds of a child and of the caller, BURST in all. Returns NULL, or the
 * name of what failed.
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
		wrong = "poll() of the caller";
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

/*
 * A suite that loads and unloads the module. The harness waits for each test with a pidfd. If Rust
 * made that pidfd, the module could not be unloaded. So each test begins and ends without the
 * module, which is loaded again after the last test.
 */
#define LOAD() do {							\
	ASSERT_EQ(0, load_module()) {					\
		TH_LOG("cannot load rust_pidfd: %s", strerror(errno));	\
	}								\
} while (0)

static inline void begin_without_module(struct __test_metadata *_metadata)
{
	signal(SIGPIPE, SIG_IGN);
	ASSERT_TRUE(harness_waits()) {
		TH_LOG("the harness never opened its own pidfd");
	}
	ASSERT_FALSE(rust_serves()) {
		TH_LOG("rust_pidfd is still loaded: an earlier test left pidfds open");
	}
}

/* Called after all pidfds of the test are closed. */
static inline void unload_left_behind(struct __test_metadata *_metadata)
{
	if (rust_serves()) {
		EXPECT_EQ(0, unload_busy_module()) {
			TH_LOG("cannot unload rust_pidfd: %s", strerror(errno));
		}
	}
}

static pid_t module_harness;

static inline void end_harness(int sig)
{
	kill(module_harness, SIGKILL);
}

static inline int module_test_main(int argc, char **argv)
{
	int status;

	/* The list of tests and the help need no module. */
	if (argc > 1 && (!strcmp(argv[1], "-l") || !strcmp(argv[1], "-h")))
		return test_harness_run(argc, argv);

	ksft_print_header();
	need_module();
	if (unload_busy_module())
		ksft_exit_fail_msg("cannot unload rust_pidfd (%s): %ld pidfds are open elsewhere\n",
				   strerror(errno), rust_open());

	setenv("KSFT_TAP_LEVEL", "1", 1);
	fflush(stdout);
	module_harness = fork();
	if (module_harness == 0) {
		harness_pid = getpid();
		exit(test_harness_run(argc, argv));
	}

	/* The module is loaded again in any case. */
	signal(SIGTERM, end_harness);
	signal(SIGINT, end_harness);
	while (waitpid(module_harness, &status, 0) < 0 && errno == EINTR)
		;

	if (!rust_serves() && load_module()) {
		printf("Bail out! cannot load rust_pidfd again: %s\n",
		       strerror(errno));
		return KSFT_FAIL;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : KSFT_FAIL;
}

#define MODULE_TEST_MAIN						\
	int main(int argc, char **argv)					\
	{								\
		return module_test_main(argc, argv);			\
	}

#endif /* PIDFD_MODULE_H */
