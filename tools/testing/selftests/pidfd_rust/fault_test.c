// SPDX-License-Identifier: GPL-2.0
/*
 * In every operation on pidfds, every allocation and every copy from and to user memory fails
 * once. The operation returns the right error, leaves nothing behind, and succeeds the next time.
 */
#include <linux/fs.h>
#include <sys/epoll.h>
#include <sys/file.h>

#include "faults.h"
#include "pidfs.h"
#include "rust_harness.h"

/* The processes and files that the operations use. */
struct targets {
	struct peer peer;
	struct peer zombie;
	struct peer reaped;
	/* A process without a pidfd. */
	struct peer plain;
	struct handle handle;
	struct handle plain_handle;
	char path[64];
	int sockets[2];
	/* The child of a clone that succeeded. */
	pid_t child;
	/* Pidfds that have emptied the free list of this CPU. */
	int free_list[40];
};

/*
 * A first pidfd that takes a dentry from the free list has fewer allocations that can
 * fail. First pidfds of kernel threads empty the list.
 */
static void empty_free_list(struct targets *t)
{
	pid_t pid = 2;

	stay_on_cpu(0);
	for (size_t i = 0; i < ARRAY_SIZE(t->free_list); i++) {
		do {
			t->free_list[i] = sys_pidfd_open(pid++, 0);
		} while (t->free_list[i] < 0 && pid < 1000);
	}
}

/* Closes a pidfd; its dentry is freed, and not added to the free list. */
static void close_for_good(int fd)
{
	flock(fd, LOCK_SH);
	close(fd);
}

/* Returns a descriptor, or 0, or -1 with errno set. */
typedef long (*operation)(struct targets *t);

static long fork_like(struct targets *t, bool clone3)
{
	struct __clone_args args = { .flags = CLONE_PIDFD, .exit_signal = SIGCHLD };
	int fd = -1;
	pid_t pid;

	args.pidfd = ptr_to_u64(&fd);
	pid = clone3 ? sys_clone3(&args, sizeof(args)) :
		       sys_clone(CLONE_PIDFD | SIGCHLD, &fd);
	if (pid == 0)
		_exit(EXIT_SUCCESS);
	t->child = pid;
	return pid < 0 ? -1 : fd;
}

static long clones(struct targets *t)
{
	return fork_like(t, false);
}

static long clones3(struct targets *t)
{
	return fork_like(t, true);
}

static long opens_first(struct targets *t)
{
	return sys_pidfd_open(t->plain.pid, 0);
}

static long opens_further(struct targets *t)
{
	return sys_pidfd_open(t->peer.pid, PIDFD_NONBLOCK);
}

static long opens_thread(struct targets *t)
{
	return sys_pidfd_open(t->plain.pid, PIDFD_THREAD);
}

static long opens_zombie(struct targets *t)
{
	return sys_pidfd_open(t->zombie.pid, 0);
}

static long reopens(struct targets *t)
{
	return open(t->path, O_RDWR | O_CLOEXEC);
}

static long opens_path(struct targets *t)
{
	return open(t->path, O_PATH | O_CLOEXEC);
}

static long takes_peer(struct targets *t)
{
	return peer_pidfd(t->plain.sock);
}

static long takes_peer_that_is_gone(struct targets *t)
{
	return peer_pidfd(t->reaped.sock);
}

static long fetches_itself(struct targets *t)
{
	return sys_pidfd_getfd(t->peer.pidfd, STDIN_FILENO, 0);
}

static long encodes(struct targets *t)
{
	struct handle h;

	return handle_of(t->peer.pidfd, &h);
}

static long decodes(struct targets *t)
{
	return open_handle(&t->handle, O_CLOEXEC);
}

static long decodes_first(struct targets *t)
{
	return open_handle(&t->plain_handle, O_CLOEXEC);
}

static long decodes_at_pidfd(struct targets *t)
{
	return open_by_handle_at(t->peer.pidfd, &t->handle.fh, O_CLOEXEC);
}

static long asks(int fd, __u64 mask)
{
	struct pidfd_info info;

	return get_info(fd, mask, &info);
}

static long asks_living(struct targets *t)
{
	return asks(t->peer.pidfd, ~0ULL);
}

static long asks_zombie(struct targets *t)
{
	return asks(t->zombie.pidfd, ~0ULL);
}

static long asks_reaped(struct targets *t)
{
	return asks(t->reaped.pidfd, PIDFD_INFO_EXIT);
}

static long asks_generation(struct targets *t)
{
	int version;

	return ioctl(t->peer.pidfd, FS_IOC_GETVERSION, &version);
}

static long opens_mount_namespace(struct targets *t)
{
	return ioctl(t->peer.pidfd, PIDFD_GET_MNT_NAMESPACE, 0);
}

