// SPDX-License-Identifier: GPL-2.0
/* Calls on the file of a pidfd. */
#include "differ.h"

static const struct {
	const char *name;
	int cmd;
	long arg;
} fcntls[] = {
	{ "F_GETFL", F_GETFL, 0 },
	{ "F_GETFD", F_GETFD, 0 },
	{ "F_SETFD 0", F_SETFD, 0 },
	{ "F_SETFD 1", F_SETFD, FD_CLOEXEC },
	{ "F_SETFL ~0", F_SETFL, 0x7fffffff },
	{ "F_SETFL O_APPEND", F_SETFL, O_APPEND },
	{ "F_SETFL O_ASYNC", F_SETFL, O_ASYNC },
	{ "F_SETFL O_DIRECT", F_SETFL, O_DIRECT },
	{ "F_SETFL O_NOATIME", F_SETFL, O_NOATIME },
	{ "F_SETFL O_NONBLOCK", F_SETFL, O_NONBLOCK },
	{ "F_SETFL O_RDONLY|O_TRUNC|O_EXCL", F_SETFL, O_TRUNC | O_EXCL },
	{ "F_SETFL 0", F_SETFL, 0 },
	{ "F_GETOWN", F_GETOWN, 0 },
	{ "F_SETSIG 0", F_SETSIG, 0 },
	{ "F_GETSIG", F_GETSIG, 0 },
	{ "F_SETLEASE F_RDLCK", F_SETLEASE, F_RDLCK },
	{ "F_SETLEASE F_WRLCK", F_SETLEASE, F_WRLCK },
	{ "F_SETLEASE F_UNLCK", F_SETLEASE, F_UNLCK },
	{ "F_GETLEASE", F_GETLEASE, 0 },
	{ "F_NOTIFY", F_NOTIFY, 1 },
	{ "F_GETPIPE_SZ", F_GETPIPE_SZ, 0 },
	{ "F_SETPIPE_SZ", F_SETPIPE_SZ, 4096 },
	{ "F_GET_SEALS", F_GET_SEALS, 0 },
	{ "F_ADD_SEALS", F_ADD_SEALS, 1 },
	{ "F_DUPFD_QUERY same", 1024 + 3, -1 },
	{ "F_CREATED_QUERY", 1024 + 4, 0 },
	{ "F_GETDELEG", 1024 + 15, 0 },
	{ "F_SETDELEG", 1024 + 16, 0 },
	{ "unknown", 9999, 0 },
};

void call_fcntl(const struct subject *s)
{
	struct flock lock = { .l_type = F_WRLCK };
	__u64 hint = 0;
	long result;

	for (size_t i = 0; i < COUNT(fcntls); i++) {
		result = fcntl(s->fd, fcntls[i].cmd,
			       fcntls[i].arg == -1 ? s->fd : fcntls[i].arg);
		note(" fl=%#x fd=%d", fcntl(s->fd, F_GETFL),
		     fcntl(s->fd, F_GETFD));
		show(result, "fcntl %s", fcntls[i].name);
	}
	show_fd(fcntl(s->fd, F_DUPFD, 0), "fcntl F_DUPFD");
	show_fd(fcntl(s->fd, F_DUPFD_CLOEXEC, 0), "fcntl F_DUPFD_CLOEXEC");
	result = fcntl(s->fd, F_GET_RW_HINT, &hint);
	note(" hint=%llu", hint);
	show(result, "fcntl F_GET_RW_HINT");
	hint = 3;
	show(fcntl(s->fd, F_SET_RW_HINT, &hint), "fcntl F_SET_RW_HINT");
	hint = 0;
	show(fcntl(s->fd, F_SET_RW_HINT, &hint), "fcntl F_SET_RW_HINT 0");
	show(fcntl(s->fd, F_SETLK, &lock), "fcntl F_SETLK F_WRLCK");
	result = fcntl(s->fd, F_GETLK, &lock);
	note(" type=%d", lock.l_type);
	show(result, "fcntl F_GETLK");
	lock.l_type = F_UNLCK;
	show(fcntl(s->fd, F_SETLK, &lock), "fcntl F_SETLK F_UNLCK");
	lock.l_type = F_RDLCK;
	show(fcntl(s->fd, F_OFD_SETLK, &lock), "fcntl F_OFD_SETLK F_RDLCK");
	lock.l_type = F_UNLCK;
	show(fcntl(s->fd, F_OFD_SETLK, &lock), "fcntl F_OFD_SETLK F_UNLCK");
}

