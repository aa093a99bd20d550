/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Fault injection: lets one after the other of this thread's allocations fail, also
 * those that may sleep, and of its copies from and to user memory.
 */
#ifndef FAULTS_H
#define FAULTS_H

#include "pidfd_rust.h"

/* Nothing that is tested has as many things that can fail. */
#define MOST_FAULTS 20000

static const struct {
	const char *path;
	const char *value;
} fault_knobs[] = {
	{ DEBUGFS "/failslab/ignore-gfp-wait", "N" },
	{ DEBUGFS "/failslab/verbose", "0" },
	{ DEBUGFS "/fail_page_alloc/ignore-gfp-wait", "N" },
	{ DEBUGFS "/fail_page_alloc/min-order", "0" },
	{ DEBUGFS "/fail_page_alloc/verbose", "0" },
	{ DEBUGFS "/fail_usercopy/verbose", "0" },
};

struct faults {
	int nth;
	char old[ARRAY_SIZE(fault_knobs)][16];
};

/* Says what is missing, or NULL. */
static inline const char *start_faults(struct faults *faults)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/fail-nth", getpid());
	faults->nth = open(path, O_RDWR | O_CLOEXEC);
	if (faults->nth < 0)
		return "CONFIG_FAULT_INJECTION is not set";
	for (size_t i = 0; i < ARRAY_SIZE(fault_knobs); i++) {
		if (read_file(fault_knobs[i].path, faults->old[i],
			      sizeof(faults->old[i])) < 0) {
			close(faults->nth);
			return "CONFIG_FAILSLAB, CONFIG_FAIL_PAGE_ALLOC, CONFIG_FAULT_INJECTION_USERCOPY or CONFIG_FAULT_INJECTION_DEBUG_FS is not set";
		}
	}

	/* Some of what fails complains by itself. */
	write_file("/dev/kmsg", "pidfd_rust: fault injection begins\n");
	for (size_t i = 0; i < ARRAY_SIZE(fault_knobs); i++)
		write_file(fault_knobs[i].path, fault_knobs[i].value);
	return NULL;
}

static inline void stop_faults(const struct faults *faults)
{
	for (size_t i = 0; i < ARRAY_SIZE(fault_knobs); i++)
		write_file(fault_knobs[i].path, faults->old[i]);
	write_file("/dev/kmsg", "pidfd_rust: fault injection ends\n");
	close(faults->nth);
}

/* From now on, the @n-th thing of this thread that can fail does. */
static inline int let_fail(const struct faults *faults, int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", n);
	return pwrite(faults->nth, text, strlen(text), 0) < 0 ? -1 : 0;
}

/* Nothing fails any more. Tells whether something had its turn; keeps errno. */
static inline bool has_failed(const struct faults *faults)
{
	int err = errno;
	bool failed;
	char text[16];
	ssize_t len;

	/*
	 * What is left of n. Reading it may be the very thing that fails next,
	 * and so may be setting it to zero, which has done so then.
	 */
	len = pread(faults->nth, text, sizeof(text) - 1, 0);
	text[len > 0 ? len : 0] = '\0';
	failed = len > 0 && atoi(text) == 0;
	if (pwrite(faults->nth, "0", 1, 0) < 0 &&
	    pwrite(faults->nth, "0", 1, 0) < 0)
		ksft_exit_fail_msg("fault injection does not stop\n");
	errno = err;
	return failed;
}

#endif /* FAULTS_H */
