// SPDX-License-Identifier: GPL-2.0
/*
 * lsm MODULE: make system calls around pidfds in each role that the policy of the
 * security module defines, and print one line for each result. lsm_test.sh loads the
 * policy and runs this by C and by Rust: the lines must be equal, except those that
 * begin with #.
 *
 * The role free may do everything. The roles a and b are confined in different ways.
 *
 * ROUNDS is how often an inode moves from one role to another.
 */
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
static const char *const role_names[] = { "free", "a", "b" };

static void __attribute__((noreturn)) bail_out(const char *why)
{
	printf("Bail out! %s: %s\n", why, strerror(errno));
	fflush(stdout);
	_exit(KSFT_FAIL);
}

static const char *error_name(int error)
{
	const char *name = strerrorname_np(error);

	return name ? name : "unknown error";
}

/* How a process enters a role, for each security module. */

static int enter_selinux(enum role role)
{
	static const char *const contexts[] = {
		"u:r:free_t", "u:r:a_t", "u:r:b_t",
	};

	return write_file(ATTR "current", contexts[role]);
}

/* Root keeps all other capabilities, so that only the module denies. */
static int drop_mac_capabilities(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];
	__u32 mac = CAP_TO_MASK(CAP_MAC_OVERRIDE) | CAP_TO_MASK(CAP_MAC_ADMIN);

	if (syscall(__NR_capget, &header, data))
		return -1;
	data[1].effective &= ~mac;
	data[1].permitted &= ~mac;
	data[1].inheritable &= ~mac;
	return syscall(__NR_capset, &header, data);
}

static int enter_smack(enum role role)
{
	static const char *const labels[] = { "Free", "A", "B" };

	if (write_file(ATTR "smack/current", labels[role]))
		return -1;
	return role == FREE ? 0 : drop_mac_capabilities();
}

static int enter_tomoyo(enum role role)
{
	static const char *const domains[] = {
		"<kernel> /pidfd/free", "<kernel> /pidfd/a", "<kernel> /pidfd/b",
	};

	return write_file(SECURITYFS "tomoyo/self_domain", domains[role]);
}

static int enter_apparmor(enum role role)
{
	static const char *const profiles[] = {
		NULL, "changeprofile pidfd-a", "changeprofile pidfd-b",
	};

	if (role == FREE)
		return 0;
	return write_file(ATTR "apparmor/current", profiles[role]);
}

/*
 * The domain of a restricts signals, that of b access to files. Neither allows to trace
 * a process outside of it.
 */
static int enter_landlock(enum role role)
{
	struct landlock_ruleset_attr attr = {
		.scoped = role == A ? LANDLOCK_SCOPE_SIGNAL : 0,
		.handled_access_fs = role == B ? LANDLOCK_ACCESS_FS_WRITE_FILE |
						 LANDLOCK_ACCESS_FS_IOCTL_DEV : 0,
	};
	int rules, result;

	if (role == FREE)
		return 0;
	rules = syscall(__NR_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (rules < 0)
		return -1;
	result = syscall(__NR_landlock_restrict_self, rules, 0);
	close(rules);
	return result;
}

/* The rules of the policy apply to groups. */
static int enter_ima(enum role role)
{
	static const gid_t groups[] = { 0, 1001, 1002 };

	return setresgid(groups[role], groups[role], groups[role]);
}

static const struct module {
	const char *name;
	int (*enter)(enum role role);
} modules[] = {
	{ "selinux", enter_selinux },
	{ "smack", enter_smack },
	{ "tomoyo", enter_tomoyo },
	{ "apparmor", enter_apparmor },
	{ "landlock", enter_landlock },
	{ "ima", enter_ima },
};

static const struct module *module;

/* Audit records have the name of the process. */
static void enter(enum role role)
{
	prctl(PR_SET_NAME, role_names[role]);
	if (module->enter(role))
		bail_out(role_names[role]);
}

/* What say() prints: the roles, and how the subject got the pidfd. */
static const char *subject, *object, *how;

static void __attribute__((format(printf, 2, 3)))
say(long result, const char *format, ...)
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

/* For a call that returns a descriptor. */
#define SAY_FD(call, ...) do {						\
	int _fd = (call);						\
									\
	say(_fd < 0 ? -1 : 0, __VA_ARGS__);				\
	if (_fd >= 0)							\
		close(_fd);						\
} while (0)

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
/* Audit records have this name, so it does not change from run to run. */
static const char tmp_file[] = "/tmp/lsm-file";

