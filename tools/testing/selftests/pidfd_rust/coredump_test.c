// SPDX-License-Identifier: GPL-2.0
/* PIDFD_INFO_COREDUMP: the core dump in PIDFD_GET_INFO. */
#include <sys/resource.h>

#include "pidfs.h"
#include "rust_harness.h"

#define CORE_FILE "/tmp/pidfd_rust.core"
#define CORE_SOCKET "/tmp/pidfd_rust.sock"

/* Receives a core dump, and reads the information of the dumped process meanwhile. */
struct server {
	pthread_t thread;
	int listener;
	/* The error of that, or NO_CONNECTION. */
	int error;
	struct pidfd_info info;
};

#define NO_CONNECTION -1

static void *receives_core(void *arg)
{
	struct server *server = arg;
	int sock = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC), fd;
	char buf[4096];

	if (sock < 0)
		return NULL;
	server->error = ERROR_OF(fd = peer_pidfd(sock)) ?:
			ERROR_OF(get_info(fd, PIDFD_INFO_COREDUMP, &server->info));
	close(fd);
	while (read_nointr(sock, buf, sizeof(buf)) > 0)
		;
	close(sock);
	return NULL;
}

static int start_server(struct server *server)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = CORE_SOCKET };

	unlink(CORE_SOCKET);
	server->error = NO_CONNECTION;
	server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(server->listener, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(server->listener, 1))
		return -1;
	return pthread_create(&server->thread, NULL, receives_core, server);
}

/* Waits until the server has received the dump, if any. A second call does nothing. */
static void stop_server(struct server *server)
{
	if (server->listener < 0)
		return;
	shutdown(server->listener, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->listener);
	server->listener = -1;
	unlink(CORE_SOCKET);
}

FIXTURE(core)
{
	struct numbers before;
	struct peer peer;
	struct core old;
	struct server server;
};

FIXTURE_VARIANT(core)
{
	const char *pattern;
	/* The kernel fills in the record for a receiver of the dump only. */
	bool recorded;
	bool socket;
};

FIXTURE_VARIANT_ADD(core, to_a_file)
{
	.pattern = CORE_FILE,
};

FIXTURE_VARIANT_ADD(core, to_a_pipe)
{
	.pattern = "|/bin/cat",
};

FIXTURE_VARIANT_ADD(core, to_a_pipe_with_a_pidfd)
{
	.pattern = "|/bin/cat - %F",
	.recorded = true,
};

FIXTURE_VARIANT_ADD(core, to_a_socket)
{
	.pattern = "@" CORE_SOCKET,
	.recorded = true,
	.socket = true,
};

static long may_dump(long unused)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	return setrlimit(RLIMIT_CORE, &all);
}

FIXTURE_SETUP(core)
{
	rust_setup(_metadata, &self->before);
	ASSERT_EQ(0, set_core(&self->old, variant->pattern));
	/* Before the first thread starts: setuid() in the child would wait for it. */
	ASSERT_EQ(0, start_peer(&self->peer, CLONE_PIDFD));
	ASSERT_EQ(0, peer_does(&self->peer, may_dump, 0));
	if (variant->socket) {
		ASSERT_EQ(0, start_server(&self->server));
	}
}

FIXTURE_TEARDOWN(core)
{
	end_peer(&self->peer);
	put_core(&self->old);
	if (variant->socket)
		stop_server(&self->server);
	unlink(CORE_FILE);
	rust_teardown(_metadata, &self->before);
}

static long writes_to(long address)
{
	*(int *)address = 0;
	return 0;
}

static long raises(long sig)
{
	return raise(sig);
}

static long is_not_dumpable(long unused)
{
	return prctl(PR_SET_DUMPABLE, 0);
}

static long becomes_nobody(long unused)
{
	return setuid(NOBODY);
}

#define CORE_MASK (PIDFD_INFO_COREDUMP | PIDFD_INFO_COREDUMP_SIGNAL |	\
		   PIDFD_INFO_COREDUMP_CODE)

/* Checks what the pidfd of a zombie, or of a reaped process, reports. */
static void expect_core(struct __test_metadata *_metadata, int fd, bool recorded,
			unsigned int mask, int sig, int code)
{
	struct pidfd_info info;

	EXPECT_EQ(0, get_info(fd, PIDFD_INFO_EXIT | PIDFD_INFO_COREDUMP, &info));
	if (recorded) {
		EXPECT_EQ(CORE_MASK, info.mask & CORE_MASK);
		EXPECT_EQ(PIDFD_COREDUMPED | mask, info.coredump_mask);
		EXPECT_EQ(sig, info.coredump_signal);
		EXPECT_EQ(code, (int)info.coredump_code);
	} else if (info.mask & PIDFD_INFO_PID) {
		/* The way in which it would be dumped. */
		EXPECT_EQ(PIDFD_INFO_COREDUMP, info.mask & CORE_MASK);
		EXPECT_EQ(mask, info.coredump_mask);
		EXPECT_EQ(0, info.coredump_signal);
	} else {
		EXPECT_EQ(0, info.mask & CORE_MASK);
		EXPECT_EQ(0, info.coredump_mask);
	}
	if (!(info.mask & PIDFD_INFO_PID)) {
		EXPECT_EQ(sig | 0x80, info.exit_code);
	}
}

