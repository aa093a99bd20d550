// SPDX-License-Identifier: GPL-2.0
/* clone(CLONE_PIDFD) and clone3(CLONE_PIDFD), and their errors. */
#include <sys/resource.h>
#include <sys/stat.h>

#include "rust_harness.h"
#include "slow_page.h"
#include "thread.h"

/* The result of fcntl(F_GETFL) for the pidfd of a process and of a thread. */
#define PROCESS_FLAGS O_RDWR
#define THREAD_FLAGS (O_RDWR | PIDFD_THREAD)

/* Clones a child by either system call. The child exits at once. */
static pid_t clone_and_exit(bool clone3, int *pidfd)
{
	pid_t pid = clone3 ? create_child(pidfd, 0) :
			     sys_clone(CLONE_PIDFD | SIGCHLD, pidfd);

	if (pid == 0)
		_exit(EXIT_SUCCESS);
	return pid;
}

/* A clone that fails changes nothing. */
#define EXPECT_CLONE_FAILS(error, clone) do {				\
	struct numbers _old;						\
									\
	look(&_old);							\
	errno = 0;							\
	EXPECT_EQ(-1, (clone));						\
	EXPECT_EQ((error), errno);					\
	EXPECT_NOTHING_LEFT(&_old);					\
	EXPECT_NO_CHILD();						\
} while (0)

/* Both system calls do the same. */
FIXTURE(both)
{
	struct numbers before;
};

FIXTURE_VARIANT(both)
{
	bool clone3;
};

FIXTURE_VARIANT_ADD(both, clone)
{
	.clone3 = false,
};

FIXTURE_VARIANT_ADD(both, clone3)
{
	.clone3 = true,
};

FIXTURE_SETUP(both)
{
	rust_setup(_metadata, &self->before);
}

FIXTURE_TEARDOWN(both)
{
	rust_teardown(_metadata, &self->before);
}

TEST_F(both, parent_gets_a_pidfd_of_the_child)
{
	int pidfd = -1;
	pid_t pid = -1;

	EXPECT_RUST_MAKES(1, pid = clone_and_exit(variant->clone3, &pidfd));
	ASSERT_GT(pid, 0);
	ASSERT_GE(pidfd, 0);
	EXPECT_TRUE(is_pidfd(pidfd));
	EXPECT_EQ(pid, pidfd_number(pidfd));
	EXPECT_EQ(0, sys_waitid(P_PIDFD, pidfd, NULL, WEXITED));
	EXPECT_EQ(-1, pidfd_number(pidfd));
	close(pidfd);
}

TEST_F(both, descriptor_is_the_lowest_that_is_free)
{
	int lowest = lowest_free_fd();
	int pidfd = -1;

	ASSERT_GT(clone_and_exit(variant->clone3, &pidfd), 0);
	EXPECT_EQ(lowest, pidfd);
	wait(NULL);
	close(pidfd);
}

TEST_F(both, descriptor_is_close_on_exec)
{
	int pidfd = -1;

	ASSERT_GT(clone_and_exit(variant->clone3, &pidfd), 0);
	EXPECT_EQ(FD_CLOEXEC, fcntl(pidfd, F_GETFD));
	wait(NULL);
	close(pidfd);
}

TEST_F(both, descriptor_is_for_reading_and_writing)
{
	int pidfd = -1;

	ASSERT_GT(clone_and_exit(variant->clone3, &pidfd), 0);
	EXPECT_EQ(PROCESS_FLAGS, fcntl(pidfd, F_GETFL));
	wait(NULL);
	close(pidfd);
}

/* The child receives the number and reports whether it is open there. */
static int child_has_it(bool clone3, unsigned int flags)
{
	int pipe[2], pidfd = -1, status;
	pid_t pid;

	if (pipe2(pipe, O_CLOEXEC))
		return -1;

	pid = clone3 ? create_child(&pidfd, flags) :
		       sys_clone(CLONE_PIDFD | SIGCHLD | flags, &pidfd);
	if (pid == 0) {
		int number = -1;

		if (read_nointr(pipe[0], &number, sizeof(number)) !=
		    sizeof(number))
			_exit(2);
		_exit(is_pidfd(number) ? 1 : fcntl(number, F_GETFD) == -1 ? 0 : 2);
	}

	if (write_nointr(pipe[1], &pidfd, sizeof(pidfd)) != sizeof(pidfd))
		kill(pid, SIGKILL);
	status = wait_for_pid(pid);
	close(pipe[0]);
	close(pipe[1]);
	close(pidfd);
	return status;
}

