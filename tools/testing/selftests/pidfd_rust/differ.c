// SPDX-License-Identifier: GPL-2.0
/*
 * Makes valid and invalid system calls on pidfds and prints one line for each result. A value that
 * varies from run to run is printed as a relation to another one. So the output with C pidfds and
 * with Rust pidfds must be equal byte for byte.
 */
#include "differ.h"

static void find_own_cgroup(void)
{
	struct info info = { .mask = INFO_ALL };
	char line[PATH_MAX], path[PATH_MAX + 32];
	FILE *file = fopen("/proc/self/cgroup", "r");
	struct stat st = {};

	ioctl(self_fd, _IOWR(PIDFS_IOCTL, INFO_NR, struct info), &info);
	own_cgroup = info.cgroupid;
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "0::", 3))
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(path, sizeof(path), "/sys/fs/cgroup%s", line + 3);
		show(stat(path, &st), "stat of own cgroup");
		show(st.st_ino == own_cgroup, "its inode is the cgroup id");
	}
	if (file)
		fclose(file);
}

static void too_slow(int sig)
{
	static const char why[] = "Bail out! something hangs\n";

	(void)!write(STDOUT_FILENO, why, sizeof(why) - 1);
	_exit(1);
}

static void set_up(void)
{
	struct statx x = {};
	int fd;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGALRM, too_slow);
	alarm(500);
	bad_pointer = (void *)8;
	clock_gettime(CLOCK_REALTIME_COARSE, &started);
	if (!mkdtemp(tmpdir) || chmod(tmpdir, 0755) || chdir(tmpdir))
		bail_out("temporary folder");
	fd = open("place", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		bail_out("place");
	close(fd);
	if (unshare(CLONE_NEWNS) ||
	    syscall(__NR_mount, "none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		bail_out("mount namespace");
	self_fd = pidfd_open(getpid(), 0);
	if (self_fd < 0 || fstat(self_fd, &self_stat) ||
	    fstatfs(self_fd, &self_statfs) ||
	    statx(self_fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &x))
		bail_out("pidfd of self");
	self_mnt = x.stx_mnt_id;
	find_own_cgroup();
}

int main(int argc, char **argv)
{
	static void (*const tests[])(void) = {
		test_open, all_clone3, all_clone, test_clone_pointers,
		test_clone_limits, test_clone_thread, look_at_living,
		look_at_dead, look_at_crashes, look_at_threads, look_at_leader,
		look_at_exec, look_at_autoreaped, look_at_pid_namespace,
		look_at_cgroup, call_from_elsewhere, test_sockets,
		test_core_socket, test_fanotify, sentinels, keeps, never_seen, really_ends,
		releases_memory, test_compat,
	};

	/* A child that has executed this program continues as a child. */
	if (argc > 1)
		kid_main(atoi(argv[1]));
	set_up();
	for (size_t i = 0; i < COUNT(tests); i++)
		tests[i]();
	show(waitpid(-1, NULL, __WALL | WNOHANG), "waitpid at the end");
	unlink("place");
	if (chdir("/") || rmdir(tmpdir))
		bail_out("temporary folder");
	return 0;
}
