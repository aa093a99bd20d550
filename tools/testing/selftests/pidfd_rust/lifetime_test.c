// SPDX-License-Identifier: GPL-2.0
/* The lifetime of the inode of a pidfd, and what the next pidfd may inherit. */
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/inotify.h>

#include "pidfs.h"
#include "rust_harness.h"

#define ROUNDS 500

PEER_FIXTURE(life, CLONE_PIDFD)

TEST_F(life, of_the_inode_ends_with_the_last_close)
{
	__u64 ino = ino_of(self->peer.pidfd);
	struct numbers open;
	int other;

	look(&open);
	other = sys_pidfd_open(self->peer.pid, 0);
	close(self->peer.pidfd);
	if (rust_is_module()) {
		EXPECT_EQ(open.refcnt, settles(rust_refcnt, open.refcnt));
	}
	close(other);
	self->peer.pidfd = -1;
	EXPECT_EQ(open.open - 1, settles(rust_open, open.open - 1));
	if (rust_is_module()) {
		/* The inode's reference to the module. */
		EXPECT_EQ(self->before.refcnt,
			  settles(rust_refcnt, self->before.refcnt));
	}

	self->peer.pidfd = sys_pidfd_open(self->peer.pid, 0);
	EXPECT_EQ(ino, ino_of(self->peer.pidfd));
	EXPECT_EQ(ino, id_of(self->peer.pidfd));
}

/* A thread that opens and closes pidfds of a process, as other threads do. */
struct racer {
	pthread_t thread;
	pid_t pid;
	__u64 ino;
	struct handle handle;
	bool by_handle;
	long wrong;
};

#define RACERS 4
#define RACES 2000

static void *races(void *arg)
{
	struct racer *r = arg;

	for_rounds(i, RACES) {
		int fd = r->by_handle ? open_handle(&r->handle, O_CLOEXEC) :
					sys_pidfd_open(r->pid, 0);

		if (ino_of(fd) != r->ino || id_of(fd) != r->ino ||
		    pidfd_number(fd) != r->pid)
			r->wrong++;
		close(fd);
	}
	return NULL;
}

TEST_F_TIMEOUT(life, survives_racing_opens_and_closes, 120)
{
	__u64 ino = ino_of(self->peer.pidfd);
	struct racer racers[RACERS] = {};
	struct numbers left = self->before;
	struct handle h;

	/* Of the peer, only the socket. */
	left.fds++;
	ASSERT_EQ(0, handle_of(self->peer.pidfd, &h));
	close(self->peer.pidfd);
	self->peer.pidfd = -1;
	for (int i = 0; i < RACERS; i++) {
		racers[i].pid = self->peer.pid;
		racers[i].ino = ino;
		racers[i].handle = h;
		racers[i].by_handle = i & 1;
		ASSERT_EQ(0, pthread_create(&racers[i].thread, NULL, races,
					    &racers[i]));
	}
	for (int i = 0; i < RACERS; i++) {
		pthread_join(racers[i].thread, NULL);
		EXPECT_EQ(0, racers[i].wrong);
	}
	EXPECT_NOTHING_LEFT(&left);
}

static void *opens_until_it_is_gone(void *arg)
{
	struct racer *r = arg;
	int fd;

	while ((fd = sys_pidfd_open(r->pid, 0)) >= 0) {
		if (ino_of(fd) != r->ino)
			r->wrong++;
		close(fd);
	}
	if (errno != ESRCH)
		r->wrong++;
	return NULL;
}

TEST_F(life, survives_opens_that_race_with_the_end)
{
	for_rounds(i, ROUNDS) {
		struct racer r[2] = {};
		struct child c;

		ASSERT_EQ(0, start_child(&c, 0));
		for (int j = 0; j < 2; j++) {
			r[j].pid = c.pid;
			r[j].ino = ino_of(c.pidfd);
			ASSERT_EQ(0, pthread_create(&r[j].thread, NULL,
						    opens_until_it_is_gone, &r[j]));
		}
		tell_child(&c, i & 127);
		ASSERT_EQ(c.pid, waitpid(c.pid, NULL, 0));
		for (int j = 0; j < 2; j++) {
			pthread_join(r[j].thread, NULL);
			ASSERT_EQ(0, r[j].wrong);
		}
		ASSERT_EQ(EXITED(i & 127), exit_code_of(c.pidfd));
		close(c.tell);
		close(c.pidfd);
	}
}

