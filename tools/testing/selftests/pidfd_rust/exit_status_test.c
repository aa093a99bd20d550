// SPDX-License-Identifier: GPL-2.0
/*
 * PIDFD_GET_INFO with PIDFD_INFO_EXIT reports the status that wait4() reports, whichever thread
 * ended the process and in whatever order the threads exit; and for a thread that is not the
 * leader, the thread's own exit code.
 */
#include <sys/ptrace.h>
#include <sys/resource.h>

#include "pidfs.h"
#include "slow_page.h"
#include "threads.h"

/* Exit codes of the leader, of the thread that ends the process, and of others. */
#define LEADER_CODE 11
#define THREAD_CODE 22
#define OTHER_CODE 33
#define GROUP_CODE 44
#define PROGRAM_CODE 55

#define DUMPED 0x80

#define RACES 40
#define ROUNDS 200

/*
 * A scenario ends a process with threads, or makes it end at let_end(). It returns NULL, or the
 * step that failed.
 */
#define MUST(condition) do {						\
	if (!(condition))						\
		return #condition;					\
} while (0)

/* A thread that asks for the status as soon as poll() returns. */
struct asker {
	pthread_t thread;
	pid_t tid;
	int fd;
	int revents;
	int reported;
	bool woken;
};

static void *asks_when_woken(void *arg)
{
	struct asker *a = arg;

	__atomic_store_n(&a->tid, gettid(), __ATOMIC_SEQ_CST);
	a->revents = becomes_ready(a->fd, POLLIN);
	a->reported = exit_code_of(a->fd);
	__atomic_store_n(&a->woken, true, __ATOMIC_SEQ_CST);
	return NULL;
}

static bool start_asker(struct asker *a, int fd)
{
	*a = (struct asker) { .fd = fd };
	if (pthread_create(&a->thread, NULL, asks_when_woken, a))
		return false;
	while (!__atomic_load_n(&a->tid, __ATOMIC_SEQ_CST))
		sched_yield();
	return thread_becomes(getpid(), a->tid, 'S');
}

static struct asker asker;

/* A thread that asks for the status all the time, and stops once there is one. */
struct spinner {
	pthread_t thread;
	int fd;
	int rounds;
	int reported;
	bool stop;
};

static void *asks_all_the_time(void *arg)
{
	struct spinner *s = arg;

	s->reported = NO_RECORD;
	while (!__atomic_load_n(&s->stop, __ATOMIC_SEQ_CST) && s->reported == NO_RECORD) {
		s->reported = exit_code_of(s->fd);
		s->rounds++;
	}
	return NULL;
}

static bool start_spinner(struct spinner *s, int fd)
{
	*s = (struct spinner) { .fd = fd };
	return !pthread_create(&s->thread, NULL, asks_all_the_time, s);
}

static void stop_spinner(struct spinner *s)
{
	__atomic_store_n(&s->stop, true, __ATOMIC_SEQ_CST);
	pthread_join(s->thread, NULL);
}

/* No pidfd reports the end of the process. */
static bool still_lives(const struct process *p)
{
	return !__atomic_load_n(&asker.woken, __ATOMIC_SEQ_CST) && !ready(p->leader.pidfd) &&
	       exit_code_of(p->leader.pidfd) == NO_RECORD;
}

#define CORE_FILE "core"
#define DIR_SIZE 32

/* Steps of scenarios. */

/* The leader becomes a zombie, and its threads go on. */
static bool leader_ends(struct process *p)
{
	tell_thread(&p->leader, LEADER_CODE);
	return becomes(p, &p->leader, 'Z') && still_lives(p);
}

/* The leader has got its exit code, and is no zombie so far. */
static bool leader_begins_to_end(struct process *p)
{
	if (!keep_from_ending(p, &p->leader))
		return false;
	tell_thread(&p->leader, LEADER_CODE);
	return becomes(p, &p->leader, 'D') && still_lives(p);
}

/* The leader will be the last thread to end. */
static bool only_leader_is_left(struct process *p)
{
	return becomes(p, &p->thread[0], 0) && becomes(p, &p->thread[1], 0) &&
	       thread_state(p->leader.pid, p->leader.pid) && still_lives(p);
}

static long writes_to(long address)
{
	*(int *)address = 0;
	return 0;
}

static void crash(const struct peer *thread)
{
	order_peer(thread, writes_to, 16);
}

static long dumps_no_core(long unused)
{
	struct rlimit none = {};

	return setrlimit(RLIMIT_CORE, &none);
}

