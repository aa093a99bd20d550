// SPDX-License-Identifier: GPL-2.0
/* The inode of a pidfd: number, mode, owner and name, for every way to get a pidfd. */
#include <sys/sysmacros.h>

#include "pidfs.h"
#include "rust_harness.h"
#include "thread.h"

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

TEST_F(number, of_a_thread_is_its_own)
{
	char *stack = new_stack(THREAD_STACK);
	int born = -1, opened, process;
	pid_t tid;

	ASSERT_NE(NULL, stack);
	ASSERT_EQ(0, pipe2(thread_pipe, O_CLOEXEC));
	tid = clone(thread_awaits_a_byte, stack + THREAD_STACK, THREAD | CLONE_PIDFD,
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
	munmap(stack, THREAD_STACK);
}

RUST_TEST_MAIN