bool before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec < b->tv_sec ||
	       (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

static const char *when(const struct timespec *t)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (!t->tv_sec && !t->tv_nsec)
		return "0";
	return before(t, &started) ? "old" : before(&now, t) ? "future" : "new";
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

void call_stat(const struct subject *s)
{
	struct stat st = {};
	int result = fstat(s->fd, &st);

	note(" mode=%o nlink=%lu uid=%u gid=%u rdev=%lu size=%ld blksize=%ld blocks=%ld",
	     st.st_mode, st.st_nlink, st.st_uid, st.st_gid, st.st_rdev,
	     st.st_size, st.st_blksize, st.st_blocks);
	note(" %s dev, %s ino, atime=%s %s mtime %s ctime",
	     st.st_dev == self_stat.st_dev ? "same" : "other",
	     st.st_ino == self_stat.st_ino ? "same" : st.st_ino ? "other" : "0",
	     when(&st.st_atim),
	     same_time(&st.st_atim, &st.st_mtim) ? "==" : "!=",
	     same_time(&st.st_mtim, &st.st_ctim) ? "==" : "!=");
	show(result, "fstat");
	memset(&st, 0, sizeof(st));
	result = stat(fd_path("fd", s->fd), &st);
	note(" mode=%o %s dev", st.st_mode,
	     st.st_dev == self_stat.st_dev ? "same" : "other");
	show(result, "stat by path");
	result = lstat(fd_path("fd", s->fd), &st);
	note(" mode=%o", st.st_mode);
	show(result, "lstat by path");
}

static void one_statx(const struct subject *s, unsigned int mask, int flags)
{
	struct statx x;
	int result;

	memset(&x, 0, sizeof(x));
	result = statx(s->fd, "", flags, mask, &x);
	note(" mask=%#x attr=%#llx/%#llx mode=%o nlink=%u", x.stx_mask,
	     x.stx_attributes, x.stx_attributes_mask, x.stx_mode, x.stx_nlink);
	note(" uid=%u gid=%u size=%llu blocks=%llu blksize=%u", x.stx_uid,
	     x.stx_gid, x.stx_size, x.stx_blocks, x.stx_blksize);
	note(" rdev=%u:%u btime=%lld.%u", x.stx_rdev_major, x.stx_rdev_minor,
	     x.stx_btime.tv_sec, x.stx_btime.tv_nsec);
	note(" %s dev", makedev(x.stx_dev_major, x.stx_dev_minor) ==
	     self_stat.st_dev ? "same" : "other");
	if (!(mask & 0x4000))
		note(" %s mount", x.stx_mnt_id == self_mnt ? "same" :
		     x.stx_mnt_id ? "other" : "no");
	show(result, "statx mask=%#x flags=%#x", mask, flags);
}

void call_statx(const struct subject *s)
{
	static const unsigned int masks[] = {
		0, STATX_BASIC_STATS, STATX_ALL, STATX_MNT_ID, 0x4000, 0x2000,
		0x8000, 0x1ffff, 0x7fffffff, 0x80000000,
	};

	for (size_t i = 0; i < COUNT(masks); i++)
		one_statx(s, masks[i], AT_EMPTY_PATH);
	one_statx(s, STATX_BASIC_STATS, 0);
	one_statx(s, STATX_BASIC_STATS, AT_EMPTY_PATH | AT_STATX_FORCE_SYNC);
	one_statx(s, STATX_BASIC_STATS, AT_EMPTY_PATH | AT_STATX_DONT_SYNC);
	one_statx(s, STATX_BASIC_STATS, AT_EMPTY_PATH | 0x40000000);
	show(statx(s->fd, "x", 0, STATX_ALL, (void *)page), "statx of a name");
	show(syscall(__NR_statx, s->fd, "", AT_EMPTY_PATH, 0, BAD),
	     "statx to bad pointer");
}

void call_statfs(const struct subject *s)
{
	struct statfs fs = {};
	int result = fstatfs(s->fd, &fs);

	note(" type=%#lx bsize=%ld blocks=%lu bfree=%lu bavail=%lu", fs.f_type,
	     fs.f_bsize, fs.f_blocks, fs.f_bfree, fs.f_bavail);
	note(" files=%lu ffree=%lu namelen=%ld frsize=%ld flags=%#lx",
	     fs.f_files, fs.f_ffree, fs.f_namelen, fs.f_frsize, fs.f_flags);
	note(" fsid %s", memcmp(&fs.f_fsid, &self_statfs.f_fsid,
				sizeof(fs.f_fsid)) ? "other" : "same");
	show(result, "fstatfs");
	memset(&fs, 0, sizeof(fs));
	result = statfs(fd_path("fd", s->fd), &fs);
	note(" type=%#lx", fs.f_type);
	show(result, "statfs by path");
	show(syscall(__NR_fstatfs, s->fd, BAD), "fstatfs to bad pointer");
}

void call_readlink(const struct subject *s)
{
	char link[64] = "";

	if (readlink(fd_path("fd", s->fd), link, sizeof(link) - 1) >= 0)
		note(" '%s'", link);
	show(0, "readlink of /proc/self/fd");
	show(readlinkat(s->fd, "", link, sizeof(link)), "readlinkat itself");
	link[0] = '\0';
	show(readlink(fd_path("fd", s->fd), link, 5), "readlink of 5 bytes");
}

void call_io(const struct subject *s)
{
	struct iovec iov = { page, 8 };
	int fd = s->fd, result;
	loff_t offset = 0;
	int pipe[2];

	show(read(fd, page, 8), "read");
	show(read(fd, page, 0), "read nothing");
	show(write(fd, page, 8), "write");
	show(write(fd, page, 0), "write nothing");
	show(pread(fd, page, 8, 0), "pread");
	show(pread(fd, page, 8, -1), "pread at -1");
	show(pwrite(fd, page, 8, 0), "pwrite");
	show(readv(fd, &iov, 1), "readv");
	show(writev(fd, &iov, 1), "writev");
	show(preadv2(fd, &iov, 1, 0, RWF_NOWAIT), "preadv2 RWF_NOWAIT");
	show(pwritev2(fd, &iov, 1, 0, RWF_APPEND), "pwritev2 RWF_APPEND");
	for (int whence = 0; whence < 6; whence++) {
		show(lseek(fd, 0, whence), "lseek 0, %d", whence);
		show(lseek(fd, 7, whence), "lseek 7, %d", whence);
	}
	show(lseek(fd, -1, SEEK_SET), "lseek -1");
	if (pipe2(pipe, O_CLOEXEC | O_NONBLOCK))
		bail_out("pipe2");
	show(splice(fd, NULL, pipe[1], NULL, 1, 0), "splice from");
	result = write(pipe[1], "x", 1);
	show(splice(pipe[0], NULL, fd, NULL, result, 0), "splice to");
	show(tee(fd, pipe[1], 1, 0), "tee");
	show(sendfile(pipe[1], fd, NULL, 1), "sendfile from");
	show(sendfile(fd, pipe[0], NULL, 1), "sendfile to");
	show(copy_file_range(fd, &offset, fd, NULL, 1, 0), "copy_file_range");
	close(pipe[0]);
	close(pipe[1]);
}

void call_mmap(const struct subject *s)
{
	static const int protections[] = {
		PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_EXEC,
	};
	void *map;

	for (size_t i = 0; i < 4; i++) {
		map = mmap(NULL, 4096, protections[i], MAP_SHARED, s->fd, 0);
		show(map == MAP_FAILED ? -1 : 0, "mmap shared %#x",
		     protections[i]);
		map = mmap(NULL, 4096, protections[i], MAP_PRIVATE, s->fd, 0);
		show(map == MAP_FAILED ? -1 : 0, "mmap private %#x",
		     protections[i]);
	}
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, s->fd, 1);
	show(map == MAP_FAILED ? -1 : 0, "mmap at 1");
}

