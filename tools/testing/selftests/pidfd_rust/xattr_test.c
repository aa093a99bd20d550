// SPDX-License-Identifier: GPL-2.0
/* Extended attributes of pidfds. */
#include "pidfs.h"
#include "rust_harness.h"

PEER_FIXTURE(xattr, CLONE_PIDFD)

TEST_F(xattr, is_what_it_was_set_to)
{
	int fd = self->peer.pidfd;

	EXPECT_EQ(0, set_value(fd, "trusted.a", "value", 0));
	EXPECT_STREQ("value", value_of(fd, "trusted.a"));
	EXPECT_EQ(5, fgetxattr(fd, "trusted.a", NULL, 0));
	EXPECT_EQ(ERANGE, ERROR_OF(fgetxattr(fd, "trusted.a", (char [2]){}, 2)));
	EXPECT_STREQ("ENODATA", value_of(fd, "trusted.b"));
}

TEST_F(xattr, may_be_empty)
{
	EXPECT_EQ(0, set_value(self->peer.pidfd, "trusted.a", "", 0));
	EXPECT_STREQ("", value_of(self->peer.pidfd, "trusted.a"));
	EXPECT_EQ(0, fgetxattr(self->peer.pidfd, "trusted.a", NULL, 0));
}

TEST_F(xattr, may_be_long)
{
	char *value = malloc(XATTR_SIZE_MAX + 1), *read = malloc(XATTR_SIZE_MAX);

	ASSERT_NE(NULL, value);
	ASSERT_NE(NULL, read);
	for (int i = 0; i <= XATTR_SIZE_MAX; i++)
		value[i] = i * 7 + i / 256;
	EXPECT_EQ(0, fsetxattr(self->peer.pidfd, "trusted.a", value,
			       XATTR_SIZE_MAX, 0));
	EXPECT_EQ(XATTR_SIZE_MAX, fgetxattr(self->peer.pidfd, "trusted.a", read,
					    XATTR_SIZE_MAX));
	EXPECT_EQ(0, memcmp(value, read, XATTR_SIZE_MAX));
	EXPECT_EQ(E2BIG, ERROR_OF(fsetxattr(self->peer.pidfd, "trusted.b", value,
					    XATTR_SIZE_MAX + 1, 0)));
	free(value);
	free(read);
}

TEST_F(xattr, is_replaced_created_and_removed_as_asked)
{
	int fd = self->peer.pidfd;

	EXPECT_EQ(ENODATA, set_value(fd, "trusted.a", "1", XATTR_REPLACE));
	EXPECT_EQ(0, set_value(fd, "trusted.a", "2", XATTR_CREATE));
	EXPECT_EQ(EEXIST, set_value(fd, "trusted.a", "3", XATTR_CREATE));
	EXPECT_STREQ("2", value_of(fd, "trusted.a"));
	EXPECT_EQ(0, set_value(fd, "trusted.a", "4", XATTR_REPLACE));
	EXPECT_EQ(0, set_value(fd, "trusted.a", "longer", 0));
	EXPECT_STREQ("longer", value_of(fd, "trusted.a"));
	EXPECT_EQ(0, ERROR_OF(fremovexattr(fd, "trusted.a")));
	EXPECT_STREQ("ENODATA", value_of(fd, "trusted.a"));
	EXPECT_EQ(ENODATA, ERROR_OF(fremovexattr(fd, "trusted.a")));
	EXPECT_EQ(0, flistxattr(fd, NULL, 0));
}

TEST_F(xattr, is_listed)
{
	int fd = self->peer.pidfd;
	char list[64] = {};

	EXPECT_EQ(0, flistxattr(fd, list, sizeof(list)));
	EXPECT_EQ(0, set_value(fd, "trusted.a", "1", 0));
	EXPECT_EQ(0, set_value(fd, "trusted.bc", "2", 0));
	EXPECT_EQ(21, flistxattr(fd, NULL, 0));
	EXPECT_EQ(ERANGE, ERROR_OF(flistxattr(fd, list, 20)));
	ASSERT_EQ(21, flistxattr(fd, list, sizeof(list)));
	EXPECT_TRUE((!strcmp(list, "trusted.a") &&
		     !strcmp(list + 10, "trusted.bc")) ||
		    (!strcmp(list, "trusted.bc") &&
		     !strcmp(list + 11, "trusted.a")));
}

