// SPDX-License-Identifier: GPL-2.0
/*
 * What operations on pidfds cost, in nanoseconds of the monotonic clock, one line
 * each: name, cost. In a guest whose clock counts instructions, these are
 * instructions. Each cost is a median of many rounds; where processes are
 * made and ended it is the least of them, as costs then jump between a few values,
 * by more than what is looked for.
 *
 * bench         what each operation costs
 * bench scale   how many bytes of kernel memory a pidfd takes; and what some of
 *               them cost with up to a million pidfds open
 * bench cpus    what they cost on several CPUs at once
 * bench trace   measures nothing; does each operation between two marks for atomics.py, and
 *               hands it the next argument before
 */
#include "bench.h"

static void measure(const char *name, void (*op)(void), int n)
{
	double cost[ROUNDS];

	for (int i = 0; i < n / 10 + 1; i++)
		op();
	for (int round = 0; round < ROUNDS; round++) {
		double start = nsec_now();

		for (int i = 0; i < n; i++)
			op();
		cost[round] = (nsec_now() - start) / n;
	}
	tell(name, median(cost, ROUNDS));
}

/*
 * A child that shares our memory, and even the stack, as it never comes back from
 * the system call but to exit. So nothing but the clone itself counts.
 */
static long clone_and_exit(bool three, struct __clone_args *args, int *fd)
{
#ifdef __x86_64__
	long ret = three ? __NR_clone3 : __NR_clone;
	long first = three ? (long)args : (long)(args->flags | SIGCHLD);
	long second = three ? (long)sizeof(*args) : 0;

	asm volatile("xor %%r10d, %%r10d\n\t"
		     "xor %%r8d, %%r8d\n\t"
		     "syscall\n\t"
		     "test %%rax, %%rax\n\t"
		     "jnz 1f\n\t"
		     "mov %[exit], %%eax\n\t"
		     "xor %%edi, %%edi\n\t"
		     "syscall\n\t"
		     "1:"
		     : "+a" (ret), "+D" (first), "+S" (second), "+d" (fd)
		     : [exit] "i" (__NR_exit)
		     : "rcx", "r8", "r10", "r11", "memory");
	return ret;
#else
	long ret;

	args->flags &= ~(CLONE_VM | CLONE_VFORK);
	ret = three ? sys_clone3(args, sizeof(*args)) :
		      sys_clone(args->flags | SIGCHLD, fd);
	if (ret == 0)
		_exit(0);
	return ret;
#endif
}

static double one_clone(bool three, unsigned long flags)
{
	int fd = -1;
	struct __clone_args args = {
		.flags		= flags,
		.exit_signal	= SIGCHLD,
		.pidfd		= flags & CLONE_PIDFD ? ptr_to_u64(&fd) : 0,
	};
	double start = nsec_now();
	long pid = clone_and_exit(three, &args, flags & CLONE_PIDFD ? &fd : NULL);

	if (pid < 0)
		fail("clone");
	if (waitpid(pid, NULL, 0) != pid)
		fail("waitpid");
	if (flags & CLONE_PIDFD)
		close(fd);
	return nsec_now() - start;
}

/* In turn, as what a clone costs drifts with time; once the one first, once the other. */
static void measure_clones(bool three)
{
	static double plain[CLONES], with[CLONES];
	const unsigned long flags = CLONE_VM | CLONE_VFORK;
	const char *name = three ? "clone3" : "clone";
	char text[64];

	for (int i = 0; i < 20; i++)
		one_clone(three, flags | (i & 1 ? CLONE_PIDFD : 0));
	for (int i = 0; i < CLONES; i++) {
		if (i & 1)
			with[i] = one_clone(three, flags | CLONE_PIDFD);
		plain[i] = one_clone(three, flags);
		if (!(i & 1))
			with[i] = one_clone(three, flags | CLONE_PIDFD);
	}
	snprintf(text, sizeof(text), "%s + exit + wait", name);
	tell(text, least(plain, CLONES));
	snprintf(text, sizeof(text), "%s(CLONE_PIDFD) + close, extra", name);
	tell(text, least(with, CLONES) - least(plain, CLONES));
}

