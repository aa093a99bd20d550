// SPDX-License-Identifier: GPL-2.0
/* Callers in other namespaces, and without privileges. */
#include "differ.h"

static void become_nobody(void)
{
	if (setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY) || prctl(PR_SET_DUMPABLE, 1))
		bail_out("becoming nobody");
}

static void nobody_looks(const void *arg)
{
	const struct subject *s = arg;
	struct subject own = { "own pidfd", -1, getpid(), getpid(), 0 };

	become_nobody();
	caller = "nobody";
	look_at(s);
	own.skip = FILES;
	own.fd = pidfd_open(getpid(), 0);
	look_at(&own);
}

static void map_ids(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "0 0 1", 5) != 5)
		bail_out(path);
	close(fd);
}

static void user_looks(const void *arg)
{
	struct subject s = *(const struct subject *)arg;

	if (unshare(CLONE_NEWUSER))
		bail_out("unshare");
	caller = "unmapped user namespace";
	look_at(&s);
	map_ids("/proc/self/uid_map");
	caller = "mapped user namespace";
	look_at(&s);
}

static void inside_looks(const void *arg)
{
	const struct subject *s = arg;
	struct subject outer = { "parent", self_fd, 0, 0, FILES };
	struct subject own = { "own pidfd", -1, getpid(), getpid(), FILES };

	caller = "pid namespace";
	outer.pid = -3;
	outer.tgid = -3;
	look_at(s);
	look_at(&outer);
	own.fd = pidfd_open(getpid(), 0);
	look_at(&own);
	close(own.fd);
	if (unshare(CLONE_NEWNS) ||
	    syscall(__NR_mount, "proc", "/proc", "proc", 0, NULL))
		bail_out("mount of /proc");
	caller = "pid namespace with /proc";
	look_at(s);
	look_at(&outer);
	own.fd = pidfd_open(getpid(), 0);
	look_at(&own);
}

static void brother_looks(const void *arg)
{
	caller = "brother";
	look_at(arg);
}

static void jailed_looks(const void *arg)
{
	if (chroot(".") || chdir("/"))
		bail_out("chroot");
	caller = "chroot";
	look_at(arg);
}

static void let_callers_look(const char *name, struct kid *kid,
			     unsigned int skip)
{
	struct subject s = { name, kid->fd, kid->pid, kid->pid, skip };

	in_child(0, nobody_looks, &s);
	s.skip = FILES;
	in_child(0, user_looks, &s);
	in_child(CLONE_NEWPID, inside_looks, &s);
	/* These depend on the caller only by its namespaces. */
	s.skip = FILES | INFO | HANDLES | XATTRS;
	in_child(0, brother_looks, &s);
	in_child(0, jailed_looks, &s);
}

void call_from_elsewhere(void)
{
	struct kid kid = spawn(0);

	let_callers_look("child", &kid, 0);
	tell(&kid, EXIT, 14);
	await_zombie(kid.pid);
	let_callers_look("zombie", &kid, FILES);
	reap(kid.pid);
	let_callers_look("reaped", &kid, FILES);
	put(&kid);
	kid = spawn(0);
	do_or_bail_out(&kid, DUMPABLE, 0);
	let_callers_look("not dumpable", &kid, FILES);
	end(&kid);
	kid = spawn(0);
	do_or_bail_out(&kid, BECOME, NOBODY);
	do_or_bail_out(&kid, DUMPABLE, 1);
	let_callers_look("nobody's child", &kid, FILES);
	end(&kid);
}
