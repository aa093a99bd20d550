// SPDX-License-Identifier: GPL-2.0
/* An unload waits for no user that can be stalled. */
#include <sys/epoll.h>
#include <sys/stat.h>

#include "pidfd_module.h"
#include "pidfs.h"
#include "slow_page.h"

FIXTURE(unload)
{
	int unused;
};

FIXTURE_SETUP(unload)
{
	begin_without_module(_metadata);
}

/* Runs in the parent of the test, after all pidfds of the test are closed. */
FIXTURE_TEARDOWN_PARENT(unload)
{
	unload_left_behind(_metadata);
}

static void *opens_slowly(void *arg)
{
	return (void *)(long)ERROR_OF(open_by_handle_at(FD_PIDFS_ROOT, arg, 0));
}

/*
 * A caller begins to open a handle before the load, and blocks on user memory since. It gets a
 * reference to the module together with the file system, or neither. Otherwise an unload would
 * begin and have to wait for the caller.
 */
TEST_F(unload, stays_while_a_handle_from_before_is_held_up)
{
	struct slow_pages slow;
	const char *reason = make_slow_pages(&slow, 2);
	struct file_handle *fh;
	pthread_t thread;
	void *error;
	char *head;
	pid_t pid;
	int status = -1;

	if (reason)
		SKIP(return, "%s", reason);

	/* The type ends the first slow page, and the number starts the second one. */
	head = calloc(1, slow.page);
	fh = (struct file_handle *)(head + slow.page - sizeof(*fh));
	fh->handle_bytes = sizeof(__u64);
	fh->handle_type = FILEID_KERNFS;
	fh = (struct file_handle *)(slow.slow + slow.page - sizeof(*fh));
	ASSERT_EQ(0, pthread_create(&thread, NULL, opens_slowly, fh));
	ASSERT_TRUE(page_is_wanted(&slow));

	LOAD();
	ASSERT_EQ(0, give_page(&slow, 0, head));
	ASSERT_TRUE(page_is_wanted(&slow));

	pid = fork();
	if (pid == 0)
		_exit(unload_module() ? errno : 0);
	for (int i = 0; i < PATIENCE_MS && waitpid(pid, &status, WNOHANG) == 0; i++)
		usleep(1000);
	ASSERT_TRUE(WIFEXITED(status)) {
		TH_LOG("the module waits for the handle");
	}
	EXPECT_EQ(EWOULDBLOCK, WEXITSTATUS(status));

	ASSERT_EQ(0, give_page(&slow, 1, NULL));
	ASSERT_EQ(0, pthread_join(thread, &error));
	EXPECT_EQ(ESTALE, (long)error);
	EXPECT_EQ(0, unload_busy_module());
	free(head);
	free_slow_pages(&slow);
}

/* A call that blocks in a thread, and whether it has returned. */
struct held_up {
	pthread_t thread;
	long (*does)(struct held_up *h);
	struct slow_pages slow;
	const char *work, *options, *where;
	int fd;
	pid_t tid;
	long ret;
	bool done;
};

static void *runs(void *arg)
{
	struct held_up *h = arg;

	__atomic_store_n(&h->tid, gettid(), __ATOMIC_SEQ_CST);
	h->ret = h->does(h);
	__atomic_store_n(&h->done, true, __ATOMIC_SEQ_CST);
	return NULL;
}

static int start(struct held_up *h, long (*does)(struct held_up *h))
{
	h->does = does;
	return pthread_create(&h->thread, NULL, runs, h);
}

static bool returns_within(struct held_up *h, int ms)
{
	for (int i = 0; i < ms; i++) {
		if (__atomic_load_n(&h->done, __ATOMIC_SEQ_CST))
			return true;
		usleep(1000);
	}
	return false;
}

/* The state of a thread in /proc/<pid>/stat. */
static char state_of(struct held_up *h)
{
	char path[64], stat[512], *end;
	pid_t tid = __atomic_load_n(&h->tid, __ATOMIC_SEQ_CST);

	if (!tid)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	if (read_file(path, stat, sizeof(stat)) < 0)
		return 0;
	end = strrchr(stat, ')');
	return end ? end[2] : 0;
}

/* Waits until the thread is in an uninterruptible sleep, and stays there. */
static bool sleeps_uninterruptibly(struct held_up *h)
{
	int in_a_row = 0;

	for (int i = 0; i < PATIENCE_MS && in_a_row < 100; i++) {
		in_a_row = state_of(h) == 'D' ? in_a_row + 1 : 0;
		usleep(1000);
	}
	return in_a_row == 100;
}

static long unloads(struct held_up *h)
{
	return unload_module() ? -errno : 0;
}

static long reads_counter(struct held_up *h)
{
	return read(h->fd, h->slow.slow, 16);
}

static long lists_directory(struct held_up *h)
{
	return syscall(__NR_getdents64, h->fd, h->slow.slow, h->slow.page);
}

static long mounts_overlay(struct held_up *h)
{
	return mount("overlay", h->where, "overlay", 0, h->options);
}

static long syncs(struct held_up *h)
{
	sync();
	return 0;
}

static long drops_caches(struct held_up *h)
{
	return write_file("/proc/sys/vm/drop_caches", "1");
}