TEST_F(core, is_reported_with_signal_and_code)
{
	struct pidfd_info info;
	int fd = self->peer.pidfd;
	long created = rust_created();

	ASSERT_EQ(0, get_info(fd, PIDFD_INFO_COREDUMP, &info));
	EXPECT_EQ(PIDFD_INFO_COREDUMP, info.mask & CORE_MASK);
	EXPECT_EQ(PIDFD_COREDUMP_USER, info.coredump_mask);
	EXPECT_EQ(0, info.coredump_signal);

	EXPECT_EQ(PEER_DIED, peer_does(&self->peer, writes_to, 16));
	ASSERT_EQ(0, await_zombie(self->peer.pid));
	expect_core(_metadata, fd, variant->recorded, PIDFD_COREDUMP_USER, SIGSEGV,
		    SEGV_MAPERR);
	/* The server has to ask before the process is reaped. */
	if (variant->socket)
		stop_server(&self->server);
	await_peer(&self->peer);
	expect_core(_metadata, fd, variant->recorded, PIDFD_COREDUMP_USER, SIGSEGV,
		    SEGV_MAPERR);
	/* Rust made the pidfd of the receiver. */
	EXPECT_EQ(created + variant->recorded, rust_created());

	/* Only a caller that asks gets it. */
	EXPECT_EQ(0, get_info(fd, PIDFD_INFO_EXIT, &info));
	EXPECT_EQ(0, info.mask & CORE_MASK);
	EXPECT_EQ(0, info.coredump_mask);
	if (variant->socket) {
		EXPECT_EQ(0, self->server.error);
		EXPECT_EQ(CORE_MASK, self->server.info.mask & CORE_MASK);
		EXPECT_EQ(SIGSEGV, self->server.info.coredump_signal);
	}
}

TEST_F(core, is_reported_to_a_later_caller)
{
	int fd;

	close(self->peer.pidfd);
	self->peer.pidfd = -1;
	EXPECT_EQ(PEER_DIED, peer_does(&self->peer, raises, SIGABRT));
	await_peer(&self->peer);
	fd = peer_pidfd(self->peer.sock);
	expect_core(_metadata, fd, variant->recorded, PIDFD_COREDUMP_USER, SIGABRT,
		    SI_TKILL);
	close(fd);
}

TEST_F(core, is_skipped_by_a_process_that_is_not_dumpable)
{
	struct pidfd_info info;

	ASSERT_EQ(0, peer_does(&self->peer, is_not_dumpable, 0));
	ASSERT_EQ(0, get_info(self->peer.pidfd, PIDFD_INFO_COREDUMP, &info));
	EXPECT_EQ(PIDFD_INFO_COREDUMP, info.mask & CORE_MASK);
	EXPECT_EQ(PIDFD_COREDUMP_SKIP, info.coredump_mask);

	EXPECT_EQ(PEER_DIED, peer_does(&self->peer, raises, SIGABRT));
	await_peer(&self->peer);
	EXPECT_EQ(0, get_info(self->peer.pidfd,
			      PIDFD_INFO_EXIT | PIDFD_INFO_COREDUMP, &info));
	EXPECT_EQ(0, info.mask & CORE_MASK);
	EXPECT_EQ(SIGABRT, info.exit_code);
}

TEST_F(core, is_for_root_after_a_change_of_user)
{
	struct pidfd_info info;

	ASSERT_EQ(0, write_file(SUID_DUMPABLE, "2"));
	ASSERT_EQ(0, peer_does(&self->peer, becomes_nobody, 0));
	ASSERT_EQ(0, get_info(self->peer.pidfd, PIDFD_INFO_COREDUMP, &info));
	EXPECT_EQ(PIDFD_INFO_COREDUMP, info.mask & CORE_MASK);
	EXPECT_EQ(PIDFD_COREDUMP_ROOT, info.coredump_mask);

	EXPECT_EQ(PEER_DIED, peer_does(&self->peer, raises, SIGQUIT));
	await_peer(&self->peer);
	expect_core(_metadata, self->peer.pidfd, variant->recorded,
		    PIDFD_COREDUMP_ROOT, SIGQUIT, SI_TKILL);
}

TEST_F(core, is_not_reported_for_other_signals)
{
	struct pidfd_info info;

	EXPECT_EQ(0, sys_pidfd_send_signal(self->peer.pidfd, SIGKILL, NULL, 0));
	await_peer(&self->peer);
	EXPECT_EQ(0, get_info(self->peer.pidfd,
			      PIDFD_INFO_EXIT | PIDFD_INFO_COREDUMP, &info));
	EXPECT_EQ(PIDFD_INFO_EXIT | PIDFD_INFO_CGROUPID, info.mask);
	EXPECT_EQ(0, info.coredump_mask);
	EXPECT_EQ(SIGKILL, info.exit_code);
}

RUST_TEST_MAIN
