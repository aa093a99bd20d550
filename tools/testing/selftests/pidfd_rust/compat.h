/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Flags and system call numbers that the headers of an old C library lack.
 */
#ifndef COMPAT_H
#define COMPAT_H

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/fanotify.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#define SO_PEERPIDFD 77
#endif

#ifndef SCM_PIDFD
#define SCM_PIDFD 0x04
#endif

#ifndef FAN_REPORT_PIDFD
#define FAN_REPORT_PIDFD		0x00000080
#define FAN_EVENT_INFO_TYPE_PIDFD	4
#endif

#ifndef AT_HANDLE_FID
#define AT_HANDLE_FID 0x200
#endif

#ifndef CLONE_DETACHED
#define CLONE_DETACHED 0x00400000
#endif

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif

#ifndef CLONE_AUTOREAP
#define CLONE_AUTOREAP (1ULL << 34)
#endif

#ifndef CLONE_PIDFD_AUTOKILL
#define CLONE_PIDFD_AUTOKILL (1ULL << 36)
#endif

#ifndef PIDFD_SIGNAL_THREAD
#define PIDFD_SIGNAL_THREAD		(1UL << 0)
#define PIDFD_SIGNAL_THREAD_GROUP	(1UL << 1)
#define PIDFD_SIGNAL_PROCESS_GROUP	(1UL << 2)
#endif

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

#ifndef FILEID_KERNFS
#define FILEID_KERNFS 0xfe
#endif

#ifndef PID_FS_MAGIC
#define PID_FS_MAGIC 0x50494446
#endif

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif

#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 0x00000004
#endif

#ifndef __NR_open_tree
#define __NR_open_tree 428
#define __NR_move_mount 429
#endif

#ifndef __NR_fsopen
#define __NR_fsopen 430
#endif

#ifndef __NR_process_madvise
#define __NR_process_madvise 440
#endif

#ifndef __NR_process_mrelease
#define __NR_process_mrelease 448
#endif

#endif /* COMPAT_H */
