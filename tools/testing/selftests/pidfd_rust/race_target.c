// SPDX-License-Identifier: GPL-2.0
/* The target that the actors of a team race on, and checks of its pidfds. */
#include "race.h"

/* Records the first error, and ends the actor. */
void wrong(const char *format, ...)
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

/* Waits for a random time. */
void linger(void)
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

void count_round(bool late)
{
	add(stage->rounds[role], 1);
	if (late)
		add(stage->late[role], 1);
}

/* The target. */

void publish(const struct target *t)
{
	add(team->sequence, 1);
	memcpy(&team->target, t, sizeof(*t));
	add(team->sequence, 1);
}

/* Reads the current target; false without one. */
bool look_at(struct target *t)
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
void say(enum said what, const struct target *t)
{
	if (load(team->said[what]) < t->turn)
		store(team->said[what], t->turn);
}

bool has(enum said what, const struct target *t)
{
	return load(team->said[what]) >= t->turn;
}

/* Waits, in most turns, until another actor has opened the target. */
void await_company(const struct target *t)
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
void check_reaped(const struct target *t, int fd)
{
	MUST_BE(ENDED, ready(fd));
	MUST(may_be_end(t, exit_code_of(fd)));
	MUST_BE(-1, pidfd_number(fd));
	MUST_BE(ESRCH, ERROR_OF(sys_pidfd_send_signal(fd, 0, NULL, 0)));
	MUST_BE(ESRCH, ERROR_OF(get_info(fd, 0, &(struct pidfd_info){})));
	MUST_BE(t->ino, ino_of(fd));
}

/* Checks a pidfd @looks times. Returns true once the process has been reaped. */
bool watch(const struct target *t, int fd, int looks)
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
int open_target(const struct target *t)
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

/* Starts the target of the next turn. Returns its pidfd, and a pipe that ends it. */
int start_target(struct target *t, __u64 flags, first_fn *first, int *tell)
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

void end_target(const struct target *t, int pidfd, int tell)
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
void reap_target(const struct target *t, int pidfd)
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
void raises_children(void)
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

/* Mounts the procfs of a pid namespace of which the caller is the init. */
void mounts_proc(void)
{
	MUST_BE(0, mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	MUST_BE(0, mount("proc", "/proc", "proc", 0, NULL));
}

void act(void (*turn)(void), bool receives)
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
