// SPDX-License-Identifier: GPL-2.0
/*
 * The restrictions on a holder of a pidfd of another process: a user without privileges, a
 * container, a process at a limit. The errors are those of the C implementation.
 */
#include <linux/fs.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "pidfs.h"
#include "rust_harness.h"
#include "slow_page.h"

/* The attempts. Each returns an error number, or 0. */

static struct handle passed;
static pid_t number;

static int opens_its_number(int unused)
{
	return ERROR_OF(sys_pidfd_open(number, 0));
}

static int signals(int fd)
{
	return ERROR_OF(sys_pidfd_send_signal(fd, 0, NULL, 0));
}

static int signals_its_group(int fd)
{
	return ERROR_OF(sys_pidfd_send_signal(fd, 0, NULL, PIDFD_SIGNAL_PROCESS_GROUP));
}

static int takes_a_file(int fd)
{
	return ERROR_OF(sys_pidfd_getfd(fd, STDERR_FILENO, 0));
}

static int joins(int fd)
{
	return ERROR_OF(setns(fd, CLONE_NEWUTS));
}

static int joins_the_user(int fd)
{
	return ERROR_OF(setns(fd, CLONE_NEWUSER));
}

static int opens_a_namespace(int fd)
{
	return ERROR_OF(ioctl(fd, PIDFD_GET_MNT_NAMESPACE, 0));
}

static int opens_the_user_namespace(int fd)
{
	return ERROR_OF(ioctl(fd, PIDFD_GET_USER_NAMESPACE, 0));
}

static int opens_the_pid_namespace(int fd)
{
	return ERROR_OF(ioctl(fd, PIDFD_GET_PID_NAMESPACE, 0));
}

static int asks(int fd)
{
	struct pidfd_info info;

	return ERROR_OF(get_info(fd, PIDFD_INFO_EXIT | PIDFD_INFO_COREDUMP, &info));
}

static int advises_its_memory(int fd)
{
	struct iovec iov = { .iov_base = &passed, .iov_len = 1 };

	return ERROR_OF(syscall(__NR_process_madvise, fd, &iov, 1, MADV_COLD, 0));
}

static int waits(int fd)
{
	return ERROR_OF(sys_waitid(P_PIDFD, fd, NULL, WEXITED | WNOHANG));
}

static int opens_its_handle(int unused)
{
	return ERROR_OF(open_handle(&passed, 0));
}

static int opens_its_handle_at_it(int fd)
{
	return ERROR_OF(open_by_handle_at(fd, &passed.fh, 0));
}

static int attaches(int fd)
{
	return ERROR_OF(fsetxattr(fd, "trusted.b", "1", 1, 0));
}

static int detaches(int fd)
{
	return ERROR_OF(fremovexattr(fd, "trusted.a"));
}

static int reads_what_is_attached(int fd)
{
	return ERROR_OF(fgetxattr(fd, "trusted.a", NULL, 0));
}

static int lists_what_is_attached(int fd)
{
	return flistxattr(fd, NULL, 0);
}

static int changes_the_mode(int fd)
{
	return ERROR_OF(fchmod(fd, 0777));
}

static int opens_it_again(int fd)
{
	return ERROR_OF(reopen(fd, O_RDWR));
}

static int executes_it(int fd)
{
	static char *const none[] = { NULL };

	return ERROR_OF(syscall(__NR_execveat, fd, "", none, none, AT_EMPTY_PATH));
}

static int freezes_the_file_system(int fd)
{
	return ERROR_OF(ioctl(fd, FIFREEZE, 0));
}

static int watches_the_inode(int fd)
{
	int watcher = inotify_init1(IN_CLOEXEC);
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return ERROR_OF(inotify_add_watch(watcher, path, IN_ALL_EVENTS));
}

static int mounts_the_file_system(int unused)
{
	return ERROR_OF(syscall(__NR_fsopen, "pidfs", 0));
}

static int loads_a_module(int fd)
{
	return ERROR_OF(syscall(__NR_finit_module, fd, "", 0));
}

static int unloads_the_module(int unused)
{
	return ERROR_OF(syscall(__NR_delete_module, "rust_pidfd", O_NONBLOCK));
}

static int reads_the_counters(int unused)
{
	return ERROR_OF(open(COUNTERS "created", O_RDONLY));
}

/* The callers, and the errors that they get. */
struct attempt {
	const char *what;
	int (*run)(int fd);
	int user;
	int users_container;
	int roots_container;
};

#define ATTEMPT(what, ...) { #what, what, __VA_ARGS__ }

