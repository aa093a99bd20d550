// SPDX-License-Identifier: GPL-2.0
/*
 * Actors race with each other, for RACE_SECONDS in each race. Each check states what holds in any
 * order of events.
 *
 * With SWAPPED=<descriptor of a stage> and the name of a race, runs that race until the stage is
 * over. The module may be loaded and unloaded meanwhile, so the race does not check the counters.
 */
#include <sys/epoll.h>

#include "race.h"
#include "rust_harness.h"

#define SECONDS_BY_DEFAULT 4
#define MOST_SECONDS 240

#define AUTOKILL (CLONE_AUTOREAP | CLONE_PIDFD_AUTOKILL)
#define ENDED (POLLIN | POLLHUP)

/* The actor that runs in this process. */
static struct stage *stage;
static struct team *team;
static int role;

/* The module is loaded and unloaded during the race. */
static bool swapped;

/* Records the first error, and ends the actor. */
static void __noreturn __printf(1, 2) wrong(const char *format, ...)
{
	va_list args;

	if (!__atomic_exchange_n(&stage->taken, true, __ATOMIC_SEQ_CST)) {
		va_start(args, format);
		vsnprintf(stage->wrong, sizeof(stage->wrong), format, args);
		va_end(args);
		store(stage->is_wrong, true);
	}
	_exit(EXIT_FAILURE);
}

#define MUST(condition) do {						\
	errno = 0;							\
	if (!(condition))						\
		wrong("%s(), line %d: expected %s (%s)", __func__,	\
		      __LINE__, #condition, strerrorname_np(errno));	\
} while (0)

#define MUST_BE(expected, seen) do {					\
	errno = 0;							\
	long long _expected = (expected), _seen = (seen);		\
									\
	if (_expected != _seen)						\
		wrong("%s(), line %d: expected %s to be %s (%lld), it is %lld (%s)", \
		      __func__, __LINE__, #seen, #expected, _expected,	\
		      _seen, strerrorname_np(errno));			\
} while (0)

/* Waits for a random time. */
static void linger(void)
{
	switch (rand() % 4) {
	case 0:
		break;
	case 1:
		sched_yield();
		break;
	case 2:
		usleep(rand() % 200);
		break;
	case 3:
		for (int i = rand() % 2000; i; i--)
			__asm__ volatile("" ::: "memory");
		break;
	}
}

static void count_round(bool late)
{
	add(stage->rounds[role], 1);
	if (late)
		add(stage->late[role], 1);
}

/* The target. */

static void publish(const struct target *t)
{
	add(team->sequence, 1);
	memcpy(&team->target, t, sizeof(*t));
	add(team->sequence, 1);
}

/* Reads the current target; false without one. */
static bool look_at(struct target *t)
{
	unsigned int sequence;

	do {
		sequence = load(team->sequence);
		memcpy(t, &team->target, sizeof(*t));
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	} while (sequence & 1 || sequence != load(team->sequence));
	if (!t->turn)
		usleep(100);
	return t->turn;
}

/* Announces progress of the target and of earlier ones, before it happens. */
static void say(enum said what, const struct target *t)
{
	if (load(team->said[what]) < t->turn)
		store(team->said[what], t->turn);
}

static bool has(enum said what, const struct target *t)
{
	return load(team->said[what]) >= t->turn;
}

/* Waits, in most turns, until another actor has opened the target. */
static void await_company(const struct target *t)
{
	if (rand() % 4)
		for (int i = 0; !has(MET, t) && i < 50; i++)
			usleep(100);
	linger();
}

static bool may_be_end(const struct target *t, int end)
{
	return end == t->end || (t->end_too && end == t->end_too);
}

/* Requests all information and checks it. Returns the exit code, or NO_RECORD. */
static int ask(const struct target *t, int fd)
{
	struct pidfd_info info;
	int end = NO_RECORD;

	/* A process that has been reaped has a record, so one of the two is set. */
	MUST_BE(0, get_info(fd, PIDFD_INFO_EXIT, &info));
	MUST(info.mask & (PIDFD_INFO_PID | PIDFD_INFO_EXIT));
	if (info.mask & PIDFD_INFO_PID) {
		MUST_BE(t->pid, info.pid);
		MUST_BE(t->pid, info.tgid);
		MUST_BE(0, info.ruid);
	} else {
		MUST(has(REAPING, t));
		MUST_BE(0, info.pid);
	}
	if (info.mask & PIDFD_INFO_EXIT) {
		end = info.exit_code;
		MUST(may_be_end(t, end));
		/* A zombie that awaits its parent reports no exit code. */
		MUST(has(REAPING, t));
		MUST(ready(fd) & POLLIN);
	}
	return end;
}

/* Checks the pidfd of a process that has been reaped. */
static void check_reaped(const struct target *t, int fd)
{
	MUST_BE(ENDED, ready(fd));
	MUST(may_be_end(t, exit_code_of(fd)));
	MUST_BE(-1, pidfd_number(fd));
	MUST_BE(ESRCH, ERROR_OF(sys_pidfd_send_signal(fd, 0, NULL, 0)));
	MUST_BE(ESRCH, ERROR_OF(get_info(fd, 0, &(struct pidfd_info){})));
	MUST_BE(t->ino, ino_of(fd));
}

/* Checks a pidfd @looks times. Returns true once the process has been reaped. */
static bool watch(const struct target *t, int fd, int looks)
{
	int was = 0, reported = NO_RECORD;

	for (int i = 0; i < looks; i++) {
		int now = ready(fd), end, nr;

		/* C may report the exit of a leader that is replaced by exec. */
		if (swapped && t->other && now == POLLIN && !has(ENDING, t))
			now = ready(fd);
		MUST(now == 0 || now == POLLIN || now == ENDED);
		MUST_BE(was, now & was);
		MUST(!(now & POLLIN) || has(ENDING, t));
		MUST(!(now & POLLHUP) || has(REAPING, t));
		was = now;

		end = ask(t, fd);
		if (reported != NO_RECORD)
			MUST_BE(reported, end);
		reported = end;
		if (now & POLLHUP)
			MUST(reported != NO_RECORD);
		/* A poller woken by an auto-reaped exit can read the exit code. C may be late. */
		if (t->flags & CLONE_AUTOREAP && now & POLLIN && !swapped)
			MUST(reported != NO_RECORD);

		nr = pidfd_number(fd);
		MUST(nr == t->pid || (nr == -1 && has(REAPING, t)));
		if (now & POLLHUP) {
			check_reaped(t, fd);
			return true;
		}
	}
	return false;
}

