// SPDX-License-Identifier: GPL-2.0
/* The system calls that take a pidfd. */
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/kcmp.h>
#include <sys/eventfd.h>
#include <sys/uio.h>

#include "rust_harness.h"
#include "waiting_thread.h"

static void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* Returns the pidfd of a child that has been reaped. */
static int reaped_child(void)
{
	struct child c;

	if (start_child(&c, 0))
		return -1;
	tell_child(&c, 0);
	waitpid(c.pid, NULL, 0);
	close(c.tell);
	return c.pidfd;
}

RUST_FIXTURE(send_signal)

TEST_F(send_signal, zero_checks_that_the_process_exists)
{
	struct child c;

	ASSERT_EQ(0, start_child(&c, 0));
	EXPECT_EQ(0, sys_pidfd_send_signal(c.pidfd, 0, NULL, 0));
	tell_child(&c, 0);
	ASSERT_EQ(0, await_zombie(c.pid));
	EXPECT_EQ(0, sys_pidfd_send_signal(c.pidfd, 0, NULL, 0));
	waitpid(c.pid, NULL, 0);
	EXPECT_EQ(-1, sys_pidfd_send_signal(c.pidfd, 0, NULL, 0));
	EXPECT_EQ(ESRCH, errno);
	close(c.tell);
	close(c.pidfd);
}

