// SPDX-License-Identifier: GPL-2.0
/* File handles and extended attributes. */
#include "differ.h"

static void get_handle(const struct subject *s, unsigned int bytes, int flags)
{
	struct handle a, b;
	struct stat st = {};
	__u64 mnt = 0, id;
	int result, error;

	memset(&a, 0xa5, sizeof(a));
	memset(&b, 0x5a, sizeof(b));
	a.head.handle_bytes = bytes;
	b.head.handle_bytes = bytes;
	syscall(__NR_name_to_handle_at, s->fd, "", &b, &mnt, flags);
	mnt = 0;
	result = syscall(__NR_name_to_handle_at, s->fd, "", &a, &mnt, flags);
	error = errno;
	fstat(s->fd, &st);
	memcpy(&id, a.bytes, sizeof(id));
	note_written((void *)&a, (void *)&b, sizeof(a));
	note(" bytes=%u", a.head.handle_bytes);
	if (is_written((void *)&a, (void *)&b, 4, 8))
		note(" type=%#x", a.head.handle_type);
	if (is_written(a.bytes, b.bytes, 0, 8))
		note(" id%sst_ino", id == st.st_ino ? "==" : "!=");
	note(" %s mount", mnt == self_mnt ? "same" : mnt ? "other" : "no");
	errno = error;
	show(result, "name_to_handle_at bytes=%u flags=%#x", bytes, flags);
}

void call_handles(const struct subject *s)
{
	static const unsigned int sizes[] = { 0, 1, 4, 7, 8, 9, 12, 16, 128, };
	struct handle h = { .head.handle_bytes = 128 };
	int mnt;

	for (size_t i = 0; i < COUNT(sizes); i++)
		get_handle(s, sizes[i], AT_EMPTY_PATH);
	get_handle(s, 0, AT_EMPTY_PATH | AT_HANDLE_FID);
	get_handle(s, 128, AT_EMPTY_PATH | AT_HANDLE_FID);
	get_handle(s, 128, AT_EMPTY_PATH | AT_HANDLE_MNT_ID_UNIQUE);
	get_handle(s, 128, AT_EMPTY_PATH | AT_HANDLE_CONNECTABLE);
	get_handle(s, 128, AT_EMPTY_PATH | AT_HANDLE_CONNECTABLE |
		   AT_HANDLE_FID);
	get_handle(s, 129, AT_EMPTY_PATH);
	get_handle(s, ~0U, AT_EMPTY_PATH);
	get_handle(s, 128, 0);
	get_handle(s, 128, AT_EMPTY_PATH | AT_SYMLINK_FOLLOW);
	get_handle(s, 128, AT_EMPTY_PATH | 0x40000000);
	show(name_to_handle_at(AT_FDCWD, fd_path("fd", s->fd), &h.head, &mnt,
			       AT_SYMLINK_FOLLOW), "name_to_handle_at by path");
	show(syscall(__NR_name_to_handle_at, s->fd, "", BAD, &mnt,
		     AT_EMPTY_PATH), "name_to_handle_at bad handle");
	show(syscall(__NR_name_to_handle_at, s->fd, "", &h, BAD,
		     AT_EMPTY_PATH), "name_to_handle_at bad mount id");
	show(name_to_handle_at(s->fd, "x", &h.head, &mnt, 0),
	     "name_to_handle_at of a name");
}

bool handle_of(int fd, struct handle *h)
{
	int mnt;

	memset(h, 0, sizeof(*h));
	h->head.handle_bytes = 128;
	return !name_to_handle_at(fd, "", &h->head, &mnt, AT_EMPTY_PATH);
}

static void __attribute__((format(printf, 4, 5)))
open_handle(const struct subject *s, int mount, const struct handle *h,
	    const char *format, ...)
{
	int fd = open_by_handle_at(mount, (void *)h, O_RDWR | O_CLOEXEC);
	struct stat a = {}, b = {};
	char what[128];
	va_list args;
	int error = errno;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	if (fd >= 0) {
		fstat(fd, &a);
		fstat(s->fd, &b);
		note(" %s inode", a.st_ino == b.st_ino &&
		     a.st_dev == b.st_dev ? "same" : "other");
	}
	errno = error;
	show_fd(fd, "open_by_handle_at %s", what);
}

