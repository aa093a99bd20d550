// SPDX-License-Identifier: GPL-2.0
/* pidfd_open(), clone() and clone3(). */
#include "differ.h"

static void open_all_flags(const char *name, pid_t pid)
{
	static const unsigned int flags[] = {
		0, O_NONBLOCK, O_EXCL, O_NONBLOCK | O_EXCL,
		O_NONBLOCK | O_CLOEXEC, O_EXCL | O_TRUNC, ~0U,
	};

	subject = name;
	for (size_t i = 0; i < COUNT(flags); i++)
		show_fd(pidfd_open(pid, flags[i]), "pidfd_open flags %#x",
			flags[i]);
	for (int bit = 0; bit < 32; bit++)
		show_fd(pidfd_open(pid, 1U << bit), "pidfd_open bit %d", bit);
	subject = "none";
}

void test_open(void)
{
	struct rlimit limit, none = { 0, 0 };
	struct kid kid = spawn(0);

	open_all_flags("self", getpid());
	open_all_flags("child", kid.pid);
	open_all_flags("thread", tell(&kid, THREAD, 0));
	kill(kid.pid, SIGKILL);
	await_zombie(kid.pid);
	open_all_flags("zombie", kid.pid);
	reap(kid.pid);
	open_all_flags("reaped", kid.pid);
	put(&kid);
	open_all_flags("pid 0", 0);
	open_all_flags("pid 1", 1);
	open_all_flags("pid 2", 2);
	open_all_flags("pid -1", -1);
	open_all_flags("pid INT_MIN", INT_MIN);
	open_all_flags("pid INT_MAX", INT_MAX);
	getrlimit(RLIMIT_NOFILE, &limit);
	none.rlim_max = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &none);
	show(pidfd_open(getpid(), 0), "pidfd_open without descriptors");
	show(pidfd_open(0, 0), "pidfd_open 0 without descriptors");
	show(ioctl(self_fd, GET_UTS, 0), "ioctl without descriptors");
	setrlimit(RLIMIT_NOFILE, &limit);
}

