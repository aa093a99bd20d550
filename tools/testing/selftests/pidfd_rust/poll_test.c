// SPDX-License-Identifier: GPL-2.0
/* Readiness and hang-up of pidfds, by poll(), select() and epoll. */
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>

#include "rust_harness.h"
#include "scm.h"

#define MANY 64

/* A thread that is blocked in poll() while the test goes on. */
struct waiter {
	pthread_t thread;
	int fd;
	int revents;
	pid_t tid;
	bool returned;
};

static void *waits(void *arg)
{
	struct waiter *w = arg;

	__atomic_store_n(&w->tid, gettid(), __ATOMIC_SEQ_CST);
	w->revents = becomes_ready(w->fd, POLLIN);
	__atomic_store_n(&w->returned, true, __ATOMIC_SEQ_CST);
	return NULL;
}

static bool start_waiter(struct waiter *w, int fd)
{
	*w = (struct waiter) { .fd = fd };
	if (pthread_create(&w->thread, NULL, waits, w))
		return false;
	while (!__atomic_load_n(&w->tid, __ATOMIC_SEQ_CST))
		sched_yield();
	return thread_becomes(getpid(), w->tid, 'S');
}

static bool still_waits(const struct waiter *w)
{
	return !__atomic_load_n(&w->returned, __ATOMIC_SEQ_CST);
}

static int end_waiter(struct waiter *w)
{
	pthread_join(w->thread, NULL);
	return w->revents;
}

RUST_FIXTURE(poll)

TEST_F(poll, reports_nothing_while_the_process_lives)
{
	struct child c;

	ASSERT_EQ(0, start_child(&c, 0));
	EXPECT_EQ(0, ready(c.pidfd));
	end_child(&c);
}

TEST_F(poll, reports_input_for_a_zombie)
{
	struct child c;

	ASSERT_EQ(0, start_child(&c, 0));
	tell_child(&c, 0);
	EXPECT_EQ(POLLIN, becomes_ready(c.pidfd, POLLIN));
	EXPECT_EQ(POLLIN, ready(c.pidfd));
	end_child(&c);
}

TEST_F(poll, reports_hangup_once_reaped)
{
	struct child c;

	ASSERT_EQ(0, start_child(&c, 0));
	tell_child(&c, 0);
	ASSERT_EQ(c.pid, waitpid(c.pid, NULL, 0));
	EXPECT_EQ(POLLIN | POLLHUP, ready(c.pidfd));
	close(c.tell);
	close(c.pidfd);
}

TEST_F(poll, reports_normal_data_and_nothing_else)
{
	struct child c;
	struct pollfd pfd = { .events = ~0 };

	ASSERT_EQ(0, start_child(&c, 0));
	pfd.fd = c.pidfd;
	EXPECT_EQ(0, poll(&pfd, 1, 0));
	tell_child(&c, 0);
	ASSERT_EQ(c.pid, waitpid(c.pid, NULL, 0));
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_EQ(POLLIN | POLLRDNORM | POLLHUP, pfd.revents);
	close(c.tell);
	close(c.pidfd);
}

TEST_F(poll, wakes_a_poller_that_waits_for_the_exit)
{
	struct waiter w;
	struct child c;

	ASSERT_EQ(0, start_child(&c, 0));
	ASSERT_TRUE(start_waiter(&w, c.pidfd));
	tell_child(&c, 0);
	EXPECT_EQ(POLLIN, end_waiter(&w));
	end_child(&c);
}

/* poll() always reports a hang-up. An empty mask leaves only that. */
TEST_F(poll, wakes_a_poller_that_waits_for_the_reaping)
{
	struct child c;
	pid_t pid;

	ASSERT_EQ(0, start_child(&c, 0));
	tell_child(&c, 0);
	ASSERT_EQ(0, await_zombie(c.pid));

	pid = fork();
	if (pid == 0)
		_exit(becomes_ready(c.pidfd, 0) == POLLHUP ? 0 : 1);
	ASSERT_TRUE(thread_becomes(pid, pid, 'S'));
	EXPECT_EQ(c.pid, waitpid(c.pid, NULL, 0));
	EXPECT_EQ(0, wait_for_pid(pid));
	close(c.tell);
	close(c.pidfd);
}

TEST_F(poll, wakes_a_waiter_in_another_process)
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
	tell_child(&c, 0);
	EXPECT_EQ(0, wait_for_pid(pid));
	end_child(&c);
}

