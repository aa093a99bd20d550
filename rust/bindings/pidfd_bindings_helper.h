/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What kernel::pid, kernel::pidfd and the files they stand on need of C.
 */

#include <linux/anon_inodes.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/pidfd_provider.h>
#include <linux/pidfs.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/wait.h>
#include <uapi/linux/pidfd.h>

const unsigned int RUST_CONST_HELPER_EPOLLIN = (__force unsigned int)EPOLLIN;
const unsigned int RUST_CONST_HELPER_EPOLLOUT = (__force unsigned int)EPOLLOUT;
const unsigned int RUST_CONST_HELPER_EPOLLERR = (__force unsigned int)EPOLLERR;
const unsigned int RUST_CONST_HELPER_EPOLLHUP = (__force unsigned int)EPOLLHUP;
const unsigned int RUST_CONST_HELPER_EPOLLRDNORM = (__force unsigned int)EPOLLRDNORM;

/*
 * The layout C gives to what Rust reads or fills in, for the comparison in
 * rust/kernel/layout_guard.rs: one line each, named there again.
 */
#define LAYOUT(type)							\
	const size_t RUST_CONST_HELPER_LAYOUT_SIZE_##type = sizeof(struct type);	\
	const size_t RUST_CONST_HELPER_LAYOUT_ALIGN_##type = __alignof__(struct type)
#define LAYOUT_FIELD(type, field)					\
	const size_t RUST_CONST_HELPER_LAYOUT_##type##_##field =	\
		offsetof(struct type, field)

LAYOUT(file);
LAYOUT_FIELD(file, f_op);
LAYOUT_FIELD(file, f_flags);
LAYOUT_FIELD(file, f_cred);
LAYOUT_FIELD(file, private_data);

LAYOUT(file_operations);
LAYOUT_FIELD(file_operations, owner);
LAYOUT_FIELD(file_operations, poll);
LAYOUT_FIELD(file_operations, unlocked_ioctl);
LAYOUT_FIELD(file_operations, compat_ioctl);
LAYOUT_FIELD(file_operations, release);
LAYOUT_FIELD(file_operations, show_fdinfo);

LAYOUT(pid);
LAYOUT_FIELD(pid, level);
LAYOUT_FIELD(pid, wait_pidfd);
LAYOUT_FIELD(pid, numbers);

LAYOUT(upid);
LAYOUT_FIELD(upid, nr);
LAYOUT_FIELD(upid, ns);

LAYOUT(pid_namespace);
LAYOUT_FIELD(pid_namespace, level);

LAYOUT(pidfd_provider);
LAYOUT_FIELD(pidfd_provider, owner);
LAYOUT_FIELD(pidfd_provider, fops);
LAYOUT_FIELD(pidfd_provider, alloc_file);
LAYOUT_FIELD(pidfd_provider, clone);

LAYOUT(task_struct);
LAYOUT_FIELD(task_struct, exit_state);
LAYOUT_FIELD(task_struct, group_leader);
LAYOUT_FIELD(task_struct, mm);
LAYOUT_FIELD(task_struct, pid);
LAYOUT_FIELD(task_struct, signal);
LAYOUT_FIELD(task_struct, tgid);

LAYOUT(wait_queue_entry);
LAYOUT_FIELD(wait_queue_entry, private);
LAYOUT_FIELD(wait_queue_entry, func);

#undef LAYOUT
#undef LAYOUT_FIELD