TEST_F(xattr, is_the_same_through_all_pidfds)
{
	int other = sys_pidfd_open(self->peer.pid, PIDFD_THREAD);
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", other);
	EXPECT_EQ(0, set_value(self->peer.pidfd, "trusted.a", "1", 0));
	EXPECT_STREQ("1", value_of(other, "trusted.a"));
	EXPECT_EQ(0, setxattr(path, "trusted.a", "22", 2, 0));
	EXPECT_STREQ("22", value_of(self->peer.pidfd, "trusted.a"));
	EXPECT_EQ(0, fremovexattr(other, "trusted.a"));
	EXPECT_STREQ("ENODATA", value_of(self->peer.pidfd, "trusted.a"));
	close(other);
}

TEST_F(xattr, is_of_one_process_only)
{
	int own = sys_pidfd_open(getpid(), 0);

	EXPECT_EQ(0, set_value(self->peer.pidfd, "trusted.a", "1", 0));
	EXPECT_STREQ("ENODATA", value_of(own, "trusted.a"));
	EXPECT_EQ(0, flistxattr(own, NULL, 0));
	close(own);
}

TEST_F(xattr, stays_when_all_pidfds_are_closed)
{
	EXPECT_EQ(0, set_value(self->peer.pidfd, "trusted.a", "1", 0));
	close(self->peer.pidfd);
	if (rust_is_module()) {
		EXPECT_EQ(self->before.refcnt,
			  settles(rust_refcnt, self->before.refcnt));
	}
	self->peer.pidfd = sys_pidfd_open(self->peer.pid, 0);
	EXPECT_STREQ("1", value_of(self->peer.pidfd, "trusted.a"));
	close(self->peer.pidfd);

	/* They stay while the process is a zombie. */
	tell_peer(&self->peer, 0);
	ASSERT_EQ(0, await_zombie(self->peer.pid));
	self->peer.pidfd = sys_pidfd_open(self->peer.pid, 0);
	EXPECT_STREQ("1", value_of(self->peer.pidfd, "trusted.a"));
	EXPECT_EQ(0, set_value(self->peer.pidfd, "trusted.a", "2", 0));

	/* A holder of a pidfd can read and write them after the reaping. */
	await_peer(&self->peer);
	EXPECT_STREQ("2", value_of(self->peer.pidfd, "trusted.a"));
	EXPECT_EQ(0, set_value(self->peer.pidfd, "trusted.b", "3", 0));
	EXPECT_STREQ("3", value_of(self->peer.pidfd, "trusted.b"));
}

TEST_F(xattr, is_not_of_the_next_process_with_the_pid)
{
	pid_t pid = self->peer.pid;
	struct peer next;

	EXPECT_EQ(0, set_value(self->peer.pidfd, "trusted.a", "1", 0));
	reap_peer(&self->peer, 0);
	ASSERT_EQ(0, start_peer_as(&next, CLONE_PIDFD, false, pid));
	EXPECT_EQ(0, flistxattr(next.pidfd, NULL, 0));
	EXPECT_STREQ("ENODATA", value_of(next.pidfd, "trusted.a"));
	end_peer(&next);
}

static int error_of_set(int fd)
{
	return ERROR_OF(fsetxattr(fd, "trusted.a", "2", 1, 0));
}

static int error_of_get(int fd)
{
	return ERROR_OF(fgetxattr(fd, "trusted.a", NULL, 0));
}

static int error_of_remove(int fd)
{
	return ERROR_OF(fremovexattr(fd, "trusted.a"));
}

static int size_of_list(int fd)
{
	return flistxattr(fd, NULL, 0);
}

