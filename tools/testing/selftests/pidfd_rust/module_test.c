// SPDX-License-Identifier: GPL-2.0
/*
 * Loading and unloading the module on a running system.
 */
#include <sys/epoll.h>
#include <sys/socket.h>

#include "faults.h"
#include "pidfd_module.h"
#include "pidfs.h"
#include "uring.h"

#define WORKERS 2
#define ROUNDS_BY_DEFAULT 200

FIXTURE(module)
{
	int unused;
};

FIXTURE_SETUP(module)
{
	begin_without_module(_metadata);
}

/* Runs in the parent of the test, after all pidfds of the test are closed. */
FIXTURE_TEARDOWN_PARENT(module)
{
	unload_left_behind(_metadata);
}

#define EXPECT_UNLOAD_REFUSED() do {					\
	EXPECT_EQ(-1, unload_module());					\
	EXPECT_EQ(EWOULDBLOCK, errno);					\
	EXPECT_GE(rust_open(), 1);					\
} while (0)

TEST_F(module, serves_from_load_to_unload)
{
	struct child c;
	int fd;

	/* By C. */
	fd = sys_pidfd_open(getpid(), 0);
	EXPECT_TRUE(is_pidfd(fd));
	close(fd);

	LOAD();
	EXPECT_EQ(0, rust_created());
	EXPECT_EQ(0, rust_open());
	EXPECT_EQ(0, rust_refcnt());
	EXPECT_RUST_MAKES(1, fd = sys_pidfd_open(getpid(), 0));
	EXPECT_RUST_MAKES(1, EXPECT_EQ(0, start_child(&c, 0)));
	EXPECT_EQ(2, rust_created());
	close(fd);
	end_child(&c);
	EXPECT_EQ(0, rust_open());
	EXPECT_EQ(0, unload_module());

	/* By C again. */
	EXPECT_EQ(-1, rust_created());
	EXPECT_EQ(-1, rust_open());
	EXPECT_EQ(-1, access("/sys/module/rust_pidfd", F_OK));
	fd = sys_pidfd_open(getpid(), 0);
	EXPECT_TRUE(is_pidfd(fd));
	EXPECT_EQ(getpid(), pidfd_number(fd));
	close(fd);
	ASSERT_EQ(0, start_child(&c, 0));
	EXPECT_EQ(c.pid, pidfd_number(c.pidfd));
	end_child(&c);
}

TEST_F(module, cannot_be_loaded_twice)
{
	int fd;

	LOAD();
	fd = sys_pidfd_open(getpid(), 0);
	EXPECT_EQ(-1, load_module());
	EXPECT_EQ(EEXIST, errno);
	EXPECT_EQ(1, rust_open());
	EXPECT_EQ(getpid(), pidfd_number(fd));
	close(fd);
	EXPECT_EQ(0, unload_module());
}

TEST_F(module, counts_anew_after_each_load)
{
	for (int i = 0; i < 3; i++) {
		LOAD();
		EXPECT_EQ(0, rust_created());
		close(sys_pidfd_open(getpid(), 0));
		EXPECT_EQ(1, rust_created());
		EXPECT_EQ(0, unload_module());
	}
}

TEST_F(module, is_held_once_for_each_process_with_a_pidfd)
{
	int fds[2], other;
	struct child c;

	LOAD();
	/* The child starts first: it would inherit the other pidfds. */
	ASSERT_EQ(0, start_child(&c, 0));
	EXPECT_EQ(1, rust_refcnt());
	other = dup(c.pidfd);
	EXPECT_EQ(1, rust_refcnt());
	fds[0] = sys_pidfd_open(getpid(), 0);
	EXPECT_EQ(2, rust_refcnt());
	fds[1] = sys_pidfd_open(getpid(), 0);
	EXPECT_EQ(2, rust_refcnt());
	close(fds[0]);
	EXPECT_EQ(2, rust_refcnt());
	close(fds[1]);
	EXPECT_EQ(1, settles(rust_refcnt, 1));
	close(other);
	end_child(&c);
	EXPECT_EQ(0, settles(rust_refcnt, 0));
	EXPECT_EQ(0, unload_module());
}

TEST_F(module, stays_while_an_opened_pidfd_is_open)
{
	int fd, copy;

	LOAD();
	fd = sys_pidfd_open(getpid(), 0);
	EXPECT_UNLOAD_REFUSED();
	copy = dup(fd);
	close(fd);
	EXPECT_UNLOAD_REFUSED();
	EXPECT_EQ(getpid(), pidfd_number(copy));
	close(copy);
	EXPECT_EQ(0, unload_module());
}

