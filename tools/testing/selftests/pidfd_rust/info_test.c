// SPDX-License-Identifier: GPL-2.0
/* PIDFD_GET_INFO of a process that has not been reaped, and the size of its struct. */
#include <linux/fs.h>

#include "pidfs.h"
#include "rust_harness.h"
#include "thread.h"

#define INFO_SIZE 88

PEER_FIXTURE(info, CLONE_PIDFD)

static long takes_ids(long unused)
{
	return syscall(__NR_setresgid, 11, 12, 13) ||
	       syscall(__NR_setfsgid, 14) != 12 ||
	       syscall(__NR_setresuid, 1, 2, 3) ||
	       syscall(__NR_setfsuid, 3) != 2;
}

TEST_F(info, has_the_ids_of_the_process)
{
	struct pidfd_info info;

	ASSERT_EQ(0, peer_does(&self->peer, takes_ids, 0));
	ASSERT_EQ(0, get_info(self->peer.pidfd, 0, &info));
	EXPECT_EQ(PIDFD_INFO_PID | PIDFD_INFO_CREDS | PIDFD_INFO_CGROUPID,
		  info.mask);
	EXPECT_EQ(self->peer.pid, info.pid);
	EXPECT_EQ(self->peer.pid, info.tgid);
	EXPECT_EQ(getpid(), info.ppid);
	EXPECT_EQ(1, info.ruid);
	EXPECT_EQ(2, info.euid);
	EXPECT_EQ(3, info.suid);
	EXPECT_EQ(3, info.fsuid);
	EXPECT_EQ(11, info.rgid);
	EXPECT_EQ(12, info.egid);
	EXPECT_EQ(13, info.sgid);
	EXPECT_EQ(14, info.fsgid);
	EXPECT_EQ(0, info.exit_code);
	EXPECT_EQ(0, info.supported_mask);
}

TEST_F(info, is_that_of_the_caller_for_its_own_pidfd)
{
	struct pidfd_info info;
	int own = sys_pidfd_open(getpid(), 0);

	ASSERT_EQ(0, get_info(own, 0, &info));
	EXPECT_EQ(getpid(), info.pid);
	EXPECT_EQ(getppid(), info.ppid);
	EXPECT_EQ(getuid(), info.ruid);
	close(own);
}

TEST_F(info, of_a_thread_has_its_id_and_that_of_the_process)
{
	char *stack = new_stack(THREAD_STACK);
	struct pidfd_info info;
	int pidfd = -1;
	pid_t tid;

	ASSERT_NE(NULL, stack);
	ASSERT_EQ(0, pipe2(thread_pipe, O_CLOEXEC));
	tid = clone(thread_awaits_a_byte, stack + THREAD_STACK, THREAD | CLONE_PIDFD,
		    NULL, &pidfd);
	ASSERT_GT(tid, 0);
	EXPECT_EQ(0, get_info(pidfd, 0, &info));
	EXPECT_EQ(tid, info.pid);
	EXPECT_EQ(getpid(), info.tgid);
	EXPECT_EQ(1, write_nointr(thread_pipe[1], "", 1));
	EXPECT_TRUE(is_reaped(pidfd));
	close(thread_pipe[0]);
	close(thread_pipe[1]);
	close(pidfd);
	munmap(stack, THREAD_STACK);
}

TEST_F(info, reports_the_supported_mask)
{
	__u64 all = PIDFD_INFO_PID | PIDFD_INFO_CREDS | PIDFD_INFO_CGROUPID |
		    PIDFD_INFO_EXIT | PIDFD_INFO_COREDUMP |
		    PIDFD_INFO_SUPPORTED_MASK | PIDFD_INFO_COREDUMP_SIGNAL |
		    PIDFD_INFO_COREDUMP_CODE;
	struct pidfd_info info;

	ASSERT_EQ(0, get_info(self->peer.pidfd, PIDFD_INFO_SUPPORTED_MASK, &info));
	EXPECT_EQ(PIDFD_INFO_SUPPORTED_MASK, info.mask & PIDFD_INFO_SUPPORTED_MASK);
	EXPECT_EQ(all, info.supported_mask);

	/* Unknown bits are ignored. */
	ASSERT_EQ(0, get_info(self->peer.pidfd, ~0ULL, &info));
	EXPECT_EQ(0, info.mask & ~all);
	EXPECT_EQ(all, info.supported_mask);

	/* The same after the reaping. */
	reap_peer(&self->peer, 0);
	EXPECT_EQ(0, get_info(self->peer.pidfd, PIDFD_INFO_EXIT |
			      PIDFD_INFO_SUPPORTED_MASK, &info));
	EXPECT_EQ(all, info.supported_mask);
	EXPECT_EQ(PIDFD_INFO_EXIT | PIDFD_INFO_CGROUPID |
		  PIDFD_INFO_SUPPORTED_MASK, info.mask);
}

static int asked;

static long asks(long unused)
{
	struct pidfd_info info;

	return ERROR_OF(get_info(asked, 0, &info));
}

