// SPDX-License-Identifier: GPL-2.0
/* Sockets, core dumps, and fanotify. */
#include "differ.h"

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

/* Receives a byte of a message, and a pidfd of its sender if the option is set. */
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

/* A peer that has never had a pidfd. */
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
		/* The content of a message depends on the registration of its sender. */
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
	/* Both messages must be in the queue before the first is received. */
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

/* The first pidfd of the peer is made after the reaping. */
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

void test_sockets(void)
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

/* A core dump that goes to a socket appears in PIDFD_GET_INFO. */

#define CORE_BYTES (1 << 20)

static void use_core_pattern(const void *pattern)
{
	int init = pidfd_open(1, 0), fd, result;

	/* The kernel accepts a socket only in the initial mount namespace. */
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
	/* More than the socket holds, so the dump lasts until all has been read. */
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

void test_core_socket(void)
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

/* fanotify reports a pidfd of the process that caused the event. */

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

void test_fanotify(void)
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