/* An unload removes a counter while a reader of it blocks on a slow page. */
TEST_F(unload, goes_while_a_reader_of_a_counter_is_held_up)
{
	struct held_up reader = {}, unload = {};
	const char *reason = make_slow_pages(&reader.slow, 1);

	if (reason)
		SKIP(return, "%s", reason);

	LOAD();
	reader.fd = open(COUNTERS "created", O_RDONLY | O_CLOEXEC);
	ASSERT_GE(reader.fd, 0);
	ASSERT_EQ(0, start(&reader, reads_counter));
	ASSERT_TRUE(page_is_wanted(&reader.slow));

	ASSERT_EQ(0, start(&unload, unloads));
	EXPECT_TRUE(returns_within(&unload, 10000)) {
		TH_LOG("rmmod waits for the reader");
	}
	EXPECT_FALSE(__atomic_load_n(&reader.done, __ATOMIC_SEQ_CST));
	EXPECT_FALSE(rust_serves());

	ASSERT_EQ(0, give_page(&reader.slow, 0, NULL));
	pthread_join(reader.thread, NULL);
	pthread_join(unload.thread, NULL);
	EXPECT_EQ(0, unload.ret);
	EXPECT_EQ(2, reader.ret);
	EXPECT_EQ(0, strcmp("0\n", reader.slow.slow));
	close(reader.fd);
	free_slow_pages(&reader.slow);
}

FIXTURE(walk)
{
	char root[64];
	char options[256];
	char merged[80];
};

FIXTURE_VARIANT(walk)
{
	long (*walks)(struct held_up *h);
};

FIXTURE_VARIANT_ADD(walk, of_sync)
{
	.walks = syncs,
};

FIXTURE_VARIANT_ADD(walk, of_drop_caches)
{
	.walks = drops_caches,
};

FIXTURE_SETUP(walk)
{
	begin_without_module(_metadata);
	strcpy(self->root, "/tmp/pidfd_rust_walk_XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->root));
	ASSERT_EQ(0, mount("none", self->root, "tmpfs", 0, NULL));
	for (const char *const *dir = (const char *const []){ "lower", "upper", "work",
							      "merged", NULL }; *dir; dir++) {
		char path[80];

		snprintf(path, sizeof(path), "%s/%s", self->root, *dir);
		ASSERT_EQ(0, mkdir(path, 0700));
	}
	snprintf(self->options, sizeof(self->options),
		 "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work",
		 self->root, self->root, self->root);
	snprintf(self->merged, sizeof(self->merged), "%s/merged", self->root);
}

FIXTURE_TEARDOWN_PARENT(walk)
{
	umount2(self->merged, MNT_DETACH);
	umount2(self->root, MNT_DETACH);
	rmdir(self->root);
	unload_left_behind(_metadata);
}

/*
 * A mount stalls: it needs the lock of a directory, whose reader blocks on user memory. A walk over
 * all super blocks waits for that mount. It holds a reference to the previous super block in the
 * list, which is that of the module.
 */
TEST_F(walk, does_not_delay_an_unload)
{
	struct held_up reader = {}, overlay = {}, walk = {}, unload = {}, again = {};
	const char *reason = make_slow_pages(&reader.slow, 1);
	char path[80];
	int fd;

	if (reason)
		SKIP(return, "%s", reason);

	LOAD();
	snprintf(path, sizeof(path), "%s/work", self->root);
	reader.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT_GE(reader.fd, 0);
	ASSERT_EQ(0, start(&reader, lists_directory));
	ASSERT_TRUE(page_is_wanted(&reader.slow));

	overlay.where = self->merged;
	overlay.options = self->options;
	ASSERT_EQ(0, start(&overlay, mounts_overlay));
	EXPECT_TRUE(sleeps_uninterruptibly(&overlay)) {
		TH_LOG("the mount does not stall");
	}
	ASSERT_EQ(0, start(&walk, variant->walks));
	EXPECT_TRUE(sleeps_uninterruptibly(&walk)) {
		TH_LOG("the walk does not wait for the mount");
	}

	ASSERT_EQ(0, start(&unload, unloads));
	EXPECT_TRUE(returns_within(&unload, 10000)) {
		TH_LOG("rmmod waits for the walk");
	}
	EXPECT_FALSE(__atomic_load_n(&walk.done, __ATOMIC_SEQ_CST));

	/* The walk still holds the old super block during the next load. */
	if (__atomic_load_n(&unload.done, __ATOMIC_SEQ_CST)) {
		EXPECT_EQ(0, load_module());
		EXPECT_RUST_MAKES(1, fd = sys_pidfd_open(getpid(), 0));
		close(fd);
		ASSERT_EQ(0, start(&again, unloads));
		EXPECT_TRUE(returns_within(&again, 10000));
	}
	EXPECT_FALSE(__atomic_load_n(&walk.done, __ATOMIC_SEQ_CST));

	ASSERT_EQ(0, give_page(&reader.slow, 0, NULL));
	pthread_join(reader.thread, NULL);
	pthread_join(overlay.thread, NULL);
	pthread_join(walk.thread, NULL);
	pthread_join(unload.thread, NULL);
	if (again.thread)
		pthread_join(again.thread, NULL);
	EXPECT_GT(reader.ret, 0);
	EXPECT_EQ(0, overlay.ret);
	EXPECT_EQ(0, walk.ret);
	EXPECT_EQ(0, unload.ret);
	EXPECT_EQ(0, again.ret);
	close(reader.fd);
	free_slow_pages(&reader.slow);
}

MODULE_TEST_MAIN