static void op_fork(void)
{
	pid_t pid = syscall(__NR_clone, SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0)
		_exit(0);
	need(pid, "fork");
	if (waitpid(pid, NULL, 0) != pid)
		fail("waitpid");
}

/* The cost for processes that use no pidfd. */
static void measure_fork(void)
{
	double cost[FORKS];

	for (int i = 0; i < FORKS; i++) {
		double start = nsec_now();

		op_fork();
		cost[i] = nsec_now() - start;
	}
	tell("fork + exit + wait", least(cost, FORKS));
}

/* A process exits after @start, and epoll_wait() for its pidfd returns before @stop. */
static void wake_up(void (*start)(void), void (*stop)(void))
{
	struct epoll_event event = { .events = EPOLLIN };
	static int epoll = -1;
	struct child c;
	int pipe[2];
	char byte;

	if (epoll < 0)
		epoll = epoll_create1(EPOLL_CLOEXEC);
	need(pipe2(pipe, O_CLOEXEC), "pipe");
	c.pid = create_child(&c.pidfd, 0);
	if (c.pid == 0) {
		read_nointr(pipe[0], &byte, 1);
		start();
		_exit(0);
	}
	need(c.pid, "clone");
	need(epoll_ctl(epoll, EPOLL_CTL_ADD, c.pidfd, &event), "epoll_ctl");
	write_nointr(pipe[1], "", 1);
	need(epoll_wait(epoll, &event, 1, -1), "epoll_wait");
	stop();
	waitpid(c.pid, NULL, 0);
	close(c.pidfd);
	close(pipe[0]);
	close(pipe[1]);
}

/* The time when a process exits, and the time when epoll_wait() has returned. */
static double *exited;
static double returned;

static void note_exit(void)
{
	*exited = nsec_now();
}

static void note_return(void)
{
	returned = nsec_now();
}