static long enters(long role)
{
	prctl(PR_SET_NAME, role_names[role]);
	return module->enter(role) ? -1 : 0;
}

static long opens_its_pidfd(long unused)
{
	return sys_pidfd_open(getpid(), 0);
}

static long sends(long fd)
{
	return send_fd(boss, fd);
}

static long closes(long fd)
{
	return close(fd);
}

static long opens_the_file(long unused)
{
	int fd = open(tmp_file, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	return close(fd);
}

static int uts_namespace(int fd)
{
	return ioctl(fd, PIDFD_GET_UTS_NAMESPACE, 0);
}

/* Put the error of the call number @n into its byte of @errors. */
static long with(long errors, int n, int error)
{
	return errors | (long)(error & 0xff) << (8 * n);
}

/* For a call that returns a descriptor. */
static int error_of_fd(int fd)
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
static void start_in(struct peer *p, enum role role)
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
	    mount_on(fd, tmp_file))
		return -1;
	opened = open(tmp_file, flags | O_CLOEXEC);
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

static void use(int fd, const struct peer *p)
{
	use_as_file(fd);
	use_attributes(fd);
	use_handle(fd);
	use_for_process(fd, p);
	if (p->sock >= 0)
		pass_on(fd, p);
}

/* Use @fd in a few ways and close it. */
static void use_a_little(int fd, const struct peer *p)
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

#define GET(fd, call, ...) do {						\
	(fd) = (call);							\
	say((fd) < 0 ? -1 : 0, __VA_ARGS__);				\
} while (0)

/* Receive a pidfd with an event of fanotify. */
static int pidfd_of_event(const struct peer *p)
{
	struct {
		struct fanotify_event_metadata event;
		struct fanotify_event_info_pidfd info;
	} got = {};
	int group, fd = -1, error;

	group = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK |
			      FAN_REPORT_PIDFD, O_RDONLY | O_CLOEXEC);
	if (group < 0)
		return -1;
	if (!fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, tmp_file) &&
	    !peer_does(p, opens_the_file, 0) &&
	    read(group, &got, sizeof(got)) == sizeof(got)) {
		close(got.event.fd);
		fd = got.info.pidfd;
	}
	error = errno;
	close(group);
	errno = error;
	/* FAN_NOPIDFD and FAN_EPIDFD are errors. */
	return fd < 0 ? -1 : fd;
}

/* Each way to open a pidfd of a process that has none open. */
static void use_of_nobody(const struct peer *p, const struct peer *victim)
{
	struct handle h;
	int fd;

	how = "own";
	GET(fd, sys_pidfd_open(p->pid, 0), "pidfd_open()");
	if (fd >= 0) {
		handle_of(fd, &h);
		use(fd, p);
		close(fd);
		how = "handle";
		GET(fd, open_handle(&h, O_CLOEXEC), "open_by_handle_at()");
		use_a_little(fd, p);
	}

	how = "thread";
	GET(fd, sys_pidfd_open(p->pid, PIDFD_THREAD), "pidfd_open(PIDFD_THREAD)");
	use_a_little(fd, p);

	how = "nonblock";
	GET(fd, sys_pidfd_open(p->pid, PIDFD_NONBLOCK), "pidfd_open(PIDFD_NONBLOCK)");
	use_a_little(fd, p);

	how = "peer";
	GET(fd, peer_pidfd(p->sock), "getsockopt(SO_PEERPIDFD)");
	use_a_little(fd, p);

	how = "message";
	GET(fd, sent_pidfd(p), "recvmsg(SCM_PIDFD)");
	use_a_little(fd, p);

	how = "event";
	GET(fd, pidfd_of_event(p), "read() of an event");
	use_a_little(fd, p);

	how = "victim";
	GET(fd, sys_pidfd_open(victim->pid, 0), "pidfd_open()");
	if (fd >= 0) {
		/* A stopped process would not follow orders. */
		say(sys_pidfd_send_signal(fd, SIGSTOP, NULL, 0), "pidfd_send_signal(SIGSTOP)");
		say(sys_pidfd_send_signal(fd, SIGCONT, NULL, 0), "pidfd_send_signal(SIGCONT)");
		say(sys_pidfd_send_signal(fd, SIGKILL, NULL, 0), "pidfd_send_signal(SIGKILL)");
		close(fd);
	}
}

