// SPDX-License-Identifier: GPL-2.0
/* Prints the result of each call, and what it refers to. */
#include "differ.h"

/* An unmapped address, in a variable so that gcc does not warn. */
void *bad_pointer;

const char *caller = "root";
const char *subject = "none";
static char notes[8192];
char tmpdir[32] = "/tmp/differ.XXXXXX";
int self_fd = -1;
struct stat self_stat;
struct statfs self_statfs;
struct timespec started;
unsigned int self_mnt;
__u64 own_cgroup;
unsigned char page[4096] __attribute__((aligned(4096)));

void bail_out(const char *why)
{
	printf("Bail out! %s: %s\n", why, strerror(errno));
	fflush(stdout);
	_exit(1);
}

static const char *error_name(int error)
{
	static char unknown[32];
	const char *name = strerrorname_np(error);

	if (name)
		return name;
	snprintf(unknown, sizeof(unknown), "error %d", error);
	return unknown;
}

/* Adds text that the next show() prints after the result. */
void note(const char *format, ...)
{
	size_t used = strlen(notes);
	int error = errno;
	va_list args;

	va_start(args, format);
	vsnprintf(notes + used, sizeof(notes) - used, format, args);
	va_end(args);
	errno = error;
}

/* Prints the line of one call, with errno as the call left it. */
void show(long result, const char *format, ...)
{
	char what[512];
	int error = errno;
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	if (result == -1)
		printf("%s: %s: %s = -1 %s%s\n", caller, subject, what,
		       error_name(error), notes);
	else
		printf("%s: %s: %s = %ld%s\n", caller, subject, what, result,
		       notes);
	notes[0] = '\0';
}

int lowest_free(void)
{
	int fd = fcntl(self_fd, F_DUPFD, 0);

	close(fd);
	return fd;
}

/* The same for a call that returns a descriptor, which is closed. */
void show_fd(int fd, const char *format, ...)
{
	char what[512];
	int error = errno;
	va_list args;

	if (fd >= 0) {
		note(" fl=%#x fd=%d", fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
		close(fd);
		note(" %s", fd == lowest_free() ? "lowest" : "not lowest");
	}
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	errno = error;
	show(fd >= 0 ? 0 : -1, "%s", what);
}

int pidfd_open(pid_t pid, unsigned int flags)
{
	return syscall(__NR_pidfd_open, pid, flags);
}

int send_signal(int fd, int sig, siginfo_t *info, unsigned int flags)
{
	return syscall(__NR_pidfd_send_signal, fd, sig, info, flags);
}

char *fd_path(const char *kind, int fd)
{
	static char path[64];

	snprintf(path, sizeof(path), "/proc/self/%s/%d", kind, fd);
	return path;
}

const char *pid_name(long pid, const struct subject *s)
{
	if (pid <= 0)
		return pid == 0 ? "0" : pid == -1 ? "-1" : "negative";
	if (pid == s->pid)
		return "PID";
	if (pid == s->tgid)
		return "TGID";
	if (pid == getpid())
		return "ME";
	if (pid == getppid())
		return "MYPARENT";
	return pid == 1 ? "1" : pid == 2 ? "2" : "OTHER";
}
