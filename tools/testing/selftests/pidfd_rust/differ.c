// SPDX-License-Identifier: GPL-2.0
/*
 * Makes system calls around pidfds, good ones and bad ones, and prints what
 * comes back, one line each. What may differ from run to run is printed as a
 * relation. So the output must be the same byte for byte whoever serves the
 * pidfds: run it without and with the module and compare.
 */
#define _GNU_SOURCE
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

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

#define AT_HANDLE_MNT_ID_UNIQUE 0x001
#define AT_HANDLE_CONNECTABLE 0x002
#define FAN_WITH_PIDFD 0x80

/* Points where nothing is mapped. A variable, so that gcc does not warn. */
static void *bad_pointer;
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

static const char *caller = "root";
static const char *subject = "none";
static char notes[8192];
static char tmpdir[32] = "/tmp/differ.XXXXXX";
static int self_fd = -1;
static struct stat self_stat;
static struct statfs self_statfs;
static struct timespec started;
static unsigned int self_mnt;
static __u64 own_cgroup;
static unsigned char page[4096] __attribute__((aligned(4096)));

static void __attribute__((noreturn)) bail_out(const char *why)
{
	printf("Bail out! %s: %s\n", why, strerror(errno));
	fflush(stdout);
	_exit(1);
}

static const char *error_name(int error)
{
	static char unknown[32];
	const char *name = strerrorname_np(error);

	if (name)
		return name;
	snprintf(unknown, sizeof(unknown), "error %d", error);
	return unknown;
}

/* Adds to what the next show() prints behind the result. */
static void __attribute__((format(printf, 1, 2))) note(const char *format, ...)
{
	size_t used = strlen(notes);
	int error = errno;
	va_list args;

	va_start(args, format);
	vsnprintf(notes + used, sizeof(notes) - used, format, args);
	va_end(args);
	errno = error;
}

/* Prints the line of one call. To be called while errno is still the call's. */
static void __attribute__((format(printf, 2, 3)))
show(long result, const char *format, ...)
{
	char what[512];
	int error = errno;
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	if (result == -1)
		printf("%s: %s: %s = -1 %s%s\n", caller, subject, what,
		       error_name(error), notes);
	else
		printf("%s: %s: %s = %ld%s\n", caller, subject, what, result,
		       notes);
	notes[0] = '\0';
}

static int lowest_free(void)
{
	int fd = fcntl(self_fd, F_DUPFD, 0);

	close(fd);
	return fd;
}

/* The same for a call that returns a descriptor, which is closed. */
static void __attribute__((format(printf, 2, 3)))
show_fd(int fd, const char *format, ...)
{
	char what[512];
	int error = errno;
	va_list args;

	if (fd >= 0) {
		note(" fl=%#x fd=%d", fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
		close(fd);
		note(" %s", fd == lowest_free() ? "lowest" : "not lowest");
	}
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	errno = error;
	show(fd >= 0 ? 0 : -1, "%s", what);
}

static int pidfd_open(pid_t pid, unsigned int flags)
{
	return syscall(__NR_pidfd_open, pid, flags);
}

static int send_signal(int fd, int sig, siginfo_t *info, unsigned int flags)
{
	return syscall(__NR_pidfd_send_signal, fd, sig, info, flags);
}

static char *fd_path(const char *kind, int fd)
{
	static char path[64];

	snprintf(path, sizeof(path), "/proc/self/%s/%d", kind, fd);
	return path;
}

static const char *who(long pid, const struct subject *s)
{
	if (pid <= 0)
		return pid == 0 ? "0" : pid == -1 ? "-1" : "negative";
	if (pid == s->pid)
		return "PID";
	if (pid == s->tgid)
		return "TGID";
	if (pid == getpid())
		return "ME";
	if (pid == getppid())
		return "MYPARENT";
	return pid == 1 ? "1" : pid == 2 ? "2" : "OTHER";
}

/*
 * Children that do what they are told. They answer with a number.
 */
enum what { EXIT, RAISE, DUMPABLE, BECOME, UNSHARE, THREAD, END_THREAD,
	    END_LEADER, EXEC, CORE_LIMIT, CORE_SIZE, };

struct order {
	enum what what;
	int arg;
};

struct kid {
	pid_t pid;
	int fd;
	int ctl;
};

static int thread_pipe[2];
static int kid_ctl;

static void *thread_main(void *unused)
{
	pid_t tid = gettid();
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (write(kid_ctl, &tid, sizeof(tid)) == sizeof(tid) &&
	    read(thread_pipe[0], &byte, 1) < 0)
		_exit(255);
	return NULL;
}

/* A thread that executes becomes the leader. */
static void *exec_main(void *unused)
{
	pid_t tid = gettid();
	struct order go;
	char number[16];

	if (write(kid_ctl, &tid, sizeof(tid)) != sizeof(tid) ||
	    read(kid_ctl, &go, sizeof(go)) != sizeof(go))
		_exit(255);
	fcntl(kid_ctl, F_SETFD, 0);
	snprintf(number, sizeof(number), "%d", kid_ctl);
	execl("/proc/self/exe", "differ", number, NULL);
	_exit(255);
}

/* Has a core dump hold @size bytes and more. */
static int fill_core(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
	int result = -1;

	if (memory != MAP_FAILED) {
		memset(memory, 'm', size);
		/* The bit of private anonymous memory. */
		result = write(fd, "1", 1) == 1 ? 0 : -1;
	}
	close(fd);
	return result;
}

static int obey(const struct order *order)
{
	struct rlimit limit = { order->arg, order->arg };
	pthread_t thread;

	switch (order->what) {
	case EXIT:
		_exit(order->arg);
	case RAISE:
		signal(order->arg, SIG_DFL);
		return kill(getpid(), order->arg);
	case DUMPABLE:
		return prctl(PR_SET_DUMPABLE, order->arg);
	case BECOME:
		return setresgid(order->arg, order->arg + 1, order->arg + 2) ?:
		       setresuid(order->arg + 3, order->arg + 4,
				 order->arg + 5);
	case UNSHARE:
		return unshare(order->arg);
	case THREAD:
		return pipe2(thread_pipe, O_CLOEXEC) ?:
		       pthread_create(&thread, NULL, thread_main, NULL);
	case END_THREAD:
		return write(thread_pipe[1], "", 1);
	case END_LEADER:
		syscall(__NR_exit, order->arg);
	case EXEC:
		return pthread_create(&thread, NULL, exec_main, NULL);
	case CORE_LIMIT:
		return setrlimit(RLIMIT_CORE, &limit);
	case CORE_SIZE:
		return fill_core(order->arg);
	}
	return -1;
}

static void __attribute__((noreturn)) kid_main(int ctl)
{
	struct order order;
	int answer = 0;

	kid_ctl = ctl;
	if (write(ctl, &answer, sizeof(answer)) != sizeof(answer))
		_exit(255);
	while (read(ctl, &order, sizeof(order)) == sizeof(order)) {
		answer = obey(&order);
		/* There the thread answers. */
		if (order.what == THREAD && !answer)
			continue;
		while (order.what == EXEC && !answer)
			pause();
		if (write(ctl, &answer, sizeof(answer)) != sizeof(answer))
			break;
	}
	_exit(255);
}

static int answer_of(const struct kid *kid)
{
	int answer;

	if (read(kid->ctl, &answer, sizeof(answer)) != sizeof(answer))
		bail_out("a child does not answer");
	return answer;
}

static int tell(const struct kid *kid, enum what what, int arg)
{
	struct order order = { what, arg };

	if (write(kid->ctl, &order, sizeof(order)) != sizeof(order))
		bail_out("a child does not listen");
	/* Who ends cannot answer any more. */
	if (what == EXIT || what == RAISE || what == END_LEADER)
		return 0;
	return answer_of(kid);
}

static void do_or_bail_out(const struct kid *kid, enum what what, int arg)
{
	if (tell(kid, what, arg) < 0)
		bail_out("a child cannot do what it is told");
}

static long sys_clone3(struct clone_args *args, size_t size)
{
	fflush(stdout);
	return syscall(__NR_clone3, args, size);
}

static struct kid spawn(__u64 flags)
{
	struct kid kid = { .fd = -1 };
	struct clone_args args = {
		.flags = flags | CLONE_PIDFD,
		.pidfd = (uintptr_t)&kid.fd,
		.exit_signal = flags & CLONE_AUTOREAP ? 0 : SIGCHLD,
	};
	int ctl[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ctl))
		bail_out("socketpair");
	kid.pid = sys_clone3(&args, sizeof(args));
	if (kid.pid < 0)
		bail_out("clone3");
	if (kid.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ctl[0]);
		kid_main(ctl[1]);
	}
	close(ctl[1]);
	kid.ctl = ctl[0];
	answer_of(&kid);
	return kid;
}

static void await_zombie(pid_t pid)
{
	siginfo_t info;

	if (waitid(P_PID, pid, &info, WEXITED | WNOWAIT | __WALL))
		bail_out("waitid for a zombie");
}

static void reap(pid_t pid)
{
	if (waitpid(pid, NULL, __WALL) != pid)
		bail_out("waitpid");
}

/* Until the process, or thread, is reaped. */
static void await_gone(int fd)
{
	struct pollfd pfd = { .fd = fd };

	for (int i = 0; i < 1000; i++) {
		if (poll(&pfd, 1, 20) > 0 && pfd.revents & POLLHUP)
			return;
	}
	bail_out("a process does not go");
}

static void put(struct kid *kid)
{
	close(kid->fd);
	close(kid->ctl);
}

static void end(struct kid *kid)
{
	kill(kid->pid, SIGKILL);
	reap(kid->pid);
	put(kid);
}

/* Runs @run in a child that can change itself as it likes. */
static void in_child(__u64 flags, void (*run)(const void *), const void *arg)
{
	struct clone_args args = { .flags = flags, .exit_signal = SIGCHLD };
	int status;
	pid_t pid;

	pid = sys_clone3(&args, sizeof(args));
	if (pid < 0)
		bail_out("clone3 of a helper");
	if (pid == 0) {
		run(arg);
		fflush(stdout);
		_exit(0);
	}
	if (waitpid(pid, &status, __WALL) != pid || status)
		bail_out("a helper failed");
}

/*
 * The file
 */
static const struct {
	const char *name;
	int cmd;
	long arg;
} fcntls[] = {
	{ "F_GETFL", F_GETFL, 0 },
	{ "F_GETFD", F_GETFD, 0 },
	{ "F_SETFD 0", F_SETFD, 0 },
	{ "F_SETFD 1", F_SETFD, FD_CLOEXEC },
	{ "F_SETFL ~0", F_SETFL, 0x7fffffff },
	{ "F_SETFL O_APPEND", F_SETFL, O_APPEND },
	{ "F_SETFL O_ASYNC", F_SETFL, O_ASYNC },
	{ "F_SETFL O_DIRECT", F_SETFL, O_DIRECT },
	{ "F_SETFL O_NOATIME", F_SETFL, O_NOATIME },
	{ "F_SETFL O_NONBLOCK", F_SETFL, O_NONBLOCK },
	{ "F_SETFL O_RDONLY|O_TRUNC|O_EXCL", F_SETFL, O_TRUNC | O_EXCL },
	{ "F_SETFL 0", F_SETFL, 0 },
	{ "F_GETOWN", F_GETOWN, 0 },
	{ "F_SETSIG 0", F_SETSIG, 0 },
	{ "F_GETSIG", F_GETSIG, 0 },
	{ "F_SETLEASE F_RDLCK", F_SETLEASE, F_RDLCK },
	{ "F_SETLEASE F_WRLCK", F_SETLEASE, F_WRLCK },
	{ "F_SETLEASE F_UNLCK", F_SETLEASE, F_UNLCK },
	{ "F_GETLEASE", F_GETLEASE, 0 },
	{ "F_NOTIFY", F_NOTIFY, 1 },
	{ "F_GETPIPE_SZ", F_GETPIPE_SZ, 0 },
	{ "F_SETPIPE_SZ", F_SETPIPE_SZ, 4096 },
	{ "F_GET_SEALS", F_GET_SEALS, 0 },
	{ "F_ADD_SEALS", F_ADD_SEALS, 1 },
	{ "F_DUPFD_QUERY same", 1024 + 3, -1 },
	{ "F_CREATED_QUERY", 1024 + 4, 0 },
	{ "F_GETDELEG", 1024 + 15, 0 },
	{ "F_SETDELEG", 1024 + 16, 0 },
	{ "unknown", 9999, 0 },
};

static void call_fcntl(const struct subject *s)
{
	struct flock lock = { .l_type = F_WRLCK };
	__u64 hint = 0;
	long result;

	for (size_t i = 0; i < COUNT(fcntls); i++) {
		result = fcntl(s->fd, fcntls[i].cmd,
			       fcntls[i].arg == -1 ? s->fd : fcntls[i].arg);
		note(" fl=%#x fd=%d", fcntl(s->fd, F_GETFL),
		     fcntl(s->fd, F_GETFD));
		show(result, "fcntl %s", fcntls[i].name);
	}
	show_fd(fcntl(s->fd, F_DUPFD, 0), "fcntl F_DUPFD");
	show_fd(fcntl(s->fd, F_DUPFD_CLOEXEC, 0), "fcntl F_DUPFD_CLOEXEC");
	result = fcntl(s->fd, F_GET_RW_HINT, &hint);
	note(" hint=%llu", hint);
	show(result, "fcntl F_GET_RW_HINT");
	hint = 3;
	show(fcntl(s->fd, F_SET_RW_HINT, &hint), "fcntl F_SET_RW_HINT");
	hint = 0;
	show(fcntl(s->fd, F_SET_RW_HINT, &hint), "fcntl F_SET_RW_HINT 0");
	show(fcntl(s->fd, F_SETLK, &lock), "fcntl F_SETLK F_WRLCK");
	result = fcntl(s->fd, F_GETLK, &lock);
	note(" type=%d", lock.l_type);
	show(result, "fcntl F_GETLK");
	lock.l_type = F_UNLCK;
	show(fcntl(s->fd, F_SETLK, &lock), "fcntl F_SETLK F_UNLCK");
	lock.l_type = F_RDLCK;
	show(fcntl(s->fd, F_OFD_SETLK, &lock), "fcntl F_OFD_SETLK F_RDLCK");
	lock.l_type = F_UNLCK;
	show(fcntl(s->fd, F_OFD_SETLK, &lock), "fcntl F_OFD_SETLK F_UNLCK");
}

