/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Declarations of C that kernel::pid, kernel::pidfd and the files below them use.
 */

#include <linux/dcache.h>
#include <linux/exportfs.h>
#include <linux/fs_context.h>
#include <linux/inode_reuse.h>
#include <linux/mount.h>
#include <linux/ns_common.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/pidfd_provider.h>
#include <linux/pidfs.h>
#include <linux/poll.h>
#include <linux/proc_ns.h>
#include <linux/pseudo_fs.h>
#include <linux/ptrace.h>
#include <linux/sched/coredump.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/statfs.h>
#include <linux/task_namespace.h>
#include <linux/wait.h>
#include <linux/xattr.h>
#include <uapi/linux/fs.h>
#include <uapi/linux/magic.h>
#include <uapi/linux/pidfd.h>

#include "../../fs/internal.h"

const unsigned int RUST_CONST_HELPER_EPOLLIN = (__force unsigned int)EPOLLIN;
const unsigned int RUST_CONST_HELPER_EPOLLOUT = (__force unsigned int)EPOLLOUT;
const unsigned int RUST_CONST_HELPER_EPOLLERR = (__force unsigned int)EPOLLERR;
const unsigned int RUST_CONST_HELPER_EPOLLHUP = (__force unsigned int)EPOLLHUP;
const unsigned int RUST_CONST_HELPER_EPOLLRDNORM = (__force unsigned int)EPOLLRDNORM;

/* bindgen does not evaluate _IO() and its like. */
#define IOCTL(name) const unsigned int RUST_CONST_HELPER_##name = name

IOCTL(FS_IOC_GETVERSION);
IOCTL(FS_IOC32_GETVERSION);
IOCTL(PIDFD_GET_CGROUP_NAMESPACE);
IOCTL(PIDFD_GET_INFO);
IOCTL(PIDFD_GET_IPC_NAMESPACE);
IOCTL(PIDFD_GET_MNT_NAMESPACE);
IOCTL(PIDFD_GET_NET_NAMESPACE);
IOCTL(PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE);
IOCTL(PIDFD_GET_PID_NAMESPACE);
IOCTL(PIDFD_GET_TIME_FOR_CHILDREN_NAMESPACE);
IOCTL(PIDFD_GET_TIME_NAMESPACE);
IOCTL(PIDFD_GET_USER_NAMESPACE);
IOCTL(PIDFD_GET_UTS_NAMESPACE);

#undef IOCTL

/*
 * The layout of structs that Rust reads or writes, for the comparison in
 * rust/kernel/layout_guard.rs, which has the same list.
 */
#define LAYOUT(type)							\
	const size_t RUST_CONST_HELPER_LAYOUT_SIZE_##type = sizeof(struct type);	\
	const size_t RUST_CONST_HELPER_LAYOUT_ALIGN_##type = __alignof__(struct type)
#define LAYOUT_FIELD(type, field)					\
	const size_t RUST_CONST_HELPER_LAYOUT_##type##_##field =	\
		offsetof(struct type, field)

LAYOUT(cred);
LAYOUT_FIELD(cred, uid);
LAYOUT_FIELD(cred, gid);
LAYOUT_FIELD(cred, suid);
LAYOUT_FIELD(cred, sgid);
LAYOUT_FIELD(cred, euid);
LAYOUT_FIELD(cred, egid);
LAYOUT_FIELD(cred, fsuid);
LAYOUT_FIELD(cred, fsgid);

LAYOUT(dentry);
LAYOUT_FIELD(dentry, d_fsdata);
LAYOUT_FIELD(dentry, d_inode);
LAYOUT_FIELD(dentry, d_lockref);
LAYOUT_FIELD(dentry, d_sb);

LAYOUT(dentry_operations);
LAYOUT_FIELD(dentry_operations, d_dname);
LAYOUT_FIELD(dentry_operations, d_prune);

LAYOUT(export_operations);
LAYOUT_FIELD(export_operations, encode_fh);
LAYOUT_FIELD(export_operations, fh_to_dentry);
LAYOUT_FIELD(export_operations, permission);
LAYOUT_FIELD(export_operations, open);

LAYOUT(file);
LAYOUT_FIELD(file, f_cred);
LAYOUT_FIELD(file, f_flags);
LAYOUT_FIELD(file, f_inode);
LAYOUT_FIELD(file, f_op);
LAYOUT_FIELD(file, private_data);

LAYOUT(file_operations);
LAYOUT_FIELD(file_operations, compat_ioctl);
LAYOUT_FIELD(file_operations, open);
LAYOUT_FIELD(file_operations, owner);
LAYOUT_FIELD(file_operations, poll);
LAYOUT_FIELD(file_operations, release);
LAYOUT_FIELD(file_operations, show_fdinfo);
LAYOUT_FIELD(file_operations, unlocked_ioctl);

LAYOUT(file_system_type);
LAYOUT_FIELD(file_system_type, init_fs_context);
LAYOUT_FIELD(file_system_type, kill_sb);
LAYOUT_FIELD(file_system_type, name);

LAYOUT(inode);
LAYOUT_FIELD(inode, i_flags);
LAYOUT_FIELD(inode, i_fop);
LAYOUT_FIELD(inode, i_generation);
LAYOUT_FIELD(inode, i_ino);
LAYOUT_FIELD(inode, i_mode);
LAYOUT_FIELD(inode, i_op);
LAYOUT_FIELD(inode, i_private);
LAYOUT_FIELD(inode, i_sb);

