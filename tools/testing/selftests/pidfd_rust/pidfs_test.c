// SPDX-License-Identifier: GPL-2.0
/*
 * The file system of pidfds: numbers, handles, extended attributes, exit records,
 * namespaces.
 */
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>

#include "pidfs.h"

#define STACK 65536
#define ROUNDS 500
#define INFO_SIZE 88

/* A suite whose tests use one process and its pidfd. */
#define PEER_FIXTURE(name, clone_flags)					\
	FIXTURE(name)							\
	{								\
		struct numbers before;					\
		struct peer peer;					\
	};								\
	FIXTURE_SETUP(name)						\
	{								\
		rust_setup(_metadata, &self->before);			\
		ASSERT_EQ(0, start_peer(&self->peer, clone_flags));	\
	}								\
	FIXTURE_TEARDOWN(name)						\
	{								\
		end_peer(&self->peer);					\
		rust_teardown(_metadata, &self->before);		\
	}

/* Every way to a pidfd of a process. */

static int by_birth(struct peer *peer)
{
	int fd = peer->pidfd;

	peer->pidfd = -1;
	return fd;
}

static int by_open(struct peer *peer)
{
	return sys_pidfd_open(peer->pid, 0);
}

static int by_thread_open(struct peer *peer)
{
	return sys_pidfd_open(peer->pid, PIDFD_THREAD);
}

static int by_socket(struct peer *peer)
{
	return peer_pidfd(peer->sock);
}

static int by_message(struct peer *peer)
{
	return sent_pidfd(peer);
}

static int by_handle(struct peer *peer)
{
	struct handle h;

	return handle_of(peer->pidfd, &h) ? -1 : open_handle(&h, O_CLOEXEC);
}

static int by_handle_at_pidfd(struct peer *peer)
{
	struct handle h;

	if (handle_of(peer->pidfd, &h))
		return -1;
	return open_by_handle_at(peer->pidfd, &h.fh, O_CLOEXEC);
}

static int by_reopening(struct peer *peer)
{
	return reopen(peer->pidfd, O_RDWR);
}

/* The peer opens itself, in its own pid namespace. */
static long opens_itself(long flags)
{
	return sys_pidfd_open(getpid(), flags);
}

static int by_itself(struct peer *peer)
{
	return sys_pidfd_getfd(peer->pidfd, peer_does(peer, opens_itself, 0), 0);
}

static int by_rights(struct peer *peer)
{
	int sockets[2], fd = -1;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		return -1;

	/* Another process sends a pidfd of the peer. */
	if (fork() == 0) {
		fd = sys_pidfd_open(peer->pid, 0);
		_exit(send_fd(sockets[1], fd) ? 1 : 0);
	}
	close(sockets[1]);
	fd = receive_fd(sockets[0], SCM_RIGHTS);
	wait(NULL);
	close(sockets[0]);
	return fd;
}

/* Opens a file of the tester's. */
static long opens_in_parent(long fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%ld", getppid(), fd);
	return close(open(path, O_RDONLY | O_CLOEXEC));
}

static int by_fanotify(struct peer *peer)
{
	char file[] = "/tmp/pidfd_rust.XXXXXX";
	char buf[4096] __attribute__((aligned(8)));
	struct fanotify_event_metadata *event = (void *)buf;
	struct fanotify_event_info_header *info;
	int group, watched, fd = -1;

	group = syscall(__NR_fanotify_init, FAN_CLASS_NOTIF | FAN_CLOEXEC |
			FAN_REPORT_PIDFD, O_RDONLY | O_CLOEXEC);
	watched = mkostemp(file, O_CLOEXEC);
	if (group < 0 || watched < 0 ||
	    fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, file) ||
	    peer_does(peer, opens_in_parent, watched) ||
	    read(group, buf, sizeof(buf)) < (ssize_t)sizeof(*event))
		goto out;

	close(event->fd);
	info = (void *)(buf + event->metadata_len);
	if (event->event_len > event->metadata_len &&
	    info->info_type == FAN_EVENT_INFO_TYPE_PIDFD)
		memcpy(&fd, info + 1, sizeof(fd));
out:
	unlink(file);
	close(watched);
	close(group);
	return fd;
}

FIXTURE(made_by)
{
	struct numbers before;
	struct peer peer;
	int fd;
};

FIXTURE_VARIANT(made_by)
{
	int (*make)(struct peer *peer);
	__u64 flags;
	bool old;
};

FIXTURE_VARIANT_ADD(made_by, clone)
{
	.make = by_birth,
	.old = true,
};

FIXTURE_VARIANT_ADD(made_by, clone3)
{
	.make = by_birth,
};

FIXTURE_VARIANT_ADD(made_by, clone3_autoreap)
{
	.make = by_birth,
	.flags = CLONE_AUTOREAP,
};

FIXTURE_VARIANT_ADD(made_by, clone3_autokill)
{
	.make = by_birth,
	.flags = CLONE_AUTOREAP | CLONE_PIDFD_AUTOKILL,
};

FIXTURE_VARIANT_ADD(made_by, pidfd_open)
{
	.make = by_open,
};

FIXTURE_VARIANT_ADD(made_by, pidfd_open_of_main_thread)
{
	.make = by_thread_open,
};

FIXTURE_VARIANT_ADD(made_by, peer_of_a_socket)
{
	.make = by_socket,
};

FIXTURE_VARIANT_ADD(made_by, sender_of_a_message)
{
	.make = by_message,
};

FIXTURE_VARIANT_ADD(made_by, fanotify)
{
	.make = by_fanotify,
};

FIXTURE_VARIANT_ADD(made_by, handle)
{
	.make = by_handle,
};

FIXTURE_VARIANT_ADD(made_by, handle_at_a_pidfd)
{
	.make = by_handle_at_pidfd,
};

FIXTURE_VARIANT_ADD(made_by, reopening)
{
	.make = by_reopening,
};

FIXTURE_VARIANT_ADD(made_by, rights)
{
	.make = by_rights,
};

FIXTURE_VARIANT_ADD(made_by, itself)
{
	.make = by_itself,
};

FIXTURE_VARIANT_ADD(made_by, itself_in_a_pid_namespace)
{
	.make = by_itself,
	.flags = CLONE_NEWPID,
};

FIXTURE_VARIANT_ADD(made_by, itself_in_a_user_namespace)
{
	.make = by_itself,
	.flags = CLONE_NEWUSER,
};

FIXTURE_SETUP(made_by)
{
	bool born = variant->make == by_birth;

	rust_setup(_metadata, &self->before);
	ASSERT_EQ(0, start_peer_as(&self->peer, CLONE_PIDFD | variant->flags,
				   variant->old, 0));
	self->fd = -1;
	EXPECT_RUST_MAKES(born ? 0 : 1, self->fd = variant->make(&self->peer));
	ASSERT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN(made_by)
{
	end_peer(&self->peer);
	close(self->fd);
	rust_teardown(_metadata, &self->before);
}

/* systemd compares inode numbers to find out whether two pidfds refer to one process. */
TEST_F(made_by, has_the_one_number_as_inode_and_in_the_handle)
{
	int other = sys_pidfd_open(self->peer.pid, 0);
	struct statfs fs;

	ASSERT_EQ(0, fstatfs(self->fd, &fs));
	EXPECT_EQ(PID_FS_MAGIC, fs.f_type);
	EXPECT_NE(0, ino_of(self->fd));
	EXPECT_EQ(ino_of(other), ino_of(self->fd));
	EXPECT_EQ(ino_of(other), id_of(self->fd));
	EXPECT_EQ(ino_of(other), id_of(other));
	close(other);
}

TEST_F(made_by, is_on_the_one_device)
{
	int own = sys_pidfd_open(getpid(), 0);

	EXPECT_NE(0, dev_of(own));
	EXPECT_EQ(dev_of(own), dev_of(self->fd));
	EXPECT_EQ(0, major(dev_of(own)));
	close(own);
}

TEST_F(made_by, has_a_mode_without_file_type)
{
	struct stat st;

	ASSERT_EQ(0, fstat(self->fd, &st));
	EXPECT_EQ(0700, st.st_mode);
	EXPECT_EQ(0, st.st_uid);
	EXPECT_EQ(0, st.st_gid);
	EXPECT_EQ(0, st.st_size);
	EXPECT_EQ(1, st.st_nlink);
}

TEST_F(made_by, is_named_anon_inode_pidfd)
{
	EXPECT_TRUE(is_pidfd(self->fd));
}

TEST_F(made_by, refers_to_the_process)
{
	struct pidfd_info info;

	EXPECT_EQ(self->peer.pid, pidfd_number(self->fd));
	EXPECT_EQ(0, get_info(self->fd, 0, &info));
	EXPECT_EQ(self->peer.pid, info.pid);
	EXPECT_EQ(0, ready(self->fd));
	EXPECT_EQ(0, sys_pidfd_send_signal(self->fd, 0, NULL, 0));
}

TEST_F(made_by, refuses_to_change_mode_owner_and_times)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd);
	EXPECT_EQ(EOPNOTSUPP, ERROR_OF(fchmod(self->fd, 0777)));
	EXPECT_EQ(EOPNOTSUPP, ERROR_OF(chmod(path, 0777)));
	EXPECT_EQ(EOPNOTSUPP, ERROR_OF(fchown(self->fd, 1, 1)));
	EXPECT_EQ(EOPNOTSUPP, ERROR_OF(chown(path, 1, 1)));
	EXPECT_EQ(EOPNOTSUPP, ERROR_OF(futimens(self->fd, NULL)));
}