static bool before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec < b->tv_sec ||
	       (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

static const char *when(const struct timespec *t)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (!t->tv_sec && !t->tv_nsec)
		return "0";
	return before(t, &started) ? "old" : before(&now, t) ? "future" : "new";
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static void call_stat(const struct subject *s)
{
	struct stat st = {};
	int result = fstat(s->fd, &st);

	note(" mode=%o nlink=%lu uid=%u gid=%u rdev=%lu size=%ld blksize=%ld blocks=%ld",
	     st.st_mode, st.st_nlink, st.st_uid, st.st_gid, st.st_rdev,
	     st.st_size, st.st_blksize, st.st_blocks);
	note(" %s dev, %s ino, atime=%s %s mtime %s ctime",
	     st.st_dev == self_stat.st_dev ? "same" : "other",
	     st.st_ino == self_stat.st_ino ? "same" : st.st_ino ? "other" : "0",
	     when(&st.st_atim),
	     same_time(&st.st_atim, &st.st_mtim) ? "==" : "!=",
	     same_time(&st.st_mtim, &st.st_ctim) ? "==" : "!=");
	show(result, "fstat");
	memset(&st, 0, sizeof(st));
	result = stat(fd_path("fd", s->fd), &st);
	note(" mode=%o %s dev", st.st_mode,
	     st.st_dev == self_stat.st_dev ? "same" : "other");
	show(result, "stat by path");
	result = lstat(fd_path("fd", s->fd), &st);
	note(" mode=%o", st.st_mode);
	show(result, "lstat by path");
}

static void one_statx(const struct subject *s, unsigned int mask, int flags)
{
	struct statx x;
	int result;

	memset(&x, 0, sizeof(x));
	result = statx(s->fd, "", flags, mask, &x);
	note(" mask=%#x attr=%#llx/%#llx mode=%o nlink=%u", x.stx_mask,
	     x.stx_attributes, x.stx_attributes_mask, x.stx_mode, x.stx_nlink);
	note(" uid=%u gid=%u size=%llu blocks=%llu blksize=%u", x.stx_uid,
	     x.stx_gid, x.stx_size, x.stx_blocks, x.stx_blksize);
	note(" rdev=%u:%u btime=%lld.%u", x.stx_rdev_major, x.stx_rdev_minor,
	     x.stx_btime.tv_sec, x.stx_btime.tv_nsec);
	note(" %s dev", makedev(x.stx_dev_major, x.stx_dev_minor) ==
	     self_stat.st_dev ? "same" : "other");
	if (!(mask & 0x4000))
		note(" %s mount", x.stx_mnt_id == self_mnt ? "same" :
		     x.stx_mnt_id ? "other" : "no");
	show(result, "statx mask=%#x flags=%#x", mask, flags);
}

static void call_statx(const struct subject *s)
{
	static const unsigned int masks[] = {
		0, STATX_BASIC_STATS, STATX_ALL, STATX_MNT_ID, 0x4000, 0x2000,
		0x8000, 0x1ffff, 0x7fffffff, 0x80000000,
	};

	for (size_t i = 0; i < COUNT(masks); i++)
		one_statx(s, masks[i], AT_EMPTY_PATH);
	one_statx(s, STATX_BASIC_STATS, 0);
	one_statx(s, STATX_BASIC_STATS, AT_EMPTY_PATH | AT_STATX_FORCE_SYNC);
	one_statx(s, STATX_BASIC_STATS, AT_EMPTY_PATH | AT_STATX_DONT_SYNC);
	one_statx(s, STATX_BASIC_STATS, AT_EMPTY_PATH | 0x40000000);
	show(statx(s->fd, "x", 0, STATX_ALL, (void *)page), "statx of a name");
	show(syscall(__NR_statx, s->fd, "", AT_EMPTY_PATH, 0, BAD),
	     "statx to bad pointer");
}

static void call_statfs(const struct subject *s)
{
	struct statfs fs = {};
	int result = fstatfs(s->fd, &fs);

	note(" type=%#lx bsize=%ld blocks=%lu bfree=%lu bavail=%lu", fs.f_type,
	     fs.f_bsize, fs.f_blocks, fs.f_bfree, fs.f_bavail);
	note(" files=%lu ffree=%lu namelen=%ld frsize=%ld flags=%#lx",
	     fs.f_files, fs.f_ffree, fs.f_namelen, fs.f_frsize, fs.f_flags);
	note(" fsid %s", memcmp(&fs.f_fsid, &self_statfs.f_fsid,
				sizeof(fs.f_fsid)) ? "other" : "same");
	show(result, "fstatfs");
	memset(&fs, 0, sizeof(fs));
	result = statfs(fd_path("fd", s->fd), &fs);
	note(" type=%#lx", fs.f_type);
	show(result, "statfs by path");
	show(syscall(__NR_fstatfs, s->fd, BAD), "fstatfs to bad pointer");
}

static void call_readlink(const struct subject *s)
{
	char link[64] = "";

	if (readlink(fd_path("fd", s->fd), link, sizeof(link) - 1) >= 0)
		note(" '%s'", link);
	show(0, "readlink of /proc/self/fd");
	show(readlinkat(s->fd, "", link, sizeof(link)), "readlinkat itself");
	link[0] = '\0';
	show(readlink(fd_path("fd", s->fd), link, 5), "readlink of 5 bytes");
}

static void call_io(const struct subject *s)
{
	struct iovec iov = { page, 8 };
	int fd = s->fd, result;
	loff_t offset = 0;
	int pipe[2];

	show(read(fd, page, 8), "read");
	show(read(fd, page, 0), "read nothing");
	show(write(fd, page, 8), "write");
	show(write(fd, page, 0), "write nothing");
	show(pread(fd, page, 8, 0), "pread");
	show(pread(fd, page, 8, -1), "pread at -1");
	show(pwrite(fd, page, 8, 0), "pwrite");
	show(readv(fd, &iov, 1), "readv");
	show(writev(fd, &iov, 1), "writev");
	show(preadv2(fd, &iov, 1, 0, RWF_NOWAIT), "preadv2 RWF_NOWAIT");
	show(pwritev2(fd, &iov, 1, 0, RWF_APPEND), "pwritev2 RWF_APPEND");
	for (int whence = 0; whence < 6; whence++) {
		show(lseek(fd, 0, whence), "lseek 0, %d", whence);
		show(lseek(fd, 7, whence), "lseek 7, %d", whence);
	}
	show(lseek(fd, -1, SEEK_SET), "lseek -1");
	if (pipe2(pipe, O_CLOEXEC | O_NONBLOCK))
		bail_out("pipe2");
	show(splice(fd, NULL, pipe[1], NULL, 1, 0), "splice from");
	result = write(pipe[1], "x", 1);
	show(splice(pipe[0], NULL, fd, NULL, result, 0), "splice to");
	show(tee(fd, pipe[1], 1, 0), "tee");
	show(sendfile(pipe[1], fd, NULL, 1), "sendfile from");
	show(sendfile(fd, pipe[0], NULL, 1), "sendfile to");
	show(copy_file_range(fd, &offset, fd, NULL, 1, 0), "copy_file_range");
	close(pipe[0]);
	close(pipe[1]);
}

static void call_mmap(const struct subject *s)
{
	static const int protections[] = {
		PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_EXEC,
	};
	void *map;

	for (size_t i = 0; i < 4; i++) {
		map = mmap(NULL, 4096, protections[i], MAP_SHARED, s->fd, 0);
		show(map == MAP_FAILED ? -1 : 0, "mmap shared %#x",
		     protections[i]);
		map = mmap(NULL, 4096, protections[i], MAP_PRIVATE, s->fd, 0);
		show(map == MAP_FAILED ? -1 : 0, "mmap private %#x",
		     protections[i]);
	}
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, s->fd, 1);
	show(map == MAP_FAILED ? -1 : 0, "mmap at 1");
}

static void call_changes(const struct subject *s)
{
	struct timespec times[2] = { { 1, 2 }, { 3, 4 } };
	int fd = s->fd;

	show(ftruncate(fd, 0), "ftruncate 0");
	show(ftruncate(fd, -1), "ftruncate -1");
	show(truncate(fd_path("fd", fd), 0), "truncate by path");
	show(fchmod(fd, 0777), "fchmod");
	show(syscall(__NR_fchmodat2, fd, "", 0700, AT_EMPTY_PATH), "fchmodat2");
	show(chmod(fd_path("fd", fd), 0700), "chmod by path");
	show(fchown(fd, 1, 1), "fchown");
	show(fchown(fd, -1, -1), "fchown to nothing");
	show(fchownat(fd, "", 0, 0, AT_EMPTY_PATH), "fchownat");
	show(futimens(fd, NULL), "futimens now");
	show(futimens(fd, times), "futimens");
	times[0].tv_nsec = UTIME_OMIT;
	times[1].tv_nsec = UTIME_OMIT;
	show(futimens(fd, times), "futimens omit");
	show(utimensat(fd, "", NULL, AT_EMPTY_PATH), "utimensat");
	show(fsync(fd), "fsync");
	show(fdatasync(fd), "fdatasync");
	show(syncfs(fd), "syncfs");
	show(sync_file_range(fd, 0, 0, 2), "sync_file_range");
	show(flock(fd, LOCK_EX | LOCK_NB), "flock LOCK_EX");
	show(flock(fd, LOCK_SH | LOCK_NB), "flock LOCK_SH");
	show(flock(fd, LOCK_UN), "flock LOCK_UN");
	show(flock(fd, 99), "flock 99");
	show(fallocate(fd, 0, 0, 4096), "fallocate");
	show(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1),
	     "fallocate hole");
	for (int advice = 0; advice < 7; advice++) {
		errno = posix_fadvise(fd, 0, 0, advice);
		show(errno ? -1 : 0, "fadvise %d", advice);
	}
	show(readahead(fd, 0, 1), "readahead");
	show(syscall(__NR_cachestat, fd, page, page + 64, 0), "cachestat");
	show(syscall(__NR_getdents64, fd, page, sizeof(page)), "getdents64");
	show(fchdir(fd), "fchdir");
}

static const struct {
	const char *name;
	int flags;
} open_flags[] = {
	{ "O_RDONLY", O_RDONLY },
	{ "O_WRONLY", O_WRONLY },
	{ "O_RDWR", O_RDWR },
	{ "3", 3 },
	{ "O_CREAT", O_RDWR | O_CREAT },
	{ "O_EXCL", O_RDWR | O_EXCL },
	{ "O_CREAT|O_EXCL", O_RDWR | O_CREAT | O_EXCL },
	{ "O_NOCTTY", O_RDWR | O_NOCTTY },
	{ "O_TRUNC", O_RDWR | O_TRUNC },
	{ "O_APPEND", O_RDWR | O_APPEND },
	{ "O_NONBLOCK", O_RDWR | O_NONBLOCK },
	{ "O_DSYNC", O_RDWR | O_DSYNC },
	{ "O_SYNC", O_RDWR | O_SYNC },
	{ "O_ASYNC", O_RDWR | O_ASYNC },
	{ "O_DIRECT", O_RDWR | O_DIRECT },
	{ "O_LARGEFILE", O_RDWR | 0100000 },
	{ "O_DIRECTORY", O_RDONLY | O_DIRECTORY },
	{ "O_NOFOLLOW", O_RDWR | O_NOFOLLOW },
	{ "O_NOATIME", O_RDWR | O_NOATIME },
	{ "O_CLOEXEC", O_RDWR | O_CLOEXEC },
	{ "O_NONBLOCK|O_EXCL|O_CLOEXEC",
	  O_RDWR | O_NONBLOCK | O_EXCL | O_CLOEXEC },
	{ "O_PATH", O_PATH },
	{ "O_PATH|O_NOFOLLOW", O_PATH | O_NOFOLLOW },
	{ "O_PATH|O_CLOEXEC", O_PATH | O_CLOEXEC },
	{ "O_TMPFILE", O_RDWR | O_TMPFILE },
	{ "0x40000000", O_RDWR | 0x40000000 },
};

#define OPEN_FLAGS COUNT(open_flags)

static void call_reopen(const struct subject *s)
{
	for (size_t i = 0; i < OPEN_FLAGS; i++) {
		int flags = open_flags[i].flags;

		show_fd(open(fd_path("fd", s->fd), flags, 0600),
			"open by path %s", open_flags[i].name);
		show_fd(openat(s->fd, "", flags, 0600), "openat '' %s",
			open_flags[i].name);
	}
	show_fd(openat(s->fd, "x", O_RDONLY), "openat 'x'");
	show_fd(openat(s->fd, "..", O_PATH), "openat '..'");
	show_fd(openat(s->fd, ".", O_PATH), "openat '.'");
}

/* What can be done with a descriptor that is only a place. */
static void call_o_path(const struct subject *s)
{
	int fd = open(fd_path("fd", s->fd), O_PATH | O_CLOEXEC);
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	struct stat st = {};
	siginfo_t info;
	int result;

	if (fd < 0) {
		show(fd, "O_PATH");
		return;
	}
	result = fstat(fd, &st);
	note(" %s dev", st.st_dev == self_stat.st_dev ? "same" : "other");
	show(result, "O_PATH fstat");
	result = poll(&pfd, 1, 0);
	note(" revents=%#x", pfd.revents);
	show(result, "O_PATH poll");
	show(ioctl(fd, GET_UTS, 0), "O_PATH ioctl");
	show(send_signal(fd, 0, NULL, 0), "O_PATH pidfd_send_signal");
	show(waitid(P_PIDFD, fd, &info, WEXITED | WNOHANG | WNOWAIT),
	     "O_PATH waitid");
	show_fd(syscall(__NR_pidfd_getfd, fd, 0, 0), "O_PATH pidfd_getfd");
	show(setns(fd, CLONE_NEWUTS), "O_PATH setns");
	show(fgetxattr(fd, "trusted.x", page, 1), "O_PATH fgetxattr");
	show(getxattr(fd_path("fd", fd), "trusted.x", page, 1),
	     "O_PATH getxattr by path");
	show_fd(open(fd_path("fd", fd), O_RDWR), "O_PATH open again");
	show_fd(dup(fd), "O_PATH dup");
	close(fd);
}

static void call_dup(const struct subject *s)
{
	int fd;

	show_fd(dup(s->fd), "dup");
	fd = dup2(s->fd, 900);
	note(" %s", fd == 900 ? "there" : "elsewhere");
	show(fd < 0 ? -1 : 0, "dup2");
	show(dup3(s->fd, s->fd, 0), "dup3 onto itself");
	fd = dup3(s->fd, 900, O_CLOEXEC);
	note(" fd=%d", fcntl(900, F_GETFD));
	show(fd < 0 ? -1 : 0, "dup3 O_CLOEXEC");
	show(syscall(__NR_kcmp, getpid(), getpid(), KCMP_FILE, s->fd, 900),
	     "kcmp with its duplicate");
	show(syscall(__NR_close_range, 900, 900, 0), "close_range");
	show(fcntl(900, F_GETFD), "fcntl F_GETFD after close_range");
	fd = pidfd_open(s->pid, fcntl(s->fd, F_GETFL) & THREAD_FLAG);
	if (fd >= 0) {
		struct stat a = {}, b = {};

		fstat(fd, &a);
		fstat(s->fd, &b);
		/* Which of them is greater is a matter of chance. */
		show(!!syscall(__NR_kcmp, getpid(), getpid(), KCMP_FILE, s->fd,
			       fd), "kcmp with another pidfd");
		show(a.st_ino == b.st_ino, "same inode as another pidfd");
	}
	show_fd(fd, "pidfd_open again");
}

static void call_poll(const struct subject *s)
{
	static const short events[] = {
		0, POLLIN, POLLPRI, POLLOUT, POLLRDNORM, POLLRDBAND, POLLHUP,
		POLLIN | POLLRDNORM, 0x7fff,
	};
	struct timeval now = {};
	fd_set sets[3];
	int result;

	for (size_t i = 0; i < COUNT(events); i++) {
		struct pollfd pfd = { .fd = s->fd, .events = events[i] };

		result = poll(&pfd, 1, 0);
		note(" revents=%#x", pfd.revents);
		show(result, "poll %#x", events[i]);
	}
	for (int i = 0; i < 3; i++) {
		FD_ZERO(&sets[i]);
		FD_SET(s->fd, &sets[i]);
	}
	result = select(s->fd + 1, &sets[0], &sets[1], &sets[2], &now);
	note(" %d%d%d", !!FD_ISSET(s->fd, &sets[0]),
	     !!FD_ISSET(s->fd, &sets[1]), !!FD_ISSET(s->fd, &sets[2]));
	show(result, "select");
}

