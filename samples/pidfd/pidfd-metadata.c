// SPDX-License-Identifier: GPL-2.0
/*
 * Read a child's metadata from /proc without ever reading another process's.
 *
 * A pid is a number, and once a child has been reaped the number can be given
 * to someone else: opening /proc/<pid> may open a stranger's directory. With
 * the pidfd that clone(CLONE_PIDFD) returns, it can be shown afterwards whose
 * directory was opened. pidfdh_open_proc() does that.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pidfd_helper.h"

#define EXIT_USAGE 2
#define EXIT_NOT_FOUND 127

#define WAIT_MS 60000

static const char usage[] =
	"Usage: pidfd-metadata [-h] [CMD [ARG...]]\n"
	"\n"
	"Starts CMD, or a child that just sleeps, with clone(CLONE_PIDFD). Opens the\n"
	"child's directory in /proc, proves with its pidfd that it still is that\n"
	"child's, and prints what it finds there. Then kills the child and shows that\n"
	"the proof fails once it has been reaped.\n";

/* One line on standard error for each failure. */
#define complain(format, ...) \
	fprintf(stderr, "pidfd-metadata: " format "\n", ##__VA_ARGS__)

/*
 * What the child does. @ready ends up closed once the child is what the parent
 * wants to look at: by execve() because it is close-on-exec, or by us. Where
 * the command cannot be run, errno goes through it.
 */
static void child(char **cmd, int ready)
{
	if (cmd[0]) {
		int err;

		execvp(cmd[0], cmd);
		err = errno;
		if (write(ready, &err, sizeof(err)) != sizeof(err))
			_exit(EXIT_FAILURE);
		_exit(EXIT_NOT_FOUND);
	}

	close(ready);
	for (;;)
		pause();
}

/* Prints the lines of the child's status with its identity. */
static int print_status(int dirfd)
{
	static const char * const keys[] = {
		"Name:", "State:", "Pid:", "PPid:", "Uid:", "Gid:", "Threads:",
		NULL
	};
	char line[512];
	FILE *status;
	int fd;

	fd = openat(dirfd, "status", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;

	status = fdopen(fd, "r");
	if (!status) {
		close(fd);
		return -1;
	}

	while (fgets(line, sizeof(line), status)) {
		for (size_t i = 0; keys[i]; i++) {
			size_t len = strlen(keys[i]);

			if (strncmp(line, keys[i], len))
				continue;
			printf("  %-9s %s", keys[i],
			       line + len + strspn(line + len, "\t "));
		}
	}

	if (ferror(status)) {
		int saved = errno;

		fclose(status);
		errno = saved;
		return -1;
	}

	return fclose(status);
}

/* Prints the child's arguments, which are separated by NULs. */
static int print_cmdline(int dirfd)
{
	char cmdline[256];
	ssize_t n;
	int fd;

	fd = openat(dirfd, "cmdline", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;

	n = read(fd, cmdline, sizeof(cmdline));
	if (n < 0) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	close(fd);

	printf("  %-9s ", "Command:");
	for (ssize_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)cmdline[i];

		if (c == '\0' && i + 1 < n)
			putchar(' ');
		else if (c != '\0')
			putchar(isprint(c) ? c : '?');
	}
	puts(n == sizeof(cmdline) ? " ..." : "");

	return 0;
}

/* Shows the metadata of the child, or reports the call that failed. */
static int show(int pidfd, pid_t pid)
{
	pid_t reported;
	int dirfd;
	int ret = -1;

	reported = pidfdh_getpid(pidfd);
	if (reported < 0) {
		complain("the pidfd's fdinfo: %s", strerror(errno));
		return -1;
	}
	if (reported != pid) {
		complain("fdinfo says %d, clone() %d: /proc is another pid namespace's",
			 (int)reported, (int)pid);
		return -1;
	}

	dirfd = pidfdh_open_proc(pidfd, pid);
	if (dirfd < 0) {
		complain("/proc/%d: %s", (int)pid, strerror(errno));
		return -1;
	}

	printf("child %d has pidfd %d; /proc/%d is its own\n", (int)pid, pidfd,
	       (int)pid);
	if (print_status(dirfd))
		complain("/proc/%d/status: %s", (int)pid, strerror(errno));
	else if (print_cmdline(dirfd))
		complain("/proc/%d/cmdline: %s", (int)pid, strerror(errno));
	else
		ret = 0;

	close(dirfd);
	return ret;
}

/* Kills and reaps the child in any case, and reports the call that failed. */
static int end(int pidfd, pid_t pid, siginfo_t *info)
{
	if (pidfdh_send_signal(pidfd, SIGKILL)) {
		complain("cannot kill child %d: %s", (int)pid, strerror(errno));
		return -1;
	}
	if (pidfdh_wait(pidfd, WAIT_MS)) {
		complain("cannot wait for child %d: %s", (int)pid,
			 strerror(errno));
		return -1;
	}
	if (pidfdh_reap(pidfd, info)) {
		complain("cannot reap child %d: %s", (int)pid, strerror(errno));
		return -1;
	}

	return 0;
}

/* Shows that the reaped child's number proves nothing any more. */
static int show_gone(int pidfd, pid_t pid, const siginfo_t *info)
{
	int dirfd;

	if (info->si_code == CLD_EXITED)
		printf("child %d ended on its own with status %d and was reaped\n",
		       (int)pid, info->si_status);
	else
		printf("child %d was ended by signal %d (%s) and reaped\n",
		       (int)pid, info->si_status, strsignal(info->si_status));

	dirfd = pidfdh_open_proc(pidfd, pid);
	if (dirfd >= 0) {
		complain("/proc/%d still passes for the reaped child's",
			 (int)pid);
		close(dirfd);
		return -1;
	}
	if (errno != ESRCH) {
		complain("/proc/%d: %s", (int)pid, strerror(errno));
		return -1;
	}

	printf("/proc/%d can no longer be shown to be its own: %s\n", (int)pid,
	       strerror(errno));
	return 0;
}

int main(int argc, char **argv)
{
	siginfo_t info = { 0 };
	int ready[2];
	int pidfd = -1;
	int err = 0;
	int ret;
	ssize_t n;
	pid_t pid;
	int opt;

	opterr = 0;
	while ((opt = getopt(argc, argv, "+h")) != -1) {
		if (opt == 'h') {
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		}
		complain("unknown option -%c; -h lists the options", optopt);
		return EXIT_USAGE;
	}
	if (argv[optind] && !argv[optind][0]) {
		complain("the command is empty; -h shows the usage");
		return EXIT_USAGE;
	}

	if (pipe2(ready, O_CLOEXEC)) {
		complain("pipe: %s", strerror(errno));
		return EXIT_FAILURE;
	}

	pid = pidfdh_fork(&pidfd);
	if (pid < 0) {
		complain("clone(CLONE_PIDFD): %s", strerror(errno));
		return EXIT_FAILURE;
	}
	if (pid == 0) {
		close(ready[0]);
		child(argv + optind, ready[1]);
	}

	close(ready[1]);
	do {
		n = read(ready[0], &err, sizeof(err));
	} while (n < 0 && errno == EINTR);
	close(ready[0]);

	if (n == sizeof(err)) {
		complain("%s: %s", argv[optind], strerror(err));
		ret = EXIT_NOT_FOUND;
	} else {
		ret = show(pidfd, pid) ? EXIT_FAILURE : EXIT_SUCCESS;
	}

	if (end(pidfd, pid, &info))
		return EXIT_FAILURE;
	if (ret == EXIT_SUCCESS && show_gone(pidfd, pid, &info))
		ret = EXIT_FAILURE;

	close(pidfd);
	if (fflush(stdout) || ferror(stdout)) {
		complain("cannot write the output: %s", strerror(errno));
		ret = EXIT_FAILURE;
	}
	return ret;
}
