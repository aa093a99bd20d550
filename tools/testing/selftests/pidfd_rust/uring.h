/* SPDX-License-Identifier: GPL-2.0 */
/* io_uring by plain system calls. */
#ifndef URING_H
#define URING_H

#include <linux/io_uring.h>
#include <sys/mman.h>

#include "pidfd_rust.h"

#define RING_ENTRIES 64

struct ring {
	int fd;
	/* Requests that submit() has not passed on. */
	unsigned int queued;
	void *rings;
	size_t rings_size;
	struct io_uring_sqe *sqes;
	struct io_uring_params params;
};

static inline unsigned int *ring_word(const struct ring *ring, unsigned int offset)
{
	return ring->rings + offset;
}

/* Returns NULL, or a reason to skip. */
static inline const char *no_io_uring(void)
{
	struct io_uring_params p = {};
	int fd = syscall(__NR_io_uring_setup, 1, &p);

	if (fd < 0)
		return errno == ENOSYS ? "CONFIG_IO_URING is not set" :
		       errno == EPERM ? "io_uring is not permitted" : NULL;
	close(fd);
	return NULL;
}

static inline int start_ring(struct ring *ring, unsigned int flags)
{
	struct io_uring_params *p = &ring->params;

	memset(ring, 0, sizeof(*ring));
	p->flags = flags;
	ring->fd = syscall(__NR_io_uring_setup, RING_ENTRIES, p);
	if (ring->fd < 0)
		return -1;

	ring->rings_size = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
	if (ring->rings_size < p->sq_off.array + p->sq_entries * sizeof(__u32))
		ring->rings_size = p->sq_off.array + p->sq_entries * sizeof(__u32);
	ring->rings = mmap(NULL, ring->rings_size, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd,
			   IORING_OFF_SQ_RING);
	ring->sqes = mmap(NULL, p->sq_entries * sizeof(struct io_uring_sqe),
			  PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, IORING_OFF_SQES);
	return ring->rings == MAP_FAILED || ring->sqes == MAP_FAILED ? -1 : 0;
}

/* A mapping keeps the ring open, as a descriptor does. */
static inline void end_ring(struct ring *ring)
{
	if (ring->fd < 0)
		return;
	munmap(ring->rings, ring->rings_size);
	munmap(ring->sqes, ring->params.sq_entries * sizeof(struct io_uring_sqe));
	close(ring->fd);
	ring->fd = -1;
}

/* Adds a request, of which the caller can set more fields. The queue holds RING_ENTRIES. */
static inline struct io_uring_sqe *queue(struct ring *ring, int opcode, int fd, __u64 user_data)
{
	unsigned int tail = *ring_word(ring, ring->params.sq_off.tail) + ring->queued++;
	unsigned int i = tail & *ring_word(ring, ring->params.sq_off.ring_mask);
	struct io_uring_sqe *sqe = &ring->sqes[i];

	ring_word(ring, ring->params.sq_off.array)[i] = i;
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = opcode;
	sqe->fd = fd;
	sqe->user_data = user_data;
	return sqe;
}

/* Returns how many requests the kernel took, or -1. */
static inline int submit(struct ring *ring)
{
	unsigned int n = ring->queued, *tail = ring_word(ring, ring->params.sq_off.tail);
	unsigned int flags = 0;

	ring->queued = 0;
	__atomic_store_n(tail, *tail + n, __ATOMIC_SEQ_CST);
	if (ring->params.flags & IORING_SETUP_SQPOLL) {
		if (!(__atomic_load_n(ring_word(ring, ring->params.sq_off.flags), __ATOMIC_SEQ_CST) &
		      IORING_SQ_NEED_WAKEUP))
			return n;
		flags = IORING_ENTER_SQ_WAKEUP;
	}
	return syscall(__NR_io_uring_enter, ring->fd, n, 0, flags, NULL, 0);
}

static inline bool take_completion(struct ring *ring, struct io_uring_cqe *cqe)
{
	unsigned int *head = ring_word(ring, ring->params.cq_off.head);
	unsigned int *tail = ring_word(ring, ring->params.cq_off.tail);
	struct io_uring_cqe *cqes = (void *)ring_word(ring, ring->params.cq_off.cqes);

	if (__atomic_load_n(tail, __ATOMIC_ACQUIRE) == *head)
		return false;
	*cqe = cqes[*head & *ring_word(ring, ring->params.cq_off.ring_mask)];
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return true;
}

/* Waits for a completion. */
static inline bool completes(struct ring *ring, struct io_uring_cqe *cqe)
{
	struct __kernel_timespec timeout = { .tv_sec = PATIENCE_MS / 1000 };
	struct io_uring_getevents_arg arg = { .ts = (uintptr_t)&timeout };

	memset(cqe, 0, sizeof(*cqe));
	while (!take_completion(ring, cqe))
		if (syscall(__NR_io_uring_enter, ring->fd, 0, 1,
			    IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &arg, sizeof(arg)) < 0 &&
		    errno != EINTR)
			return false;
	return true;
}

/* Runs pending task work, then returns whether the completion queue is empty. */
static inline bool is_idle(struct ring *ring)
{
	unsigned int *head = ring_word(ring, ring->params.cq_off.head);
	unsigned int *tail = ring_word(ring, ring->params.cq_off.tail);

	syscall(__NR_io_uring_enter, ring->fd, 0, 0, IORING_ENTER_GETEVENTS, NULL, 0);
	return __atomic_load_n(tail, __ATOMIC_ACQUIRE) == *head;
}

static inline struct io_uring_sqe *queue_poll(struct ring *ring, int fd, unsigned int events,
					      __u64 user_data)
{
	struct io_uring_sqe *sqe = queue(ring, IORING_OP_POLL_ADD, fd, user_data);

#if __BYTE_ORDER == __BIG_ENDIAN
	events = events << 16 | events >> 16;
#endif
	sqe->poll32_events = events;
	return sqe;
}

static inline struct io_uring_sqe *queue_waitid(struct ring *ring, int which, int id,
						siginfo_t *info, int options, __u64 user_data)
{
	struct io_uring_sqe *sqe = queue(ring, IORING_OP_WAITID, id, user_data);

	sqe->len = which;
	sqe->file_index = options;
	sqe->addr2 = (uintptr_t)info;
	return sqe;
}

/* @target is the user_data of the request to cancel. */
static inline struct io_uring_sqe *queue_cancel(struct ring *ring, int opcode, __u64 target,
						__u64 user_data)
{
	struct io_uring_sqe *sqe = queue(ring, opcode, -1, user_data);

	sqe->addr = target;
	return sqe;
}

static inline int register_files(const struct ring *ring, const int *fds, unsigned int n)
{
	return syscall(__NR_io_uring_register, ring->fd, IORING_REGISTER_FILES, fds, n);
}

static inline int unregister_files(const struct ring *ring)
{
	return syscall(__NR_io_uring_register, ring->fd, IORING_UNREGISTER_FILES, NULL, 0);
}

#endif /* URING_H */