/* A process that traces the leader and waits until the leader stops in its exit. */
struct tracer {
	pid_t pid;
	int said;
};

static void traces(pid_t pid, int said)
{
	int status;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACEEXIT) ||
	    write_nointr(said, "T", 1) != 1 ||
	    waitpid(pid, &status, __WALL) != pid ||
	    status >> 8 != (SIGTRAP | PTRACE_EVENT_EXIT << 8) ||
	    write_nointr(said, "E", 1) != 1)
		_exit(EXIT_FAILURE);
	for (;;)
		pause();
}

static bool tracer_says(const struct tracer *t, char what)
{
	char byte;

	return becomes_ready(t->said, POLLIN) & POLLIN && read_nointr(t->said, &byte, 1) == 1 &&
	       byte == what;
}

static bool start_tracer(struct tracer *t, pid_t pid)
{
	int said[2];

	if (pipe2(said, O_CLOEXEC))
		return false;
	t->said = said[0];
	t->pid = fork();
	if (t->pid == 0)
		traces(pid, said[1]);
	close(said[1]);
	return tracer_says(t, 'T');
}

/* The tracee continues without a tracer. */
static void end_tracer(struct tracer *t)
{
	kill(t->pid, SIGKILL);
	waitpid(t->pid, NULL, 0);
	close(t->said);
}

/* Crashes. */

static const char *thread_crashes(struct process *p)
{
	crash(&p->thread[0]);
	return NULL;
}

static const char *thread_crashes_and_leader_is_last(struct process *p)
{
	MUST(keep_from_ending(p, &p->leader));
	crash(&p->thread[0]);
	MUST(only_leader_is_left(p));
	return NULL;
}

static const char *thread_crashes_and_is_last(struct process *p)
{
	MUST(keep_from_ending(p, &p->thread[0]));
	crash(&p->thread[0]);
	MUST(becomes(p, &p->leader, 'Z'));
	MUST(becomes(p, &p->thread[1], 0));
	MUST(still_lives(p));
	return NULL;
}

static const char *thread_crashes_and_another_is_last(struct process *p)
{
	MUST(keep_from_ending(p, &p->thread[1]));
	crash(&p->thread[0]);
	MUST(becomes(p, &p->leader, 'Z'));
	MUST(becomes(p, &p->thread[0], 0));
	MUST(still_lives(p));
	return NULL;
}

static const char *leader_crashes(struct process *p)
{
	crash(&p->leader);
	return NULL;
}

static const char *leader_crashes_and_is_last(struct process *p)
{
	MUST(keep_from_ending(p, &p->leader));
	crash(&p->leader);
	MUST(only_leader_is_left(p));
	return NULL;
}

static const char *leader_crashes_and_a_thread_is_last(struct process *p)
{
	MUST(keep_from_ending(p, &p->thread[0]));
	crash(&p->leader);
	MUST(becomes(p, &p->leader, 'Z'));
	MUST(still_lives(p));
	return NULL;
}

static const char *thread_crashes_after_leader_ended(struct process *p)
{
	MUST(leader_ends(p));
	crash(&p->thread[0]);
	return NULL;
}

static const char *thread_crashes_while_leader_ends(struct process *p)
{
	MUST(leader_begins_to_end(p));
	crash(&p->thread[0]);
	MUST(only_leader_is_left(p));
	return NULL;
}

static const char *thread_crashes_without_a_dump(struct process *p)
{
	MUST(peer_does(&p->leader, dumps_no_core, 0) == 0);
	return thread_crashes_and_leader_is_last(p);
}

/* exit_group(). */

static const char *leader_exits_the_group(struct process *p)
{
	MUST(keep_from_ending(p, &p->thread[0]));
	tell_peer(&p->leader, GROUP_CODE);
	MUST(becomes(p, &p->leader, 'Z'));
	MUST(still_lives(p));
	return NULL;
}

static const char *thread_exits_the_group(struct process *p)
{
	MUST(keep_from_ending(p, &p->leader));
	tell_peer(&p->thread[0], GROUP_CODE);
	MUST(only_leader_is_left(p));
	return NULL;
}

static const char *thread_exits_the_group_after_leader_ended(struct process *p)
{
	MUST(leader_ends(p));
	tell_peer(&p->thread[0], GROUP_CODE);
	return NULL;
}

static const char *thread_exits_the_group_while_leader_ends(struct process *p)
{
	MUST(leader_begins_to_end(p));
	tell_peer(&p->thread[0], GROUP_CODE);
	MUST(only_leader_is_left(p));
	return NULL;
}

