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

/* Does @task use @pid as PIDTYPE_PID, right now? */
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
	/* Plain stores of C change it. What they store fits in a byte. */
	return data_race(READ_ONCE(task->exit_state));
}

__rust_helper bool rust_helper_thread_group_leader(struct task_struct *task)
{
	/* de_thread() changes it with a plain store. */
	return data_race(thread_group_leader(task));
}

/* The id of the task's cgroup in the default hierarchy; 0 if there are none. */
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
 * Does nobody wait for @task any more, and if so, with what did it exit? Whoever
 * changes exit_state does it under tasklist_lock, together with the wake-up, but
 * for who reaps a zombie, which leaves exit_code alone. A tracer that does so may
 * give the zombie back to its parent: EXIT_TRACE is not the end.
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
	/* pid_alive() reads the pid that detach_pid() clears, both without a mark. */
	return data_race(task_ppid_vnr(task));
}

__rust_helper pid_t rust_helper_task_tgid_vnr(struct task_struct *task)
{
	return task_tgid_vnr(task);
}

__rust_helper bool rust_helper_task_is_kernel_worker(struct task_struct *task)
{
	/* The task changes other flags meanwhile, these two never. */
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
	/* Threads that go are taken off the list meanwhile: as it was a moment ago. */
	return data_race(delay_group_leader(task));
}

__rust_helper int rust_helper_send_sig_priv(int sig, struct task_struct *task,
					    enum pid_type type)
{
	/* do_send_sig_info() itself trusts its caller. */
	if (!valid_signal(sig))
		return -EINVAL;
	if (!sig)
		return 0;
	return do_send_sig_info(sig, SEND_SIG_PRIV, task, type);
}