TEST_F(poll, wakes_many_waiters)
{
	struct waiter w[8];
	struct child c;

	ASSERT_EQ(0, start_child(&c, 0));
	for (size_t i = 0; i < ARRAY_SIZE(w); i++) {
		ASSERT_TRUE(start_waiter(&w[i], c.pidfd));
	}
	tell_child(&c, 0);
	for (size_t i = 0; i < ARRAY_SIZE(w); i++) {
		EXPECT_EQ(POLLIN, end_waiter(&w[i]));
	}
	end_child(&c);
}

/* A pidfd that is sent over a socket is the same file in the receiver. */
TEST_F(poll, works_on_a_pidfd_that_was_sent)
{
	struct child c;
	int sockets[2];
	pid_t pid;

	/* The receiver starts before the pidfd is made. */
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				sockets));
	pid = fork();
	if (pid == 0) {
		int fd;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fd = receive_fd(sockets[1], SCM_RIGHTS);
		_exit(becomes_ready(fd, POLLIN) & POLLIN ? 0 : 2);
	}

	ASSERT_EQ(0, start_child(&c, 0));
	ASSERT_EQ(0, send_fd(sockets[0], c.pidfd));

	/* The message or the receiver holds the last reference now. */
	close(c.pidfd);
	c.pidfd = -1;
	tell_child(&c, 0);
	EXPECT_EQ(0, wait_for_pid(pid));
	end_child(&c);
	close(sockets[0]);
	close(sockets[1]);
}

TEST_F(poll, select_reports_the_same)
{
	struct timeval none = {}, patience = { .tv_sec = PATIENCE_MS / 1000 };
	struct child c;
	fd_set set;

	ASSERT_EQ(0, start_child(&c, 0));
	FD_ZERO(&set);
	FD_SET(c.pidfd, &set);
	EXPECT_EQ(0, select(c.pidfd + 1, &set, NULL, NULL, &none));

	tell_child(&c, 0);
	FD_SET(c.pidfd, &set);
	EXPECT_EQ(1, select(c.pidfd + 1, &set, NULL, NULL, &patience));
	EXPECT_TRUE(FD_ISSET(c.pidfd, &set));

	/* Never for writing or as an exception. */
	ASSERT_EQ(c.pid, waitpid(c.pid, NULL, 0));
	none = (struct timeval) {};
	EXPECT_EQ(0, select(c.pidfd + 1, NULL, &set, NULL, &none));
	FD_SET(c.pidfd, &set);
	EXPECT_EQ(0, select(c.pidfd + 1, NULL, NULL, &set, &none));
	close(c.tell);
	close(c.pidfd);
}

RUST_FIXTURE(epoll)

static int epoll_on(int fd, unsigned int events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) {
		close(epoll);
		return -1;
	}
	return epoll;
}

/* The events of the one file in @epoll; 0 for none. */
static unsigned int events_of(int epoll, int timeout)
{
	struct epoll_event event = {};

	return epoll_wait(epoll, &event, 1, timeout) == 1 ? event.events : 0;
}

TEST_F(epoll, level_reports_again_and_again)
{
	struct child c;
	int epoll;

	ASSERT_EQ(0, start_child(&c, 0));
	epoll = epoll_on(c.pidfd, EPOLLIN);
	ASSERT_GE(epoll, 0);
	EXPECT_EQ(0, events_of(epoll, 0));
	tell_child(&c, 0);
	EXPECT_EQ(EPOLLIN, events_of(epoll, PATIENCE_MS));
	EXPECT_EQ(EPOLLIN, events_of(epoll, 0));
	ASSERT_EQ(c.pid, waitpid(c.pid, NULL, 0));
	EXPECT_EQ(EPOLLIN | EPOLLHUP, events_of(epoll, 0));
	EXPECT_EQ(EPOLLIN | EPOLLHUP, events_of(epoll, 0));
	close(epoll);
	close(c.tell);
	close(c.pidfd);
}