/* An open counter does not hold the module. */
TEST_F(module, goes_while_a_counter_is_open)
{
	char number[16];
	int fds[2], again;

	LOAD();
	fds[0] = open(COUNTERS "created", O_RDONLY | O_CLOEXEC);
	fds[1] = open(COUNTERS "open", O_RDONLY | O_CLOEXEC);
	ASSERT_GE(fds[0], 0);
	ASSERT_GE(fds[1], 0);
	EXPECT_EQ(2, read(fds[0], number, sizeof(number)));
	EXPECT_EQ(0, unload_module());
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(-1, pread(fds[i], number, sizeof(number), 0));
		EXPECT_EQ(EIO, errno);
	}

	/* The file does not read the counter of the next module. Its last close does no harm. */
	LOAD();
	EXPECT_EQ(-1, pread(fds[1], number, sizeof(number), 0));
	close(fds[0]);
	EXPECT_RUST_MAKES(1, again = sys_pidfd_open(getpid(), 0));
	close(again);
	EXPECT_EQ(0, unload_module());
	close(fds[1]);
}

TEST_F(module, stays_while_a_cloned_pidfd_is_open)
{
	struct child c;

	LOAD();
	ASSERT_EQ(0, start_child(&c, 0));
	EXPECT_UNLOAD_REFUSED();

	/* The same after the reaping. */
	tell_child(&c, 0);
	ASSERT_EQ(c.pid, waitpid(c.pid, NULL, 0));
	EXPECT_UNLOAD_REFUSED();
	EXPECT_EQ(POLLIN | POLLHUP, ready(c.pidfd));
	close(c.tell);
	close(c.pidfd);
	EXPECT_EQ(0, unload_module());
}

TEST_F(module, goes_while_the_process_of_a_closed_pidfd_lives)
{
	struct child c;

	LOAD();
	ASSERT_EQ(0, start_child(&c, 0));
	close(c.pidfd);
	EXPECT_EQ(0, unload_module());

	/* C serves the process as before. */
	c.pidfd = sys_pidfd_open(c.pid, 0);
	EXPECT_EQ(c.pid, pidfd_number(c.pidfd));
	EXPECT_EQ(0, ready(c.pidfd));
	end_child(&c);
}

TEST_F(module, stays_while_another_process_has_the_pidfd)
{
	struct child c;
	int fd;

	LOAD();
	fd = sys_pidfd_open(getpid(), 0);
	/* The child inherits a copy. The pidfd of the child itself is closed at once. */
	ASSERT_EQ(0, start_child(&c, 0));
	close(c.pidfd);
	c.pidfd = -1;
	close(fd);
	EXPECT_UNLOAD_REFUSED();
	end_child(&c);
	EXPECT_EQ(0, rust_open());
	EXPECT_EQ(0, unload_module());
}

TEST_F(module, stays_while_a_pidfd_is_under_way)
{
	int sockets[2], fd;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				sockets));
	LOAD();
	fd = sys_pidfd_open(getpid(), 0);
	ASSERT_EQ(0, send_fd(sockets[0], fd));
	close(fd);
	EXPECT_UNLOAD_REFUSED();

	/* The message is never received. The socket releases the pidfd. */
	close(sockets[0]);
	close(sockets[1]);
	EXPECT_EQ(0, settles(rust_open, 0));
	EXPECT_EQ(0, unload_busy_module());
}

TEST_F(module, goes_after_a_clone_that_failed)
{
	LOAD();
	EXPECT_EQ(-1, sys_clone(CLONE_PIDFD | SIGCHLD, (int *)8));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(0, rust_open());
	EXPECT_EQ(0, unload_module());
}

