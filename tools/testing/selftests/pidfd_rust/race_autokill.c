// SPDX-License-Identifier: GPL-2.0
/* Races on pidfds that kill their process, and that are passed on. */
#include "race.h"

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

const struct race autokill_race = { "autokill", {
	{ "kills by closing", kills_by_closing, 1 },
	{ "holds on", holds_on, 1, 0, NULL, true },
	{ "signals", signals, 2 },
} };

const struct race pass_race = { "pass", {
	{ "raises children", raises_children, 1 },
	{ "passes on", passes_on, 1 },
	{ "is passed on", is_passed_on, 1, 0, NULL, true },
	{ "reaches into", reaches_into, 1 },
} };