TEST_F(info, is_refused_in_a_pid_namespace_without_the_process)
{
	struct peer inside;

	/* The peer inherits the descriptor with its number. */
	asked = self->peer.pidfd;
	ASSERT_EQ(0, start_peer(&inside, CLONE_PIDFD | CLONE_NEWPID));
	EXPECT_EQ(EREMOTE, peer_does(&inside, asks, 0));
	end_peer(&inside);
}

/* The inode number of a new cgroup is the id. */
TEST_F(info, has_the_cgroup_also_after_the_end)
{
	char root[] = "/tmp/pidfd_rust.XXXXXX", group[64], procs[96], pid[16];
	struct pidfd_info info;
	bool mounted = false;
	struct stat st;

	ASSERT_NE(NULL, mkdtemp(root));
	snprintf(group, sizeof(group), "%s/pidfd_rust.%d", root, getpid());
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", group);
	snprintf(pid, sizeof(pid), "%d", self->peer.pid);
	if (!unshare(CLONE_NEWNS) &&
	    !mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	    !mount("cgroup2", root, "cgroup2", 0, NULL))
		mounted = true;
	if (!mounted || mkdir(group, 0755) || stat(group, &st)) {
		umount2(root, MNT_DETACH);
		rmdir(root);
		SKIP(return, "no cgroup2 file system");
	}

	EXPECT_EQ(0, get_info(self->peer.pidfd, 0, &info));
	EXPECT_NE(st.st_ino, info.cgroupid);
	EXPECT_EQ(0, write_file(procs, pid));
	EXPECT_EQ(0, get_info(self->peer.pidfd, 0, &info));
	EXPECT_EQ(st.st_ino, info.cgroupid);

	reap_peer(&self->peer, 5);
	EXPECT_EQ(0, get_info(self->peer.pidfd, PIDFD_INFO_EXIT, &info));
	EXPECT_EQ(PIDFD_INFO_EXIT | PIDFD_INFO_CGROUPID, info.mask);
	EXPECT_EQ(st.st_ino, info.cgroupid);
	EXPECT_EQ(EXITED(5), info.exit_code);
	EXPECT_EQ(0, info.pid);
	EXPECT_EQ(0, remove_cgroup(group));
	umount2(root, MNT_DETACH);
	rmdir(root);
}

/* The command for a struct of that size. */
#define GET_INFO_OF_SIZE(size)						\
	_IOC(_IOC_READ | _IOC_WRITE, PIDFS_IOCTL_MAGIC, 11, (size))

static const size_t sizes[] = { 64, 72, 80, 88, 96, 128, 4096 };

TEST_F(info, fills_as_much_as_the_caller_knows)
{
	unsigned char buf[8192], full[INFO_SIZE];
	__u64 mask = PIDFD_INFO_EXIT | PIDFD_INFO_COREDUMP |
		     PIDFD_INFO_SUPPORTED_MASK;

	memcpy(full, &mask, sizeof(mask));
	ASSERT_EQ(0, ioctl(self->peer.pidfd, GET_INFO_OF_SIZE(INFO_SIZE), full));
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t size = sizes[i], known = size < INFO_SIZE ? size : INFO_SIZE;
		size_t wrong = 0;

		memset(buf, 0xa5, sizeof(buf));
		memcpy(buf, &mask, sizeof(mask));
		EXPECT_EQ(0, ioctl(self->peer.pidfd, GET_INFO_OF_SIZE(size), buf));
		EXPECT_EQ(0, memcmp(full, buf, known));
		for (size_t j = known; j < sizeof(buf); j++)
			wrong += buf[j] != (j < size ? 0 : 0xa5);
		EXPECT_EQ(0, wrong) {
			TH_LOG("%zu bytes wrong with size %zu", wrong, size);
		}
	}
}

TEST_F(info, refuses_what_is_too_small_for_any_version)
{
	unsigned char buf[64] = {}, zero[64] = {};

	for (size_t size = 0; size < 64; size++) {
		EXPECT_EQ(ENOTTY, ERROR_OF(ioctl(self->peer.pidfd,
						 GET_INFO_OF_SIZE(size), buf)));
	}
	EXPECT_EQ(0, memcmp(buf, zero, sizeof(buf)));
}

TEST_F(info, writes_to_the_end_of_memory_and_no_further)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *mem = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = self->peer.pidfd;

	ASSERT_NE(MAP_FAILED, mem);
	ASSERT_EQ(0, mprotect(mem + page, page, PROT_NONE));
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		EXPECT_EQ(0, ioctl(fd, GET_INFO_OF_SIZE(sizes[i]),
				   mem + page - sizes[i]));
		EXPECT_EQ(EFAULT, ERROR_OF(ioctl(fd, GET_INFO_OF_SIZE(sizes[i]),
						 mem + page - sizes[i] + 8)));
	}
	EXPECT_EQ(EFAULT, ERROR_OF(ioctl(fd, PIDFD_GET_INFO, mem + page)));
	EXPECT_EQ(EFAULT, ERROR_OF(ioctl(fd, PIDFD_GET_INFO, mem + page - 4)));
	EXPECT_EQ(EFAULT, ERROR_OF(ioctl(fd, PIDFD_GET_INFO, 8)));
	EXPECT_EQ(EFAULT, ERROR_OF(ioctl(fd, PIDFD_GET_INFO, -4096L)));
	EXPECT_EQ(EINVAL, ERROR_OF(ioctl(fd, PIDFD_GET_INFO, NULL)));
	munmap(mem, 2 * page);
}