/* Opens the target in any way. If that fails, it must have been reaped. */
static int open_target(const struct target *t)
{
	struct handle h = t->handle;
	int way = rand() % 3, fd, error;

	if (way == 0)
		error = ERROR_OF(fd = open_handle(&h, O_CLOEXEC));
	else
		error = ERROR_OF(fd = sys_pidfd_open(t->pid, way == 1 ? PIDFD_THREAD : 0));
	if (fd < 0) {
		MUST_BE(way == 0 ? ESTALE : ESRCH, error);
		MUST(has(REAPING, t));
		usleep(rand() % 100);
		return -1;
	}
	MUST_BE(t->ino, ino_of(fd));
	say(MET, t);
	return fd;
}

/* The function that a target runs before it waits. */
typedef void first_fn(const struct target *t);

/* Starts the target of the next turn. Returns its pidfd, and a pipe that ends it. */
static int start_target(struct target *t, __u64 flags, first_fn *first, int *tell)
{
	int pidfd = -1, pipe[2];
	struct __clone_args args = {
		.flags		= CLONE_PIDFD | flags,
		.exit_signal	= flags & CLONE_AUTOREAP ? 0 : SIGCHLD,
		.pidfd		= ptr_to_u64(&pidfd),
	};

	memset(t, 0, sizeof(*t));
	t->turn = team->target.turn + 1;
	t->flags = flags;
	t->end = rand() % 4 ? EXITED(rand() & 127) : SIGKILL;
	MUST_BE(0, pipe2(pipe, O_CLOEXEC));
	t->pid = sys_clone3(&args, sizeof(args));
	if (t->pid == 0) {
		if (first)
			first(t);
		await_status(pipe);
	}
	MUST(t->pid > 0);
	MUST_BE(0, handle_of(pidfd, &t->handle));
	t->ino = ino_of(pidfd);
	MUST_BE(t->ino, id_in(&t->handle));
	close(pipe[0]);
	*tell = pipe[1];
	return pidfd;
}

static void end_target(const struct target *t, int pidfd, int tell)
{
	unsigned char status = WEXITSTATUS(t->end);

	say(ENDING, t);
	if (t->flags & CLONE_AUTOREAP)
		say(REAPING, t);
	if (t->end == SIGKILL)
		MUST_BE(0, sys_pidfd_send_signal(pidfd, SIGKILL, NULL, 0));
	else
		MUST_BE(1, write_nointr(tell, &status, 1));
	close(tell);
}

/* Reaps the target, or waits until it has been reaped. */
static void reap_target(const struct target *t, int pidfd)
{
	siginfo_t info = {};

	MUST(becomes_ready(pidfd, POLLIN) & POLLIN);
	if (t->flags & CLONE_AUTOREAP) {
		if (!swapped)
			MUST(may_be_end(t, exit_code_of(pidfd)));
		MUST(is_reaped(pidfd));
	} else {
		MUST_BE(NO_RECORD, exit_code_of(pidfd));
		MUST_BE(POLLIN, ready(pidfd));
		linger();
		say(REAPING, t);
		MUST_BE(0, sys_waitid(P_PIDFD, pidfd, &info, WEXITED));
		MUST_BE(t->pid, info.si_pid);
		MUST_BE(WIFEXITED(t->end) ? WEXITSTATUS(t->end) : WTERMSIG(t->end),
			info.si_status);
	}
	check_reaped(t, pidfd);
}

/* The first actor of several races: starts a child and ends it. */
static void raises_children(void)
{
	struct target t;
	int tell, pidfd;

	pidfd = start_target(&t, rand() % 2 ? CLONE_AUTOREAP : 0, NULL, &tell);
	publish(&t);
	await_company(&t);
	end_target(&t, pidfd, tell);
	watch(&t, pidfd, rand() % 4);
	reap_target(&t, pidfd);
	close(pidfd);
	count_round(false);
}

/* Exit against poll(), pidfd_open(), PIDFD_GET_INFO and close(). */

