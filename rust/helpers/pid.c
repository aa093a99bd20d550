// SPDX-License-Identifier: GPL-2.0

#include <linux/cgroup.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/pidfd_provider.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/signal.h>

__rust_helper struct pid *rust_helper_get_pid(struct pid *pid)
{
	return get_pid(pid);
}

__rust_helper bool rust_helper_pid_has_task(struct pid *pid, enum pid_type type)
{
	return pid_has_task(pid, type);
}

/* True if @task uses @pid as PIDTYPE_PID at this moment. */
__rust_helper bool rust_helper_pid_is_used_by(struct pid *pid, struct task_struct *task)
{
	return READ_ONCE(pid->tasks[PIDTYPE_PID].first) == &task->pid_links[PIDTYPE_PID];
}

__rust_helper pid_t rust_helper_pid_nr(struct pid *pid)
{
	return pid_nr(pid);
}

__rust_helper unsigned int rust_helper_task_exit_state(struct task_struct *task)
{
	/* C changes it with plain stores, whose values fit in a byte. */
	return data_race(READ_ONCE(task->exit_state));
}

__rust_helper bool rust_helper_thread_group_leader(struct task_struct *task)
{
	/* de_thread() changes it with a plain store. */
	return data_race(thread_group_leader(task));
}

/* The id of the task's cgroup in the default hierarchy, or 0 without cgroups. */
__rust_helper u64 rust_helper_task_dfl_cgroup_id(struct task_struct *task)
{
#ifdef CONFIG_CGROUPS
	u64 id;

	rcu_read_lock();
	id = cgroup_id(task_dfl_cgroup(task));
	rcu_read_unlock();
	return id;
#else
	return 0;
#endif
}

/*
 * True if @task is EXIT_DEAD; stores its wait status. exit_notify() changes exit_state
 * and wakes pollers with tasklist_lock held for writing. A task that reaps a zombie
 * changes exit_state without the lock, and does not change exit_code. EXIT_TRACE is
 * not final: a tracer that reaps a zombie may return it to its parent.
 */
__rust_helper bool rust_helper_task_final_exit_code(struct task_struct *task,
						    int *exit_code)
{
	bool final;

	read_lock(&tasklist_lock);
	*exit_code = task_wait_status(task);
	final = READ_ONCE(task->exit_state) == EXIT_DEAD;
	read_unlock(&tasklist_lock);
	return final;
}

__rust_helper pid_t rust_helper_task_ppid_vnr(struct task_struct *task)
{
	/* pid_alive() and detach_pid() access the pid with plain loads and stores. */
	return data_race(task_ppid_vnr(task));
}

__rust_helper pid_t rust_helper_task_tgid_vnr(struct task_struct *task)
{
	return task_tgid_vnr(task);
}

__rust_helper bool rust_helper_task_is_kernel_worker(struct task_struct *task)
{
	/* The task may change other flags at this time, but never these two. */
	return data_race(READ_ONCE(task->flags)) & (PF_KTHREAD | PF_USER_WORKER);
}

__rust_helper int rust_helper_siginfo_signo(const struct kernel_siginfo *info)
{
	return info->si_signo;
}

__rust_helper int rust_helper_siginfo_code(const struct kernel_siginfo *info)
{
	return info->si_code;
}

__rust_helper bool rust_helper_delay_group_leader(struct task_struct *task)
{
	/* An exiting thread may leave the list at this time. */
	return data_race(delay_group_leader(task));
}

__rust_helper int rust_helper_send_sig_priv(int sig, struct task_struct *task,
					    enum pid_type type)
{
	/* do_send_sig_info() does not check the number. */
	if (!valid_signal(sig))
		return -EINVAL;
	if (!sig)
		return 0;
	return do_send_sig_info(sig, SEND_SIG_PRIV, task, type);
}
