/* SPDX-License-Identifier: GPL-2.0 */
/* The parts of differ. */
#ifndef DIFFER_H
#define DIFFER_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/kcmp.h>
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/fanotify.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "compat.h"

/* <linux/pidfd.h> and <linux/fcntl.h> do not go together with <fcntl.h>. */
#define PIDFS_IOCTL 0xff
#define INFO_NR 11
#define INFO_SIZE 88
#define GET_UTS _IO(PIDFS_IOCTL, 10)
#define THREAD_FLAG O_EXCL
#define ROOT_OF_PIDFS -10002
#define SELF_THREAD -10000
#define SELF_PROCESS -10001

#define INFO_EXIT (1ULL << 3)
#define INFO_ALL 0xffULL

#define AT_HANDLE_MNT_ID_UNIQUE 0x001
#define AT_HANDLE_CONNECTABLE 0x002
#define FAN_WITH_PIDFD 0x80

#define BAD bad_pointer

#define ALL_NAMESPACES (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |	\
			CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |	\
			CLONE_NEWNET | CLONE_NEWTIME)

#define NOBODY 65534

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

struct info {
	__u64 mask;
	__u64 cgroupid;
	__u32 pid, tgid, ppid;
	__u32 ids[8];
	__s32 exit_code;
	__u32 core_mask, core_signal, core_code, pad;
	__u64 supported;
};

struct handle {
	struct file_handle head;
	unsigned char bytes[128];
};

/* What a pidfd refers to, as seen by the caller. */
struct subject {
	const char *name;
	int fd;
	pid_t pid;
	pid_t tgid;
	unsigned int skip;
};

/* Groups of calls that a subject may skip. */
enum {
	FILES = 1, INFO = 2, NAMESPACES = 4, HANDLES = 8, XATTRS = 16,
	SIGNALS = 32, SETNS = 64, OTHERS = 128,
};

/* The orders of a child. */
enum what { EXIT, RAISE, DUMPABLE, BECOME, UNSHARE, THREAD, END_THREAD,
	    END_LEADER, EXEC, CORE_LIMIT, CORE_SIZE, };

struct kid {
	pid_t pid;
	int fd;
	int ctl;
};

/* differ_report.c */
extern void *bad_pointer;
extern const char *caller;
extern const char *subject;
extern char tmpdir[32];
extern int self_fd;
extern struct stat self_stat;
extern struct statfs self_statfs;
extern struct timespec started;
extern unsigned int self_mnt;
extern __u64 own_cgroup;
extern unsigned char page[4096];
void __attribute__((noreturn)) bail_out(const char *why);
void __attribute__((format(printf, 1, 2))) note(const char *format, ...);
void __attribute__((format(printf, 2, 3))) show(long result, const char *format, ...);
int lowest_free(void);
void __attribute__((format(printf, 2, 3))) show_fd(int fd, const char *format, ...);
int pidfd_open(pid_t pid, unsigned int flags);
int send_signal(int fd, int sig, siginfo_t *info, unsigned int flags);
char *fd_path(const char *kind, int fd);
const char *pid_name(long pid, const struct subject *s);

/* differ_child.c */
void __attribute__((noreturn)) kid_main(int ctl);
int tell(const struct kid *kid, enum what what, int arg);
void do_or_bail_out(const struct kid *kid, enum what what, int arg);
long sys_clone3(struct clone_args *args, size_t size);
struct kid spawn(__u64 flags);
void await_zombie(pid_t pid);
void reap(pid_t pid);
void await_gone(int fd);
void put(struct kid *kid);
void end(struct kid *kid);
void in_child(__u64 flags, void (*run)(const void *), const void *arg);

/* differ_file.c */
struct open_flag {
	const char *name;
	int flags;
};

#define OPEN_FLAGS 26
extern const struct open_flag open_flags[OPEN_FLAGS];
void call_fcntl(const struct subject *s);
bool before(const struct timespec *a, const struct timespec *b);
void call_stat(const struct subject *s);
void call_statx(const struct subject *s);
void call_statfs(const struct subject *s);
void call_readlink(const struct subject *s);
void call_io(const struct subject *s);
void call_mmap(const struct subject *s);
void call_changes(const struct subject *s);
void call_reopen(const struct subject *s);
void call_o_path(const struct subject *s);
void call_dup(const struct subject *s);
void call_poll(const struct subject *s);
void call_epoll(const struct subject *s);

/* differ_path.c */
void call_fdinfo(const struct subject *s);
void call_paths(const struct subject *s);
void call_mount(const struct subject *s);

/* differ_info.c */
struct namespace {
	const char *name;
	unsigned int nr;
	const char *path;
	unsigned int flag;
};

#define NAMESPACES_NR 10
extern const struct namespace namespaces[NAMESPACES_NR];
bool is_written(const unsigned char *a, const unsigned char *b, size_t from, size_t to);
void note_written(const unsigned char *a, const unsigned char *b, size_t size);
void call_info(const struct subject *s);
void call_info_badly(const struct subject *s);
ino_t namespace_of(pid_t pid, const char *name);
void call_namespaces(const struct subject *s);
void call_ioctls(const struct subject *s);

/* differ_handle.c */
void call_handles(const struct subject *s);
bool handle_of(int fd, struct handle *h);
void call_open_handles(const struct subject *s);
void note_list(int fd);
void call_xattrs(const struct subject *s);

/* differ_call.c */
void look_at(const struct subject *s);
void look_at_kid(const char *name, const struct kid *kid, unsigned int skip);

/* differ_process.c */
void look_at_living(void);
void look_at_dead(void);
void look_at_crashes(void);
void look_at_threads(void);
void look_at_leader(void);
void look_at_exec(void);
void look_at_autoreaped(void);
void look_at_pid_namespace(void);
void look_at_cgroup(void);

/* differ_caller.c */
void call_from_elsewhere(void);

/* differ_clone.c */
void test_open(void);
void all_clone3(void);
void all_clone(void);
void test_clone_pointers(void);
void test_clone_thread(void);
void test_clone_limits(void);

/* differ_socket.c */
void test_sockets(void);
void test_core_socket(void);
void test_fanotify(void);

/* differ_life.c */
void sentinels(void);
void keeps(void);
void never_seen(void);
void really_ends(void);
void releases_memory(void);
void test_compat(void);

#endif /* DIFFER_H */