/* Each pidfd that was open at the exit reports it. */
TEST_F(made_by, reports_the_exit_status)
{
	reap_peer(&self->peer, 7);
	EXPECT_EQ(EXITED(7), exit_code_of(self->fd));
	EXPECT_EQ(POLLIN | POLLHUP, ready(self->fd));
	EXPECT_NE(0, ino_of(self->fd));
}

/* Numbers. */

PEER_FIXTURE(number, CLONE_PIDFD)

static long finds_its_number(long unused)
{
	int fd = sys_pidfd_open(getpid(), 0);
	long ino = ino_of(fd);

	close(fd);
	return ino;
}

TEST_F(number, is_the_same_for_the_process_itself)
{
	EXPECT_EQ(ino_of(self->peer.pidfd),
		  peer_does(&self->peer, finds_its_number, 0));
}

TEST_F(number, is_the_same_when_the_process_executes_another_program)
{
	int out[2], pidfd = -1;
	__u64 ino;
	pid_t pid;
	char byte;

	ASSERT_EQ(0, pipe2(out, O_CLOEXEC));
	pid = create_child(&pidfd, 0);
	if (pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		execl("/bin/sh", "sh", "-c", "echo; kill -STOP $$", NULL);
		_exit(1);
	}
	ino = ino_of(pidfd);
	close(out[1]);
	EXPECT_EQ(1, read_nointr(out[0], &byte, 1));
	EXPECT_EQ(ino, ino_of(pidfd));
	EXPECT_EQ(0, sys_pidfd_send_signal(pidfd, SIGKILL, NULL, 0));
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_EQ(ino, ino_of(pidfd));
	close(pidfd);
	close(out[0]);
}

#define MANY 100

TEST_F(number, is_never_that_of_another_process)
{
	__u64 seen[MANY];
	int fds[MANY];

	/* Every other pidfd is closed before the next process starts. */
	for (int i = 0; i < MANY; i++) {
		pid_t pid = create_child(&fds[i], 0);

		if (pid == 0)
			_exit(0);
		ASSERT_GT(pid, 0);
		ASSERT_EQ(pid, waitpid(pid, NULL, 0));
		seen[i] = ino_of(fds[i]);
		EXPECT_NE(0, seen[i]);
		for (int j = 0; j < i; j++)
			EXPECT_NE(seen[j], seen[i]);
		if (i & 1)
			close(fds[i]);
	}
	for (int i = 0; i < MANY; i += 2)
		close(fds[i]);
}

TEST_F(number, is_another_for_the_next_process_with_the_pid)
{
	pid_t pid = self->peer.pid;
	struct peer next;
	__u64 ino = ino_of(self->peer.pidfd);

	reap_peer(&self->peer, 0);
	ASSERT_EQ(0, start_peer_as(&next, CLONE_PIDFD, false, pid));
	EXPECT_EQ(pid, next.pid);
	EXPECT_NE(ino, ino_of(next.pidfd));
	EXPECT_EQ(ino, ino_of(self->peer.pidfd));
	EXPECT_EQ(-1, pidfd_number(self->peer.pidfd));
	EXPECT_EQ(pid, pidfd_number(next.pidfd));
	end_peer(&next);
}

static int thread_pipe[2];

/* Shares the thread-local storage of its creator, so it must not write errno. */
static int thread_awaits_a_byte(void *result)
{
	char byte;

	syscall(__NR_read, thread_pipe[0], &byte, 1);
	return (long)result;
}

TEST_F(number, of_a_thread_is_its_own)
{
	char *stack = new_stack(STACK);
	int born = -1, opened, process;
	pid_t tid;

	ASSERT_NE(NULL, stack);
	ASSERT_EQ(0, pipe2(thread_pipe, O_CLOEXEC));
	tid = clone(thread_awaits_a_byte, stack + STACK, THREAD | CLONE_PIDFD,
		    NULL, &born);
	ASSERT_GT(tid, 0);
	EXPECT_RUST_MAKES(1, opened = sys_pidfd_open(tid, PIDFD_THREAD));
	process = sys_pidfd_open(getpid(), 0);
	EXPECT_EQ(ino_of(born), ino_of(opened));
	EXPECT_EQ(ino_of(born), id_of(opened));
	EXPECT_NE(ino_of(process), ino_of(opened));
	EXPECT_EQ(dev_of(process), dev_of(opened));
	EXPECT_EQ(1, write_nointr(thread_pipe[1], "", 1));
	EXPECT_TRUE(is_reaped(opened));
	close(thread_pipe[0]);
	close(thread_pipe[1]);
	close(process);
	close(opened);
	close(born);
	munmap(stack, STACK);
}

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

/* Handles. */

PEER_FIXTURE(handle, CLONE_PIDFD)

TEST_F(handle, leads_back_after_all_pidfds_are_closed)
{
	__u64 ino = ino_of(self->peer.pidfd);
	struct handle h;
	int own, fd;

	ASSERT_EQ(0, handle_of(self->peer.pidfd, &h));
	EXPECT_EQ(sizeof(__u64), h.fh.handle_bytes);
	EXPECT_EQ(ino, id_in(&h));
	close(self->peer.pidfd);

	EXPECT_RUST_MAKES(1, fd = open_handle(&h, O_CLOEXEC));
	EXPECT_EQ(ino, ino_of(fd));
	EXPECT_EQ(self->peer.pid, pidfd_number(fd));
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	close(fd);

	/* Any pidfd names the file system. */
	own = sys_pidfd_open(getpid(), 0);
	EXPECT_RUST_MAKES(1, fd = open_by_handle_at(own, &h.fh, O_CLOEXEC));
	EXPECT_EQ(ino, ino_of(fd));
	EXPECT_EQ(self->peer.pid, pidfd_number(fd));
	close(own);
	self->peer.pidfd = fd;
}

TEST_F(handle, is_the_same_as_an_identifier_of_the_file)
{
	struct handle h, fid = {};
	int mount;

	fid.fh.handle_bytes = MAX_HANDLE_SZ;
	ASSERT_EQ(0, handle_of(self->peer.pidfd, &h));
	ASSERT_EQ(0, name_to_handle_at(self->peer.pidfd, "", &fid.fh, &mount,
				       AT_EMPTY_PATH | AT_HANDLE_FID));
	EXPECT_EQ(h.fh.handle_type, fid.fh.handle_type);
	EXPECT_EQ(id_in(&h), id_in(&fid));
}

TEST_F(handle, reports_the_size_it_needs)
{
	struct handle h;
	int mount;

	for (unsigned int room = 0; room < sizeof(__u64); room++) {
		memset(&h, 0, sizeof(h));
		h.fh.handle_bytes = room;
		EXPECT_EQ(EOVERFLOW,
			  ERROR_OF(name_to_handle_at(self->peer.pidfd, "", &h.fh,
						     &mount, AT_EMPTY_PATH)));
		EXPECT_EQ(sizeof(__u64), h.fh.handle_bytes);
	}
	h.fh.handle_bytes = sizeof(__u64);
	EXPECT_EQ(0, name_to_handle_at(self->peer.pidfd, "", &h.fh, &mount,
				       AT_EMPTY_PATH));
}

TEST_F(handle, keeps_the_flags_that_a_pidfd_has)
{
	static const struct {
		int asked;
		int given;
	} flags[] = {
		{ O_RDONLY,		O_RDWR },
		{ O_WRONLY,		O_RDWR | O_WRONLY },
		{ O_RDWR,		O_RDWR },
		{ O_CLOEXEC,		O_RDWR | O_CLOEXEC },
		{ PIDFD_THREAD,		O_RDWR | PIDFD_THREAD },
		{ PIDFD_NONBLOCK,	O_RDWR | PIDFD_NONBLOCK },
	};
	struct handle h;

	ASSERT_EQ(0, handle_of(self->peer.pidfd, &h));
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		int fd = open_handle(&h, flags[i].asked);

		EXPECT_GE(fd, 0);
		EXPECT_EQ(flags[i].given, fcntl(fd, F_GETFL)) {
			TH_LOG("asked for %o", flags[i].asked);
		}
		EXPECT_EQ(flags[i].asked & O_CLOEXEC ? FD_CLOEXEC : 0,
			  fcntl(fd, F_GETFD));
		close(fd);
	}
}

TEST_F(handle, opened_for_the_thread_signals_the_thread)
{
	struct handle h;
	int fd;

	ASSERT_EQ(0, handle_of(self->peer.pidfd, &h));
	fd = open_handle(&h, PIDFD_THREAD);
	EXPECT_EQ(0, sys_pidfd_send_signal(fd, SIGKILL, NULL, 0));
	EXPECT_EQ(POLLIN, becomes_ready(fd, POLLIN));
	await_peer(&self->peer);
	EXPECT_EQ(SIGKILL, exit_code_of(fd));
	close(fd);
}