TEST_F(xattr, is_not_for_the_unprivileged)
{
	int fd = self->peer.pidfd;

	EXPECT_EQ(0, set_value(fd, "trusted.a", "1", 0));
	EXPECT_EQ(EPERM, as_nobody(error_of_set, fd));
	EXPECT_EQ(EPERM, as_nobody(error_of_remove, fd));
	EXPECT_EQ(ENODATA, as_nobody(error_of_get, fd));
	EXPECT_EQ(0, as_nobody(size_of_list, fd));
	EXPECT_STREQ("1", value_of(fd, "trusted.a"));
}

TEST_F(xattr, of_any_other_kind_is_refused)
{
	int fd = self->peer.pidfd;

	EXPECT_EQ(EOPNOTSUPP, set_value(fd, "user.a", "1", 0));
	EXPECT_STREQ("EOPNOTSUPP", value_of(fd, "user.a"));
	EXPECT_EQ(EOPNOTSUPP, set_value(fd, "security.a", "1", 0));
	EXPECT_EQ(EOPNOTSUPP, set_value(fd, "system.a", "1", 0));
	EXPECT_EQ(EOPNOTSUPP, set_value(fd, "a", "1", 0));
	EXPECT_EQ(EINVAL, set_value(fd, "trusted.", "1", 0));
	EXPECT_EQ(0, flistxattr(fd, NULL, 0));
}

TEST_F(xattr, may_be_one_of_hundreds)
{
	static char list[XATTR_LIST_MAX];
	char name[32], value[32];
	ssize_t size = 0;
	int n = 0;

	for (int i = 0; i < 400; i++) {
		snprintf(name, sizeof(name), "trusted.number.%d", i);
		snprintf(value, sizeof(value), "%d", i * i);
		ASSERT_EQ(0, set_value(self->peer.pidfd, name, value, 0));
	}
	for (int i = 0; i < 400; i++) {
		snprintf(name, sizeof(name), "trusted.number.%d", i);
		snprintf(value, sizeof(value), "%d", i * i);
		EXPECT_STREQ(value, value_of(self->peer.pidfd, name));
	}
	size = flistxattr(self->peer.pidfd, list, sizeof(list));
	for (char *s = list; s < list + size; s += strlen(s) + 1)
		n++;
	EXPECT_EQ(400, n);
}

static bool stop;

static void *sets_all_along(void *arg)
{
	int fd = *(int *)arg;
	char value[1000];

	for (int i = 0; !__atomic_load_n(&stop, __ATOMIC_SEQ_CST); i++) {
		memset(value, 'a' + i % 26, sizeof(value));
		if (fsetxattr(fd, "trusted.a", value, sizeof(value), 0))
			return "fsetxattr()";
		if (i % 8 == 0 && fremovexattr(fd, "trusted.a"))
			return "fremovexattr()";
	}
	return NULL;
}

/* Each read finds one value as a whole. */
TEST_F(xattr, is_never_half_of_one_and_half_of_another)
{
	int other = sys_pidfd_open(self->peer.pid, 0);
	char value[1000], other_value[1000];
	pthread_t thread;
	int found = 0;
	void *wrong;

	__atomic_store_n(&stop, false, __ATOMIC_SEQ_CST);
	ASSERT_EQ(0, pthread_create(&thread, NULL, sets_all_along, &other));
	for (int i = 0; i < 5000; i++) {
		ssize_t n = fgetxattr(self->peer.pidfd, "trusted.a", value,
				      sizeof(value));

		if (n < 0) {
			ASSERT_EQ(ENODATA, errno);
			continue;
		}
		found++;
		ASSERT_EQ(sizeof(value), n);
		memset(other_value, value[0], sizeof(other_value));
		ASSERT_EQ(0, memcmp(value, other_value, sizeof(value)));
	}
	/* On one CPU the writer may not have run by now. */
	for (int i = 0; !found && i < PATIENCE_MS; i++) {
		found = fgetxattr(self->peer.pidfd, "trusted.a", value,
				  sizeof(value)) > 0;
		usleep(1000);
	}
	EXPECT_GT(found, 0);
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	pthread_join(thread, &wrong);
	EXPECT_EQ(NULL, wrong);
	close(other);
}

RUST_TEST_MAIN
