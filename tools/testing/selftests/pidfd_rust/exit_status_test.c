// SPDX-License-Identifier: GPL-2.0
/*
 * PIDFD_GET_INFO with PIDFD_INFO_EXIT reports the status that wait4() reports, whichever thread
 * ended the process and in whatever order the threads exit.
 */
#include "exit_status.h"
#include "tracer.h"

#define RACES 40
#define ROUNDS 200

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

/* Steps of scenarios. */

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

FIXTURE_SETUP(process)
{
	begin_scenarios(_metadata, &self->before, &self->old, self->dir);
}

FIXTURE_TEARDOWN(process)
{
	end_scenarios(_metadata, &self->before, &self->old, self->dir);
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

int main(int argc, char **argv)
{
	follow_if_executed(argc, argv);
	return rust_test_main(argc, argv);
}