static void call_epoll(const struct subject *s)
{
	static const unsigned int events[] = {
		0, EPOLLIN, EPOLLOUT, EPOLLIN | EPOLLET, EPOLLIN | EPOLLONESHOT,
		EPOLLIN | EPOLLEXCLUSIVE, EPOLLIN | EPOLLWAKEUP, 0x7fff,
	};
	int ep, result;

	for (size_t i = 0; i < COUNT(events); i++) {
		struct epoll_event event = { .events = events[i] };

		ep = epoll_create1(EPOLL_CLOEXEC);
		if (ep < 0)
			bail_out("epoll_create1");
		result = epoll_ctl(ep, EPOLL_CTL_ADD, s->fd, &event);
		show(result, "epoll_ctl ADD %#x", events[i]);
		for (int j = 0; !result && j < 2; j++) {
			event.events = 0;
			show(epoll_wait(ep, &event, 1, 0),
			     "epoll_wait %#x events=%#x", events[i],
			     event.events);
		}
		event.events = EPOLLIN;
		show(epoll_ctl(ep, EPOLL_CTL_ADD, s->fd, &event),
		     "epoll_ctl ADD again");
		show(epoll_ctl(ep, EPOLL_CTL_MOD, s->fd, &event),
		     "epoll_ctl MOD");
		show(epoll_ctl(ep, EPOLL_CTL_DEL, s->fd, NULL),
		     "epoll_ctl DEL");
		close(ep);
	}
}

/* One line of /proc/self/fdinfo, with numbers replaced by what they mean. */
static void fdinfo_line(const struct subject *s, char *line)
{
	char *value = strchr(line, '\t');
	struct stat st = {};

	if (!value) {
		note(" | '%s'", line);
		return;
	}
	*value++ = '\0';
	note(" | %s", line);
	if (!strcmp(line, "ino:")) {
		fstat(s->fd, &st);
		note(" %s", strtoul(value, NULL, 10) == st.st_ino ? "st_ino" :
		     "other");
	} else if (!strcmp(line, "mnt_id:")) {
		note(" %s", strtoul(value, NULL, 10) == self_mnt ? "same" :
		     "other");
	} else if (!strcmp(line, "Pid:") || !strcmp(line, "NSpid:")) {
		for (; value; value = strchr(value, '\t')) {
			value += *value == '\t';
			note(" %s", who(strtol(value, NULL, 10), s));
		}
	} else {
		note(" %s", value);
	}
}

static void call_fdinfo(const struct subject *s)
{
	int fd = open(fd_path("fdinfo", s->fd), O_RDONLY | O_CLOEXEC);
	char *line, *rest = (char *)page;
	ssize_t n;

	if (fd < 0) {
		show(fd, "open of fdinfo");
		return;
	}
	n = read(fd, page, sizeof(page) - 1);
	close(fd);
	page[n < 0 ? 0 : n] = '\0';
	while ((line = strsep(&rest, "\n")))
		fdinfo_line(s, line);
	show(n < 0 ? -1 : 0, "fdinfo");
}

static void call_paths(const struct subject *s)
{
	char *const empty[] = { NULL };
	int fd = s->fd, other;

	for (int mode = 0; mode < 8; mode++) {
		show(syscall(__NR_faccessat2, fd, "", mode, AT_EMPTY_PATH),
		     "faccessat2 %d", mode);
	}
	show(access(fd_path("fd", fd), F_OK), "access by path");
	show(execveat(fd, "", empty, empty, AT_EMPTY_PATH), "execveat");
	show(linkat(fd, "", AT_FDCWD, "link", AT_EMPTY_PATH), "linkat");
	show(linkat(AT_FDCWD, fd_path("fd", fd), AT_FDCWD, "link",
		    AT_SYMLINK_FOLLOW), "linkat by path");
	show(unlinkat(fd, "", 0), "unlinkat");
	show(mkdirat(fd, "x", 0700), "mkdirat");
	show(mknodat(fd, "x", 0600, 0), "mknodat");
	show(symlinkat("x", fd, "x"), "symlinkat");
	show(renameat(fd, "x", fd, "y"), "renameat");
	show(chroot(fd_path("fd", fd)), "chroot");
	show(chdir(fd_path("fd", fd)), "chdir");
	other = inotify_init1(IN_CLOEXEC);
	show(inotify_add_watch(other, fd_path("fd", fd), IN_ALL_EVENTS),
	     "inotify_add_watch");
	show(inotify_add_watch(fd, "/", IN_ALL_EVENTS),
	     "inotify_add_watch with it");
	close(other);
	other = fanotify_init(FAN_CLASS_NOTIF, 0);
	show(fanotify_mark(other, FAN_MARK_ADD, FAN_OPEN, fd, NULL),
	     "fanotify_mark");
	show(fanotify_mark(other, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN, fd,
			   NULL), "fanotify_mark mount");
	show(fanotify_mark(other, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_OPEN,
			   fd, NULL), "fanotify_mark filesystem");
	close(other);
	other = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_FID, 0);
	show(fanotify_mark(other, FAN_MARK_ADD, FAN_OPEN, fd, NULL),
	     "fanotify_mark by handle");
	close(other);
	show(accept(fd, NULL, NULL), "accept");
	show(syscall(__NR_signalfd4, fd, page, 8, 0), "signalfd4");
}

/* Mounting: all in a mount namespace of our own. */
static void call_mount(const struct subject *s)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	int fd = s->fd, tree;
	struct stat st = {};

	tree = syscall(__NR_open_tree, fd, "", AT_EMPTY_PATH);
	if (tree >= 0)
		fstat(tree, &st);
	note(" %s dev", st.st_dev == self_stat.st_dev ? "same" : "other");
	show_fd(tree, "open_tree");
	tree = syscall(__NR_open_tree, fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE);
	show_fd(tree, "open_tree OPEN_TREE_CLONE");
	show_fd(syscall(__NR_open_tree, AT_FDCWD, fd_path("fd", fd),
			OPEN_TREE_CLONE), "open_tree OPEN_TREE_CLONE by path");
	show_fd(syscall(__NR_open_tree, fd, "x", OPEN_TREE_CLONE),
		"open_tree of a name");
	tree = syscall(__NR_open_tree, fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE |
		       OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (tree >= 0) {
		show(syscall(__NR_move_mount, tree, "", AT_FDCWD, "place",
			     MOVE_MOUNT_F_EMPTY_PATH), "move_mount of tree");
		show_fd(open("place", O_RDWR), "open of mounted tree");
		show(syscall(__NR_umount2, "place", 0), "umount2 of tree");
	}
	show_fd(tree, "open_tree all");
	show(syscall(__NR_move_mount, fd, "", AT_FDCWD, "place",
		     MOVE_MOUNT_F_EMPTY_PATH), "move_mount from");
	show(syscall(__NR_move_mount, AT_FDCWD, "place", fd, "",
		     MOVE_MOUNT_T_EMPTY_PATH), "move_mount to");
	show(syscall(__NR_mount, fd_path("fd", fd), "place", NULL, 4096, NULL),
	     "mount bind from");
	show(syscall(__NR_umount2, "place", 0), "umount2 of bind");
	show(syscall(__NR_mount, "place", fd_path("fd", fd), NULL, 4096, NULL),
	     "mount bind to");
	show(syscall(__NR_mount, "none", fd_path("fd", fd), "tmpfs", 0, NULL),
	     "mount tmpfs on it");
	show(syscall(__NR_mount, "none", "place", "pidfs", 0, NULL),
	     "mount of pidfs");
	show(syscall(__NR_umount2, fd_path("fd", fd), 0), "umount2 by path");
	show(syscall(__NR_mount_setattr, fd, "", AT_EMPTY_PATH, &attr,
		     sizeof(attr)), "mount_setattr");
	show_fd(syscall(__NR_fspick, fd, "", 8), "fspick");
	show(syscall(__NR_quotactl_fd, fd, 0x80000800, 0, page), "quotactl_fd");
}

/*
 * ioctls
 */
static bool is_written(const unsigned char *a, const unsigned char *b,
		       size_t from, size_t to)
{
	return !memcmp(a + from, b + from, to - from);
}

/* Bytes that are the same over both patterns were written by the kernel. */
static void note_written(const unsigned char *a, const unsigned char *b,
			 size_t size)
{
	bool on = false;

	note(" w=");
	for (size_t i = 0; i < size; i++) {
		if (is_written(a, b, i, i + 1) == on)
			continue;
		note(on ? "-%zu " : "%zu", on ? i - 1 : i);
		on = !on;
	}
	note(on ? "-%zu" : "%.0zu", on ? size - 1 : 0);
}

/* Whether all in front of a field was written. */
#define UP_TO(field) is_written(a, b, 0, offsetof(struct info, field))

static void note_info(const struct subject *s, const unsigned char *a,
		      const unsigned char *b)
{
	const struct info *i = (const void *)a;

	note(" mask=%#llx", i->mask);
	if (UP_TO(pid))
		note(" cg=%s", i->cgroupid == own_cgroup ? "own" :
		     i->cgroupid ? "other" : "0");
	if (UP_TO(tgid))
		note(" pid=%s", who((__s32)i->pid, s));
	if (UP_TO(ppid))
		note(" tgid=%s", who((__s32)i->tgid, s));
	if (UP_TO(ids))
		note(" ppid=%s", who((__s32)i->ppid, s));
	if (UP_TO(exit_code))
		note(" ids=%u,%u,%u,%u,%u,%u,%u,%u", i->ids[0], i->ids[1],
		     i->ids[2], i->ids[3], i->ids[4], i->ids[5], i->ids[6],
		     i->ids[7]);
	if (UP_TO(core_mask))
		note(" exit=%#x", i->exit_code);
	if (UP_TO(core_signal))
		note(" core=%#x", i->core_mask);
	if (UP_TO(core_code))
		note(" sig=%u", i->core_signal);
	if (UP_TO(pad))
		note(" code=%d", (int)i->core_code);
	if (UP_TO(supported))
		note(" pad=%u", i->pad);
	if (is_written(a, b, 0, sizeof(*i)))
		note(" supported=%#llx", i->supported);
}

/* Asks twice, over different old contents. */
static void get_info(const struct subject *s, __u64 mask, size_t size)
{
	unsigned int cmd = _IOC(_IOC_READ | _IOC_WRITE, PIDFS_IOCTL, INFO_NR,
				size);
	static unsigned char a[4608], b[4608];
	int result, again;

	memset(a, 0xa5, sizeof(a));
	memset(b, 0x5a, sizeof(b));
	memcpy(a, &mask, sizeof(mask));
	memcpy(b, &mask, sizeof(mask));
	again = ioctl(s->fd, cmd, b);
	result = ioctl(s->fd, cmd, a);
	if (again != result)
		note(" again=%d", again);
	note_written(a, b, sizeof(a));
	note_info(s, a, b);
	show(result, "PIDFD_GET_INFO mask=%#llx size=%zu", mask, size);
}

static void call_info(const struct subject *s)
{
	static const size_t sizes[] = {
		0, 1, 8, 63, 64, 65, 68, 72, 73, 80, 84, 88, 89, 96, 128, 4096,
	};

	for (int bit = 0; bit < 64; bit++) {
		if (bit < 12 || bit % 16 == 15)
			get_info(s, 1ULL << bit, INFO_SIZE);
	}
	get_info(s, 0, INFO_SIZE);
	get_info(s, INFO_ALL & ~INFO_EXIT, INFO_SIZE);
	get_info(s, ~INFO_ALL, INFO_SIZE);
	for (size_t i = 0; i < COUNT(sizes); i++) {
		get_info(s, INFO_ALL, sizes[i]);
		get_info(s, ~0ULL, sizes[i]);
		get_info(s, 0x10, sizes[i]);
	}
}

static void call_info_badly(const struct subject *s)
{
	static const struct {
		unsigned int dir, type, nr;
	} wrong[] = {
		{ _IOC_NONE, PIDFS_IOCTL, INFO_NR },
		{ _IOC_READ, PIDFS_IOCTL, INFO_NR },
		{ _IOC_WRITE, PIDFS_IOCTL, INFO_NR },
		{ _IOC_READ | _IOC_WRITE, 0xfe, INFO_NR },
		{ _IOC_READ | _IOC_WRITE, 0, INFO_NR },
		{ _IOC_READ | _IOC_WRITE, PIDFS_IOCTL, 12 },
		{ _IOC_READ | _IOC_WRITE, PIDFS_IOCTL, 10 },
	};
	unsigned int good = _IOWR(PIDFS_IOCTL, INFO_NR, struct info);
	unsigned char *map;

	for (size_t i = 0; i < COUNT(wrong); i++) {
		unsigned int cmd = _IOC(wrong[i].dir, wrong[i].type,
					wrong[i].nr, INFO_SIZE);

		memset(page, 0, INFO_SIZE);
		show(ioctl(s->fd, cmd, page), "ioctl like info %#x", cmd);
		show(ioctl(s->fd, cmd, NULL), "ioctl like info %#x NULL", cmd);
	}
	show(ioctl(s->fd, good, NULL), "PIDFD_GET_INFO NULL");
	show(ioctl(s->fd, good, BAD), "PIDFD_GET_INFO bad pointer");
	show(ioctl(s->fd, good, -1L), "PIDFD_GET_INFO -1");
	show(ioctl(s->fd, good, LONG_MIN), "PIDFD_GET_INFO kernel pointer");
	map = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED || mprotect(map + 4096, 4096, PROT_NONE))
		bail_out("mmap");
	for (int left = 0; left <= 96; left += 4)
		show(ioctl(s->fd, good, map + 4096 - left),
		     "PIDFD_GET_INFO with %d bytes left", left);
	mprotect(map, 4096, PROT_READ);
	show(ioctl(s->fd, good, map), "PIDFD_GET_INFO read-only");
	show(ioctl(s->fd, good, map + 1), "PIDFD_GET_INFO read-only unaligned");
	munmap(map, 8192);
}

static const struct {
	const char *name;
	unsigned int nr;
	const char *path;
	unsigned int flag;
} namespaces[] = {
	{ "CGROUP", 1, "cgroup", CLONE_NEWCGROUP },
	{ "IPC", 2, "ipc", CLONE_NEWIPC },
	{ "MNT", 3, "mnt", CLONE_NEWNS },
	{ "NET", 4, "net", CLONE_NEWNET },
	{ "PID", 5, "pid", CLONE_NEWPID },
	{ "PID_FOR_CHILDREN", 6, "pid_for_children", 0 },
	{ "TIME", 7, "time", CLONE_NEWTIME },
	{ "TIME_FOR_CHILDREN", 8, "time_for_children", 0 },
	{ "USER", 9, "user", CLONE_NEWUSER },
	{ "UTS", 10, "uts", CLONE_NEWUTS },
};

#define NAMESPACES_NR COUNT(namespaces)