/* Checks every system call on a C pidfd of a living child. */
static void check_c_pidfd(struct __test_metadata *_metadata,
			  const struct child *c)
{
	struct pidfd_info info = { .mask = PIDFD_INFO_PID };
	size_t page = sysconf(_SC_PAGESIZE);
	struct iovec iov = { .iov_len = page };
	siginfo_t si = {};
	int fd, status;
	pid_t pid;

	EXPECT_TRUE(is_pidfd(c->pidfd));
	EXPECT_EQ(c->pid, pidfd_number(c->pidfd));
	EXPECT_EQ(0, ready(c->pidfd));
	EXPECT_EQ(0, sys_pidfd_send_signal(c->pidfd, 0, NULL, 0));
	EXPECT_EQ(0, sys_waitid(P_PIDFD, c->pidfd, &si, WEXITED | WNOHANG));
	EXPECT_EQ(0, si.si_pid);
	EXPECT_EQ(0, ioctl(c->pidfd, PIDFD_GET_INFO, &info));
	EXPECT_EQ(c->pid, info.pid);

	fd = sys_pidfd_getfd(c->pidfd, STDERR_FILENO, 0);
	EXPECT_GE(fd, 0);
	close(fd);

	/* The memory of the child is a copy of the tester's, at the same addresses. */
	iov.iov_base = (void *)((uintptr_t)&page & ~(page - 1));
	EXPECT_EQ(page, syscall(__NR_process_madvise, c->pidfd, &iov, 1,
				MADV_COLD, 0));

	pid = fork();
	if (pid == 0)
		_exit(setns(c->pidfd, CLONE_NEWUTS) ? 1 : 0);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(module, leaves_c_pidfds_alone)
{
	struct child cloned, opened;
	int own, epoll;
	struct epoll_event event = { .events = EPOLLIN };

	ASSERT_EQ(0, start_child(&cloned, 0));
	ASSERT_EQ(0, start_child(&opened, 0));
	close(opened.pidfd);
	opened.pidfd = sys_pidfd_open(opened.pid, 0);
	own = sys_pidfd_open(getpid(), PIDFD_NONBLOCK | PIDFD_THREAD);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, cloned.pidfd, &event));
	check_c_pidfd(_metadata, &cloned);

	LOAD();
	EXPECT_RUST_MAKES(0, check_c_pidfd(_metadata, &cloned));
	EXPECT_RUST_MAKES(0, check_c_pidfd(_metadata, &opened));
	EXPECT_EQ(getpid(), pidfd_number(own));
	EXPECT_EQ(O_RDWR | PIDFD_NONBLOCK | PIDFD_THREAD, fcntl(own, F_GETFL));

	/* One process exits while Rust serves, and its C pidfd reports that. */
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	tell_child(&cloned, 0);
	EXPECT_EQ(1, epoll_wait(epoll, &event, 1, PATIENCE_MS));
	EXPECT_EQ(EPOLLIN, event.events);
	EXPECT_EQ(0, sys_waitid(P_PIDFD, cloned.pidfd, NULL, WEXITED));
	EXPECT_EQ(POLLIN | POLLHUP, ready(cloned.pidfd));
	EXPECT_EQ(-1, pidfd_number(cloned.pidfd));
	EXPECT_EQ(-1, sys_pidfd_send_signal(cloned.pidfd, 0, NULL, 0));
	EXPECT_EQ(ESRCH, errno);

	/* They do not hold the module. */
	EXPECT_EQ(0, rust_open());
	EXPECT_EQ(0, unload_module());
	check_c_pidfd(_metadata, &opened);
	EXPECT_EQ(POLLIN | POLLHUP, ready(cloned.pidfd));

	close(cloned.tell);
	close(cloned.pidfd);
	end_child(&opened);
	close(own);
	close(epoll);
}

TEST_F(module, wakes_a_poller_from_before_the_load)
{
	struct child c;
	pid_t pid;

	ASSERT_EQ(0, start_child(&c, 0));
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(becomes_ready(c.pidfd, POLLIN) == POLLIN ? 0 : 1);
	}
	ASSERT_TRUE(thread_becomes(pid, pid, 'S'));

	LOAD();
	tell_child(&c, 0);
	EXPECT_EQ(0, wait_for_pid(pid));
	EXPECT_EQ(0, unload_module());
	end_child(&c);
}

TEST_F(module, and_c_make_pidfds_of_the_same_process)
{
	struct child c;
	int rust;

	ASSERT_EQ(0, start_child(&c, 0));
	LOAD();
	EXPECT_RUST_MAKES(1, rust = sys_pidfd_open(c.pid, 0));
	EXPECT_EQ(c.pid, pidfd_number(c.pidfd));
	EXPECT_EQ(c.pid, pidfd_number(rust));
	tell_child(&c, 0);
	EXPECT_EQ(POLLIN, becomes_ready(rust, POLLIN));
	EXPECT_EQ(POLLIN, becomes_ready(c.pidfd, POLLIN));
	EXPECT_EQ(0, sys_waitid(P_PIDFD, rust, NULL, WEXITED));
	EXPECT_EQ(POLLIN | POLLHUP, ready(rust));
	EXPECT_EQ(POLLIN | POLLHUP, ready(c.pidfd));
	close(rust);
	EXPECT_EQ(0, unload_module());
	close(c.tell);
	close(c.pidfd);
}

/* The progress of a worker, in shared memory. */
struct work {
	bool stop;
	long bursts[WORKERS];
	const char *wrong[WORKERS];
};