TEST_F(both, child_does_not_have_the_descriptor)
{
	EXPECT_EQ(0, child_has_it(variant->clone3, 0));
}

TEST_F(both, child_that_shares_the_table_has_the_descriptor)
{
	EXPECT_EQ(1, child_has_it(variant->clone3, CLONE_FILES));
}

TEST_F(both, full_table_is_emfile)
{
	int fds[64], n = 0, pidfd = -1;
	struct numbers before;
	struct rlimit limit;
	pid_t pid;

	look(&before);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = 64;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	while (n < 64 && (fds[n] = dup(STDERR_FILENO)) >= 0)
		n++;
	ASSERT_GT(n, 0);

	/* The counters cannot be read while the table is full. */
	pid = clone_and_exit(variant->clone3, &pidfd);
	EXPECT_EQ(-1, pid);
	EXPECT_EQ(EMFILE, errno);
	EXPECT_EQ(-1, pidfd);
	EXPECT_NO_CHILD();

	/* One free slot is enough. */
	close(fds[n / 2]);
	pid = clone_and_exit(variant->clone3, &pidfd);
	EXPECT_GT(pid, 0);
	EXPECT_EQ(fds[n / 2], pidfd);
	wait(NULL);

	close(pidfd);
	while (n--)
		close(fds[n]);
	EXPECT_NOTHING_LEFT(&before);
}

/* Two pages. The second one may be unmapped. */
static char *two_pages(int second)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED || mprotect(map + page, page, second))
		return NULL;
	return map + page;
}

TEST_F(both, descriptor_may_straddle_two_pages)
{
	char *border = two_pages(PROT_READ | PROT_WRITE);
	int pidfd = -1;
	pid_t pid;

	ASSERT_NE(NULL, border);
	pid = clone_and_exit(variant->clone3, (int *)(border - 2));
	ASSERT_GT(pid, 0);
	memcpy(&pidfd, border - 2, sizeof(pidfd));
	EXPECT_EQ(pid, pidfd_number(pidfd));
	wait(NULL);
	close(pidfd);
}

FIXTURE(bad_address)
{
	struct numbers before;
};

FIXTURE_VARIANT(bad_address)
{
	int second_page;
	long offset;
	bool absolute;
};

FIXTURE_VARIANT_ADD(bad_address, null)
{
	.offset = 0,
	.absolute = true,
};

FIXTURE_VARIANT_ADD(bad_address, unmapped)
{
	.second_page = PROT_NONE,
};

FIXTURE_VARIANT_ADD(bad_address, read_only)
{
	.second_page = PROT_READ,
};

FIXTURE_VARIANT_ADD(bad_address, of_the_kernel)
{
	.offset = -8192,
	.absolute = true,
};

FIXTURE_VARIANT_ADD(bad_address, at_the_end_of_everything)
{
	.offset = -2,
	.absolute = true,
};

FIXTURE_VARIANT_ADD(bad_address, straddling_the_end_of_a_page)
{
	.second_page = PROT_NONE,
	.offset = -2,
};

FIXTURE_SETUP(bad_address)
{
	rust_setup(_metadata, &self->before);
}

FIXTURE_TEARDOWN(bad_address)
{
	rust_teardown(_metadata, &self->before);
}

static int *bad_address(const FIXTURE_VARIANT(bad_address) *variant)
{
	char *border = variant->absolute ? NULL : two_pages(variant->second_page);

	return (int *)((uintptr_t)border + variant->offset);
}

TEST_F(bad_address, is_efault_from_clone)
{
	int *address = bad_address(variant);

	EXPECT_CLONE_FAILS(EFAULT, clone_and_exit(false, address));
}

TEST_F(bad_address, is_efault_from_clone3)
{
	int *address = bad_address(variant);

	EXPECT_CLONE_FAILS(EFAULT, clone_and_exit(true, address));
}

RUST_FIXTURE(clone)

