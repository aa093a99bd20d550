// SPDX-License-Identifier: GPL-2.0
/*
 * BPF maps of type BPF_MAP_TYPE_INODE_STORAGE attach a value to the inode of a pidfd.
 * The value is lost with the inode, even where the memory of the inode serves the pidfd
 * of another process next.
 */
#include <linux/bpf.h>
#include <linux/btf.h>

#include "pidfs.h"
#include "rust_harness.h"

/* Types in the BTF that load_types() loads, in their order there. */
enum { NO_TYPE, KEY_TYPE, VALUE_TYPE };

static int sys_bpf(int cmd, union bpf_attr *attr)
{
	return syscall(__NR_bpf, cmd, attr, sizeof(*attr));
}

/* The map type requires BTF that describes key and value. */
static int load_types(void)
{
	static const char names[] = "\0int\0u64";
	struct {
		struct btf_header header;
		struct btf_type key;
		__u32 key_bits;
		struct btf_type value;
		__u32 value_bits;
		char names[sizeof(names)];
	} __attribute__((packed)) btf = {
		.header = {
			.magic = BTF_MAGIC,
			.version = BTF_VERSION,
			.hdr_len = sizeof(btf.header),
			.type_len = offsetof(typeof(btf), names) -
				    offsetof(typeof(btf), key),
			.str_off = offsetof(typeof(btf), names) -
				   offsetof(typeof(btf), key),
			.str_len = sizeof(names),
		},
		.key = {
			.name_off = 1,
			.info = BTF_KIND_INT << 24,
			.size = sizeof(int),
		},
		.key_bits = BTF_INT_SIGNED << 24 | 32,
		.value = {
			.name_off = 5,
			.info = BTF_KIND_INT << 24,
			.size = sizeof(__u64),
		},
		.value_bits = 64,
	};
	union bpf_attr attr = {
		.btf = ptr_to_u64(&btf),
		.btf_size = sizeof(btf),
	};

	memcpy(btf.names, names, sizeof(names));
	return sys_bpf(BPF_BTF_LOAD, &attr);
}

/* The key is a descriptor, the value a number. */
static int create_map(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_INODE_STORAGE,
		.key_size = sizeof(int),
		.value_size = sizeof(__u64),
		.map_flags = BPF_F_NO_PREALLOC,
		.btf_key_type_id = KEY_TYPE,
		.btf_value_type_id = VALUE_TYPE,
	};
	int map;

	attr.btf_fd = load_types();
	if ((int)attr.btf_fd < 0)
		return -1;
	map = sys_bpf(BPF_MAP_CREATE, &attr);
	close(attr.btf_fd);
	return map;
}