/*
 * The user that starts a container is root in it. If root outside starts it, the ids are equal to
 * those of the process, which alone must not permit anything.
 */
static const struct attempt attempts[] = {
	ATTEMPT(opens_its_number,		0,		ESRCH,		ESRCH),
	ATTEMPT(signals,			EPERM,		EINVAL,		EINVAL),
	ATTEMPT(signals_its_group,		EPERM,		EINVAL,		EINVAL),
	ATTEMPT(takes_a_file,			EPERM,		EPERM,		EPERM),
	ATTEMPT(joins,				EPERM,		EPERM,		EPERM),
	ATTEMPT(joins_the_user,			EPERM,		EPERM,		EPERM),
	ATTEMPT(opens_a_namespace,		EACCES,		EACCES,		EACCES),
	ATTEMPT(opens_the_user_namespace,	EACCES,		EACCES,		EACCES),
	ATTEMPT(opens_the_pid_namespace,	EACCES,		EACCES,		EACCES),
	ATTEMPT(asks,				0,		EREMOTE,	EREMOTE),
	ATTEMPT(advises_its_memory,		EACCES,		EACCES,		EACCES),
	ATTEMPT(waits,				ECHILD,		ECHILD,		ECHILD),
	ATTEMPT(opens_its_handle,		0,		ESTALE,		ESTALE),
	ATTEMPT(opens_its_handle_at_it,		0,		ESTALE,		ESTALE),
	ATTEMPT(attaches,			EPERM,		EPERM,		EPERM),
	ATTEMPT(detaches,			EPERM,		EPERM,		EPERM),
	ATTEMPT(reads_what_is_attached,		ENODATA,	ENODATA,	ENODATA),
	ATTEMPT(lists_what_is_attached,		0,		0,		0),
	ATTEMPT(changes_the_mode,		EOPNOTSUPP,	EOPNOTSUPP,	EOPNOTSUPP),
	ATTEMPT(executes_it,			EACCES,		EACCES,		EACCES),
	ATTEMPT(freezes_the_file_system,	EPERM,		EPERM,		EPERM),
	ATTEMPT(mounts_the_file_system,		EPERM,		ENODEV,		ENODEV),
	ATTEMPT(loads_a_module,			EPERM,		EPERM,		EPERM),
	ATTEMPT(unloads_the_module,		EPERM,		EPERM,		EPERM),
	/* These depend on ids, and the files belong to root. */
	ATTEMPT(opens_it_again,			EACCES,		EACCES,		0),
	ATTEMPT(watches_the_inode,		EACCES,		EACCES,		0),
	ATTEMPT(reads_the_counters,		EACCES,		EACCES,		0),
};

/* Runs @fn in a new user namespace and pid namespace. */
static int contained(int (*fn)(int), int fd)
{
	pid_t pid;

	if (unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS))
		return 254;
	pid = fork();
	if (pid == 0)
		_exit(fn(fd));
	return pid < 0 ? 253 : wait_for_pid(pid);
}

static int (*to_contain)(int fd);

static int contains_it(int fd)
{
	return contained(to_contain, fd);
}

static int in_users_container(int (*fn)(int), int fd)
{
	to_contain = fn;
	return as_nobody(contains_it, fd);
}

static int in_roots_container(int (*fn)(int), int fd)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(contained(fn, fd));
	return pid < 0 ? -1 : wait_for_pid(pid);
}

FIXTURE(pidfd_of_another)
{
	struct numbers before;
	struct peer peer;
};

FIXTURE_SETUP(pidfd_of_another)
{
	rust_setup(_metadata, &self->before);
	ASSERT_EQ(0, start_peer(&self->peer, CLONE_PIDFD));
	ASSERT_EQ(0, setpgid(self->peer.pid, self->peer.pid));
	number = self->peer.pid;
	ASSERT_EQ(0, handle_of(self->peer.pidfd, &passed));
	ASSERT_EQ(0, fsetxattr(self->peer.pidfd, "trusted.a", "1", 1, 0));
}

FIXTURE_TEARDOWN(pidfd_of_another)
{
	end_peer(&self->peer);
	rust_teardown(_metadata, &self->before);
}

TEST_F(pidfd_of_another, gives_a_user_no_power)
{
	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++) {
		const struct attempt *a = &attempts[i];

		EXPECT_EQ(a->user, as_nobody(a->run, self->peer.pidfd)) {
			TH_LOG("%s", a->what);
		}
	}
	EXPECT_TRUE(is_alive(&self->peer));
	EXPECT_EQ(1, fgetxattr(self->peer.pidfd, "trusted.a", NULL, 0));
}