TEST_F(clone, refuses_parent_settid)
{
	int pidfd = -1;

	EXPECT_CLONE_FAILS(EINVAL, sys_clone(CLONE_PIDFD | CLONE_PARENT_SETTID |
					     SIGCHLD, &pidfd));
	EXPECT_EQ(-1, pidfd);
}

TEST_F(clone, refuses_detached)
{
	int pidfd = -1;

	EXPECT_CLONE_FAILS(EINVAL, sys_clone(CLONE_PIDFD | CLONE_DETACHED |
					     SIGCHLD, &pidfd));
	EXPECT_EQ(-1, pidfd);
}

TEST_F(clone, without_the_flag_leaves_the_address_alone)
{
	int pidfd = -1;
	pid_t pid = -1;

	EXPECT_RUST_MAKES(0, pid = sys_clone(SIGCHLD, &pidfd));
	if (pid == 0)
		_exit(EXIT_SUCCESS);
	ASSERT_GT(pid, 0);
	EXPECT_EQ(-1, pidfd);
	wait(NULL);
}

RUST_FIXTURE(clone3)

TEST_F(clone3, refuses_detached)
{
	int pidfd = -1;

	EXPECT_CLONE_FAILS(EINVAL, create_child(&pidfd, CLONE_DETACHED));
	EXPECT_EQ(-1, pidfd);
}

TEST_F(clone3, refuses_one_address_for_pidfd_and_tid)
{
	int both = -1;
	struct __clone_args args = {
		.flags		= CLONE_PIDFD | CLONE_PARENT_SETTID,
		.exit_signal	= SIGCHLD,
		.pidfd		= ptr_to_u64(&both),
		.parent_tid	= ptr_to_u64(&both),
	};

	EXPECT_CLONE_FAILS(EINVAL, sys_clone3(&args, sizeof(args)));
	EXPECT_EQ(-1, both);
}

TEST_F(clone3, writes_pidfd_and_tid_to_two_addresses)
{
	int pidfd = -1, tid = -1;
	struct __clone_args args = {
		.flags		= CLONE_PIDFD | CLONE_PARENT_SETTID,
		.exit_signal	= SIGCHLD,
		.pidfd		= ptr_to_u64(&pidfd),
		.parent_tid	= ptr_to_u64(&tid),
	};
	pid_t pid = sys_clone3(&args, sizeof(args));

	if (pid == 0)
		_exit(EXIT_SUCCESS);
	ASSERT_GT(pid, 0);
	EXPECT_EQ(pid, tid);
	EXPECT_EQ(pid, pidfd_number(pidfd));
	wait(NULL);
	close(pidfd);
}

/*
 * The pidfd of a new thread has PIDFD_THREAD in its flags. It is readable and hung up as soon as
 * the thread has exited, since a thread is not reaped.
 */
static void check_thread_pidfd(struct __test_metadata *_metadata, pid_t tid,
			       int pidfd)
{
	ASSERT_GT(tid, 0);
	ASSERT_NE(getpid(), tid);
	EXPECT_EQ(THREAD_FLAGS, fcntl(pidfd, F_GETFL));
	EXPECT_EQ(FD_CLOEXEC, fcntl(pidfd, F_GETFD));
	EXPECT_EQ(tid, pidfd_number(pidfd));
	EXPECT_EQ(0, ready(pidfd));

	EXPECT_EQ(1, write_nointr(thread_pipe[1], "", 1));
	EXPECT_EQ(POLLHUP, becomes_ready(pidfd, 0));
	EXPECT_EQ(POLLIN | POLLHUP, ready(pidfd));
	EXPECT_EQ(-1, pidfd_number(pidfd));
	close(pidfd);
	close(thread_pipe[0]);
	close(thread_pipe[1]);
}

TEST_F(clone, gives_a_thread_a_threads_pidfd)
{
	char *stack = new_stack(THREAD_STACK);
	int pidfd = -1;
	pid_t tid = -1;

	ASSERT_NE(NULL, stack);
	ASSERT_EQ(0, pipe2(thread_pipe, O_CLOEXEC));
	EXPECT_RUST_MAKES(1, tid = clone(thread_awaits_a_byte, stack + THREAD_STACK,
					 THREAD | CLONE_PIDFD, NULL, &pidfd));
	check_thread_pidfd(_metadata, tid, pidfd);
}

