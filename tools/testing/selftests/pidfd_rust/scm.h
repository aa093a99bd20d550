/* SPDX-License-Identifier: GPL-2.0 */
/* Unix sockets: the pidfd of a peer, and control messages with descriptors and credentials. */
#ifndef SCM_H
#define SCM_H

#include <sys/socket.h>
#include <sys/un.h>

#include "pidfd_rust.h"

/* The caller becomes the peer of the socket that accept() returns. */
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

#endif /* SCM_H */