TEST_F(send_signal, ends_the_process)
{
	struct child c;
	int status;

	ASSERT_EQ(0, start_child(&c, 0));
	EXPECT_EQ(0, sys_pidfd_send_signal(c.pidfd, SIGKILL, NULL, 0));
	EXPECT_EQ(c.pid, waitpid(c.pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	close(c.tell);
	close(c.pidfd);
}

TEST_F(send_signal, carries_the_siginfo_of_the_sender)
{
	int fd = sys_pidfd_open(getpid(), 0);
	siginfo_t sent = {
		.si_signo = SIGUSR1,
		.si_code = SI_QUEUE,
		.si_value.sival_int = 4711,
	};
	siginfo_t info = {};
	sigset_t set;

	block_signals();
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	ASSERT_EQ(0, sys_pidfd_send_signal(fd, SIGUSR1, &sent, 0));
	ASSERT_EQ(SIGUSR1, sigwaitinfo(&set, &info));
	EXPECT_EQ(SI_QUEUE, info.si_code);
	EXPECT_EQ(4711, info.si_value.sival_int);
	close(fd);
}

TEST_F(send_signal, refuses_bad_arguments)
{
	int fd = sys_pidfd_open(getpid(), 0);
	siginfo_t other = { .si_signo = SIGUSR2, .si_code = SI_QUEUE };

	EXPECT_EQ(-1, sys_pidfd_send_signal(fd, SIGUSR1, &other, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, sys_pidfd_send_signal(fd, 10000, NULL, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, sys_pidfd_send_signal(fd, 0, NULL, 1U << 3));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, sys_pidfd_send_signal(fd, 0, NULL, PIDFD_SIGNAL_THREAD |
					    PIDFD_SIGNAL_THREAD_GROUP));
	EXPECT_EQ(EINVAL, errno);
	close(fd);
}

/* Returns whether SIGUSR1 is pending, according to the line @key in /proc. */
static bool pending(pid_t tid, const char *key)
{
	unsigned long long mask;
	char path[64], buf[4096];
	const char *line;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	if (read_file(path, buf, sizeof(buf)) < 0)
		return false;
	line = strstr(buf, key);
	return line && sscanf(line + strlen(key), "%llx", &mask) == 1 &&
	       mask & (1ULL << (SIGUSR1 - 1));
}

/* The kind of pidfd and the scope select the target of a signal. */
FIXTURE(scope)
{
	struct numbers before;
	struct waiting_thread thread;
};

FIXTURE_VARIANT(scope)
{
	unsigned int open_flags;
	bool of_thread;
	unsigned int send_flags;
	bool leader, thread, group;
};

FIXTURE_VARIANT_ADD(scope, process_by_default)
{
	.group = true,
};

FIXTURE_VARIANT_ADD(scope, process_to_thread_group)
{
	.send_flags = PIDFD_SIGNAL_THREAD_GROUP,
	.group = true,
};

FIXTURE_VARIANT_ADD(scope, process_to_thread)
{
	.send_flags = PIDFD_SIGNAL_THREAD,
	.leader = true,
};

FIXTURE_VARIANT_ADD(scope, leader_as_thread_by_default)
{
	.open_flags = PIDFD_THREAD,
	.leader = true,
};

FIXTURE_VARIANT_ADD(scope, leader_as_thread_to_thread_group)
{
	.open_flags = PIDFD_THREAD,
	.send_flags = PIDFD_SIGNAL_THREAD_GROUP,
	.group = true,
};

FIXTURE_VARIANT_ADD(scope, thread_by_default)
{
	.open_flags = PIDFD_THREAD,
	.of_thread = true,
	.thread = true,
};

FIXTURE_VARIANT_ADD(scope, thread_to_thread)
{
	.open_flags = PIDFD_THREAD,
	.of_thread = true,
	.send_flags = PIDFD_SIGNAL_THREAD,
	.thread = true,
};

FIXTURE_SETUP(scope)
{
	rust_setup(_metadata, &self->before);
	block_signals();
	ASSERT_EQ(0, start_thread(&self->thread));
}

FIXTURE_TEARDOWN(scope)
{
	end_thread(&self->thread);
	rust_teardown(_metadata, &self->before);
}

TEST_F(scope, reaches_only_the_named_target)
{
	pid_t pid = variant->of_thread ? self->thread.tid : getpid();
	int fd = -1;

	EXPECT_RUST_MAKES(1, fd = sys_pidfd_open(pid, variant->open_flags));
	ASSERT_EQ(0, sys_pidfd_send_signal(fd, SIGUSR1, NULL,
					   variant->send_flags));
	EXPECT_EQ(variant->leader, pending(getpid(), "\nSigPnd:"));
	EXPECT_EQ(variant->thread, pending(self->thread.tid, "\nSigPnd:"));
	EXPECT_EQ(variant->group, pending(getpid(), "\nShdPnd:"));
	close(fd);
}

/* A child that blocks SIGUSR1 and exits with 0 once the signal has arrived. */
static pid_t start_group_member(pid_t group)
{
	sigset_t set;
	pid_t pid;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);

	/* The child inherits the mask, which avoids a race with the sender. */
	sigprocmask(SIG_BLOCK, &set, NULL);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sigwait(&set, &sig);
		_exit(EXIT_SUCCESS);
	}
	setpgid(pid, group);
	return pid;
}

TEST_F(send_signal, reaches_a_process_group)
{
	pid_t leader = start_group_member(0);
	pid_t member = start_group_member(leader);
	int fd = -1;

	ASSERT_GT(leader, 0);
	ASSERT_GT(member, 0);
	ASSERT_EQ(leader, getpgid(member));
	EXPECT_RUST_MAKES(1, fd = sys_pidfd_open(leader, 0));
	ASSERT_EQ(0, sys_pidfd_send_signal(fd, SIGUSR1, NULL,
					   PIDFD_SIGNAL_PROCESS_GROUP));
	EXPECT_EQ(0, wait_for_pid(leader));
	EXPECT_EQ(0, wait_for_pid(member));
	EXPECT_FALSE(pending(getpid(), "\nShdPnd:"));
	close(fd);
}

RUST_FIXTURE(waitid)

TEST_F(waitid, reaps_the_child)
{
	siginfo_t info = {};
	struct child c;

	ASSERT_EQ(0, start_child(&c, 0));
	tell_child(&c, 42);
	EXPECT_EQ(0, sys_waitid(P_PIDFD, c.pidfd, &info, WEXITED));
	EXPECT_EQ(c.pid, info.si_pid);
	EXPECT_EQ(CLD_EXITED, info.si_code);
	EXPECT_EQ(42, info.si_status);
	EXPECT_NO_CHILD();
	close(c.tell);
	close(c.pidfd);
}

TEST_F(waitid, waits_for_no_other_child)
{
	struct child first, second;
	siginfo_t info = {};

	ASSERT_EQ(0, start_child(&first, 0));
	ASSERT_EQ(0, start_child(&second, 0));
	tell_child(&second, 0);
	ASSERT_EQ(0, await_zombie(second.pid));
	EXPECT_EQ(0, sys_waitid(P_PIDFD, first.pidfd, &info, WEXITED | WNOHANG));
	EXPECT_EQ(0, info.si_pid);
	end_child(&first);
	end_child(&second);
}

TEST_F(waitid, of_a_nonblocking_pidfd_is_eagain)
{
	siginfo_t info = {};
	struct child c;
	int fd = -1;

	ASSERT_EQ(0, start_child(&c, 0));
	EXPECT_RUST_MAKES(1, fd = sys_pidfd_open(c.pid, PIDFD_NONBLOCK));
	EXPECT_EQ(-1, sys_waitid(P_PIDFD, fd, &info, WEXITED));
	EXPECT_EQ(EAGAIN, errno);

	/* WNOHANG gives the usual result. */
	EXPECT_EQ(0, sys_waitid(P_PIDFD, fd, &info, WEXITED | WNOHANG));

	tell_child(&c, 0);
	EXPECT_EQ(POLLIN, becomes_ready(fd, POLLIN));
	EXPECT_EQ(0, sys_waitid(P_PIDFD, fd, &info, WEXITED));
	EXPECT_EQ(c.pid, info.si_pid);
	EXPECT_EQ(-1, sys_waitid(P_PIDFD, fd, &info, WEXITED));
	EXPECT_EQ(ECHILD, errno);
	close(fd);
	close(c.tell);
	close(c.pidfd);
}

TEST_F(waitid, of_no_child_is_echild)
{
	int fd = sys_pidfd_open(getppid(), 0);

	EXPECT_EQ(-1, sys_waitid(P_PIDFD, fd, NULL, WEXITED));
	EXPECT_EQ(ECHILD, errno);
	close(fd);
}

RUST_FIXTURE(getfd)

TEST_F(getfd, takes_a_file_from_the_process)
{
	struct child c;
	int pipe[2], fd;
	char byte = 0;

	ASSERT_EQ(0, pipe2(pipe, O_CLOEXEC));
	ASSERT_EQ(0, start_child(&c, 0));
	/* Only the child still has the file, under the old number. */
	close(pipe[1]);
	fd = sys_pidfd_getfd(c.pidfd, pipe[1], 0);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(1, write(fd, "x", 1));
	EXPECT_EQ(1, read(pipe[0], &byte, 1));
	EXPECT_EQ('x', byte);
	close(fd);
	close(pipe[0]);
	end_child(&c);
}

TEST_F(getfd, shares_a_pidfd_without_making_one)
{
	int self_fd = sys_pidfd_open(getpid(), 0);
	struct child c;
	int copy = -1;
	long same;

	/* The child inherits a pidfd of its parent. */
	ASSERT_EQ(0, start_child(&c, 0));
	EXPECT_RUST_MAKES(0, copy = sys_pidfd_getfd(c.pidfd, self_fd, 0));
	ASSERT_GE(copy, 0);
	EXPECT_EQ(getpid(), pidfd_number(copy));
	same = syscall(__NR_kcmp, getpid(), getpid(), KCMP_FILE, self_fd, copy);
	/* Without CONFIG_KCMP the counter is the proof. */
	EXPECT_TRUE(same == 0 || errno == ENOSYS);
	close(copy);
	close(self_fd);
	end_child(&c);
}

TEST_F(getfd, refuses_what_is_not_there)
{
	struct child c;
	int fd;

	ASSERT_EQ(0, start_child(&c, 0));
	EXPECT_EQ(-1, sys_pidfd_getfd(c.pidfd, 4711, 0));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(-1, sys_pidfd_getfd(c.pidfd, 0, 1));
	EXPECT_EQ(EINVAL, errno);
	end_child(&c);

	fd = reaped_child();
	ASSERT_GE(fd, 0);
	EXPECT_EQ(-1, sys_pidfd_getfd(fd, 0, 0));
	EXPECT_EQ(ESRCH, errno);
	close(fd);
}

RUST_FIXTURE(taken_by)

TEST_F(taken_by, setns)
{
	char here[65], there[65];
	struct child c;
	pid_t pid;

	ASSERT_EQ(0, start_child(&c, CLONE_NEWUTS));
	ASSERT_EQ(0, gethostname(here, sizeof(here)));

	/* A second process changes the host name in the namespace of the first. */
	pid = fork();
	if (pid == 0) {
		if (setns(c.pidfd, CLONE_NEWUTS) ||
		    sethostname("pidfd-rust", strlen("pidfd-rust")))
			_exit(1);
		_exit(0);
	}
	EXPECT_EQ(0, wait_for_pid(pid));

	/* A third process sees that, and the tester does not. */
	pid = fork();
	if (pid == 0) {
		if (setns(c.pidfd, CLONE_NEWUTS) ||
		    gethostname(there, sizeof(there)))
			_exit(1);
		_exit(strcmp(there, "pidfd-rust") ? 2 : 0);
	}
	EXPECT_EQ(0, wait_for_pid(pid));
	ASSERT_EQ(0, gethostname(there, sizeof(there)));
	EXPECT_STREQ(here, there);
	end_child(&c);
}

TEST_F(taken_by, setns_not_once_reaped)
{
	int fd = reaped_child();

	ASSERT_GE(fd, 0);
	EXPECT_EQ(-1, setns(fd, CLONE_NEWUTS));
	EXPECT_EQ(ESRCH, errno);
	close(fd);
}

TEST_F(taken_by, process_madvise)
{
	int fd = sys_pidfd_open(getpid(), 0);
	size_t page = sysconf(_SC_PAGESIZE);
	struct iovec iov = { .iov_len = page };

	iov.iov_base = mmap(NULL, page, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, iov.iov_base);
	EXPECT_EQ(page, syscall(__NR_process_madvise, fd, &iov, 1, MADV_COLD, 0)) {
		if (errno == ENOSYS)
			TH_LOG("CONFIG_ADVISE_SYSCALLS is not set");
	}
	munmap(iov.iov_base, page);
	close(fd);
}

TEST_F(taken_by, process_mrelease)
{
	struct child c;
	long ret;

	/* The process is found, and is not about to exit. */
	ASSERT_EQ(0, start_child(&c, 0));
	EXPECT_EQ(-1, syscall(__NR_process_mrelease, c.pidfd, 0));
	EXPECT_EQ(EINVAL, errno);

	/* Once it exits, its memory may be gone before the call. */
	EXPECT_EQ(0, sys_pidfd_send_signal(c.pidfd, SIGKILL, NULL, 0));
	ret = syscall(__NR_process_mrelease, c.pidfd, 0);
	EXPECT_TRUE(ret == 0 || errno == ESRCH);
	waitpid(c.pid, NULL, 0);
	EXPECT_EQ(-1, syscall(__NR_process_mrelease, c.pidfd, 0));
	EXPECT_EQ(ESRCH, errno);
	close(c.tell);
	close(c.pidfd);
}

static int sys_bpf(int cmd, union bpf_attr *attr)
{
	return syscall(__NR_bpf, cmd, attr, sizeof(*attr));
}

/* A map from tasks to numbers. User space passes pidfds as keys. */
static int make_task_storage(void)
{
	struct {
		struct btf_header header;
		struct btf_type type;
		__u32 encoding;
		char strings[5];
	} btf = {
		.header = {
			.magic = BTF_MAGIC,
			.version = BTF_VERSION,
			.hdr_len = sizeof(struct btf_header),
			.type_len = sizeof(struct btf_type) + sizeof(__u32),
			.str_off = sizeof(struct btf_type) + sizeof(__u32),
			.str_len = 5,
		},
		.type = {
			.name_off = 1,
			.info = BTF_KIND_INT << 24,
			.size = sizeof(int),
		},
		.encoding = BTF_INT_SIGNED << 24 | 32,
		.strings = "\0int",
	};
	union bpf_attr attr = {};
	int btf_fd, map;

	attr.btf = (uintptr_t)&btf;
	attr.btf_size = offsetof(typeof(btf), strings) + sizeof(btf.strings);
	btf_fd = sys_bpf(BPF_BTF_LOAD, &attr);
	if (btf_fd < 0)
		return -1;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_TASK_STORAGE;
	attr.key_size = sizeof(int);
	attr.value_size = sizeof(int);
	attr.map_flags = BPF_F_NO_PREALLOC;
	attr.btf_fd = btf_fd;
	attr.btf_key_type_id = 1;
	attr.btf_value_type_id = 1;
	map = sys_bpf(BPF_MAP_CREATE, &attr);
	close(btf_fd);
	return map;
}

static int map_element(int cmd, int map, int fd, int *value)
{
	union bpf_attr attr = {};

	attr.map_fd = map;
	attr.key = (uintptr_t)&fd;
	attr.value = (uintptr_t)value;
	return sys_bpf(cmd, &attr);
}

TEST_F(taken_by, bpf_task_storage)
{
	int value = 4711, seen = 0;
	struct child c;
	int map, null;

	map = make_task_storage();
	if (map < 0 && errno == ENOSYS)
		SKIP(return, "CONFIG_BPF_SYSCALL is not set");
	ASSERT_GE(map, 0);

	ASSERT_EQ(0, start_child(&c, 0));
	EXPECT_EQ(0, map_element(BPF_MAP_UPDATE_ELEM, map, c.pidfd, &value));
	EXPECT_EQ(0, map_element(BPF_MAP_LOOKUP_ELEM, map, c.pidfd, &seen));
	EXPECT_EQ(value, seen);
	EXPECT_EQ(0, map_element(BPF_MAP_DELETE_ELEM, map, c.pidfd, NULL));
	EXPECT_EQ(-1, map_element(BPF_MAP_LOOKUP_ELEM, map, c.pidfd, &seen));
	EXPECT_EQ(ENOENT, errno);

	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	EXPECT_EQ(-1, map_element(BPF_MAP_UPDATE_ELEM, map, null, &value));
	EXPECT_EQ(EBADF, errno);
	close(null);

	tell_child(&c, 0);
	waitpid(c.pid, NULL, 0);
	EXPECT_EQ(-1, map_element(BPF_MAP_UPDATE_ELEM, map, c.pidfd, &value));
	EXPECT_EQ(ENOENT, errno);
	close(c.tell);
	close(c.pidfd);
	close(map);
}

/* Files that are no pidfds. */
FIXTURE(other_file)
{
	struct numbers before;
	int fd;
};

FIXTURE_VARIANT(other_file)
{
	enum { DEV_NULL, EVENTFD, PIPE, SOCKET, PROC_FILE, CLOSED } kind;
};

FIXTURE_VARIANT_ADD(other_file, dev_null)
{
	.kind = DEV_NULL,
};

FIXTURE_VARIANT_ADD(other_file, eventfd)
{
	.kind = EVENTFD,
};

FIXTURE_VARIANT_ADD(other_file, pipe)
{
	.kind = PIPE,
};

FIXTURE_VARIANT_ADD(other_file, socket)
{
	.kind = SOCKET,
};

FIXTURE_VARIANT_ADD(other_file, proc_file)
{
	.kind = PROC_FILE,
};

FIXTURE_VARIANT_ADD(other_file, closed)
{
	.kind = CLOSED,
};

FIXTURE_SETUP(other_file)
{
	int pipe[2] = { -1, -1 };

	rust_setup(_metadata, &self->before);
	switch (variant->kind) {
	case DEV_NULL:
		self->fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		break;
	case EVENTFD:
		self->fd = eventfd(0, EFD_CLOEXEC);
		break;
	case PIPE:
		ASSERT_EQ(0, pipe2(pipe, O_CLOEXEC));
		close(pipe[1]);
		self->fd = pipe[0];
		break;
	case SOCKET:
		self->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		break;
	case PROC_FILE:
		self->fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
		break;
	case CLOSED:
		self->fd = lowest_free_fd();
		return;
	}
	ASSERT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN(other_file)
{
	if (variant->kind != CLOSED)
		close(self->fd);
	rust_teardown(_metadata, &self->before);
}

TEST_F(other_file, is_refused_everywhere)
{
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };

	EXPECT_EQ(-1, sys_pidfd_send_signal(self->fd, 0, NULL, 0));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(-1, sys_pidfd_getfd(self->fd, 0, 0));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(-1, sys_waitid(P_PIDFD, self->fd, NULL, WEXITED));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(-1, syscall(__NR_process_madvise, self->fd, &iov, 1,
			      MADV_COLD, 0));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(-1, syscall(__NR_process_mrelease, self->fd, 0));
	EXPECT_EQ(EBADF, errno);

	/* setns() takes other files as well, and so returns another error. */
	EXPECT_EQ(-1, setns(self->fd, CLONE_NEWUTS));
	EXPECT_EQ(variant->kind == CLOSED ? EBADF : EINVAL, errno);
}

RUST_TEST_MAIN