static long opens_pid_namespace(struct targets *t)
{
	return ioctl(t->peer.pidfd, PIDFD_GET_PID_NAMESPACE, 0);
}

static long opens_user_namespace(struct targets *t)
{
	return ioctl(t->peer.pidfd, PIDFD_GET_USER_NAMESPACE, 0);
}

static long opens_uts_namespace(struct targets *t)
{
	return ioctl(t->peer.pidfd, PIDFD_GET_UTS_NAMESPACE, 0);
}

static long sets_new_attribute(struct targets *t)
{
	static const char name[] = "trusted.new";

	if (fsetxattr(t->peer.pidfd, name, "value", 5, XATTR_CREATE))
		return -1;
	/* The attribute to remove is set without faults. */
	while (fremovexattr(t->peer.pidfd, name) && errno != ENODATA)
		;
	return 0;
}

static long replaces_attribute(struct targets *t)
{
	return fsetxattr(t->peer.pidfd, "trusted.old", "other", 5, XATTR_REPLACE);
}

static long sets_long_attribute(struct targets *t)
{
	static const char value[XATTR_SIZE_MAX];

	return fsetxattr(t->peer.pidfd, "trusted.long", value, sizeof(value), 0);
}

static long gets_attribute(struct targets *t)
{
	char value[16];

	return fgetxattr(t->peer.pidfd, "trusted.old", value, sizeof(value)) < 0 ?
	       -1 : 0;
}

static long lists_attributes(struct targets *t)
{
	char list[256];

	return flistxattr(t->peer.pidfd, list, sizeof(list)) < 0 ? -1 : 0;
}

static long reads_fdinfo(struct targets *t)
{
	char path[64], buf[4096];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", t->peer.pidfd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, buf, sizeof(buf));
	if (n < 0) {
		int err = errno;

		close(fd);
		errno = err;
		return -1;
	}
	close(fd);
	return 0;
}

static long reads_link(struct targets *t)
{
	char link[64];

	return readlink(t->path, link, sizeof(link)) < 0 ? -1 : 0;
}

static long stats(struct targets *t)
{
	struct stat st;

	return fstat(t->peer.pidfd, &st);
}

static long stats_file_system(struct targets *t)
{
	struct statfs fs;

	return fstatfs(t->peer.pidfd, &fs);
}

static long polls(struct targets *t)
{
	struct pollfd pfds[40];

	for (size_t i = 0; i < ARRAY_SIZE(pfds); i++)
		pfds[i] = (struct pollfd){ .fd = t->peer.pidfd, .events = POLLIN };
	return poll(pfds, ARRAY_SIZE(pfds), 0) < 0 ? -1 : 0;
}

static long watches(struct targets *t)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC), err;

	if (epoll < 0)
		return -1;
	if (!epoll_ctl(epoll, EPOLL_CTL_ADD, t->peer.pidfd, &event) &&
	    epoll_wait(epoll, &event, 1, 0) >= 0)
		return epoll;
	err = errno;
	close(epoll);
	errno = err;
	return -1;
}

static long signals(struct targets *t)
{
	return sys_pidfd_send_signal(t->peer.pidfd, SIGCONT, NULL, 0);
}

static long waits(struct targets *t)
{
	siginfo_t info;

	return sys_waitid(P_PIDFD, t->zombie.pidfd, &info,
			  WEXITED | WNOHANG | WNOWAIT);
}

static long receives_sender(struct targets *t)
{
	long data = 0;
	int fd;

	if (send(t->sockets[1], &data, sizeof(data), MSG_DONTWAIT) < 0)
		return -1;
	errno = 0;
	fd = receive_fd(t->sockets[0], SCM_PIDFD);
	if (fd >= 0)
		return fd;
	/* The message may have an error in place of the pidfd, or be truncated. */
	if (fd != NO_MESSAGE)
		errno = -fd;
	else if (!errno)
		errno = EFAULT;
	return -1;
}

FIXTURE(faults)
{
	struct numbers before;
	struct targets targets;
	struct faults faults;
	const char *reason;
};

FIXTURE_VARIANT(faults)
{
	operation run;
	/* The operation cannot fail in any other way. */
	bool cannot_fail;
	/* The error of the operation besides ENOMEM and EFAULT. */
	int also;
};

#define VARIANT(name, ...)						\
	FIXTURE_VARIANT_ADD(faults, name)				\
	{								\
		.run = name,						\
		__VA_ARGS__						\
	}

