/* SPDX-License-Identifier: GPL-2.0 */
/* The calls of the subject on a pidfd, and the orders of the object. */
#ifndef LSM_USE_H
#define LSM_USE_H

#include "lsm_role.h"
#include "pidfs.h"

/* Audit records have this name, so it does not change from run to run. */
#define TMP_FILE "/tmp/lsm-file"

/* For a call that returns a descriptor. */
#define SAY_FD(call, ...) do {						\
	int _fd = (call);						\
									\
	say(_fd < 0 ? -1 : 0, __VA_ARGS__);				\
	if (_fd >= 0)							\
		close(_fd);						\
} while (0)

extern const char *subject, *object, *how;
void __attribute__((format(printf, 2, 3))) say(long result, const char *format, ...);
long opens_its_pidfd(long unused);
long sends(long fd);
long closes(long fd);
long opens_the_file(long unused);
int uts_namespace(int fd);
long with(long errors, int n, int error);
int error_of_fd(int fd);
void start_in(struct peer *p, enum role role);
void use(int fd, const struct peer *p);
void use_a_little(int fd, const struct peer *p);

#endif /* LSM_USE_H */