static ino_t namespace_of(pid_t pid, const char *name)
{
	struct stat st = {};
	char path[64];

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
	else
		snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	return stat(path, &st) ? 0 : st.st_ino;
}

static void get_namespace(const struct subject *s, int i, long arg)
{
	unsigned int cmd = _IO(PIDFS_IOCTL, namespaces[i].nr);
	ino_t theirs = namespace_of(s->pid, namespaces[i].path);
	ino_t ours = namespace_of(0, namespaces[i].path);
	char link[64] = "";
	struct stat st = {};
	int fd, error;

	fd = ioctl(s->fd, cmd, arg);
	error = errno;
	if (fd >= 0) {
		fstat(fd, &st);
		note(" %s theirs, %s ours", st.st_ino == theirs ? "is" : "not",
		     st.st_ino == ours ? "is" : "not");
		if (readlink(fd_path("fd", fd), link, sizeof(link) - 1) > 0)
			note(" %.*s", (int)strcspn(link, "["), link);
	}
	errno = error;
	show_fd(fd, "PIDFD_GET_%s_NAMESPACE arg %ld", namespaces[i].name, arg);
}

static void call_namespaces(const struct subject *s)
{
	for (size_t i = 0; i < NAMESPACES_NR; i++) {
		get_namespace(s, i, 0);
		get_namespace(s, i, 1);
	}
	show(ioctl(s->fd, GET_UTS, -1L), "PIDFD_GET_UTS_NAMESPACE arg -1");
	show_fd(ioctl(s->fd, GET_UTS, 1L << 32),
		"PIDFD_GET_UTS_NAMESPACE arg 1 << 32");
	show(ioctl(s->fd, _IOR(PIDFS_IOCTL, 10, int), 0),
	     "PIDFD_GET_UTS_NAMESPACE with a size");
}

static const struct {
	const char *name;
	unsigned int cmd;
} ioctls[] = {
	{ "FS_IOC32_GETVERSION", _IOR('v', 1, int) },
	{ "FS_IOC_SETVERSION", FS_IOC_SETVERSION },
	{ "FS_IOC_GETFLAGS", FS_IOC_GETFLAGS },
	{ "FS_IOC_SETFLAGS", FS_IOC_SETFLAGS },
	{ "FS_IOC_FSGETXATTR", FS_IOC_FSGETXATTR },
	{ "FS_IOC_FSSETXATTR", FS_IOC_FSSETXATTR },
	{ "FS_IOC_GETFSUUID", _IOR(0x15, 0, char[17]) },
	{ "FS_IOC_GETFSSYSFSPATH", _IOR(0x15, 1, char[129]) },
	{ "FS_IOC_GETFSLABEL", FS_IOC_GETFSLABEL },
	{ "FS_IOC_FIEMAP", _IOWR('f', 11, char[32]) },
	{ "FIBMAP", FIBMAP },
	{ "FIGETBSZ", FIGETBSZ },
	{ "FIFREEZE", FIFREEZE },
	{ "FITHAW", FITHAW },
	{ "FITRIM", FITRIM },
	{ "FIDEDUPERANGE", FIDEDUPERANGE },
	{ "FICLONE", FICLONE },
	{ "FIONREAD", 0x541b },
	{ "FIOQSIZE", 0x5460 },
	{ "TCGETS", 0x5401 },
	{ "NS_GET_USERNS", _IO(0xb7, 1) },
	{ "pidfs 0", _IO(PIDFS_IOCTL, 0) },
	{ "pidfs 12", _IO(PIDFS_IOCTL, 12) },
	{ "pidfs 255", _IO(PIDFS_IOCTL, 255) },
	{ "pidfs 11 without size", _IO(PIDFS_IOCTL, 11) },
	{ "0", 0 },
	{ "~0", ~0U },
};

static void call_ioctls(const struct subject *s)
{
	int number = 12345, zero = 0, result;

	result = ioctl(s->fd, FS_IOC_GETVERSION, &number);
	note(" version=%d", number);
	show(result, "FS_IOC_GETVERSION");
	show(ioctl(s->fd, FS_IOC_GETVERSION, NULL), "FS_IOC_GETVERSION NULL");
	show(ioctl(s->fd, FS_IOC_GETVERSION, BAD), "FS_IOC_GETVERSION bad");
	show(ioctl(s->fd, FS_IOC_GETVERSION, -1L), "FS_IOC_GETVERSION -1");
	for (size_t i = 0; i < COUNT(ioctls); i++) {
		memset(page, 0, 256);
		result = ioctl(s->fd, ioctls[i].cmd, page);
		show(result, "ioctl %s", ioctls[i].name);
		show(ioctl(s->fd, ioctls[i].cmd, 0), "ioctl %s NULL",
		     ioctls[i].name);
	}
	number = 1;
	result = ioctl(s->fd, FIONBIO, &number);
	note(" fl=%#x", fcntl(s->fd, F_GETFL));
	show(result, "FIONBIO 1");
	show(ioctl(s->fd, FIONBIO, &zero), "FIONBIO 0");
	show(ioctl(s->fd, FIOASYNC, &number), "FIOASYNC 1");
	show(ioctl(s->fd, FIOASYNC, &zero), "FIOASYNC 0");
	result = ioctl(s->fd, FIONCLEX);
	note(" fd=%d", fcntl(s->fd, F_GETFD));
	show(result, "FIONCLEX");
	result = ioctl(s->fd, FIOCLEX);
	note(" fd=%d", fcntl(s->fd, F_GETFD));
	show(result, "FIOCLEX");
}

/*
 * Handles
 */
static void get_handle(const struct subject *s, unsigned int bytes, int flags)
{
	struct handle a, b;
	struct stat st = {};
	__u64 mnt = 0, id;
	int result, error;

	memset(&a, 0xa5, sizeof(a));
	memset(&b, 0x5a, sizeof(b));
	a.head.handle_bytes = bytes;
	b.head.handle_bytes = bytes;
	syscall(__NR_name_to_handle_at, s->fd, "", &b, &mnt, flags);
	mnt = 0;
	result = syscall(__NR_name_to_handle_at, s->fd, "", &a, &mnt, flags);
	error = errno;
	fstat(s->fd, &st);
	memcpy(&id, a.bytes, sizeof(id));
	note_written((void *)&a, (void *)&b, sizeof(a));
	note(" bytes=%u", a.head.handle_bytes);
	if (is_written((void *)&a, (void *)&b, 4, 8))
		note(" type=%#x", a.head.handle_type);
	if (is_written(a.bytes, b.bytes, 0, 8))
		note(" id%sst_ino", id == st.st_ino ? "==" : "!=");
	note(" %s mount", mnt == self_mnt ? "same" : mnt ? "other" : "no");
	errno = error;
	show(result, "name_to_handle_at bytes=%u flags=%#x", bytes, flags);
}

static void call_handles(const struct subject *s)
{
	static const unsigned int sizes[] = { 0, 1, 4, 7, 8, 9, 12, 16, 128, };
	struct handle h = { .head.handle_bytes = 128 };
	int mnt;

	for (size_t i = 0; i < COUNT(sizes); i++)
		get_handle(s, sizes[i], AT_EMPTY_PATH);
	get_handle(s, 0, AT_EMPTY_PATH | AT_HANDLE_FID);
	get_handle(s, 128, AT_EMPTY_PATH | AT_HANDLE_FID);
	get_handle(s, 128, AT_EMPTY_PATH | AT_HANDLE_MNT_ID_UNIQUE);
	get_handle(s, 128, AT_EMPTY_PATH | AT_HANDLE_CONNECTABLE);
	get_handle(s, 128, AT_EMPTY_PATH | AT_HANDLE_CONNECTABLE |
		   AT_HANDLE_FID);
	get_handle(s, 129, AT_EMPTY_PATH);
	get_handle(s, ~0U, AT_EMPTY_PATH);
	get_handle(s, 128, 0);
	get_handle(s, 128, AT_EMPTY_PATH | AT_SYMLINK_FOLLOW);
	get_handle(s, 128, AT_EMPTY_PATH | 0x40000000);
	show(name_to_handle_at(AT_FDCWD, fd_path("fd", s->fd), &h.head, &mnt,
			       AT_SYMLINK_FOLLOW), "name_to_handle_at by path");
	show(syscall(__NR_name_to_handle_at, s->fd, "", BAD, &mnt,
		     AT_EMPTY_PATH), "name_to_handle_at bad handle");
	show(syscall(__NR_name_to_handle_at, s->fd, "", &h, BAD,
		     AT_EMPTY_PATH), "name_to_handle_at bad mount id");
	show(name_to_handle_at(s->fd, "x", &h.head, &mnt, 0),
	     "name_to_handle_at of a name");
}

static bool handle_of(int fd, struct handle *h)
{
	int mnt;

	memset(h, 0, sizeof(*h));
	h->head.handle_bytes = 128;
	return !name_to_handle_at(fd, "", &h->head, &mnt, AT_EMPTY_PATH);
}

static void __attribute__((format(printf, 4, 5)))
open_handle(const struct subject *s, int mount, const struct handle *h,
	    const char *format, ...)
{
	int fd = open_by_handle_at(mount, (void *)h, O_RDWR | O_CLOEXEC);
	struct stat a = {}, b = {};
	char what[128];
	va_list args;
	int error = errno;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	if (fd >= 0) {
		fstat(fd, &a);
		fstat(s->fd, &b);
		note(" %s inode", a.st_ino == b.st_ino &&
		     a.st_dev == b.st_dev ? "same" : "other");
	}
	errno = error;
	show_fd(fd, "open_by_handle_at %s", what);
}

static void change_handle(const struct subject *s, const struct handle *good)
{
	static const int types[] = { 0, 1, 2, 0xfe, 0xff, 0x10fe, -1, };
	static const unsigned int sizes[] = { 0, 1, 4, 7, 9, 12, 16, 128, 129 };
	static const __u64 ids[] = { 0, 1, ~0ULL, 1ULL << 40, };
	struct handle h;

	for (size_t i = 0; i < COUNT(types); i++) {
		h = *good;
		h.head.handle_type = types[i];
		open_handle(s, ROOT_OF_PIDFS, &h, "type %#x", types[i]);
	}
	for (size_t i = 0; i < COUNT(sizes); i++) {
		h = *good;
		h.head.handle_bytes = sizes[i];
		open_handle(s, ROOT_OF_PIDFS, &h, "size %u", sizes[i]);
	}
	for (size_t i = 0; i < COUNT(ids); i++) {
		h = *good;
		memcpy(h.bytes, &ids[i], sizeof(ids[i]));
		/* Number 1 is a process that may have a pidfd, or not. */
		if (ids[i] != 1)
			open_handle(s, ROOT_OF_PIDFS, &h, "id %#llx", ids[i]);
	}
	open_handle(s, ROOT_OF_PIDFS, NULL, "NULL");
	open_handle(s, ROOT_OF_PIDFS, BAD, "bad pointer");
}

static void call_open_handles(const struct subject *s)
{
	struct handle h;
	int root;

	if (!handle_of(s->fd, &h)) {
		show(-1, "name_to_handle_at");
		return;
	}
	root = open("/", O_RDONLY | O_CLOEXEC | O_DIRECTORY);
	open_handle(s, ROOT_OF_PIDFS, &h, "at FD_PIDFS_ROOT");
	open_handle(s, s->fd, &h, "at itself");
	open_handle(s, self_fd, &h, "at pidfd of self");
	open_handle(s, AT_FDCWD, &h, "at AT_FDCWD");
	open_handle(s, root, &h, "at /");
	open_handle(s, -1, &h, "at -1");
	open_handle(s, -10003, &h, "at FD_NSFS_ROOT");
	open_handle(s, -10004, &h, "at -10004");
	open_handle(s, -10009, &h, "at FD_INVALID");
	open_handle(s, 999, &h, "at 999");
	close(root);
	for (size_t i = 0; i < OPEN_FLAGS; i++) {
		show_fd(open_by_handle_at(ROOT_OF_PIDFS, &h.head,
					  open_flags[i].flags),
			"open_by_handle_at %s", open_flags[i].name);
	}
	for (int bit = 0; bit < 31; bit++) {
		show_fd(open_by_handle_at(s->fd, &h.head, 1 << bit),
			"open_by_handle_at bit %d", bit);
	}
	change_handle(s, &h);
}

/*
 * Extended attributes
 */
static const char *const attributes[] = {
	"trusted.x", "user.x", "security.x", "system.x", "", "x", "trusted",
	"trusted.", "trusted.overlay.x", "Trusted.x", "system.posix_acl_access",
	"security.selinux", "security.capability", "btrfs.x",
};

static void note_list(int fd)
{
	char list[1024];
	ssize_t n = flistxattr(fd, list, sizeof(list));

	note(" list=%zd", n);
	for (char *name = list; n > 0 && name < list + n;
	     name += strlen(name) + 1)
		note(" %s", name);
}

static void one_attribute(int fd, const char *name)
{
	char value[16] = "";
	ssize_t n;

	show(fgetxattr(fd, name, value, sizeof(value)), "fgetxattr '%s'", name);
	show(fsetxattr(fd, name, "abc", 3, 0), "fsetxattr '%s'", name);
	n = fgetxattr(fd, name, value, sizeof(value));
	note(" '%.*s'", (int)(n < 0 ? 0 : n), value);
	show(n, "fgetxattr '%s' set", name);
	note_list(fd);
	show(fgetxattr(fd, name, NULL, 0), "fgetxattr '%s' size", name);
	show(fremovexattr(fd, name), "fremovexattr '%s'", name);
	show(fremovexattr(fd, name), "fremovexattr '%s' again", name);
}

static void attribute_flags(int fd)
{
	const char *x = "trusted.x";
	char value[8];

	show(fsetxattr(fd, x, "a", 1, XATTR_REPLACE), "XATTR_REPLACE of none");
	show(fsetxattr(fd, x, "a", 1, XATTR_CREATE), "XATTR_CREATE");
	show(fsetxattr(fd, x, "b", 1, XATTR_CREATE), "XATTR_CREATE again");
	show(fsetxattr(fd, x, "cd", 2, XATTR_REPLACE), "XATTR_REPLACE");
	show(fsetxattr(fd, x, "e", 1, 3), "XATTR_CREATE|XATTR_REPLACE");
	show(fsetxattr(fd, x, "e", 1, 4), "fsetxattr flag 4");
	show(fgetxattr(fd, x, value, 1), "fgetxattr into 1 byte");
	show(fgetxattr(fd, x, value, 2), "fgetxattr into 2 bytes");
	show(fgetxattr(fd, x, BAD, 2), "fgetxattr to bad pointer");
	show(fgetxattr(fd, BAD, value, 2), "fgetxattr of bad name");
	show(fsetxattr(fd, x, BAD, 2, 0), "fsetxattr from bad pointer");
	show(flistxattr(fd, value, 1), "flistxattr into 1 byte");
	show(flistxattr(fd, NULL, 0), "flistxattr size");
	show(flistxattr(fd, BAD, 100), "flistxattr to bad pointer");
	show(fsetxattr(fd, x, NULL, 0, 0), "fsetxattr of no bytes");
	show(fgetxattr(fd, x, value, sizeof(value)), "fgetxattr of no bytes");
	show(fremovexattr(fd, x), "fremovexattr");
	show(fremovexattr(fd, BAD), "fremovexattr of bad name");
	note_list(fd);
	show(0, "flistxattr");
}

