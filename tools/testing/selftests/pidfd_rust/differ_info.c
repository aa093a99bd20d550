// SPDX-License-Identifier: GPL-2.0
/* PIDFD_GET_INFO, namespaces, and other ioctls. */
#include "differ.h"

bool is_written(const unsigned char *a, const unsigned char *b,
		       size_t from, size_t to)
{
	return !memcmp(a + from, b + from, to - from);
}

/* The kernel wrote the bytes that are equal for both patterns. */
void note_written(const unsigned char *a, const unsigned char *b,
			 size_t size)
{
	bool on = false;

	note(" w=");
	for (size_t i = 0; i < size; i++) {
		if (is_written(a, b, i, i + 1) == on)
			continue;
		note(on ? "-%zu " : "%zu", on ? i - 1 : i);
		on = !on;
	}
	note(on ? "-%zu" : "%.0zu", on ? size - 1 : 0);
}

/* True if the kernel wrote all bytes before a field. */
#define UP_TO(field) is_written(a, b, 0, offsetof(struct info, field))

static void note_info(const struct subject *s, const unsigned char *a,
		      const unsigned char *b)
{
	const struct info *i = (const void *)a;

	note(" mask=%#llx", i->mask);
	if (UP_TO(pid))
		note(" cg=%s", i->cgroupid == own_cgroup ? "own" :
		     i->cgroupid ? "other" : "0");
	if (UP_TO(tgid))
		note(" pid=%s", pid_name((__s32)i->pid, s));
	if (UP_TO(ppid))
		note(" tgid=%s", pid_name((__s32)i->tgid, s));
	if (UP_TO(ids))
		note(" ppid=%s", pid_name((__s32)i->ppid, s));
	if (UP_TO(exit_code))
		note(" ids=%u,%u,%u,%u,%u,%u,%u,%u", i->ids[0], i->ids[1],
		     i->ids[2], i->ids[3], i->ids[4], i->ids[5], i->ids[6],
		     i->ids[7]);
	if (UP_TO(core_mask))
		note(" exit=%#x", i->exit_code);
	if (UP_TO(core_signal))
		note(" core=%#x", i->core_mask);
	if (UP_TO(core_code))
		note(" sig=%u", i->core_signal);
	if (UP_TO(pad))
		note(" code=%d", (int)i->core_code);
	if (UP_TO(supported))
		note(" pad=%u", i->pad);
	if (is_written(a, b, 0, sizeof(*i)))
		note(" supported=%#llx", i->supported);
}

/* Calls twice, with different old contents. */
static void get_info(const struct subject *s, __u64 mask, size_t size)
{
	unsigned int cmd = _IOC(_IOC_READ | _IOC_WRITE, PIDFS_IOCTL, INFO_NR,
				size);
	static unsigned char a[4608], b[4608];
	int result, again;

	memset(a, 0xa5, sizeof(a));
	memset(b, 0x5a, sizeof(b));
	memcpy(a, &mask, sizeof(mask));
	memcpy(b, &mask, sizeof(mask));
	again = ioctl(s->fd, cmd, b);
	result = ioctl(s->fd, cmd, a);
	if (again != result)
		note(" again=%d", again);
	note_written(a, b, sizeof(a));
	note_info(s, a, b);
	show(result, "PIDFD_GET_INFO mask=%#llx size=%zu", mask, size);
}

void call_info(const struct subject *s)
{
	static const size_t sizes[] = {
		0, 1, 8, 63, 64, 65, 68, 72, 73, 80, 84, 88, 89, 96, 128, 4096,
	};

	for (int bit = 0; bit < 64; bit++) {
		if (bit < 12 || bit % 16 == 15)
			get_info(s, 1ULL << bit, INFO_SIZE);
	}
	get_info(s, 0, INFO_SIZE);
	get_info(s, INFO_ALL & ~INFO_EXIT, INFO_SIZE);
	get_info(s, ~INFO_ALL, INFO_SIZE);
	for (size_t i = 0; i < COUNT(sizes); i++) {
		get_info(s, INFO_ALL, sizes[i]);
		get_info(s, ~0ULL, sizes[i]);
		get_info(s, 0x10, sizes[i]);
	}
}