TEST_F(info, comes_by_no_other_command)
{
	static const unsigned int wrong[] = {
		_IOC(_IOC_READ, PIDFS_IOCTL_MAGIC, 11, INFO_SIZE),
		_IOC(_IOC_WRITE, PIDFS_IOCTL_MAGIC, 11, INFO_SIZE),
		_IOC(_IOC_NONE, PIDFS_IOCTL_MAGIC, 11, INFO_SIZE),
		_IOC(_IOC_READ | _IOC_WRITE, 0xfe, 11, INFO_SIZE),
		_IOC(_IOC_READ | _IOC_WRITE, PIDFS_IOCTL_MAGIC, 12, INFO_SIZE),
		_IO(PIDFS_IOCTL_MAGIC, 0),
		_IO(PIDFS_IOCTL_MAGIC, 11),
		_IOC(_IOC_READ, PIDFS_IOCTL_MAGIC, 1, 0),
		FIGETBSZ + 100,
	};
	char buf[INFO_SIZE] = {};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(ENOTTY, ERROR_OF(ioctl(self->peer.pidfd, wrong[i], buf))) {
			TH_LOG("command %x", wrong[i]);
		}
	}
}

/* The generation is the upper half of the number where inode numbers have 32 bits. */
TEST_F(info, has_a_generation_only_where_numbers_are_short)
{
	__u32 version = 42;

	EXPECT_EQ(0, ioctl(self->peer.pidfd, FS_IOC_GETVERSION, &version));
	EXPECT_EQ(id_of(self->peer.pidfd),
		  ino_of(self->peer.pidfd) |
		  (sizeof(long) == 8 ? 0 : (__u64)version << 32));
	if (sizeof(long) == 8) {
		EXPECT_EQ(0, version);
	}
	EXPECT_EQ(EINVAL, ERROR_OF(ioctl(self->peer.pidfd, FS_IOC_GETVERSION, 0)));
	EXPECT_EQ(EFAULT, ERROR_OF(ioctl(self->peer.pidfd, FS_IOC_GETVERSION, 8)));
}

#ifdef __x86_64__
/* ioctl() as a 32-bit program calls it. */
static long compat_ioctl(int fd, unsigned int cmd, void *arg)
{
	long ret;

	asm volatile("int $0x80"
		: "=a" (ret)
		: "0" (54L), "b" ((long)fd), "c" ((long)cmd), "d" (arg)
		: "r8", "r9", "r10", "r11", "memory");
	return (int)ret;
}

TEST_F(info, is_the_same_for_32_bit_programs)
{
	char *mem = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	int fd = self->peer.pidfd, ns;
	struct stat st, proc;
	__u32 *version;
	char path[64];
	__u64 mask = PIDFD_INFO_EXIT | PIDFD_INFO_COREDUMP |
		     PIDFD_INFO_SUPPORTED_MASK;

	ASSERT_NE(MAP_FAILED, mem);
	if (compat_ioctl(-1, PIDFD_GET_INFO, mem) == -ENOSYS)
		SKIP(return, "CONFIG_IA32_EMULATION is not set");

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(mem, 0xa5, 8192);
		memcpy(mem, &mask, sizeof(mask));
		memcpy(mem + 4096, &mask, sizeof(mask));
		EXPECT_EQ(0, compat_ioctl(fd, GET_INFO_OF_SIZE(sizes[i]), mem));
		EXPECT_EQ(0, ioctl(fd, GET_INFO_OF_SIZE(sizes[i]), mem + 4096));
		EXPECT_EQ(0, memcmp(mem, mem + 4096, 4096));
	}
	EXPECT_EQ(-ENOTTY, compat_ioctl(fd, GET_INFO_OF_SIZE(63), mem));
	EXPECT_EQ(-EINVAL, compat_ioctl(fd, PIDFD_GET_INFO, NULL));
	EXPECT_EQ(-EFAULT, compat_ioctl(fd, PIDFD_GET_INFO, (void *)8));

	version = (__u32 *)mem;
	*version = 42;
	EXPECT_EQ(0, compat_ioctl(fd, FS_IOC32_GETVERSION, version));
	EXPECT_EQ(0, *version);

	snprintf(path, sizeof(path), "/proc/%d/ns/uts", self->peer.pid);
	ns = compat_ioctl(fd, PIDFD_GET_UTS_NAMESPACE, NULL);
	ASSERT_GE(ns, 0);
	EXPECT_EQ(0, fstat(ns, &st));
	EXPECT_EQ(0, stat(path, &proc));
	EXPECT_EQ(proc.st_ino, st.st_ino);
	EXPECT_EQ(-EINVAL, compat_ioctl(fd, PIDFD_GET_UTS_NAMESPACE, mem));
	close(ns);
	munmap(mem, 8192);
}
#endif

RUST_TEST_MAIN
