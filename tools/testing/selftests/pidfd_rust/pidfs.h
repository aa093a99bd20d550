/* SPDX-License-Identifier: GPL-2.0 */
/* The file system of pidfds: inode, file handle, information, attributes, mount. */
#ifndef PIDFS_H
#define PIDFS_H

#include <sys/fanotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include "peer.h"

#define NOBODY 65534

/* The error of a call that returns -1 if it fails, or 0. */
#define ERROR_OF(call) ({						\
	errno = 0;							\
	(call) == -1 ? errno : 0;					\
})

/* The inode number, which is unique for each process; 0 for none. */
static inline __u64 ino_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_ino;
}

static inline dev_t dev_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_dev;
}

/* A file handle, which stays valid when all pidfds of the process are closed. */
struct handle {
	union {
		struct file_handle fh;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	};
};

static inline int handle_of(int fd, struct handle *h)
{
	int mount;

	memset(h, 0, sizeof(*h));
	h->fh.handle_bytes = MAX_HANDLE_SZ;
	return name_to_handle_at(fd, "", &h->fh, &mount, AT_EMPTY_PATH);
}

static inline int open_handle(struct handle *h, int flags)
{
	return open_by_handle_at(FD_PIDFS_ROOT, &h->fh, flags);
}

static inline __u64 id_in(const struct handle *h)
{
	__u64 id;

	if (h->fh.handle_bytes != sizeof(id))
		return 0;
	memcpy(&id, h->fh.f_handle, sizeof(id));
	return id;
}

static inline void put_id(struct handle *h, __u64 id)
{
	memcpy(h->fh.f_handle, &id, sizeof(id));
}

/* The id in the handle of a pidfd; 0 for none. */
static inline __u64 id_of(int fd)
{
	struct handle h;

	return handle_of(fd, &h) ? 0 : id_in(&h);
}

/* Opens an open file again. */
static inline int reopen(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_CLOEXEC);
}

static inline int get_info(int fd, __u64 mask, struct pidfd_info *info)
{
	memset(info, 0, sizeof(*info));
	info->mask = mask;
	return ioctl(fd, PIDFD_GET_INFO, info);
}

#define NO_RECORD -1
#define NO_INFO -2

/* The exit code in the form of wait(), or NO_RECORD if the pidfd reports none. */
static inline int exit_code_of(int fd)
{
	struct pidfd_info info;

	if (get_info(fd, PIDFD_INFO_EXIT, &info))
		return NO_INFO;
	return info.mask & PIDFD_INFO_EXIT ? info.exit_code : NO_RECORD;
}

#define EXITED(status) ((status) << 8)

/*
 * Runs @fn in a process of an unprivileged user. Returns its result, which is an error number or
 * at most 255.
 */
static inline int as_nobody(int (*fn)(int), int fd)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (setgid(NOBODY) || setuid(NOBODY))
			_exit(255);
		_exit(fn(fd));
	}
	return pid < 0 ? -1 : wait_for_pid(pid);
}

/* Mounts the pidfd on @target. Returns NULL, or the name of the call that failed. */
static inline const char *mount_on(int pidfd, const char *target)
{
	int tree = syscall(__NR_open_tree, pidfd, "",
			   AT_EMPTY_PATH | OPEN_TREE_CLONE | O_CLOEXEC);
	const char *wrong = NULL;

	if (tree < 0)
		return "open_tree()";
	if (syscall(__NR_move_mount, tree, "", AT_FDCWD, target,
		    MOVE_MOUNT_F_EMPTY_PATH))
		wrong = "move_mount()";
	close(tree);
	return wrong;
}

/* The settings of core dumps. put_core() restores them. */
struct core {
	char pattern[256];
	char suid[16];
};

#define CORE_PATTERN "/proc/sys/kernel/core_pattern"
#define SUID_DUMPABLE "/proc/sys/fs/suid_dumpable"

static inline int set_core(struct core *old, const char *pattern)
{
	if (read_file(CORE_PATTERN, old->pattern, sizeof(old->pattern)) < 0 ||
	    read_file(SUID_DUMPABLE, old->suid, sizeof(old->suid)) < 0)
		return -1;
	return write_file(CORE_PATTERN, pattern);
}

static inline void put_core(const struct core *old)
{
	write_file(CORE_PATTERN, old->pattern);
	write_file(SUID_DUMPABLE, old->suid);
}

/* Returns the value as a string, or the name of an error. */
static inline const char *value_of(int fd, const char *name)
{
	static char buf[64];
	ssize_t n = fgetxattr(fd, name, buf, sizeof(buf) - 1);

	if (n < 0)
		return strerrorname_np(errno);
	buf[n] = '\0';
	return buf;
}

static inline int set_value(int fd, const char *name, const char *value, int flags)
{
	return ERROR_OF(fsetxattr(fd, name, value, strlen(value), flags));
}

#endif /* PIDFS_H */