TEST_F(epoll, edge_reports_each_change_once)
{
	struct child c;
	int epoll;

	ASSERT_EQ(0, start_child(&c, 0));
	epoll = epoll_on(c.pidfd, EPOLLIN | EPOLLET);
	ASSERT_GE(epoll, 0);
	EXPECT_EQ(0, events_of(epoll, 0));
	tell_child(&c, 0);
	EXPECT_EQ(EPOLLIN, events_of(epoll, PATIENCE_MS));
	EXPECT_EQ(0, events_of(epoll, 0));
	ASSERT_EQ(c.pid, waitpid(c.pid, NULL, 0));
	EXPECT_EQ(EPOLLIN | EPOLLHUP, events_of(epoll, PATIENCE_MS));
	EXPECT_EQ(0, events_of(epoll, 0));
	close(epoll);
	close(c.tell);
	close(c.pidfd);
}

TEST_F(epoll, edge_reports_an_exit_before_the_registration)
{
	struct child c;
	int epoll;

	ASSERT_EQ(0, start_child(&c, 0));
	tell_child(&c, 0);
	ASSERT_EQ(0, await_zombie(c.pid));
	epoll = epoll_on(c.pidfd, EPOLLIN | EPOLLET);
	ASSERT_GE(epoll, 0);
	EXPECT_EQ(EPOLLIN, events_of(epoll, 0));
	EXPECT_EQ(0, events_of(epoll, 0));
	close(epoll);
	end_child(&c);
}

TEST_F(epoll, forgets_a_pidfd_that_is_closed)
{
	struct child c;
	int epoll;

	ASSERT_EQ(0, start_child(&c, 0));
	epoll = epoll_on(c.pidfd, EPOLLIN);
	ASSERT_GE(epoll, 0);
	close(c.pidfd);
	c.pidfd = -1;
	end_child(&c);
	EXPECT_EQ(0, events_of(epoll, 0));
	close(epoll);
}

TEST_F_TIMEOUT(epoll, reports_each_of_many_pidfds, 120)
{
	struct child children[MANY];
	bool reported[MANY] = {};
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_GE(epoll, 0);
	for (int i = 0; i < MANY; i++) {
		struct epoll_event event = { .events = EPOLLIN | EPOLLET,
					     .data.u32 = i };

		ASSERT_EQ(0, start_child(&children[i], 0));
		ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD,
				       children[i].pidfd, &event));
	}
	EXPECT_EQ(0, events_of(epoll, 0));

	/* All exit at once, and each is reported exactly once. */
	for (int i = 0; i < MANY; i++)
		tell_child(&children[i], 0);
	for (int n = 0; n < MANY; n++) {
		struct epoll_event event = {};

		ASSERT_EQ(1, epoll_wait(epoll, &event, 1, PATIENCE_MS));
		EXPECT_EQ(EPOLLIN, event.events);
		EXPECT_FALSE(reported[event.data.u32]);
		reported[event.data.u32] = true;
	}
	EXPECT_EQ(0, events_of(epoll, 0));

	close(epoll);
	for (int i = 0; i < MANY; i++)
		end_child(&children[i]);
}

TEST_F(epoll, takes_many_pidfds_of_one_process)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event events[MANY];
	int fds[MANY], seen = 0, n;
	struct child c;

	ASSERT_GE(epoll, 0);
	ASSERT_EQ(0, start_child(&c, 0));
	for (int i = 0; i < MANY; i++) {
		struct epoll_event event = { .events = EPOLLIN };

		fds[i] = sys_pidfd_open(c.pid, 0);
		ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event));
	}
	tell_child(&c, 0);
	ASSERT_EQ(0, await_zombie(c.pid));
	n = epoll_wait(epoll, events, MANY, PATIENCE_MS);
	for (int i = 0; i < n; i++)
		seen += events[i].events == EPOLLIN;
	EXPECT_EQ(MANY, seen);

	for (int i = 0; i < MANY; i++)
		close(fds[i]);
	close(epoll);
	end_child(&c);
}

/*
 * Threads. The process under test executes this program with its role as the first argument, so
 * that threads and exec start from a clean state. It reports its state on standard output and exits
 * when standard input ends.
 */
static void say(char what)
{
	if (write_nointr(STDOUT_FILENO, &what, 1) != 1)
		_exit(EXIT_FAILURE);
}

static void await_end(void)
{
	char byte;

	while (read_nointr(STDIN_FILENO, &byte, 1) > 0)
		;
}

static void *outlives_the_leader(void *unused)
{
	await_end();
	_exit(EXIT_SUCCESS);
}

static void *execs(void *unused)
{
	char byte;

	/* The leader may be a zombie, whose link to its program is empty. */
	if (read_nointr(STDIN_FILENO, &byte, 1) == 1)
		execl("/proc/thread-self/exe", "poll_test", "exec-ed", NULL);
	_exit(EXIT_FAILURE);
}