/* Closes the pidfd at any time while it is watched. */
static void wait_by_epoll(const struct target *t, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	bool patient = rand() % 2;
	int n;

	MUST_BE(0, epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
	n = epoll_wait(epoll, &event, 1, patient ? PATIENCE_MS : 0);
	if (patient)
		MUST_BE(1, n);
	if (n) {
		MUST(event.events & EPOLLIN);
		MUST(has(ENDING, t));
		watch(t, fd, 1);
	}
	if (rand() % 2) {
		close(fd);
		close(epoll);
	} else {
		close(epoll);
		close(fd);
	}
}

static void looks_on(void)
{
	struct target t;
	int fd;

	if (!look_at(&t))
		return;
	fd = open_target(&t);
	if (fd < 0)
		return;
	count_round(ready(fd) == ENDED);
	switch (rand() % 6) {
	case 0:
		break;
	case 1:
		watch(&t, fd, rand() % 8);
		break;
	case 2:
		while (!watch(&t, fd, 1))
			;
		break;
	case 3:
		MUST(becomes_ready(fd, POLLIN) & POLLIN);
		watch(&t, fd, 1);
		break;
	case 4:
		MUST_BE(POLLHUP, becomes_ready(fd, 0));
		check_reaped(&t, fd);
		break;
	case 5:
		wait_by_epoll(&t, fd);
		return;
	}
	close(fd);
}

/* Exec by a thread that is not the leader, against poll() and PIDFD_GET_INFO. */

static int go_pipe, tell_pipe;

static void *executes(void *unused)
{
	char byte, fd[16];

	store(team->thread, gettid());
	if (read_nointr(go_pipe, &byte, 1) == 1) {
		snprintf(fd, sizeof(fd), "%d", tell_pipe);
		execl("/proc/thread-self/exe", "race_test", "exec", fd, NULL);
	}
	_exit(254);
}

/* Two threads: one calls exec, and the leader may exit before. */
static void become_two(bool leader_exits)
{
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fcntl(tell_pipe, F_SETFD, 0);
	if (pthread_create(&thread, NULL, executes, NULL))
		_exit(253);
	if (leader_exits)
		syscall(__NR_exit, 0);
	for (;;)
		pause();
}

/* Checks the pidfd of the thread, whose process goes on with another one. */
static bool watch_thread(const struct target *t, int fd, int looks)
{
	struct pidfd_info info;
	int was = 0;

	for (int i = 0; i < looks; i++) {
		int now = ready(fd);

		MUST(now == 0 || now == POLLIN || now == ENDED);
		MUST_BE(was, now & was);
		MUST(!now || has(EXECUTING, t));
		was = now;

		MUST_BE(0, get_info(fd, PIDFD_INFO_EXIT, &info));
		MUST(info.mask & (PIDFD_INFO_PID | PIDFD_INFO_EXIT));
		if (info.mask & PIDFD_INFO_PID) {
			MUST(now != ENDED);
			MUST_BE(t->other, info.pid);
			MUST_BE(t->pid, info.tgid);
		}
		/* The old leader has ended under the number of the thread. */
		if (info.mask & PIDFD_INFO_EXIT) {
			MUST(has(EXECUTING, t));
			MUST_BE(0, info.exit_code);
		}
		if (now == ENDED)
			return true;
	}
	return false;
}

static void has_threads_exec(void)
{
	struct target t = { .turn = team->target.turn + 1 };
	int go[2], tell[2], pidfd = -1, thread;
	bool leader_exits = rand() % 2;

	MUST_BE(0, pipe2(go, O_CLOEXEC));
	MUST_BE(0, pipe2(tell, O_CLOEXEC));
	go_pipe = go[0];
	tell_pipe = tell[0];
	t.end = rand() % 4 ? EXITED(rand() & 127) : SIGKILL;
	store(team->thread, 0);
	t.pid = create_child(&pidfd, 0);
	if (t.pid == 0) {
		close(go[1]);
		close(tell[1]);
		become_two(leader_exits);
	}
	MUST(t.pid > 0);
	close(go[0]);
	close(tell[0]);
	t.ino = ino_of(pidfd);
	MUST_BE(0, handle_of(pidfd, &t.handle));
	for (int i = 0; !load(team->thread) && i < PATIENCE_MS * 10; i++)
		usleep(100);
	t.other = load(team->thread);
	MUST(t.other > 0);
	thread = sys_pidfd_open(t.other, PIDFD_THREAD);
	MUST(thread >= 0);
	publish(&t);
	await_company(&t);

	say(EXECUTING, &t);
	MUST_BE(1, write_nointr(go[1], "", 1));
	watch(&t, pidfd, rand() % 8);
	/* The other end is closed: the new program runs. */
	MUST_BE(POLLERR, becomes_ready(go[1], 0));
	MUST(watch_thread(&t, thread, 1));
	watch(&t, pidfd, 1);
	end_target(&t, pidfd, tell[1]);
	reap_target(&t, pidfd);
	close(go[1]);
	close(thread);
	close(pidfd);
	count_round(false);
}

static void looks_at_threads(void)
{
	struct target t;
	int fd, error;

	if (!look_at(&t))
		return;
	if (rand() % 2) {
		fd = open_target(&t);
		if (fd < 0)
			return;
		watch(&t, fd, rand() % 16);
	} else {
		error = ERROR_OF(sys_pidfd_open(t.other, 0));
		MUST(error == ENOENT || (error == ESRCH && has(EXECUTING, &t)));
		error = ERROR_OF(fd = sys_pidfd_open(t.other, PIDFD_THREAD));
		if (fd < 0) {
			MUST_BE(ESRCH, error);
			MUST(has(EXECUTING, &t));
			usleep(rand() % 100);
			return;
		}
		say(MET, &t);
		if (rand() % 2)
			watch_thread(&t, fd, rand() % 16);
		else
			MUST_BE(POLLHUP, becomes_ready(fd, 0));
	}
	count_round(has(EXECUTING, &t));
	close(fd);
}

/* The last close against reopening. */

/* A target for many turns of the others, of which no actor keeps a pidfd. */
static void raises_one_for_long(void)
{
	struct target t;
	int tell, pidfd = start_target(&t, 0, NULL, &tell);

	publish(&t);
	close(pidfd);
	for (int i = 20 + rand() % 40; i && !load(stage->quiet) && !load(stage->over); i--)
		usleep(1000);
	pidfd = sys_pidfd_open(t.pid, 0);
	MUST_BE(t.ino, ino_of(pidfd));
	end_target(&t, pidfd, tell);
	reap_target(&t, pidfd);
	close(pidfd);
	count_round(false);
}

static void opens_again_and_again(void)
{
	struct target t;
	int fd, path, nr;

	if (!look_at(&t))
		return;
	fd = open_target(&t);
	if (fd < 0)
		return;
	if (rand() % 4 == 0) {
		path = reopen(fd, O_PATH);
		MUST(path >= 0);
		close(fd);
		fd = reopen(path, O_RDWR);
		MUST(fd >= 0);
		close(path);
	}
	MUST_BE(t.ino, ino_of(fd));
	MUST_BE(t.ino, id_of(fd));
	nr = pidfd_number(fd);
	MUST(nr == t.pid || (nr == -1 && has(REAPING, &t)));
	close(fd);
	count_round(nr == -1);
}

/* Reaping against SO_PEERPIDFD and SCM_PIDFD. */

#define CONNECTIONS 2

static void connects(const struct target *t)
{
	struct target self = *t;
	long data = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	self.pid = getpid();
	for (int i = 0; i < CONNECTIONS; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		/* The queue may be full. */
		if (connect(fd, (struct sockaddr *)&team->addr, team->addr_len))
			break;
		write_nointr(fd, &data, sizeof(data));
		write_nointr(fd, &self, sizeof(self));
	}
}

static void raises_peers(void)
{
	struct target t;
	int tell, pidfd;

	pidfd = start_target(&t, rand() % 2 ? CLONE_AUTOREAP : 0, connects, &tell);
	usleep(rand() % 3000);
	end_target(&t, pidfd, tell);
	reap_target(&t, pidfd);
	close(pidfd);
	/* The others use only the number of the turn. */
	publish(&t);
	count_round(false);
}

static void opens_peers(void)
{
	int sock, peer, sender, again;
	struct target t;

	struct pollfd pfd = { .fd = team->listener, .events = POLLIN };

	if (poll(&pfd, 1, 20) < 1)
		return;
	/* Another actor may have been faster. */
	sock = accept4(team->listener, NULL, NULL, SOCK_CLOEXEC);
	if (sock < 0)
		return;
	/* The connection has registered the process, whether it still lives or not. */
	peer = peer_pidfd(sock);
	MUST(peer >= 0);
	sender = receive_fd(sock, SCM_PIDFD);
	if (sender == NO_MESSAGE || read_nointr(sock, &t, sizeof(t)) != sizeof(t)) {
		/* The target was killed before it announced its exit code. */
		MUST(sender == NO_MESSAGE || ino_of(sender) == ino_of(peer));
		MUST(is_reaped(peer));
		MUST_BE(SIGKILL, exit_code_of(peer));
	} else {
		MUST(sender >= 0);
		t.ino = ino_of(peer);
		MUST(t.ino);
		MUST_BE(t.ino, ino_of(sender));
		count_round(ready(peer) == ENDED);
		watch(&t, rand() % 2 ? peer : sender, rand() % 4);
		MUST(is_reaped(peer));
		check_reaped(&t, peer);
		check_reaped(&t, sender);
		again = peer_pidfd(sock);
		MUST(again >= 0);
		check_reaped(&t, again);
		close(again);
	}
	if (sender != NO_MESSAGE)
		close(sender);
	close(peer);
	close(sock);
}

/* Pid numbers that are reused at once. */

#define FIRST_RECYCLED 300
#define WORKERS 3
#define BATCH 24

static int numbers;

struct old {
	struct child child;
	__u64 ino;
	int end;
	struct handle handle;
};

static void check_old(const struct old *o)
{
	struct handle h = o->handle;

	MUST_BE(ENDED, ready(o->child.pidfd));
	MUST_BE(o->end, exit_code_of(o->child.pidfd));
	MUST_BE(o->ino, ino_of(o->child.pidfd));
	MUST_BE(-1, pidfd_number(o->child.pidfd));
	MUST_BE(ESRCH, ERROR_OF(sys_pidfd_send_signal(o->child.pidfd, SIGKILL, NULL, 0)));
	MUST_BE(ECHILD, ERROR_OF(sys_waitid(P_PIDFD, o->child.pidfd, NULL, WEXITED)));
	MUST_BE(ESTALE, ERROR_OF(open_handle(&h, 0)));
}

static void uses_numbers_again(void)
{
	struct old olds[BATCH];
	int n = 0;

	for (int i = 0; i < BATCH && !load(stage->quiet); i++) {
		struct old *o = &olds[i];
		struct child *c = &o->child;
		bool again = false;
		int status;

		MUST_BE(0, start_child(c, 0));
		o->ino = ino_of(c->pidfd);
		o->end = EXITED(rand() & 127);
		MUST(o->ino);
		MUST_BE(0, handle_of(c->pidfd, &o->handle));
		for (int j = 0; j < i; j++) {
			MUST(o->ino != olds[j].ino);
			if (olds[j].child.pid == c->pid) {
				check_old(&olds[j]);
				again = true;
			}
		}
		if (again)
			count_round(false);
		/* The signals for the old process have not reached the new one. */
		MUST_BE(0, ready(c->pidfd));
		MUST_BE(c->pid, pidfd_number(c->pidfd));
		tell_child(c, WEXITSTATUS(o->end));
		close(c->tell);
		MUST_BE(c->pid, waitpid(c->pid, &status, 0));
		MUST_BE(o->end, status);
		check_old(o);
		n++;
	}
	while (n--)
		close(olds[n].child.pidfd);
}

static void opens_by_number(void)
{
	pid_t pid = FIRST_RECYCLED + rand() % numbers;
	struct pidfd_info info;
	int fd, next, error;

	error = ERROR_OF(fd = sys_pidfd_open(pid, 0));
	if (fd < 0) {
		MUST_BE(ESRCH, error);
		return;
	}
	MUST_BE(0, get_info(fd, PIDFD_INFO_EXIT, &info));
	if (info.mask & PIDFD_INFO_PID)
		MUST_BE(pid, info.pid);
	else
		MUST(info.mask & PIDFD_INFO_EXIT);
	MUST(is_reaped(fd));
	MUST_BE(ESRCH, ERROR_OF(sys_pidfd_send_signal(fd, SIGKILL, NULL, 0)));
	for (int i = 0; i < 50; i++) {
		error = ERROR_OF(next = sys_pidfd_open(pid, 0));
		if (next >= 0)
			break;
		MUST_BE(ESRCH, error);
		usleep(100);
	}
	if (next >= 0) {
		MUST(ino_of(next) != ino_of(fd));
		MUST_BE(ESRCH, ERROR_OF(sys_pidfd_send_signal(fd, SIGKILL, NULL, 0)));
		close(next);
		count_round(true);
	}
	close(fd);
}

static void act(void (*turn)(void), bool receives)
{
	/* All descriptors that were sent are received. */
	const bool *end = receives ? &stage->nothing_sent : &stage->over;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	srand(nsec_now() ^ gettid());
	while (!load(*end)) {
		turn();
		while (load(stage->quiet) && !load(*end) && !receives)
			usleep(100);
	}
	_exit(EXIT_SUCCESS);
}

/* Mounts the procfs of a pid namespace of which the caller is the init. */
static void mounts_proc(void)
{
	MUST_BE(0, mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	MUST_BE(0, mount("proc", "/proc", "proc", 0, NULL));
}

/* Enters a pid namespace with hardly more numbers than processes. */
static void has_few_numbers(void)
{
	int least = sysconf(_SC_NPROCESSORS_CONF) * 8, most = FIRST_RECYCLED + WORKERS + 2;
	char text[16];
	pid_t pid;

	mounts_proc();
	if (most < least)
		most = least;
	snprintf(text, sizeof(text), "%d", most);
	MUST_BE(0, write_file("/proc/sys/kernel/pid_max", text));
	numbers = most - FIRST_RECYCLED;
	for (int i = 0; i < WORKERS; i++) {
		pid = fork();
		MUST(pid >= 0);
		if (pid == 0) {
			role += !i;
			act(i ? uses_numbers_again : opens_by_number, false);
		}
	}
	/*
	 * Low numbers are not reused; the workers have them. Without CONFIG_CHECKPOINT_RESTORE the
	 * numbers are used up one by one.
	 */
	write_file("/proc/sys/kernel/ns_last_pid", "299");
	do {
		pid = vfork();
		if (pid == 0)
			_exit(EXIT_SUCCESS);
		MUST_BE(pid, waitpid(pid, NULL, 0));
	} while (pid < FIRST_RECYCLED);
}

/* The end of a pid namespace, against fdinfo and PIDFD_GET_INFO. */

#define MEMBERS 2

/* The init of the namespace, with a child there that opens itself. */
static void is_init(const struct target *t)
{
	char buf[4096];
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (fork())
		return;
	fd = sys_pidfd_open(getpid(), 0);
	while (pidfd_fdinfo("/proc", fd, buf, sizeof(buf)))
		;
	_exit(EXIT_FAILURE);
}

static void raises_namespaces(void)
{
	int tell, pidfd, own, pipe[2];
	pid_t members[MEMBERS];
	struct target t;
	int status;

	pidfd = start_target(&t, CLONE_NEWPID, is_init, &tell);
	own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	MUST_BE(0, pipe2(pipe, O_CLOEXEC));
	MUST_BE(0, setns(pidfd, CLONE_NEWPID));
	for (int i = 0; i < MEMBERS; i++) {
		members[i] = fork();
		if (members[i] == 0)
			await_status(pipe);
		MUST(members[i] > 0);
	}
	MUST_BE(0, setns(own, CLONE_NEWPID));
	close(own);
	t.other = members[0];
	publish(&t);
	await_company(&t);

	say(REAPING, &t);
	end_target(&t, pidfd, tell);
	/* The init exits once all others have been reaped. */
	for (int i = 0; i < MEMBERS; i++) {
		linger();
		MUST_BE(members[i], waitpid(members[i], &status, 0));
		MUST_BE(SIGKILL, status);
	}
	reap_target(&t, pidfd);
	close(pipe[0]);
	close(pipe[1]);
	close(pidfd);
	count_round(false);
}

/*
 * Checks that both lines of fdinfo have the number @pid until the process is gone. With @inner,
 * the second line has another number behind it, which stays the same.
 */
static bool watch_fdinfo(int fd, pid_t pid, bool inner, int looks)
{
	int last = 0;

	for (int i = 0; i < looks; i++) {
		int first, second, n, third = 0;
		char buf[4096];
		const char *info = pidfd_fdinfo("/proc", fd, buf, sizeof(buf));

		MUST(info);
		n = sscanf(info, "Pid:\t%d\nNSpid:\t%d\t%d\n", &first, &second, &third);
		MUST_BE(first, second);
		if (first == -1) {
			MUST_BE(2, n);
			MUST(ready(fd) & POLLHUP);
			return true;
		}
		MUST_BE(pid, first);
		MUST_BE(inner ? 3 : 2, n);
		MUST(!inner || third > 0);
		MUST(!last || last == third);
		last = third;
	}
	return false;
}

static void reads_fdinfo(void)
{
	bool init = rand() % 2;
	struct pidfd_info info;
	struct target t;
	int fd, error;
	pid_t pid;

	if (!look_at(&t))
		return;
	pid = init ? t.pid : t.other;
	error = ERROR_OF(fd = sys_pidfd_open(pid, 0));
	if (fd < 0) {
		MUST_BE(ESRCH, error);
		MUST(has(REAPING, &t));
		usleep(rand() % 100);
		return;
	}
	say(MET, &t);
	send_fd(team->pass[0], fd);
	if (watch_fdinfo(fd, pid, true, rand() % 8)) {
		MUST(has(REAPING, &t));
		MUST_BE(init ? t.end : SIGKILL, exit_code_of(fd));
	} else {
		MUST_BE(0, get_info(fd, PIDFD_INFO_EXIT, &info));
		MUST(info.mask & (PIDFD_INFO_PID | PIDFD_INFO_EXIT));
		if (info.mask & PIDFD_INFO_PID)
			MUST_BE(pid, info.pid);
		if (info.mask & PIDFD_INFO_EXIT)
			MUST_BE(init ? t.end : SIGKILL, info.exit_code);
	}
	count_round(ready(fd) == ENDED);
	close(fd);
}

static int receive_passed(void)
{
	struct pollfd pfd = { .fd = team->pass[1], .events = POLLIN };
	int fd;

	if (poll(&pfd, 1, 20) < 1)
		return -1;
	fd = receive_fd(team->pass[1], SCM_RIGHTS);
	return fd == NO_MESSAGE ? -1 : fd;
}

/* Reads in a namespace that is no ancestor of that of the process. */
static void reads_fdinfo_elsewhere(void)
{
	int fd = receive_passed();

	if (fd < 0)
		return;
	watch_fdinfo(fd, 0, false, 1 + rand() % 8);
	MUST_BE(EREMOTE, ERROR_OF(get_info(fd, PIDFD_INFO_EXIT, &(struct pidfd_info){})));
	MUST_BE(EINVAL, ERROR_OF(sys_pidfd_send_signal(fd, 0, NULL, 0)));
	count_round(ready(fd) == ENDED);
	close(fd);
}

/* Extended attributes against exit, and against close and reopening. */

#define SHARED "trusted.shared"

static bool lists(int fd, const char *name)
{
	char list[4096];
	ssize_t n = flistxattr(fd, list, sizeof(list));

	MUST(n >= 0);
	for (char *s = list; s < list + n; s += strlen(s) + 1)
		if (!strcmp(s, name))
			return true;
	return false;
}

/* No other actor writes it, so it has the value that was set. */
static void write_own(int fd, unsigned int turn)
{
	static char value[200];
	static unsigned int last;
	static int length;
	char name[32], buf[200];

	if (turn != last)
		length = -1;
	last = turn;
	snprintf(name, sizeof(name), "trusted.%d", getpid());
	if (length < 0) {
		MUST_BE(ENODATA, ERROR_OF(fgetxattr(fd, name, buf, sizeof(buf))));
	} else {
		MUST_BE(length, fgetxattr(fd, name, buf, sizeof(buf)));
		MUST_BE(0, memcmp(value, buf, length));
	}
	MUST_BE(length >= 0, lists(fd, name));
	if (rand() % 4) {
		int flag = length < 0 ? XATTR_CREATE : XATTR_REPLACE;

		length = rand() % sizeof(value);
		memset(value, rand(), length);
		MUST_BE(0, fsetxattr(fd, name, value, length, rand() % 2 ? flag : 0));
	} else {
		MUST_BE(length < 0 ? ENODATA : 0, ERROR_OF(fremovexattr(fd, name)));
		length = -1;
	}
}

/* All actors write it, so it has one of the values, or does not exist. */
static void write_shared(int fd)
{
	char value[100], buf[100];
	int error = ERROR_OF(fgetxattr(fd, SHARED, buf, sizeof(buf)));

	MUST(!error || error == ENODATA);
	if (!error) {
		memset(value, buf[0], sizeof(value));
		MUST_BE(0, memcmp(value, buf, sizeof(buf)));
	}
	if (rand() % 2) {
		memset(value, rand(), sizeof(value));
		MUST_BE(0, fsetxattr(fd, SHARED, value, sizeof(value), 0));
	} else {
		error = ERROR_OF(fremovexattr(fd, SHARED));
		MUST(!error || error == ENODATA);
	}
}

static void takes_notes(void)
{
	struct target t;
	int fd;

	if (!look_at(&t))
		return;
	fd = open_target(&t);
	if (fd < 0)
		return;
	for (int i = rand() % 4; i >= 0; i--) {
		write_own(fd, t.turn);
		write_shared(fd);
	}
	count_round(ready(fd) == ENDED);
	close(fd);
}

/* The close of a PIDFD_AUTOKILL pidfd, against signals, exit, and passing on. */

/* Closes a copy of the pidfd that kills. The last close ends the process. */
static void let_go(int fd)
{
	if (add(team->holders, -1) == 0) {
		say(ENDING, &team->target);
		say(REAPING, &team->target);
	}
	close(fd);
}

/* Leaves the copy to a child that inherits it, and exits. */
static void let_child_go(int fd)
{
	pid_t pid;

	add(team->holders, 1);
	pid = fork();
	if (pid == 0) {
		if (add(team->holders, -1) == 0) {
			say(ENDING, &team->target);
			say(REAPING, &team->target);
		}
		_exit(EXIT_SUCCESS);
	}
	MUST(pid > 0);
	let_go(fd);
	MUST_BE(pid, waitpid(pid, NULL, 0));
}

static void kills_by_closing(void)
{
	int tell, pidfd, other, copy, wish = rand() % 3;
	unsigned char status;
	struct target t;

	pidfd = start_target(&t, AUTOKILL, NULL, &tell);
	other = sys_pidfd_open(t.pid, 0);
	t.end = SIGKILL;
	if (wish == 1)
		t.end_too = EXITED(1 + rand() % 127);
	if (wish == 2)
		t.end_too = SIGTERM;
	status = WEXITSTATUS(t.end_too);
	if (wish) {
		say(ENDING, &t);
		say(REAPING, &t);
	}
	store(team->holders, 1);
	publish(&t);
	await_company(&t);

	/* Counted before it is sent, so that the receiver finds it counted. */
	add(team->holders, 1);
	if (send_fd(team->pass[0], pidfd))
		add(team->holders, -1);
	add(team->holders, 1);
	copy = dup(pidfd);
	if (wish == 1)
		MUST_BE(1, write_nointr(tell, &status, 1));
	if (wish == 2)
		sys_pidfd_send_signal(pidfd, SIGTERM, NULL, 0);
	linger();
	let_go(copy);
	/* This copy is left, whatever the other actors close. */
	if (!wish)
		MUST_BE(0, ready(other));
	if (rand() % 4)
		let_go(pidfd);
	else
		let_child_go(pidfd);
	if (rand() % 2)
		MUST_BE(ECHILD, ERROR_OF(sys_waitid(P_PIDFD, other, NULL,
						    WEXITED | __WALL)));
	reap_target(&t, other);
	for (int i = 0; load(team->holders) && i < PATIENCE_MS * 10; i++)
		usleep(100);
	MUST_BE(0, load(team->holders));
	close(tell);
	close(other);
	count_round(false);
}

static void holds_on(void)
{
	int fd = receive_passed(), copy;
	struct target t;

	if (fd < 0)
		return;
	look_at(&t);
	MUST_BE(t.ino, ino_of(fd));
	copy = dup(fd);
	close(fd);
	/* The process lives while this copy is open, unless another actor ends it. */
	if (!t.end_too)
		MUST_BE(0, ready(copy));
	linger();
	watch(&t, copy, rand() % 3);
	count_round(ready(copy) == ENDED);
	let_go(copy);
}

static void signals(void)
{
	struct target t;
	int fd, error;

	if (!look_at(&t))
		return;
	fd = open_target(&t);
	if (fd < 0)
		return;
	for (int i = rand() % 4; i >= 0; i--) {
		error = ERROR_OF(sys_pidfd_send_signal(fd, t.end_too == SIGTERM ? SIGTERM : 0,
						       NULL, 0));
		MUST(!error || (error == ESRCH && has(REAPING, &t)));
	}
	watch(&t, fd, rand() % 4);
	if (rand() % 2)
		MUST(is_reaped(fd));
	count_round(ready(fd) == ENDED);
	close(fd);
}

/* Copies that are passed on, and other system calls that take a pidfd, against exit. */

static void passes_on(void)
{
	struct target t;
	int fd, copy;

	if (!look_at(&t))
		return;
	fd = open_target(&t);
	if (fd < 0)
		return;
	copy = dup(fd);
	close(fd);
	send_fd(team->pass[0], copy);
	watch(&t, copy, rand() % 3);
	count_round(ready(copy) == ENDED);
	close(copy);
}

static void is_passed_on(void)
{
	int fd = receive_passed();
	struct target t;

	if (fd < 0)
		return;
	look_at(&t);
	if (ino_of(fd) == t.ino) {
		watch(&t, fd, rand() % 3);
		count_round(false);
	} else {
		/* The pidfd of an earlier turn. */
		MUST_BE(ENDED, ready(fd));
		MUST(exit_code_of(fd) >= 0);
		count_round(true);
	}
	close(fd);
}

/* Checks the result of a system call that needs a living process. */
#define NEEDS_LIFE(t, call) do {					\
	int _error = ERROR_OF(call);					\
									\
	if (_error) {							\
		MUST_BE(ESRCH, _error);					\
		MUST(has(ENDING, t));					\
	}								\
} while (0)

static void reaches_into(void)
{
	struct target t;
	int fd, got;

	if (!look_at(&t))
		return;
	fd = open_target(&t);
	if (fd < 0)
		return;
	for (int i = rand() % 4; i >= 0; i--) {
		NEEDS_LIFE(&t, got = sys_pidfd_getfd(fd, STDERR_FILENO, 0));
		if (got >= 0)
			close(got);
		NEEDS_LIFE(&t, setns(fd, CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID));
		NEEDS_LIFE(&t, got = ioctl(fd, PIDFD_GET_UTS_NAMESPACE, 0));
		if (got >= 0)
			close(got);
	}
	count_round(got < 0);
	close(fd);
}

/* The races. */

struct role {
	const char *does;
	void (*turn)(void);
	int n;
	/* The namespaces of the actor, and the function that it runs first. */
	__u64 flags;
	void (*prepare)(void);
	/* Receives descriptors even while no actor begins a turn. */
	bool receives;
};

struct race {
	const char *name;
	struct role roles[MOST_ROLES];
};

static const struct race exit_race = { "exit", {
	{ "raises children", raises_children, 1 },
	{ "looks on", looks_on, 3 },
} };

static const struct race exec_race = { "exec", {
	{ "has threads exec", has_threads_exec, 1 },
	{ "looks at threads", looks_at_threads, 3 },
} };

static const struct race reopen_race = { "reopen", {
	{ "raises one for long", raises_one_for_long, 1 },
	{ "opens again and again", opens_again_and_again, 3 },
} };

static const struct race peer_race = { "peer", {
	{ "raises peers", raises_peers, 1 },
	{ "opens peers", opens_peers, 2 },
} };

static const struct race recycle_race = { "recycle", {
	{ "uses numbers again", uses_numbers_again, 1, CLONE_NEWPID | CLONE_NEWNS,
	  has_few_numbers },
	{ "opens by number" },
} };

static const struct race namespace_race = { "namespace", {
	{ "raises namespaces", raises_namespaces, 1 },
	{ "reads fdinfo", reads_fdinfo, 2 },
	{ "reads fdinfo elsewhere", reads_fdinfo_elsewhere, 1,
	  CLONE_NEWPID | CLONE_NEWNS, mounts_proc, true },
} };

static const struct race xattr_race = { "xattr", {
	{ "raises children", raises_children, 1 },
	{ "takes notes", takes_notes, 3 },
} };

static const struct race autokill_race = { "autokill", {
	{ "kills by closing", kills_by_closing, 1 },
	{ "holds on", holds_on, 1, 0, NULL, true },
	{ "signals", signals, 2 },
} };

static const struct race pass_race = { "pass", {
	{ "raises children", raises_children, 1 },
	{ "passes on", passes_on, 1 },
	{ "is passed on", is_passed_on, 1, 0, NULL, true },
	{ "reaches into", reaches_into, 1 },
} };

#define MOST_ACTORS (MOST_TEAMS * MOST_ROLES * 3)

struct cast {
	pid_t pids[MOST_ACTORS];
	bool receives[MOST_ACTORS];
	int n;
};

static pid_t start_actor(const struct role *r)
{
	struct __clone_args args = {
		.flags		= r->flags,
		.exit_signal	= SIGCHLD,
	};
	pid_t pid = sys_clone3(&args, sizeof(args));

	if (pid == 0) {
		if (r->prepare)
			r->prepare();
		act(r->turn, r->receives);
	}
	return pid;
}

/* Returns NULL, or what went wrong. */
static const char *start_team(const struct race *race, struct cast *cast)
{
	int on = 1;

	team->listener = listen_anywhere(&team->addr, &team->addr_len);
	if (team->listener < 0 || listen(team->listener, 16) ||
	    setsockopt(team->listener, SOL_SOCKET, SO_PASSPIDFD, &on, sizeof(on)) ||
	    fcntl(team->listener, F_SETFL, O_NONBLOCK) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, team->pass))
		return "no sockets";

	for (role = 0; role < MOST_ROLES; role++) {
		for (int i = 0; i < race->roles[role].n; i++) {
			pid_t pid = start_actor(&race->roles[role]);

			if (pid < 0)
				return "clone3()";
			cast->receives[cast->n] = race->roles[role].receives;
			cast->pids[cast->n++] = pid;
		}
	}
	return NULL;
}