static void use_of_gone(int fd, const struct handle *h)
{
	struct pidfd_info info;
	int result;

	say(ready(fd), "poll()");
	say(sys_pidfd_send_signal(fd, SIGUSR1, NULL, 0), "pidfd_send_signal(SIGUSR1)");
	result = get_info(fd, PIDFD_INFO_EXIT, &info);
	say(result, "ioctl(PIDFD_GET_INFO), mask %#llx", (unsigned long long)info.mask);
	SAY_FD(uts_namespace(fd), "ioctl(PIDFD_GET_UTS_NAMESPACE)");
	SAY_FD(reopen(fd, O_RDONLY), "open(/proc/self/fd, O_RDONLY)");
	SAY_FD(open_handle((struct handle *)h, O_CLOEXEC), "open_by_handle_at()");
	say(fsetxattr(fd, "trusted.lsm", "", 0, 0), "fsetxattr(trusted.lsm)");
	close(fd);
}

/* The child has the role of its parent. */
static void use_of_child(void)
{
	struct peer child = { .sock = -1 };
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.exit_signal = SIGCHLD,
	};
	struct handle h;
	int fd = -1, hold[2];
	char byte;

	how = "clone";
	if (pipe2(hold, O_CLOEXEC))
		bail_out("pipe2()");
	fflush(stdout);
	child.pid = sys_clone(CLONE_PIDFD | SIGCHLD, &fd);
	if (child.pid == 0) {
		close(hold[1]);
		_exit(read(hold[0], &byte, 1));
	}
	close(hold[0]);
	say(child.pid < 0 ? -1 : 0, "clone(CLONE_PIDFD)");
	if (child.pid > 0) {
		use(fd, &child);
		handle_of(fd, &h);
		how = "zombie";
		say(sys_pidfd_send_signal(fd, SIGKILL, NULL, 0), "pidfd_send_signal(SIGKILL)");
		/* Without the signal, it ends here. */
		close(hold[1]);
		await_zombie(child.pid);
		SAY_FD(sys_pidfd_open(child.pid, 0), "pidfd_open()");
		SAY_FD(uts_namespace(fd), "ioctl(PIDFD_GET_UTS_NAMESPACE)");
		SAY_FD(sys_pidfd_getfd(fd, STDERR_FILENO, 0), "pidfd_getfd(stderr)");
		say(sys_waitid(P_PIDFD, fd, NULL, WEXITED), "waitid()");
		waitpid(child.pid, NULL, 0);
		how = "reaped";
		use_of_gone(fd, &h);
	}

	how = "clone3";
	args.pidfd = ptr_to_u64(&fd);
	child.pid = syscall(__NR_clone3, &args, sizeof(args));
	if (child.pid == 0)
		_exit(7);
	say(child.pid < 0 ? -1 : 0, "clone3(CLONE_PIDFD)");
	if (child.pid > 0) {
		say(becomes_ready(fd, POLLIN), "poll()");
		say(sys_waitid(P_PIDFD, fd, NULL, WEXITED), "waitid()");
		waitpid(child.pid, NULL, 0);
		close(fd);
	}
}

/* Open a pidfd whose inode another process has made. */
static void use_of_held(const struct peer *p)
{
	int fd;

	GET(fd, sys_pidfd_open(p->pid, 0), "pidfd_open() while it is held");
	use_a_little(fd, p);
	SAY_FD(peer_pidfd(p->sock), "getsockopt(SO_PEERPIDFD) while it is held");
	SAY_FD(sent_pidfd(p), "recvmsg(SCM_PIDFD) while it is held");
}

static void use_of_given(const char *name, const struct peer *p, int given)
{
	if (given < 0)
		return;
	how = name;
	use(given, p);
	use_of_held(p);
}

/* The object sends the pidfd that it has opened of itself. */
static int send_me(const struct peer *p, long theirs)
{
	struct order order = { .run = sends, .arg = theirs };
	long result;
	int fd;

	if (write_nointr(p->sock, &order, sizeof(order)) != sizeof(order))
		bail_out("cannot tell what to do");
	fd = receive_fd(p->sock, SCM_RIGHTS);
	if (read_nointr(p->sock, &result, sizeof(result)) != sizeof(result))
		bail_out("no answer");
	return fd;
}

