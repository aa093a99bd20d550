// SPDX-License-Identifier: GPL-2.0

#include <linux/cgroup_namespace.h>
#include <linux/cred.h>
#include <linux/ipc_namespace.h>
#include <linux/mnt_namespace.h>
#include <linux/ns_common.h>
#include <linux/nsproxy.h>
#include <linux/pid_namespace.h>
#include <linux/proc_ns.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/task_namespace.h>
#include <linux/time_namespace.h>
#include <linux/user_namespace.h>
#include <linux/utsname.h>
#include <net/net_namespace.h>

#include "../../fs/mount.h"

__rust_helper int rust_helper_task_lock_exec_update_killable(struct task_struct *task)
{
	return down_read_killable(&task->signal->exec_update_lock);
}

__rust_helper void rust_helper_task_unlock_exec_update(struct task_struct *task)
{
	up_read(&task->signal->exec_update_lock);
}

/* NULL if the kernel has no such namespaces, or the last reference is gone. */
#define TRYGET(config, pointer) ({						\
	__auto_type _ns = (pointer);						\
										\
	IS_ENABLED(CONFIG_##config) && ns_ref_get(_ns) ? to_ns_common(_ns) : NULL;	\
})

__rust_helper struct ns_common *
rust_helper_nsproxy_get_namespace(const struct nsproxy *nsp, enum task_ns kind)
{
	switch (kind) {
	case TASK_NS_CGROUP:
		return TRYGET(CGROUPS, nsp->cgroup_ns);
	case TASK_NS_IPC:
		return TRYGET(IPC_NS, nsp->ipc_ns);
	case TASK_NS_MNT:
		/* Every kernel has mount namespaces. */
		return ns_ref_get(nsp->mnt_ns) ? to_ns_common(nsp->mnt_ns) : NULL;
	case TASK_NS_NET:
		return TRYGET(NET_NS, nsp->net_ns);
	case TASK_NS_PID_FOR_CHILDREN:
		return TRYGET(PID_NS, nsp->pid_ns_for_children);
	case TASK_NS_TIME:
		return TRYGET(TIME_NS, nsp->time_ns);
	case TASK_NS_TIME_FOR_CHILDREN:
		return TRYGET(TIME_NS, nsp->time_ns_for_children);
	case TASK_NS_UTS:
		return TRYGET(UTS_NS, nsp->uts_ns);
	default:
		return NULL;
	}
}

/*
 * Set @ns to a namespace of @task, with a reference, or to NULL if @task has none of
 * this kind. Returns -ESRCH if @task is exiting and has no namespaces.
 */
__rust_helper int rust_helper_task_get_namespace(struct task_struct *task,
						 enum task_ns kind,
						 struct ns_common **ns)
{
	/* No guards: they have static variables, and this function is inlined. */
	const struct nsproxy *nsp;

	task_lock(task);
	nsp = task->nsproxy;
	if (nsp)
		*ns = rust_helper_nsproxy_get_namespace(nsp, kind);
	task_unlock(task);
	if (!nsp)
		return -ESRCH;

	if (kind == TASK_NS_USER || kind == TASK_NS_PID) {
		rcu_read_lock();
		*ns = kind == TASK_NS_USER ?
			TRYGET(USER_NS, task_cred_xxx(task, user_ns)) :
			TRYGET(PID_NS, task_active_pid_ns(task));
		rcu_read_unlock();
	}
	return 0;
}

#undef TRYGET

__rust_helper void rust_helper_ns_common_put(struct ns_common *ns)
{
	ns->ops->put(ns);
}