void call_changes(const struct subject *s)
{
	struct timespec times[2] = { { 1, 2 }, { 3, 4 } };
	int fd = s->fd;

	show(ftruncate(fd, 0), "ftruncate 0");
	show(ftruncate(fd, -1), "ftruncate -1");
	show(truncate(fd_path("fd", fd), 0), "truncate by path");
	show(fchmod(fd, 0777), "fchmod");
	show(syscall(__NR_fchmodat2, fd, "", 0700, AT_EMPTY_PATH), "fchmodat2");
	show(chmod(fd_path("fd", fd), 0700), "chmod by path");
	show(fchown(fd, 1, 1), "fchown");
	show(fchown(fd, -1, -1), "fchown to nothing");
	show(fchownat(fd, "", 0, 0, AT_EMPTY_PATH), "fchownat");
	show(futimens(fd, NULL), "futimens now");
	show(futimens(fd, times), "futimens");
	times[0].tv_nsec = UTIME_OMIT;
	times[1].tv_nsec = UTIME_OMIT;
	show(futimens(fd, times), "futimens omit");
	show(utimensat(fd, "", NULL, AT_EMPTY_PATH), "utimensat");
	show(fsync(fd), "fsync");
	show(fdatasync(fd), "fdatasync");
	show(syncfs(fd), "syncfs");
	show(sync_file_range(fd, 0, 0, 2), "sync_file_range");
	show(flock(fd, LOCK_EX | LOCK_NB), "flock LOCK_EX");
	show(flock(fd, LOCK_SH | LOCK_NB), "flock LOCK_SH");
	show(flock(fd, LOCK_UN), "flock LOCK_UN");
	show(flock(fd, 99), "flock 99");
	show(fallocate(fd, 0, 0, 4096), "fallocate");
	show(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1),
	     "fallocate hole");
	for (int advice = 0; advice < 7; advice++) {
		errno = posix_fadvise(fd, 0, 0, advice);
		show(errno ? -1 : 0, "fadvise %d", advice);
	}
	show(readahead(fd, 0, 1), "readahead");
	show(syscall(__NR_cachestat, fd, page, page + 64, 0), "cachestat");
	show(syscall(__NR_getdents64, fd, page, sizeof(page)), "getdents64");
	show(fchdir(fd), "fchdir");
}

