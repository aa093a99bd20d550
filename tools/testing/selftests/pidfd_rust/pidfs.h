/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The file system of pidfds: what it reports of a pidfd, the ways to get one, and processes that
 * run functions for a test.
 */
#ifndef PIDFS_H
#define PIDFS_H

#include <sys/fanotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include "pidfd_rust.h"

#ifndef PID_FS_MAGIC
#define PID_FS_MAGIC 0x50494446
#endif

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif

#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 0x00000004
#endif

/* The flags with which clone() creates a thread. */
#define THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |	\
		CLONE_THREAD | CLONE_SYSVSEM)

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

/* Waits until the process is reaped. */
static inline bool is_reaped(int fd)
{
	return becomes_ready(fd, 0) == POLLHUP;
}

/* A process that runs the functions that it receives over a socket. */
struct peer {
	pid_t pid;
	int pidfd;
	int sock;
	bool autoreap;
};

struct order {
	long (*run)(long arg);
	long arg;
};

#define PEER_DIED LONG_MIN

static inline void follow_orders(int sock)
{
	struct order order;
	long result;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read_nointr(sock, &order, sizeof(order)) == sizeof(order)) {
		if (!order.run)
			_exit(order.arg);
		result = order.run(order.arg);
		if (write_nointr(sock, &result, sizeof(result)) != sizeof(result))
			break;
	}
	_exit(255);
}