#ifdef __x86_64__
/* clone3() for a thread. The child returns on a stack without frames. */
static pid_t clone3_thread(struct __clone_args *args, int (*fn)(void *))
{
	long ret;

	asm volatile("syscall\n\t"
		"test %%rax, %%rax\n\t"
		"jnz 1f\n\t"
		"xor %%ebp, %%ebp\n\t"
		"xor %%edi, %%edi\n\t"
		"call *%[fn]\n\t"
		"mov %%eax, %%edi\n\t"
		"mov %[exit], %%eax\n\t"
		"syscall\n\t"
		"hlt\n"
		"1:"
		: "=a" (ret)
		: "0" ((long)__NR_clone3), "D" (args), "S" (sizeof(*args)),
		  [fn] "b" (fn), [exit] "i" (__NR_exit)
		: "rcx", "r11", "memory");

	if (ret < 0) {
		errno = -ret;
		return -1;
	}
	return ret;
}
#else
static pid_t clone3_thread(struct __clone_args *args, int (*fn)(void *))
{
	errno = EOPNOTSUPP;
	return -1;
}
#endif

TEST_F(clone3, gives_a_thread_a_threads_pidfd)
{
	char *stack = new_stack(THREAD_STACK);
	int pidfd = -1;
	pid_t tid = -1;
	struct __clone_args args = {
		.flags		= THREAD | CLONE_PIDFD,
		.pidfd		= ptr_to_u64(&pidfd),
		.stack		= ptr_to_u64(stack),
		.stack_size	= THREAD_STACK,
	};

#ifndef __x86_64__
	SKIP(return, "this test knows no clone3() for threads but x86-64's");
#endif
	ASSERT_NE(NULL, stack);
	ASSERT_EQ(0, pipe2(thread_pipe, O_CLOEXEC));
	EXPECT_RUST_MAKES(1, tid = clone3_thread(&args, thread_awaits_a_byte));
	check_thread_pidfd(_metadata, tid, pidfd);
}

/*
 * Clones into a file that is no cgroup. The kernel checks the file after it has made the pidfd and
 * written its number.
 */
static pid_t clone_into(int cgroup, int *pidfd)
{
	struct __clone_args args = {
		.flags		= CLONE_PIDFD | CLONE_INTO_CGROUP,
		.exit_signal	= SIGCHLD,
		.pidfd		= ptr_to_u64(pidfd),
		.cgroup		= cgroup,
	};
	pid_t pid = sys_clone3(&args, sizeof(args));

	if (pid == 0)
		_exit(EXIT_SUCCESS);
	return pid;
}

TEST_F(clone3, undoes_the_pidfd_when_the_cgroup_is_none)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	long created = rust_created();
	int pidfd = -1;

	if (access("/proc/self/cgroup", F_OK))
		SKIP(return, "CONFIG_CGROUPS is not set");

	ASSERT_GE(null, 0);
	EXPECT_CLONE_FAILS(EBADF, clone_into(null, &pidfd));
	/* The descriptor is free again. Its number had been written. */
	EXPECT_EQ(lowest_free_fd(), pidfd);
	EXPECT_EQ(-1, fcntl(pidfd, F_GETFD));
	EXPECT_EQ(created + 1, rust_created());
	close(null);
}