/* Runs bursts without a pause, and at times with no pidfd open. */
static void work_on(struct work *work, int i)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	srand(i);

	while (!__atomic_load_n(&work->stop, __ATOMIC_SEQ_CST)) {
		work->wrong[i] = burst();
		if (work->wrong[i])
			_exit(EXIT_FAILURE);
		__atomic_fetch_add(&work->bursts[i], 1, __ATOMIC_SEQ_CST);
		if (rand() % 4 == 0)
			usleep(rand() % 2000);
	}
	_exit(EXIT_SUCCESS);
}

static long all_bursts(struct work *work)
{
	long n = 0;

	for (int i = 0; i < WORKERS; i++)
		n += __atomic_load_n(&work->bursts[i], __ATOMIC_SEQ_CST);
	return n;
}

/* Waits until the workers have made progress, or one has stopped. */
static bool workers_get_on(struct work *work)
{
	long before = all_bursts(work);

	for (int i = 0; i < PATIENCE_MS * 10; i++) {
		if (all_bursts(work) > before)
			return true;
		usleep(100);
	}
	return false;
}

TEST_F_TIMEOUT(module, comes_and_goes_while_others_are_busy, 500)
{
	int n = rounds(ROUNDS_BY_DEFAULT);
	long by_rust = 0, by_all;
	struct work *work;
	pid_t pids[WORKERS];

	work = mmap(NULL, sizeof(*work), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, work);
	for (int i = 0; i < WORKERS; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			work_on(work, i);
		ASSERT_GT(pids[i], 0);
	}

	for (int i = 0; i < n; i++) {
		LOAD();
		ASSERT_TRUE(workers_get_on(work));
		by_rust += rust_created();
		ASSERT_EQ(0, unload_busy_module()) {
			TH_LOG("round %d: cannot unload: %s", i,
			       strerror(errno));
		}
		if (i % 8 == 0) {
			ASSERT_TRUE(workers_get_on(work));
		}
	}

	__atomic_store_n(&work->stop, true, __ATOMIC_SEQ_CST);
	for (int i = 0; i < WORKERS; i++) {
		EXPECT_EQ(0, wait_for_pid(pids[i])) {
			TH_LOG("wrong in worker %d: %s", i,
			       work->wrong[i] ?: "its end");
		}
	}

	by_all = all_bursts(work) * BURST;
	TH_LOG("%d rounds, %ld pidfds, at least %ld of them by Rust", n, by_all,
	       by_rust);
	EXPECT_GT(by_rust, 0);
	munmap(work, sizeof(*work));
}

/* The file of the module in memory, so that only the load can fail. */
static void *read_module(size_t *size)
{
	int fd = open(getenv("PIDFD_MODULE"), O_RDONLY | O_CLOEXEC);
	struct stat st = {};
	char *image = NULL;

	if (fd >= 0 && !fstat(fd, &st))
		image = malloc(st.st_size);
	*size = 0;
	while (image && *size < (size_t)st.st_size) {
		ssize_t n = read(fd, image + *size, st.st_size - *size);

		if (n <= 0)
			break;
		*size += n;
	}
	close(fd);
	return image;
}

/*
 * The loader can do without some allocations. A load that fails may return any error, and leaves no
 * module behind.
 */
TEST_F_TIMEOUT(module, survives_injected_faults_while_it_is_loaded, 550)
{
	int n, refused = 0;
	struct faults faults;
	const char *reason = start_faults(&faults);
	bool failed = true;
	size_t size;
	void *image;

	if (reason)
		SKIP(return, "%s", reason);
	image = read_module(&size);
	ASSERT_NE(NULL, image);
	ASSERT_EQ(0, syscall(__NR_init_module, image, size, ""));
	ASSERT_EQ(0, unload_module());
	for (n = 1; failed && n < MOST_FAULTS; n++) {
		long ret = let_fail(&faults, n) ? -1 :
			   syscall(__NR_init_module, image, size, "");
		int err = errno, fd;

		failed = has_failed(&faults);
		if (ret) {
			refused++;
			EXPECT_TRUE(failed);
			EXPECT_EQ(-1, access("/sys/module/rust_pidfd", F_OK));
			EXPECT_FALSE(rust_serves());
			EXPECT_TRUE(err == ENOMEM || err == EFAULT || err == ENOEXEC);
		} else {
			fd = sys_pidfd_open(getpid(), 0);
			EXPECT_TRUE(is_pidfd(fd));
			close(fd);
			EXPECT_EQ(0, unload_busy_module());
		}
		/* C serves. At times, the next try follows. */
		fd = sys_pidfd_open(getpid(), 0);
		EXPECT_TRUE(is_pidfd(fd));
		close(fd);
		if (n % 32 == 0) {
			EXPECT_EQ(0, syscall(__NR_init_module, image, size, ""));
			EXPECT_RUST_MAKES(1, fd = sys_pidfd_open(getpid(), 0));
			close(fd);
			EXPECT_EQ(0, unload_busy_module());
		}
		if (_metadata->exit_code != KSFT_PASS) {
			TH_LOG("fault %d: %s", n, strerror(err));
			break;
		}
	}
	stop_faults(&faults);
	free(image);
	EXPECT_FALSE(failed);
	EXPECT_GT(refused, 0);
	TH_LOG("%d faults walked, %d of them keep it from being loaded", n - 2,
	       refused);
}

