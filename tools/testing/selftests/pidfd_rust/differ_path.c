// SPDX-License-Identifier: GPL-2.0
/* Calls on fdinfo, paths, and mounts of a pidfd. */
#include "differ.h"

/* One line of /proc/self/fdinfo. Numbers are replaced by their meaning. */
static void fdinfo_line(const struct subject *s, char *line)
{
	char *value = strchr(line, '\t');
	struct stat st = {};

	if (!value) {
		note(" | '%s'", line);
		return;
	}
	*value++ = '\0';
	note(" | %s", line);
	if (!strcmp(line, "ino:")) {
		fstat(s->fd, &st);
		note(" %s", strtoul(value, NULL, 10) == st.st_ino ? "st_ino" :
		     "other");
	} else if (!strcmp(line, "mnt_id:")) {
		note(" %s", strtoul(value, NULL, 10) == self_mnt ? "same" :
		     "other");
	} else if (!strcmp(line, "Pid:") || !strcmp(line, "NSpid:")) {
		for (; value; value = strchr(value, '\t')) {
			value += *value == '\t';
			note(" %s", pid_name(strtol(value, NULL, 10), s));
		}
	} else {
		note(" %s", value);
	}
}

void call_fdinfo(const struct subject *s)
{
	int fd = open(fd_path("fdinfo", s->fd), O_RDONLY | O_CLOEXEC);
	char *line, *rest = (char *)page;
	ssize_t n;

	if (fd < 0) {
		show(fd, "open of fdinfo");
		return;
	}
	n = read(fd, page, sizeof(page) - 1);
	close(fd);
	page[n < 0 ? 0 : n] = '\0';
	while ((line = strsep(&rest, "\n")))
		fdinfo_line(s, line);
	show(n < 0 ? -1 : 0, "fdinfo");
}

void call_paths(const struct subject *s)
{
	char *const empty[] = { NULL };
	int fd = s->fd, other;

	for (int mode = 0; mode < 8; mode++) {
		show(syscall(__NR_faccessat2, fd, "", mode, AT_EMPTY_PATH),
		     "faccessat2 %d", mode);
	}
	show(access(fd_path("fd", fd), F_OK), "access by path");
	show(execveat(fd, "", empty, empty, AT_EMPTY_PATH), "execveat");
	show(linkat(fd, "", AT_FDCWD, "link", AT_EMPTY_PATH), "linkat");
	show(linkat(AT_FDCWD, fd_path("fd", fd), AT_FDCWD, "link",
		    AT_SYMLINK_FOLLOW), "linkat by path");
	show(unlinkat(fd, "", 0), "unlinkat");
	show(mkdirat(fd, "x", 0700), "mkdirat");
	show(mknodat(fd, "x", 0600, 0), "mknodat");
	show(symlinkat("x", fd, "x"), "symlinkat");
	show(renameat(fd, "x", fd, "y"), "renameat");
	show(chroot(fd_path("fd", fd)), "chroot");
	show(chdir(fd_path("fd", fd)), "chdir");
	other = inotify_init1(IN_CLOEXEC);
	show(inotify_add_watch(other, fd_path("fd", fd), IN_ALL_EVENTS),
	     "inotify_add_watch");
	show(inotify_add_watch(fd, "/", IN_ALL_EVENTS),
	     "inotify_add_watch with it");
	close(other);
	other = fanotify_init(FAN_CLASS_NOTIF, 0);
	show(fanotify_mark(other, FAN_MARK_ADD, FAN_OPEN, fd, NULL),
	     "fanotify_mark");
	show(fanotify_mark(other, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN, fd,
			   NULL), "fanotify_mark mount");
	show(fanotify_mark(other, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_OPEN,
			   fd, NULL), "fanotify_mark filesystem");
	close(other);
	other = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_FID, 0);
	show(fanotify_mark(other, FAN_MARK_ADD, FAN_OPEN, fd, NULL),
	     "fanotify_mark by handle");
	close(other);
	show(accept(fd, NULL, NULL), "accept");
	show(syscall(__NR_signalfd4, fd, page, 8, 0), "signalfd4");
}

/* Mounts, in the mount namespace of this program. */
void call_mount(const struct subject *s)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	int fd = s->fd, tree;
	struct stat st = {};

	tree = syscall(__NR_open_tree, fd, "", AT_EMPTY_PATH);
	if (tree >= 0)
		fstat(tree, &st);
	note(" %s dev", st.st_dev == self_stat.st_dev ? "same" : "other");
	show_fd(tree, "open_tree");
	tree = syscall(__NR_open_tree, fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE);
	show_fd(tree, "open_tree OPEN_TREE_CLONE");
	show_fd(syscall(__NR_open_tree, AT_FDCWD, fd_path("fd", fd),
			OPEN_TREE_CLONE), "open_tree OPEN_TREE_CLONE by path");
	show_fd(syscall(__NR_open_tree, fd, "x", OPEN_TREE_CLONE),
		"open_tree of a name");
	tree = syscall(__NR_open_tree, fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE |
		       OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (tree >= 0) {
		show(syscall(__NR_move_mount, tree, "", AT_FDCWD, "place",
			     MOVE_MOUNT_F_EMPTY_PATH), "move_mount of tree");
		show_fd(open("place", O_RDWR), "open of mounted tree");
		show(syscall(__NR_umount2, "place", 0), "umount2 of tree");
	}
	show_fd(tree, "open_tree all");
	show(syscall(__NR_move_mount, fd, "", AT_FDCWD, "place",
		     MOVE_MOUNT_F_EMPTY_PATH), "move_mount from");
	show(syscall(__NR_move_mount, AT_FDCWD, "place", fd, "",
		     MOVE_MOUNT_T_EMPTY_PATH), "move_mount to");
	show(syscall(__NR_mount, fd_path("fd", fd), "place", NULL, 4096, NULL),
	     "mount bind from");
	show(syscall(__NR_umount2, "place", 0), "umount2 of bind");
	show(syscall(__NR_mount, "place", fd_path("fd", fd), NULL, 4096, NULL),
	     "mount bind to");
	show(syscall(__NR_mount, "none", fd_path("fd", fd), "tmpfs", 0, NULL),
	     "mount tmpfs on it");
	show(syscall(__NR_mount, "none", "place", "pidfs", 0, NULL),
	     "mount of pidfs");
	show(syscall(__NR_umount2, fd_path("fd", fd), 0), "umount2 by path");
	show(syscall(__NR_mount_setattr, fd, "", AT_EMPTY_PATH, &attr,
		     sizeof(attr)), "mount_setattr");
	show_fd(syscall(__NR_fspick, fd, "", 8), "fspick");
	show(syscall(__NR_quotactl_fd, fd, 0x80000800, 0, page), "quotactl_fd");
}
