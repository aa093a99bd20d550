// SPDX-License-Identifier: GPL-2.0
/*
 * lsm MODULE: make system calls around pidfds in each role that the policy of the
 * security module defines, and print one line for each result. lsm_test.sh loads the
 * policy and runs this with C pidfds and with Rust pidfds: the lines must be equal,
 * except those that begin with #.
 *
 * The role free may do everything. The roles a and b are confined in different ways.
 *
 * ROUNDS is how often an inode moves from one role to another.
 */
#include "lsm_use.h"

#define ROUNDS_BY_DEFAULT 300

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
	if (!fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, TMP_FILE) &&
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
		bail_out("no process acts");
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
	fd = open(TMP_FILE, O_CREAT | O_RDWR | O_CLOEXEC, 0666);
	if (fd < 0)
		bail_out(TMP_FILE);
	/* All labels may read what is labelled so. */
	if (!strcmp(module->name, "smack"))
		fsetxattr(fd, "security.SMACK64", "_", 1, 0);
	close(fd);

	enter(FREE);
	for (size_t i = 0; i < ARRAY_SIZE(acts); i++)
		act_on(acts[i].subject, acts[i].object);
	move_inodes();
	unlink(TMP_FILE);
	return 0;
}