static void measure_wake_up(void)
{
	double cost[FORKS];

	exited = mmap(NULL, sizeof(*exited), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (exited == MAP_FAILED)
		fail("mmap");
	for (int i = 0; i < FORKS; i++) {
		wake_up(note_exit, note_return);
		cost[i] = returned - *exited;
	}
	tell("epoll_wait, from exit to return", least(cost, FORKS));
}

/*
 * Two processes trace in turn, each on a CPU and with child processes of its own. The kernel
 * memory that both reach is shared by all CPUs.
 */
static int worker;
static int turns[2][2];
static const char *tracing;

static void await_turn(void)
{
	char byte;

	if (read_nointr(turns[worker][0], &byte, 1) != 1)
		fail("turn");
}

static void end_turn(void)
{
	if (write_nointr(turns[!worker][1], "", 1) != 1)
		fail("turn");
}

static void mark(const char *text)
{
	syscall(NR_MARK, MARK, text, strlen(text), worker);
}

/*
 * An interrupt may be pending when the debugger lets the guest leave a mark. So the operation
 * begins at the first call of getpgid(), and ends at the second one.
 */
static void mark_start(void)
{
	mark(tracing);
	sched_yield();
	syscall(__NR_getpgid, 0);
}

static void mark_stop(void)
{
	syscall(__NR_getpgid, 0);
	mark("");
}

static void nothing(void)
{
}

static void op_clone(void)
{
	one_clone(false, CLONE_VM | CLONE_VFORK);
}

static void op_clone_pidfd(void)
{
	one_clone(false, CLONE_VM | CLONE_VFORK | CLONE_PIDFD);
}

static void op_clone3(void)
{
	one_clone(true, CLONE_VM | CLONE_VFORK);
}

static void op_clone3_pidfd(void)
{
	one_clone(true, CLONE_VM | CLONE_VFORK | CLONE_PIDFD);
}

static void op_wake_up(void)
{
	wake_up(nothing, nothing);
}

static void trace(const char *name, void (*op)(void), int times)
{
	tracing = name;
	for (int i = 0; i < times; i++) {
		await_turn();
		for (int j = 0; j < WARM_UP; j++)
			op();
		if (op == op_wake_up) {
			wake_up(mark_start, mark_stop);
		} else {
			mark_start();
			op();
			mark_stop();
		}
		end_turn();
	}
}

static void trace_all(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		trace(ops[i].name, ops[i].op, 3);
	/* The state of allocators makes these vary. The slowest ones get the fewest traces. */
	trace("fork + exit + wait", op_fork, 2);
	trace("clone + exit + wait", op_clone, 4);
	trace("clone(CLONE_PIDFD) + exit + wait + close", op_clone_pidfd, 4);
	trace("clone3 + exit + wait", op_clone3, 4);
	trace("clone3(CLONE_PIDFD) + exit + wait + close", op_clone3_pidfd, 4);
	trace("epoll_wait, from exit to return", op_wake_up, 2);
}

static void need_descriptors(void)
{
	const struct rlimit all = { 1100000, 1100000 };

	if (write_file("/proc/sys/fs/nr_open", "1100000") < 0 ||
	    setrlimit(RLIMIT_NOFILE, &all))
		fail("limit of open files");
}

static void start_idle(pid_t *pids, int n)
{
	for (int i = 0; i < n; i++) {
		pids[i] = fork();
		need(pids[i], "fork");
		if (pids[i] == 0) {
			pause();
			_exit(0);
		}
	}
}

static int opened[1000000];
static int n_opened;

static void open_another(pid_t pid)
{
	opened[n_opened] = syscall(__NR_pidfd_open, pid, 0);
	need(opened[n_opened++], "pidfd_open");
}

/* And closes what open_another() opened. */
static void end_idle(const pid_t *pids, int n)
{
	for (int i = 0; i < n; i++)
		kill(pids[i], SIGKILL);
	for (int i = 0; i < n; i++)
		waitpid(pids[i], NULL, 0);
	while (n_opened)
		close(opened[--n_opened]);
}

/* With more and more pidfds open, of a hundred processes. */
static void measure_scale(void)
{
	static const struct {
		int n;
		const char *name;
	} steps[] = {
		{ 1, "1 open" },
		{ 1000, "1,000 open" },
		{ 100000, "100,000 open" },
		{ 1000000, "1,000,000 open" },
	};
	static const struct {
		const char *name;
		void (*op)(void);
	} at[] = {
		{ "pidfd_open + close, first", op_open_first },
		{ "pidfd_open + close, further", op_open_further },
		{ "poll", op_poll_alive },
		{ "pidfd_send_signal 0", op_send_signal },
		{ "PIDFD_GET_INFO", op_info },
		{ "fdinfo", op_fdinfo },
	};
	pid_t pids[100];
	char text[64];

	start_idle(pids, ARRAY_SIZE(pids));
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		while (n_opened < steps[i].n)
			open_another(pids[n_opened % ARRAY_SIZE(pids)]);
		for (size_t j = 0; j < ARRAY_SIZE(at); j++) {
			snprintf(text, sizeof(text), "%s, %s", at[j].name, steps[i].name);
			measure(text, at[j].op, 200);
		}
	}
	end_idle(pids, ARRAY_SIZE(pids));
}

/* What the slab allocator has given out, once all that was freed is back. */
static double slab_bytes(void)
{
	unsigned long objects, size;
	double bytes = 0;
	char line[512];
	FILE *file;

	for (int i = 0; i < 4; i++)
		usleep(100000);
	file = fopen("/proc/slabinfo", "r");
	if (!file)
		fail("/proc/slabinfo");
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%*s %lu %*u %lu", &objects, &size) == 2)
			bytes += (double)objects * size;
	fclose(file);
	return bytes;
}

static void measure_memory(void)
{
	static pid_t pids[2000];
	const int n = ARRAY_SIZE(pids);
	double before, after;

	before = slab_bytes();
	start_idle(pids, n);
	after = slab_bytes();
	tell("bytes per process", (after - before) / n);
	for (int j = 0; j < 2; j++) {
		before = after;
		for (int i = 0; i < n; i++)
			open_another(pids[i]);
		after = slab_bytes();
		tell(j ? "bytes per further pidfd" : "bytes per first pidfd of a process",
		     (after - before) / n);
	}
	end_idle(pids, n);
}