/* exit_group() sends SIGKILL to all threads, which continues a stopped leader. */
static const char *thread_exits_the_group_while_leader_is_stopped(struct process *p)
{
	struct tracer tracer;

	MUST(keep_from_ending(p, &p->leader));
	MUST(start_tracer(&tracer, p->leader.pid));
	tell_thread(&p->leader, LEADER_CODE);
	MUST(tracer_says(&tracer, 'E'));
	tell_peer(&p->thread[0], GROUP_CODE);
	MUST(becomes(p, &p->thread[0], 0));
	MUST(becomes(p, &p->thread[1], 0));
	MUST(becomes(p, &p->leader, 'D'));
	end_tracer(&tracer);
	MUST(still_lives(p));
	return NULL;
}

/* Threads that exit one by one. */

static const char *leader_exits_last(struct process *p)
{
	tell_thread(&p->thread[0], THREAD_CODE);
	tell_thread(&p->thread[1], OTHER_CODE);
	MUST(only_leader_is_left(p));
	tell_thread(&p->leader, LEADER_CODE);
	return NULL;
}

/* The last thread to call exit() determines the status, even if another one ends later. */
static const char *leader_exits_last_while_thread_ends(struct process *p)
{
	MUST(keep_from_ending(p, &p->thread[0]));
	tell_thread(&p->thread[1], OTHER_CODE);
	MUST(becomes(p, &p->thread[1], 0));
	tell_thread(&p->thread[0], THREAD_CODE);
	MUST(becomes(p, &p->thread[0], 'D'));
	MUST(leader_ends(p));
	return NULL;
}

static const char *thread_exits_last(struct process *p)
{
	MUST(leader_ends(p));
	tell_thread(&p->thread[1], OTHER_CODE);
	MUST(becomes(p, &p->thread[1], 0));
	MUST(still_lives(p));
	tell_thread(&p->thread[0], THREAD_CODE);
	return NULL;
}

static const char *thread_exits_last_while_leader_ends(struct process *p)
{
	MUST(leader_begins_to_end(p));
	tell_thread(&p->thread[1], OTHER_CODE);
	MUST(becomes(p, &p->thread[1], 0));
	tell_thread(&p->thread[0], THREAD_CODE);
	MUST(only_leader_is_left(p));
	return NULL;
}

static const char *thread_exits_last_while_leader_is_stopped(struct process *p)
{
	struct tracer tracer;

	MUST(start_tracer(&tracer, p->leader.pid));
	tell_thread(&p->leader, LEADER_CODE);
	MUST(tracer_says(&tracer, 'E'));
	tell_thread(&p->thread[1], OTHER_CODE);
	MUST(becomes(p, &p->thread[1], 0));
	tell_thread(&p->thread[0], THREAD_CODE);
	MUST(becomes(p, &p->thread[0], 0));
	MUST(becomes(p, &p->leader, 't'));
	MUST(still_lives(p));
	end_tracer(&tracer);
	return NULL;
}

/* Signals. */

static bool signal_thread(const struct process *p, const struct peer *thread, int sig)
{
	return !syscall(__NR_tgkill, p->leader.pid, thread->pid, sig);
}

static const char *is_killed_after_leader_ended(struct process *p)
{
	MUST(leader_ends(p));
	MUST(!sys_pidfd_send_signal(p->leader.pidfd, SIGKILL, NULL, 0));
	return NULL;
}

static const char *is_killed_while_leader_ends(struct process *p)
{
	MUST(leader_begins_to_end(p));
	MUST(!sys_pidfd_send_signal(p->leader.pidfd, SIGKILL, NULL, 0));
	MUST(only_leader_is_left(p));
	return NULL;
}

static const char *thread_gets_a_signal(struct process *p)
{
	MUST(keep_from_ending(p, &p->leader));
	MUST(signal_thread(p, &p->thread[0], SIGTERM));
	MUST(only_leader_is_left(p));
	return NULL;
}

static const char *thread_gets_a_signal_after_leader_ended(struct process *p)
{
	MUST(leader_ends(p));
	MUST(signal_thread(p, &p->thread[0], SIGTERM));
	return NULL;
}

static const char *thread_gets_a_signal_while_leader_ends(struct process *p)
{
	MUST(leader_begins_to_end(p));
	MUST(signal_thread(p, &p->thread[0], SIGTERM));
	MUST(only_leader_is_left(p));
	return NULL;
}

