// SPDX-License-Identifier: GPL-2.0
/*
 * Actors race with each other, for RACE_SECONDS in each race. Each check states what holds in any
 * order of events.
 *
 * With SWAPPED=<descriptor of a stage> and the name of a race, runs that race until the stage is
 * over. The module may be loaded and unloaded meanwhile, so the race does not check the counters.
 */
#include "race.h"
#include "rust_harness.h"

#define SECONDS_BY_DEFAULT 4
#define MOST_SECONDS 240

/* The actor that runs in this process. */
struct stage *stage;
struct team *team;
int role;

/* The module is loaded and unloaded during the race. */
bool swapped;

#define MOST_ACTORS (MOST_TEAMS * MOST_ROLES * 3)

struct cast {
	pid_t pids[MOST_ACTORS];
	bool receives[MOST_ACTORS];
	int n;
};

static pid_t start_actor(const struct role *r)
{
	struct __clone_args args = {
		.flags		= r->flags,
		.exit_signal	= SIGCHLD,
	};
	pid_t pid = sys_clone3(&args, sizeof(args));

	if (pid == 0) {
		if (r->prepare)
			r->prepare();
		act(r->turn, r->receives);
	}
	return pid;
}

/* Returns NULL, or what went wrong. */
static const char *start_team(const struct race *race, struct cast *cast)
{
	int on = 1;

	team->listener = listen_anywhere(&team->addr, &team->addr_len);
	if (team->listener < 0 || listen(team->listener, 16) ||
	    setsockopt(team->listener, SOL_SOCKET, SO_PASSPIDFD, &on, sizeof(on)) ||
	    fcntl(team->listener, F_SETFL, O_NONBLOCK) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, team->pass))
		return "no sockets";

	for (role = 0; role < MOST_ROLES; role++) {
		for (int i = 0; i < race->roles[role].n; i++) {
			pid_t pid = start_actor(&race->roles[role]);

			if (pid < 0)
				return "clone3()";
			cast->receives[cast->n] = race->roles[role].receives;
			cast->pids[cast->n++] = pid;
		}
	}
	return NULL;
}

/* Waits for the actors that receive, or for the others. Sets @reason if one has failed. */
static void end_actors(const struct cast *cast, bool receives, const char **reason)
{
	static char died[64];
	int status;

	for (int i = 0; i < cast->n; i++) {
		if (cast->receives[i] != receives)
			continue;
		/* An actor that waits for one that has failed waits for long. */
		while (waitpid(cast->pids[i], &status, WNOHANG) == 0) {
			if (*reason || load(stage->is_wrong))
				kill(cast->pids[i], SIGKILL);
			usleep(1000);
		}
		if (status && !*reason) {
			snprintf(died, sizeof(died), "an actor ended with status %x",
				 status);
			*reason = died;
		}
	}
}

/* Runs a race for some seconds; 0: until the stage is over. */
static const char *run_race(const struct race *race, int seconds)
{
	struct cast cast = {};
	const char *reason = NULL;
	int cpus = sysconf(_SC_NPROCESSORS_ONLN);

	/* Each team has at least twice as many actors. */
	stage->teams = cpus < 4 ? 1 : cpus / 2 < MOST_TEAMS ? cpus / 2 : MOST_TEAMS;
	for (int i = 0; !reason && i < stage->teams; i++) {
		team = &stage->team[i];
		reason = start_team(race, &cast);
	}
	for (int i = 0; !reason && (!seconds || i < seconds * 100); i++) {
		if (load(stage->is_wrong) || load(stage->over))
			break;
		usleep(10000);
	}
	store(stage->over, true);
	end_actors(&cast, false, &reason);
	store(stage->nothing_sent, true);
	end_actors(&cast, true, &reason);
	for (int i = 0; i < stage->teams; i++) {
		close(stage->team[i].listener);
		close(stage->team[i].pass[0]);
		close(stage->team[i].pass[1]);
	}
	return load(stage->is_wrong) ? stage->wrong : reason;
}

static int seconds(void)
{
	const char *text = getenv("RACE_SECONDS");
	char *end;
	long n;

	if (!text || !*text)
		return SECONDS_BY_DEFAULT;
	n = strtol(text, &end, 10);
	if (*end || n < 1 || n > MOST_SECONDS)
		ksft_exit_fail_msg("RACE_SECONDS=%s is not a number from 1 to %d\n", text,
				   MOST_SECONDS);
	return n;
}

FIXTURE(race)
{
	struct numbers before;
};

FIXTURE_VARIANT(race)
{
	const struct race *race;
};

#define ADD_VARIANT(name) FIXTURE_VARIANT_ADD(race, name) { .race = &name##_race, };
RACES(ADD_VARIANT)

FIXTURE_SETUP(race)
{
	stage = map_stage(-1);
	ASSERT_NE(NULL, stage);
	rust_setup(_metadata, &self->before);
}

FIXTURE_TEARDOWN(race)
{
	rust_teardown(_metadata, &self->before);
}

TEST_F_TIMEOUT(race, fits_together, MOST_SECONDS + 60)
{
	long created = rust_created();
	const char *reason = run_race(variant->race, seconds());

	EXPECT_EQ(NULL, reason) {
		TH_LOG("%s", reason);
	}
	for (int i = 0; i < MOST_ROLES && variant->race->roles[i].does; i++) {
		EXPECT_GT(stage->rounds[i], 0);
		TH_LOG("%s: %ld rounds, %ld of them late", variant->race->roles[i].does,
		       stage->rounds[i], stage->late[i]);
	}
	/* The first actor has made one in each round. */
	EXPECT_LE(created + stage->rounds[0], rust_created());
}

/* Runs without the harness, which holds a pidfd of each test. */
static int run_swapped(const char *name)
{
#define ADDRESS(name) &name##_race,
	static const struct race *const races[] = { RACES(ADDRESS) };

	swapped = true;
	stage = map_stage(atoi(getenv("SWAPPED")));
	if (!stage || !name)
		return KSFT_FAIL;
	for (size_t i = 0; i < ARRAY_SIZE(races); i++) {
		if (!strcmp(name, races[i]->name)) {
			const char *reason = run_race(races[i], 0);

			if (reason)
				ksft_print_msg("%s\n", reason);
			return reason ? KSFT_FAIL : KSFT_PASS;
		}
	}
	return KSFT_FAIL;
}

int main(int argc, char **argv)
{
	/* The program that the threads execute. */
	if (argc == 3 && !strcmp(argv[1], "exec"))
		await_status((int []){ atoi(argv[2]), -1 });
	if (getenv("SWAPPED"))
		return run_swapped(argv[1]);
	seconds();
	return rust_test_main(argc, argv);
}
