// SPDX-License-Identifier: GPL-2.0
/* The pidfd of a thread that is not the leader reports the exit code of the thread. */
#include "exit_status.h"

FIXTURE(subthread)
{
	struct numbers before;
	struct core old;
	char dir[DIR_SIZE];
};

FIXTURE_SETUP(subthread)
{
	begin_scenarios(_metadata, &self->before, &self->old, self->dir);
}

FIXTURE_TEARDOWN(subthread)
{
	end_scenarios(_metadata, &self->before, &self->old, self->dir);
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
