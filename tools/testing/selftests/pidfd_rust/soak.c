// SPDX-License-Identifier: GPL-2.0
/*
 * Loads the module, makes pidfds on two CPUs, and unloads it, ROUNDS times.
 * What that leaves behind, round by round, adds up in the kernel's own books. In
 * each round a process outlives the module that keeps something of it.
 */
#include <sys/xattr.h>

#include "pidfd_module.h"

#define ROUNDS_BY_DEFAULT 1000
#define WORKERS 2
#define BURSTS 4

/* Rounds that fill caches and per-CPU lists, before anything is counted. */
#define WARM_UP 20

/* Memory that comes back late has this long. */
#define SETTLE_SECONDS 60

struct worker {
	pid_t pid;
	int go;
	int done;
};

static void work(int cpu, int go, int done)
{
	cpu_set_t set;
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	CPU_ZERO(&set);
	CPU_SET(cpu % sysconf(_SC_NPROCESSORS_ONLN), &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		_exit(EXIT_FAILURE);

	while (read_nointr(go, &byte, 1) == 1) {
		for (int i = 0; i < BURSTS; i++) {
			const char *wrong = burst();

			if (wrong) {
				fprintf(stderr, "# CPU %d: %s: %s\n", cpu, wrong,
					strerror(errno));
				_exit(EXIT_FAILURE);
			}
		}
		if (write_nointr(done, &byte, 1) != 1)
			_exit(EXIT_FAILURE);
	}
	_exit(EXIT_SUCCESS);
}

static void start_worker(struct worker *w, int cpu)
{
	int go[2], done[2];

	if (pipe2(go, O_CLOEXEC) || pipe2(done, O_CLOEXEC))
		ksft_exit_fail_perror("pipe2()");
	w->pid = fork();
	if (w->pid < 0)
		ksft_exit_fail_perror("fork()");
	if (w->pid == 0) {
		close(go[1]);
		close(done[0]);
		work(cpu, go[0], done[1]);
	}
	close(go[0]);
	close(done[1]);
	w->go = go[1];
	w->done = done[0];
}

/* A process of which Rust keeps something, beyond the pidfd and the module. */
static bool start_survivor(struct child *c)
{
	if (start_child(c, 0) ||
	    fsetxattr(c->pidfd, "trusted.survives", "unloading", 9, 0)) {
		ksft_perror("no process that survives");
		return false;
	}
	close(c->pidfd);
	c->pidfd = -1;
	return true;
}

/* One round; prints what went wrong. */
static bool one_round(struct worker *workers)
{
	long made = WORKERS * BURSTS * BURST + 1;
	struct child survivor;
	char byte = 0;

	if (load_module()) {
		ksft_perror("cannot load rust_pidfd");
		return false;
	}
	if (!start_survivor(&survivor))
		return false;

	for (int i = 0; i < WORKERS; i++)
		if (write_nointr(workers[i].go, &byte, 1) != 1)
			return false;
	for (int i = 0; i < WORKERS; i++) {
		if (becomes_ready(workers[i].done, POLLIN) != POLLIN ||
		    read_nointr(workers[i].done, &byte, 1) != 1) {
			ksft_print_msg("worker %d stopped\n", i);
			return false;
		}
	}

	if (rust_created() != made || rust_open() || rust_refcnt()) {
		ksft_print_msg("created %ld instead of %ld, open %ld, references %ld\n",
			       rust_created(), made, rust_open(), rust_refcnt());
		return false;
	}
	if (unload_module()) {
		ksft_perror("cannot unload rust_pidfd");
		return false;
	}
	end_child(&survivor);
	return true;
}

/* The kernel's books: one line for each kind of memory. */
#define MOST_LINES 1024

struct line {
	char name[64];
	long number;
	/* How far the number may go up without being a leak. */
	long tolerance;
};

struct books {
	int n;
	struct line lines[MOST_LINES];
};

static void add_line(struct books *books, const char *name, long number,
		     long tolerance)
{
	struct line *line = &books->lines[books->n];

	if (books->n == MOST_LINES)
		ksft_exit_fail_msg("too many slab caches\n");
	snprintf(line->name, sizeof(line->name), "%s", name);
	line->number = number;
	line->tolerance = tolerance;
	books->n++;
}

/*
 * Opens all that a slab cache's empty slabs go away by. This is done once: a cache may
 * keep what the next one's file took, as those of a kernel with KASAN do.
 */
static int open_shrinks(int *fds, int most)
{
	struct dirent *entry;
	int n = 0;
	DIR *dir;

	dir = opendir("/sys/kernel/slab");
	if (!dir)
		return 0;
	while ((entry = readdir(dir))) {
		char path[NAME_MAX + 64];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink",
			 entry->d_name);
		if (n == most)
			ksft_exit_fail_msg("too many slab caches\n");
		fds[n] = open(path, O_WRONLY | O_CLOEXEC);
		n += fds[n] >= 0;
	}
	closedir(dir);
	return n;
}

