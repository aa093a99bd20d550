// SPDX-License-Identifier: GPL-2.0
/*
 * Loads and unloads the module ROUNDS times while the actors of race_test run, so that both C and
 * Rust make their pidfds, and switches to C and back while the module is loaded. Each race gets a
 * share of the rounds.
 */
#include <libgen.h>
#include <sys/resource.h>

#include "pidfd_module.h"
#include "pidfd_switch.h"
#include "race.h"

#define ROUNDS_BY_DEFAULT 50

/* The longest time that the actors run before the module is loaded or unloaded, in microseconds. */
#define MOST_USEC 20000

#define NAME(name) #name,
static const char *const races[] = { RACES(NAME) };

static pid_t start_race(const char *name, int stage)
{
	char path[PATH_MAX], swapped[16];
	ssize_t n;
	pid_t pid = fork();

	if (pid)
		return pid;
	setpriority(PRIO_PROCESS, 0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	n = readlink("/proc/self/exe", path, sizeof(path) - sizeof("/race_test"));
	if (n < 0)
		_exit(KSFT_FAIL);
	path[n] = '\0';
	strcat(dirname(path), "/race_test");
	snprintf(swapped, sizeof(swapped), "%d", stage);
	setenv("SWAPPED", swapped, 1);
	execl(path, "race_test", name, NULL);
	_exit(KSFT_FAIL);
}

/* Waits until all actors have made progress. Returns false if they do not. */
static bool gets_on(struct stage *stage)
{
	long before = all_rounds(stage);

	for (int i = 0; i < PATIENCE_MS * 10; i++) {
		if (load(stage->is_wrong))
			return false;
		if (all_rounds(stage) > before)
			return true;
		usleep(100);
	}
	return false;
}

/*
 * Tries without a pause, while all actors begin new turns, or none of them. Counts the tries that
 * find the module in use.
 */
static bool unload_under_fire(struct stage *stage, long *refused)
{
	long turn = rand() % MOST_USEC, patience = MOST_USEC, begin = nsec_now();

	while (unload_module()) {
		long usec = (nsec_now() - begin) / 1000;

		if (errno != EWOULDBLOCK || load(stage->is_wrong) ||
		    usec > PATIENCE_MS * 1000L)
			return false;
		++*refused;
		if (usec > turn) {
			store(stage->quiet, !stage->quiet);
			/* The actors take longer to stop than to start. */
			turn = usec + rand() % (stage->quiet ? patience : 1000);
			patience *= 2;
		}
	}
	store(stage->quiet, false);
	return true;
}

struct counts {
	long refused;
	long rounds;
	long by_rust;
};

/* Returns NULL, or what went wrong. */
static const char *swap(struct stage *stage, struct counts *counts)
{
	long before = all_rounds(stage), made;
	bool on_standby;

	if (!gets_on(stage))
		return "no actor gets on with C";
	usleep(rand() % MOST_USEC);
	/* A load may find the switch on either side. */
	if (rand() % 2 && switch_to_c())
		return "cannot switch to C before the load";
	on_standby = !rust_is_enabled();
	if (load_module())
		return "cannot load rust_pidfd";
	if (on_standby && !gets_on(stage))
		return "no actor gets on with the module on standby";
	if (on_standby && rust_created())
		return "Rust made pidfds on standby";
	if (switch_to_rust())
		return "cannot switch to Rust after the load";
	if (!gets_on(stage))
		return "no actor gets on with Rust";
	usleep(rand() % MOST_USEC);
	if (switch_to_c())
		return "cannot switch to C";
	if (!gets_on(stage))
		return "no actor gets on with C while the module is loaded";
	if (switch_to_rust())
		return "cannot switch to Rust";
	/* An unload may begin on either side. */
	if (rand() % 2 && switch_to_c())
		return "cannot switch to C again";
	made = rust_created();
	if (!unload_under_fire(stage, &counts->refused))
		return "cannot unload rust_pidfd";
	if (switch_to_rust())
		return "cannot switch to Rust without the module";
	counts->by_rust += made;
	counts->rounds += all_rounds(stage) - before;
	return NULL;
}

static void fire_at(const char *name, int n)
{
	int fd = sys_memfd_create("stage", 0), status, done = 0;
	const char *wrong = NULL;
	struct counts counts = {};
	struct stage *stage;
	long begin;
	pid_t pid;

	if (fd < 0 || ftruncate(fd, sizeof(*stage)))
		ksft_exit_fail_perror("memfd_create()");
	stage = map_stage(fd);
	if (!stage)
		ksft_exit_fail_perror("mmap()");
	pid = start_race(name, fd);
	if (pid < 0)
		ksft_exit_fail_perror("fork()");

	begin = nsec_now();
	for (done = 0; !wrong && done < n; done++)
		wrong = swap(stage, &counts);
	if (wrong) {
		ksft_print_msg("%s: swap %d: %s (%s), %ld pidfds open\n", name, done,
			       wrong, strerror(errno), rust_open());
		done--;
	}
	if (load(stage->is_wrong))
		ksft_print_msg("%s: %s\n", name, stage->wrong);
	ksft_print_msg("%s: %d swaps in %ld ms, %ld rounds, %ld pidfds by Rust, %ld refusals\n",
		       name, done, (nsec_now() - begin) / 1000000, counts.rounds,
		       counts.by_rust, counts.refused);

	store(stage->over, true);
	if (waitpid(pid, &status, 0) != pid || status) {
		ksft_print_msg("%s: race_test ended with status %x\n", name, status);
		done = -1;
	}
	ksft_test_result(done == n && counts.by_rust > 0, "%s under fire\n", name);
	munmap(stage, sizeof(*stage));
	close(fd);
}

int main(int argc, char **argv)
{
	int n;

	ksft_print_header();
	need_module();
	n = rounds(ROUNDS_BY_DEFAULT);
	srand(getpid());
	signal(SIGPIPE, SIG_IGN);
	/* The actors have many descriptors. */
	setpriority(PRIO_PROCESS, 0, -10);
	if (unload_busy_module())
		ksft_exit_fail_msg("cannot unload rust_pidfd (%s): %ld pidfds are open elsewhere\n",
				   strerror(errno), rust_open());

	ksft_set_plan(ARRAY_SIZE(races));
	for (size_t i = 0; i < ARRAY_SIZE(races); i++)
		fire_at(races[i], (n + ARRAY_SIZE(races) - 1) / ARRAY_SIZE(races));

	if (!rust_serves() && load_module())
		ksft_exit_fail_msg("cannot load rust_pidfd again: %s\n", strerror(errno));
	ksft_finished();
}
