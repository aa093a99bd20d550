/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_TASK_NAMESPACE_H
#define _LINUX_TASK_NAMESPACE_H

/* The namespaces of a task, for rust/kernel/namespace.rs. */
enum task_ns {
	TASK_NS_CGROUP,
	TASK_NS_IPC,
	TASK_NS_MNT,
	TASK_NS_NET,
	TASK_NS_PID,
	TASK_NS_PID_FOR_CHILDREN,
	TASK_NS_TIME,
	TASK_NS_TIME_FOR_CHILDREN,
	TASK_NS_USER,
	TASK_NS_UTS,
};

#endif /* _LINUX_TASK_NAMESPACE_H */
