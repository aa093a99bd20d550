/* SPDX-License-Identifier: GPL-2.0 */
/* The parts of lsm. */
#ifndef LSM_H
#define LSM_H

#include <linux/capability.h>
#include <linux/landlock.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "pidfs.h"

/* <linux/fs.h> and <sys/mount.h> do not go together. */
#ifndef FS_IOC_GETVERSION
#define FS_IOC_GETVERSION _IOR('v', 1, long)
#define FS_IOC_GETFLAGS _IOR('f', 1, long)
#endif

#define SECURITYFS "/sys/kernel/security/"
#define ATTR "/proc/self/attr/"
#define ROUNDS_BY_DEFAULT 300

enum role { FREE, A, B, ROLES };

/* For a call that returns a descriptor. */
#define SAY_FD(call, ...) do {						\
	int _fd = (call);						\
									\
	say(_fd < 0 ? -1 : 0, __VA_ARGS__);				\
	if (_fd >= 0)							\
		close(_fd);						\
} while (0)

struct visit {
	pid_t pid;
	int mode;
};

/* A security module, and the way into a role of its policy. */
struct module {
	const char *name;
	int (*enter)(enum role role);
};

#define MODULES 6

/* lsm_role.c */
extern const struct module modules[MODULES];
extern const char *const role_names[];
extern const struct module *module;
void __attribute__((noreturn)) bail_out(const char *why);
const char *error_name(int error);
void enter(enum role role);

/* lsm_use.c */
extern const char tmp_file[];
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

#endif /* LSM_H */