static void change_handle(const struct subject *s, const struct handle *good)
{
	static const int types[] = { 0, 1, 2, 0xfe, 0xff, 0x10fe, -1, };
	static const unsigned int sizes[] = { 0, 1, 4, 7, 9, 12, 16, 128, 129 };
	static const __u64 ids[] = { 0, 1, ~0ULL, 1ULL << 40, };
	struct handle h;

	for (size_t i = 0; i < COUNT(types); i++) {
		h = *good;
		h.head.handle_type = types[i];
		open_handle(s, ROOT_OF_PIDFS, &h, "type %#x", types[i]);
	}
	for (size_t i = 0; i < COUNT(sizes); i++) {
		h = *good;
		h.head.handle_bytes = sizes[i];
		open_handle(s, ROOT_OF_PIDFS, &h, "size %u", sizes[i]);
	}
	for (size_t i = 0; i < COUNT(ids); i++) {
		h = *good;
		memcpy(h.bytes, &ids[i], sizeof(ids[i]));
		/* Number 1 belongs to a process with or without a pidfd. */
		if (ids[i] != 1)
			open_handle(s, ROOT_OF_PIDFS, &h, "id %#llx", ids[i]);
	}
	open_handle(s, ROOT_OF_PIDFS, NULL, "NULL");
	open_handle(s, ROOT_OF_PIDFS, BAD, "bad pointer");
}

void call_open_handles(const struct subject *s)
{
	struct handle h;
	int root;

	if (!handle_of(s->fd, &h)) {
		show(-1, "name_to_handle_at");
		return;
	}
	root = open("/", O_RDONLY | O_CLOEXEC | O_DIRECTORY);
	open_handle(s, ROOT_OF_PIDFS, &h, "at FD_PIDFS_ROOT");
	open_handle(s, s->fd, &h, "at itself");
	open_handle(s, self_fd, &h, "at pidfd of self");
	open_handle(s, AT_FDCWD, &h, "at AT_FDCWD");
	open_handle(s, root, &h, "at /");
	open_handle(s, -1, &h, "at -1");
	open_handle(s, -10003, &h, "at FD_NSFS_ROOT");
	open_handle(s, -10004, &h, "at -10004");
	open_handle(s, -10009, &h, "at FD_INVALID");
	open_handle(s, 999, &h, "at 999");
	close(root);
	for (size_t i = 0; i < OPEN_FLAGS; i++) {
		show_fd(open_by_handle_at(ROOT_OF_PIDFS, &h.head,
					  open_flags[i].flags),
			"open_by_handle_at %s", open_flags[i].name);
	}
	for (int bit = 0; bit < 31; bit++) {
		show_fd(open_by_handle_at(s->fd, &h.head, 1 << bit),
			"open_by_handle_at bit %d", bit);
	}
	change_handle(s, &h);
}

static const char *const attributes[] = {
	"trusted.x", "user.x", "security.x", "system.x", "", "x", "trusted",
	"trusted.", "trusted.overlay.x", "Trusted.x", "system.posix_acl_access",
	"security.selinux", "security.capability", "btrfs.x",
};

void note_list(int fd)
{
	char list[1024];
	ssize_t n = flistxattr(fd, list, sizeof(list));

	note(" list=%zd", n);
	for (char *name = list; n > 0 && name < list + n;
	     name += strlen(name) + 1)
		note(" %s", name);
}

static void one_attribute(int fd, const char *name)
{
	char value[16] = "";
	ssize_t n;

	show(fgetxattr(fd, name, value, sizeof(value)), "fgetxattr '%s'", name);
	show(fsetxattr(fd, name, "abc", 3, 0), "fsetxattr '%s'", name);
	n = fgetxattr(fd, name, value, sizeof(value));
	note(" '%.*s'", (int)(n < 0 ? 0 : n), value);
	show(n, "fgetxattr '%s' set", name);
	note_list(fd);
	show(fgetxattr(fd, name, NULL, 0), "fgetxattr '%s' size", name);
	show(fremovexattr(fd, name), "fremovexattr '%s'", name);
	show(fremovexattr(fd, name), "fremovexattr '%s' again", name);
}