/* Waits for the actors that receive, or for the others. Sets @reason if one has failed. */
static void end_actors(const struct cast *cast, bool receives, const char **reason)
{
	static char died[64];
	int status;

	for (int i = 0; i < cast->n; i++) {
		if (cast->receives[i] != receives)
			continue;
		/* An actor that waits for one that has failed waits for long. */
		while (waitpid(cast->pids[i], &status, WNOHANG) == 0) {
			if (*reason || load(stage->is_wrong))
				kill(cast->pids[i], SIGKILL);
			usleep(1000);
		}
		if (status && !*reason) {
			snprintf(died, sizeof(died), "an actor ended with status %x",
				 status);
			*reason = died;
		}
	}
}

/* Runs a race for some seconds; 0: until the stage is over. */
static const char *run_race(const struct race *race, int seconds)
{
	struct cast cast = {};
	const char *reason = NULL;
	int cpus = sysconf(_SC_NPROCESSORS_ONLN);

	/* Each team has at least twice as many actors. */
	stage->teams = cpus < 4 ? 1 : cpus / 2 < MOST_TEAMS ? cpus / 2 : MOST_TEAMS;
	for (int i = 0; !reason && i < stage->teams; i++) {
		team = &stage->team[i];
		reason = start_team(race, &cast);
	}
	for (int i = 0; !reason && (!seconds || i < seconds * 100); i++) {
		if (load(stage->is_wrong) || load(stage->over))
			break;
		usleep(10000);
	}
	store(stage->over, true);
	end_actors(&cast, false, &reason);
	store(stage->nothing_sent, true);
	end_actors(&cast, true, &reason);
	for (int i = 0; i < stage->teams; i++) {
		close(stage->team[i].listener);
		close(stage->team[i].pass[0]);
		close(stage->team[i].pass[1]);
	}
	return load(stage->is_wrong) ? stage->wrong : reason;
}