/* What @op costs a CPU when @n of them do nothing else, for half a second. */
static void measure_cpus(const char *name, void (*op)(void), int n, bool own)
{
	double *cost, sum = 0;
	pid_t pids[n];
	char text[64];

	cost = mmap(NULL, n * sizeof(*cost), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (cost == MAP_FAILED)
		fail("mmap");
	for (int i = 0; i < n; i++) {
		pids[i] = fork();
		need(pids[i], "fork");
		if (pids[i] == 0) {
			double start;
			long ops = 0;
			cpu_set_t one;

			CPU_ZERO(&one);
			CPU_SET(i, &one);
			need(sched_setaffinity(0, sizeof(one), &one), "sched_setaffinity");
			if (own)
				on.pid = on.zombie_pid = getpid();
			start = nsec_now();
			do {
				for (int j = 0; j < 100; j++)
					op();
				ops += 100;
				cost[i] = nsec_now() - start;
			} while (cost[i] < 5e8);
			cost[i] /= ops;
			_exit(0);
		}
	}
	for (int i = 0; i < n; i++) {
		int status;

		if (waitpid(pids[i], &status, 0) != pids[i] || status)
			fail("a CPU's process");
	}
	for (int i = 0; i < n; i++)
		sum += cost[i];
	snprintf(text, sizeof(text), "%s, on %d CPUs", name, n);
	tell(text, sum / n);
}

static void start_one(struct peer *peer)
{
	need(start_peer(peer, CLONE_PIDFD), "start of a process");
}

static void use_cpu(int n)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(n, &one);
	need(sched_setaffinity(0, sizeof(one), &one), "sched_setaffinity");
}

static void prepare(void)
{
	struct peer child, zombie, reaped, unopened;

	start_one(&child);
	start_one(&zombie);
	start_one(&reaped);
	start_one(&unopened);
	tell_peer(&zombie, 0);
	await_zombie(zombie.pid);
	reap_peer(&reaped, 0);
	close(unopened.pidfd);

	on.child = child.pidfd;
	on.zombie = zombie.pidfd;
	on.zombie_pid = zombie.pid;
	on.reaped = reaped.pidfd;
	on.pid = unopened.pid;
	on.sock = child.sock;
	snprintf(on.fdinfo, sizeof(on.fdinfo), "/proc/self/fdinfo/%d", on.child);
}

static void trace_by_two(const char *run)
{
	int status;
	pid_t pid;

	mark(run);
	need(pipe2(turns[0], O_CLOEXEC), "pipe");
	need(pipe2(turns[1], O_CLOEXEC), "pipe");
	pid = fork();
	need(pid, "fork");
	worker = !pid;
	/* If one process dies, the other one reads an end of file. */
	close(turns[worker][1]);
	use_cpu(worker);
	prepare();
	if (worker)
		end_turn();
	trace_all();
	if (worker)
		exit(0);
	if (waitpid(pid, &status, 0) != pid || status)
		fail("the second process");
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(what, "trace")) {
		trace_by_two(argc > 2 ? argv[2] : "");
		return 0;
	}
	use_cpu(0);
	prepare();
	if (!strcmp(what, "scale")) {
		need_descriptors();
		measure_memory();
		measure_scale();
		return 0;
	}
	if (!strcmp(what, "cpus")) {
		for (int n = 1; n <= 4 && n <= sysconf(_SC_NPROCESSORS_ONLN); n *= 2) {
			measure_cpus("own pidfd_open + close", op_open_first, n, true);
			measure_cpus("shared pidfd_open + close", op_open_further, n, false);
			measure_cpus("shared poll", op_poll_alive, n, false);
		}
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		measure(ops[i].name, ops[i].op, ops[i].n);
	measure_fork();
	measure_clones(false);
	measure_clones(true);
	measure_wake_up();
	return 0;
}