TEST_F(handle, refuses_all_other_flags)
{
	static const int flags[] = {
		O_CREAT, O_TRUNC, O_APPEND, O_DIRECTORY, O_NOFOLLOW, O_PATH,
		O_TMPFILE, O_DIRECT, O_NOATIME, O_SYNC, O_DSYNC, O_ASYNC,
		O_NOCTTY, O_CREAT | O_EXCL, O_TRUNC | PIDFD_THREAD,
	};
	struct handle h;

	ASSERT_EQ(0, handle_of(self->peer.pidfd, &h));
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		EXPECT_EQ(EINVAL, ERROR_OF(open_handle(&h, flags[i]))) {
			TH_LOG("asked for %o", flags[i]);
		}
		EXPECT_EQ(EINVAL, ERROR_OF(open_by_handle_at(self->peer.pidfd, &h.fh,
							     flags[i])));
	}
	EXPECT_TRUE(is_alive(&self->peer));
}

TEST_F(handle, opens_a_zombie_but_is_stale_when_it_is_reaped)
{
	struct handle h;
	int fd;

	ASSERT_EQ(0, handle_of(self->peer.pidfd, &h));
	tell_peer(&self->peer, 0);
	ASSERT_EQ(0, await_zombie(self->peer.pid));
	fd = open_handle(&h, 0);
	EXPECT_GE(fd, 0);
	EXPECT_EQ(POLLIN, ready(fd));
	close(fd);

	/* Although pidfds are open. */
	await_peer(&self->peer);
	EXPECT_EQ(ESTALE, ERROR_OF(open_handle(&h, 0)));
	EXPECT_EQ(ESTALE, ERROR_OF(open_by_handle_at(self->peer.pidfd, &h.fh, 0)));
	EXPECT_EQ(id_in(&h), id_of(self->peer.pidfd));
}

TEST_F(handle, is_stale_for_the_next_process_with_the_pid)
{
	pid_t pid = self->peer.pid;
	struct peer next;
	struct handle h;

	ASSERT_EQ(0, handle_of(self->peer.pidfd, &h));
	reap_peer(&self->peer, 0);
	ASSERT_EQ(0, start_peer_as(&next, CLONE_PIDFD, false, pid));
	EXPECT_EQ(ESTALE, ERROR_OF(open_handle(&h, 0)));
	end_peer(&next);
}

static struct handle passed;

static int error_of_opening(int unused)
{
	return ERROR_OF(open_handle(&passed, 0));
}

static long opens_handle(long unused)
{
	return ERROR_OF(open_handle(&passed, 0));
}

TEST_F(handle, is_stale_in_a_pid_namespace_without_the_process)
{
	struct peer inside;
	int fd;

	ASSERT_EQ(0, handle_of(self->peer.pidfd, &passed));
	ASSERT_EQ(0, start_peer(&inside, CLONE_PIDFD | CLONE_NEWPID));
	EXPECT_EQ(ESTALE, peer_does(&inside, opens_handle, 0));

	/* The outer namespace sees the process in the inner one. */
	ASSERT_EQ(0, handle_of(inside.pidfd, &passed));
	fd = open_handle(&passed, 0);
	EXPECT_EQ(inside.pid, pidfd_number(fd));
	close(fd);
	end_peer(&inside);
}

TEST_F(handle, opens_for_any_user_that_sees_the_process)
{
	ASSERT_EQ(0, handle_of(self->peer.pidfd, &passed));
	EXPECT_EQ(0, as_nobody(error_of_opening, 0));
}

/*
 * Each CPU assigns numbers in sequence. The number of a process that was created between two
 * others is therefore known without a pidfd of it.
 */
TEST_F(handle, is_stale_for_a_process_without_a_registration)
{
	struct handle h;
	int pipe[2];

	ASSERT_EQ(0, handle_of(self->peer.pidfd, &h));
	ASSERT_EQ(0, pipe2(pipe, O_CLOEXEC));
	stay_on_cpu(0);
	for (int i = 0; i < 1000; i++) {
		int before = -1, after = -1, fd;
		pid_t pids[3];
		bool between;

		pids[0] = create_child(&before, 0);
		if (pids[0] == 0)
			await_status(pipe);
		pids[1] = fork();
		if (pids[1] == 0)
			await_status(pipe);
		pids[2] = create_child(&after, 0);
		if (pids[2] == 0)
			await_status(pipe);

		between = ino_of(after) == ino_of(before) + 2;
		if (between) {
			put_id(&h, ino_of(before) + 1);
			EXPECT_EQ(ESTALE, ERROR_OF(open_handle(&h, 0)));
			fd = sys_pidfd_open(pids[1], 0);
			EXPECT_EQ(ino_of(before) + 1, ino_of(fd));
			close(fd);
			fd = open_handle(&h, 0);
			EXPECT_EQ(pids[1], pidfd_number(fd));
			close(fd);
		}
		close(before);
		close(after);
		for (int j = 0; j < 3; j++) {
			kill(pids[j], SIGKILL);
			waitpid(pids[j], NULL, 0);
		}
		if (between) {
			close(pipe[0]);
			close(pipe[1]);
			return;
		}
	}
	ASSERT_TRUE(false) {
		TH_LOG("the numbers were never in sequence");
	}
}

TEST_F(handle, made_up_is_stale)
{
	struct handle h, wrong;

	ASSERT_EQ(0, handle_of(self->peer.pidfd, &h));
	wrong = h;
	put_id(&wrong, 0);
	EXPECT_EQ(ESTALE, ERROR_OF(open_handle(&wrong, 0)));
	put_id(&wrong, ~0ULL);
	EXPECT_EQ(ESTALE, ERROR_OF(open_handle(&wrong, 0)));
	wrong = h;
	wrong.fh.handle_type = 1;
	EXPECT_EQ(ESTALE, ERROR_OF(open_handle(&wrong, 0)));
	wrong = h;
	wrong.fh.handle_bytes = 4;
	EXPECT_EQ(ESTALE, ERROR_OF(open_handle(&wrong, 0)));
	wrong.fh.handle_bytes = 0;
	EXPECT_EQ(EINVAL, ERROR_OF(open_handle(&wrong, 0)));
	EXPECT_EQ(EBADF, ERROR_OF(open_by_handle_at(-1, &h.fh, 0)));
}

/* Extended attributes. */

PEER_FIXTURE(xattr, CLONE_PIDFD)

/* Returns the value as a string, or the name of an error. */
static const char *value_of(int fd, const char *name)
{
	static char buf[64];
	ssize_t n = fgetxattr(fd, name, buf, sizeof(buf) - 1);

	if (n < 0)
		return strerrorname_np(errno);
	buf[n] = '\0';
	return buf;
}

static int set_value(int fd, const char *name, const char *value, int flags)
{
	return ERROR_OF(fsetxattr(fd, name, value, strlen(value), flags));
}

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

/* PIDFD_GET_INFO of a process that has not been reaped. */

PEER_FIXTURE(info, CLONE_PIDFD)

static long takes_ids(long unused)
{
	return syscall(__NR_setresgid, 11, 12, 13) ||
	       syscall(__NR_setfsgid, 14) != 12 ||
	       syscall(__NR_setresuid, 1, 2, 3) ||
	       syscall(__NR_setfsuid, 3) != 2;
}

TEST_F(info, has_the_ids_of_the_process)
{
	struct pidfd_info info;

	ASSERT_EQ(0, peer_does(&self->peer, takes_ids, 0));
	ASSERT_EQ(0, get_info(self->peer.pidfd, 0, &info));
	EXPECT_EQ(PIDFD_INFO_PID | PIDFD_INFO_CREDS | PIDFD_INFO_CGROUPID,
		  info.mask);
	EXPECT_EQ(self->peer.pid, info.pid);
	EXPECT_EQ(self->peer.pid, info.tgid);
	EXPECT_EQ(getpid(), info.ppid);
	EXPECT_EQ(1, info.ruid);
	EXPECT_EQ(2, info.euid);
	EXPECT_EQ(3, info.suid);
	EXPECT_EQ(3, info.fsuid);
	EXPECT_EQ(11, info.rgid);
	EXPECT_EQ(12, info.egid);
	EXPECT_EQ(13, info.sgid);
	EXPECT_EQ(14, info.fsgid);
	EXPECT_EQ(0, info.exit_code);
	EXPECT_EQ(0, info.supported_mask);
}

TEST_F(info, is_that_of_the_caller_for_its_own_pidfd)
{
	struct pidfd_info info;
	int own = sys_pidfd_open(getpid(), 0);

	ASSERT_EQ(0, get_info(own, 0, &info));
	EXPECT_EQ(getpid(), info.pid);
	EXPECT_EQ(getppid(), info.ppid);
	EXPECT_EQ(getuid(), info.ruid);
	close(own);
}

TEST_F(info, of_a_thread_has_its_id_and_that_of_the_process)
{
	char *stack = new_stack(STACK);
	struct pidfd_info info;
	int pidfd = -1;
	pid_t tid;

	ASSERT_NE(NULL, stack);
	ASSERT_EQ(0, pipe2(thread_pipe, O_CLOEXEC));
	tid = clone(thread_awaits_a_byte, stack + STACK, THREAD | CLONE_PIDFD,
		    NULL, &pidfd);
	ASSERT_GT(tid, 0);
	EXPECT_EQ(0, get_info(pidfd, 0, &info));
	EXPECT_EQ(tid, info.pid);
	EXPECT_EQ(getpid(), info.tgid);
	EXPECT_EQ(1, write_nointr(thread_pipe[1], "", 1));
	EXPECT_TRUE(is_reaped(pidfd));
	close(thread_pipe[0]);
	close(thread_pipe[1]);
	close(pidfd);
	munmap(stack, STACK);
}