TEST_F(pidfd_of_another, gives_a_users_container_no_power)
{
	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++) {
		const struct attempt *a = &attempts[i];

		EXPECT_EQ(a->users_container,
			  in_users_container(a->run, self->peer.pidfd)) {
			TH_LOG("%s", a->what);
		}
	}
	EXPECT_TRUE(is_alive(&self->peer));
}

TEST_F(pidfd_of_another, gives_roots_container_no_power)
{
	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++) {
		const struct attempt *a = &attempts[i];

		EXPECT_EQ(a->roots_container,
			  in_roots_container(a->run, self->peer.pidfd)) {
			TH_LOG("%s", a->what);
		}
	}
	EXPECT_TRUE(is_alive(&self->peer));
}

static int sees_the_end(int fd)
{
	return becomes_ready(fd, POLLIN) != POLLIN;
}

static void *lets_it_end(void *arg)
{
	struct peer *peer = arg;

	usleep(100000);
	tell_peer(peer, 0);
	return NULL;
}

/* As in C, any holder of a pidfd can see the exit. */
TEST_F(pidfd_of_another, reports_to_a_container_the_exit_and_not_its_status)
{
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, lets_it_end, &self->peer));
	EXPECT_EQ(0, in_users_container(sees_the_end, self->peer.pidfd));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(EREMOTE, in_users_container(asks, self->peer.pidfd));
	await_peer(&self->peer);
	EXPECT_EQ(EREMOTE, in_users_container(asks, self->peer.pidfd));
	EXPECT_EQ(0, as_nobody(asks, self->peer.pidfd));
}

/* An O_PATH file of a pidfd is no pidfd. */
TEST_F(pidfd_of_another, is_needed_and_not_a_path_to_it)
{
	static int (*const all[])(int) = {
		signals, takes_a_file, joins, opens_a_namespace, asks,
		advises_its_memory, waits,
	};
	int path = reopen(self->peer.pidfd, O_PATH);

	ASSERT_GE(path, 0);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		EXPECT_EQ(EBADF, all[i](path)) {
			TH_LOG("attempt %zu", i);
		}
	}
	EXPECT_EQ(POLLNVAL, ready(path));
	close(path);
}

/* Limits. */

static int error_of_clone(void)
{
	int pidfd;
	pid_t pid = sys_clone(CLONE_PIDFD | SIGCHLD, &pidfd);

	if (pid == 0)
		_exit(0);
	return pid < 0 ? errno : 0;
}

TEST_F(pidfd_of_another, is_not_had_beyond_the_limit_of_descriptors)
{
	struct numbers before, after;
	struct rlimit old, none;
	int errors[6];

	look(&before);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &old));
	none = old;
	none.rlim_cur = lowest_free_fd();
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	errors[0] = ERROR_OF(sys_pidfd_open(self->peer.pid, 0));
	errors[1] = ERROR_OF(peer_pidfd(self->peer.sock));
	errors[2] = ERROR_OF(open_handle(&passed, 0));
	errors[3] = opens_a_namespace(self->peer.pidfd);
	errors[4] = takes_a_file(self->peer.pidfd);
	errors[5] = error_of_clone();
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &old));

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		EXPECT_EQ(EMFILE, errors[i]) {
			TH_LOG("way %zu", i);
		}
	}
	look(&after);
	EXPECT_EQ(before.created, after.created);
	EXPECT_EQ(before.open, after.open);
	EXPECT_EQ(before.fds, after.fds);
}

static int opens_itself(int unused)
{
	return ERROR_OF(sys_pidfd_open(getpid(), 0));
}

#define FILE_MAX "/proc/sys/fs/file-max"

TEST_F(pidfd_of_another, is_not_had_beyond_the_limit_of_files)
{
	char old[32];
	int error;

	EXPECT_EQ(0, as_nobody(opens_itself, 0));
	ASSERT_GT(read_file(FILE_MAX, old, sizeof(old)), 0);
	ASSERT_EQ(0, write_file(FILE_MAX, "0"));
	error = as_nobody(opens_itself, 0);
	ASSERT_EQ(0, write_file(FILE_MAX, old));
	EXPECT_EQ(ENFILE, error);
}

/* Caches whose objects are charged have an A in the name under which they merge. */
static bool is_charged(const char *cache)
{
	char path[64], link[64], *end;
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/kernel/slab/%s", cache);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0)
		return false;
	link[n] = '\0';
	end = strchr(link, '-');
	return end && memchr(link, 'A', end - link);
}