static void attribute_sizes(int fd)
{
	static char value[65537], back[65537], name[300];

	memset(value, 'v', sizeof(value));
	show(fsetxattr(fd, "trusted.x", value, 65536, 0), "fsetxattr 65536");
	show(fgetxattr(fd, "trusted.x", back, 65537), "fgetxattr into 65537");
	show(memcmp(value, back, 65536), "memcmp of it");
	show(fgetxattr(fd, "trusted.x", back, 65535), "fgetxattr into 65535");
	show(fsetxattr(fd, "trusted.x", value, 65537, 0), "fsetxattr 65537");
	show(fremovexattr(fd, "trusted.x"), "fremovexattr of large");
	for (int len = 254; len <= 257; len++) {
		memset(name, 'n', sizeof(name));
		memcpy(name, "trusted.", 8);
		name[len] = '\0';
		show(fsetxattr(fd, name, "v", 1, 0), "fsetxattr name %d", len);
		show(flistxattr(fd, back, sizeof(back)), "flistxattr %d", len);
		show(fgetxattr(fd, name, back, 8), "fgetxattr name %d", len);
		show(fremovexattr(fd, name), "fremovexattr name %d", len);
	}
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "trusted.%c%d", 'z' - i % 7, i);
		if (fsetxattr(fd, name, value, i, 0))
			show(-1, "fsetxattr number %d", i);
	}
	note_list(fd);
	show(0, "flistxattr of many");
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "trusted.%c%d", 'z' - i % 7, i);
		if (fgetxattr(fd, name, back, 64) != i || fremovexattr(fd, name))
			show(-1, "fgetxattr, fremovexattr number %d", i);
	}
	note_list(fd);
	show(0, "flistxattr of none");
}

static void call_xattrs(const struct subject *s)
{
	const char *path = fd_path("fd", s->fd);
	struct xattr_args {
		__aligned_u64 value;
		__u32 size, flags;
	} args = { (uintptr_t)page, 1, 0 };

	for (size_t i = 0; i < COUNT(attributes); i++)
		one_attribute(s->fd, attributes[i]);
	attribute_flags(s->fd);
	attribute_sizes(s->fd);
	show(setxattr(path, "trusted.p", "p", 1, 0), "setxattr by path");
	show(fgetxattr(s->fd, "trusted.p", page, 9), "fgetxattr after that");
	show(getxattr(path, "trusted.p", page, 9), "getxattr by path");
	show(lgetxattr(path, "trusted.p", page, 9), "lgetxattr by path");
	show(syscall(__NR_setxattrat, s->fd, "", AT_EMPTY_PATH, "trusted.p",
		     &args, sizeof(args)), "setxattrat");
	show(syscall(__NR_getxattrat, s->fd, "", AT_EMPTY_PATH, "trusted.p",
		     &args, sizeof(args)), "getxattrat");
	show(listxattr(path, (char *)page, 99), "listxattr by path");
	show(removexattr(path, "trusted.p"), "removexattr by path");
	show(removexattr(path, "trusted.p"), "removexattr by path again");
}

/*
 * The process
 */
static void call_signals(const struct subject *s)
{
	static const int signals[] = { 0, -1, 64, 65, 1000, };
	siginfo_t info = { .si_code = SI_QUEUE };
	int fd = s->fd;

	for (unsigned int flags = 0; flags < 9; flags++)
		show(send_signal(fd, 0, NULL, flags),
		     "pidfd_send_signal 0 flags %u", flags);
	show(send_signal(fd, 0, NULL, 1U << 31), "pidfd_send_signal bit 31");
	for (size_t i = 0; i < COUNT(signals); i++) {
		if (signals[i] != 64)
			show(send_signal(fd, signals[i], NULL, 0),
			     "pidfd_send_signal %d", signals[i]);
		info.si_signo = signals[i];
		show(send_signal(fd, 0, &info, 0),
		     "pidfd_send_signal 0 with info of %d", signals[i]);
	}
	info.si_signo = 0;
	info.si_code = SI_USER;
	show(send_signal(fd, 0, &info, 0), "pidfd_send_signal info SI_USER");
	info.si_code = SI_KERNEL;
	show(send_signal(fd, 0, &info, 0), "pidfd_send_signal info SI_KERNEL");
	info.si_code = SI_TKILL;
	show(send_signal(fd, 0, &info, 0), "pidfd_send_signal info SI_TKILL");
	show(send_signal(fd, 0, BAD, 0), "pidfd_send_signal bad info");
}

static void one_waitid(const struct subject *s, int options)
{
	siginfo_t info;
	int result;

	memset(&info, 0xa5, sizeof(info));
	result = waitid(P_PIDFD, s->fd, &info, options);
	if (!result)
		note(" signo=%d code=%d status=%d uid=%u pid=%s", info.si_signo,
		     info.si_code, info.si_status, info.si_uid,
		     who(info.si_pid, s));
	show(result, "waitid options %#x", options);
}

static void call_waitid(const struct subject *s)
{
	static const int options[] = {
		0, WNOHANG, WNOWAIT | WNOHANG, WEXITED | WNOWAIT | WNOHANG,
		WSTOPPED | WNOHANG, WCONTINUED | WNOHANG,
		WEXITED | WSTOPPED | WCONTINUED | WNOWAIT | WNOHANG,
		WEXITED | WNOWAIT | WNOHANG | __WALL,
		WEXITED | WNOWAIT | WNOHANG | __WCLONE,
		WEXITED | WNOWAIT | WNOHANG | __WNOTHREAD,
		WEXITED | WNOWAIT | WNOHANG | 0x10,
	};

	for (size_t i = 0; i < COUNT(options); i++)
		one_waitid(s, options[i]);
	/* Then WNOHANG is implied, but by an error. */
	fcntl(s->fd, F_SETFL, O_NONBLOCK);
	one_waitid(s, WEXITED | WNOWAIT);
	fcntl(s->fd, F_SETFL, 0);
	show(waitid(P_PIDFD, s->fd, NULL, WEXITED | WNOWAIT | WNOHANG),
	     "waitid to NULL");
	show(syscall(__NR_waitid, P_PIDFD, s->fd, BAD,
		     WEXITED | WNOWAIT | WNOHANG, NULL), "waitid to bad");
	show(syscall(__NR_waitid, P_PIDFD, s->fd, NULL,
		     WEXITED | WNOWAIT | WNOHANG, BAD), "waitid, bad rusage");
	show(waitid(P_PID, s->fd + 100000, NULL, WEXITED | WNOHANG),
	     "waitid of no child");
}

static void call_others(const struct subject *s)
{
	static const struct {
		int fd;
		unsigned int flags;
	} targets[] = {
		{ 0, 0 }, { 0, 1 }, { -1, 0 }, { 999, 0 }, { INT_MIN, 0 },
	};
	struct iovec iov = { page, sizeof(page) };
	struct landlock {
		__u64 access;
		__s32 fd;
	} __attribute__((packed)) rule = { 1, s->fd };

	for (size_t i = 0; i < COUNT(targets); i++) {
		int fd = syscall(__NR_pidfd_getfd, s->fd, targets[i].fd,
				 targets[i].flags);
		int error = errno;

		if (fd >= 0) {
			note(" fd=%d", fcntl(fd, F_GETFD));
			close(fd);
		}
		errno = error;
		show(fd < 0 ? -1 : 0, "pidfd_getfd %d flags %u", targets[i].fd,
		     targets[i].flags);
	}
	show(syscall(__NR_process_madvise, s->fd, &iov, 1, MADV_COLD, 0),
	     "process_madvise MADV_COLD");
	show(syscall(__NR_process_madvise, s->fd, &iov, 1, MADV_DONTNEED, 0),
	     "process_madvise MADV_DONTNEED");
	show(syscall(__NR_process_madvise, s->fd, &iov, 1, MADV_COLD, 1),
	     "process_madvise flags 1");
	show(syscall(__NR_process_madvise, s->fd, BAD, 1, MADV_COLD, 0),
	     "process_madvise bad pointer");
	show(syscall(__NR_process_madvise, s->fd, &iov, 0, MADV_COLD, 0),
	     "process_madvise of nothing");
	show(syscall(__NR_process_mrelease, s->fd, 0), "process_mrelease");
	show(syscall(__NR_process_mrelease, s->fd, 1), "process_mrelease 1");
	show(syscall(__NR_landlock_add_rule, s->fd, 1, &rule, 0),
	     "landlock_add_rule");
	show(syscall(__NR_perf_event_open, page, s->fd, -1, -1, 1UL << 2),
	     "perf_event_open with it as cgroup");
}

struct setns_case {
	const struct subject *s;
	int flags;
};

/* Runs in a child. */
static void one_setns(const void *arg)
{
	const struct setns_case *c = arg;
	ino_t theirs[NAMESPACES_NR];
	int result, error;

	for (size_t i = 0; i < NAMESPACES_NR; i++)
		theirs[i] = namespace_of(c->s->pid, namespaces[i].path);
	result = setns(c->s->fd, c->flags);
	error = errno;
	note(" in");
	for (size_t i = 0; i < NAMESPACES_NR; i++) {
		ino_t ours = namespace_of(0, namespaces[i].path);

		if (ours && ours == theirs[i])
			note(" %s", namespaces[i].path);
	}
	errno = error;
	show(result, "setns %#x", c->flags);
}

static void call_setns(const struct subject *s)
{
	static const int more[] = {
		0, 1, -1, CLONE_NEWUTS | CLONE_NEWIPC, CLONE_NEWUTS | 1,
		CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET |
		CLONE_NEWPID | CLONE_NEWCGROUP, CLONE_NEWPID | CLONE_NEWUTS,
		CLONE_NEWTIME | CLONE_NEWUTS, ALL_NAMESPACES, CLONE_FILES,
		ALL_NAMESPACES & ~CLONE_NEWUSER,
	};
	struct setns_case c = { s };

	for (size_t i = 0; i < NAMESPACES_NR; i++) {
		c.flags = namespaces[i].flag;
		if (c.flags)
			in_child(0, one_setns, &c);
	}
	for (size_t i = 0; i < COUNT(more); i++) {
		c.flags = more[i];
		in_child(0, one_setns, &c);
	}
}

/* Everything that leaves the process as it was. */
static void look_at(const struct subject *s)
{
	static const struct {
		unsigned int group;
		void (*call)(const struct subject *s);
	} calls[] = {
		{ 0, call_stat }, { 0, call_readlink }, { 0, call_poll },
		{ 0, call_fdinfo }, { FILES, call_fcntl },
		{ FILES, call_statx }, { FILES, call_statfs },
		{ FILES, call_io }, { FILES, call_mmap },
		{ FILES, call_changes }, { FILES, call_reopen },
		{ FILES, call_o_path }, { FILES, call_dup },
		{ FILES, call_epoll }, { FILES, call_paths },
		{ FILES, call_mount }, { INFO, call_info },
		{ INFO, call_info_badly }, { NAMESPACES, call_namespaces },
		{ FILES, call_ioctls }, { HANDLES, call_handles },
		{ HANDLES, call_open_handles }, { XATTRS, call_xattrs },
		{ SIGNALS, call_signals }, { SIGNALS, call_waitid },
		{ OTHERS, call_others }, { SETNS, call_setns },
		{ 0, call_stat },
	};

	subject = s->name;
	for (size_t i = 0; i < COUNT(calls); i++) {
		if (!(calls[i].group & s->skip))
			calls[i].call(s);
	}
	subject = "none";
}

static void look_at_kid(const char *name, const struct kid *kid,
			unsigned int skip)
{
	struct subject s = { name, kid->fd, kid->pid, kid->pid, skip };

	look_at(&s);
}

/*
 * Subjects
 */
static void look_at_living(void)
{
	struct subject self = { "self", self_fd, getpid(), getpid(), 0 };
	struct subject init = { "init", pidfd_open(1, 0), 1, 1, SETNS };
	struct subject kthread = { "kthread", pidfd_open(2, 0), 2, 2, 0 };
	struct kid kid = spawn(0);

	look_at_kid("child", &kid, 0);
	do_or_bail_out(&kid, UNSHARE, CLONE_NEWUTS | CLONE_NEWIPC |
		       CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWCGROUP |
		       CLONE_NEWPID | CLONE_NEWTIME);
	look_at_kid("child that unshared", &kid, FILES | HANDLES | XATTRS);
	end(&kid);
	look_at(&self);
	look_at(&init);
	look_at(&kthread);
	close(init.fd);
	close(kthread.fd);

	kid = spawn(CLONE_NEWUSER | CLONE_NEWUTS);
	look_at_kid("child in user namespace", &kid, FILES | HANDLES);
	end(&kid);
	kid = spawn(0);
	do_or_bail_out(&kid, BECOME, 1000);
	look_at_kid("child of other user", &kid, FILES | HANDLES);
	end(&kid);
}

static void look_at_dead(void)
{
	struct kid kid = spawn(0);

	tell(&kid, EXIT, 7);
	await_zombie(kid.pid);
	look_at_kid("zombie", &kid, 0);
	reap(kid.pid);
	look_at_kid("reaped", &kid, 0);
	put(&kid);

	kid = spawn(0);
	kill(kid.pid, SIGKILL);
	await_zombie(kid.pid);
	look_at_kid("killed zombie", &kid, FILES | HANDLES | XATTRS);
	reap(kid.pid);
	look_at_kid("killed", &kid, FILES | HANDLES | XATTRS);
	put(&kid);

	kid = spawn(0);
	kill(kid.pid, SIGSTOP);
	if (waitid(P_PID, kid.pid, NULL, WSTOPPED | WNOWAIT))
		bail_out("waitid for a stopped child");
	look_at_kid("stopped", &kid, FILES | HANDLES | XATTRS);
	end(&kid);
}

/* Dies of @sig, with a core dump if both allow it. */
static void look_at_crash(const char *name, int sig, int limit, int dumpable)
{
	const unsigned int skip = FILES | NAMESPACES | HANDLES | XATTRS | SETNS;
	struct kid kid = spawn(0);
	char full[64];

	do_or_bail_out(&kid, CORE_LIMIT, limit);
	do_or_bail_out(&kid, DUMPABLE, dumpable);
	snprintf(full, sizeof(full), "%s, alive", name);
	look_at_kid(full, &kid, skip & ~NAMESPACES);
	tell(&kid, RAISE, sig);
	await_zombie(kid.pid);
	snprintf(full, sizeof(full), "%s, zombie", name);
	look_at_kid(full, &kid, skip);
	reap(kid.pid);
	snprintf(full, sizeof(full), "%s, reaped", name);
	look_at_kid(full, &kid, skip);
	put(&kid);
	unlink("core");
}

static void look_at_crashes(void)
{
	look_at_crash("dumps core", SIGSEGV, 1 << 24, 1);
	look_at_crash("aborts", SIGABRT, 1 << 24, 1);
	look_at_crash("core limit 0", SIGSEGV, 0, 1);
	look_at_crash("core limit 1", SIGQUIT, 1, 1);
	look_at_crash("not dumpable", SIGSEGV, 1 << 24, 0);
	look_at_crash("terminated", SIGTERM, 1 << 24, 1);
}