TEST_F(info, reports_the_supported_mask)
{
	__u64 all = PIDFD_INFO_PID | PIDFD_INFO_CREDS | PIDFD_INFO_CGROUPID |
		    PIDFD_INFO_EXIT | PIDFD_INFO_COREDUMP |
		    PIDFD_INFO_SUPPORTED_MASK | PIDFD_INFO_COREDUMP_SIGNAL |
		    PIDFD_INFO_COREDUMP_CODE;
	struct pidfd_info info;

	ASSERT_EQ(0, get_info(self->peer.pidfd, PIDFD_INFO_SUPPORTED_MASK, &info));
	EXPECT_EQ(PIDFD_INFO_SUPPORTED_MASK, info.mask & PIDFD_INFO_SUPPORTED_MASK);
	EXPECT_EQ(all, info.supported_mask);

	/* Unknown bits are ignored. */
	ASSERT_EQ(0, get_info(self->peer.pidfd, ~0ULL, &info));
	EXPECT_EQ(0, info.mask & ~all);
	EXPECT_EQ(all, info.supported_mask);

	/* The same after the reaping. */
	reap_peer(&self->peer, 0);
	EXPECT_EQ(0, get_info(self->peer.pidfd, PIDFD_INFO_EXIT |
			      PIDFD_INFO_SUPPORTED_MASK, &info));
	EXPECT_EQ(all, info.supported_mask);
	EXPECT_EQ(PIDFD_INFO_EXIT | PIDFD_INFO_CGROUPID |
		  PIDFD_INFO_SUPPORTED_MASK, info.mask);
}

static int asked;

static long asks(long unused)
{
	struct pidfd_info info;

	return ERROR_OF(get_info(asked, 0, &info));
}

TEST_F(info, is_refused_in_a_pid_namespace_without_the_process)
{
	struct peer inside;

	/* The peer inherits the descriptor with its number. */
	asked = self->peer.pidfd;
	ASSERT_EQ(0, start_peer(&inside, CLONE_PIDFD | CLONE_NEWPID));
	EXPECT_EQ(EREMOTE, peer_does(&inside, asks, 0));
	end_peer(&inside);
}

/* The inode number of a new cgroup is the id. */
TEST_F(info, has_the_cgroup_also_after_the_end)
{
	char root[] = "/tmp/pidfd_rust.XXXXXX", group[64], procs[96], pid[16];
	struct pidfd_info info;
	bool mounted = false;
	struct stat st;

	ASSERT_NE(NULL, mkdtemp(root));
	snprintf(group, sizeof(group), "%s/pidfd_rust.%d", root, getpid());
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", group);
	snprintf(pid, sizeof(pid), "%d", self->peer.pid);
	if (!unshare(CLONE_NEWNS) &&
	    !mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	    !mount("cgroup2", root, "cgroup2", 0, NULL))
		mounted = true;
	if (!mounted || mkdir(group, 0755) || stat(group, &st)) {
		umount2(root, MNT_DETACH);
		rmdir(root);
		SKIP(return, "no cgroup2 file system");
	}

	EXPECT_EQ(0, get_info(self->peer.pidfd, 0, &info));
	EXPECT_NE(st.st_ino, info.cgroupid);
	EXPECT_EQ(0, write_file(procs, pid));
	EXPECT_EQ(0, get_info(self->peer.pidfd, 0, &info));
	EXPECT_EQ(st.st_ino, info.cgroupid);

	reap_peer(&self->peer, 5);
	EXPECT_EQ(0, get_info(self->peer.pidfd, PIDFD_INFO_EXIT, &info));
	EXPECT_EQ(PIDFD_INFO_EXIT | PIDFD_INFO_CGROUPID, info.mask);
	EXPECT_EQ(st.st_ino, info.cgroupid);
	EXPECT_EQ(EXITED(5), info.exit_code);
	EXPECT_EQ(0, info.pid);
	EXPECT_EQ(0, remove_cgroup(group));
	umount2(root, MNT_DETACH);
	rmdir(root);
}

/* The command for a struct of that size. */
#define GET_INFO_OF_SIZE(size)						\
	_IOC(_IOC_READ | _IOC_WRITE, PIDFS_IOCTL_MAGIC, 11, (size))

static const size_t sizes[] = { 64, 72, 80, 88, 96, 128, 4096 };

TEST_F(info, fills_as_much_as_the_caller_knows)
{
	unsigned char buf[8192], full[INFO_SIZE];
	__u64 mask = PIDFD_INFO_EXIT | PIDFD_INFO_COREDUMP |
		     PIDFD_INFO_SUPPORTED_MASK;

	memcpy(full, &mask, sizeof(mask));
	ASSERT_EQ(0, ioctl(self->peer.pidfd, GET_INFO_OF_SIZE(INFO_SIZE), full));
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t size = sizes[i], known = size < INFO_SIZE ? size : INFO_SIZE;
		size_t wrong = 0;

		memset(buf, 0xa5, sizeof(buf));
		memcpy(buf, &mask, sizeof(mask));
		EXPECT_EQ(0, ioctl(self->peer.pidfd, GET_INFO_OF_SIZE(size), buf));
		EXPECT_EQ(0, memcmp(full, buf, known));
		for (size_t j = known; j < sizeof(buf); j++)
			wrong += buf[j] != (j < size ? 0 : 0xa5);
		EXPECT_EQ(0, wrong) {
			TH_LOG("%zu bytes wrong with size %zu", wrong, size);
		}
	}
}

TEST_F(info, refuses_what_is_too_small_for_any_version)
{
	unsigned char buf[64] = {}, zero[64] = {};

	for (size_t size = 0; size < 64; size++) {
		EXPECT_EQ(ENOTTY, ERROR_OF(ioctl(self->peer.pidfd,
						 GET_INFO_OF_SIZE(size), buf)));
	}
	EXPECT_EQ(0, memcmp(buf, zero, sizeof(buf)));
}

TEST_F(info, writes_to_the_end_of_memory_and_no_further)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *mem = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = self->peer.pidfd;

	ASSERT_NE(MAP_FAILED, mem);
	ASSERT_EQ(0, mprotect(mem + page, page, PROT_NONE));
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		EXPECT_EQ(0, ioctl(fd, GET_INFO_OF_SIZE(sizes[i]),
				   mem + page - sizes[i]));
		EXPECT_EQ(EFAULT, ERROR_OF(ioctl(fd, GET_INFO_OF_SIZE(sizes[i]),
						 mem + page - sizes[i] + 8)));
	}
	EXPECT_EQ(EFAULT, ERROR_OF(ioctl(fd, PIDFD_GET_INFO, mem + page)));
	EXPECT_EQ(EFAULT, ERROR_OF(ioctl(fd, PIDFD_GET_INFO, mem + page - 4)));
	EXPECT_EQ(EFAULT, ERROR_OF(ioctl(fd, PIDFD_GET_INFO, 8)));
	EXPECT_EQ(EFAULT, ERROR_OF(ioctl(fd, PIDFD_GET_INFO, -4096L)));
	EXPECT_EQ(EINVAL, ERROR_OF(ioctl(fd, PIDFD_GET_INFO, NULL)));
	munmap(mem, 2 * page);
}

TEST_F(info, comes_by_no_other_command)
{
	static const unsigned int wrong[] = {
		_IOC(_IOC_READ, PIDFS_IOCTL_MAGIC, 11, INFO_SIZE),
		_IOC(_IOC_WRITE, PIDFS_IOCTL_MAGIC, 11, INFO_SIZE),
		_IOC(_IOC_NONE, PIDFS_IOCTL_MAGIC, 11, INFO_SIZE),
		_IOC(_IOC_READ | _IOC_WRITE, 0xfe, 11, INFO_SIZE),
		_IOC(_IOC_READ | _IOC_WRITE, PIDFS_IOCTL_MAGIC, 12, INFO_SIZE),
		_IO(PIDFS_IOCTL_MAGIC, 0),
		_IO(PIDFS_IOCTL_MAGIC, 11),
		_IOC(_IOC_READ, PIDFS_IOCTL_MAGIC, 1, 0),
		FIGETBSZ + 100,
	};
	char buf[INFO_SIZE] = {};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(ENOTTY, ERROR_OF(ioctl(self->peer.pidfd, wrong[i], buf))) {
			TH_LOG("command %x", wrong[i]);
		}
	}
}

/* The generation is the upper half of the number where inode numbers have 32 bits. */
TEST_F(info, has_a_generation_only_where_numbers_are_short)
{
	__u32 version = 42;

	EXPECT_EQ(0, ioctl(self->peer.pidfd, FS_IOC_GETVERSION, &version));
	EXPECT_EQ(id_of(self->peer.pidfd),
		  ino_of(self->peer.pidfd) |
		  (sizeof(long) == 8 ? 0 : (__u64)version << 32));
	if (sizeof(long) == 8) {
		EXPECT_EQ(0, version);
	}
	EXPECT_EQ(EINVAL, ERROR_OF(ioctl(self->peer.pidfd, FS_IOC_GETVERSION, 0)));
	EXPECT_EQ(EFAULT, ERROR_OF(ioctl(self->peer.pidfd, FS_IOC_GETVERSION, 8)));
}