const struct open_flag open_flags[OPEN_FLAGS] = {
	{ "O_RDONLY", O_RDONLY },
	{ "O_WRONLY", O_WRONLY },
	{ "O_RDWR", O_RDWR },
	{ "3", 3 },
	{ "O_CREAT", O_RDWR | O_CREAT },
	{ "O_EXCL", O_RDWR | O_EXCL },
	{ "O_CREAT|O_EXCL", O_RDWR | O_CREAT | O_EXCL },
	{ "O_NOCTTY", O_RDWR | O_NOCTTY },
	{ "O_TRUNC", O_RDWR | O_TRUNC },
	{ "O_APPEND", O_RDWR | O_APPEND },
	{ "O_NONBLOCK", O_RDWR | O_NONBLOCK },
	{ "O_DSYNC", O_RDWR | O_DSYNC },
	{ "O_SYNC", O_RDWR | O_SYNC },
	{ "O_ASYNC", O_RDWR | O_ASYNC },
	{ "O_DIRECT", O_RDWR | O_DIRECT },
	{ "O_LARGEFILE", O_RDWR | 0100000 },
	{ "O_DIRECTORY", O_RDONLY | O_DIRECTORY },
	{ "O_NOFOLLOW", O_RDWR | O_NOFOLLOW },
	{ "O_NOATIME", O_RDWR | O_NOATIME },
	{ "O_CLOEXEC", O_RDWR | O_CLOEXEC },
	{ "O_NONBLOCK|O_EXCL|O_CLOEXEC",
	  O_RDWR | O_NONBLOCK | O_EXCL | O_CLOEXEC },
	{ "O_PATH", O_PATH },
	{ "O_PATH|O_NOFOLLOW", O_PATH | O_NOFOLLOW },
	{ "O_PATH|O_CLOEXEC", O_PATH | O_CLOEXEC },
	{ "O_TMPFILE", O_RDWR | O_TMPFILE },
	{ "0x40000000", O_RDWR | 0x40000000 },
};

void call_reopen(const struct subject *s)
{
	for (size_t i = 0; i < OPEN_FLAGS; i++) {
		int flags = open_flags[i].flags;

		show_fd(open(fd_path("fd", s->fd), flags, 0600),
			"open by path %s", open_flags[i].name);
		show_fd(openat(s->fd, "", flags, 0600), "openat '' %s",
			open_flags[i].name);
	}
	show_fd(openat(s->fd, "x", O_RDONLY), "openat 'x'");
	show_fd(openat(s->fd, "..", O_PATH), "openat '..'");
	show_fd(openat(s->fd, ".", O_PATH), "openat '.'");
}

/* Calls on an O_PATH descriptor. */
void call_o_path(const struct subject *s)
{
	int fd = open(fd_path("fd", s->fd), O_PATH | O_CLOEXEC);
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	struct stat st = {};
	siginfo_t info;
	int result;

	if (fd < 0) {
		show(fd, "O_PATH");
		return;
	}
	result = fstat(fd, &st);
	note(" %s dev", st.st_dev == self_stat.st_dev ? "same" : "other");
	show(result, "O_PATH fstat");
	result = poll(&pfd, 1, 0);
	note(" revents=%#x", pfd.revents);
	show(result, "O_PATH poll");
	show(ioctl(fd, GET_UTS, 0), "O_PATH ioctl");
	show(send_signal(fd, 0, NULL, 0), "O_PATH pidfd_send_signal");
	show(waitid(P_PIDFD, fd, &info, WEXITED | WNOHANG | WNOWAIT),
	     "O_PATH waitid");
	show_fd(syscall(__NR_pidfd_getfd, fd, 0, 0), "O_PATH pidfd_getfd");
	show(setns(fd, CLONE_NEWUTS), "O_PATH setns");
	show(fgetxattr(fd, "trusted.x", page, 1), "O_PATH fgetxattr");
	show(getxattr(fd_path("fd", fd), "trusted.x", page, 1),
	     "O_PATH getxattr by path");
	show_fd(open(fd_path("fd", fd), O_RDWR), "O_PATH open again");
	show_fd(dup(fd), "O_PATH dup");
	close(fd);
}

