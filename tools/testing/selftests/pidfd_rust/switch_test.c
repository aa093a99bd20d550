// SPDX-License-Identifier: GPL-2.0
/*
 * The parameter pidfd.provider: with 0, C makes all new pidfds while the module stays loaded, and
 * the pidfds that Rust made go on.
 */
#include "pidfd_switch.h"
#include "pidfs.h"
#include "rust_harness.h"
#include "slow_page.h"

FIXTURE(switch)
{
	struct numbers before;
};

FIXTURE_SETUP(switch)
{
	rust_setup(_metadata, &self->before);
}

/* Runs in the parent of the test, also after a test that has ended early. */
FIXTURE_TEARDOWN_PARENT(switch)
{
	EXPECT_EQ(0, switch_to_rust());
}

TEST_F(switch, new_pidfds_are_made_by_c)
{
	int pidfd = -1, other = -1, status;
	struct child child;
	pid_t pid = -1;

	ASSERT_EQ(0, start_child(&child, 0));
	ASSERT_EQ(0, switch_to_c());
	EXPECT_RUST_MAKES(0, other = sys_pidfd_open(child.pid, 0));
	EXPECT_TRUE(is_pidfd(other));
	EXPECT_EQ(child.pid, pidfd_number(other));
	EXPECT_RUST_MAKES(0, {
		pid = sys_clone(CLONE_PIDFD | SIGCHLD, &pidfd);
		if (pid == 0)
			_exit(7);
	});
	ASSERT_GT(pid, 0);
	EXPECT_EQ(POLLIN, becomes_ready(pidfd, POLLIN));
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(EXITED(7), exit_code_of(pidfd));
	close(pidfd);

	ASSERT_EQ(0, switch_to_rust());
	EXPECT_RUST_MAKES(1, pidfd = sys_pidfd_open(child.pid, 0));
	EXPECT_EQ(ino_of(other), ino_of(pidfd));
	EXPECT_EQ(dev_of(other), dev_of(pidfd));
	close(pidfd);
	close(other);
	end_child(&child);
}

TEST_F(switch, open_pidfds_go_on)
{
	struct handle h;
	int by_rust = -1, by_c = -1, again;
	struct child child;

	ASSERT_EQ(0, start_child(&child, 0));
	EXPECT_RUST_MAKES(1, by_rust = sys_pidfd_open(child.pid, 0));
	ASSERT_EQ(0, handle_of(by_rust, &h));
	ASSERT_EQ(0, switch_to_c());
	EXPECT_RUST_MAKES(0, by_c = sys_pidfd_open(child.pid, 0));

	EXPECT_EQ(child.pid, pidfd_number(by_rust));
	EXPECT_EQ(0, sys_pidfd_send_signal(by_rust, 0, NULL, 0));
	EXPECT_EQ(ino_of(by_c), ino_of(by_rust));
	EXPECT_EQ(dev_of(by_c), dev_of(by_rust));
	EXPECT_EQ(0, set_value(by_rust, "trusted.a", "x", 0));
	EXPECT_STREQ("x", value_of(by_c, "trusted.a"));
	EXPECT_RUST_MAKES(0, again = open_handle(&h, 0));
	EXPECT_EQ(ino_of(by_rust), ino_of(again));
	close(again);

	EXPECT_EQ(0, ready(by_rust));
	tell_child(&child, 3);
	EXPECT_EQ(POLLIN, becomes_ready(by_rust, POLLIN));
	EXPECT_EQ(0, sys_waitid(P_PIDFD, by_rust, NULL, WEXITED));
	EXPECT_EQ(EXITED(3), exit_code_of(by_rust));
	EXPECT_EQ(EXITED(3), exit_code_of(by_c));
	/* That of the clone, and that of pidfd_open(). */
	EXPECT_EQ(2 + self->before.open, rust_open());
	close(child.pidfd);
	close(child.tell);
	close(by_rust);
	close(by_c);
	EXPECT_EQ(self->before.open, settles(rust_open, self->before.open));
}

static int switches(int unused)
{
	return ERROR_OF(switch_to_c());
}

/* Root of the initial user namespace may switch, with a boolean. */
TEST_F(switch, refuses_bad_values_and_users)
{
	struct child child;
	int pidfd = -1;

	ASSERT_EQ(0, start_child(&child, 0));
	EXPECT_EQ(EINVAL, ERROR_OF(write_file(SWITCH, "maybe")));
	EXPECT_EQ(EINVAL, ERROR_OF(write_file(SWITCH, "2")));
	EXPECT_EQ(EACCES, as_nobody(switches, -1));
	EXPECT_RUST_MAKES(1, pidfd = sys_pidfd_open(child.pid, 0));
	close(pidfd);
	end_child(&child);
}

static void *clones_slowly(void *parent_tidptr)
{
	pid_t pid = sys_clone(CLONE_PIDFD | SIGCHLD, parent_tidptr);

	if (pid == 0)
		_exit(0);
	return (void *)(long)pid;
}

/* A caller that user memory stalls inside the module delays neither direction. */
TEST_F(switch, waits_for_no_caller)
{
	struct slow_pages slow;
	const char *reason = make_slow_pages(&slow, 1);
	long made = rust_created(), begin;
	pthread_t thread;
	void *pid;
	int fd;

	if (reason)
		SKIP(return, "%s", reason);
	ASSERT_EQ(0, pthread_create(&thread, NULL, clones_slowly, slow.slow));
	ASSERT_TRUE(page_is_wanted(&slow));

	begin = nsec_now();
	EXPECT_EQ(0, switch_to_c());
	EXPECT_EQ(0, switch_to_rust());
	EXPECT_EQ(0, switch_to_c());
	EXPECT_LT(nsec_now() - begin, PATIENCE_MS * 1000000L / 2);

	ASSERT_EQ(0, give_page(&slow, 0, NULL));
	ASSERT_EQ(0, pthread_join(thread, &pid));
	ASSERT_GT((long)pid, 0);
	EXPECT_EQ(made + 1, rust_created());
	memcpy(&fd, slow.slow, sizeof(fd));
	EXPECT_TRUE(is_pidfd(fd));
	EXPECT_EQ(0, sys_waitid(P_PIDFD, fd, NULL, WEXITED));
	close(fd);
	free_slow_pages(&slow);
}

RUST_TEST_MAIN