#ifdef __x86_64__
/* ioctl() as a 32-bit program calls it. */
static long compat_ioctl(int fd, unsigned int cmd, void *arg)
{
	long ret;

	asm volatile("int $0x80"
		: "=a" (ret)
		: "0" (54L), "b" ((long)fd), "c" ((long)cmd), "d" (arg)
		: "r8", "r9", "r10", "r11", "memory");
	return (int)ret;
}

TEST_F(info, is_the_same_for_32_bit_programs)
{
	char *mem = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	int fd = self->peer.pidfd, ns;
	struct stat st, proc;
	__u32 *version;
	char path[64];
	__u64 mask = PIDFD_INFO_EXIT | PIDFD_INFO_COREDUMP |
		     PIDFD_INFO_SUPPORTED_MASK;

	ASSERT_NE(MAP_FAILED, mem);
	if (compat_ioctl(-1, PIDFD_GET_INFO, mem) == -ENOSYS)
		SKIP(return, "CONFIG_IA32_EMULATION is not set");

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(mem, 0xa5, 8192);
		memcpy(mem, &mask, sizeof(mask));
		memcpy(mem + 4096, &mask, sizeof(mask));
		EXPECT_EQ(0, compat_ioctl(fd, GET_INFO_OF_SIZE(sizes[i]), mem));
		EXPECT_EQ(0, ioctl(fd, GET_INFO_OF_SIZE(sizes[i]), mem + 4096));
		EXPECT_EQ(0, memcmp(mem, mem + 4096, 4096));
	}
	EXPECT_EQ(-ENOTTY, compat_ioctl(fd, GET_INFO_OF_SIZE(63), mem));
	EXPECT_EQ(-EINVAL, compat_ioctl(fd, PIDFD_GET_INFO, NULL));
	EXPECT_EQ(-EFAULT, compat_ioctl(fd, PIDFD_GET_INFO, (void *)8));

	version = (__u32 *)mem;
	*version = 42;
	EXPECT_EQ(0, compat_ioctl(fd, FS_IOC32_GETVERSION, version));
	EXPECT_EQ(0, *version);

	snprintf(path, sizeof(path), "/proc/%d/ns/uts", self->peer.pid);
	ns = compat_ioctl(fd, PIDFD_GET_UTS_NAMESPACE, NULL);
	ASSERT_GE(ns, 0);
	EXPECT_EQ(0, fstat(ns, &st));
	EXPECT_EQ(0, stat(path, &proc));
	EXPECT_EQ(proc.st_ino, st.st_ino);
	EXPECT_EQ(-EINVAL, compat_ioctl(fd, PIDFD_GET_UTS_NAMESPACE, mem));
	close(ns);
	munmap(mem, 8192);
}
#endif

/* PIDFD_INFO_EXIT. */

PEER_FIXTURE(end, CLONE_PIDFD)

TEST_F(end, is_reported_on_request_once_reaped)
{
	struct pidfd_info info;

	EXPECT_EQ(NO_RECORD, exit_code_of(self->peer.pidfd));
	tell_peer(&self->peer, 42);
	ASSERT_EQ(0, await_zombie(self->peer.pid));
	ASSERT_EQ(0, get_info(self->peer.pidfd, PIDFD_INFO_EXIT, &info));
	EXPECT_EQ(PIDFD_INFO_PID | PIDFD_INFO_CREDS | PIDFD_INFO_CGROUPID,
		  info.mask);
	EXPECT_EQ(self->peer.pid, info.pid);
	EXPECT_EQ(0, info.exit_code);

	await_peer(&self->peer);
	EXPECT_EQ(EXITED(42), exit_code_of(self->peer.pidfd));
	EXPECT_EQ(ESRCH, ERROR_OF(get_info(self->peer.pidfd, 0, &info)));
	EXPECT_EQ(ESRCH, ERROR_OF(get_info(self->peer.pidfd, PIDFD_INFO_COREDUMP,
					   &info)));
	/* The record stays. */
	EXPECT_EQ(EXITED(42), exit_code_of(self->peer.pidfd));
}

TEST_F(end, by_a_signal_is_reported_as_such)
{
	EXPECT_EQ(0, sys_pidfd_send_signal(self->peer.pidfd, SIGTERM, NULL, 0));
	await_peer(&self->peer);
	EXPECT_EQ(SIGTERM, exit_code_of(self->peer.pidfd));
}

TEST_F(end, is_the_status_that_waitid_reports)
{
	siginfo_t si = {};

	tell_peer(&self->peer, 9);
	EXPECT_EQ(0, sys_waitid(P_PIDFD, self->peer.pidfd, &si, WEXITED));
	self->peer.pid = -1;
	EXPECT_EQ(CLD_EXITED, si.si_code);
	EXPECT_EQ(EXITED(si.si_status), exit_code_of(self->peer.pidfd));
}

TEST_F(end, is_reported_by_a_pidfd_of_the_zombie)
{
	int fd;

	close(self->peer.pidfd);
	self->peer.pidfd = -1;
	tell_peer(&self->peer, 8);
	ASSERT_EQ(0, await_zombie(self->peer.pid));
	fd = sys_pidfd_open(self->peer.pid, 0);
	EXPECT_EQ(NO_RECORD, exit_code_of(fd));
	await_peer(&self->peer);
	EXPECT_EQ(EXITED(8), exit_code_of(fd));
	close(fd);
}

/*
 * A process is auto-reaped, or stays a zombie until its parent reaps it. The same code wakes the
 * poller in both cases. Only in the first one the poller can read the exit status.
 */
FIXTURE(woken)
{
	struct numbers before;
	char *stack;
};

FIXTURE_VARIANT(woken)
{
	bool ignored;
	bool no_wait;
	__u64 flags;
	bool leader_first;
	bool killed;
	bool zombie;
	/* Asks between any two steps of the end. */
	bool spins;
};

FIXTURE_VARIANT_ADD(woken, sigchld_ignored)
{
	.ignored = true,
};

FIXTURE_VARIANT_ADD(woken, sigchld_ignored_spinning)
{
	.ignored = true,
	.spins = true,
};

FIXTURE_VARIANT_ADD(woken, sa_nocldwait)
{
	.no_wait = true,
};

FIXTURE_VARIANT_ADD(woken, sa_nocldwait_spinning)
{
	.no_wait = true,
	.spins = true,
};

FIXTURE_VARIANT_ADD(woken, autoreap)
{
	.flags = CLONE_AUTOREAP,
};

FIXTURE_VARIANT_ADD(woken, autoreap_spinning)
{
	.flags = CLONE_AUTOREAP,
	.spins = true,
};

FIXTURE_VARIANT_ADD(woken, sigchld_ignored_killed)
{
	.ignored = true,
	.killed = true,
};

FIXTURE_VARIANT_ADD(woken, autoreap_killed)
{
	.flags = CLONE_AUTOREAP,
	.killed = true,
};

FIXTURE_VARIANT_ADD(woken, sigchld_ignored_leader_first)
{
	.ignored = true,
	.leader_first = true,
};

FIXTURE_VARIANT_ADD(woken, sigchld_ignored_leader_first_spinning)
{
	.ignored = true,
	.leader_first = true,
	.spins = true,
};

FIXTURE_VARIANT_ADD(woken, autoreap_leader_first)
{
	.flags = CLONE_AUTOREAP,
	.leader_first = true,
};

FIXTURE_VARIANT_ADD(woken, autoreap_leader_first_spinning)
{
	.flags = CLONE_AUTOREAP,
	.leader_first = true,
	.spins = true,
};

FIXTURE_VARIANT_ADD(woken, zombie)
{
	.zombie = true,
};

FIXTURE_VARIANT_ADD(woken, zombie_spinning)
{
	.zombie = true,
	.spins = true,
};

FIXTURE_VARIANT_ADD(woken, zombie_killed)
{
	.zombie = true,
	.killed = true,
};

FIXTURE_VARIANT_ADD(woken, zombie_leader_first)
{
	.zombie = true,
	.leader_first = true,
};

FIXTURE_VARIANT_ADD(woken, zombie_leader_first_spinning)
{
	.zombie = true,
	.leader_first = true,
	.spins = true,
};

FIXTURE_SETUP(woken)
{
	struct sigaction sa = { .sa_handler = SIG_DFL };

	rust_setup(_metadata, &self->before);
	self->stack = new_stack(STACK);
	ASSERT_NE(NULL, self->stack);
	if (variant->no_wait)
		sa.sa_flags = SA_NOCLDWAIT;
	if (variant->ignored)
		sa.sa_handler = SIG_IGN;
	ASSERT_EQ(0, sigaction(SIGCHLD, &sa, NULL));
}

FIXTURE_TEARDOWN(woken)
{
	munmap(self->stack, STACK);
	rust_teardown(_metadata, &self->before);
}

static int other_cpu(int round)
{
	return round % sysconf(_SC_NPROCESSORS_ONLN);
}