static int seconds(void)
{
	const char *text = getenv("RACE_SECONDS");
	char *end;
	long n;

	if (!text || !*text)
		return SECONDS_BY_DEFAULT;
	n = strtol(text, &end, 10);
	if (*end || n < 1 || n > MOST_SECONDS)
		ksft_exit_fail_msg("RACE_SECONDS=%s is not a number from 1 to %d\n", text,
				   MOST_SECONDS);
	return n;
}

FIXTURE(race)
{
	struct numbers before;
};

FIXTURE_VARIANT(race)
{
	const struct race *race;
};

FIXTURE_VARIANT_ADD(race, exit)
{
	.race = &exit_race,
};

FIXTURE_VARIANT_ADD(race, exec)
{
	.race = &exec_race,
};

FIXTURE_VARIANT_ADD(race, reopen)
{
	.race = &reopen_race,
};

FIXTURE_VARIANT_ADD(race, peer)
{
	.race = &peer_race,
};

FIXTURE_VARIANT_ADD(race, recycle)
{
	.race = &recycle_race,
};

FIXTURE_VARIANT_ADD(race, namespace)
{
	.race = &namespace_race,
};

FIXTURE_VARIANT_ADD(race, xattr)
{
	.race = &xattr_race,
};

FIXTURE_VARIANT_ADD(race, autokill)
{
	.race = &autokill_race,
};