static void *tells_its_tid(void *unused)
{
	pid_t tid = gettid();

	if (write_nointr(STDOUT_FILENO, &tid, sizeof(tid)) != sizeof(tid))
		_exit(EXIT_FAILURE);
	await_end();
	return NULL;
}

static int be(const char *what)
{
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);

	if (!strcmp(what, "exec-ed")) {
		say('E');
		await_end();
		return EXIT_SUCCESS;
	}

	if (!strcmp(what, "leader-exits")) {
		if (pthread_create(&thread, NULL, outlives_the_leader, NULL))
			return EXIT_FAILURE;
		say('L');
		/* This ends the thread alone. exit() would end the process. */
		syscall(__NR_exit, 0);
	}

	if (!strcmp(what, "thread-execs") ||
	    !strcmp(what, "thread-execs-after-leader")) {
		if (pthread_create(&thread, NULL, execs, NULL))
			return EXIT_FAILURE;
		say('T');
		if (!strcmp(what, "thread-execs-after-leader"))
			syscall(__NR_exit, 0);
		for (;;)
			pause();
	}

	if (!strcmp(what, "thread-ends")) {
		if (pthread_create(&thread, NULL, tells_its_tid, NULL) ||
		    pthread_join(thread, NULL))
			return EXIT_FAILURE;
		say('J');
		for (;;)
			pause();
	}

	fprintf(stderr, "poll_test: no such part: %s\n", what);
	return EXIT_FAILURE;
}

/* A child with such a role. @in and @out are the tester's ends of its pipes. */
struct actor {
	pid_t pid;
	int pidfd;
	int in;
	int out;
};

static int start_actor(struct actor *a, const char *what)
{
	int in[2], out[2];

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		return -1;

	a->pid = create_child(&a->pidfd, 0);
	if (a->pid == 0) {
		if (dup2(in[0], STDIN_FILENO) < 0 ||
		    dup2(out[1], STDOUT_FILENO) < 0)
			_exit(EXIT_FAILURE);
		execl("/proc/self/exe", "poll_test", what, NULL);
		_exit(EXIT_FAILURE);
	}
	close(in[0]);
	close(out[1]);
	a->in = in[1];
	a->out = out[0];
	return a->pid < 0 ? -1 : 0;
}

/* Waits for the next state that the actor reports; 0 if it has exited. */
static char hear(const struct actor *a)
{
	char what;

	if (!(becomes_ready(a->out, POLLIN) & POLLIN) ||
	    read_nointr(a->out, &what, 1) != 1)
		return 0;
	return what;
}

static void end_actor(struct actor *a)
{
	if (a->in >= 0)
		close(a->in);
	kill(a->pid, SIGKILL);
	waitpid(a->pid, NULL, 0);
	close(a->out);
	close(a->pidfd);
}

/* Both kinds of a leader's pidfd refer to the thread group. */
FIXTURE(leader)
{
	struct numbers before;
	struct actor actor;
	int fd;
};

FIXTURE_VARIANT(leader)
{
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(leader, as_process)
{
	.flags = 0,
};

FIXTURE_VARIANT_ADD(leader, as_thread)
{
	.flags = PIDFD_THREAD,
};

FIXTURE_SETUP(leader)
{
	rust_setup(_metadata, &self->before);
}

FIXTURE_TEARDOWN(leader)
{
	close(self->fd);
	end_actor(&self->actor);
	rust_teardown(_metadata, &self->before);
}

/* Starts the actor and opens the pidfd under test. */
#define START(what) do {						\
	ASSERT_EQ(0, start_actor(&self->actor, what));			\
	self->fd = sys_pidfd_open(self->actor.pid, variant->flags);	\
	ASSERT_GE(self->fd, 0);						\
} while (0)

/* Ends the actor and checks that the pidfd becomes readable only then. */
#define EXPECT_READABLE_AT_THE_END(w) do {				\
	EXPECT_EQ(0, ready(self->fd));					\
	EXPECT_TRUE(still_waits(w));					\
	close(self->actor.in);						\
	self->actor.in = -1;						\
	EXPECT_EQ(POLLIN, end_waiter(w));				\
	EXPECT_EQ(POLLIN, ready(self->fd));				\
	EXPECT_EQ(0, wait_for_pid(self->actor.pid));			\
	EXPECT_EQ(POLLIN | POLLHUP, ready(self->fd));			\
} while (0)