/* Empties what the kernel keeps at hand, so that the numbers are exact. */
static void tidy_up(void)
{
	static int shrinks[MOST_LINES], n = -1;

	if (n < 0)
		n = open_shrinks(shrinks, MOST_LINES);

	/* 4: without saying so in the log. */
	write_file("/proc/sys/vm/drop_caches", "6");
	for (int i = 0; i < n; i++)
		write_nointr(shrinks[i], "1", 1);
}

/* False where the kernel keeps no such books. */
static bool read_books(struct books *books, int rounds)
{
	char text[256], name[64];
	long number;
	FILE *file;

	tidy_up();
	books->n = 0;

	file = fopen("/proc/slabinfo", "re");
	if (!file)
		return false;
	/*
	 * A leak of one object in each round shows, and of less in many rounds. What
	 * CONFIG_DEBUG_OBJECTS keeps for itself is its own affair.
	 */
	while (fgets(text, sizeof(text), file))
		if (text[0] != '#' && sscanf(text, "%63s %ld", name, &number) == 2 &&
		    strcmp(name, "debug_objects_cache"))
			add_line(books, name, number, rounds / 8 + 32);
	fclose(file);

	file = fopen("/proc/meminfo", "re");
	if (!file)
		return false;
	while (fgets(text, sizeof(text), file)) {
		if (sscanf(text, "%63s %ld kB", name, &number) != 2)
			continue;
		if (!strcmp(name, "VmallocUsed:") || !strcmp(name, "Percpu:") ||
		    !strcmp(name, "KernelStack:"))
			add_line(books, name, number, rounds + 512);
	}
	fclose(file);
	return true;
}

static long number_of(const struct books *books, const char *name)
{
	for (int i = 0; i < books->n; i++)
		if (!strcmp(books->lines[i].name, name))
			return books->lines[i].number;
	return 0;
}

static bool is_interesting(const char *name)
{
	return !strcmp(name, "pid") || !strcmp(name, "filp") ||
	       !strcmp(name, "task_struct") || !strcmp(name, "dentry") ||
	       !strncmp(name, "kmalloc-", 8) || strchr(name, ':');
}

/* How many lines went up by too much; prints them and what is of interest. */
static int compare(const struct books *before, const struct books *after,
		   bool print)
{
	int leaks = 0;

	for (int i = 0; i < after->n; i++) {
		const struct line *line = &after->lines[i];
		long old = number_of(before, line->name);
		bool leak = line->number - old > line->tolerance;

		leaks += leak;
		if (print && (leak || is_interesting(line->name)))
			ksft_print_msg("%-24s %8ld -> %8ld %+6ld%s\n",
				       line->name, old, line->number,
				       line->number - old,
				       leak ? "  too many" : "");
	}
	return leaks;
}

int main(int argc, char **argv)
{
	static struct books before, after;
	struct worker workers[WORKERS];
	bool have_books = false;
	int n, done, leaks = 0;

	ksft_print_header();
	need_module();
	n = rounds(ROUNDS_BY_DEFAULT);
	ksft_set_plan(2);
	signal(SIGPIPE, SIG_IGN);

	if (unload_busy_module())
		ksft_exit_fail_msg("cannot unload rust_pidfd (%s): %ld pidfds are open elsewhere\n",
				   strerror(errno), rust_open());
	for (int i = 0; i < WORKERS; i++)
		start_worker(&workers[i], i);

	for (done = -WARM_UP; done < n; done++) {
		if (done == 0)
			have_books = read_books(&before, n);
		if (!one_round(workers))
			break;
		if (done > 0 && done % 100 == 0)
			ksft_print_msg("%d rounds\n", done);
	}
	ksft_test_result(done == n, "%d of %d rounds of load, pidfds on %d CPUs, unload\n",
			 done < 0 ? 0 : done, n, WORKERS);

	if (!have_books) {
		ksft_test_result_skip("nothing leaks: no /proc/slabinfo, is CONFIG_SLUB_DEBUG set?\n");
	} else {
		for (int i = 0; i < SETTLE_SECONDS; i++) {
			read_books(&after, n);
			leaks = compare(&before, &after, false);
			if (!leaks)
				break;
			sleep(1);
		}
		compare(&before, &after, true);
		ksft_test_result(!leaks, "nothing leaks\n");
	}

	/* A worker has the ends of those before it as well: first close all. */
	for (int i = 0; i < WORKERS; i++)
		close(workers[i].go);
	for (int i = 0; i < WORKERS; i++)
		waitpid(workers[i].pid, NULL, 0);
	if (!rust_serves() && load_module())
		ksft_exit_fail_msg("cannot load rust_pidfd again: %s\n",
				   strerror(errno));
	ksft_finished();
}