/* A thread that calls execve() becomes the leader. */

static const char *runs_the_program(struct process *p)
{
	MUST(peer_answers(&p->thread[0]) == 0);
	MUST(still_lives(p));
	MUST(pidfd_number(p->leader.pidfd) == p->leader.pid);
	tell_peer(&p->thread[0], PROGRAM_CODE);
	return NULL;
}

static const char *thread_executes(struct process *p)
{
	execute(p, 0);
	return runs_the_program(p);
}

static const char *thread_executes_after_leader_ended(struct process *p)
{
	MUST(leader_ends(p));
	execute(p, 0);
	return runs_the_program(p);
}

static const char *thread_begins_to_execute(struct process *p, bool leader_first)
{
	MUST(keep_from_ending(p, &p->leader));
	if (leader_first) {
		tell_thread(&p->leader, LEADER_CODE);
		MUST(becomes(p, &p->leader, 'D'));
	}
	execute(p, 0);
	MUST(becomes(p, &p->thread[1], 0));
	MUST(becomes(p, &p->leader, 'D'));
	MUST(becomes(p, &p->thread[0], 'D'));
	MUST(still_lives(p));
	return NULL;
}

static const char *thread_executes_while_leader_ends(struct process *p)
{
	const char *wrong = thread_begins_to_execute(p, true);

	if (wrong)
		return wrong;
	let_end(p);
	return runs_the_program(p);
}

static const char *thread_executes_and_ends_the_leader(struct process *p)
{
	const char *wrong = thread_begins_to_execute(p, false);

	if (wrong)
		return wrong;
	let_end(p);
	return runs_the_program(p);
}

static const char *exec_is_killed(struct process *p, bool leader_first)
{
	const char *wrong = thread_begins_to_execute(p, leader_first);

	if (wrong)
		return wrong;
	MUST(!sys_pidfd_send_signal(p->leader.pidfd, SIGKILL, NULL, 0));
	MUST(becomes(p, &p->thread[0], 0));
	MUST(still_lives(p));
	return NULL;
}

static const char *is_killed_while_it_executes(struct process *p)
{
	return exec_is_killed(p, false);
}

static const char *is_killed_while_it_executes_and_leader_ends(struct process *p)
{
	return exec_is_killed(p, true);
}

/* The process. */

enum reaping {
	WAITED_FOR,
	IGNORED,
	AUTOREAP,
};

static __u64 clone_flags(enum reaping how)
{
	return CLONE_PIDFD | (how == AUTOREAP ? CLONE_AUTOREAP : 0);
}

/* The pidfd of clone3(), and those of pidfd_open() without and with PIDFD_THREAD. */
#define PIDFDS 3

struct seen {
	/* The status that wait4() reports. */
	int status;
	/* The status that PIDFD_GET_INFO reports right after the wake-up, and in the end. */
	int woken;
	int reported[PIDFDS];
	const char *wrong;
};

/* Runs the scenario in a new process, and has PIDFDS pidfds of it. */
static void run(const char *(*scenario)(struct process *p), enum reaping how, struct seen *seen)
{
	struct process p;
	int fds[PIDFDS];

	memset(seen, 0, sizeof(*seen));
	if (how == IGNORED)
		signal(SIGCHLD, SIG_IGN);
	if (start_process(&p, clone_flags(how))) {
		seen->wrong = "start_process()";
		return;
	}
	fds[0] = p.leader.pidfd;
	fds[1] = sys_pidfd_open(p.leader.pid, 0);
	fds[2] = sys_pidfd_open(p.leader.pid, PIDFD_THREAD);

	seen->wrong = start_asker(&asker, fds[0]) ? scenario(&p) : "start_asker()";
	if (seen->wrong)
		kill(p.leader.pid, SIGKILL);
	let_end(&p);
	pthread_join(asker.thread, NULL);
	seen->woken = asker.reported;
	if (!seen->wrong && !(asker.revents & POLLIN))
		seen->wrong = "asker.revents & POLLIN";

	if (how == WAITED_FOR && wait4(p.leader.pid, &seen->status, 0, NULL) != p.leader.pid)
		seen->wrong = "wait4()";
	is_reaped(fds[0]);
	for (int i = 0; i < PIDFDS; i++)
		seen->reported[i] = exit_code_of(fds[i]);
	close(fds[1]);
	close(fds[2]);
	end_process(&p);
	signal(SIGCHLD, SIG_DFL);
}

FIXTURE(process)
{
	struct numbers before;
	struct core old;
	char dir[DIR_SIZE];
};

