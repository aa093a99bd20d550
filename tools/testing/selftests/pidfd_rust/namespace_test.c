// SPDX-License-Identifier: GPL-2.0
/* The namespaces of a process by its pidfd: ioctl() and setns(). */
#include "pidfs.h"
#include "rust_harness.h"

static const struct ns {
	const char *name;
	unsigned int cmd;
	int flag;
} namespaces[] = {
	{ "cgroup",	PIDFD_GET_CGROUP_NAMESPACE,	CLONE_NEWCGROUP },
	{ "ipc",	PIDFD_GET_IPC_NAMESPACE,	CLONE_NEWIPC },
	{ "mnt",	PIDFD_GET_MNT_NAMESPACE,	CLONE_NEWNS },
	{ "net",	PIDFD_GET_NET_NAMESPACE,	CLONE_NEWNET },
	{ "pid",	PIDFD_GET_PID_NAMESPACE,	0 },
	{ "pid_for_children", PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE, CLONE_NEWPID },
	{ "time",	PIDFD_GET_TIME_NAMESPACE,	CLONE_NEWTIME },
	{ "time_for_children", PIDFD_GET_TIME_FOR_CHILDREN_NAMESPACE, CLONE_NEWTIME },
	{ "user",	PIDFD_GET_USER_NAMESPACE,	CLONE_NEWUSER },
	{ "uts",	PIDFD_GET_UTS_NAMESPACE,	CLONE_NEWUTS },
};

#define N_NAMESPACES ARRAY_SIZE(namespaces)
#define ALL_NAMESPACES (CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNS |	\
			CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWTIME |	\
			CLONE_NEWUSER | CLONE_NEWUTS)

static __u64 ns_in_proc(pid_t pid, const char *name)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
	return stat(path, &st) ? 0 : st.st_ino;
}

static long leaves_all_namespaces(long unused)
{
	pid_t pid;

	if (unshare(ALL_NAMESPACES))
		return errno;

	/* A pid namespace needs an init, which dies with its parent. */
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid < 0 ? errno : 0;
}

FIXTURE(namespaces)
{
	struct numbers before;
	struct peer peer;
	__u64 ns[N_NAMESPACES];
};

FIXTURE_SETUP(namespaces)
{
	rust_setup(_metadata, &self->before);
	/* New namespaces for the peer, and others for its children. */
	ASSERT_EQ(0, start_peer(&self->peer, CLONE_PIDFD | CLONE_NEWPID |
				CLONE_NEWTIME));
	ASSERT_EQ(0, peer_does(&self->peer, leaves_all_namespaces, 0));
	for (size_t i = 0; i < N_NAMESPACES; i++) {
		self->ns[i] = ns_in_proc(self->peer.pid, namespaces[i].name);
		ASSERT_NE(0, self->ns[i]);
	}
}

FIXTURE_TEARDOWN(namespaces)
{
	end_peer(&self->peer);
	rust_teardown(_metadata, &self->before);
}

TEST_F(namespaces, are_those_in_proc)
{
	for (size_t i = 0; i < N_NAMESPACES; i++) {
		const struct ns *ns = &namespaces[i];
		int fd = ioctl(self->peer.pidfd, ns->cmd, 0);

		ASSERT_GE(fd, 0);
		EXPECT_EQ(self->ns[i], ino_of(fd)) {
			TH_LOG("%s", ns->name);
		}
		/* Each differs from that of the tester and from the others. */
		EXPECT_NE(ns_in_proc(getpid(), ns->name), ino_of(fd)) {
			TH_LOG("%s", ns->name);
		}
		for (size_t j = 0; j < i; j++)
			EXPECT_NE(self->ns[j], ino_of(fd));
		EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
		close(fd);
	}
}

TEST_F(namespaces, take_no_argument)
{
	for (size_t i = 0; i < N_NAMESPACES; i++) {
		EXPECT_EQ(EINVAL, ERROR_OF(ioctl(self->peer.pidfd,
						 namespaces[i].cmd, 1)));
	}
}

static int errors_of_ioctls(int fd)
{
	int error = 0;

	for (size_t i = 0; i < N_NAMESPACES; i++) {
		int this = ERROR_OF(ioctl(fd, namespaces[i].cmd, 0));

		if (i && this != error)
			return 255;
		error = this;
	}
	return error;
}

TEST_F(namespaces, are_not_for_the_unprivileged)
{
	EXPECT_EQ(EACCES, as_nobody(errors_of_ioctls, self->peer.pidfd));
}

TEST_F(namespaces, are_gone_with_the_process)
{
	tell_peer(&self->peer, 0);
	ASSERT_EQ(0, await_zombie(self->peer.pid));
	EXPECT_EQ(ESRCH, errors_of_ioctls(self->peer.pidfd));
	await_peer(&self->peer);
	EXPECT_EQ(ESRCH, errors_of_ioctls(self->peer.pidfd));
	EXPECT_EQ(ESRCH, ERROR_OF(setns(self->peer.pidfd, CLONE_NEWUTS)));
}

static const int combinations[] = {
	CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWCGROUP,
	CLONE_NEWPID, CLONE_NEWTIME, CLONE_NEWUSER,
	CLONE_NEWUTS | CLONE_NEWIPC,
	CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID,
	CLONE_NEWTIME | CLONE_NEWCGROUP,
	CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS,
	ALL_NAMESPACES & ~CLONE_NEWUSER,
	ALL_NAMESPACES,
};

/*
 * Joins namespaces of a process. Returns the number of one that is wrong then, or 0. The caller
 * joins those that the process is in, not those for its children.
 */
static int joins(const __u64 *ns, int pidfd, int flags)
{
	__u64 want[N_NAMESPACES], itself = 0;

	for (size_t i = 0; i < N_NAMESPACES; i++) {
		const struct ns *n = &namespaces[i];

		if (n->cmd == PIDFD_GET_PID_NAMESPACE ||
		    n->cmd == PIDFD_GET_TIME_NAMESPACE)
			itself = ns[i];
		want[i] = ns_in_proc(getpid(), n->name);
		if (n->cmd == PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE ||
		    n->cmd == PIDFD_GET_TIME_FOR_CHILDREN_NAMESPACE)
			want[i] = n->flag & flags ? itself : want[i];
		else if (n->flag & flags)
			want[i] = ns[i];
	}
	if (setns(pidfd, flags))
		return 100;
	for (size_t i = 0; i < N_NAMESPACES; i++)
		if (ns_in_proc(getpid(), namespaces[i].name) != want[i])
			return i + 1;
	return 0;
}

TEST_F(namespaces, are_joined_as_many_as_asked_for)
{
	for (size_t i = 0; i < ARRAY_SIZE(combinations); i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(joins(self->ns, self->peer.pidfd, combinations[i]));
		EXPECT_EQ(0, wait_for_pid(pid)) {
			TH_LOG("joining %x", combinations[i]);
		}
	}
	EXPECT_EQ(EINVAL, ERROR_OF(setns(self->peer.pidfd, 0)));
	EXPECT_EQ(EINVAL, ERROR_OF(setns(self->peer.pidfd, CLONE_VM)));
	EXPECT_EQ(EINVAL, ERROR_OF(setns(self->peer.pidfd, CLONE_NEWUTS | CLONE_VM)));
}

static int error_of_setns(int fd)
{
	return ERROR_OF(setns(fd, CLONE_NEWUTS));
}

TEST_F(namespaces, are_not_joined_by_the_unprivileged)
{
	EXPECT_EQ(EPERM, as_nobody(error_of_setns, self->peer.pidfd));
}

RUST_TEST_MAIN