VARIANT(clones);
VARIANT(clones3);
VARIANT(opens_first);
VARIANT(opens_further);
VARIANT(opens_thread);
VARIANT(opens_zombie);
VARIANT(reopens);
VARIANT(opens_path);
VARIANT(takes_peer);
VARIANT(takes_peer_that_is_gone);
VARIANT(fetches_itself, .cannot_fail = true);
VARIANT(encodes);
VARIANT(decodes);
VARIANT(decodes_first);
VARIANT(decodes_at_pidfd);
VARIANT(asks_living);
VARIANT(asks_zombie);
VARIANT(asks_reaped);
VARIANT(asks_generation, .cannot_fail = true);
VARIANT(opens_mount_namespace);
VARIANT(opens_pid_namespace);
VARIANT(opens_user_namespace);
VARIANT(opens_uts_namespace);
VARIANT(sets_new_attribute);
VARIANT(replaces_attribute);
VARIANT(sets_long_attribute);
VARIANT(gets_attribute);
VARIANT(lists_attributes);
VARIANT(reads_fdinfo);
VARIANT(reads_link);
VARIANT(stats);
VARIANT(stats_file_system);
VARIANT(polls);
VARIANT(watches);
VARIANT(signals, .cannot_fail = true);
VARIANT(waits, .cannot_fail = true);
/* A socket without memory cannot send. */
VARIANT(receives_sender, .also = ENOBUFS);

FIXTURE_SETUP(faults)
{
	struct targets *t = &self->targets;

	rust_setup(_metadata, &self->before);
	ASSERT_EQ(0, start_peer(&t->peer, CLONE_PIDFD));
	ASSERT_EQ(0, start_peer(&t->zombie, CLONE_PIDFD));
	ASSERT_EQ(0, start_peer(&t->reaped, CLONE_PIDFD));
	ASSERT_EQ(0, start_peer(&t->plain, CLONE_PIDFD));
	ASSERT_EQ(0, handle_of(t->peer.pidfd, &t->handle));
	ASSERT_EQ(0, handle_of(t->plain.pidfd, &t->plain_handle));
	close_for_good(t->plain.pidfd);
	t->plain.pidfd = -1;
	tell_peer(&t->zombie, 1);
	ASSERT_EQ(0, await_zombie(t->zombie.pid));
	reap_peer(&t->reaped, 2);
	ASSERT_EQ(0, fsetxattr(t->peer.pidfd, "trusted.old", "value", 5, 0));
	/* A stream installs the descriptor even if the data cannot be copied. */
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, t->sockets));
	ASSERT_EQ(0, pass_pidfds(t->sockets[0], 1));
	snprintf(t->path, sizeof(t->path), "/proc/self/fd/%d", t->peer.pidfd);
	empty_free_list(t);
	self->reason = start_faults(&self->faults);
}

FIXTURE_TEARDOWN(faults)
{
	struct targets *t = &self->targets;

	if (!self->reason)
		stop_faults(&self->faults);
	end_peer(&t->peer);
	end_peer(&t->zombie);
	end_peer(&t->reaped);
	end_peer(&t->plain);
	for (size_t i = 0; i < ARRAY_SIZE(t->free_list); i++)
		close(t->free_list[i]);
	close(t->sockets[0]);
	close(t->sockets[1]);
	rust_teardown(_metadata, &self->before);
}

static void undo(struct targets *t, long result)
{
	if (result > 0)
		close_for_good(result);
	if (t->child > 0)
		waitpid(t->child, NULL, 0);
	t->child = 0;
}

TEST_F_TIMEOUT(faults, leave_nothing, 400)
{
	struct targets *t = &self->targets;
	int n, stopped = 0;
	bool failed = true;
	struct numbers open;

	if (self->reason)
		SKIP(return, "%s", self->reason);

	/* The first call without faults fills caches. */
	undo(t, variant->run(t));
	look(&open);
	for (n = 1; failed && n < MOST_FAULTS; n++) {
		long result = let_fail(&self->faults, n) ? -1 : variant->run(t);
		int err = errno;

		failed = has_failed(&self->faults);
		undo(t, result);
		if (result < 0) {
			stopped++;
			EXPECT_TRUE(err == ENOMEM || err == EFAULT ||
				    (variant->also && err == variant->also));
			EXPECT_TRUE(failed);
		}
		EXPECT_NOTHING_LEFT(&open);

		/* The next call succeeds. */
		result = variant->run(t);
		EXPECT_LE(0, result);
		undo(t, result);
		if (_metadata->exit_code != KSFT_PASS) {
			TH_LOG("fault %d: %s", n, strerror(err));
			break;
		}
	}
	EXPECT_FALSE(failed);
	if (!variant->cannot_fail) {
		EXPECT_GT(stopped, 0);
	}
	EXPECT_TRUE(is_alive(&t->peer));
	EXPECT_TRUE(is_alive(&t->plain));
	TH_LOG("%d faults walked, %d of them stop it", n - 2, stopped);
}

RUST_TEST_MAIN