/* An O_PATH file has no file operations of Rust, but holds the inode. */
TEST_F(life, goes_on_while_a_path_is_open)
{
	__u64 ino = ino_of(self->peer.pidfd);
	int path = reopen(self->peer.pidfd, O_PATH), again;
	struct stat st;

	ASSERT_GE(path, 0);
	close(self->peer.pidfd);
	self->peer.pidfd = -1;
	EXPECT_EQ(self->before.open, settles(rust_open, self->before.open));
	if (rust_is_module()) {
		EXPECT_LT(self->before.refcnt, rust_refcnt());
	}
	ASSERT_EQ(0, fstat(path, &st));
	EXPECT_EQ(ino, st.st_ino);
	EXPECT_EQ(ino, id_of(path));
	EXPECT_TRUE(is_pidfd(path));
	EXPECT_EQ(EBADF, ERROR_OF(sys_pidfd_send_signal(path, 0, NULL, 0)));
	EXPECT_EQ(EBADF, ERROR_OF(ioctl(path, PIDFD_GET_UTS_NAMESPACE, 0)));

	EXPECT_RUST_MAKES(1, again = reopen(path, O_RDWR));
	EXPECT_EQ(ino, ino_of(again));
	EXPECT_EQ(self->peer.pid, pidfd_number(again));
	close(again);

	/* The inode also outlives the process. */
	reap_peer(&self->peer, 3);
	EXPECT_EQ(ino, ino_of(path));
	again = reopen(path, O_RDWR);
	EXPECT_EQ(ino, ino_of(again));
	EXPECT_EQ(EXITED(3), exit_code_of(again));
	close(again);
	close(path);
}

TEST_F(life, goes_on_while_it_is_mounted)
{
	char target[] = "/tmp/pidfd_rust.XXXXXX";
	__u64 ino = ino_of(self->peer.pidfd);
	int file = mkostemp(target, O_CLOEXEC), fd;
	const char *wrong;
	struct stat st;

	close(file);
	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	wrong = mount_on(self->peer.pidfd, target);
	ASSERT_EQ(NULL, wrong) {
		TH_LOG("%s: %s", wrong, strerror(errno));
	}
	close(self->peer.pidfd);
	self->peer.pidfd = -1;
	EXPECT_EQ(self->before.open, settles(rust_open, self->before.open));
	if (rust_is_module()) {
		EXPECT_LT(self->before.refcnt, rust_refcnt());
	}
	EXPECT_EQ(0, stat(target, &st));
	EXPECT_EQ(ino, st.st_ino);

	EXPECT_RUST_MAKES(1, fd = open(target, O_RDWR | O_CLOEXEC));
	EXPECT_EQ(ino, ino_of(fd));
	EXPECT_EQ(self->peer.pid, pidfd_number(fd));
	EXPECT_EQ(0, sys_pidfd_send_signal(fd, 0, NULL, 0));
	reap_peer(&self->peer, 4);
	EXPECT_EQ(EXITED(4), exit_code_of(fd));
	close(fd);

	EXPECT_EQ(0, stat(target, &st));
	EXPECT_EQ(0, umount2(target, 0));
	unlink(target);
}

/*
 * The last close may put the dentry and its inode on a free list, for a pidfd of another
 * process. Each round leaves some state on the inode, which the other pidfd must not show.
 */
static int leave_nothing(const struct peer *p)
{
	return 0;
}

static int leave_a_lock(const struct peer *p)
{
	/* The lock ends with its file: a second file could not take it otherwise. */
	return flock(p->pidfd, LOCK_EX);
}

static int leave_a_mark(const struct peer *p)
{
	char path[64];
	int group = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", p->pidfd);
	/* An evictable mark does not hold the inode. */
	if (group < 0 || fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_EVICTABLE,
				       FAN_OPEN | FAN_CLOSE, AT_FDCWD, path))
		return -1;
	return group;
}

/* Reads all events. Each event of fanotify has a descriptor of its own. */
static void forget_events(int group, bool fanotify)
{
	struct fanotify_event_metadata event[64];
	ssize_t n;

	while ((n = read(group, event, sizeof(event))) > 0) {
		if (!fanotify)
			continue;
		for (size_t i = 0; i < n / sizeof(*event); i++)
			close(event[i].fd);
	}
}