static const struct {
	const char *name;
	__u64 flags;
	int exit_signal;
} clones[] = {
	{ "no flags", 0, SIGCHLD },
	{ "CLONE_PIDFD", CLONE_PIDFD, SIGCHLD },
	{ "CLONE_PIDFD no signal", CLONE_PIDFD, 0 },
	{ "CLONE_PIDFD SIGUSR1", CLONE_PIDFD, SIGURG },
	{ "CLONE_PIDFD signal 65", CLONE_PIDFD, 65 },
	{ "CLONE_PIDFD|PARENT_SETTID", CLONE_PIDFD | CLONE_PARENT_SETTID,
	  SIGCHLD },
	{ "CLONE_PARENT_SETTID", CLONE_PARENT_SETTID, SIGCHLD },
	{ "CLONE_PIDFD|DETACHED", CLONE_PIDFD | CLONE_DETACHED, SIGCHLD },
	{ "CLONE_DETACHED", CLONE_DETACHED, SIGCHLD },
	{ "CLONE_PIDFD|THREAD", CLONE_PIDFD | CLONE_THREAD, 0 },
	{ "CLONE_PIDFD|SIGHAND", CLONE_PIDFD | CLONE_SIGHAND, 0 },
	{ "CLONE_PIDFD|FILES", CLONE_PIDFD | CLONE_FILES, SIGCHLD },
	{ "CLONE_PIDFD|NEWPID", CLONE_PIDFD | CLONE_NEWPID, SIGCHLD },
	{ "CLONE_PIDFD|NEWUSER", CLONE_PIDFD | CLONE_NEWUSER, SIGCHLD },
	{ "CLONE_PIDFD|NEWNS|FS", CLONE_PIDFD | CLONE_NEWNS | CLONE_FS,
	  SIGCHLD },
	{ "CLONE_PIDFD|NEWPID|PARENT_SETTID", CLONE_PIDFD | CLONE_NEWPID |
	  CLONE_PARENT_SETTID, SIGCHLD },
	{ "CLONE_PIDFD|CLEAR_SIGHAND", CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
	  SIGCHLD },
	{ "CLONE_PIDFD|INTO_CGROUP", CLONE_PIDFD | CLONE_INTO_CGROUP, SIGCHLD },
	{ "CLONE_AUTOREAP", CLONE_AUTOREAP, 0 },
	{ "CLONE_AUTOREAP SIGCHLD", CLONE_AUTOREAP, SIGCHLD },
	{ "CLONE_PIDFD|AUTOREAP", CLONE_PIDFD | CLONE_AUTOREAP, 0 },
	{ "CLONE_PIDFD|AUTOREAP SIGCHLD", CLONE_PIDFD | CLONE_AUTOREAP,
	  SIGCHLD },
	{ "CLONE_PIDFD|AUTOREAP|PARENT", CLONE_PIDFD | CLONE_AUTOREAP |
	  CLONE_PARENT, 0 },
	{ "CLONE_PIDFD|AUTOREAP|THREAD", CLONE_PIDFD | CLONE_AUTOREAP |
	  CLONE_THREAD, 0 },
	{ "CLONE_PIDFD_AUTOKILL", CLONE_PIDFD_AUTOKILL, 0 },
	{ "CLONE_PIDFD_AUTOKILL|AUTOREAP", CLONE_PIDFD_AUTOKILL |
	  CLONE_AUTOREAP, 0 },
	{ "CLONE_PIDFD|AUTOKILL", CLONE_PIDFD | CLONE_PIDFD_AUTOKILL, SIGCHLD },
	{ "CLONE_PIDFD|AUTOKILL|AUTOREAP", CLONE_PIDFD | CLONE_PIDFD_AUTOKILL |
	  CLONE_AUTOREAP, 0 },
	{ "CLONE_PIDFD|AUTOKILL|AUTOREAP|NNP", CLONE_PIDFD |
	  CLONE_PIDFD_AUTOKILL | CLONE_AUTOREAP | CLONE_NNP, 0 },
	{ "CLONE_PIDFD|AUTOKILL|AUTOREAP|THREAD", CLONE_PIDFD | CLONE_THREAD |
	  CLONE_PIDFD_AUTOKILL | CLONE_AUTOREAP | CLONE_NNP, 0 },
	{ "CLONE_PIDFD|1 << 40", CLONE_PIDFD | 1ULL << 40, SIGCHLD },
	{ "CLONE_PIDFD|1 << 63", CLONE_PIDFD | 1ULL << 63, SIGCHLD },
};

/* Notes the number that the kernel may have stored. */
static void note_pidfd(const char *name, int fd, pid_t pid)
{
	if (fd == -77) {
		note(" %s untouched", name);
	} else if (fd >= 0 && fd == pid) {
		note(" %s pid", name);
	} else if (fd >= 0 && fcntl(fd, F_GETFD) >= 0) {
		note(" %s fl=%#x fd=%d", name, fcntl(fd, F_GETFL),
		     fcntl(fd, F_GETFD));
		await_gone(fd);
		close(fd);
		note(" %s", fd == lowest_free() ? "lowest" : "not lowest");
	} else {
		note(" %s %s", name, fd < 0 ? "negative" : "stale");
	}
}

/* The child exits at once, and is reaped unless it is auto-reaped. */
static long end_clone(long pid)
{
	int error = errno;

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid(pid, NULL, __WALL);
	errno = error;
	return pid > 0 ? 0 : pid;
}

static void one_clone3(const char *name, struct clone_args *args, size_t size,
		       const int *pidfd, const int *tid)
{
	long pid = sys_clone3(args, size), result = end_clone(pid);
	int error = errno;

	note_pidfd("pidfd", *pidfd, pid);
	note_pidfd("tid", *tid, pid);
	errno = error;
	show(result, "clone3 %s", name);
}

void all_clone3(void)
{
	for (size_t i = 0; i < COUNT(clones); i++) {
		int pidfd = -77, tid = -77;
		struct clone_args args = {
			.flags = clones[i].flags,
			.pidfd = (uintptr_t)&pidfd,
			.parent_tid = (uintptr_t)&tid,
			.exit_signal = clones[i].exit_signal,
			.cgroup = clones[i].flags & CLONE_INTO_CGROUP ?
				  self_fd : 0,
		};

		one_clone3(clones[i].name, &args, sizeof(args), &pidfd, &tid);
	}
}