FIXTURE_VARIANT(process)
{
	enum reaping reaping;
};

FIXTURE_VARIANT_ADD(process, waited_for)
{
	.reaping = WAITED_FOR,
};

FIXTURE_VARIANT_ADD(process, sigchld_ignored)
{
	.reaping = IGNORED,
};

FIXTURE_VARIANT_ADD(process, autoreap)
{
	.reaping = AUTOREAP,
};

/* Makes children dump core to a file in a new directory. */
static void begin(struct __test_metadata *_metadata, struct numbers *before, struct core *old,
		  char *dir)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	const char *reason = no_brakes();
	char pattern[64];

	if (reason)
		SKIP(return, "%s", reason);
	rust_setup(_metadata, before);
	snprintf(dir, DIR_SIZE, "/tmp/exit_status.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(dir));
	snprintf(pattern, sizeof(pattern), "%s/" CORE_FILE, dir);
	ASSERT_EQ(0, set_core(old, pattern));
	ASSERT_EQ(0, setrlimit(RLIMIT_CORE, &all));
	/* A dump of memory takes long, and no test looks at it. */
	ASSERT_EQ(0, write_file("/proc/self/coredump_filter", "0"));
}

static void end(struct __test_metadata *_metadata, struct numbers *before, const struct core *old,
		const char *dir)
{
	char path[64];

	put_core(old);
	snprintf(path, sizeof(path), "%s/" CORE_FILE, dir);
	unlink(path);
	rmdir(dir);
	rust_teardown(_metadata, before);
}

FIXTURE_SETUP(process)
{
	begin(_metadata, &self->before, &self->old, self->dir);
}

FIXTURE_TEARDOWN(process)
{
	end(_metadata, &self->before, &self->old, self->dir);
}

static bool has_dump(const char *dir)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/" CORE_FILE, dir);
	return !access(path, F_OK);
}

/*
 * Checks that wait4() reports @status, and that all pidfds report the same. wait4() cannot report
 * the status of a process that reaps itself, so the scenario runs twice in that case, and the
 * first process awaits wait4().
 */
static void check(struct __test_metadata *_metadata, const char *(*scenario)(struct process *p),
		  enum reaping how, int status, const char *dir)
{
	long created = rust_created();
	struct seen seen;

	run(scenario, WAITED_FOR, &seen);
	EXPECT_EQ(created + PIDFDS, rust_created());
	ASSERT_EQ(NULL, seen.wrong) {
		TH_LOG("failed: %s", seen.wrong);
	}
	EXPECT_EQ(status, seen.status);
	EXPECT_EQ(!!(status & DUMPED), has_dump(dir));
	if (how == WAITED_FOR) {
		/* The pidfd of a zombie reports no status. */
		EXPECT_EQ(NO_RECORD, seen.woken);
	} else {
		status = seen.status;
		run(scenario, how, &seen);
		EXPECT_EQ(created + 2 * PIDFDS, rust_created());
		ASSERT_EQ(NULL, seen.wrong) {
			TH_LOG("failed: %s", seen.wrong);
		}
		seen.status = status;
		EXPECT_EQ(seen.status, seen.woken);
	}
	for (int i = 0; i < PIDFDS; i++) {
		EXPECT_EQ(seen.status, seen.reported[i]);
	}
	EXPECT_NO_CHILD();
}

#define ENDS_WITH(status, name)						\
	TEST_F(process, name)						\
	{								\
		check(_metadata, name, variant->reaping, status, self->dir); \
	}