LAYOUT(inode_operations);
LAYOUT_FIELD(inode_operations, getattr);
LAYOUT_FIELD(inode_operations, listxattr);
LAYOUT_FIELD(inode_operations, setattr);

LAYOUT(kstat);
LAYOUT_FIELD(kstat, dev);
LAYOUT_FIELD(kstat, mode);

LAYOUT(kstatfs);
LAYOUT_FIELD(kstatfs, f_fsid);

LAYOUT(path);
LAYOUT_FIELD(path, dentry);
LAYOUT_FIELD(path, mnt);

LAYOUT(pid);
LAYOUT_FIELD(pid, attr);
LAYOUT_FIELD(pid, ino);
LAYOUT_FIELD(pid, level);
LAYOUT_FIELD(pid, numbers);
LAYOUT_FIELD(pid, record);
LAYOUT_FIELD(pid, tasks);
LAYOUT_FIELD(pid, wait_pidfd);

LAYOUT(pid_namespace);
LAYOUT_FIELD(pid_namespace, level);

LAYOUT(pidfd_info);
LAYOUT_FIELD(pidfd_info, exit_code);
LAYOUT_FIELD(pidfd_info, supported_mask);

LAYOUT(pidfd_provider);
LAYOUT_FIELD(pidfd_provider, alloc_file);
LAYOUT_FIELD(pidfd_provider, clone);
LAYOUT_FIELD(pidfd_provider, fops);
LAYOUT_FIELD(pidfd_provider, get_root);
LAYOUT_FIELD(pidfd_provider, owner);

LAYOUT(pidfd_record);
LAYOUT_FIELD(pidfd_record, cgroupid);
LAYOUT_FIELD(pidfd_record, coredump_code);
LAYOUT_FIELD(pidfd_record, coredump_mask);
LAYOUT_FIELD(pidfd_record, coredump_signal);
LAYOUT_FIELD(pidfd_record, exit_code);
LAYOUT_FIELD(pidfd_record, mask);
LAYOUT_FIELD(pidfd_record, own_xattrs);
LAYOUT_FIELD(pidfd_record, stashed);
LAYOUT_FIELD(pidfd_record, xattrs);

LAYOUT(poll_table_struct);
LAYOUT_FIELD(poll_table_struct, _key);
LAYOUT_FIELD(poll_table_struct, _qproc);

LAYOUT(pseudo_fs_context);
LAYOUT_FIELD(pseudo_fs_context, dops);
LAYOUT_FIELD(pseudo_fs_context, eops);
LAYOUT_FIELD(pseudo_fs_context, ops);
LAYOUT_FIELD(pseudo_fs_context, s_d_flags);
LAYOUT_FIELD(pseudo_fs_context, xattr);

LAYOUT(seq_file);
LAYOUT_FIELD(seq_file, buf);
LAYOUT_FIELD(seq_file, count);
LAYOUT_FIELD(seq_file, size);

LAYOUT(signal_struct);
LAYOUT_FIELD(signal_struct, exec_update_lock);
LAYOUT_FIELD(signal_struct, rlim);

LAYOUT(stashed_operations);
LAYOUT_FIELD(stashed_operations, init_inode);
LAYOUT_FIELD(stashed_operations, put_data);
LAYOUT_FIELD(stashed_operations, stash_dentry);

LAYOUT(super_block);
LAYOUT_FIELD(super_block, s_dev);
LAYOUT_FIELD(super_block, s_fs_info);
LAYOUT_FIELD(super_block, s_magic);
LAYOUT_FIELD(super_block, s_passive);
LAYOUT_FIELD(super_block, s_type);

LAYOUT(super_operations);
LAYOUT_FIELD(super_operations, drop_inode);
LAYOUT_FIELD(super_operations, evict_inode);
LAYOUT_FIELD(super_operations, statfs);

LAYOUT(task_struct);
LAYOUT_FIELD(task_struct, exit_state);
#ifdef CONFIG_FAULT_INJECTION
LAYOUT_FIELD(task_struct, fail_nth);
#endif
LAYOUT_FIELD(task_struct, group_leader);
LAYOUT_FIELD(task_struct, mm);
LAYOUT_FIELD(task_struct, pid);
LAYOUT_FIELD(task_struct, signal);
LAYOUT_FIELD(task_struct, tgid);

LAYOUT(upid);
LAYOUT_FIELD(upid, nr);
LAYOUT_FIELD(upid, ns);

LAYOUT(vfsmount);
LAYOUT_FIELD(vfsmount, mnt_root);
LAYOUT_FIELD(vfsmount, mnt_sb);

LAYOUT(wait_queue_entry);
LAYOUT_FIELD(wait_queue_entry, func);
LAYOUT_FIELD(wait_queue_entry, private);

LAYOUT(wait_queue_head);
LAYOUT_FIELD(wait_queue_head, lock);

LAYOUT(xattr_handler);
LAYOUT_FIELD(xattr_handler, get);
LAYOUT_FIELD(xattr_handler, prefix);
LAYOUT_FIELD(xattr_handler, set);

#undef LAYOUT
#undef LAYOUT_FIELD