TEST_F(clone3, undoes_the_pidfd_when_the_cgroup_is_full)
{
	char root[] = "/tmp/pidfd_rust.XXXXXX";
	char control[64], group[64], max[80];
	const char *reason = NULL;
	long created;
	int pidfd = -1;
	int dir = -1;

	ASSERT_NE(NULL, mkdtemp(root));
	snprintf(control, sizeof(control), "%s/cgroup.subtree_control", root);
	snprintf(group, sizeof(group), "%s/pidfd_rust.%d", root, getpid());
	snprintf(max, sizeof(max), "%s/pids.max", group);

	/* The mount belongs to this process and ends with it. */
	if (unshare(CLONE_NEWNS) ||
	    mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("cgroup2", root, "cgroup2", 0, NULL))
		reason = "no cgroup2 file system";
	else if (write_file(control, "+pids") || mkdir(group, 0755) ||
		 access(max, F_OK))
		reason = "no pids controller in cgroup2";
	if (reason)
		goto skip;

	ASSERT_EQ(0, write_file(max, "0"));
	dir = open(group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT_GE(dir, 0);

	created = rust_created();
	EXPECT_CLONE_FAILS(EAGAIN, clone_into(dir, &pidfd));
	EXPECT_EQ(lowest_free_fd(), pidfd);
	EXPECT_EQ(created + 1, rust_created());

	/* The same call succeeds with room for one process. */
	ASSERT_EQ(0, write_file(max, "1"));
	EXPECT_RUST_MAKES(1, EXPECT_GT(clone_into(dir, &pidfd), 0));
	wait(NULL);

	close(pidfd);
	close(dir);
skip:
	remove_cgroup(group);
	umount2(root, MNT_DETACH);
	rmdir(root);
	if (reason)
		SKIP(return, "%s", reason);
}

static void *clones_slowly(void *arg)
{
	struct slow_pages *slow = arg;

	return (void *)(long)clone_and_exit(false, (int *)slow->slow);
}

/*
 * User space delays the write of the number. Until it is done the descriptor is allocated, but no
 * thread can use it.
 */
TEST_F(clone, descriptor_cannot_be_used_before_the_child_exists)
{
	struct slow_pages slow;
	const char *reason = make_slow_pages(&slow, 1);
	int reserved = lowest_free_fd();
	pthread_t thread;
	void *pid;

	if (reason)
		SKIP(return, "%s", reason);

	ASSERT_EQ(0, pthread_create(&thread, NULL, clones_slowly, &slow));
	ASSERT_TRUE(page_is_wanted(&slow));

	EXPECT_EQ(reserved + 1, lowest_free_fd());
	EXPECT_EQ(-1, fcntl(reserved, F_GETFD));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(-1, close(reserved));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(-1, dup2(STDERR_FILENO, reserved));
	EXPECT_EQ(EBUSY, errno);
	EXPECT_NO_CHILD();

	ASSERT_EQ(0, give_page(&slow, 0, NULL));
	ASSERT_EQ(0, pthread_join(thread, &pid));
	ASSERT_GT((long)pid, 0);
	EXPECT_EQ(reserved, *(int *)slow.slow);
	EXPECT_EQ((long)pid, pidfd_number(reserved));

	EXPECT_EQ(0, wait_for_pid((long)pid));
	close(reserved);
	free_slow_pages(&slow);
}

/*
 * The caller of clone() is killed during that write. It shares the descriptor table with the
 * tester, where the number must be free again.
 */
TEST_F(clone, killed_half_way_leaves_nothing)
{
	struct slow_pages slow;
	const char *reason;
	int pipe[2], status;
	int reserved;
	pid_t pid;

	/* A child would be the tester's. */
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_EQ(0, pipe2(pipe, O_CLOEXEC));

	pid = sys_clone(CLONE_FILES | SIGCHLD, NULL);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		reason = make_slow_pages(&slow, 1);
		if (write_nointr(pipe[1], &reason, sizeof(reason)) !=
		    sizeof(reason) ||
		    write_nointr(pipe[1], &slow, sizeof(slow)) != sizeof(slow))
			_exit(EXIT_FAILURE);
		if (!reason)
			clone_and_exit(false, (int *)slow.slow);
		_exit(EXIT_FAILURE);
	}
	ASSERT_GT(pid, 0);

	/* The child is a copy of the tester, and so are its strings. */
	ASSERT_EQ(sizeof(reason), read_nointr(pipe[0], &reason, sizeof(reason)));
	ASSERT_EQ(sizeof(slow), read_nointr(pipe[0], &slow, sizeof(slow)));
	close(pipe[0]);
	close(pipe[1]);
	if (reason) {
		waitpid(pid, NULL, 0);
		SKIP(return, "%s", reason);
	}

	/* clone() has taken the lower one of the numbers that were closed. */
	ASSERT_TRUE(page_is_wanted(&slow));
	reserved = pipe[0] < pipe[1] ? pipe[0] : pipe[1];
	EXPECT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGKILL, WTERMSIG(status));

	EXPECT_EQ(reserved, lowest_free_fd());
	EXPECT_EQ(reserved, dup2(STDERR_FILENO, reserved));
	close(reserved);
	close(slow.uffd);
}

RUST_TEST_MAIN