ENDS_WITH(SIGSEGV | DUMPED, thread_crashes)
ENDS_WITH(SIGSEGV | DUMPED, thread_crashes_and_leader_is_last)
ENDS_WITH(SIGSEGV | DUMPED, thread_crashes_and_is_last)
ENDS_WITH(SIGSEGV | DUMPED, thread_crashes_and_another_is_last)
ENDS_WITH(SIGSEGV | DUMPED, thread_crashes_after_leader_ended)
ENDS_WITH(SIGSEGV | DUMPED, thread_crashes_while_leader_ends)
ENDS_WITH(SIGSEGV, thread_crashes_without_a_dump)
ENDS_WITH(SIGSEGV | DUMPED, leader_crashes)
ENDS_WITH(SIGSEGV | DUMPED, leader_crashes_and_is_last)
ENDS_WITH(SIGSEGV | DUMPED, leader_crashes_and_a_thread_is_last)
ENDS_WITH(EXITED(GROUP_CODE), leader_exits_the_group)
ENDS_WITH(EXITED(GROUP_CODE), thread_exits_the_group)
ENDS_WITH(EXITED(GROUP_CODE), thread_exits_the_group_after_leader_ended)
ENDS_WITH(EXITED(GROUP_CODE), thread_exits_the_group_while_leader_ends)
ENDS_WITH(EXITED(GROUP_CODE), thread_exits_the_group_while_leader_is_stopped)
ENDS_WITH(EXITED(LEADER_CODE), leader_exits_last)
ENDS_WITH(EXITED(LEADER_CODE), leader_exits_last_while_thread_ends)
ENDS_WITH(EXITED(THREAD_CODE), thread_exits_last)
ENDS_WITH(EXITED(THREAD_CODE), thread_exits_last_while_leader_ends)
ENDS_WITH(EXITED(THREAD_CODE), thread_exits_last_while_leader_is_stopped)
ENDS_WITH(SIGKILL, is_killed_after_leader_ended)
ENDS_WITH(SIGKILL, is_killed_while_leader_ends)
ENDS_WITH(SIGTERM, thread_gets_a_signal)
ENDS_WITH(SIGTERM, thread_gets_a_signal_after_leader_ended)
ENDS_WITH(SIGTERM, thread_gets_a_signal_while_leader_ends)
ENDS_WITH(EXITED(PROGRAM_CODE), thread_executes)
ENDS_WITH(EXITED(PROGRAM_CODE), thread_executes_after_leader_ended)
ENDS_WITH(EXITED(PROGRAM_CODE), thread_executes_while_leader_ends)
ENDS_WITH(EXITED(PROGRAM_CODE), thread_executes_and_ends_the_leader)
ENDS_WITH(SIGKILL, is_killed_while_it_executes)
ENDS_WITH(SIGKILL, is_killed_while_it_executes_and_leader_ends)

/*
 * The kernel wakes up pollers of a process that reaps itself, and records the status after that.
 * The pidfd reports the status in between as well. The pidfd of a zombie does not.
 */
TEST_F(process, reports_its_status_neither_early_nor_late)
{
	for_rounds(i, ROUNDS) {
		struct spinner s;
		struct process p;

		if (variant->reaping == IGNORED)
			signal(SIGCHLD, SIG_IGN);
		ASSERT_EQ(0, start_process(&p, clone_flags(variant->reaping)));
		ASSERT_TRUE(leader_begins_to_end(&p));
		tell_peer(&p.thread[0], GROUP_CODE);
		ASSERT_TRUE(only_leader_is_left(&p));
		ASSERT_TRUE(start_spinner(&s, p.leader.pidfd));
		let_end(&p);
		if (variant->reaping == WAITED_FOR) {
			EXPECT_EQ(0, await_zombie(p.leader.pid));
			stop_spinner(&s);
			EXPECT_EQ(NO_RECORD, s.reported);
			EXPECT_EQ(p.leader.pid, waitpid(p.leader.pid, NULL, 0));
		} else {
			EXPECT_TRUE(is_reaped(p.leader.pidfd));
			pthread_join(s.thread, NULL);
			EXPECT_EQ(EXITED(GROUP_CODE), s.reported);
		}
		EXPECT_EQ(EXITED(GROUP_CODE), exit_code_of(p.leader.pidfd));
		end_process(&p);
		signal(SIGCHLD, SIG_DFL);
	}
}

static unsigned int seed;

/* The threads exit and a signal arrives at the same time, in any order. */
static const char *ends_in_many_ways(struct process *p)
{
	int first = rand_r(&seed) % 4;

	for (int i = 0; i < 4; i++) {
		switch ((first + i) % 4) {
		case 0:
			tell_thread(&p->leader, LEADER_CODE);
			break;
		case 1:
			tell_peer(&p->thread[0], GROUP_CODE);
			break;
		case 2:
			tell_thread(&p->thread[1], OTHER_CODE);
			break;
		case 3:
			if (rand_r(&seed) % 2)
				sys_pidfd_send_signal(p->leader.pidfd, SIGKILL, NULL, 0);
			break;
		}
		usleep(rand_r(&seed) % 200);
	}
	return NULL;
}