#define LAST_CODE 77

/* The child. Its exit code is that of its last thread. */
static void ends_with(int code, char *stack, bool leader_first)
{
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(thread_pipe[1]);
	if (leader_first) {
		if (clone(thread_awaits_a_byte, stack + STACK, THREAD,
			  (void *)(long)LAST_CODE) < 0)
			_exit(255);
		syscall(__NR_exit, code);
	}
	read_nointr(thread_pipe[0], &byte, 1);
	_exit(code);
}

/* Returns the events as soon as the pidfd is readable. */
static int await_wake_up(int fd, bool spins)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	if (!spins)
		return poll(&pfd, 1, PATIENCE_MS) == 1 ? pfd.revents : 0;
	while (poll(&pfd, 1, 0) == 0)
		;
	return pfd.revents;
}

TEST_F_TIMEOUT(woken, finds_the_exit_status_if_and_only_if_it_is_final, 240)
{
	int missed = 0, early = 0, wrong = 0, changed = 0;

	for_rounds(i, ROUNDS) {
		int pidfd = -1, code = i & 0xff, reported, want;
		struct __clone_args args = {
			.flags		= CLONE_PIDFD | variant->flags,
			.exit_signal	= variant->flags ? 0 : SIGCHLD,
			.pidfd		= ptr_to_u64(&pidfd),
		};
		int at_first;
		pid_t pid;

		ASSERT_EQ(0, pipe2(thread_pipe, O_CLOEXEC));
		stay_on_cpu(other_cpu(i / 2));
		pid = sys_clone3(&args, sizeof(args));
		if (pid == 0) {
			stay_on_cpu(other_cpu(i));
			ends_with(code, self->stack, variant->leader_first);
		}
		ASSERT_GT(pid, 0);
		close(thread_pipe[0]);
		if (variant->leader_first) {
			ASSERT_TRUE(thread_becomes(pid, pid, 'Z'));
			/* The process ends with its last thread. */
			ASSERT_EQ(0, ready(pidfd));
			ASSERT_EQ(NO_RECORD, exit_code_of(pidfd));
		}
		if (variant->killed)
			sys_pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
		else
			write_nointr(thread_pipe[1], "", 1);

		ASSERT_NE(0, await_wake_up(pidfd, variant->spins) & POLLIN);
		reported = exit_code_of(pidfd);
		at_first = reported;
		want = variant->killed ? SIGKILL :
		       EXITED(variant->leader_first ? LAST_CODE : code);
		if (variant->zombie) {
			early += reported != NO_RECORD;
			for (int j = 0; j < 10; j++)
				early += exit_code_of(pidfd) != NO_RECORD;
			ASSERT_EQ(pid, waitpid(pid, NULL, 0));
			at_first = want;
		} else {
			missed += reported == NO_RECORD;
			wrong += reported != NO_RECORD && reported != want;
			ASSERT_TRUE(is_reaped(pidfd));
		}
		reported = exit_code_of(pidfd);
		wrong += reported != want;
		changed += reported != at_first;
		close(thread_pipe[1]);
		close(pidfd);
	}
	EXPECT_EQ(0, missed);
	EXPECT_EQ(0, early);
	EXPECT_EQ(0, wrong);
	EXPECT_EQ(0, changed);
	/* No child is left, not even a zombie. */
	EXPECT_NO_CHILD();
}

static int thread_cpu;

static int thread_ends_on_its_cpu(void *result)
{
	cpu_set_t set;
	char byte;

	CPU_ZERO(&set);
	CPU_SET(thread_cpu, &set);
	syscall(__NR_sched_setaffinity, 0, sizeof(set), &set);
	syscall(__NR_read, thread_pipe[0], &byte, 1);
	return (long)result;
}

static void thread_rounds(struct __test_metadata *_metadata, bool spins)
{
	char *stack = new_stack(STACK);
	int missed = 0, wrong = 0;

	ASSERT_NE(NULL, stack);
	ASSERT_EQ(0, pipe2(thread_pipe, O_CLOEXEC));
	for_rounds(i, ROUNDS) {
		long code = i & 0xff;
		int pidfd = -1, opened, reported;
		pid_t tid;

		thread_cpu = other_cpu(i);
		stay_on_cpu(other_cpu(i / 2));
		tid = clone(thread_ends_on_its_cpu, stack + STACK,
			    THREAD | CLONE_PIDFD, (void *)code, &pidfd);
		ASSERT_GT(tid, 0);
		opened = sys_pidfd_open(tid, PIDFD_THREAD);
		ASSERT_EQ(1, write_nointr(thread_pipe[1], "", 1));
		ASSERT_NE(0, await_wake_up(opened, spins) & POLLIN);
		reported = exit_code_of(opened);
		missed += reported == NO_RECORD;
		wrong += reported != NO_RECORD && reported != EXITED(code);
		ASSERT_TRUE(is_reaped(pidfd));
		wrong += exit_code_of(pidfd) != EXITED(code);
		close(opened);
		close(pidfd);
	}
	EXPECT_EQ(0, missed);
	EXPECT_EQ(0, wrong);
	close(thread_pipe[0]);
	close(thread_pipe[1]);
	munmap(stack, STACK);
}

TEST_F_TIMEOUT(end, of_a_thread_is_found_by_a_woken_poller, 120)
{
	thread_rounds(_metadata, false);
}

TEST_F_TIMEOUT(end, of_a_thread_is_found_by_a_spinning_poller, 120)
{
	thread_rounds(_metadata, true);
}

/* Traces the child and waits for its exit. The wait passes the zombie on to its parent. */
static void traces(pid_t pid, int ready)
{
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) ||
	    write_nointr(ready, "", 1) != 1)
		_exit(1);
	_exit(waitpid(pid, NULL, __WALL) == pid ? 0 : 1);
}

/*
 * While the tracer reaps the zombie, its exit_state is EXIT_TRACE, from which EXIT_DEAD follows
 * unless the parent has to reap it.
 */
TEST_F_TIMEOUT(end, seen_by_a_tracer_is_not_reported_before_the_parent_reaps, 120)
{
	int early = 0;

	for_rounds(i, 100) {
		siginfo_t si = {};
		struct child c;
		pid_t tracer;
		int pipe[2];
		char byte;

		ASSERT_EQ(0, pipe2(pipe, O_CLOEXEC));
		ASSERT_EQ(0, start_child(&c, 0));
		tracer = fork();
		if (tracer == 0)
			traces(c.pid, pipe[1]);
		close(pipe[1]);
		ASSERT_EQ(1, read_nointr(pipe[0], &byte, 1));
		tell_child(&c, 12);
		do {
			early += exit_code_of(c.pidfd) != NO_RECORD;
			si.si_pid = 0;
			ASSERT_EQ(0, waitid(P_PID, tracer, &si,
					    WEXITED | WNOHANG | WNOWAIT));
		} while (!si.si_pid);
		EXPECT_EQ(0, wait_for_pid(tracer));
		early += exit_code_of(c.pidfd) != NO_RECORD;
		EXPECT_EQ(12, wait_for_pid(c.pid));
		EXPECT_EQ(EXITED(12), exit_code_of(c.pidfd));
		close(c.tell);
		close(c.pidfd);
		close(pipe[0]);
	}
	EXPECT_EQ(0, early);
}

/* Pidfds that are made after the process was reaped. */

PEER_FIXTURE(stale, CLONE_PIDFD)

TEST_F(stale, peer_of_a_socket_reports_the_exit)
{
	struct pidfd_info info;
	int fd;

	close(self->peer.pidfd);
	self->peer.pidfd = -1;
	reap_peer(&self->peer, 21);
	EXPECT_RUST_MAKES(1, fd = peer_pidfd(self->peer.sock));
	ASSERT_GE(fd, 0);
	EXPECT_EQ(O_RDWR, fcntl(fd, F_GETFL));
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(POLLIN | POLLHUP, ready(fd));
	EXPECT_EQ(EXITED(21), exit_code_of(fd));
	EXPECT_EQ(-1, pidfd_number(fd));
	EXPECT_EQ(ESRCH, ERROR_OF(get_info(fd, 0, &info)));
	EXPECT_EQ(ESRCH, ERROR_OF(sys_pidfd_send_signal(fd, 0, NULL, 0)));
	EXPECT_EQ(ECHILD, ERROR_OF(sys_waitid(P_PIDFD, fd, NULL, WEXITED)));
	EXPECT_EQ(ino_of(fd), id_of(fd));
	close(fd);
}

TEST_F(stale, peer_of_a_socket_is_the_one_that_was_known)
{
	int fd;

	EXPECT_EQ(0, set_value(self->peer.pidfd, "trusted.a", "1", 0));
	reap_peer(&self->peer, 22);
	fd = peer_pidfd(self->peer.sock);
	EXPECT_EQ(ino_of(self->peer.pidfd), ino_of(fd));
	EXPECT_STREQ("1", value_of(fd, "trusted.a"));
	close(fd);
}

