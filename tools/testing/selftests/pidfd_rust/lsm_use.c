// SPDX-License-Identifier: GPL-2.0
/* The calls of the subject on a pidfd. */
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/uio.h>

#include "lsm_use.h"

/* <linux/fs.h> and <sys/mount.h> do not go together. */
#ifndef FS_IOC_GETVERSION
#define FS_IOC_GETVERSION _IOR('v', 1, long)
#define FS_IOC_GETFLAGS _IOR('f', 1, long)
#endif

/* What say() prints: the roles, and how the subject got the pidfd. */
const char *subject, *object, *how;

void say(long result, const char *format, ...)
{
	int error = errno;
	va_list args;

	printf("%s > %s: %s: ", subject, object, how);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	if (result == -1)
		printf(" = -1 %s\n", error_name(error));
	else
		printf(" = %ld\n", result);
}

/* A child makes a call that changes the state of the process. */
static long in_child(int (*call)(int fd, long arg), int fd, long arg)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(call(fd, arg) ? errno : 0);
	errno = pid < 0 ? errno : wait_for_pid(pid);
	return errno ? -1 : 0;
}

/* Orders for the object. The order to receive or to send a pidfd uses this socket. */
static int boss = -1;
static char page[4096] __attribute__((aligned(4096)));

static long enters(long role)
{
	prctl(PR_SET_NAME, role_names[role]);
	return module->enter(role) ? -1 : 0;
}

long opens_its_pidfd(long unused)
{
	return sys_pidfd_open(getpid(), 0);
}

long sends(long fd)
{
	return send_fd(boss, fd);
}

long closes(long fd)
{
	return close(fd);
}

long opens_the_file(long unused)
{
	int fd = open(TMP_FILE, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	return close(fd);
}

int uts_namespace(int fd)
{
	return ioctl(fd, PIDFD_GET_UTS_NAMESPACE, 0);
}

/* Put the error of the call number @n into its byte of @errors. */
long with(long errors, int n, int error)
{
	return errors | (long)(error & 0xff) << (8 * n);
}

/* For a call that returns a descriptor. */
int error_of_fd(int fd)
{
	int error = errno;

	if (fd < 0)
		return error;
	close(fd);
	return 0;
}

static long receives(long unused)
{
	int fd = receive_fd(boss, SCM_RIGHTS);
	struct pidfd_info info;
	long errors = 0;

	if (fd == NO_MESSAGE)
		return -1;
	errors = with(errors, 0, ERROR_OF(get_info(fd, PIDFD_INFO_PID, &info)));
	errors = with(errors, 1, error_of_fd(uts_namespace(fd)));
	errors = with(errors, 2, ERROR_OF(sys_pidfd_send_signal(fd, SIGUSR1, NULL, 0)));
	errors = with(errors, 3, error_of_fd(reopen(fd, O_RDONLY)));
	close(fd);
	return errors;
}

/* Start a process and order it into its role. Its socket names it as the peer. */
void start_in(struct peer *p, enum role role)
{
	struct sockaddr_un addr;
	socklen_t len;
	int listener = listen_anywhere(&addr, &len);

	p->pidfd = -1;
	p->autoreap = false;
	fflush(stdout);
	p->pid = fork();
	if (p->pid == 0) {
		close(listener);
		boss = connect_to(&addr, len);
		follow_orders(boss);
	}
	p->sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
	if (p->pid < 0 || p->sock < 0 || peer_does(p, enters, role))
		bail_out("no process in its role");
}

/* Calls of the subject. */

static const struct {
	const char *name;
	unsigned int cmd;
} namespaces[] = {
	{ "CGROUP", PIDFD_GET_CGROUP_NAMESPACE },
	{ "IPC", PIDFD_GET_IPC_NAMESPACE },
	{ "MNT", PIDFD_GET_MNT_NAMESPACE },
	{ "NET", PIDFD_GET_NET_NAMESPACE },
	{ "PID", PIDFD_GET_PID_NAMESPACE },
	{ "PID_FOR_CHILDREN", PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE },
	{ "TIME", PIDFD_GET_TIME_NAMESPACE },
	{ "TIME_FOR_CHILDREN", PIDFD_GET_TIME_FOR_CHILDREN_NAMESPACE },
	{ "USER", PIDFD_GET_USER_NAMESPACE },
	{ "UTS", PIDFD_GET_UTS_NAMESPACE },
};

static const struct {
	const char *name;
	int flags;
} opens[] = {
	{ "O_RDONLY", O_RDONLY },
	{ "O_WRONLY", O_WRONLY },
	{ "O_RDWR", O_RDWR },
	{ "O_RDWR | O_APPEND", O_RDWR | O_APPEND },
	{ "O_PATH", O_PATH },
};

/* Each value is well-formed for its owner. */
static const struct {
	const char *name;
	const char *value;
	size_t size;
} attributes[] = {
	{ "trusted.lsm", "value", 5 },
	{ "user.lsm", "value", 5 },
	{ "security.selinux", "u:object_r:stuff_t", 19 },
	{ "security.SMACK64", "B", 1 },
	{ "security.SMACK64EXEC", "B", 1 },
	{ "security.SMACK64TRANSMUTE", "TRUE", 4 },
	{ "security.apparmor", "value", 5 },
	{ "security.ima", "\4\4abcdefghijklmnopqrstuvwxyzabcdef", 34 },
	{ "security.evm", "\2abcdefghijklmnopqrst", 21 },
	{ "security.capability", "\0\0\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20 },
	{ "security.other", "value", 5 },
	{ "system.posix_acl_access", "\2\0\0\0", 4 },
};

static int joins(int fd, long flags)
{
	return setns(fd, flags);
}

static int executes(int fd, long unused)
{
	char *const args[] = { "pidfd", NULL };

	return syscall(__NR_execveat, fd, "", args, NULL, AT_EMPTY_PATH);
}

static int mounts(int fd, long flags)
{
	int opened;

	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount_on(fd, TMP_FILE))
		return -1;
	opened = open(TMP_FILE, flags | O_CLOEXEC);
	if (opened < 0)
		return -1;
	close(opened);
	return 0;
}

static int maps(int fd)
{
	void *map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);

	return map == MAP_FAILED ? -1 : munmap(map, 4096);
}

