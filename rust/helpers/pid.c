// SPDX-License-Identifier: GPL-2.0

#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/signal.h>

__rust_helper struct pid *rust_helper_get_pid(struct pid *pid)
{
	return get_pid(pid);
}

__rust_helper bool rust_helper_pid_has_task(struct pid *pid, enum pid_type type)
{
	return pid_has_task(pid, type);
}

__rust_helper pid_t rust_helper_pid_nr(struct pid *pid)
{
	return pid_nr(pid);
}

__rust_helper unsigned int rust_helper_task_exit_state(struct task_struct *task)
{
	return READ_ONCE(task->exit_state);
}

__rust_helper bool rust_helper_delay_group_leader(struct task_struct *task)
{
	return delay_group_leader(task);
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