TEST_F(stale, auto_reaped_peer_reports_the_exit)
{
	struct peer peer;
	int fd;

	ASSERT_EQ(0, start_peer(&peer, CLONE_PIDFD | CLONE_AUTOREAP));
	tell_peer(&peer, 23);
	ASSERT_TRUE(is_reaped(peer.pidfd));
	peer.pid = -1;
	close(peer.pidfd);
	peer.pidfd = -1;
	fd = peer_pidfd(peer.sock);
	EXPECT_EQ(EXITED(23), exit_code_of(fd));
	close(fd);
	end_peer(&peer);
}

TEST_F(stale, sender_of_a_message_reports_the_exit)
{
	struct order order = { .run = does_nothing };
	int fd;

	close(self->peer.pidfd);
	self->peer.pidfd = -1;
	ASSERT_EQ(0, pass_pidfds(self->peer.sock, 1));
	ASSERT_EQ(sizeof(order),
		  write_nointr(self->peer.sock, &order, sizeof(order)));
	/* The message stays in the queue after the exit of the peer. */
	reap_peer(&self->peer, 24);
	EXPECT_RUST_MAKES(1, fd = receive_fd(self->peer.sock, SCM_PIDFD));
	ASSERT_GE(fd, 0);
	EXPECT_EQ(O_RDWR, fcntl(fd, F_GETFL));
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(EXITED(24), exit_code_of(fd));
	EXPECT_EQ(POLLIN | POLLHUP, ready(fd));
	close(fd);
}

/*
 * A privileged sender can name any process. The one it names here has been reaped, but a process
 * group still uses its pid.
 */
TEST_F(stale, sender_without_a_record_is_refused)
{
	struct ghost unknown, known;
	int sockets[2], fd;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	ASSERT_EQ(0, pass_pidfds(sockets[0], 1));
	ASSERT_EQ(0, start_ghost(&unknown, false));
	ASSERT_EQ(0, start_ghost(&known, true));

	EXPECT_RUST_MAKES(0, EXPECT_EQ(ESRCH, ERROR_OF(send_as(sockets[1],
							       unknown.pid))));
	EXPECT_EQ(0, send_as(sockets[1], known.pid));
	EXPECT_RUST_MAKES(1, fd = receive_fd(sockets[0], SCM_PIDFD));
	EXPECT_EQ(EXITED(GHOST_CODE), exit_code_of(fd));
	close(fd);
	end_ghost(&known);
	end_ghost(&unknown);
	close(sockets[0]);
	close(sockets[1]);
}

TEST_F(stale, process_cannot_be_opened)
{
	pid_t pid = self->peer.pid;

	reap_peer(&self->peer, 0);
	EXPECT_RUST_MAKES(0, EXPECT_EQ(ESRCH, ERROR_OF(sys_pidfd_open(pid, 0))));
}

/* Core dumps. */

#define CORE_FILE "/tmp/pidfd_rust.core"
#define CORE_SOCKET "/tmp/pidfd_rust.sock"

/* Receives a core dump, and reads the information of the dumped process meanwhile. */
struct server {
	pthread_t thread;
	int listener;
	/* The error of that, or NO_CONNECTION. */
	int error;
	struct pidfd_info info;
};

#define NO_CONNECTION -1

static void *receives_core(void *arg)
{
	struct server *server = arg;
	int sock = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC), fd;
	char buf[4096];

	if (sock < 0)
		return NULL;
	server->error = ERROR_OF(fd = peer_pidfd(sock)) ?:
			ERROR_OF(get_info(fd, PIDFD_INFO_COREDUMP, &server->info));
	close(fd);
	while (read_nointr(sock, buf, sizeof(buf)) > 0)
		;
	close(sock);
	return NULL;
}

static int start_server(struct server *server)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = CORE_SOCKET };

	unlink(CORE_SOCKET);
	server->error = NO_CONNECTION;
	server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(server->listener, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(server->listener, 1))
		return -1;
	return pthread_create(&server->thread, NULL, receives_core, server);
}

/* Waits until the server has received the dump, if any. A second call does nothing. */
static void stop_server(struct server *server)
{
	if (server->listener < 0)
		return;
	shutdown(server->listener, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->listener);
	server->listener = -1;
	unlink(CORE_SOCKET);
}

FIXTURE(core)
{
	struct numbers before;
	struct peer peer;
	struct core old;
	struct server server;
};

FIXTURE_VARIANT(core)
{
	const char *pattern;
	/* The kernel fills in the record for a receiver of the dump only. */
	bool recorded;
	bool socket;
};

FIXTURE_VARIANT_ADD(core, to_a_file)
{
	.pattern = CORE_FILE,
};

FIXTURE_VARIANT_ADD(core, to_a_pipe)
{
	.pattern = "|/bin/cat",
};

FIXTURE_VARIANT_ADD(core, to_a_pipe_with_a_pidfd)
{
	.pattern = "|/bin/cat - %F",
	.recorded = true,
};

FIXTURE_VARIANT_ADD(core, to_a_socket)
{
	.pattern = "@" CORE_SOCKET,
	.recorded = true,
	.socket = true,
};

static long may_dump(long unused)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	return setrlimit(RLIMIT_CORE, &all);
}

FIXTURE_SETUP(core)
{
	rust_setup(_metadata, &self->before);
	ASSERT_EQ(0, set_core(&self->old, variant->pattern));
	/* Before the first thread starts: setuid() in the child would wait for it. */
	ASSERT_EQ(0, start_peer(&self->peer, CLONE_PIDFD));
	ASSERT_EQ(0, peer_does(&self->peer, may_dump, 0));
	if (variant->socket) {
		ASSERT_EQ(0, start_server(&self->server));
	}
}

FIXTURE_TEARDOWN(core)
{
	end_peer(&self->peer);
	put_core(&self->old);
	if (variant->socket)
		stop_server(&self->server);
	unlink(CORE_FILE);
	rust_teardown(_metadata, &self->before);
}

static long writes_to(long address)
{
	*(int *)address = 0;
	return 0;
}

static long raises(long sig)
{
	return raise(sig);
}

static long is_not_dumpable(long unused)
{
	return prctl(PR_SET_DUMPABLE, 0);
}

static long becomes_nobody(long unused)
{
	return setuid(NOBODY);
}

#define CORE_MASK (PIDFD_INFO_COREDUMP | PIDFD_INFO_COREDUMP_SIGNAL |	\
		   PIDFD_INFO_COREDUMP_CODE)

/* Checks what the pidfd of a zombie, or of a reaped process, reports. */
static void expect_core(struct __test_metadata *_metadata, int fd, bool recorded,
			unsigned int mask, int sig, int code)
{
	struct pidfd_info info;

	EXPECT_EQ(0, get_info(fd, PIDFD_INFO_EXIT | PIDFD_INFO_COREDUMP, &info));
	if (recorded) {
		EXPECT_EQ(CORE_MASK, info.mask & CORE_MASK);
		EXPECT_EQ(PIDFD_COREDUMPED | mask, info.coredump_mask);
		EXPECT_EQ(sig, info.coredump_signal);
		EXPECT_EQ(code, (int)info.coredump_code);
	} else if (info.mask & PIDFD_INFO_PID) {
		/* The way in which it would be dumped. */
		EXPECT_EQ(PIDFD_INFO_COREDUMP, info.mask & CORE_MASK);
		EXPECT_EQ(mask, info.coredump_mask);
		EXPECT_EQ(0, info.coredump_signal);
	} else {
		EXPECT_EQ(0, info.mask & CORE_MASK);
		EXPECT_EQ(0, info.coredump_mask);
	}
	if (!(info.mask & PIDFD_INFO_PID)) {
		EXPECT_EQ(sig | 0x80, info.exit_code);
	}
}

TEST_F(core, is_reported_with_signal_and_code)
{
	struct pidfd_info info;
	int fd = self->peer.pidfd;
	long created = rust_created();

	ASSERT_EQ(0, get_info(fd, PIDFD_INFO_COREDUMP, &info));
	EXPECT_EQ(PIDFD_INFO_COREDUMP, info.mask & CORE_MASK);
	EXPECT_EQ(PIDFD_COREDUMP_USER, info.coredump_mask);
	EXPECT_EQ(0, info.coredump_signal);

	EXPECT_EQ(PEER_DIED, peer_does(&self->peer, writes_to, 16));
	ASSERT_EQ(0, await_zombie(self->peer.pid));
	expect_core(_metadata, fd, variant->recorded, PIDFD_COREDUMP_USER, SIGSEGV,
		    SEGV_MAPERR);
	/* The server has to ask before the process is reaped. */
	if (variant->socket)
		stop_server(&self->server);
	await_peer(&self->peer);
	expect_core(_metadata, fd, variant->recorded, PIDFD_COREDUMP_USER, SIGSEGV,
		    SEGV_MAPERR);
	/* Rust made the pidfd of the receiver. */
	EXPECT_EQ(created + variant->recorded, rust_created());

	/* Only a caller that asks gets it. */
	EXPECT_EQ(0, get_info(fd, PIDFD_INFO_EXIT, &info));
	EXPECT_EQ(0, info.mask & CORE_MASK);
	EXPECT_EQ(0, info.coredump_mask);
	if (variant->socket) {
		EXPECT_EQ(0, self->server.error);
		EXPECT_EQ(CORE_MASK, self->server.info.mask & CORE_MASK);
		EXPECT_EQ(SIGSEGV, self->server.info.coredump_signal);
	}
}