void call_info_badly(const struct subject *s)
{
	static const struct {
		unsigned int dir, type, nr;
	} wrong[] = {
		{ _IOC_NONE, PIDFS_IOCTL, INFO_NR },
		{ _IOC_READ, PIDFS_IOCTL, INFO_NR },
		{ _IOC_WRITE, PIDFS_IOCTL, INFO_NR },
		{ _IOC_READ | _IOC_WRITE, 0xfe, INFO_NR },
		{ _IOC_READ | _IOC_WRITE, 0, INFO_NR },
		{ _IOC_READ | _IOC_WRITE, PIDFS_IOCTL, 12 },
		{ _IOC_READ | _IOC_WRITE, PIDFS_IOCTL, 10 },
	};
	unsigned int good = _IOWR(PIDFS_IOCTL, INFO_NR, struct info);
	unsigned char *map;

	for (size_t i = 0; i < COUNT(wrong); i++) {
		unsigned int cmd = _IOC(wrong[i].dir, wrong[i].type,
					wrong[i].nr, INFO_SIZE);

		memset(page, 0, INFO_SIZE);
		show(ioctl(s->fd, cmd, page), "ioctl like info %#x", cmd);
		show(ioctl(s->fd, cmd, NULL), "ioctl like info %#x NULL", cmd);
	}
	show(ioctl(s->fd, good, NULL), "PIDFD_GET_INFO NULL");
	show(ioctl(s->fd, good, BAD), "PIDFD_GET_INFO bad pointer");
	show(ioctl(s->fd, good, -1L), "PIDFD_GET_INFO -1");
	show(ioctl(s->fd, good, LONG_MIN), "PIDFD_GET_INFO kernel pointer");
	map = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED || mprotect(map + 4096, 4096, PROT_NONE))
		bail_out("mmap");
	for (int left = 0; left <= 96; left += 4)
		show(ioctl(s->fd, good, map + 4096 - left),
		     "PIDFD_GET_INFO with %d bytes left", left);
	mprotect(map, 4096, PROT_READ);
	show(ioctl(s->fd, good, map), "PIDFD_GET_INFO read-only");
	show(ioctl(s->fd, good, map + 1), "PIDFD_GET_INFO read-only unaligned");
	munmap(map, 8192);
}

const struct namespace namespaces[NAMESPACES_NR] = {
	{ "CGROUP", 1, "cgroup", CLONE_NEWCGROUP },
	{ "IPC", 2, "ipc", CLONE_NEWIPC },
	{ "MNT", 3, "mnt", CLONE_NEWNS },
	{ "NET", 4, "net", CLONE_NEWNET },
	{ "PID", 5, "pid", CLONE_NEWPID },
	{ "PID_FOR_CHILDREN", 6, "pid_for_children", 0 },
	{ "TIME", 7, "time", CLONE_NEWTIME },
	{ "TIME_FOR_CHILDREN", 8, "time_for_children", 0 },
	{ "USER", 9, "user", CLONE_NEWUSER },
	{ "UTS", 10, "uts", CLONE_NEWUTS },
};

ino_t namespace_of(pid_t pid, const char *name)
{
	struct stat st = {};
	char path[64];

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
	else
		snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	return stat(path, &st) ? 0 : st.st_ino;
}

static void get_namespace(const struct subject *s, int i, long arg)
{
	unsigned int cmd = _IO(PIDFS_IOCTL, namespaces[i].nr);
	ino_t theirs = namespace_of(s->pid, namespaces[i].path);
	ino_t ours = namespace_of(0, namespaces[i].path);
	char link[64] = "";
	struct stat st = {};
	int fd, error;

	fd = ioctl(s->fd, cmd, arg);
	error = errno;
	if (fd >= 0) {
		fstat(fd, &st);
		note(" %s theirs, %s ours", st.st_ino == theirs ? "is" : "not",
		     st.st_ino == ours ? "is" : "not");
		if (readlink(fd_path("fd", fd), link, sizeof(link) - 1) > 0)
			note(" %.*s", (int)strcspn(link, "["), link);
	}
	errno = error;
	show_fd(fd, "PIDFD_GET_%s_NAMESPACE arg %ld", namespaces[i].name, arg);
}