void call_dup(const struct subject *s)
{
	int fd;

	show_fd(dup(s->fd), "dup");
	fd = dup2(s->fd, 900);
	note(" %s", fd == 900 ? "there" : "elsewhere");
	show(fd < 0 ? -1 : 0, "dup2");
	show(dup3(s->fd, s->fd, 0), "dup3 onto itself");
	fd = dup3(s->fd, 900, O_CLOEXEC);
	note(" fd=%d", fcntl(900, F_GETFD));
	show(fd < 0 ? -1 : 0, "dup3 O_CLOEXEC");
	show(syscall(__NR_kcmp, getpid(), getpid(), KCMP_FILE, s->fd, 900),
	     "kcmp with its duplicate");
	show(syscall(__NR_close_range, 900, 900, 0), "close_range");
	show(fcntl(900, F_GETFD), "fcntl F_GETFD after close_range");
	fd = pidfd_open(s->pid, fcntl(s->fd, F_GETFL) & THREAD_FLAG);
	if (fd >= 0) {
		struct stat a = {}, b = {};

		fstat(fd, &a);
		fstat(s->fd, &b);
		/* Which of them is greater is a matter of chance. */
		show(!!syscall(__NR_kcmp, getpid(), getpid(), KCMP_FILE, s->fd,
			       fd), "kcmp with another pidfd");
		show(a.st_ino == b.st_ino, "same inode as another pidfd");
	}
	show_fd(fd, "pidfd_open again");
}

void call_poll(const struct subject *s)
{
	static const short events[] = {
		0, POLLIN, POLLPRI, POLLOUT, POLLRDNORM, POLLRDBAND, POLLHUP,
		POLLIN | POLLRDNORM, 0x7fff,
	};
	struct timeval now = {};
	fd_set sets[3];
	int result;

	for (size_t i = 0; i < COUNT(events); i++) {
		struct pollfd pfd = { .fd = s->fd, .events = events[i] };

		result = poll(&pfd, 1, 0);
		note(" revents=%#x", pfd.revents);
		show(result, "poll %#x", events[i]);
	}
	for (int i = 0; i < 3; i++) {
		FD_ZERO(&sets[i]);
		FD_SET(s->fd, &sets[i]);
	}
	result = select(s->fd + 1, &sets[0], &sets[1], &sets[2], &now);
	note(" %d%d%d", !!FD_ISSET(s->fd, &sets[0]),
	     !!FD_ISSET(s->fd, &sets[1]), !!FD_ISSET(s->fd, &sets[2]));
	show(result, "select");
}

void call_epoll(const struct subject *s)
{
	static const unsigned int events[] = {
		0, EPOLLIN, EPOLLOUT, EPOLLIN | EPOLLET, EPOLLIN | EPOLLONESHOT,
		EPOLLIN | EPOLLEXCLUSIVE, EPOLLIN | EPOLLWAKEUP, 0x7fff,
	};
	int ep, result, n;

	for (size_t i = 0; i < COUNT(events); i++) {
		struct epoll_event event = { .events = events[i] };

		ep = epoll_create1(EPOLL_CLOEXEC);
		if (ep < 0)
			bail_out("epoll_create1");
		result = epoll_ctl(ep, EPOLL_CTL_ADD, s->fd, &event);
		show(result, "epoll_ctl ADD %#x", events[i]);
		for (int j = 0; !result && j < 2; j++) {
			event.events = 0;
			n = epoll_wait(ep, &event, 1, 0);
			show(n, "epoll_wait %#x events=%#x", events[i], event.events);
		}
		event.events = EPOLLIN;
		show(epoll_ctl(ep, EPOLL_CTL_ADD, s->fd, &event),
		     "epoll_ctl ADD again");
		show(epoll_ctl(ep, EPOLL_CTL_MOD, s->fd, &event),
		     "epoll_ctl MOD");
		show(epoll_ctl(ep, EPOLL_CTL_DEL, s->fd, NULL),
		     "epoll_ctl DEL");
		close(ep);
	}
}
