// SPDX-License-Identifier: GPL-2.0
/* The operations, each of which is measured and traced. */
#include "bench.h"

void fail(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(KSFT_FAIL);
}

void need(long ret, const char *what)
{
	if (ret < 0)
		fail(what);
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double median(double *values, int n)
{
	qsort(values, n, sizeof(*values), ascending);
	return n & 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

double least(const double *values, int n)
{
	double found = values[0];

	for (int i = 1; i < n; i++)
		if (values[i] < found)
			found = values[i];
	return found;
}

void tell(const char *name, double cost)
{
	printf("%s %.1f\n", name, cost);
	fflush(stdout);
}

struct objects on;

static void op_getppid(void)
{
	syscall(__NR_getppid);
}

static void op_dup(void)
{
	int fd = dup(on.child);

	need(fd, "dup");
	close(fd);
}

void op_open_first(void)
{
	int fd = syscall(__NR_pidfd_open, on.pid, 0);

	need(fd, "pidfd_open");
	close(fd);
}

void op_open_further(void)
{
	int fd = syscall(__NR_pidfd_open, on.zombie_pid, 0);

	need(fd, "pidfd_open");
	close(fd);
}

void op_poll_alive(void)
{
	struct pollfd pfd = { .fd = on.child, .events = POLLIN };

	if (poll(&pfd, 1, 0))
		fail("poll alive");
}

static void op_poll_ready(void)
{
	struct pollfd pfd = { .fd = on.zombie, .events = POLLIN };

	if (poll(&pfd, 1, 0) != 1)
		fail("poll ready");
}

void op_send_signal(void)
{
	need(syscall(__NR_pidfd_send_signal, on.child, 0, NULL, 0),
	     "pidfd_send_signal");
}

static void op_waitid(void)
{
	need(syscall(__NR_waitid, P_PIDFD, on.child, NULL, WEXITED | WNOHANG, NULL),
	     "waitid");
}

void op_fdinfo(void)
{
	char buf[512];
	int fd = open(on.fdinfo, O_RDONLY | O_CLOEXEC);

	need(fd, "open of fdinfo");
	if (read(fd, buf, sizeof(buf)) < 20)
		fail("read of fdinfo");
	close(fd);
}

static void op_fstat(void)
{
	struct stat st;

	need(fstat(on.child, &st), "fstat");
}

void op_info(void)
{
	struct pidfd_info info = { .mask = PIDFD_INFO_CGROUPID };

	need(ioctl(on.child, PIDFD_GET_INFO, &info), "PIDFD_GET_INFO");
}

static void op_info_reaped(void)
{
	struct pidfd_info info = { .mask = PIDFD_INFO_EXIT };

	need(ioctl(on.reaped, PIDFD_GET_INFO, &info), "PIDFD_GET_INFO");
}

static void op_namespace(void)
{
	int fd = ioctl(on.child, PIDFD_GET_UTS_NAMESPACE, 0);

	need(fd, "PIDFD_GET_UTS_NAMESPACE");
	close(fd);
}

static void op_setxattr(void)
{
	need(fsetxattr(on.child, "trusted.bench", "value", 5, 0), "fsetxattr");
}

static void op_getxattr(void)
{
	char value[16];

	need(fgetxattr(on.child, "trusted.bench", value, sizeof(value)),
	     "fgetxattr");
}

static void op_encode(void)
{
	need(handle_of(on.child, &on.handle), "name_to_handle_at");
}

static void op_decode(void)
{
	int fd = open_handle(&on.handle, O_RDWR | O_CLOEXEC);

	need(fd, "open_by_handle_at");
	close(fd);
}

static void op_peer(void)
{
	int fd = peer_pidfd(on.sock);

	need(fd, "SO_PEERPIDFD");
	close(fd);
}

const struct operation ops[OPERATIONS] = {
	{ "getppid",				op_getppid,	1000 },
	{ "dup + close",			op_dup,		1000 },
	{ "pidfd_open + close, first",		op_open_first,	500 },
	{ "pidfd_open + close, further",	op_open_further, 500 },
	{ "poll, alive",			op_poll_alive,	500 },
	{ "poll, exited",			op_poll_ready,	500 },
	{ "pidfd_send_signal 0",		op_send_signal,	500 },
	{ "waitid(P_PIDFD), alive",		op_waitid,	500 },
	{ "fdinfo",				op_fdinfo,	200 },
	{ "fstat",				op_fstat,	500 },
	{ "PIDFD_GET_INFO, alive",		op_info,	500 },
	{ "PIDFD_GET_INFO, reaped",		op_info_reaped,	500 },
	{ "PIDFD_GET_UTS_NAMESPACE + close",	op_namespace,	500 },
	{ "fsetxattr",				op_setxattr,	300 },
	{ "fgetxattr",				op_getxattr,	500 },
	{ "name_to_handle_at",			op_encode,	500 },
	{ "open_by_handle_at + close",		op_decode,	500 },
	{ "SO_PEERPIDFD + close",		op_peer,	500 },
};