TEST_F(process, ends_in_many_ways)
{
	int killed = 0, exited = 0, n = 0;

	for_rounds(i, RACES) {
		struct seen seen;
		int status;

		seed = i;
		run(ends_in_many_ways, variant->reaping, &seen);
		ASSERT_EQ(NULL, seen.wrong);
		status = variant->reaping == WAITED_FOR ? seen.status : seen.woken;
		for (int j = 0; j < PIDFDS; j++) {
			ASSERT_EQ(status, seen.reported[j]) {
				TH_LOG("round %ld", i);
			}
		}
		killed += status == SIGKILL;
		exited += status == EXITED(GROUP_CODE);
		n++;
	}
	TH_LOG("%d killed, %d exited", killed, exited);
	EXPECT_EQ(n, killed + exited);
}

/* The old leader has ended, but the pidfd refers to the process. */
TEST_F(process, reports_no_end_while_a_thread_executes)
{
	struct process p;

	for_rounds(i, RACES) {
		struct spinner s;

		ASSERT_EQ(0, start_process(&p, clone_flags(variant->reaping)));
		if (i % 2) {
			tell_thread(&p.leader, LEADER_CODE);
			ASSERT_TRUE(becomes(&p, &p.leader, 'Z'));
		}
		if (variant->reaping == IGNORED)
			signal(SIGCHLD, SIG_IGN);
		ASSERT_TRUE(start_spinner(&s, p.leader.pidfd));
		execute(&p, 0);
		EXPECT_EQ(0, peer_answers(&p.thread[0]));
		stop_spinner(&s);
		EXPECT_EQ(NO_RECORD, s.reported);
		EXPECT_GT(s.rounds, 1);
		tell_peer(&p.thread[0], PROGRAM_CODE);
		if (variant->reaping == WAITED_FOR) {
			EXPECT_EQ(p.leader.pid, waitpid(p.leader.pid, NULL, 0));
		}
		EXPECT_TRUE(is_reaped(p.leader.pidfd));
		EXPECT_EQ(EXITED(PROGRAM_CODE), exit_code_of(p.leader.pidfd));
		signal(SIGCHLD, SIG_DFL);
		end_process(&p);
	}
}

/* The pidfd of a thread that is not the leader reports the thread's own exit code. */

FIXTURE(subthread)
{
	struct numbers before;
	struct core old;
	char dir[DIR_SIZE];
};

FIXTURE_SETUP(subthread)
{
	begin(_metadata, &self->before, &self->old, self->dir);
}

FIXTURE_TEARDOWN(subthread)
{
	end(_metadata, &self->before, &self->old, self->dir);
}

/* Checks what the pidfd of the first thread reports. The scenario need not end the process. */
static void check_subthread(struct __test_metadata *_metadata,
			    const char *(*scenario)(struct process *p), int status)
{
	const char *wrong;
	struct process p;
	int fd = -1;

	ASSERT_EQ(0, start_process(&p, CLONE_PIDFD));
	EXPECT_RUST_MAKES(1, fd = sys_pidfd_open(p.thread[0].pid, PIDFD_THREAD));
	ASSERT_TRUE(start_asker(&asker, fd));
	wrong = scenario(&p);
	ASSERT_EQ(NULL, wrong) {
		TH_LOG("failed: %s", wrong);
	}
	let_end(&p);
	pthread_join(asker.thread, NULL);
	EXPECT_EQ(POLLIN, asker.revents & POLLIN);
	EXPECT_EQ(status, asker.reported);
	EXPECT_TRUE(is_reaped(fd));
	EXPECT_EQ(status, exit_code_of(fd));

	kill(p.leader.pid, SIGKILL);
	EXPECT_EQ(p.leader.pid, waitpid(p.leader.pid, NULL, 0));
	EXPECT_EQ(status, exit_code_of(fd));
	close(fd);
	end_process(&p);
}

#define SUBTHREAD_ENDS_WITH(status, name)				\
	TEST_F(subthread, name)						\
	{								\
		check_subthread(_metadata, name, status);		\
	}

static const char *exits_by_itself(struct process *p)
{
	tell_thread(&p->thread[0], THREAD_CODE);
	return NULL;
}

static const char *exits_after_the_leader(struct process *p)
{
	MUST(leader_ends(p));
	tell_thread(&p->thread[0], THREAD_CODE);
	return NULL;
}

static const char *exits_as_the_last_one(struct process *p)
{
	tell_thread(&p->leader, LEADER_CODE);
	tell_thread(&p->thread[1], OTHER_CODE);
	MUST(becomes(p, &p->leader, 'Z'));
	MUST(becomes(p, &p->thread[1], 0));
	tell_thread(&p->thread[0], THREAD_CODE);
	return NULL;
}