TEST_F(core, is_reported_to_a_later_caller)
{
	int fd;

	close(self->peer.pidfd);
	self->peer.pidfd = -1;
	EXPECT_EQ(PEER_DIED, peer_does(&self->peer, raises, SIGABRT));
	await_peer(&self->peer);
	fd = peer_pidfd(self->peer.sock);
	expect_core(_metadata, fd, variant->recorded, PIDFD_COREDUMP_USER, SIGABRT,
		    SI_TKILL);
	close(fd);
}

TEST_F(core, is_skipped_by_a_process_that_is_not_dumpable)
{
	struct pidfd_info info;

	ASSERT_EQ(0, peer_does(&self->peer, is_not_dumpable, 0));
	ASSERT_EQ(0, get_info(self->peer.pidfd, PIDFD_INFO_COREDUMP, &info));
	EXPECT_EQ(PIDFD_INFO_COREDUMP, info.mask & CORE_MASK);
	EXPECT_EQ(PIDFD_COREDUMP_SKIP, info.coredump_mask);

	EXPECT_EQ(PEER_DIED, peer_does(&self->peer, raises, SIGABRT));
	await_peer(&self->peer);
	EXPECT_EQ(0, get_info(self->peer.pidfd,
			      PIDFD_INFO_EXIT | PIDFD_INFO_COREDUMP, &info));
	EXPECT_EQ(0, info.mask & CORE_MASK);
	EXPECT_EQ(SIGABRT, info.exit_code);
}

TEST_F(core, is_for_root_after_a_change_of_user)
{
	struct pidfd_info info;

	ASSERT_EQ(0, write_file(SUID_DUMPABLE, "2"));
	ASSERT_EQ(0, peer_does(&self->peer, becomes_nobody, 0));
	ASSERT_EQ(0, get_info(self->peer.pidfd, PIDFD_INFO_COREDUMP, &info));
	EXPECT_EQ(PIDFD_INFO_COREDUMP, info.mask & CORE_MASK);
	EXPECT_EQ(PIDFD_COREDUMP_ROOT, info.coredump_mask);

	EXPECT_EQ(PEER_DIED, peer_does(&self->peer, raises, SIGQUIT));
	await_peer(&self->peer);
	expect_core(_metadata, self->peer.pidfd, variant->recorded,
		    PIDFD_COREDUMP_ROOT, SIGQUIT, SI_TKILL);
}

TEST_F(core, is_not_reported_for_other_signals)
{
	struct pidfd_info info;

	EXPECT_EQ(0, sys_pidfd_send_signal(self->peer.pidfd, SIGKILL, NULL, 0));
	await_peer(&self->peer);
	EXPECT_EQ(0, get_info(self->peer.pidfd,
			      PIDFD_INFO_EXIT | PIDFD_INFO_COREDUMP, &info));
	EXPECT_EQ(PIDFD_INFO_EXIT | PIDFD_INFO_CGROUPID, info.mask);
	EXPECT_EQ(0, info.coredump_mask);
	EXPECT_EQ(SIGKILL, info.exit_code);
}

/* Namespaces. */

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

/* PIDFD_AUTOKILL: the last close kills the process. */

PEER_FIXTURE(autokill, CLONE_PIDFD | CLONE_AUTOREAP | CLONE_PIDFD_AUTOKILL)

/* The pidfd that kills was closed; @left is another one. */
static void expect_killed(struct __test_metadata *_metadata, struct peer *peer,
			  int left)
{
	EXPECT_TRUE(is_reaped(left));
	EXPECT_EQ(SIGKILL, exit_code_of(left));
	peer->pid = -1;
	EXPECT_NO_CHILD();
}

TEST_F(autokill, happens_on_the_last_close)
{
	int other = sys_pidfd_open(self->peer.pid, 0), copy;

	EXPECT_EQ(O_RDWR | O_TRUNC, fcntl(self->peer.pidfd, F_GETFL));
	EXPECT_EQ(O_RDWR, fcntl(other, F_GETFL));
	copy = dup(self->peer.pidfd);
	close(self->peer.pidfd);
	EXPECT_TRUE(is_alive(&self->peer));
	self->peer.pidfd = -1;
	close(copy);
	expect_killed(_metadata, &self->peer, other);
	close(other);
}

TEST_F(autokill, does_not_happen_on_the_close_of_another_pidfd)
{
	struct handle h;
	int fds[4];

	ASSERT_EQ(0, handle_of(self->peer.pidfd, &h));
	fds[0] = sys_pidfd_open(self->peer.pid, 0);
	fds[1] = peer_pidfd(self->peer.sock);
	fds[2] = open_handle(&h, 0);
	fds[3] = reopen(self->peer.pidfd, O_PATH);
	for (int i = 0; i < 4; i++) {
		EXPECT_GE(fds[i], 0);
		EXPECT_EQ(0, fcntl(fds[i], F_GETFL) & O_TRUNC);
		close(fds[i]);
		ASSERT_TRUE(is_alive(&self->peer));
	}
	EXPECT_EQ(EINVAL, ERROR_OF(open_handle(&h, O_TRUNC)));
	EXPECT_TRUE(is_alive(&self->peer));
}

TEST_F(autokill, is_not_got_by_reopening)
{
	static const int flags[] = { O_RDWR, O_RDWR | O_TRUNC, O_RDONLY | O_TRUNC };
	int other;

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		other = reopen(self->peer.pidfd, flags[i]);
		if (other >= 0) {
			EXPECT_EQ(0, fcntl(other, F_GETFL) & O_TRUNC);
			close(other);
		}
		ASSERT_TRUE(is_alive(&self->peer));
	}

	/* The second file does not keep the first one from killing. */
	other = reopen(self->peer.pidfd, O_RDWR);
	EXPECT_GE(other, 0);
	close(self->peer.pidfd);
	self->peer.pidfd = -1;
	expect_killed(_metadata, &self->peer, other);
	close(other);
}

TEST_F(autokill, cannot_be_switched_off)
{
	int other = sys_pidfd_open(self->peer.pid, 0);

	EXPECT_EQ(0, fcntl(self->peer.pidfd, F_SETFL, 0));
	EXPECT_EQ(O_RDWR | O_TRUNC, fcntl(self->peer.pidfd, F_GETFL));
	EXPECT_EQ(0, fcntl(other, F_SETFL, O_TRUNC));
	EXPECT_EQ(O_RDWR, fcntl(other, F_GETFL));
	close(self->peer.pidfd);
	self->peer.pidfd = -1;
	expect_killed(_metadata, &self->peer, other);
	close(other);
}

TEST_F(autokill, waits_for_another_process_that_has_the_pidfd)
{
	int other = sys_pidfd_open(self->peer.pid, 0);
	struct child c;

	ASSERT_EQ(0, start_child(&c, 0));
	close(self->peer.pidfd);
	self->peer.pidfd = -1;
	EXPECT_TRUE(is_alive(&self->peer));

	/* The last copy of the pidfd goes with the child. */
	tell_child(&c, 0);
	EXPECT_EQ(0, wait_for_pid(c.pid));
	expect_killed(_metadata, &self->peer, other);
	close(c.tell);
	close(c.pidfd);
	close(other);
}

TEST_F(autokill, waits_for_a_pidfd_under_way)
{
	int other = sys_pidfd_open(self->peer.pid, 0), sockets[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	ASSERT_EQ(0, send_fd(sockets[0], self->peer.pidfd));
	close(self->peer.pidfd);
	self->peer.pidfd = -1;
	EXPECT_TRUE(is_alive(&self->peer));
	close(sockets[0]);
	close(sockets[1]);
	expect_killed(_metadata, &self->peer, other);
	close(other);
}

static long blocks_all_signals(long unused)
{
	sigset_t all;

	sigfillset(&all);
	return sigprocmask(SIG_BLOCK, &all, NULL);
}

TEST_F(autokill, cannot_be_blocked)
{
	int other = sys_pidfd_open(self->peer.pid, 0);

	EXPECT_EQ(0, peer_does(&self->peer, blocks_all_signals, 0));
	close(self->peer.pidfd);
	self->peer.pidfd = -1;
	expect_killed(_metadata, &self->peer, other);
	close(other);
}

TEST_F(autokill, of_the_dead_does_nothing)
{
	pid_t pid = self->peer.pid;
	struct peer next;

	tell_peer(&self->peer, 6);
	EXPECT_TRUE(is_reaped(self->peer.pidfd));
	EXPECT_EQ(EXITED(6), exit_code_of(self->peer.pidfd));
	self->peer.pid = -1;

	/* The next process with the pid lives on. */
	ASSERT_EQ(0, start_peer_as(&next, CLONE_PIDFD, false, pid));
	close(self->peer.pidfd);
	self->peer.pidfd = -1;
	EXPECT_TRUE(is_alive(&next));
	end_peer(&next);
}

TEST_F(autokill, of_a_clone_that_failed_does_nothing)
{
	struct __clone_args args = {
		.flags	= CLONE_PIDFD | CLONE_AUTOREAP | CLONE_PIDFD_AUTOKILL,
		.pidfd	= 8,
	};

	EXPECT_EQ(EFAULT, ERROR_OF(sys_clone3(&args, sizeof(args))));
	EXPECT_TRUE(is_alive(&self->peer));
}

RUST_TEST_MAIN
