// SPDX-License-Identifier: GPL-2.0
/*
 * A process is registered, exits and is queried, each while C or Rust serves. The result does not
 * depend on which of them served.
 */
#include <sys/resource.h>

#include "pidfd_module.h"
#include "pidfs.h"

/* A closed pidfd may take a moment to be released. */
#define UNLOAD() do {							\
	ASSERT_EQ(0, unload_busy_module()) {				\
		TH_LOG("cannot unload rust_pidfd: %s; %ld pidfds open",	\
		       strerror(errno), rust_open());			\
	}								\
	ASSERT_FALSE(rust_serves());					\
} while (0)

static void served_by(struct __test_metadata *_metadata, bool rust)
{
	if (rust && !rust_serves())
		LOAD();
	if (!rust && rust_serves())
		UNLOAD();
}

/* The implementation that serves at the registration, at the event, and at the query. */
FIXTURE(across)
{
	struct peer peer;
};

FIXTURE_VARIANT(across)
{
	bool known;
	bool happens;
	bool asked;
};

#define C false
#define RUST true

FIXTURE_VARIANT_ADD(across, c_c_c)
{
	.known = C,
	.happens = C,
	.asked = C,
};

FIXTURE_VARIANT_ADD(across, c_c_rust)
{
	.known = C,
	.happens = C,
	.asked = RUST,
};

FIXTURE_VARIANT_ADD(across, c_rust_c)
{
	.known = C,
	.happens = RUST,
	.asked = C,
};

FIXTURE_VARIANT_ADD(across, c_rust_rust)
{
	.known = C,
	.happens = RUST,
	.asked = RUST,
};

FIXTURE_VARIANT_ADD(across, rust_c_c)
{
	.known = RUST,
	.happens = C,
	.asked = C,
};

FIXTURE_VARIANT_ADD(across, rust_c_rust)
{
	.known = RUST,
	.happens = C,
	.asked = RUST,
};

FIXTURE_VARIANT_ADD(across, rust_rust_c)
{
	.known = RUST,
	.happens = RUST,
	.asked = C,
};

FIXTURE_VARIANT_ADD(across, rust_rust_rust)
{
	.known = RUST,
	.happens = RUST,
	.asked = RUST,
};

FIXTURE_SETUP(across)
{
	begin_without_module(_metadata);
	self->peer.pid = -1;
	self->peer.sock = -1;
	self->peer.pidfd = -1;
}

FIXTURE_TEARDOWN_PARENT(across)
{
	unload_left_behind(_metadata);
}

#define EXPECT_MADE_BY(rust, statement) do {				\
	long _old = rust_created();					\
									\
	statement;							\
	EXPECT_EQ((rust) ? _old + 1 : -1, rust_created());		\
} while (0)

/* The connection registers the process. */
TEST_F(across, exit_of_a_peer_is_reported)
{
	int fd;

	served_by(_metadata, variant->known);
	ASSERT_EQ(0, start_peer(&self->peer, 0));
	served_by(_metadata, variant->happens);
	reap_peer(&self->peer, 50);
	served_by(_metadata, variant->asked);
	EXPECT_MADE_BY(variant->asked, fd = peer_pidfd(self->peer.sock));
	EXPECT_GE(fd, 0);
	EXPECT_EQ(EXITED(50), exit_code_of(fd));
	EXPECT_EQ(POLLIN | POLLHUP, ready(fd));
	close(fd);

	/* The same by the other implementation. */
	served_by(_metadata, !variant->asked);
	EXPECT_MADE_BY(!variant->asked, fd = peer_pidfd(self->peer.sock));
	EXPECT_EQ(EXITED(50), exit_code_of(fd));
	close(fd);
	served_by(_metadata, C);
}

TEST_F(across, exit_of_an_auto_reaped_peer_is_reported)
{
	int fd;

	served_by(_metadata, variant->known);
	ASSERT_EQ(0, start_peer(&self->peer, CLONE_AUTOREAP));
	served_by(_metadata, variant->happens);
	reap_peer(&self->peer, 51);
	served_by(_metadata, variant->asked);
	EXPECT_MADE_BY(variant->asked, fd = peer_pidfd(self->peer.sock));
	EXPECT_EQ(EXITED(51), exit_code_of(fd));
	close(fd);
	served_by(_metadata, C);
}

