// SPDX-License-Identifier: GPL-2.0
/* Special descriptors, state of the process rather than the file, and 32-bit calls. */
#include "differ.h"

void sentinels(void)
{
	static const int fds[] = { SELF_THREAD, SELF_PROCESS, ROOT_OF_PIDFS,
				   -10003, -10009, -1, 0, 999, };
	struct iovec iov = { page, sizeof(page) };
	siginfo_t info;
	struct stat st;

	for (size_t i = 0; i < COUNT(fds); i++) {
		int fd = fds[i];

		show(send_signal(fd, 0, NULL, 0), "pidfd_send_signal %d", fd);
		show(syscall(__NR_process_madvise, fd, &iov, 1, MADV_COLD, 0),
		     "process_madvise %d", fd);
		show(syscall(__NR_process_mrelease, fd, 0),
		     "process_mrelease %d", fd);
		show(waitid(P_PIDFD, fd, &info, WEXITED | WNOHANG),
		     "waitid %d", fd);
		show_fd(syscall(__NR_pidfd_getfd, fd, self_fd, 0),
			"pidfd_getfd %d", fd);
		/* If 0 is open, these depend on its file. */
		if (fd == 0)
			continue;
		show(ioctl(fd, GET_UTS, 0), "ioctl %d", fd);
		show(setns(fd, CLONE_NEWUTS), "setns %d", fd);
		show(fstat(fd, &st), "fstat %d", fd);
		show_fd(openat(fd, ".", O_PATH), "openat . %d", fd);
		show_fd(openat(fd, "1", O_RDWR), "openat 1 %d", fd);
		show(fstatat(fd, "", &st, AT_EMPTY_PATH), "fstatat %d", fd);
		show_fd(syscall(__NR_open_tree, fd, "", AT_EMPTY_PATH),
			"open_tree %d", fd);
	}
}

/* State that the process keeps while no file is open. */
void keeps(void)
{
	struct kid a = spawn(0), b = spawn(0);
	struct handle h;
	char value[8];
	int fd;

	show(fsetxattr(a.fd, "trusted.k", "kept", 4, 0), "fsetxattr");
	show(fgetxattr(b.fd, "trusted.k", value, 8), "fgetxattr of another");
	handle_of(a.fd, &h);
	close(a.fd);
	a.fd = open_by_handle_at(ROOT_OF_PIDFS, &h.head, O_RDWR);
	show(fgetxattr(a.fd, "trusted.k", value, 8), "fgetxattr by handle");
	close(a.fd);
	a.fd = pidfd_open(a.pid, 0);
	show(fgetxattr(a.fd, "trusted.k", value, 8), "fgetxattr reopened");
	fd = pidfd_open(a.pid, THREAD_FLAG);
	show(fgetxattr(fd, "trusted.k", value, 8), "fgetxattr by thread pidfd");
	show(fsetxattr(fd, "trusted.t", "kept", 4, 0), "fsetxattr by thread");
	close(fd);
	note_list(a.fd);
	show(0, "flistxattr");
	tell(&a, EXIT, 0);
	await_zombie(a.pid);
	close(a.fd);
	a.fd = pidfd_open(a.pid, 0);
	note_list(a.fd);
	show(0, "flistxattr of zombie");
	reap(a.pid);
	note_list(a.fd);
	show(0, "flistxattr of reaped");
	show(fsetxattr(a.fd, "trusted.r", "late", 4, 0), "fsetxattr of reaped");
	close(a.fd);
	show_fd(open_by_handle_at(ROOT_OF_PIDFS, &h.head, O_RDWR),
		"open_by_handle_at of reaped, closed");
	close(a.ctl);
	end(&b);
}

/* The number in the handle of @fd. */
static __u64 id_of(int fd)
{
	struct handle h;
	__u64 id = 0;

	if (handle_of(fd, &h))
		memcpy(&id, h.bytes, sizeof(id));
	return id;
}

/* Each CPU assigns numbers in sequence, so the number of a sibling can be guessed. */
void never_seen(void)
{
	struct kid before, after;
	struct handle h = {};
	__u64 id = 0;
	cpu_set_t one;
	pid_t pid;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	for (int i = 0; i < 200 && !id; i++) {
		before = spawn(0);
		fflush(stdout);
		pid = fork();
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			pause();
			_exit(0);
		}
		after = spawn(0);
		handle_of(after.fd, &h);
		id = (id_of(before.fd) + id_of(after.fd)) / 2;
		if (id_of(after.fd) - id_of(before.fd) != 2)
			id = 0;
		memcpy(h.bytes, &id, sizeof(id));
		if (id) {
			show_fd(open_by_handle_at(ROOT_OF_PIDFS, &h.head, O_RDWR),
				"open_by_handle_at of one never seen");
			close(pidfd_open(pid, 0));
			show_fd(open_by_handle_at(ROOT_OF_PIDFS, &h.head, O_RDWR),
				"open_by_handle_at of one seen");
		}
		kill(pid, SIGKILL);
		reap(pid);
		end(&before);
		end(&after);
	}
	show(!!id, "a number could be guessed");
}