static long sys_clone(unsigned long flags, void *parent_tid)
{
	fflush(stdout);
	return syscall(__NR_clone, flags, NULL, parent_tid, NULL, NULL);
}

void all_clone(void)
{
	for (size_t i = 0; i < COUNT(clones); i++) {
		int pidfd = -77, error;
		long pid, result;

		/* The system call ignores the upper half of the word. */
		if (clones[i].flags >> 32)
			continue;
		pid = sys_clone(clones[i].flags | clones[i].exit_signal,
				&pidfd);
		result = end_clone(pid);
		error = errno;
		note_pidfd("pidfd", pidfd, pid);
		errno = error;
		show(result, "clone %s", clones[i].name);
	}
}

void test_clone_pointers(void)
{
	void *pointers[] = { NULL, BAD, (void *)-1L, (void *)LONG_MIN };
	size_t sizes[] = { 0, 8, 63, 64, 72, 80, 88, 96, 4096, 4097, };
	void *text = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	struct clone_args *args = (void *)page;
	int pidfd = -77;

	for (int i = 0; i < 5; i++) {
		void *p = i < 4 ? pointers[i] : text;

		*args = (struct clone_args) {
			.flags = CLONE_PIDFD,
			.pidfd = (uintptr_t)p,
			.exit_signal = SIGCHLD,
		};
		show(end_clone(sys_clone3(args, 88)), "clone3 pointer %d", i);
		show(end_clone(sys_clone(CLONE_PIDFD | SIGCHLD, p)),
		     "clone pointer %d", i);
		show(lowest_free() - self_fd > 0, "descriptors are sane");
	}
	munmap(text, 4096);
	for (size_t i = 0; i < COUNT(sizes); i++) {
		memset(page, 0, sizeof(page));
		args->flags = CLONE_PIDFD;
		args->pidfd = (uintptr_t)&pidfd;
		args->exit_signal = SIGCHLD;
		pidfd = -77;
		one_clone3("size", args, sizes[i], &pidfd, &(int) { -77 });
	}
	page[100] = 1;
	pidfd = -77;
	one_clone3("unknown tail", args, 104, &pidfd, &(int) { -77 });
	memset(page, 0, sizeof(page));
	args->flags = CLONE_PIDFD | CLONE_PARENT_SETTID;
	args->pidfd = (uintptr_t)&pidfd;
	args->parent_tid = args->pidfd;
	args->exit_signal = SIGCHLD;
	show(end_clone(sys_clone3(args, 88)), "clone3 pidfd == parent_tid");
	memset(page, 0, sizeof(page));
}

static int thread_of_clone(void *arg)
{
	return 0;
}

/* Threads by clone(): the pidfd refers to the thread. */
void test_clone_thread(void)
{
	static const int more[] = { 0, CLONE_DETACHED, CLONE_PARENT_SETTID };
	static char stack[65536] __attribute__((aligned(16)));
	const int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
			  CLONE_THREAD | CLONE_SYSVSEM | CLONE_PIDFD;

	for (int i = 0; i < 3; i++) {
		struct subject s = { "cloned thread", -77, 0, getpid(), FILES };

		s.pid = clone(thread_of_clone, stack + sizeof(stack),
			      flags | more[i], NULL, &s.fd);
		show(s.pid < 0 ? -1 : 0, "clone thread flags %#x", more[i]);
		if (s.pid < 0)
			continue;
		await_gone(s.fd);
		look_at(&s);
		show_fd(s.fd, "clone thread");
	}
}

void test_clone_limits(void)
{
	struct rlimit limit, none = { 0, 0 };
	int pidfd = -77;

	getrlimit(RLIMIT_NOFILE, &limit);
	none.rlim_max = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &none);
	show(end_clone(sys_clone(CLONE_PIDFD | SIGCHLD, &pidfd)),
	     "clone without descriptors");
	show(pidfd, "clone's pidfd");
	setrlimit(RLIMIT_NOFILE, &limit);
}
