/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __PIDFD_RUST_SLOW_PAGE_H
#define __PIDFD_RUST_SLOW_PAGE_H

/* Memory whose first use blocks until the test provides the page. */

#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "pidfd_rust.h"

/* An ordinary page with slow pages behind it. */
struct slow_pages {
	int uffd;
	char *pages;
	char *slow;
	size_t size;
	size_t page;
};

/* Returns NULL, or a reason to skip. */
static inline const char *make_slow_pages(struct slow_pages *s, int n)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	s->page = sysconf(_SC_PAGESIZE);
	s->size = (n + 1) * s->page;
	s->pages = mmap(NULL, s->size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->pages == MAP_FAILED)
		return "no memory";
	s->slow = s->pages + s->page;

	s->uffd = syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (s->uffd < 0)
		return errno == ENOSYS ? "CONFIG_USERFAULTFD is not set" :
					 "userfaultfd() is not permitted";

	reg.range.start = (uintptr_t)s->slow;
	reg.range.len = n * s->page;
	if (ioctl(s->uffd, UFFDIO_API, &api) ||
	    ioctl(s->uffd, UFFDIO_REGISTER, &reg))
		return "userfaultfd does not work";
	return NULL;
}

/* Waits until an access blocks on a page. */
static inline bool page_is_wanted(const struct slow_pages *s)
{
	struct pollfd pfd = { .fd = s->uffd, .events = POLLIN };
	struct uffd_msg msg;

	return poll(&pfd, 1, PATIENCE_MS) == 1 &&
	       read_nointr(s->uffd, &msg, sizeof(msg)) == sizeof(msg) &&
	       msg.event == UFFD_EVENT_PAGEFAULT;
}

/* Provides page @i, with @content or zeroed. */
static inline int give_page(const struct slow_pages *s, int i, const void *content)
{
	struct uffdio_copy copy = {
		.dst = (uintptr_t)s->slow + i * s->page,
		.src = (uintptr_t)content,
		.len = s->page,
	};
	struct uffdio_zeropage zero = {
		.range.start = copy.dst,
		.range.len = copy.len,
	};

	return content ? ioctl(s->uffd, UFFDIO_COPY, &copy) :
			 ioctl(s->uffd, UFFDIO_ZEROPAGE, &zero);
}

static inline void free_slow_pages(const struct slow_pages *s)
{
	munmap(s->pages, s->size);
	close(s->uffd);
}

#endif /* __PIDFD_RUST_SLOW_PAGE_H */
