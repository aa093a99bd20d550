/* SPDX-License-Identifier: GPL-2.0 */
/* Suites that test io_uring requests: a ring, a child with a pidfd, and completions. */
#ifndef URING_TEST_H
#define URING_TEST_H

#include "process.h"
#include "rust_harness.h"
#include "uring.h"

#define URING_FIXTURE(name)						\
	FIXTURE(name)							\
	{								\
		struct numbers before;					\
		struct ring ring;					\
		struct child child;					\
	};								\
	FIXTURE_SETUP(name)						\
	{								\
		begin_uring(_metadata, &self->before, &self->ring, &self->child); \
	}								\
	FIXTURE_TEARDOWN(name)						\
	{								\
		end_uring(_metadata, &self->before, &self->ring, &self->child); \
	}

static inline void begin_uring(struct __test_metadata *_metadata, struct numbers *before,
			       struct ring *ring, struct child *child)
{
	const char *reason = no_io_uring();

	if (reason)
		SKIP(return, "%s", reason);
	rust_setup(_metadata, before);
	/* The child starts first: it would inherit the ring, and hold it open. */
	EXPECT_RUST_MAKES(1, ASSERT_EQ(0, start_child(child, 0)));
	ASSERT_EQ(0, start_ring(ring, 0));
}

static inline void end_uring(struct __test_metadata *_metadata, struct numbers *before,
			     struct ring *ring, struct child *child)
{
	end_ring(ring);
	close(child->tell);
	if (child->pidfd >= 0)
		close(child->pidfd);
	if (child->pid > 0)
		waitpid(child->pid, NULL, 0);
	rust_teardown(_metadata, before);
}

static inline void reap(struct child *c)
{
	waitpid(c->pid, NULL, 0);
	c->pid = -1;
}

#define SUBMIT(n) ASSERT_EQ(n, submit(&self->ring))

/* Checks the next completion. */
#define EXPECT_COMPLETES(ring, data, result, cqe_flags) do {		\
	struct io_uring_cqe _cqe;					\
									\
	ASSERT_TRUE(completes(ring, &_cqe));				\
	EXPECT_EQ(data, _cqe.user_data);				\
	EXPECT_EQ(result, _cqe.res);					\
	EXPECT_EQ(cqe_flags, _cqe.flags);				\
} while (0)

/* Checks the next two completions, which come in any order. */
#define EXPECT_COMPLETE(ring, data1, result1, data2, result2) do {	\
	struct io_uring_cqe _first, _second, _swap;			\
									\
	ASSERT_TRUE(completes(ring, &_first));				\
	ASSERT_TRUE(completes(ring, &_second));				\
	if (_first.user_data != (data1)) {				\
		_swap = _first;						\
		_first = _second;					\
		_second = _swap;					\
	}								\
	EXPECT_EQ(data1, _first.user_data);				\
	EXPECT_EQ(result1, _first.res);					\
	EXPECT_EQ(data2, _second.user_data);				\
	EXPECT_EQ(result2, _second.res);				\
} while (0)

#endif /* URING_TEST_H */