FIXTURE_VARIANT_ADD(race, pass)
{
	.race = &pass_race,
};

FIXTURE_SETUP(race)
{
	stage = map_stage(-1);
	ASSERT_NE(NULL, stage);
	rust_setup(_metadata, &self->before);
}

FIXTURE_TEARDOWN(race)
{
	rust_teardown(_metadata, &self->before);
}

TEST_F_TIMEOUT(race, fits_together, MOST_SECONDS + 60)
{
	long created = rust_created();
	const char *reason = run_race(variant->race, seconds());

	EXPECT_EQ(NULL, reason) {
		TH_LOG("%s", reason);
	}
	for (int i = 0; i < MOST_ROLES && variant->race->roles[i].does; i++) {
		EXPECT_GT(stage->rounds[i], 0);
		TH_LOG("%s: %ld rounds, %ld of them late", variant->race->roles[i].does,
		       stage->rounds[i], stage->late[i]);
	}
	/* The first actor has made one in each round. */
	EXPECT_LE(created + stage->rounds[0], rust_created());
}

/* Runs without the harness, which holds a pidfd of each test. */
static int run_swapped(const char *name)
{
	static const struct race *const races[] = {
		&exit_race, &exec_race, &reopen_race, &peer_race, &recycle_race,
		&namespace_race, &xattr_race, &autokill_race, &pass_race,
	};

	swapped = true;
	stage = map_stage(atoi(getenv("SWAPPED")));
	if (!stage || !name)
		return KSFT_FAIL;
	for (size_t i = 0; i < ARRAY_SIZE(races); i++) {
		if (!strcmp(name, races[i]->name)) {
			const char *reason = run_race(races[i], 0);

			if (reason)
				ksft_print_msg("%s\n", reason);
			return reason ? KSFT_FAIL : KSFT_PASS;
		}
	}
	return KSFT_FAIL;
}

int main(int argc, char **argv)
{
	/* The program that the threads execute. */
	if (argc == 3 && !strcmp(argv[1], "exec"))
		await_status((int []){ atoi(argv[2]), -1 });
	if (getenv("SWAPPED"))
		return run_swapped(argv[1]);
	seconds();
	return rust_test_main(argc, argv);
}