TEST_F(across, exit_of_a_process_with_a_c_pidfd_is_reported)
{
	int c, fd;

	ASSERT_EQ(0, start_peer(&self->peer, 0));
	c = sys_pidfd_open(self->peer.pid, 0);
	served_by(_metadata, variant->known);
	close(sys_pidfd_open(self->peer.pid, 0));
	served_by(_metadata, variant->happens);
	reap_peer(&self->peer, 52);
	served_by(_metadata, variant->asked);
	EXPECT_MADE_BY(variant->asked, fd = peer_pidfd(self->peer.sock));
	EXPECT_EQ(EXITED(52), exit_code_of(fd));
	EXPECT_EQ(EXITED(52), exit_code_of(c));
	EXPECT_EQ(ino_of(c), ino_of(fd));
	close(fd);
	served_by(_metadata, C);
	EXPECT_EQ(EXITED(52), exit_code_of(c));
	close(c);
}

TEST_F(across, exit_of_a_sender_is_reported)
{
	struct order order = { .run = does_nothing };
	int fd;

	ASSERT_EQ(0, start_peer(&self->peer, 0));
	ASSERT_EQ(0, pass_pidfds(self->peer.sock, 1));
	served_by(_metadata, variant->known);
	ASSERT_EQ(sizeof(order),
		  write_nointr(self->peer.sock, &order, sizeof(order)));
	/* The peer has sent the answer once it can be read. */
	EXPECT_EQ(POLLIN, becomes_ready(self->peer.sock, POLLIN));
	served_by(_metadata, variant->happens);
	reap_peer(&self->peer, 53);
	served_by(_metadata, variant->asked);
	EXPECT_MADE_BY(variant->asked, fd = receive_fd(self->peer.sock, SCM_PIDFD));
	EXPECT_EQ(EXITED(53), exit_code_of(fd));
	close(fd);
	served_by(_metadata, C);
}

TEST_F(across, attributes_are_kept)
{
	int fd;

	served_by(_metadata, variant->known);
	ASSERT_EQ(0, start_peer(&self->peer, CLONE_PIDFD));
	EXPECT_EQ(0, set_value(self->peer.pidfd, "trusted.a", "1", 0));
	EXPECT_EQ(0, set_value(self->peer.pidfd, "trusted.b", "1", 0));
	close(self->peer.pidfd);
	self->peer.pidfd = -1;
	served_by(_metadata, variant->happens);
	EXPECT_MADE_BY(variant->happens, fd = sys_pidfd_open(self->peer.pid, 0));
	EXPECT_STREQ("1", value_of(fd, "trusted.a"));
	EXPECT_EQ(0, set_value(fd, "trusted.a", "2", 0));
	EXPECT_EQ(0, fremovexattr(fd, "trusted.b"));
	close(fd);
	reap_peer(&self->peer, 0);
	served_by(_metadata, variant->asked);
	EXPECT_MADE_BY(variant->asked, fd = peer_pidfd(self->peer.sock));
	EXPECT_STREQ("2", value_of(fd, "trusted.a"));
	EXPECT_STREQ("ENODATA", value_of(fd, "trusted.b"));
	EXPECT_EQ(sizeof("trusted.a"), flistxattr(fd, NULL, 0));
	close(fd);
	served_by(_metadata, C);
}

TEST_F(across, handles_are_kept)
{
	struct handle h;
	__u64 ino;
	int fd;

	served_by(_metadata, variant->known);
	ASSERT_EQ(0, start_peer(&self->peer, CLONE_PIDFD));
	ASSERT_EQ(0, handle_of(self->peer.pidfd, &h));
	ino = ino_of(self->peer.pidfd);
	close(self->peer.pidfd);
	self->peer.pidfd = -1;
	served_by(_metadata, variant->happens);
	EXPECT_MADE_BY(variant->happens, fd = open_handle(&h, 0));
	EXPECT_EQ(ino, ino_of(fd));
	EXPECT_EQ(self->peer.pid, pidfd_number(fd));
	close(fd);
	served_by(_metadata, variant->asked);
	EXPECT_MADE_BY(variant->asked, fd = open_handle(&h, 0));
	EXPECT_EQ(ino, ino_of(fd));
	close(fd);
	reap_peer(&self->peer, 0);
	EXPECT_EQ(ESTALE, ERROR_OF(open_handle(&h, 0)));
	served_by(_metadata, !variant->asked);
	EXPECT_EQ(ESTALE, ERROR_OF(open_handle(&h, 0)));
	served_by(_metadata, C);
}