static void look_at_threads(void)
{
	struct kid kid = spawn(0);
	pid_t tid = tell(&kid, THREAD, 0);
	struct subject s = { "thread", -1, tid, kid.pid, 0 };

	subject = "thread";
	show_fd(pidfd_open(tid, 0), "pidfd_open without PIDFD_THREAD");
	s.fd = pidfd_open(tid, THREAD_FLAG);
	look_at(&s);
	look_at_kid("leader", &kid, FILES | HANDLES | XATTRS);
	do_or_bail_out(&kid, END_THREAD, 0);
	await_gone(s.fd);
	s.name = "thread that ended";
	look_at(&s);
	look_at_kid("leader without threads", &kid, FILES | HANDLES | XATTRS);
	close(s.fd);
	end(&kid);
}

static bool is_zombie(pid_t pid)
{
	char path[64], buf[512], *state;
	ssize_t n = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	buf[n > 0 ? n : 0] = '\0';
	state = strrchr(buf, ')');
	return state && state[1] && state[2] == 'Z';
}

static void look_at_leader(void)
{
	struct kid kid = spawn(0);
	struct subject s = { "exited leader", -1, kid.pid, kid.pid, 0 };
	struct subject t = { "thread of exited leader", -1, 0, kid.pid, FILES };

	t.pid = tell(&kid, THREAD, 0);
	t.fd = pidfd_open(t.pid, THREAD_FLAG);
	s.fd = pidfd_open(kid.pid, THREAD_FLAG);
	tell(&kid, END_LEADER, 5);
	for (int i = 0; !is_zombie(kid.pid); i++) {
		if (i == 20000)
			bail_out("a leader does not end");
		usleep(1000);
	}
	look_at(&s);
	s.name = "exited leader's process";
	s.skip = FILES;
	close(s.fd);
	s.fd = kid.fd;
	look_at(&s);
	look_at(&t);
	kill(kid.pid, SIGKILL);
	await_zombie(kid.pid);
	s.name = "exited leader, killed";
	look_at(&s);
	await_gone(t.fd);
	t.name = "thread of exited leader, killed";
	look_at(&t);
	reap(kid.pid);
	s.name = "exited leader, reaped";
	look_at(&s);
	close(t.fd);
	put(&kid);
}

static void look_at_exec(void)
{
	struct kid kid = spawn(0);
	pid_t tid = tell(&kid, EXEC, 0);
	struct subject t = { "thread before exec", -1, tid, kid.pid, FILES };
	struct subject s = { "leader's thread after exec", -1, kid.pid,
			     kid.pid, FILES };

	s.fd = pidfd_open(kid.pid, THREAD_FLAG);
	t.fd = pidfd_open(tid, THREAD_FLAG);
	look_at(&t);
	/* Any order makes the thread go on. */
	if (tell(&kid, THREAD, 0))
		bail_out("exec");
	await_gone(t.fd);
	t.name = "thread after exec";
	look_at(&t);
	look_at(&s);
	look_at_kid("leader after exec", &kid, FILES | HANDLES);
	close(s.fd);
	close(t.fd);
	end(&kid);
}

static void look_at_autoreaped(void)
{
	const __u64 autokill = CLONE_AUTOREAP | CLONE_NNP |
			       CLONE_PIDFD_AUTOKILL;
	struct kid kid;
	int other;

	signal(SIGCHLD, SIG_IGN);
	kid = spawn(0);
	tell(&kid, EXIT, 9);
	await_gone(kid.fd);
	signal(SIGCHLD, SIG_DFL);
	look_at_kid("reaped by itself", &kid, FILES);
	put(&kid);

	kid = spawn(CLONE_AUTOREAP);
	look_at_kid("CLONE_AUTOREAP", &kid, FILES);
	tell(&kid, EXIT, 10);
	await_gone(kid.fd);
	look_at_kid("CLONE_AUTOREAP, gone", &kid, FILES);
	put(&kid);

	kid = spawn(autokill);
	other = pidfd_open(kid.pid, 0);
	look_at_kid("CLONE_PIDFD_AUTOKILL", &kid, 0);
	show_fd(dup(other), "dup of other pidfd");
	close(kid.fd);
	await_gone(other);
	kid.fd = other;
	look_at_kid("CLONE_PIDFD_AUTOKILL, killed", &kid, FILES);
	put(&kid);

	/* Closing another pidfd does not kill it. */
	kid = spawn(autokill);
	show_fd(pidfd_open(kid.pid, 0), "pidfd_open of autokill");
	look_at_kid("CLONE_PIDFD_AUTOKILL, other closed", &kid, FILES | XATTRS);
	tell(&kid, EXIT, 11);
	await_gone(kid.fd);
	look_at_kid("CLONE_PIDFD_AUTOKILL, ended", &kid, FILES | XATTRS);
	put(&kid);
}

static void look_at_pid_namespace(void)
{
	struct kid kid = spawn(CLONE_NEWPID);

	look_at_kid("child in pid namespace", &kid, FILES);
	tell(&kid, EXIT, 12);
	await_zombie(kid.pid);
	look_at_kid("zombie in pid namespace", &kid, FILES | XATTRS);
	reap(kid.pid);
	look_at_kid("reaped in pid namespace", &kid, FILES | XATTRS);
	put(&kid);
}

static void look_at_cgroup(void)
{
	const char *path = "/sys/fs/cgroup/differ";
	struct kid kid = spawn(0);
	struct stat st = {};
	FILE *procs;

	if (mkdir(path, 0755) || stat(path, &st)) {
		show(-1, "no cgroup to be had");
		end(&kid);
		return;
	}
	procs = fopen("/sys/fs/cgroup/differ/cgroup.procs", "w");
	if (!procs || fprintf(procs, "%d\n", kid.pid) < 0 || fclose(procs))
		bail_out("cgroup.procs");
	look_at_kid("in other cgroup", &kid, ~INFO);
	own_cgroup ^= st.st_ino;
	look_at_kid("in this cgroup", &kid, ~INFO);
	tell(&kid, EXIT, 13);
	await_zombie(kid.pid);
	look_at_kid("zombie in this cgroup", &kid, ~INFO);
	reap(kid.pid);
	look_at_kid("reaped in this cgroup", &kid, ~INFO);
	own_cgroup ^= st.st_ino;
	put(&kid);
	/* The child leaves it a moment later, when its last context switch is done. */
	for (int i = 0; rmdir(path); i++) {
		if (errno != EBUSY || i == 20000)
			bail_out("a cgroup does not go");
		usleep(1000);
	}
}

/*
 * Callers
 */
static void become_nobody(void)
{
	if (setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY) || prctl(PR_SET_DUMPABLE, 1))
		bail_out("becoming nobody");
}

static void nobody_looks(const void *arg)
{
	const struct subject *s = arg;
	struct subject own = { "own pidfd", -1, getpid(), getpid(), 0 };

	become_nobody();
	caller = "nobody";
	look_at(s);
	own.skip = FILES;
	own.fd = pidfd_open(getpid(), 0);
	look_at(&own);
}

static void map_ids(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "0 0 1", 5) != 5)
		bail_out(path);
	close(fd);
}

static void user_looks(const void *arg)
{
	struct subject s = *(const struct subject *)arg;

	if (unshare(CLONE_NEWUSER))
		bail_out("unshare");
	caller = "unmapped user namespace";
	look_at(&s);
	map_ids("/proc/self/uid_map");
	caller = "mapped user namespace";
	look_at(&s);
}

static void inside_looks(const void *arg)
{
	const struct subject *s = arg;
	struct subject outer = { "parent", self_fd, 0, 0, FILES };
	struct subject own = { "own pidfd", -1, getpid(), getpid(), FILES };

	caller = "pid namespace";
	outer.pid = -3;
	outer.tgid = -3;
	look_at(s);
	look_at(&outer);
	own.fd = pidfd_open(getpid(), 0);
	look_at(&own);
	close(own.fd);
	if (unshare(CLONE_NEWNS) ||
	    syscall(__NR_mount, "proc", "/proc", "proc", 0, NULL))
		bail_out("mount of /proc");
	caller = "pid namespace with /proc";
	look_at(s);
	look_at(&outer);
	own.fd = pidfd_open(getpid(), 0);
	look_at(&own);
}

static void brother_looks(const void *arg)
{
	caller = "brother";
	look_at(arg);
}

static void jailed_looks(const void *arg)
{
	if (chroot(".") || chdir("/"))
		bail_out("chroot");
	caller = "chroot";
	look_at(arg);
}

static void let_callers_look(const char *name, struct kid *kid,
			     unsigned int skip)
{
	struct subject s = { name, kid->fd, kid->pid, kid->pid, skip };

	in_child(0, nobody_looks, &s);
	s.skip = FILES;
	in_child(0, user_looks, &s);
	in_child(CLONE_NEWPID, inside_looks, &s);
	/* What depends on the caller only by its place in the tree. */
	s.skip = FILES | INFO | HANDLES | XATTRS;
	in_child(0, brother_looks, &s);
	in_child(0, jailed_looks, &s);
}

static void call_from_elsewhere(void)
{
	struct kid kid = spawn(0);

	let_callers_look("child", &kid, 0);
	tell(&kid, EXIT, 14);
	await_zombie(kid.pid);
	let_callers_look("zombie", &kid, FILES);
	reap(kid.pid);
	let_callers_look("reaped", &kid, FILES);
	put(&kid);
	kid = spawn(0);
	do_or_bail_out(&kid, DUMPABLE, 0);
	let_callers_look("not dumpable", &kid, FILES);
	end(&kid);
	kid = spawn(0);
	do_or_bail_out(&kid, BECOME, NOBODY);
	do_or_bail_out(&kid, DUMPABLE, 1);
	let_callers_look("nobody's child", &kid, FILES);
	end(&kid);
}

/*
 * Making pidfds
 */
static void open_all_flags(const char *name, pid_t pid)
{
	static const unsigned int flags[] = {
		0, O_NONBLOCK, O_EXCL, O_NONBLOCK | O_EXCL,
		O_NONBLOCK | O_CLOEXEC, O_EXCL | O_TRUNC, ~0U,
	};

	subject = name;
	for (size_t i = 0; i < COUNT(flags); i++)
		show_fd(pidfd_open(pid, flags[i]), "pidfd_open flags %#x",
			flags[i]);
	for (int bit = 0; bit < 32; bit++)
		show_fd(pidfd_open(pid, 1U << bit), "pidfd_open bit %d", bit);
	subject = "none";
}

static void test_open(void)
{
	struct rlimit limit, none = { 0, 0 };
	struct kid kid = spawn(0);

	open_all_flags("self", getpid());
	open_all_flags("child", kid.pid);
	open_all_flags("thread", tell(&kid, THREAD, 0));
	kill(kid.pid, SIGKILL);
	await_zombie(kid.pid);
	open_all_flags("zombie", kid.pid);
	reap(kid.pid);
	open_all_flags("reaped", kid.pid);
	put(&kid);
	open_all_flags("pid 0", 0);
	open_all_flags("pid 1", 1);
	open_all_flags("pid 2", 2);
	open_all_flags("pid -1", -1);
	open_all_flags("pid INT_MIN", INT_MIN);
	open_all_flags("pid INT_MAX", INT_MAX);
	getrlimit(RLIMIT_NOFILE, &limit);
	none.rlim_max = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &none);
	show(pidfd_open(getpid(), 0), "pidfd_open without descriptors");
	show(pidfd_open(0, 0), "pidfd_open 0 without descriptors");
	show(ioctl(self_fd, GET_UTS, 0), "ioctl without descriptors");
	setrlimit(RLIMIT_NOFILE, &limit);
}

static const struct {
	const char *name;
	__u64 flags;
	int exit_signal;
} clones[] = {
	{ "no flags", 0, SIGCHLD },
	{ "CLONE_PIDFD", CLONE_PIDFD, SIGCHLD },
	{ "CLONE_PIDFD no signal", CLONE_PIDFD, 0 },
	{ "CLONE_PIDFD SIGUSR1", CLONE_PIDFD, SIGURG },
	{ "CLONE_PIDFD signal 65", CLONE_PIDFD, 65 },
	{ "CLONE_PIDFD|PARENT_SETTID", CLONE_PIDFD | CLONE_PARENT_SETTID,
	  SIGCHLD },
	{ "CLONE_PARENT_SETTID", CLONE_PARENT_SETTID, SIGCHLD },
	{ "CLONE_PIDFD|DETACHED", CLONE_PIDFD | CLONE_DETACHED, SIGCHLD },
	{ "CLONE_DETACHED", CLONE_DETACHED, SIGCHLD },
	{ "CLONE_PIDFD|THREAD", CLONE_PIDFD | CLONE_THREAD, 0 },
	{ "CLONE_PIDFD|SIGHAND", CLONE_PIDFD | CLONE_SIGHAND, 0 },
	{ "CLONE_PIDFD|FILES", CLONE_PIDFD | CLONE_FILES, SIGCHLD },
	{ "CLONE_PIDFD|NEWPID", CLONE_PIDFD | CLONE_NEWPID, SIGCHLD },
	{ "CLONE_PIDFD|NEWUSER", CLONE_PIDFD | CLONE_NEWUSER, SIGCHLD },
	{ "CLONE_PIDFD|NEWNS|FS", CLONE_PIDFD | CLONE_NEWNS | CLONE_FS,
	  SIGCHLD },
	{ "CLONE_PIDFD|NEWPID|PARENT_SETTID", CLONE_PIDFD | CLONE_NEWPID |
	  CLONE_PARENT_SETTID, SIGCHLD },
	{ "CLONE_PIDFD|CLEAR_SIGHAND", CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
	  SIGCHLD },
	{ "CLONE_PIDFD|INTO_CGROUP", CLONE_PIDFD | CLONE_INTO_CGROUP, SIGCHLD },
	{ "CLONE_AUTOREAP", CLONE_AUTOREAP, 0 },
	{ "CLONE_AUTOREAP SIGCHLD", CLONE_AUTOREAP, SIGCHLD },
	{ "CLONE_PIDFD|AUTOREAP", CLONE_PIDFD | CLONE_AUTOREAP, 0 },
	{ "CLONE_PIDFD|AUTOREAP SIGCHLD", CLONE_PIDFD | CLONE_AUTOREAP,
	  SIGCHLD },
	{ "CLONE_PIDFD|AUTOREAP|PARENT", CLONE_PIDFD | CLONE_AUTOREAP |
	  CLONE_PARENT, 0 },
	{ "CLONE_PIDFD|AUTOREAP|THREAD", CLONE_PIDFD | CLONE_AUTOREAP |
	  CLONE_THREAD, 0 },
	{ "CLONE_PIDFD_AUTOKILL", CLONE_PIDFD_AUTOKILL, 0 },
	{ "CLONE_PIDFD_AUTOKILL|AUTOREAP", CLONE_PIDFD_AUTOKILL |
	  CLONE_AUTOREAP, 0 },
	{ "CLONE_PIDFD|AUTOKILL", CLONE_PIDFD | CLONE_PIDFD_AUTOKILL, SIGCHLD },
	{ "CLONE_PIDFD|AUTOKILL|AUTOREAP", CLONE_PIDFD | CLONE_PIDFD_AUTOKILL |
	  CLONE_AUTOREAP, 0 },
	{ "CLONE_PIDFD|AUTOKILL|AUTOREAP|NNP", CLONE_PIDFD |
	  CLONE_PIDFD_AUTOKILL | CLONE_AUTOREAP | CLONE_NNP, 0 },
	{ "CLONE_PIDFD|AUTOKILL|AUTOREAP|THREAD", CLONE_PIDFD | CLONE_THREAD |
	  CLONE_PIDFD_AUTOKILL | CLONE_AUTOREAP | CLONE_NNP, 0 },
	{ "CLONE_PIDFD|1 << 40", CLONE_PIDFD | 1ULL << 40, SIGCHLD },
	{ "CLONE_PIDFD|1 << 63", CLONE_PIDFD | 1ULL << 63, SIGCHLD },
};