static void use_of_sent(const struct peer *p)
{
	long theirs;
	int fd, taken;

	how = "sent";
	theirs = peer_does(p, opens_its_pidfd, 0);
	say(theirs < 0 ? -1 : 0, "it opens its own");
	if (theirs < 0)
		return;
	fd = send_me(p, theirs);
	say(0, "recvmsg(SCM_RIGHTS): %s", fd == NO_MESSAGE ? "no descriptor" :
	    is_pidfd(fd) ? "a pidfd" : "another file");
	if (fd != NO_MESSAGE) {
		use(fd, p);
		close(fd);
	}
	use_of_held(p);
	/* The same pidfd once more, this time without its consent. */
	fd = sys_pidfd_open(p->pid, 0);
	if (fd >= 0) {
		GET(taken, sys_pidfd_getfd(fd, theirs, 0), "pidfd_getfd(its pidfd)");
		use_a_little(taken, p);
		close(fd);
	}
	peer_does(p, closes, theirs);
}

enum part { OF_NOBODY, OF_CHILD, OF_GIVEN, OF_SENT, OF_INHERITED, PARTS };

/* A new process makes the calls of one part. */
static void act(enum role role, const struct peer *p, const struct peer *victim,
		enum part part)
{
	long theirs = -1;
	int given = -1, status;
	pid_t pid;

	/* The actor inherits a pidfd that free, or the object, has opened. */
	if (part == OF_GIVEN) {
		given = sys_pidfd_open(p->pid, 0);
	} else if (part == OF_INHERITED) {
		theirs = peer_does(p, opens_its_pidfd, 0);
		if (theirs >= 0) {
			given = send_me(p, theirs);
			peer_does(p, closes, theirs);
		}
	}
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		enter(role);
		switch (part) {
		case OF_NOBODY:
			use_of_nobody(p, victim);
			break;
		case OF_CHILD:
			use_of_child();
			break;
		case OF_GIVEN:
			use_of_given("given", p, given);
			break;
		case OF_INHERITED:
			use_of_given("inherited", p, given);
			break;
		default:
			use_of_sent(p);
		}
		fflush(stdout);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		bail_out("nobody acts");
	if (status) {
		printf("Bail out! %s > %s: the actor ended with %#x\n", subject,
		       object, status);
		exit(KSFT_FAIL);
	}
	if (given >= 0)
		close(given);
}

static void act_on(enum role role, enum role other)
{
	struct peer p, victim;
	int status;

	subject = role_names[role];
	object = role_names[other];
	start_in(&p, other);
	start_in(&victim, other);
	for (enum part part = 0; part < PARTS; part++)
		act(role, &p, &victim, part);

	how = "victim";
	tell_peer(&victim, 3);
	waitpid(victim.pid, &status, 0);
	victim.pid = -1;
	say(0, "%s", WIFSIGNALED(status) ? "was killed" : "lived");
	end_peer(&victim);
	end_peer(&p);
}

/*
 * The last close of a pidfd may leave its inode to the next pidfd that is opened on the
 * same CPU: that of another process, opened in another role.
 */
struct visit {
	pid_t pid;
	int mode;
};

/* Shared with the actors. */
static struct visit *visit;

static long visits(long unused)
{
	int fd = sys_pidfd_open(visit->pid, 0), reader = -1, writer = -1;
	struct pidfd_info info;
	long errors = 0;
	struct handle h;

	if (fd < 0)
		return with(0, 0, errno);
	if (visit->mode & 1) {
		reader = reopen(fd, O_RDONLY);
		errors = with(errors, 1, reader < 0 ? errno : 0);
	}
	if (visit->mode & 2) {
		writer = reopen(fd, O_RDWR);
		errors = with(errors, 2, writer < 0 ? errno : 0);
	}
	if (visit->mode & 4) {
		errors = with(errors, 3, ERROR_OF(handle_of(fd, &h)));
		errors = with(errors, 4, error_of_fd(open_handle(&h, O_CLOEXEC)));
		errors = with(errors, 5, ERROR_OF(fgetxattr(fd, "security.SMACK64", NULL, 0)));
	}
	errors = with(errors, 6, ERROR_OF(get_info(fd, PIDFD_INFO_PID, &info)));
	errors = with(errors, 7, ERROR_OF(sys_pidfd_send_signal(fd, SIGUSR1, NULL, 0)));
	/* The last file is read-only: IMA resets its state when the last writer is gone. */
	close(fd);
	if (writer >= 0)
		close(writer);
	if (reader >= 0)
		close(reader);
	return errors;
}

