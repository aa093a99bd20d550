// SPDX-License-Identifier: GPL-2.0
/* Processes in each state, and threads. */
#include "differ.h"

void look_at_living(void)
{
	struct subject self = { "self", self_fd, getpid(), getpid(), 0 };
	struct subject init = { "init", pidfd_open(1, 0), 1, 1, SETNS };
	struct subject kthread = { "kthread", pidfd_open(2, 0), 2, 2, 0 };
	struct kid kid = spawn(0);

	look_at_kid("child", &kid, 0);
	do_or_bail_out(&kid, UNSHARE, CLONE_NEWUTS | CLONE_NEWIPC |
		       CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWCGROUP |
		       CLONE_NEWPID | CLONE_NEWTIME);
	look_at_kid("child that unshared", &kid, FILES | HANDLES | XATTRS);
	end(&kid);
	look_at(&self);
	look_at(&init);
	look_at(&kthread);
	close(init.fd);
	close(kthread.fd);

	kid = spawn(CLONE_NEWUSER | CLONE_NEWUTS);
	look_at_kid("child in user namespace", &kid, FILES | HANDLES);
	end(&kid);
	kid = spawn(0);
	do_or_bail_out(&kid, BECOME, 1000);
	look_at_kid("child of other user", &kid, FILES | HANDLES);
	end(&kid);
}

void look_at_dead(void)
{
	struct kid kid = spawn(0);

	tell(&kid, EXIT, 7);
	await_zombie(kid.pid);
	look_at_kid("zombie", &kid, 0);
	reap(kid.pid);
	look_at_kid("reaped", &kid, 0);
	put(&kid);

	kid = spawn(0);
	kill(kid.pid, SIGKILL);
	await_zombie(kid.pid);
	look_at_kid("killed zombie", &kid, FILES | HANDLES | XATTRS);
	reap(kid.pid);
	look_at_kid("killed", &kid, FILES | HANDLES | XATTRS);
	put(&kid);

	kid = spawn(0);
	kill(kid.pid, SIGSTOP);
	if (waitid(P_PID, kid.pid, NULL, WSTOPPED | WNOWAIT))
		bail_out("waitid for a stopped child");
	look_at_kid("stopped", &kid, FILES | HANDLES | XATTRS);
	end(&kid);
}

/* Dies of @sig, with a core dump if both allow it. */
static void look_at_crash(const char *name, int sig, int limit, int dumpable)
{
	const unsigned int skip = FILES | NAMESPACES | HANDLES | XATTRS | SETNS;
	struct kid kid = spawn(0);
	char full[64];

	do_or_bail_out(&kid, CORE_LIMIT, limit);
	do_or_bail_out(&kid, DUMPABLE, dumpable);
	snprintf(full, sizeof(full), "%s, alive", name);
	look_at_kid(full, &kid, skip & ~NAMESPACES);
	tell(&kid, RAISE, sig);
	await_zombie(kid.pid);
	snprintf(full, sizeof(full), "%s, zombie", name);
	look_at_kid(full, &kid, skip);
	reap(kid.pid);
	snprintf(full, sizeof(full), "%s, reaped", name);
	look_at_kid(full, &kid, skip);
	put(&kid);
	unlink("core");
}

void look_at_crashes(void)
{
	look_at_crash("dumps core", SIGSEGV, 1 << 24, 1);
	look_at_crash("aborts", SIGABRT, 1 << 24, 1);
	look_at_crash("core limit 0", SIGSEGV, 0, 1);
	look_at_crash("core limit 1", SIGQUIT, 1, 1);
	look_at_crash("not dumpable", SIGSEGV, 1 << 24, 0);
	look_at_crash("terminated", SIGTERM, 1 << 24, 1);
}

void look_at_threads(void)
{
	struct kid kid = spawn(0);
	pid_t tid = tell(&kid, THREAD, 0);
	struct subject s = { "thread", -1, tid, kid.pid, 0 };

	subject = "thread";
	show_fd(pidfd_open(tid, 0), "pidfd_open without PIDFD_THREAD");
	s.fd = pidfd_open(tid, THREAD_FLAG);
	look_at(&s);
	look_at_kid("leader", &kid, FILES | HANDLES | XATTRS);
	do_or_bail_out(&kid, END_THREAD, 0);
	await_gone(s.fd);
	s.name = "thread that ended";
	look_at(&s);
	look_at_kid("leader without threads", &kid, FILES | HANDLES | XATTRS);
	close(s.fd);
	end(&kid);
}

static bool is_zombie(pid_t pid)
{
	char path[64], buf[512], *state;
	ssize_t n = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	buf[n > 0 ? n : 0] = '\0';
	state = strrchr(buf, ')');
	return state && state[1] && state[2] == 'Z';
}