/* The process starts while the first one serves, and no pidfd is made. */
TEST_F(across, exit_of_an_unregistered_process_is_unknown)
{
	struct ghost unknown, known;
	int sockets[2], fd;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	ASSERT_EQ(0, pass_pidfds(sockets[0], 1));
	served_by(_metadata, variant->known);
	ASSERT_EQ(0, start_ghost(&known, true));
	served_by(_metadata, variant->happens);
	ASSERT_EQ(0, start_ghost(&unknown, false));
	served_by(_metadata, variant->asked);
	EXPECT_EQ(ESRCH, ERROR_OF(send_as(sockets[1], unknown.pid)));
	EXPECT_NE(0, ERROR_OF(sys_pidfd_open(unknown.pid, 0)));
	EXPECT_EQ(0, send_as(sockets[1], known.pid));
	EXPECT_MADE_BY(variant->asked, fd = receive_fd(sockets[0], SCM_PIDFD));
	EXPECT_EQ(EXITED(GHOST_CODE), exit_code_of(fd));
	close(fd);
	served_by(_metadata, !variant->asked);
	EXPECT_EQ(ESRCH, ERROR_OF(send_as(sockets[1], unknown.pid)));
	served_by(_metadata, C);
	end_ghost(&known);
	end_ghost(&unknown);
	close(sockets[0]);
	close(sockets[1]);
}

static long raises(long sig)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_CORE, &all);
	return raise(sig);
}

TEST_F(across, core_dump_is_reported)
{
	struct pidfd_info info;
	struct core old;
	int fd;

	ASSERT_EQ(0, set_core(&old, "|/bin/cat - %F"));
	served_by(_metadata, variant->known);
	ASSERT_EQ(0, start_peer(&self->peer, 0));
	served_by(_metadata, variant->happens);
	EXPECT_EQ(PEER_DIED, peer_does(&self->peer, raises, SIGABRT));
	await_peer(&self->peer);
	put_core(&old);
	/* The receiver of the dump holds a pidfd until the dump is done. */
	served_by(_metadata, variant->asked);
	EXPECT_MADE_BY(variant->asked, fd = peer_pidfd(self->peer.sock));
	EXPECT_EQ(0, get_info(fd, PIDFD_INFO_EXIT | PIDFD_INFO_COREDUMP, &info));
	EXPECT_EQ(PIDFD_INFO_EXIT | PIDFD_INFO_CGROUPID | PIDFD_INFO_COREDUMP |
		  PIDFD_INFO_COREDUMP_SIGNAL | PIDFD_INFO_COREDUMP_CODE, info.mask);
	EXPECT_EQ(SIGABRT | 0x80, info.exit_code);
	EXPECT_EQ(PIDFD_COREDUMPED | PIDFD_COREDUMP_USER, info.coredump_mask);
	EXPECT_EQ(SIGABRT, info.coredump_signal);
	EXPECT_EQ(SI_TKILL, (int)info.coredump_code);
	close(fd);
	served_by(_metadata, C);
}

/* The first one makes the pidfd, the second one serves at its close, the third one at the query. */
TEST_F(across, autokill_works)
{
	int fd;

	/* A Rust pidfd holds the module, so only a C pidfd can outlive its implementation. */
	served_by(_metadata, variant->known);
	ASSERT_EQ(0, start_peer(&self->peer, CLONE_PIDFD | CLONE_AUTOREAP |
				CLONE_PIDFD_AUTOKILL));
	if (!variant->known)
		served_by(_metadata, variant->happens);
	EXPECT_MADE_BY(variant->known || variant->happens, fd = sys_pidfd_open(self->peer.pid, 0));
	close(fd);
	close(reopen(self->peer.pidfd, O_RDWR));
	EXPECT_TRUE(is_alive(&self->peer));
	EXPECT_MADE_BY(variant->known || variant->happens, fd = sys_pidfd_open(self->peer.pid, 0));
	close(self->peer.pidfd);
	self->peer.pidfd = -1;
	EXPECT_TRUE(is_reaped(fd));
	EXPECT_EQ(SIGKILL, exit_code_of(fd));
	self->peer.pid = -1;
	close(fd);
	served_by(_metadata, variant->asked);
	EXPECT_MADE_BY(variant->asked, fd = peer_pidfd(self->peer.sock));
	EXPECT_EQ(SIGKILL, exit_code_of(fd));
	close(fd);
	served_by(_metadata, C);
}

MODULE_TEST_MAIN