static int watches(int fd)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN };
	int result = epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
	int error = errno;

	close(epoll);
	errno = error;
	return result;
}

static int notifies(int fd)
{
	int group = inotify_init1(IN_CLOEXEC), result, error;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	result = inotify_add_watch(group, path, IN_OPEN);
	error = errno;
	close(group);
	errno = error;
	return result < 0 ? -1 : 0;
}

static int locks(int fd, short type)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_len = 1 };

	return fcntl(fd, F_SETLK, &lock);
}

static void use_attributes(int fd)
{
	char value[256];

	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
		const char *name = attributes[i].name;

		say(fsetxattr(fd, name, attributes[i].value, attributes[i].size, 0),
		    "fsetxattr(%s)", name);
		say(fgetxattr(fd, name, value, sizeof(value)), "fgetxattr(%s)", name);
	}
	say(flistxattr(fd, value, sizeof(value)), "flistxattr()");
	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++)
		say(fremovexattr(fd, attributes[i].name), "fremovexattr(%s)",
		    attributes[i].name);
}

static void use_as_file(int fd)
{
	struct timespec times[2] = {};
	char path[64], value[64];
	struct stat st = {};
	struct statfs fs = {};
	struct statx stx;
	int version, result;

	result = fstat(fd, &st);
	say(result, "fstat(), mode %#o", st.st_mode);
	say(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx), "statx()");
	result = fstatfs(fd, &fs);
	say(result, "fstatfs(), type %#lx", (long)fs.f_type);
	say(fcntl(fd, F_GETFL), "fcntl(F_GETFL)");
	say(fcntl(fd, F_SETFL, O_NONBLOCK), "fcntl(F_SETFL, O_NONBLOCK)");
	say(fcntl(fd, F_SETFL, O_APPEND), "fcntl(F_SETFL, O_APPEND)");
	say(fcntl(fd, F_SETFL, 0), "fcntl(F_SETFL, 0)");
	say(fcntl(fd, F_SETOWN, getpid()), "fcntl(F_SETOWN)");
	say(fcntl(fd, F_SETSIG, SIGIO), "fcntl(F_SETSIG)");
	say(flock(fd, LOCK_SH | LOCK_NB), "flock(LOCK_SH)");
	say(flock(fd, LOCK_UN), "flock(LOCK_UN)");
	say(locks(fd, F_RDLCK), "fcntl(F_SETLK, F_RDLCK)");
	say(locks(fd, F_UNLCK), "fcntl(F_SETLK, F_UNLCK)");
	say(ready(fd), "poll()");
	say(watches(fd), "epoll_ctl(EPOLL_CTL_ADD)");
	say(notifies(fd), "inotify_add_watch()");
	say(read(fd, value, 1), "read()");
	say(write(fd, "", 1), "write()");
	say(maps(fd), "mmap()");
	say(ioctl(fd, FIONREAD, &version), "ioctl(FIONREAD)");
	say(ioctl(fd, FIONBIO, &(int){ 0 }), "ioctl(FIONBIO)");
	say(ioctl(fd, FIOCLEX), "ioctl(FIOCLEX)");
	say(ioctl(fd, FS_IOC_GETVERSION, &version), "ioctl(FS_IOC_GETVERSION)");
	say(ioctl(fd, FS_IOC_GETFLAGS, &version), "ioctl(FS_IOC_GETFLAGS)");
	say(ioctl(fd, _IO(PIDFS_IOCTL_MAGIC, 99)), "ioctl(an unknown command)");
	say(fchmod(fd, 0600), "fchmod()");
	say(fchown(fd, 1, 1), "fchown()");
	say(futimens(fd, times), "futimens()");
	say(ftruncate(fd, 0), "ftruncate()");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	say(readlink(path, value, sizeof(value)), "readlink()");
	for (size_t i = 0; i < ARRAY_SIZE(opens); i++)
		SAY_FD(reopen(fd, opens[i].flags), "open(/proc/self/fd, %s)",
		       opens[i].name);
	say(in_child(executes, fd, 0), "execveat()");
	say(in_child(mounts, fd, O_RDONLY), "open(mounted, O_RDONLY)");
	say(in_child(mounts, fd, O_RDWR), "open(mounted, O_RDWR)");
}