static int store(int map, int fd, __u64 value)
{
	union bpf_attr attr = {
		.map_fd = map,
		.key = ptr_to_u64(&fd),
		.value = ptr_to_u64(&value),
	};

	return sys_bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

static int forget(int map, int fd)
{
	union bpf_attr attr = { .map_fd = map, .key = ptr_to_u64(&fd) };

	return sys_bpf(BPF_MAP_DELETE_ELEM, &attr);
}

#define NOTHING_STORED 0
#define NO_LOOKUP UINT64_MAX

static __u64 stored(int map, int fd)
{
	__u64 value;
	union bpf_attr attr = {
		.map_fd = map,
		.key = ptr_to_u64(&fd),
		.value = ptr_to_u64(&value),
	};

	if (!sys_bpf(BPF_MAP_LOOKUP_ELEM, &attr))
		return value;
	return errno == ENOENT ? NOTHING_STORED : NO_LOOKUP;
}

FIXTURE(inode_storage)
{
	struct numbers before;
	struct peer peer, other;
	int map;
};

FIXTURE_SETUP(inode_storage)
{
	/* Each CPU keeps inodes of its own for the next pidfd. */
	stay_on_cpu(0);
	rust_setup(_metadata, &self->before);
	self->map = create_map();
	if (self->map < 0 && errno == EINVAL)
		SKIP(return, "the kernel was built without CONFIG_BPF_LSM");
	if (self->map < 0 && errno == EOPNOTSUPP)
		SKIP(return, "lsm= on the kernel command line does not name bpf");
	ASSERT_LE(0, self->map) {
		TH_LOG("no map: %s", strerror(errno));
	}
	ASSERT_EQ(0, start_peer(&self->peer, 0));
	ASSERT_EQ(0, start_peer(&self->other, 0));
}

FIXTURE_TEARDOWN(inode_storage)
{
	end_peer(&self->peer);
	end_peer(&self->other);
	close(self->map);
	rust_teardown(_metadata, &self->before);
}

TEST_F(inode_storage, is_shared_by_all_pidfds_of_a_process)
{
	int pidfd, again, reopened, by_handle, other;
	struct handle h;

	EXPECT_RUST_MAKES(2, {
		pidfd = sys_pidfd_open(self->peer.pid, 0);
		other = sys_pidfd_open(self->other.pid, 0);
	});
	ASSERT_EQ(0, store(self->map, pidfd, 17));
	EXPECT_RUST_MAKES(3, {
		again = sys_pidfd_open(self->peer.pid, 0);
		reopened = reopen(pidfd, O_RDONLY);
		EXPECT_EQ(0, handle_of(pidfd, &h));
		by_handle = open_handle(&h, O_CLOEXEC);
	});
	EXPECT_EQ(17, stored(self->map, again));
	EXPECT_EQ(17, stored(self->map, reopened));
	EXPECT_EQ(17, stored(self->map, by_handle));
	EXPECT_EQ(NOTHING_STORED, stored(self->map, other));

	EXPECT_EQ(0, store(self->map, other, 18));
	EXPECT_EQ(17, stored(self->map, pidfd));
	EXPECT_EQ(0, forget(self->map, by_handle));
	EXPECT_EQ(NOTHING_STORED, stored(self->map, pidfd));
	EXPECT_EQ(ENOENT, ERROR_OF(forget(self->map, pidfd)));
	EXPECT_EQ(18, stored(self->map, other));

	close(pidfd);
	close(again);
	close(reopened);
	close(by_handle);
	close(other);
}

TEST_F(inode_storage, is_not_that_of_a_thread_or_of_another_map)
{
	int map = create_map(), pidfd, self_fd;

	ASSERT_LE(0, map);
	EXPECT_RUST_MAKES(2, {
		pidfd = sys_pidfd_open(self->peer.pid, PIDFD_THREAD);
		self_fd = sys_pidfd_open(getpid(), 0);
	});
	EXPECT_EQ(0, store(self->map, pidfd, 1));
	EXPECT_EQ(0, store(map, pidfd, 2));
	EXPECT_EQ(0, store(map, self_fd, 3));
	EXPECT_EQ(1, stored(self->map, pidfd));
	EXPECT_EQ(2, stored(map, pidfd));
	EXPECT_EQ(NOTHING_STORED, stored(self->map, self_fd));
	close(map);
	EXPECT_EQ(1, stored(self->map, pidfd));
	close(pidfd);
	close(self_fd);
}

TEST_F(inode_storage, ends_with_the_last_pidfd)
{
	int first, second;

	for (int i = 0; i < 100; i++) {
		EXPECT_RUST_MAKES(2, {
			first = sys_pidfd_open(self->peer.pid, 0);
			second = sys_pidfd_open(self->peer.pid, 0);
		});
		ASSERT_EQ(NOTHING_STORED, stored(self->map, first)) {
			TH_LOG("round %d", i);
		}
		EXPECT_EQ(0, store(self->map, first, 100 + i));
		close(first);
		EXPECT_EQ(100 + i, stored(self->map, second));
		close(second);
	}
}

/* A path holds the inode as a file does. */
TEST_F(inode_storage, stays_while_a_path_keeps_the_inode)
{
	int pidfd, path;

	EXPECT_RUST_MAKES(1, pidfd = sys_pidfd_open(self->peer.pid, 0));
	EXPECT_EQ(0, store(self->map, pidfd, 5));
	path = reopen(pidfd, O_PATH);
	ASSERT_LE(0, path);
	close(pidfd);
	EXPECT_RUST_MAKES(1, pidfd = sys_pidfd_open(self->peer.pid, 0));
	EXPECT_EQ(5, stored(self->map, pidfd));
	close(pidfd);
	close(path);
	EXPECT_RUST_MAKES(1, pidfd = sys_pidfd_open(self->peer.pid, 0));
	EXPECT_EQ(NOTHING_STORED, stored(self->map, pidfd));
	close(pidfd);
}

/* What happens before the last close. */
enum use { STORED, STORED_TWICE, DELETED, MAP_GONE, REOPENED, USES };

TEST_F(inode_storage, is_not_left_to_the_next_process)
{
	for (int i = 0; i < 400; i++) {
		int map = create_map(), pidfd, next, reopened = -1;

		ASSERT_LE(0, map);
		EXPECT_RUST_MAKES(1, pidfd = sys_pidfd_open(self->peer.pid, 0));
		ASSERT_EQ(NOTHING_STORED, stored(self->map, pidfd)) {
			TH_LOG("round %d: the pidfd has what was stored for another", i);
		}
		ASSERT_EQ(0, store(self->map, pidfd, 7));
		switch (i % USES) {
		case STORED_TWICE:
			ASSERT_EQ(0, store(map, pidfd, 8));
			break;
		case DELETED:
			ASSERT_EQ(0, forget(self->map, pidfd));
			break;
		case MAP_GONE:
			ASSERT_EQ(0, store(map, pidfd, 8));
			close(map);
			map = create_map();
			break;
		case REOPENED:
			reopened = reopen(pidfd, O_RDONLY);
			break;
		}
		close(pidfd);
		if (reopened >= 0) {
			ASSERT_EQ(7, stored(self->map, reopened));
			close(reopened);
		}

		EXPECT_RUST_MAKES(1, next = sys_pidfd_open(self->other.pid, 0));
		ASSERT_EQ(NOTHING_STORED, stored(self->map, next)) {
			TH_LOG("round %d: the pidfd has what was stored for another", i);
		}
		ASSERT_EQ(NOTHING_STORED, stored(map, next));
		ASSERT_EQ(ENOENT, ERROR_OF(forget(self->map, next)));
		/* The next round would find it. */
		ASSERT_EQ(0, store(self->map, next, 9));
		ASSERT_EQ(9, stored(self->map, next));
		close(next);
		close(map);
	}
}

/* These are more inodes than a free list holds. */
TEST_F(inode_storage, is_not_left_to_others_when_many_go)
{
	enum { MANY = 40, ROUNDS = 10 };
	struct peer many[MANY];

	for (int i = 0; i < MANY; i++)
		ASSERT_EQ(0, start_peer(&many[i], 0));
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < MANY; i++) {
			EXPECT_RUST_MAKES(1, {
				many[i].pidfd = sys_pidfd_open(many[i].pid, 0);
			});
			ASSERT_EQ(NOTHING_STORED, stored(self->map, many[i].pidfd)) {
				TH_LOG("round %d, process %d", round, i);
			}
			/* Every second inode has a value. */
			if ((i + round) % 2)
				ASSERT_EQ(0, store(self->map, many[i].pidfd, i + 1));
		}
		for (int i = 0; i < MANY; i++) {
			__u64 want = (i + round) % 2 ? i + 1 : NOTHING_STORED;

			ASSERT_EQ(want, stored(self->map, many[i].pidfd));
			close(many[i].pidfd);
			many[i].pidfd = -1;
		}
	}
	for (int i = 0; i < MANY; i++)
		end_peer(&many[i]);
}

RUST_TEST_MAIN