void call_namespaces(const struct subject *s)
{
	for (size_t i = 0; i < NAMESPACES_NR; i++) {
		get_namespace(s, i, 0);
		get_namespace(s, i, 1);
	}
	show(ioctl(s->fd, GET_UTS, -1L), "PIDFD_GET_UTS_NAMESPACE arg -1");
	show_fd(ioctl(s->fd, GET_UTS, 1L << 32),
		"PIDFD_GET_UTS_NAMESPACE arg 1 << 32");
	show(ioctl(s->fd, _IOR(PIDFS_IOCTL, 10, int), 0),
	     "PIDFD_GET_UTS_NAMESPACE with a size");
}

static const struct {
	const char *name;
	unsigned int cmd;
} ioctls[] = {
	{ "FS_IOC32_GETVERSION", _IOR('v', 1, int) },
	{ "FS_IOC_SETVERSION", FS_IOC_SETVERSION },
	{ "FS_IOC_GETFLAGS", FS_IOC_GETFLAGS },
	{ "FS_IOC_SETFLAGS", FS_IOC_SETFLAGS },
	{ "FS_IOC_FSGETXATTR", FS_IOC_FSGETXATTR },
	{ "FS_IOC_FSSETXATTR", FS_IOC_FSSETXATTR },
	{ "FS_IOC_GETFSUUID", _IOR(0x15, 0, char[17]) },
	{ "FS_IOC_GETFSSYSFSPATH", _IOR(0x15, 1, char[129]) },
	{ "FS_IOC_GETFSLABEL", FS_IOC_GETFSLABEL },
	{ "FS_IOC_FIEMAP", _IOWR('f', 11, char[32]) },
	{ "FIBMAP", FIBMAP },
	{ "FIGETBSZ", FIGETBSZ },
	{ "FIFREEZE", FIFREEZE },
	{ "FITHAW", FITHAW },
	{ "FITRIM", FITRIM },
	{ "FIDEDUPERANGE", FIDEDUPERANGE },
	{ "FICLONE", FICLONE },
	{ "FIONREAD", 0x541b },
	{ "FIOQSIZE", 0x5460 },
	{ "TCGETS", 0x5401 },
	{ "NS_GET_USERNS", _IO(0xb7, 1) },
	{ "pidfs 0", _IO(PIDFS_IOCTL, 0) },
	{ "pidfs 12", _IO(PIDFS_IOCTL, 12) },
	{ "pidfs 255", _IO(PIDFS_IOCTL, 255) },
	{ "pidfs 11 without size", _IO(PIDFS_IOCTL, 11) },
	{ "0", 0 },
	{ "~0", ~0U },
};

void call_ioctls(const struct subject *s)
{
	int number = 12345, zero = 0, result;

	result = ioctl(s->fd, FS_IOC_GETVERSION, &number);
	note(" version=%d", number);
	show(result, "FS_IOC_GETVERSION");
	show(ioctl(s->fd, FS_IOC_GETVERSION, NULL), "FS_IOC_GETVERSION NULL");
	show(ioctl(s->fd, FS_IOC_GETVERSION, BAD), "FS_IOC_GETVERSION bad");
	show(ioctl(s->fd, FS_IOC_GETVERSION, -1L), "FS_IOC_GETVERSION -1");
	for (size_t i = 0; i < COUNT(ioctls); i++) {
		memset(page, 0, 256);
		result = ioctl(s->fd, ioctls[i].cmd, page);
		show(result, "ioctl %s", ioctls[i].name);
		show(ioctl(s->fd, ioctls[i].cmd, 0), "ioctl %s NULL",
		     ioctls[i].name);
	}
	number = 1;
	result = ioctl(s->fd, FIONBIO, &number);
	note(" fl=%#x", fcntl(s->fd, F_GETFL));
	show(result, "FIONBIO 1");
	show(ioctl(s->fd, FIONBIO, &zero), "FIONBIO 0");
	show(ioctl(s->fd, FIOASYNC, &number), "FIOASYNC 1");
	show(ioctl(s->fd, FIOASYNC, &zero), "FIOASYNC 0");
	result = ioctl(s->fd, FIONCLEX);
	note(" fd=%d", fcntl(s->fd, F_GETFD));
	show(result, "FIONCLEX");
	result = ioctl(s->fd, FIOCLEX);
	note(" fd=%d", fcntl(s->fd, F_GETFD));
	show(result, "FIOCLEX");
}