/* The kprobe lsm_made of lsm_test.sh counts requests for new inodes. */
static long inodes_made(void)
{
	FILE *profile = fopen("/sys/kernel/tracing/kprobe_profile", "r");
	char name[64];
	long hits, made = -1;

	if (!profile)
		return -1;
	while (fscanf(profile, "%63s %ld %*d", name, &hits) == 2)
		if (!strcmp(name, "lsm_made"))
			made = hits;
	fclose(profile);
	return made;
}

#define OUTCOMES 256

static void move_inodes(void)
{
	static const struct {
		enum role first, second;
	} orders[] = { { A, B }, { B, A }, { FREE, A }, { A, FREE }, { B, FREE }, { FREE, B } };
	static struct {
		enum role first, second;
		int mode;
		long errors;
		int n;
	} outcomes[OUTCOMES];
	const char *text = getenv("ROUNDS");
	int rounds = text && *text ? atoi(text) : ROUNDS_BY_DEFAULT, n = 0;
	struct peer actor[ROLES], p, q;
	long made;

	visit = mmap(NULL, sizeof(*visit), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (visit == MAP_FAILED)
		bail_out("no memory to share");
	stay_on_cpu(0);
	start_in(&p, FREE);
	start_in(&q, FREE);
	for (enum role role = 0; role < ROLES; role++)
		start_in(&actor[role], role);

	made = inodes_made();
	for (int i = 0; i < 2 * rounds; i++) {
		int order = i / 2 % ARRAY_SIZE(orders), mode = i / 2 / ARRAY_SIZE(orders) % 8, j;
		enum role role = i % 2 ? orders[order].second : orders[order].first;
		long errors;

		visit->pid = i % 2 ? q.pid : p.pid;
		visit->mode = mode;
		errors = peer_does(&actor[role], visits, 0);
		for (j = 0; j < n; j++)
			if (outcomes[j].first == orders[order].first &&
			    outcomes[j].second == role && outcomes[j].mode == mode &&
			    outcomes[j].errors == errors)
				break;
		if (j == OUTCOMES)
			bail_out("too many outcomes");
		if (j == n) {
			outcomes[n].first = orders[order].first;
			outcomes[n].second = role;
			outcomes[n].mode = mode;
			outcomes[n].errors = errors;
			n++;
		}
		outcomes[j].n++;
	}
	for (int j = 0; j < n; j++) {
		bool first = outcomes[j].first == outcomes[j].second;

		printf("moved: %s%s%s: mode %d: errors %#lx, %d times\n",
		       role_names[outcomes[j].second], first ? "" : " after ",
		       first ? "" : role_names[outcomes[j].first], outcomes[j].mode,
		       outcomes[j].errors, outcomes[j].n);
	}
	if (made >= 0)
		printf("# %d first pidfds, %ld new inodes\n", 2 * rounds,
		       inodes_made() - made);

	for (enum role role = 0; role < ROLES; role++)
		end_peer(&actor[role]);
	end_peer(&p);
	end_peer(&q);
}

static const struct {
	enum role subject, object;
} acts[] = { { FREE, FREE }, { FREE, A }, { A, FREE }, { A, A }, { A, B }, { B, FREE }, { B, A } };

int main(int argc, char **argv)
{
	int fd;

	for (size_t i = 0; argc == 2 && i < ARRAY_SIZE(modules); i++)
		if (!strcmp(argv[1], modules[i].name))
			module = &modules[i];
	if (!module) {
		fprintf(stderr, "usage: lsm selinux|smack|tomoyo|apparmor|landlock|ima\n");
		return 2;
	}
	signal(SIGUSR1, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	fd = open(tmp_file, O_CREAT | O_RDWR | O_CLOEXEC, 0666);
	if (fd < 0)
		bail_out(tmp_file);
	/* All labels may read what is labelled so. */
	if (!strcmp(module->name, "smack"))
		fsetxattr(fd, "security.SMACK64", "_", 1, 0);
	close(fd);

	enter(FREE);
	for (size_t i = 0; i < ARRAY_SIZE(acts); i++)
		act_on(acts[i].subject, acts[i].object);
	move_inodes();
	unlink(tmp_file);
	return 0;
}
