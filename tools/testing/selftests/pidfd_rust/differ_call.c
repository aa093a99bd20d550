// SPDX-License-Identifier: GPL-2.0
/* System calls that take a pidfd. */
#include "differ.h"

static void call_signals(const struct subject *s)
{
	static const int signals[] = { 0, -1, 64, 65, 1000, };
	siginfo_t info = { .si_code = SI_QUEUE };
	int fd = s->fd;

	for (unsigned int flags = 0; flags < 9; flags++)
		show(send_signal(fd, 0, NULL, flags),
		     "pidfd_send_signal 0 flags %u", flags);
	show(send_signal(fd, 0, NULL, 1U << 31), "pidfd_send_signal bit 31");
	for (size_t i = 0; i < COUNT(signals); i++) {
		if (signals[i] != 64)
			show(send_signal(fd, signals[i], NULL, 0),
			     "pidfd_send_signal %d", signals[i]);
		info.si_signo = signals[i];
		show(send_signal(fd, 0, &info, 0),
		     "pidfd_send_signal 0 with info of %d", signals[i]);
	}
	info.si_signo = 0;
	info.si_code = SI_USER;
	show(send_signal(fd, 0, &info, 0), "pidfd_send_signal info SI_USER");
	info.si_code = SI_KERNEL;
	show(send_signal(fd, 0, &info, 0), "pidfd_send_signal info SI_KERNEL");
	info.si_code = SI_TKILL;
	show(send_signal(fd, 0, &info, 0), "pidfd_send_signal info SI_TKILL");
	show(send_signal(fd, 0, BAD, 0), "pidfd_send_signal bad info");
}

static void one_waitid(const struct subject *s, int options)
{
	siginfo_t info;
	int result;

	memset(&info, 0xa5, sizeof(info));
	result = waitid(P_PIDFD, s->fd, &info, options);
	if (!result)
		note(" signo=%d code=%d status=%d uid=%u pid=%s", info.si_signo,
		     info.si_code, info.si_status, info.si_uid,
		     pid_name(info.si_pid, s));
	show(result, "waitid options %#x", options);
}

static void call_waitid(const struct subject *s)
{
	static const int options[] = {
		0, WNOHANG, WNOWAIT | WNOHANG, WEXITED | WNOWAIT | WNOHANG,
		WSTOPPED | WNOHANG, WCONTINUED | WNOHANG,
		WEXITED | WSTOPPED | WCONTINUED | WNOWAIT | WNOHANG,
		WEXITED | WNOWAIT | WNOHANG | __WALL,
		WEXITED | WNOWAIT | WNOHANG | __WCLONE,
		WEXITED | WNOWAIT | WNOHANG | __WNOTHREAD,
		WEXITED | WNOWAIT | WNOHANG | 0x10,
	};

	for (size_t i = 0; i < COUNT(options); i++)
		one_waitid(s, options[i]);
	/* O_NONBLOCK implies WNOHANG, but returns an error. */
	fcntl(s->fd, F_SETFL, O_NONBLOCK);
	one_waitid(s, WEXITED | WNOWAIT);
	fcntl(s->fd, F_SETFL, 0);
	show(waitid(P_PIDFD, s->fd, NULL, WEXITED | WNOWAIT | WNOHANG),
	     "waitid to NULL");
	show(syscall(__NR_waitid, P_PIDFD, s->fd, BAD,
		     WEXITED | WNOWAIT | WNOHANG, NULL), "waitid to bad");
	show(syscall(__NR_waitid, P_PIDFD, s->fd, NULL,
		     WEXITED | WNOWAIT | WNOHANG, BAD), "waitid, bad rusage");
	show(waitid(P_PID, s->fd + 100000, NULL, WEXITED | WNOHANG),
	     "waitid of no child");
}

