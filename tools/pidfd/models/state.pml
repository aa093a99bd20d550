// SPDX-License-Identifier: GPL-2.0
/*
 * Pid::state() of rust/kernel/pid.rs against a thread that calls exec: de_thread()
 * of fs/exec.c. The leader of the thread group has exited; the thread takes its pid,
 * becomes the leader, and exits later.
 *
 * What a processor writes becomes visible to the others in any order, unless it
 * has said that one store has to come after others: see exit_record.pml.
 */

/* What is in memory. */
#define FIRST		0	/* pid->tasks[PIDTYPE_PID].first of the process' pid */
#define OLD_SIGNAL	1	/* ->exit_signal of the old leader, is it a leader? */
#define NEW_SIGNAL	2	/* the same of the thread */
#define NEW_STATE	3	/* ->exit_state of the thread */
#define VARS		4

#define LEADER		1	/* the old leader */
#define THREAD		2	/* the thread that calls exec */

byte memory[VARS];
byte pending, after[VARS], value[VARS];

/* The thread has exited. */
bool ended;

#define bit(v)		(1 << (v))

/* Stores of the thread; the second one comes after all before it. */
#define store(v, x)							\
	atomic { !(pending & bit(v)) -> value[v] = x; after[v] = 0; pending = pending | bit(v) }
#define store_release(v, x)						\
	atomic { !(pending & bit(v)) -> value[v] = x; after[v] = pending; pending = pending | bit(v) }
#define smp_mb()	pending == 0

#define next(var)							\
	:: (pending & bit(var)) && !after[var] -> v = var

active proctype memory_system() {
	byte v, i;

	do
	:: atomic {
		if
		next(FIRST)
		next(OLD_SIGNAL)
		next(NEW_SIGNAL)
		next(NEW_STATE)
		fi;
		d_step {
			memory[v] = value[v];
			pending = pending & ~bit(v);
			for (i : 0 .. VARS - 1) {
				after[i] = after[i] & ~bit(v)
			}
			v = 0;
			i = 0
		}
	}
	:: timeout -> break
	od
}

proctype thread() {
	/* exchange_tids(): hlists_swap_heads_rcu() */
	store_release(FIRST, THREAD);
	store(NEW_SIGNAL, true);
	store(OLD_SIGNAL, false);
	/* write_unlock_irq() and, later, write_lock_irq() of tasklist_lock */
	smp_mb();
	/* exit_notify() */
	ended = true;
	store(NEW_STATE, true)
}

/* Of the process' pid, which some task uses as PIDTYPE_TGID all the time. */
proctype process_state() {
	byte task;
	bool exited, leader;

	task = memory[FIRST];
	/* The old leader is a zombie. */
	exited = (task == LEADER -> true : memory[NEW_STATE]);
	if
	:: !exited -> goto running
	:: else
	fi;
	/* delay_group_leader(): the old leader has the thread in its group. */
	leader = (task == LEADER -> memory[OLD_SIGNAL] : memory[NEW_SIGNAL]);
	if
	:: task == LEADER && leader -> goto running
	:: else
	fi;
#ifdef MISTAKE_LOOK_AT_THE_PID_AGAIN
	/* Pid::is_of() */
	if
	:: memory[FIRST] != task -> goto running
	:: else
	fi;
#else
	leader = (task == LEADER -> memory[OLD_SIGNAL] : memory[NEW_SIGNAL]);
	if
	:: !leader -> goto running
	:: else
	fi;
#endif
	/* No reader may see the exit of a process that goes on. */
	assert(ended);
running:
	skip
}

init {
	atomic {
		memory[FIRST] = LEADER;
		memory[OLD_SIGNAL] = true;
		run thread();
		run process_state()
	}
}