/* What became of a number that the kernel may have stored a pidfd in. */
static void note_pidfd(const char *name, int fd, pid_t pid)
{
	if (fd == -77) {
		note(" %s untouched", name);
	} else if (fd >= 0 && fd == pid) {
		note(" %s pid", name);
	} else if (fd >= 0 && fcntl(fd, F_GETFD) >= 0) {
		note(" %s fl=%#x fd=%d", name, fcntl(fd, F_GETFL),
		     fcntl(fd, F_GETFD));
		await_gone(fd);
		close(fd);
		note(" %s", fd == lowest_free() ? "lowest" : "not lowest");
	} else {
		note(" %s %s", name, fd < 0 ? "negative" : "stale");
	}
}

/* The child ends at once; whoever is not reaped by itself is. */
static long end_clone(long pid)
{
	int error = errno;

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid(pid, NULL, __WALL);
	errno = error;
	return pid > 0 ? 0 : pid;
}

static void one_clone3(const char *name, struct clone_args *args, size_t size,
		       const int *pidfd, const int *tid)
{
	long pid = sys_clone3(args, size), result = end_clone(pid);
	int error = errno;

	note_pidfd("pidfd", *pidfd, pid);
	note_pidfd("tid", *tid, pid);
	errno = error;
	show(result, "clone3 %s", name);
}

static void all_clone3(void)
{
	for (size_t i = 0; i < COUNT(clones); i++) {
		int pidfd = -77, tid = -77;
		struct clone_args args = {
			.flags = clones[i].flags,
			.pidfd = (uintptr_t)&pidfd,
			.parent_tid = (uintptr_t)&tid,
			.exit_signal = clones[i].exit_signal,
			.cgroup = clones[i].flags & CLONE_INTO_CGROUP ?
				  self_fd : 0,
		};

		one_clone3(clones[i].name, &args, sizeof(args), &pidfd, &tid);
	}
}

static long sys_clone(unsigned long flags, void *parent_tid)
{
	fflush(stdout);
	return syscall(__NR_clone, flags, NULL, parent_tid, NULL, NULL);
}

static void all_clone(void)
{
	for (size_t i = 0; i < COUNT(clones); i++) {
		int pidfd = -77, error;
		long pid, result;

		/* A long word's upper half is no flags there. */
		if (clones[i].flags >> 32)
			continue;
		pid = sys_clone(clones[i].flags | clones[i].exit_signal,
				&pidfd);
		result = end_clone(pid);
		error = errno;
		note_pidfd("pidfd", pidfd, pid);
		errno = error;
		show(result, "clone %s", clones[i].name);
	}
}

static void test_clone_pointers(void)
{
	void *pointers[] = { NULL, BAD, (void *)-1L, (void *)LONG_MIN };
	size_t sizes[] = { 0, 8, 63, 64, 72, 80, 88, 96, 4096, 4097, };
	void *text = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	struct clone_args *args = (void *)page;
	int pidfd = -77;

	for (int i = 0; i < 5; i++) {
		void *p = i < 4 ? pointers[i] : text;

		*args = (struct clone_args) {
			.flags = CLONE_PIDFD,
			.pidfd = (uintptr_t)p,
			.exit_signal = SIGCHLD,
		};
		show(end_clone(sys_clone3(args, 88)), "clone3 pointer %d", i);
		show(end_clone(sys_clone(CLONE_PIDFD | SIGCHLD, p)),
		     "clone pointer %d", i);
		show(lowest_free() - self_fd > 0, "descriptors are sane");
	}
	munmap(text, 4096);
	for (size_t i = 0; i < COUNT(sizes); i++) {
		memset(page, 0, sizeof(page));
		args->flags = CLONE_PIDFD;
		args->pidfd = (uintptr_t)&pidfd;
		args->exit_signal = SIGCHLD;
		pidfd = -77;
		one_clone3("size", args, sizes[i], &pidfd, &(int) { -77 });
	}
	page[100] = 1;
	pidfd = -77;
	one_clone3("unknown tail", args, 104, &pidfd, &(int) { -77 });
	memset(page, 0, sizeof(page));
	args->flags = CLONE_PIDFD | CLONE_PARENT_SETTID;
	args->pidfd = (uintptr_t)&pidfd;
	args->parent_tid = args->pidfd;
	args->exit_signal = SIGCHLD;
	show(end_clone(sys_clone3(args, 88)), "clone3 pidfd == parent_tid");
	memset(page, 0, sizeof(page));
}

static int thread_of_clone(void *arg)
{
	return 0;
}

/* Threads by clone(): the pidfd is one for the thread. */
static void test_clone_thread(void)
{
	static const int more[] = { 0, CLONE_DETACHED, CLONE_PARENT_SETTID };
	static char stack[65536] __attribute__((aligned(16)));
	const int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
			  CLONE_THREAD | CLONE_SYSVSEM | CLONE_PIDFD;

	for (int i = 0; i < 3; i++) {
		struct subject s = { "cloned thread", -77, 0, getpid(), FILES };

		s.pid = clone(thread_of_clone, stack + sizeof(stack),
			      flags | more[i], NULL, &s.fd);
		show(s.pid < 0 ? -1 : 0, "clone thread flags %#x", more[i]);
		if (s.pid < 0)
			continue;
		await_gone(s.fd);
		look_at(&s);
		show_fd(s.fd, "clone thread");
	}
}

static void test_clone_limits(void)
{
	struct rlimit limit, none = { 0, 0 };
	int pidfd = -77;

	getrlimit(RLIMIT_NOFILE, &limit);
	none.rlim_max = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &none);
	show(end_clone(sys_clone(CLONE_PIDFD | SIGCHLD, &pidfd)),
	     "clone without descriptors");
	show(pidfd, "clone's pidfd");
	setrlimit(RLIMIT_NOFILE, &limit);
}

/*
 * Sockets
 */
static void show_option(int sock, const char *name)
{
	static const socklen_t sizes[] = { 0, 3, 4, 8, };

	for (size_t i = 0; i < 4; i++) {
		int fds[2] = { -77, -77 }, error;
		socklen_t len = sizes[i];
		int result;

		result = getsockopt(sock, SOL_SOCKET, SO_PEERPIDFD, fds, &len);
		error = errno;
		note(" len=%u%s", len, fds[1] == -77 ? "" : " too much");
		if (result || len < 4)
			note(fds[0] == -77 ? " untouched" : " touched");
		errno = error;
		show_fd(result ? -1 : len < 4 ? -1 : fds[0],
			"%s SO_PEERPIDFD size %u", name, sizes[i]);
	}
	show(getsockopt(sock, SOL_SOCKET, SO_PEERPIDFD, BAD,
			&(socklen_t) { 4 }), "%s SO_PEERPIDFD bad value", name);
	show(getsockopt(sock, SOL_SOCKET, SO_PEERPIDFD, page, BAD),
	     "%s SO_PEERPIDFD bad size", name);
	show(setsockopt(sock, SOL_SOCKET, SO_PEERPIDFD, page, 4),
	     "%s setsockopt SO_PEERPIDFD", name);
}

static void look_at_peer(int sock, pid_t pid, const char *name)
{
	struct subject s = { name, -77, pid, pid, FILES };
	socklen_t len = sizeof(s.fd);

	show_option(sock, name);
	if (getsockopt(sock, SOL_SOCKET, SO_PEERPIDFD, &s.fd, &len)) {
		show(-1, "%s SO_PEERPIDFD", name);
		return;
	}
	look_at(&s);
	close(s.fd);
}

static void say_hello(int sock)
{
	if (send(sock, "hello", 5, MSG_NOSIGNAL) != 5)
		_exit(255);
}

/* Receives a byte of a message and, as the option asks, its sender's pidfd. */
static int receive(int sock)
{
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { page, 5 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *head;
	ssize_t n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	int fd = -1;

	head = CMSG_FIRSTHDR(&msg);
	note(" flags=%#x", msg.msg_flags & ~MSG_CMSG_CLOEXEC);
	if (n > 0 && head) {
		note(" type=%d len=%zu", head->cmsg_type, head->cmsg_len);
		memcpy(&fd, CMSG_DATA(head), sizeof(fd));
		note(" fd=%d", fcntl(fd, F_GETFD));
	}
	show(n, "recvmsg");
	return fd;
}

/* A peer that no one ever had a pidfd of. */
static pid_t start_peer(const struct sockaddr_un *addr, int *ctl)
{
	char byte;
	int pipe[2];
	pid_t pid;

	fflush(stdout);
	if (pipe2(pipe, O_CLOEXEC))
		bail_out("pipe2");
	pid = fork();
	if (pid < 0)
		bail_out("fork");
	if (pid == 0) {
		int sock = socket(AF_UNIX, SOCK_STREAM, 0);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pipe[1]);
		if (connect(sock, (const void *)addr, sizeof(*addr)))
			_exit(255);
		/* What a message carries depends on who is there already. */
		if (read(pipe[0], &byte, 1) < 0)
			_exit(255);
		say_hello(sock);
		say_hello(sock);
		while (read(pipe[0], &byte, 1) > 0)
			;
		_exit(3);
	}
	close(pipe[0]);
	*ctl = pipe[1];
	return pid;
}

static void peer_through_life(int listener, const struct sockaddr_un *addr)
{
	struct subject s = { "SCM_PIDFD", -1, 0, 0, FILES };
	int ctl, sock, on = 1, bytes = 0;

	s.pid = start_peer(addr, &ctl);
	s.tgid = s.pid;
	sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	show(setsockopt(sock, SOL_SOCKET, SO_PASSPIDFD, &on, sizeof(on)),
	     "SO_PASSPIDFD");
	/* Both messages must be there before anyone looks. */
	if (write(ctl, "", 1) != 1)
		bail_out("a peer does not listen");
	for (int i = 0; bytes < 10; i++) {
		if (i == 10000 || ioctl(sock, FIONREAD, &bytes))
			bail_out("a peer does not speak");
		usleep(1000);
	}
	look_at_peer(sock, s.pid, "peer");
	s.fd = receive(sock);
	look_at(&s);
	close(s.fd);
	close(ctl);
	await_zombie(s.pid);
	look_at_peer(sock, s.pid, "zombie peer");
	reap(s.pid);
	look_at_peer(sock, s.pid, "reaped peer");
	s.name = "SCM_PIDFD, stale";
	s.fd = receive(sock);
	look_at(&s);
	close(s.fd);
	close(sock);
}

/* The first pidfd of the peer is one of a process that is gone. */
static void stale_peers(int listener, const struct sockaddr_un *addr)
{
	struct subject s = { "SCM_PIDFD, always stale", -1, 0, 0, FILES };
	int ctl, sock, on = 1;

	s.pid = start_peer(addr, &ctl);
	s.tgid = s.pid;
	close(ctl);
	reap(s.pid);
	sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	look_at_peer(sock, s.pid, "always stale peer");
	show(setsockopt(sock, SOL_SOCKET, SO_PASSPIDFD, &on, sizeof(on)),
	     "SO_PASSPIDFD");
	s.fd = receive(sock);
	look_at(&s);
	close(s.fd);
	close(sock);
}

static void test_sockets(void)
{
	struct sockaddr_un addr = { AF_UNIX, "socket" };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1, pair[2], sock;

	show_option(listener, "new socket");
	if (bind(listener, (void *)&addr, sizeof(addr)) || listen(listener, 5))
		bail_out("listen");
	show_option(listener, "listener");
	peer_through_life(listener, &addr);
	stale_peers(listener, &addr);
	close(listener);
	for (int type = SOCK_STREAM; type <= SOCK_SEQPACKET; type++) {
		if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair))
			continue;
		show_option(pair[0], "socketpair");
		show(setsockopt(pair[1], SOL_SOCKET, SO_PASSPIDFD, &on, 4),
		     "SO_PASSPIDFD");
		say_hello(pair[0]);
		show_fd(receive(pair[1]), "SCM_PIDFD of self");
		close(pair[0]);
		close(pair[1]);
	}
	sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	show_option(sock, "AF_INET");
	show(setsockopt(sock, SOL_SOCKET, SO_PASSPIDFD, &on, 4),
	     "AF_INET SO_PASSPIDFD");
	close(sock);
	unlink("socket");
}

/*
 * A core dump that goes to a socket is noted in what a pidfd tells.
 */
#define CORE_BYTES (1 << 20)

static void use_core_pattern(const void *pattern)
{
	int init = pidfd_open(1, 0), fd, result;

	/* A socket is accepted only from the first mount namespace. */
	show(setns(init, CLONE_NEWNS), "setns to init");
	fd = open("/proc/sys/kernel/core_pattern", O_WRONLY | O_CLOEXEC);
	result = write(fd, pattern, strlen(pattern));
	show(result < 0 ? -1 : 0, "write to core_pattern");
}

static void dump_to_socket(int listener, int sig, int dumpable)
{
	const unsigned int skip = FILES | HANDLES | XATTRS | SETNS;
	struct kid kid = spawn(0);
	struct subject peer = { "dumping peer", -1, kid.pid, kid.pid, skip };
	socklen_t len = sizeof(peer.fd);
	struct pollfd pfd = { .fd = listener, .events = POLLIN };
	size_t size = 0;
	ssize_t n;
	int sock;

	/* Sizes above 1 do not matter to a socket. */
	do_or_bail_out(&kid, CORE_LIMIT, 1 << 24);
	/* More than the socket takes: so it is dumping until all has been read. */
	do_or_bail_out(&kid, CORE_SIZE, CORE_BYTES);
	do_or_bail_out(&kid, DUMPABLE, dumpable);
	tell(&kid, RAISE, sig);
	if (dumpable && poll(&pfd, 1, 5000) == 1) {
		sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		show(getsockopt(sock, SOL_SOCKET, SO_PEERPIDFD, &peer.fd, &len),
		     "SO_PEERPIDFD of core dump");
		look_at(&peer);
		look_at_kid("dumping", &kid, skip);
		close(peer.fd);
		while ((n = read(sock, page, sizeof(page))) > 0)
			size += n;
		show(size > CORE_BYTES, "the core dump is complete");
		close(sock);
	}
	await_zombie(kid.pid);
	look_at_kid("dumped, zombie", &kid, skip);
	reap(kid.pid);
	look_at_kid("dumped, reaped", &kid, skip);
	put(&kid);
}

