/* SPDX-License-Identifier: GPL-2.0 */
/* The parameter pidfd.provider, which switches between C and Rust. */
#ifndef PIDFD_SWITCH_H
#define PIDFD_SWITCH_H

#include "pidfd_rust.h"

#define SWITCH "/sys/module/pidfd/parameters/provider"

/* Returns 0, or -1 with errno set. */
static inline int switch_to_c(void)
{
	return write_file(SWITCH, "0");
}

/* Returns 0, or -1 with errno set. */
static inline int switch_to_rust(void)
{
	return write_file(SWITCH, "1");
}

/* True if a loaded module makes new pidfds. */
static inline bool rust_is_enabled(void)
{
	char text[8];

	return read_file(SWITCH, text, sizeof(text)) > 0 && text[0] == 'Y';
}

#endif /* PIDFD_SWITCH_H */