static const char *exits_before_the_group_does(struct process *p)
{
	MUST(keep_from_ending(p, &p->thread[0]));
	tell_thread(&p->thread[0], THREAD_CODE);
	MUST(becomes(p, &p->thread[0], 'D'));
	tell_peer(&p->thread[1], GROUP_CODE);
	MUST(becomes(p, &p->thread[1], 0));
	MUST(becomes(p, &p->leader, 'Z'));
	return NULL;
}

static const char *exits_before_the_process_is_killed(struct process *p)
{
	MUST(keep_from_ending(p, &p->thread[0]));
	tell_thread(&p->thread[0], THREAD_CODE);
	MUST(becomes(p, &p->thread[0], 'D'));
	MUST(!kill(p->leader.pid, SIGKILL));
	MUST(becomes(p, &p->leader, 'Z'));
	return NULL;
}

static const char *exits_the_group(struct process *p)
{
	tell_peer(&p->thread[0], GROUP_CODE);
	return NULL;
}

static const char *is_ended_by_exit_group(struct process *p)
{
	tell_peer(&p->thread[1], GROUP_CODE);
	return NULL;
}

static const char *is_killed_with_its_process(struct process *p)
{
	MUST(!kill(p->leader.pid, SIGKILL));
	return NULL;
}

static const char *is_ended_by_a_signal_to_another(struct process *p)
{
	MUST(signal_thread(p, &p->thread[1], SIGTERM));
	return NULL;
}

static const char *is_ended_by_a_signal(struct process *p)
{
	MUST(signal_thread(p, &p->thread[0], SIGTERM));
	return NULL;
}

static const char *dumps_core(struct process *p)
{
	crash(&p->thread[0]);
	return NULL;
}

/* This thread exits before the kernel knows that there is a dump. */
static const char *is_ended_by_a_dump_of_another(struct process *p)
{
	crash(&p->thread[1]);
	return NULL;
}

static const char *crashes_without_a_dump(struct process *p)
{
	MUST(peer_does(&p->leader, dumps_no_core, 0) == 0);
	crash(&p->thread[0]);
	return NULL;
}

static const char *is_ended_by_an_exec_of_another(struct process *p)
{
	execute(p, 1);
	MUST(peer_answers(&p->thread[1]) == 0);
	return NULL;
}

/* de_thread() gives the thread's pid to the old leader, whose exit code the pid reports. */
static const char *executes_and_gives_up_its_number(struct process *p)
{
	execute(p, 0);
	MUST(peer_answers(&p->thread[0]) == 0);
	return NULL;
}

static const char *executes_after_the_leader_ended(struct process *p)
{
	MUST(leader_ends(p));
	return executes_and_gives_up_its_number(p);
}

SUBTHREAD_ENDS_WITH(EXITED(THREAD_CODE), exits_by_itself)
SUBTHREAD_ENDS_WITH(EXITED(THREAD_CODE), exits_after_the_leader)
SUBTHREAD_ENDS_WITH(EXITED(THREAD_CODE), exits_as_the_last_one)
SUBTHREAD_ENDS_WITH(EXITED(THREAD_CODE), exits_before_the_group_does)
SUBTHREAD_ENDS_WITH(EXITED(THREAD_CODE), exits_before_the_process_is_killed)
SUBTHREAD_ENDS_WITH(EXITED(GROUP_CODE), exits_the_group)
SUBTHREAD_ENDS_WITH(EXITED(GROUP_CODE), is_ended_by_exit_group)
SUBTHREAD_ENDS_WITH(SIGKILL, is_killed_with_its_process)
SUBTHREAD_ENDS_WITH(SIGTERM, is_ended_by_a_signal_to_another)
SUBTHREAD_ENDS_WITH(SIGTERM, is_ended_by_a_signal)
SUBTHREAD_ENDS_WITH(SIGSEGV | DUMPED, dumps_core)
SUBTHREAD_ENDS_WITH(SIGSEGV, is_ended_by_a_dump_of_another)
SUBTHREAD_ENDS_WITH(SIGSEGV, crashes_without_a_dump)
SUBTHREAD_ENDS_WITH(0, is_ended_by_an_exec_of_another)
SUBTHREAD_ENDS_WITH(0, executes_and_gives_up_its_number)
SUBTHREAD_ENDS_WITH(EXITED(LEADER_CODE), executes_after_the_leader_ended)

int main(int argc, char **argv)
{
	follow_if_executed(argc, argv);
	return rust_test_main(argc, argv);
}