static void test_core_socket(void)
{
	struct sockaddr_un addr = { AF_UNIX };
	char old[256] = "", pattern[128];
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	FILE *file = fopen("/proc/sys/kernel/core_pattern", "r");

	if (!file || !fgets(old, sizeof(old), file))
		bail_out("core_pattern");
	fclose(file);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/core", tmpdir);
	snprintf(pattern, sizeof(pattern), "@%s/core", tmpdir);
	if (bind(listener, (void *)&addr, sizeof(addr)) || listen(listener, 5))
		bail_out("listen for core dumps");
	in_child(0, use_core_pattern, pattern);
	dump_to_socket(listener, SIGSEGV, 1);
	dump_to_socket(listener, SIGABRT, 1);
	dump_to_socket(listener, SIGQUIT, 0);
	in_child(0, use_core_pattern, old);
	close(listener);
	unlink("core");
}

/*
 * fanotify reports who did it with a pidfd.
 */
static void opens_watched(const void *arg)
{
	close(open("place", O_RDONLY));
}

static void read_event(int group, pid_t pid, const char *name)
{
	struct {
		struct fanotify_event_metadata meta;
		struct {
			__u8 type, pad;
			__u16 len;
			__s32 fd;
		} info;
	} event = {};
	ssize_t n = read(group, &event, sizeof(event));

	note(" mask=%#llx pid=%s type=%u len=%u", event.meta.mask,
	     event.meta.pid == pid ? "self" : event.meta.pid ? "other" : "0",
	     event.info.type, event.info.len);
	if (event.info.fd < 0)
		note(" pidfd=%d", event.info.fd);
	show(n, "read of event by %s", name);
	if (n <= 0)
		return;
	close(event.meta.fd);
	if (event.info.fd >= 0) {
		struct subject s = { name, event.info.fd, event.meta.pid,
				     getpid(), FILES };

		look_at(&s);
		show_fd(event.info.fd, "fanotify pidfd by %s", name);
	}
}

static void test_fanotify(void)
{
	static const unsigned int flags[] = { 0, 0x100, 0x2000, 0x2100 };

	for (size_t i = 0; i < COUNT(flags); i++) {
		int group = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC |
					  FAN_NONBLOCK | FAN_WITH_PIDFD |
					  flags[i], O_RDONLY | O_CLOEXEC);

		show(group < 0 ? -1 : 0, "fanotify_init flags %#x", flags[i]);
		if (group < 0)
			continue;
		show(fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD,
				   "place"), "fanotify_mark");
		opens_watched(NULL);
		read_event(group, getpid(), "self");
		in_child(0, opens_watched, NULL);
		read_event(group, getpid(), "gone child");
		close(group);
	}
}

/*
 * Special things
 */
static void sentinels(void)
{
	static const int fds[] = { SELF_THREAD, SELF_PROCESS, ROOT_OF_PIDFS,
				   -10003, -10009, -1, 0, 999, };
	struct iovec iov = { page, sizeof(page) };
	siginfo_t info;
	struct stat st;

	for (size_t i = 0; i < COUNT(fds); i++) {
		int fd = fds[i];

		show(send_signal(fd, 0, NULL, 0), "pidfd_send_signal %d", fd);
		show(syscall(__NR_process_madvise, fd, &iov, 1, MADV_COLD, 0),
		     "process_madvise %d", fd);
		show(syscall(__NR_process_mrelease, fd, 0),
		     "process_mrelease %d", fd);
		show(waitid(P_PIDFD, fd, &info, WEXITED | WNOHANG),
		     "waitid %d", fd);
		show_fd(syscall(__NR_pidfd_getfd, fd, self_fd, 0),
			"pidfd_getfd %d", fd);
		/* Where 0 is a file, these depend on which one. */
		if (fd == 0)
			continue;
		show(ioctl(fd, GET_UTS, 0), "ioctl %d", fd);
		show(setns(fd, CLONE_NEWUTS), "setns %d", fd);
		show(fstat(fd, &st), "fstat %d", fd);
		show_fd(openat(fd, ".", O_PATH), "openat . %d", fd);
		show_fd(openat(fd, "1", O_RDWR), "openat 1 %d", fd);
		show(fstatat(fd, "", &st, AT_EMPTY_PATH), "fstatat %d", fd);
		show_fd(syscall(__NR_open_tree, fd, "", AT_EMPTY_PATH),
			"open_tree %d", fd);
	}
}

/* What is not kept by the file but by the process. */
static void keeps(void)
{
	struct kid a = spawn(0), b = spawn(0);
	struct handle h;
	char value[8];
	int fd;

	show(fsetxattr(a.fd, "trusted.k", "kept", 4, 0), "fsetxattr");
	show(fgetxattr(b.fd, "trusted.k", value, 8), "fgetxattr of another");
	handle_of(a.fd, &h);
	close(a.fd);
	a.fd = open_by_handle_at(ROOT_OF_PIDFS, &h.head, O_RDWR);
	show(fgetxattr(a.fd, "trusted.k", value, 8), "fgetxattr by handle");
	close(a.fd);
	a.fd = pidfd_open(a.pid, 0);
	show(fgetxattr(a.fd, "trusted.k", value, 8), "fgetxattr reopened");
	fd = pidfd_open(a.pid, THREAD_FLAG);
	show(fgetxattr(fd, "trusted.k", value, 8), "fgetxattr by thread pidfd");
	show(fsetxattr(fd, "trusted.t", "kept", 4, 0), "fsetxattr by thread");
	close(fd);
	note_list(a.fd);
	show(0, "flistxattr");
	tell(&a, EXIT, 0);
	await_zombie(a.pid);
	close(a.fd);
	a.fd = pidfd_open(a.pid, 0);
	note_list(a.fd);
	show(0, "flistxattr of zombie");
	reap(a.pid);
	note_list(a.fd);
	show(0, "flistxattr of reaped");
	show(fsetxattr(a.fd, "trusted.r", "late", 4, 0), "fsetxattr of reaped");
	close(a.fd);
	show_fd(open_by_handle_at(ROOT_OF_PIDFS, &h.head, O_RDWR),
		"open_by_handle_at of reaped, closed");
	close(a.ctl);
	end(&b);
}

/* The number in the handle of @fd. */
static __u64 id_of(int fd)
{
	struct handle h;
	__u64 id = 0;

	if (handle_of(fd, &h))
		memcpy(&id, h.bytes, sizeof(id));
	return id;
}

/* Numbers are handed out in order, so that of a brother can be guessed. */
static void never_seen(void)
{
	struct kid before, after;
	struct handle h = {};
	__u64 id = 0;
	cpu_set_t one;
	pid_t pid;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	for (int i = 0; i < 200 && !id; i++) {
		before = spawn(0);
		fflush(stdout);
		pid = fork();
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			pause();
			_exit(0);
		}
		after = spawn(0);
		handle_of(after.fd, &h);
		id = (id_of(before.fd) + id_of(after.fd)) / 2;
		if (id_of(after.fd) - id_of(before.fd) != 2)
			id = 0;
		memcpy(h.bytes, &id, sizeof(id));
		if (id) {
			show_fd(open_by_handle_at(ROOT_OF_PIDFS, &h.head, O_RDWR),
				"open_by_handle_at of one never seen");
			close(pidfd_open(pid, 0));
			show_fd(open_by_handle_at(ROOT_OF_PIDFS, &h.head, O_RDWR),
				"open_by_handle_at of one seen");
		}
		kill(pid, SIGKILL);
		reap(pid);
		end(&before);
		end(&after);
	}
	show(!!id, "a number could be guessed");
}

static void really_ends(void)
{
	struct kid kid = spawn(0);
	siginfo_t info = {};
	int fd;

	show(send_signal(kid.fd, SIGSTOP, NULL, 0), "SIGSTOP");
	show(waitid(P_PIDFD, kid.fd, &info, WSTOPPED), "waitid WSTOPPED");
	show(info.si_status, "si_status");
	show(send_signal(kid.fd, SIGCONT, NULL, 2), "SIGCONT to group");
	show(waitid(P_PIDFD, kid.fd, &info, WCONTINUED), "waitid WCONTINUED");
	fd = syscall(__NR_pidfd_getfd, kid.fd, self_fd, 0);
	show(fd < 0 ? -1 : syscall(__NR_kcmp, getpid(), getpid(), KCMP_FILE,
				   fd, self_fd), "kcmp of fetched pidfd");
	show_fd(fd, "pidfd_getfd of a pidfd");
	show(send_signal(kid.fd, SIGTERM, NULL, 1), "SIGTERM to thread");
	show(waitid(P_PIDFD, kid.fd, &info, WEXITED), "waitid WEXITED");
	show(info.si_pid == kid.pid, "si_pid");
	show(info.si_code, "si_code");
	show(waitid(P_PIDFD, kid.fd, &info, WEXITED), "waitid again");
	put(&kid);
}

/* A process dies while its memory is waited for: that must not fail. */
static void releases_memory(void)
{
	struct kid kid = spawn(0);

	kill(kid.pid, SIGSTOP);
	show(waitid(P_PIDFD, kid.fd, NULL, WSTOPPED | WNOWAIT), "waitid");
	show(syscall(__NR_process_mrelease, kid.fd, 0), "process_mrelease");
	end(&kid);
}

#ifdef __x86_64__
/* A 32-bit call, as a program for i386 makes it. */
static long compat_ioctl(int fd, unsigned int cmd, unsigned int arg)
{
	long result;

	asm volatile("int $0x80"
		     : "=a" (result)
		     : "0" (54L), "b" ((long)fd), "c" ((long)cmd),
		       "d" ((long)arg)
		     : "memory", "r8", "r9", "r10", "r11");
	if (result >= 0)
		return result;
	errno = -result;
	return -1;
}

static void compat_calls(const struct subject *s, unsigned int low)
{
	static const struct {
		const char *name;
		unsigned int cmd;
	} cmds[] = {
		{ "FS_IOC32_GETVERSION", _IOR('v', 1, int) },
		{ "FS_IOC32_SETVERSION", _IOW('v', 2, int) },
		{ "FS_IOC_GETVERSION", FS_IOC_GETVERSION },
		{ "FS_IOC_SETVERSION", FS_IOC_SETVERSION },
		{ "FS_IOC32_GETFLAGS", _IOR('f', 1, int) },
		{ "FS_IOC_GETFLAGS", FS_IOC_GETFLAGS },
		{ "PIDFD_GET_INFO", _IOWR(PIDFS_IOCTL, INFO_NR, struct info) },
		{ "PIDFD_GET_INFO 64", _IOWR(PIDFS_IOCTL, INFO_NR, char[64]) },
		{ "PIDFD_GET_INFO 63", _IOWR(PIDFS_IOCTL, INFO_NR, char[63]) },
		{ "NS_GET_USERNS", _IO(0xb7, 1) },
		{ "unknown", _IO(PIDFS_IOCTL, 12) },
		{ "FIONREAD", FIONREAD },
		{ "FIGETBSZ", FIGETBSZ },
		{ "0", 0 },
		{ "~0", ~0U },
	};
	unsigned char *buf = (void *)(uintptr_t)low;
	long result;

	subject = s->name;
	for (size_t i = 0; i < COUNT(cmds); i++) {
		memset(buf, 0xa5, 128);
		memset(buf, 0, 8);
		buf[0] = 0xff;
		result = compat_ioctl(s->fd, cmds[i].cmd, low);
		note(" %02x%02x%02x%02x", buf[0], buf[1], buf[2], buf[3]);
		if (!result && i == 6)
			note(" pid=%s exit=%#x", who(((__s32 *)buf)[4], s),
			     ((__s32 *)buf)[15]);
		show(result, "compat %s", cmds[i].name);
		show(compat_ioctl(s->fd, cmds[i].cmd, 0), "compat %s NULL",
		     cmds[i].name);
		show(compat_ioctl(s->fd, cmds[i].cmd, -1), "compat %s -1",
		     cmds[i].name);
	}
	for (unsigned int nr = 1; nr < 11; nr++) {
		show_fd(compat_ioctl(s->fd, _IO(PIDFS_IOCTL, nr), 0),
			"compat namespace %u", nr);
		show(compat_ioctl(s->fd, _IO(PIDFS_IOCTL, nr), 1),
		     "compat namespace %u arg 1", nr);
	}
	subject = "none";
}

static void test_compat(void)
{
	void *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	struct kid kid = spawn(0);
	struct subject s = { "child", kid.fd, kid.pid, kid.pid, 0 };

	if (low == MAP_FAILED)
		bail_out("mmap");
	compat_calls(&s, (uintptr_t)low);
	tell(&kid, EXIT, 1);
	await_zombie(kid.pid);
	s.name = "zombie";
	compat_calls(&s, (uintptr_t)low);
	reap(kid.pid);
	s.name = "reaped";
	compat_calls(&s, (uintptr_t)low);
	put(&kid);
	munmap(low, 4096);
}
#else
static void test_compat(void)
{
}
#endif

/*
 * Set-up
 */
static void find_own_cgroup(void)
{
	struct info info = { .mask = INFO_ALL };
	char line[PATH_MAX], path[PATH_MAX + 32];
	FILE *file = fopen("/proc/self/cgroup", "r");
	struct stat st = {};

	ioctl(self_fd, _IOWR(PIDFS_IOCTL, INFO_NR, struct info), &info);
	own_cgroup = info.cgroupid;
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "0::", 3))
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(path, sizeof(path), "/sys/fs/cgroup%s", line + 3);
		show(stat(path, &st), "stat of own cgroup");
		show(st.st_ino == own_cgroup, "its inode is the cgroup id");
	}
	if (file)
		fclose(file);
}

static void too_slow(int sig)
{
	static const char why[] = "Bail out! something hangs\n";

	(void)!write(STDOUT_FILENO, why, sizeof(why) - 1);
	_exit(1);
}

static void set_up(void)
{
	struct statx x = {};
	int fd;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGALRM, too_slow);
	alarm(500);
	bad_pointer = (void *)8;
	clock_gettime(CLOCK_REALTIME_COARSE, &started);
	if (!mkdtemp(tmpdir) || chmod(tmpdir, 0755) || chdir(tmpdir))
		bail_out("temporary folder");
	fd = open("place", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		bail_out("place");
	close(fd);
	if (unshare(CLONE_NEWNS) ||
	    syscall(__NR_mount, "none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		bail_out("mount namespace");
	self_fd = pidfd_open(getpid(), 0);
	if (self_fd < 0 || fstat(self_fd, &self_stat) ||
	    fstatfs(self_fd, &self_statfs) ||
	    statx(self_fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &x))
		bail_out("pidfd of self");
	self_mnt = x.stx_mnt_id;
	find_own_cgroup();
}

int main(int argc, char **argv)
{
	static void (*const tests[])(void) = {
		test_open, all_clone3, all_clone, test_clone_pointers,
		test_clone_limits, test_clone_thread, look_at_living,
		look_at_dead, look_at_crashes, look_at_threads, look_at_leader,
		look_at_exec, look_at_autoreaped, look_at_pid_namespace,
		look_at_cgroup, call_from_elsewhere, test_sockets,
		test_core_socket, test_fanotify, sentinels, keeps, never_seen, really_ends,
		releases_memory, test_compat,
	};

	/* A child that has executed this program goes on being one. */
	if (argc > 1)
		kid_main(atoi(argv[1]));
	set_up();
	for (size_t i = 0; i < COUNT(tests); i++)
		tests[i]();
	show(waitpid(-1, NULL, __WALL | WNOHANG), "waitpid at the end");
	unlink("place");
	if (chdir("/") || rmdir(tmpdir))
		bail_out("temporary folder");
	return 0;
}
