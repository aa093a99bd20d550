// SPDX-License-Identifier: GPL-2.0
/* Races against the end of a pid namespace, and on extended attributes. */
#include "race.h"

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

int receive_passed(void)
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

const struct race namespace_race = { "namespace", {
	{ "raises namespaces", raises_namespaces, 1 },
	{ "reads fdinfo", reads_fdinfo, 2 },
	{ "reads fdinfo elsewhere", reads_fdinfo_elsewhere, 1,
	  CLONE_NEWPID | CLONE_NEWNS, mounts_proc, true },
} };

const struct race xattr_race = { "xattr", {
	{ "raises children", raises_children, 1 },
	{ "takes notes", takes_notes, 3 },
} };