TEST_F(pidfd_of_another, is_charged_to_the_caller_that_makes_it)
{
	if (!is_charged("pidfs_attr_cache"))
		SKIP(return, "no memory cgroups, or caches are not merged");
	EXPECT_TRUE(is_charged("pidfd_record"));
}

/* References that hold the module, besides open pidfds. */

RUST_FIXTURE(module)

TEST_F(module, stays_while_an_inode_is_watched)
{
	long refcnt = rust_refcnt();
	struct child c;
	__u64 ino;
	int watcher = inotify_init1(IN_CLOEXEC);
	char path[64];

	if (!rust_is_module())
		SKIP(return, "rust_pidfd is built in");

	ASSERT_EQ(0, start_child(&c, 0));
	ino = ino_of(c.pidfd);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", c.pidfd);
	EXPECT_GE(inotify_add_watch(watcher, path, IN_ALL_EVENTS), 0);
	close(c.pidfd);
	EXPECT_EQ(self->before.open, settles(rust_open, self->before.open));
	EXPECT_EQ(refcnt + 1, settles(rust_refcnt, refcnt + 1));

	/* The next pidfd has another inode, with the same number. */
	c.pidfd = sys_pidfd_open(c.pid, 0);
	EXPECT_EQ(refcnt + 2, settles(rust_refcnt, refcnt + 2));
	EXPECT_EQ(ino, ino_of(c.pidfd));
	end_child(&c);
	EXPECT_EQ(refcnt + 1, settles(rust_refcnt, refcnt + 1));
	close(watcher);
	EXPECT_EQ(refcnt, settles(rust_refcnt, refcnt));
}

static void *clones_slowly(void *arg)
{
	struct slow_pages *s = arg;
	pid_t pid = sys_clone(CLONE_PIDFD | SIGCHLD, (int *)s->slow);

	if (pid == 0)
		_exit(0);
	return (void *)(long)pid;
}

/* A reader that blocks on user memory has made a file before, which holds the module. */
TEST_F(module, stays_for_a_clone_that_is_held_up)
{
	struct slow_pages slow;
	const char *reason = make_slow_pages(&slow, 1);
	long refcnt = rust_refcnt();
	pthread_t thread;
	void *pid;

	if (reason)
		SKIP(return, "%s", reason);
	if (!rust_is_module())
		SKIP(return, "rust_pidfd is built in");

	ASSERT_EQ(0, pthread_create(&thread, NULL, clones_slowly, &slow));
	ASSERT_TRUE(page_is_wanted(&slow));
	EXPECT_EQ(refcnt + 1, rust_refcnt());
	EXPECT_EQ(self->before.open + 1, rust_open());
	ASSERT_EQ(0, give_page(&slow, 0, NULL));
	ASSERT_EQ(0, pthread_join(thread, &pid));
	ASSERT_GT((long)pid, 0);
	EXPECT_EQ(0, wait_for_pid((long)pid));
	close(*(int *)slow.slow);
	free_slow_pages(&slow);
}

static void *opens_slowly(void *arg)
{
	return (void *)(long)ERROR_OF(open_by_handle_at(FD_PIDFS_ROOT, arg, 0));
}

TEST_F(module, stays_for_a_handle_that_is_held_up)
{
	struct slow_pages slow;
	const char *reason = make_slow_pages(&slow, 1);
	long refcnt = rust_refcnt();
	struct file_handle *fh;
	struct handle own;
	pthread_t thread;
	void *error;
	int fd;

	if (reason)
		SKIP(return, "%s", reason);
	if (!rust_is_module())
		SKIP(return, "rust_pidfd is built in");

	fd = sys_pidfd_open(getpid(), 0);
	ASSERT_EQ(0, handle_of(fd, &own));
	close(fd);
	ASSERT_EQ(refcnt, settles(rust_refcnt, refcnt));

	/* The type is in front of the number, which is in the slow page. */
	fh = (struct file_handle *)(slow.slow - sizeof(*fh));
	memcpy(fh, &own.fh, sizeof(*fh));
	ASSERT_EQ(0, pthread_create(&thread, NULL, opens_slowly, fh));
	ASSERT_TRUE(page_is_wanted(&slow));
	EXPECT_EQ(refcnt + 1, rust_refcnt());
	ASSERT_EQ(0, give_page(&slow, 0, NULL));
	ASSERT_EQ(0, pthread_join(thread, &error));
	EXPECT_EQ(ESTALE, (long)error);
	EXPECT_EQ(refcnt, settles(rust_refcnt, refcnt));
	free_slow_pages(&slow);
}

RUST_TEST_MAIN
