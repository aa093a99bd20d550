// SPDX-License-Identifier: GPL-2.0
/* Children that follow orders. */
#include "differ.h"

struct order {
	enum what what;
	int arg;
};

static int thread_pipe[2];
static int kid_ctl;

static void *thread_main(void *unused)
{
	pid_t tid = gettid();
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (write(kid_ctl, &tid, sizeof(tid)) == sizeof(tid) &&
	    read(thread_pipe[0], &byte, 1) < 0)
		_exit(255);
	return NULL;
}

/* A thread that executes becomes the leader. */
static void *exec_main(void *unused)
{
	pid_t tid = gettid();
	struct order go;
	char number[16];

	if (write(kid_ctl, &tid, sizeof(tid)) != sizeof(tid) ||
	    read(kid_ctl, &go, sizeof(go)) != sizeof(go))
		_exit(255);
	fcntl(kid_ctl, F_SETFD, 0);
	snprintf(number, sizeof(number), "%d", kid_ctl);
	execl("/proc/self/exe", "differ", number, NULL);
	_exit(255);
}

/* Makes a core dump hold at least @size bytes. */
static int fill_core(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
	int result = -1;

	if (memory != MAP_FAILED) {
		memset(memory, 'm', size);
		/* The bit of private anonymous memory. */
		result = write(fd, "1", 1) == 1 ? 0 : -1;
	}
	close(fd);
	return result;
}

static int obey(const struct order *order)
{
	struct rlimit limit = { order->arg, order->arg };
	pthread_t thread;

	switch (order->what) {
	case EXIT:
		_exit(order->arg);
	case RAISE:
		signal(order->arg, SIG_DFL);
		return kill(getpid(), order->arg);
	case DUMPABLE:
		return prctl(PR_SET_DUMPABLE, order->arg);
	case BECOME:
		return setresgid(order->arg, order->arg + 1, order->arg + 2) ?:
		       setresuid(order->arg + 3, order->arg + 4,
				 order->arg + 5);
	case UNSHARE:
		return unshare(order->arg);
	case THREAD:
		return pipe2(thread_pipe, O_CLOEXEC) ?:
		       pthread_create(&thread, NULL, thread_main, NULL);
	case END_THREAD:
		return write(thread_pipe[1], "", 1);
	case END_LEADER:
		syscall(__NR_exit, order->arg);
	case EXEC:
		return pthread_create(&thread, NULL, exec_main, NULL);
	case CORE_LIMIT:
		return setrlimit(RLIMIT_CORE, &limit);
	case CORE_SIZE:
		return fill_core(order->arg);
	}
	return -1;
}

void kid_main(int ctl)
{
	struct order order;
	int answer = 0;

	kid_ctl = ctl;
	if (write(ctl, &answer, sizeof(answer)) != sizeof(answer))
		_exit(255);
	while (read(ctl, &order, sizeof(order)) == sizeof(order)) {
		answer = obey(&order);
		/* The thread answers. */
		if (order.what == THREAD && !answer)
			continue;
		while (order.what == EXEC && !answer)
			pause();
		if (write(ctl, &answer, sizeof(answer)) != sizeof(answer))
			break;
	}
	_exit(255);
}

static int answer_of(const struct kid *kid)
{
	int answer;

	if (read(kid->ctl, &answer, sizeof(answer)) != sizeof(answer))
		bail_out("a child does not answer");
	return answer;
}

int tell(const struct kid *kid, enum what what, int arg)
{
	struct order order = { what, arg };

	if (write(kid->ctl, &order, sizeof(order)) != sizeof(order))
		bail_out("a child does not listen");
	/* A child that exits sends no answer. */
	if (what == EXIT || what == RAISE || what == END_LEADER)
		return 0;
	return answer_of(kid);
}

void do_or_bail_out(const struct kid *kid, enum what what, int arg)
{
	if (tell(kid, what, arg) < 0)
		bail_out("a child cannot do what it is told");
}

long sys_clone3(struct clone_args *args, size_t size)
{
	fflush(stdout);
	return syscall(__NR_clone3, args, size);
}

struct kid spawn(__u64 flags)
{
	struct kid kid = { .fd = -1 };
	struct clone_args args = {
		.flags = flags | CLONE_PIDFD,
		.pidfd = (uintptr_t)&kid.fd,
		.exit_signal = flags & CLONE_AUTOREAP ? 0 : SIGCHLD,
	};
	int ctl[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ctl))
		bail_out("socketpair");
	kid.pid = sys_clone3(&args, sizeof(args));
	if (kid.pid < 0)
		bail_out("clone3");
	if (kid.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ctl[0]);
		kid_main(ctl[1]);
	}
	close(ctl[1]);
	kid.ctl = ctl[0];
	answer_of(&kid);
	return kid;
}

void await_zombie(pid_t pid)
{
	siginfo_t info;

	if (waitid(P_PID, pid, &info, WEXITED | WNOWAIT | __WALL))
		bail_out("waitid for a zombie");
}

void reap(pid_t pid)
{
	if (waitpid(pid, NULL, __WALL) != pid)
		bail_out("waitpid");
}

/* Waits until the process or thread is reaped. */
void await_gone(int fd)
{
	struct pollfd pfd = { .fd = fd };

	for (int i = 0; i < 1000; i++) {
		if (poll(&pfd, 1, 20) > 0 && pfd.revents & POLLHUP)
			return;
	}
	bail_out("a process does not go");
}

void put(struct kid *kid)
{
	close(kid->fd);
	close(kid->ctl);
}

void end(struct kid *kid)
{
	kill(kid->pid, SIGKILL);
	reap(kid->pid);
	put(kid);
}

/* Runs @run in a child, which may change its own state. */
void in_child(__u64 flags, void (*run)(const void *), const void *arg)
{
	struct clone_args args = { .flags = flags, .exit_signal = SIGCHLD };
	int status;
	pid_t pid;

	pid = sys_clone3(&args, sizeof(args));
	if (pid < 0)
		bail_out("clone3 of a helper");
	if (pid == 0) {
		run(arg);
		fflush(stdout);
		_exit(0);
	}
	if (waitpid(pid, &status, __WALL) != pid || status)
		bail_out("a helper failed");
}
