/* SPDX-License-Identifier: GPL-2.0 */
/* Suites of the kselftest harness that prove that Rust made the pidfds that a test uses. */
#ifndef RUST_HARNESS_H
#define RUST_HARNESS_H

#include "../kselftest_harness.h"
#include "pidfd_rust.h"

/* The time in seconds that a test may take. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 150

static pid_t harness_pid;

static void __attribute__((constructor)) note_harness(void)
{
	harness_pid = getpid();
}

/*
 * The harness waits for each test with a pidfd, which it opens after the test has started. The
 * counters are stable once it is open.
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
	/* Each inode holds the module, and each process has one inode. */ \
	if (rust_is_module()) {						\
		EXPECT_LE(_old.refcnt ?: (n) > 0, _new.refcnt);		\
		EXPECT_GE(_old.refcnt + (n), _new.refcnt);		\
	}								\
} while (0)

/* Checks that no more is open than when look() filled in @before. */
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

/* Proves that Rust makes the pidfds of this process. */
static inline void rust_setup(struct __test_metadata *_metadata,
			      struct numbers *before)
{
	int fd = -1;

	/* Writing to a child that has exited must not end the test. */
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

/* Only a test that failed may leave anything behind. */
static inline void rust_teardown(struct __test_metadata *_metadata,
				 struct numbers *before)
{
	if (_metadata->exit_code == KSFT_PASS) {
		EXPECT_NOTHING_LEFT(before);
		EXPECT_NO_CHILD();
	}
}

/* A fixture without further state. */
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

/* Without the module, prints one line instead of a failure for each test. */
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

#endif /* RUST_HARNESS_H */