void look_at_leader(void)
{
	struct kid kid = spawn(0);
	struct subject s = { "exited leader", -1, kid.pid, kid.pid, 0 };
	struct subject t = { "thread of exited leader", -1, 0, kid.pid, FILES };

	t.pid = tell(&kid, THREAD, 0);
	t.fd = pidfd_open(t.pid, THREAD_FLAG);
	s.fd = pidfd_open(kid.pid, THREAD_FLAG);
	tell(&kid, END_LEADER, 5);
	for (int i = 0; !is_zombie(kid.pid); i++) {
		if (i == 20000)
			bail_out("a leader does not end");
		usleep(1000);
	}
	look_at(&s);
	s.name = "exited leader's process";
	s.skip = FILES;
	close(s.fd);
	s.fd = kid.fd;
	look_at(&s);
	look_at(&t);
	kill(kid.pid, SIGKILL);
	await_zombie(kid.pid);
	s.name = "exited leader, killed";
	look_at(&s);
	await_gone(t.fd);
	t.name = "thread of exited leader, killed";
	look_at(&t);
	reap(kid.pid);
	s.name = "exited leader, reaped";
	look_at(&s);
	close(t.fd);
	put(&kid);
}

void look_at_exec(void)
{
	struct kid kid = spawn(0);
	pid_t tid = tell(&kid, EXEC, 0);
	struct subject t = { "thread before exec", -1, tid, kid.pid, FILES };
	struct subject s = { "leader's thread after exec", -1, kid.pid,
			     kid.pid, FILES };

	s.fd = pidfd_open(kid.pid, THREAD_FLAG);
	t.fd = pidfd_open(tid, THREAD_FLAG);
	look_at(&t);
	/* Any order ends the wait of the thread. */
	if (tell(&kid, THREAD, 0))
		bail_out("exec");
	await_gone(t.fd);
	t.name = "thread after exec";
	look_at(&t);
	look_at(&s);
	look_at_kid("leader after exec", &kid, FILES | HANDLES);
	close(s.fd);
	close(t.fd);
	end(&kid);
}

void look_at_autoreaped(void)
{
	const __u64 autokill = CLONE_AUTOREAP | CLONE_NNP |
			       CLONE_PIDFD_AUTOKILL;
	struct kid kid;
	int other;

	signal(SIGCHLD, SIG_IGN);
	kid = spawn(0);
	tell(&kid, EXIT, 9);
	await_gone(kid.fd);
	signal(SIGCHLD, SIG_DFL);
	look_at_kid("reaped by itself", &kid, FILES);
	put(&kid);

	kid = spawn(CLONE_AUTOREAP);
	look_at_kid("CLONE_AUTOREAP", &kid, FILES);
	tell(&kid, EXIT, 10);
	await_gone(kid.fd);
	look_at_kid("CLONE_AUTOREAP, gone", &kid, FILES);
	put(&kid);

	kid = spawn(autokill);
	other = pidfd_open(kid.pid, 0);
	look_at_kid("CLONE_PIDFD_AUTOKILL", &kid, 0);
	show_fd(dup(other), "dup of other pidfd");
	close(kid.fd);
	await_gone(other);
	kid.fd = other;
	look_at_kid("CLONE_PIDFD_AUTOKILL, killed", &kid, FILES);
	put(&kid);

	/* Closing another pidfd does not kill it. */
	kid = spawn(autokill);
	show_fd(pidfd_open(kid.pid, 0), "pidfd_open of autokill");
	look_at_kid("CLONE_PIDFD_AUTOKILL, other closed", &kid, FILES | XATTRS);
	tell(&kid, EXIT, 11);
	await_gone(kid.fd);
	look_at_kid("CLONE_PIDFD_AUTOKILL, ended", &kid, FILES | XATTRS);
	put(&kid);
}

void look_at_pid_namespace(void)
{
	struct kid kid = spawn(CLONE_NEWPID);

	look_at_kid("child in pid namespace", &kid, FILES);
	tell(&kid, EXIT, 12);
	await_zombie(kid.pid);
	look_at_kid("zombie in pid namespace", &kid, FILES | XATTRS);
	reap(kid.pid);
	look_at_kid("reaped in pid namespace", &kid, FILES | XATTRS);
	put(&kid);
}

void look_at_cgroup(void)
{
	const char *path = "/sys/fs/cgroup/differ";
	struct kid kid = spawn(0);
	struct stat st = {};
	FILE *procs;

	if (mkdir(path, 0755) || stat(path, &st)) {
		show(-1, "no cgroup to be had");
		end(&kid);
		return;
	}
	procs = fopen("/sys/fs/cgroup/differ/cgroup.procs", "w");
	if (!procs || fprintf(procs, "%d\n", kid.pid) < 0 || fclose(procs))
		bail_out("cgroup.procs");
	look_at_kid("in other cgroup", &kid, ~INFO);
	own_cgroup ^= st.st_ino;
	look_at_kid("in this cgroup", &kid, ~INFO);
	tell(&kid, EXIT, 13);
	await_zombie(kid.pid);
	look_at_kid("zombie in this cgroup", &kid, ~INFO);
	reap(kid.pid);
	look_at_kid("reaped in this cgroup", &kid, ~INFO);
	own_cgroup ^= st.st_ino;
	put(&kid);
	/* The child leaves its cgroup in its last context switch. */
	for (int i = 0; rmdir(path); i++) {
		if (errno != EBUSY || i == 20000)
			bail_out("a cgroup does not go");
		usleep(1000);
	}
}
