/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Fault injection: lets one of this thread's allocations, or copies from and to user memory, fail.
 * Allocations that may sleep are included.
 */
#ifndef FAULTS_H
#define FAULTS_H

#include "pidfd_rust.h"

/* No operation under test has as many points of failure. */
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

/* Returns NULL, or a reason to skip. */
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

	/* Some failures are logged by the kernel. */
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

/* Lets the @n-th operation of this thread that can fail do so. */
static inline int let_fail(const struct faults *faults, int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", n);
	return pwrite(faults->nth, text, strlen(text), 0) < 0 ? -1 : 0;
}

/* Stops the injection. Returns whether an operation has failed; keeps errno. */
static inline bool has_failed(const struct faults *faults)
{
	int err = errno;
	bool failed;
	char text[16];
	ssize_t len;

	/*
	 * The rest of n. The read may be the operation that fails, and so may the write, which has
	 * set n to zero in that case.
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