TEST_F(leader, that_exits_before_its_threads_is_not_readable)
{
	struct waiter w;

	START("leader-exits");
	ASSERT_TRUE(start_waiter(&w, self->fd));
	EXPECT_EQ('L', hear(&self->actor));
	ASSERT_TRUE(thread_becomes(self->actor.pid, self->actor.pid, 'Z'));
	EXPECT_READABLE_AT_THE_END(&w);
}

TEST_F(leader, whose_thread_execs_is_not_readable)
{
	struct waiter w;

	START("thread-execs");
	ASSERT_TRUE(start_waiter(&w, self->fd));
	EXPECT_EQ('T', hear(&self->actor));
	EXPECT_EQ(1, write_nointr(self->actor.in, "", 1));
	EXPECT_EQ('E', hear(&self->actor));
	EXPECT_EQ(self->actor.pid, pidfd_number(self->fd));
	EXPECT_READABLE_AT_THE_END(&w);
}

TEST_F(leader, that_exits_and_whose_thread_execs_is_not_readable)
{
	struct waiter w;

	START("thread-execs-after-leader");
	ASSERT_TRUE(start_waiter(&w, self->fd));
	EXPECT_EQ('T', hear(&self->actor));
	ASSERT_TRUE(thread_becomes(self->actor.pid, self->actor.pid, 'Z'));
	EXPECT_EQ(0, ready(self->fd));
	EXPECT_EQ(1, write_nointr(self->actor.in, "", 1));
	EXPECT_EQ('E', hear(&self->actor));
	EXPECT_READABLE_AT_THE_END(&w);
}

RUST_FIXTURE(thread)

TEST_F(thread, is_readable_and_hung_up_once_it_ended)
{
	struct actor a;
	struct waiter w;
	pid_t tid = 0;
	int fd = -1;

	ASSERT_EQ(0, start_actor(&a, "thread-ends"));
	ASSERT_EQ(sizeof(tid), read_nointr(a.out, &tid, sizeof(tid)));
	EXPECT_RUST_MAKES(1, fd = sys_pidfd_open(tid, PIDFD_THREAD));
	ASSERT_GE(fd, 0);
	EXPECT_EQ(tid, pidfd_number(fd));
	EXPECT_EQ(0, ready(fd));

	ASSERT_TRUE(start_waiter(&w, fd));
	close(a.in);
	a.in = -1;
	EXPECT_TRUE(end_waiter(&w) & POLLIN);
	EXPECT_EQ(POLLHUP, becomes_ready(fd, 0));
	EXPECT_EQ(-1, pidfd_number(fd));
	EXPECT_EQ(-1, sys_pidfd_send_signal(fd, 0, NULL, 0));
	EXPECT_EQ(ESRCH, errno);

	/* Its process lives on. */
	EXPECT_EQ('J', hear(&a));
	EXPECT_EQ(0, ready(a.pidfd));
	close(fd);
	end_actor(&a);
}

/* A thread that calls exec takes the number of its leader, and loses its own. */
TEST_F(thread, that_execs_loses_its_number)
{
	struct actor a;
	char path[64];
	struct dirent *entry;
	pid_t tid = 0;
	DIR *dir;
	int fd;

	ASSERT_EQ(0, start_actor(&a, "thread-execs"));
	EXPECT_EQ('T', hear(&a));
	snprintf(path, sizeof(path), "/proc/%d/task", a.pid);
	dir = opendir(path);
	ASSERT_NE(NULL, dir);
	while ((entry = readdir(dir)))
		if (atoi(entry->d_name) && atoi(entry->d_name) != a.pid)
			tid = atoi(entry->d_name);
	closedir(dir);
	ASSERT_NE(0, tid);
	fd = sys_pidfd_open(tid, PIDFD_THREAD);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(0, ready(fd));

	EXPECT_EQ(1, write_nointr(a.in, "", 1));
	EXPECT_EQ('E', hear(&a));
	EXPECT_EQ(POLLIN | POLLHUP, ready(fd));
	EXPECT_EQ(0, ready(a.pidfd));
	close(fd);
	end_actor(&a);
}

int main(int argc, char **argv)
{
	if (argc == 2 && argv[1][0] != '-')
		return be(argv[1]);

	return rust_test_main(argc, argv);
}