static int leave_a_watch(const struct peer *p)
{
	char path[64];
	int group = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", p->pidfd);
	if (group < 0 || inotify_add_watch(group, path, IN_OPEN | IN_CLOSE) < 0)
		return -1;
	return group;
}

static int leave_a_path(const struct peer *p)
{
	return reopen(p->pidfd, O_PATH);
}

static int leave_a_hint(const struct peer *p)
{
	uint64_t hint = RWH_WRITE_LIFE_LONG;

	return fcntl(p->pidfd, F_SET_RW_HINT, &hint);
}

TEST_F(life, leaves_nothing_to_that_of_the_next_process)
{
	static int (*const leave[])(const struct peer *) = {
		leave_nothing, leave_a_lock, leave_a_mark, leave_a_watch, leave_a_path,
		leave_a_hint,
	};
	uint64_t hint = RWH_WRITE_LIFE_EXTREME;
	struct stat then, now;
	struct peer other;
	char byte;

	stay_on_cpu(0);
	ASSERT_EQ(0, start_peer(&other, CLONE_PIDFD));
	close(other.pidfd);
	/* Several rounds: the first dentry may come from an allocator. */
	for (size_t i = 0; i < 3 * ARRAY_SIZE(leave); i++) {
		int group, second, value;

		ASSERT_EQ(0, fstat(self->peer.pidfd, &then));
		EXPECT_EQ(0, fsetxattr(self->peer.pidfd, "trusted.left", "", 0, 0));
		group = leave[i % ARRAY_SIZE(leave)](&self->peer);
		ASSERT_LE(0, group);
		usleep(20000);
		close(self->peer.pidfd);
		if (group)
			forget_events(group, leave[i % ARRAY_SIZE(leave)] == leave_a_mark);

		EXPECT_RUST_MAKES(1, other.pidfd = sys_pidfd_open(other.pid, 0));
		ASSERT_EQ(0, fstat(other.pidfd, &now));
		EXPECT_NE(then.st_ino, now.st_ino);
		EXPECT_EQ(now.st_ino, id_of(other.pidfd));
		EXPECT_EQ(other.pid, pidfd_number(other.pidfd));
		/* Its times are those of its own creation. */
		EXPECT_LT(then.st_ctim.tv_sec * 1000000000LL + then.st_ctim.tv_nsec,
			  now.st_ctim.tv_sec * 1000000000LL + now.st_ctim.tv_nsec);
		EXPECT_EQ(now.st_ctim.tv_nsec, now.st_mtim.tv_nsec);
		EXPECT_EQ(now.st_ctim.tv_nsec, now.st_atim.tv_nsec);
		EXPECT_EQ(then.st_mode, now.st_mode);
		EXPECT_EQ(1, now.st_nlink);
		EXPECT_EQ(ENODATA, ERROR_OF(fgetxattr(other.pidfd, "trusted.left", NULL, 0)));
		EXPECT_EQ(0, fcntl(other.pidfd, F_GET_RW_HINT, &hint));
		EXPECT_EQ(RWH_WRITE_LIFE_NOT_SET, hint);
		second = reopen(other.pidfd, O_RDWR);
		EXPECT_EQ(0, flock(second, LOCK_EX | LOCK_NB));
		close(second);
		if (group) {
			/* A path gives EBADF, a group without an event EAGAIN. */
			value = ERROR_OF(read(group, &byte, 1));
			EXPECT_TRUE(value == EAGAIN || value == EBADF) {
				TH_LOG("round %zu: %s", i, strerrorname_np(value));
			}
			close(group);
		}
		close(other.pidfd);
		self->peer.pidfd = sys_pidfd_open(self->peer.pid, 0);
		EXPECT_EQ(then.st_ino, ino_of(self->peer.pidfd));
	}
	other.pidfd = -1;
	reap_peer(&other, 0);
	end_peer(&other);
}

TEST_F(life, of_a_file_without_data)
{
	char byte;

	EXPECT_EQ(EINVAL, ERROR_OF(read(self->peer.pidfd, &byte, 1)));
	EXPECT_EQ(EINVAL, ERROR_OF(write(self->peer.pidfd, "", 1)));
	EXPECT_EQ(EOPNOTSUPP, ERROR_OF(ftruncate(self->peer.pidfd, 0)));
	EXPECT_EQ(ENODEV, mmap(NULL, 1, PROT_READ, MAP_SHARED, self->peer.pidfd,
			       0) == MAP_FAILED ? errno : 0);
}

RUST_TEST_MAIN