static void call_others(const struct subject *s)
{
	static const struct {
		int fd;
		unsigned int flags;
	} targets[] = {
		{ 0, 0 }, { 0, 1 }, { -1, 0 }, { 999, 0 }, { INT_MIN, 0 },
	};
	struct iovec iov = { page, sizeof(page) };
	struct landlock {
		__u64 access;
		__s32 fd;
	} __attribute__((packed)) rule = { 1, s->fd };

	for (size_t i = 0; i < COUNT(targets); i++) {
		int fd = syscall(__NR_pidfd_getfd, s->fd, targets[i].fd,
				 targets[i].flags);
		int error = errno;

		if (fd >= 0) {
			note(" fd=%d", fcntl(fd, F_GETFD));
			close(fd);
		}
		errno = error;
		show(fd < 0 ? -1 : 0, "pidfd_getfd %d flags %u", targets[i].fd,
		     targets[i].flags);
	}
	show(syscall(__NR_process_madvise, s->fd, &iov, 1, MADV_COLD, 0),
	     "process_madvise MADV_COLD");
	show(syscall(__NR_process_madvise, s->fd, &iov, 1, MADV_DONTNEED, 0),
	     "process_madvise MADV_DONTNEED");
	show(syscall(__NR_process_madvise, s->fd, &iov, 1, MADV_COLD, 1),
	     "process_madvise flags 1");
	show(syscall(__NR_process_madvise, s->fd, BAD, 1, MADV_COLD, 0),
	     "process_madvise bad pointer");
	show(syscall(__NR_process_madvise, s->fd, &iov, 0, MADV_COLD, 0),
	     "process_madvise of nothing");
	show(syscall(__NR_process_mrelease, s->fd, 0), "process_mrelease");
	show(syscall(__NR_process_mrelease, s->fd, 1), "process_mrelease 1");
	show(syscall(__NR_landlock_add_rule, s->fd, 1, &rule, 0),
	     "landlock_add_rule");
	show(syscall(__NR_perf_event_open, page, s->fd, -1, -1, 1UL << 2),
	     "perf_event_open with it as cgroup");
}

struct setns_case {
	const struct subject *s;
	int flags;
};

/* Runs in a child. */
static void one_setns(const void *arg)
{
	const struct setns_case *c = arg;
	ino_t theirs[NAMESPACES_NR];
	int result, error;

	for (size_t i = 0; i < NAMESPACES_NR; i++)
		theirs[i] = namespace_of(c->s->pid, namespaces[i].path);
	result = setns(c->s->fd, c->flags);
	error = errno;
	note(" in");
	for (size_t i = 0; i < NAMESPACES_NR; i++) {
		ino_t ours = namespace_of(0, namespaces[i].path);

		if (ours && ours == theirs[i])
			note(" %s", namespaces[i].path);
	}
	errno = error;
	show(result, "setns %#x", c->flags);
}

static void call_setns(const struct subject *s)
{
	static const int more[] = {
		0, 1, -1, CLONE_NEWUTS | CLONE_NEWIPC, CLONE_NEWUTS | 1,
		CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET |
		CLONE_NEWPID | CLONE_NEWCGROUP, CLONE_NEWPID | CLONE_NEWUTS,
		CLONE_NEWTIME | CLONE_NEWUTS, ALL_NAMESPACES, CLONE_FILES,
		ALL_NAMESPACES & ~CLONE_NEWUSER,
	};
	struct setns_case c = { s };

	for (size_t i = 0; i < NAMESPACES_NR; i++) {
		c.flags = namespaces[i].flag;
		if (c.flags)
			in_child(0, one_setns, &c);
	}
	for (size_t i = 0; i < COUNT(more); i++) {
		c.flags = more[i];
		in_child(0, one_setns, &c);
	}
}

/* All calls that do not change the process. */
void look_at(const struct subject *s)
{
	static const struct {
		unsigned int group;
		void (*call)(const struct subject *s);
	} calls[] = {
		{ 0, call_stat }, { 0, call_readlink }, { 0, call_poll },
		{ 0, call_fdinfo }, { FILES, call_fcntl },
		{ FILES, call_statx }, { FILES, call_statfs },
		{ FILES, call_io }, { FILES, call_mmap },
		{ FILES, call_changes }, { FILES, call_reopen },
		{ FILES, call_o_path }, { FILES, call_dup },
		{ FILES, call_epoll }, { FILES, call_paths },
		{ FILES, call_mount }, { INFO, call_info },
		{ INFO, call_info_badly }, { NAMESPACES, call_namespaces },
		{ FILES, call_ioctls }, { HANDLES, call_handles },
		{ HANDLES, call_open_handles }, { XATTRS, call_xattrs },
		{ SIGNALS, call_signals }, { SIGNALS, call_waitid },
		{ OTHERS, call_others }, { SETNS, call_setns },
		{ 0, call_stat },
	};

	subject = s->name;
	for (size_t i = 0; i < COUNT(calls); i++) {
		if (!(calls[i].group & s->skip))
			calls[i].call(s);
	}
	subject = "none";
}

void look_at_kid(const char *name, const struct kid *kid,
			unsigned int skip)
{
	struct subject s = { name, kid->fd, kid->pid, kid->pid, skip };

	look_at(&s);
}