void really_ends(void)
{
	struct kid kid = spawn(0);
	siginfo_t info = {};
	int fd;

	show(send_signal(kid.fd, SIGSTOP, NULL, 0), "SIGSTOP");
	show(waitid(P_PIDFD, kid.fd, &info, WSTOPPED), "waitid WSTOPPED");
	show(info.si_status, "si_status");
	show(send_signal(kid.fd, SIGCONT, NULL, 2), "SIGCONT to group");
	show(waitid(P_PIDFD, kid.fd, &info, WCONTINUED), "waitid WCONTINUED");
	fd = syscall(__NR_pidfd_getfd, kid.fd, self_fd, 0);
	show(fd < 0 ? -1 : syscall(__NR_kcmp, getpid(), getpid(), KCMP_FILE,
				   fd, self_fd), "kcmp of fetched pidfd");
	show_fd(fd, "pidfd_getfd of a pidfd");
	show(send_signal(kid.fd, SIGTERM, NULL, 1), "SIGTERM to thread");
	show(waitid(P_PIDFD, kid.fd, &info, WEXITED), "waitid WEXITED");
	show(info.si_pid == kid.pid, "si_pid");
	show(info.si_code, "si_code");
	show(waitid(P_PIDFD, kid.fd, &info, WEXITED), "waitid again");
	put(&kid);
}

/* process_mrelease() of a process that exits meanwhile must not fail. */
void releases_memory(void)
{
	struct kid kid = spawn(0);

	kill(kid.pid, SIGSTOP);
	show(waitid(P_PIDFD, kid.fd, NULL, WSTOPPED | WNOWAIT), "waitid");
	show(syscall(__NR_process_mrelease, kid.fd, 0), "process_mrelease");
	end(&kid);
}

#ifdef __x86_64__
/* A 32-bit call, as a program for i386 makes it. */
static long compat_ioctl(int fd, unsigned int cmd, unsigned int arg)
{
	long result;

	asm volatile("int $0x80"
		     : "=a" (result)
		     : "0" (54L), "b" ((long)fd), "c" ((long)cmd),
		       "d" ((long)arg)
		     : "memory", "r8", "r9", "r10", "r11");
	if (result >= 0)
		return result;
	errno = -result;
	return -1;
}

static void compat_calls(const struct subject *s, unsigned int low)
{
	static const struct {
		const char *name;
		unsigned int cmd;
	} cmds[] = {
		{ "FS_IOC32_GETVERSION", _IOR('v', 1, int) },
		{ "FS_IOC32_SETVERSION", _IOW('v', 2, int) },
		{ "FS_IOC_GETVERSION", FS_IOC_GETVERSION },
		{ "FS_IOC_SETVERSION", FS_IOC_SETVERSION },
		{ "FS_IOC32_GETFLAGS", _IOR('f', 1, int) },
		{ "FS_IOC_GETFLAGS", FS_IOC_GETFLAGS },
		{ "PIDFD_GET_INFO", _IOWR(PIDFS_IOCTL, INFO_NR, struct info) },
		{ "PIDFD_GET_INFO 64", _IOWR(PIDFS_IOCTL, INFO_NR, char[64]) },
		{ "PIDFD_GET_INFO 63", _IOWR(PIDFS_IOCTL, INFO_NR, char[63]) },
		{ "NS_GET_USERNS", _IO(0xb7, 1) },
		{ "unknown", _IO(PIDFS_IOCTL, 12) },
		{ "FIONREAD", FIONREAD },
		{ "FIGETBSZ", FIGETBSZ },
		{ "0", 0 },
		{ "~0", ~0U },
	};
	unsigned char *buf = (void *)(uintptr_t)low;
	long result;

	subject = s->name;
	for (size_t i = 0; i < COUNT(cmds); i++) {
		memset(buf, 0xa5, 128);
		memset(buf, 0, 8);
		buf[0] = 0xff;
		result = compat_ioctl(s->fd, cmds[i].cmd, low);
		note(" %02x%02x%02x%02x", buf[0], buf[1], buf[2], buf[3]);
		if (!result && i == 6)
			note(" pid=%s exit=%#x", pid_name(((__s32 *)buf)[4], s),
			     ((__s32 *)buf)[15]);
		show(result, "compat %s", cmds[i].name);
		show(compat_ioctl(s->fd, cmds[i].cmd, 0), "compat %s NULL",
		     cmds[i].name);
		show(compat_ioctl(s->fd, cmds[i].cmd, -1), "compat %s -1",
		     cmds[i].name);
	}
	for (unsigned int nr = 1; nr < 11; nr++) {
		show_fd(compat_ioctl(s->fd, _IO(PIDFS_IOCTL, nr), 0),
			"compat namespace %u", nr);
		show(compat_ioctl(s->fd, _IO(PIDFS_IOCTL, nr), 1),
		     "compat namespace %u arg 1", nr);
	}
	subject = "none";
}

void test_compat(void)
{
	void *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	struct kid kid = spawn(0);
	struct subject s = { "child", kid.fd, kid.pid, kid.pid, 0 };

	if (low == MAP_FAILED)
		bail_out("mmap");
	compat_calls(&s, (uintptr_t)low);
	tell(&kid, EXIT, 1);
	await_zombie(kid.pid);
	s.name = "zombie";
	compat_calls(&s, (uintptr_t)low);
	reap(kid.pid);
	s.name = "reaped";
	compat_calls(&s, (uintptr_t)low);
	put(&kid);
	munmap(low, 4096);
}
#else
void test_compat(void)
{
}
#endif