/* The child starts first: it would inherit the ring, and hold it open. */
static int start_child_and_ring(struct child *c, struct ring *ring)
{
	return start_child(c, 0) || start_ring(ring, 0) ? -1 : 0;
}

TEST_F(module, stays_while_io_uring_polls_a_closed_pidfd)
{
	const char *reason = no_io_uring();
	struct io_uring_cqe cqe;
	struct ring ring;
	struct child c;

	if (reason)
		SKIP(return, "%s", reason);
	LOAD();
	ASSERT_EQ(0, start_child_and_ring(&c, &ring));
	queue_poll(&ring, c.pidfd, POLLIN, 1);
	ASSERT_EQ(1, submit(&ring));
	close(c.pidfd);
	c.pidfd = -1;
	EXPECT_UNLOAD_REFUSED();
	EXPECT_TRUE(is_idle(&ring));

	tell_child(&c, 0);
	EXPECT_TRUE(completes(&ring, &cqe));
	EXPECT_EQ(POLLIN, cqe.res);
	EXPECT_EQ(0, settles(rust_open, 0));
	EXPECT_EQ(0, unload_busy_module());
	end_ring(&ring);
	end_child(&c);
}

TEST_F(module, stays_until_a_ring_that_polls_is_closed)
{
	const char *reason = no_io_uring();
	struct ring ring;
	struct child c;

	if (reason)
		SKIP(return, "%s", reason);
	LOAD();
	ASSERT_EQ(0, start_child_and_ring(&c, &ring));
	queue_poll(&ring, c.pidfd, POLLIN, 1)->len = IORING_POLL_ADD_MULTI;
	ASSERT_EQ(1, submit(&ring));
	close(c.pidfd);
	c.pidfd = -1;
	EXPECT_UNLOAD_REFUSED();

	/* The process lives on. */
	end_ring(&ring);
	EXPECT_EQ(0, settles(rust_open, 0));
	EXPECT_EQ(0, unload_busy_module());
	end_child(&c);
}

TEST_F(module, stays_while_a_pidfd_is_registered_with_io_uring)
{
	const char *reason = no_io_uring();
	struct ring ring;
	struct child c;

	if (reason)
		SKIP(return, "%s", reason);
	LOAD();
	ASSERT_EQ(0, start_child_and_ring(&c, &ring));
	ASSERT_EQ(0, register_files(&ring, &c.pidfd, 1));
	close(c.pidfd);
	c.pidfd = -1;
	EXPECT_UNLOAD_REFUSED();
	ASSERT_EQ(0, unregister_files(&ring));
	EXPECT_EQ(0, settles(rust_open, 0));
	EXPECT_EQ(0, unload_busy_module());
	end_ring(&ring);
	end_child(&c);
}

/* A wait request has a reference to the process, and none to the file. */
TEST_F(module, goes_while_io_uring_waits_for_the_process)
{
	const char *reason = no_io_uring();
	struct io_uring_cqe cqe;
	siginfo_t info = {};
	struct ring ring;
	struct child c;

	if (reason)
		SKIP(return, "%s", reason);
	LOAD();
	ASSERT_EQ(0, start_child_and_ring(&c, &ring));
	EXPECT_EQ(1, rust_open());
	queue_waitid(&ring, P_PIDFD, c.pidfd, &info, WEXITED, 1);
	ASSERT_EQ(1, submit(&ring));
	close(c.pidfd);
	EXPECT_EQ(0, unload_busy_module());

	tell_child(&c, 7);
	EXPECT_TRUE(completes(&ring, &cqe));
	EXPECT_EQ(0, cqe.res);
	EXPECT_EQ(c.pid, info.si_pid);
	EXPECT_EQ(7, info.si_status);
	close(c.tell);
	end_ring(&ring);
}

MODULE_TEST_MAIN