static void use_for_process(int fd, const struct peer *p)
{
	struct iovec memory = { .iov_base = page, .iov_len = sizeof(page) };
	static const int kinds[] = {
		CLONE_NEWUTS, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER,
	};
	struct pidfd_info info;
	char value[4096];
	int result;

	result = get_info(fd, PIDFD_INFO_CGROUPID, &info);
	say(result, "ioctl(PIDFD_GET_INFO)%s",
	    result ? "" : info.pid == p->pid ? ", its pid" : ", another pid");
	say(pidfd_fdinfo("/proc", fd, value, sizeof(value)) &&
	    pidfd_number(fd) == p->pid, "fdinfo has its pid");
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++)
		SAY_FD(ioctl(fd, namespaces[i].cmd, 0),
		       "ioctl(PIDFD_GET_%s_NAMESPACE)", namespaces[i].name);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		say(in_child(joins, fd, kinds[i]), "setns(%#x)", kinds[i]);
	say(sys_pidfd_send_signal(fd, 0, NULL, 0), "pidfd_send_signal(0)");
	say(sys_pidfd_send_signal(fd, SIGUSR1, NULL, 0), "pidfd_send_signal(SIGUSR1)");
	say(sys_pidfd_send_signal(fd, SIGCHLD, NULL, 0), "pidfd_send_signal(SIGCHLD)");
	SAY_FD(sys_pidfd_getfd(fd, STDERR_FILENO, 0), "pidfd_getfd(stderr)");
	say(syscall(__NR_process_madvise, fd, &memory, 1, MADV_COLD, 0),
	    "process_madvise()");
	say(syscall(__NR_process_mrelease, fd, 0), "process_mrelease()");
	say(sys_waitid(P_PIDFD, fd, NULL, WEXITED | WNOHANG), "waitid()");
}

/* Send the pidfd to the object, which uses it. */
static void pass_on(int fd, const struct peer *p)
{
	struct order order = { .run = receives };
	long result;

	if (write_nointr(p->sock, &order, sizeof(order)) != sizeof(order))
		bail_out("cannot tell what to do");
	say(send_fd(p->sock, fd), "sendmsg(SCM_RIGHTS)");
	if (read_nointr(p->sock, &result, sizeof(result)) != sizeof(result))
		bail_out("no answer");
	say(0, "the receiver: %s %#lx", result == -1 ? "has no descriptor" : "errors",
	    result == -1 ? 0 : result);
}

static void use_handle(int fd)
{
	struct handle h;

	say(handle_of(fd, &h), "name_to_handle_at()");
	SAY_FD(open_handle(&h, O_CLOEXEC), "open_by_handle_at(O_RDONLY)");
	SAY_FD(open_handle(&h, O_RDWR | O_CLOEXEC), "open_by_handle_at(O_RDWR)");
}

void use(int fd, const struct peer *p)
{
	use_as_file(fd);
	use_attributes(fd);
	use_handle(fd);
	use_for_process(fd, p);
	if (p->sock >= 0)
		pass_on(fd, p);
}

/* Use @fd in a few ways and close it. */
void use_a_little(int fd, const struct peer *p)
{
	struct pidfd_info info;
	char value[16];

	if (fd < 0)
		return;
	say(fcntl(fd, F_GETFL), "fcntl(F_GETFL)");
	say(get_info(fd, PIDFD_INFO_PID, &info), "ioctl(PIDFD_GET_INFO)");
	say(info.pid == p->pid, "it is of the process");
	SAY_FD(uts_namespace(fd), "ioctl(PIDFD_GET_UTS_NAMESPACE)");
	say(sys_pidfd_send_signal(fd, SIGUSR1, NULL, 0), "pidfd_send_signal(SIGUSR1)");
	SAY_FD(sys_pidfd_getfd(fd, STDERR_FILENO, 0), "pidfd_getfd(stderr)");
	SAY_FD(reopen(fd, O_RDONLY), "open(/proc/self/fd, O_RDONLY)");
	say(fgetxattr(fd, "trusted.lsm", value, sizeof(value)), "fgetxattr()");
	close(fd);
}
