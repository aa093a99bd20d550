// SPDX-License-Identifier: GPL-2.0
/* Races against reaping and the reuse of pid numbers. */
#include "race.h"

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

const struct race peer_race = { "peer", {
	{ "raises peers", raises_peers, 1 },
	{ "opens peers", opens_peers, 2 },
} };

const struct race recycle_race = { "recycle", {
	{ "uses numbers again", uses_numbers_again, 1, CLONE_NEWPID | CLONE_NEWNS,
	  has_few_numbers },
	{ "opens by number" },
} };
