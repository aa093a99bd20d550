// SPDX-License-Identifier: GPL-2.0
/* Races against exit, exec, and the last close. */
#include <sys/epoll.h>

#include "race.h"

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

const struct race exit_race = { "exit", {
	{ "raises children", raises_children, 1 },
	{ "looks on", looks_on, 3 },
} };

const struct race exec_race = { "exec", {
	{ "has threads exec", has_threads_exec, 1 },
	{ "looks at threads", looks_at_threads, 3 },
} };

const struct race reopen_race = { "reopen", {
	{ "raises one for long", raises_one_for_long, 1 },
	{ "opens again and again", opens_again_and_again, 3 },
} };