static void attribute_flags(int fd)
{
	const char *x = "trusted.x";
	char value[8];

	show(fsetxattr(fd, x, "a", 1, XATTR_REPLACE), "XATTR_REPLACE of none");
	show(fsetxattr(fd, x, "a", 1, XATTR_CREATE), "XATTR_CREATE");
	show(fsetxattr(fd, x, "b", 1, XATTR_CREATE), "XATTR_CREATE again");
	show(fsetxattr(fd, x, "cd", 2, XATTR_REPLACE), "XATTR_REPLACE");
	show(fsetxattr(fd, x, "e", 1, 3), "XATTR_CREATE|XATTR_REPLACE");
	show(fsetxattr(fd, x, "e", 1, 4), "fsetxattr flag 4");
	show(fgetxattr(fd, x, value, 1), "fgetxattr into 1 byte");
	show(fgetxattr(fd, x, value, 2), "fgetxattr into 2 bytes");
	show(fgetxattr(fd, x, BAD, 2), "fgetxattr to bad pointer");
	show(fgetxattr(fd, BAD, value, 2), "fgetxattr of bad name");
	show(fsetxattr(fd, x, BAD, 2, 0), "fsetxattr from bad pointer");
	show(flistxattr(fd, value, 1), "flistxattr into 1 byte");
	show(flistxattr(fd, NULL, 0), "flistxattr size");
	show(flistxattr(fd, BAD, 100), "flistxattr to bad pointer");
	show(fsetxattr(fd, x, NULL, 0, 0), "fsetxattr of no bytes");
	show(fgetxattr(fd, x, value, sizeof(value)), "fgetxattr of no bytes");
	show(fremovexattr(fd, x), "fremovexattr");
	show(fremovexattr(fd, BAD), "fremovexattr of bad name");
	note_list(fd);
	show(0, "flistxattr");
}

static void attribute_sizes(int fd)
{
	static char value[65537], back[65537], name[300];

	memset(value, 'v', sizeof(value));
	show(fsetxattr(fd, "trusted.x", value, 65536, 0), "fsetxattr 65536");
	show(fgetxattr(fd, "trusted.x", back, 65537), "fgetxattr into 65537");
	show(memcmp(value, back, 65536), "memcmp of it");
	show(fgetxattr(fd, "trusted.x", back, 65535), "fgetxattr into 65535");
	show(fsetxattr(fd, "trusted.x", value, 65537, 0), "fsetxattr 65537");
	show(fremovexattr(fd, "trusted.x"), "fremovexattr of large");
	for (int len = 254; len <= 257; len++) {
		memset(name, 'n', sizeof(name));
		memcpy(name, "trusted.", 8);
		name[len] = '\0';
		show(fsetxattr(fd, name, "v", 1, 0), "fsetxattr name %d", len);
		show(flistxattr(fd, back, sizeof(back)), "flistxattr %d", len);
		show(fgetxattr(fd, name, back, 8), "fgetxattr name %d", len);
		show(fremovexattr(fd, name), "fremovexattr name %d", len);
	}
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "trusted.%c%d", 'z' - i % 7, i);
		if (fsetxattr(fd, name, value, i, 0))
			show(-1, "fsetxattr number %d", i);
	}
	note_list(fd);
	show(0, "flistxattr of many");
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "trusted.%c%d", 'z' - i % 7, i);
		if (fgetxattr(fd, name, back, 64) != i || fremovexattr(fd, name))
			show(-1, "fgetxattr, fremovexattr number %d", i);
	}
	note_list(fd);
	show(0, "flistxattr of none");
}

void call_xattrs(const struct subject *s)
{
	const char *path = fd_path("fd", s->fd);
	struct xattr_args {
		__aligned_u64 value;
		__u32 size, flags;
	} args = { (uintptr_t)page, 1, 0 };

	for (size_t i = 0; i < COUNT(attributes); i++)
		one_attribute(s->fd, attributes[i]);
	attribute_flags(s->fd);
	attribute_sizes(s->fd);
	show(setxattr(path, "trusted.p", "p", 1, 0), "setxattr by path");
	show(fgetxattr(s->fd, "trusted.p", page, 9), "fgetxattr after that");
	show(getxattr(path, "trusted.p", page, 9), "getxattr by path");
	show(lgetxattr(path, "trusted.p", page, 9), "lgetxattr by path");
	show(syscall(__NR_setxattrat, s->fd, "", AT_EMPTY_PATH, "trusted.p",
		     &args, sizeof(args)), "setxattrat");
	show(syscall(__NR_getxattrat, s->fd, "", AT_EMPTY_PATH, "trusted.p",
		     &args, sizeof(args)), "getxattrat");
	show(listxattr(path, (char *)page, 99), "listxattr by path");
	show(removexattr(path, "trusted.p"), "removexattr by path");
	show(removexattr(path, "trusted.p"), "removexattr by path again");
}