/* The peer connects by itself: its socket has its pid as that of the peer. */
static inline int connect_to(const struct sockaddr_un *addr, socklen_t len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)addr, len)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static inline int listen_anywhere(struct sockaddr_un *addr, socklen_t *len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	*len = sizeof(*addr);
	if (fd >= 0 &&
	    (bind(fd, (struct sockaddr *)addr, sizeof(sa_family_t)) ||
	     listen(fd, 1) ||
	     getsockname(fd, (struct sockaddr *)addr, len))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/*
 * Starts a process by clone3() with @flags, or for @old by clone(); with the
 * pid @pid, or for 0 any.
 */
static inline int start_peer_as(struct peer *p, __u64 flags, bool old, pid_t pid)
{
	struct __clone_args args = {
		.flags		= flags,
		.exit_signal	= flags & CLONE_AUTOREAP ? 0 : SIGCHLD,
		.pidfd		= ptr_to_u64(&p->pidfd),
		.set_tid	= ptr_to_u64(&pid),
		.set_tid_size	= pid ? 1 : 0,
	};
	int listener, tries = 1000;
	struct sockaddr_un addr;
	socklen_t len;
	pid_t made;

	listener = listen_anywhere(&addr, &len);
	p->pid = -1;
	p->pidfd = -1;
	p->sock = -1;
	p->autoreap = flags & CLONE_AUTOREAP;
	if (!pid)
		args.set_tid = 0;
	if (listener < 0)
		return -1;

	/*
	 * An auto-reaped process releases its pid a moment after pollers see its exit. The
	 * child may share the fixture, and must not write to it.
	 */
	do {
		made = old ? sys_clone(flags | SIGCHLD, &p->pidfd) :
			     sys_clone3(&args, sizeof(args));
	} while (made < 0 && errno == EEXIST && tries-- && !usleep(1000));
	if (made == 0) {
		close(listener);
		follow_orders(connect_to(&addr, len));
	}
	p->pid = made;
	if (made > 0)
		p->sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
	return p->sock < 0 ? -1 : 0;
}

static inline int start_peer(struct peer *p, __u64 flags)
{
	return start_peer_as(p, flags, false, 0);
}

/* Has the peer run a function, and returns its result. */
static inline long peer_does(const struct peer *p, long (*run)(long), long arg)
{
	struct order order = { .run = run, .arg = arg };
	long result;

	if (write_nointr(p->sock, &order, sizeof(order)) != sizeof(order) ||
	    read_nointr(p->sock, &result, sizeof(result)) != sizeof(result))
		return PEER_DIED;
	return result;
}

static inline long does_nothing(long arg)
{
	return arg;
}

static inline bool is_alive(const struct peer *p)
{
	return peer_does(p, does_nothing, 42) == 42;
}

/* Lets the peer become a zombie. */
static inline void tell_peer(const struct peer *p, int status)
{
	struct order order = { .arg = status };

	if (write_nointr(p->sock, &order, sizeof(order)) != sizeof(order))
		kill(p->pid, SIGKILL);
}

/* Waits until the peer is reaped, or reaps it. */
static inline void await_peer(struct peer *p)
{
	if (p->pid > 0 && p->autoreap) {
		int fd = sys_pidfd_open(p->pid, 0);

		if (fd >= 0)
			is_reaped(fd);
		close(fd);
	} else if (p->pid > 0) {
		waitpid(p->pid, NULL, 0);
	}
	p->pid = -1;
}

static inline void reap_peer(struct peer *p, int status)
{
	tell_peer(p, status);
	await_peer(p);
}

/* Also after the peer was reaped, or was never started. */
static inline void end_peer(struct peer *p)
{
	if (p->pid > 0)
		reap_peer(p, 0);
	if (p->sock >= 0)
		close(p->sock);
	if (p->pidfd >= 0)
		close(p->pidfd);
	p->sock = -1;
	p->pidfd = -1;
}

/* The pidfd of the process that connected the socket. */
static inline int peer_pidfd(int sock)
{
	socklen_t len = sizeof(int);
	int fd = -1;

	return getsockopt(sock, SOL_SOCKET, SO_PEERPIDFD, &fd, &len) ? -1 : fd;
}

static inline int pass_pidfds(int sock, int on)
{
	return setsockopt(sock, SOL_SOCKET, SO_PASSPIDFD, &on, sizeof(on));
}

#define NO_MESSAGE INT_MIN

/*
 * Receives one long and a descriptor, or the number that the message has in its place. @type is
 * SCM_RIGHTS, or SCM_PIDFD for a pidfd of the sender.
 */
static inline int receive_fd(int sock, int type)
{
	union {
		char buf[CMSG_SPACE(sizeof(int)) * 4];
		struct cmsghdr align;
	} control = {};
	long data;
	struct iovec iov = { .iov_base = &data, .iov_len = sizeof(data) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	int fd = NO_MESSAGE;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != sizeof(data))
		return NO_MESSAGE;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == type)
			memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

static inline int send_fd(int sock, int fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {};
	long data = 0;
	struct iovec iov = { .iov_base = &data, .iov_len = sizeof(data) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	return sendmsg(sock, &msg, 0) == sizeof(data) ? 0 : -1;
}

/* Receives a pidfd of the peer with its answer. */
static inline int sent_pidfd(const struct peer *p)
{
	struct order order = { .run = does_nothing };
	int fd;

	if (pass_pidfds(p->sock, 1) ||
	    write_nointr(p->sock, &order, sizeof(order)) != sizeof(order))
		return -1;
	fd = receive_fd(p->sock, SCM_PIDFD);
	pass_pidfds(p->sock, 0);
	return fd;
}

/*
 * A process that has been reaped, but whose pid is still in use by a process group with another
 * member.
 */
struct ghost {
	pid_t pid;
	pid_t member;
	int hold;
};

#define GHOST_CODE 33

/* The tester becomes the parent of the member. @known: registers the process. */
static inline int start_ghost(struct ghost *g, bool known)
{
	int sockets[2], hold[2];
	char byte;

	if (prctl(PR_SET_CHILD_SUBREAPER, 1) || pipe2(hold, O_CLOEXEC) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		return -1;

	g->pid = fork();
	if (g->pid == 0) {
		pid_t member;

		close(sockets[0]);
		close(hold[1]);
		setpgid(0, 0);
		member = fork();
		if (member == 0) {
			close(sockets[1]);
			_exit(read_nointr(hold[0], &byte, 1));
		}
		write_nointr(sockets[1], &member, sizeof(member));
		read_nointr(sockets[1], &byte, 1);
		_exit(GHOST_CODE);
	}
	close(sockets[1]);
	close(hold[0]);
	g->hold = hold[1];
	if (read_nointr(sockets[0], &g->member, sizeof(g->member)) !=
	    sizeof(g->member))
		return -1;
	if (known)
		close(sys_pidfd_open(g->pid, 0));
	close(sockets[0]);
	return waitpid(g->pid, NULL, 0) == g->pid ? 0 : -1;
}

static inline void end_ghost(struct ghost *g)
{
	/* Other children may have inherited the pipe, so that closing it is not enough. */
	kill(g->member, SIGKILL);
	waitpid(g->member, NULL, 0);
	close(g->hold);
}

/* Sends one long with the credentials of another process. */
static inline int send_as(int sock, pid_t pid)
{
	union {
		char buf[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control = {};
	struct ucred cred = { .pid = pid, .uid = getuid(), .gid = getgid() };
	long data = 0;
	struct iovec iov = { .iov_base = &data, .iov_len = sizeof(data) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_CREDENTIALS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(cred));
	memcpy(CMSG_DATA(cmsg), &cred, sizeof(cred));
	return sendmsg(sock, &msg, 0) == sizeof(data) ? 0 : -1;
}

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

static inline void stay_on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static inline char *new_stack(size_t size)
{
	char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	return stack == MAP_FAILED ? NULL : stack;
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

#endif /* PIDFS_H */
