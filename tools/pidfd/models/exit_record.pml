// SPDX-License-Identifier: GPL-2.0
/*
 * The exit of a process, and its readers: kernel/pidfd/provider.c,
 * rust/kernel/pid/record.rs and kernel/pidfd/exit_record.rs, against exit_notify()
 * and release_task() of kernel/exit.c, and fs/pidfs.c.
 *
 * One process, at first without a pidfd, may dump core, and is auto-reaped, reaped by its
 * parent, or never reaped. At any time one reader gets a Rust pidfd of it and polls it, and
 * another reader gets a C pidfd and queries it.
 *
 * What a processor writes becomes visible to the others in any order, unless it
 * has said that one store has to come after others (release, smp_wmb(),
 * smp_mb(), spin_unlock()); see store(). What it reads it reads in the order
 * written here, for which the code has smp_rmb() and acquire, and a mistake is to
 * read in another one.
 */

/* What is in memory. */
#define ATTR		0	/* pid->attr: NONE, THERE or DEAD */
#define A_FIELDS	1	/* what is in it, that attr_mask announces: EXIT | DUMP */
#define A_MASK		2	/* attr->attr_mask */
#define RECORD		3	/* pid->record: NONE, THERE or DEAD */
#define R_FIELDS	4	/* what is in it, that mask announces */
#define R_MASK		5	/* record->mask */
#define EXIT_STATE	6	/* task->exit_state: 0, ZOMBIE, FINAL */
#define UNHASHED	7	/* no task uses the pid any more */
#define PID_LOCK	8	/* pid->wait_pidfd.lock */
#define TASKLIST	9	/* tasklist_lock, no matter how it is taken */
#define VARS		10

#define NONE		0
#define THERE		1
#define DEAD		2	/* ERR_PTR(-ESRCH) */

#define ZOMBIE		1	/* EXIT_ZOMBIE */
#define FINAL		2	/* EXIT_DEAD */

#define EXIT		1
#define DUMP		2

/* The writers. */
#define TASK		0
#define RUST		1
#define BY_C		2
#define WRITERS		3

byte memory[VARS];

/* What of it each has written that the others cannot see yet, a bit for each variable. */
typedef writer {
	short pending;
	short after_all;
	byte value[VARS];
	short after[VARS];
};
writer writers[WRITERS];

/* On pid->wait_pidfd; woken. */
bool queued, woken;

/* For the properties alone. */
bool settled;	/* No parent or tracer will wait for the process. */
bool autoreap;	/* It reaps itself. */
bool dumped;	/* It has dumped core. */

#define bit(v)		(1 << (v))
#define pending(v)	(writers[me].pending & bit(v))
#define load(v)		(pending(v) -> writers[me].value[v] : memory[v])

/* A store, after all those that the bits of earlier say, and smp_wmb() says. */
#define store_after(v, x, earlier)				\
	atomic {						\
		!pending(v);					\
		d_step {					\
			writers[me].after[v] = writers[me].pending & (writers[me].after_all | (earlier)); \
			writers[me].value[v] = x;		\
			writers[me].pending = writers[me].pending | bit(v); \
		}						\
	}
#define store(v, x)		store_after(v, x, 0)
#define store_release(v, x)	store_after(v, x, -1)
#define smp_wmb()		writers[me].after_all = writers[me].pending
#define smp_mb()		writers[me].pending == 0

#define lock(v)		atomic { !pending(v) && memory[v] == 0 -> memory[v] = 1 }
#define unlock(v)	store_release(v, 0)

/* A store of a writer that need not wait for another one. */
#define next(who, var)							\
	:: (writers[who].pending & bit(var)) && !writers[who].after[var] -> w = who; v = var

/* Makes what was stored visible to all, one by one. */
active proctype memory_system() {
	byte w, v, i;

	do
	:: atomic {
		if
		next(TASK, ATTR)
		next(TASK, A_FIELDS)
		next(TASK, A_MASK)
		next(TASK, RECORD)
		next(TASK, R_FIELDS)
		next(TASK, R_MASK)
		next(TASK, EXIT_STATE)
		next(TASK, UNHASHED)
		next(TASK, PID_LOCK)
		next(TASK, TASKLIST)
		next(RUST, RECORD)
		next(RUST, R_FIELDS)
		next(RUST, R_MASK)
		next(RUST, PID_LOCK)
		next(RUST, TASKLIST)
		next(BY_C, ATTR)
		next(BY_C, A_FIELDS)
		next(BY_C, A_MASK)
		next(BY_C, PID_LOCK)
		fi;
		d_step {
			memory[v] = writers[w].value[v];
			writers[w].value[v] = 0;
			writers[w].pending = writers[w].pending & ~bit(v);
			writers[w].after_all = writers[w].after_all & ~bit(v);
			for (i : 0 .. VARS - 1) {
				writers[w].after[i] = writers[w].after[i] & ~bit(v)
			}
			w = 0;
			v = 0;
			i = 0
		}
	}
	:: timeout -> break
	od
}

/* pidfs_register_pid_gfp() */
inline register_by_c(ok) {
	if
	:: load(ATTR) == THERE -> ok = true
	:: load(ATTR) == DEAD -> ok = false
	:: else ->
#ifndef MISTAKE_COPY_WITHOUT_LOCK
		lock(PID_LOCK);
#endif
		if
		:: load(ATTR) == THERE -> ok = true
		:: load(ATTR) == DEAD -> ok = false
		:: else ->
			/* pidfs_record_to_attr(), and kmem_cache_zalloc() before */
			known = 0;
			if
			:: load(RECORD) == THERE ->
				known = load(R_MASK);
				fields = load(R_FIELDS);
				assert((fields & known) == known)
			:: else
			fi;
			store(A_FIELDS, known);
			store(A_MASK, known);
#ifndef MISTAKE_ATTR_BEFORE_MASK
			smp_wmb(); /* smp_store_release() */
#endif
			store(ATTR, THERE);
			ok = true
		fi;
#ifndef MISTAKE_COPY_WITHOUT_LOCK
		unlock(PID_LOCK)
#endif
	fi
}

/* Pid::register() */
inline register_by_rust(ok) {
	if
	:: load(RECORD) == THERE -> ok = true
	:: load(RECORD) == DEAD -> ok = false
	:: else ->
		lock(PID_LOCK);
		if
		:: load(RECORD) == THERE -> ok = true
		:: load(RECORD) == DEAD || load(ATTR) == DEAD -> ok = false
		:: else ->
#ifdef MISTAKE_RECORD_BEFORE_COPY
			store_release(RECORD, THERE);
			unlock(PID_LOCK);
#endif
			/* pidfs_attr_to_record() */
			known = 0;
			if
			:: load(ATTR) == THERE ->
				known = load(A_MASK);
				fields = load(A_FIELDS);
				assert((fields & known) == known)
			:: else
			fi;
			store(R_FIELDS, known);
			store(R_MASK, known);
#ifdef MISTAKE_RECORD_BEFORE_COPY
			lock(PID_LOCK);
#else
			store_release(RECORD, THERE);
#endif
			ok = true
		fi;
		unlock(PID_LOCK)
	fi
}

/* pidfs_coredump(), and the end of pidfs_exit() */
inline write_by_c(what) {
	store(A_FIELDS, load(A_FIELDS) | what);
	smp_wmb();
	store(A_MASK, load(A_MASK) | what)
}

/* Record::set_exit(), Record::set_coredump(), Record::announce() */
inline write_by_rust(what) {
#ifdef MISTAKE_MASK_BEFORE_FIELDS
	store(R_MASK, load(R_MASK) | what);
	store_release(R_FIELDS, load(R_FIELDS) | what)
#else
	store(R_FIELDS, load(R_FIELDS) | what);
#ifdef MISTAKE_NO_RELEASE
	store(R_MASK, load(R_MASK) | what)
#else
	store_release(R_MASK, load(R_MASK) | what)
#endif
#endif
}

/* pidfd_provider_coredump() */
inline coredump() {
	c = load(ATTR) == THERE;
	if
	:: c -> write_by_c(DUMP)
	:: else
	fi;
	/* rust_pid_coredump() */
	lock(PID_LOCK);
	if
	:: load(RECORD) == THERE -> write_by_rust(DUMP)
	:: else
	fi;
	unlock(PID_LOCK);
	if
	:: !c && load(ATTR) == THERE -> write_by_c(DUMP)
	:: else
	fi
}

inline pidfs_exit() {
	lock(PID_LOCK);
	assert(load(ATTR) == THERE);
	unlock(PID_LOCK);
	write_by_c(EXIT);
	smp_mb()
}

inline rust_pid_exit() {
	lock(PID_LOCK);
	if
	:: load(RECORD) == THERE ->
		write_by_rust(EXIT);
		unlock(PID_LOCK);
#ifndef MISTAKE_NO_MB
		smp_mb()
#endif
	:: load(RECORD) != THERE && load(ATTR) == NONE ->
#ifndef MISTAKE_NOT_DEAD
		store(ATTR, DEAD);
		store(RECORD, DEAD);
#endif
		unlock(PID_LOCK)
	:: else ->
		unlock(PID_LOCK)
	fi
}

inline pidfd_provider_exit() {
	c = load(ATTR) == THERE;
	if
	:: c -> pidfs_exit()
	:: else
	fi;
	rust_pid_exit();
#ifndef MISTAKE_NO_SECOND_LOOK
	if
	:: !c && load(ATTR) == THERE ->
		pidfs_exit();
#ifndef MISTAKE_RECORD_WRITTEN_ONCE
		/* A record may have been made from it meanwhile. */
		rust_pid_exit()
#endif
	:: else
	fi
#endif
}

/* do_notify_pidfd(), wake_up_all() */
inline wake_up() {
	lock(PID_LOCK);
	if
	:: queued ->
		/* try_to_wake_up() */
		smp_mb();
		woken = true
	:: else
	fi;
	unlock(PID_LOCK)
}

/* The process itself; and its parent, as far as it reaps it. */
active proctype task() {
	byte known, fields;
	bool c, ok;
	byte me = TASK;

	if
	:: autoreap = true
	:: true
	fi;
	if
	:: true ->
		/* vfs_coredump() holds a reference to the pid. */
		if
		:: true -> register_by_c(ok)
		:: true -> register_by_rust(ok)
		fi;
		assert(ok);
		coredump();
		dumped = true
	:: true
	fi;

	/* exit_notify() */
	lock(TASKLIST);
#ifdef MISTAKE_WAKE_BEFORE_STATE
	wake_up();
	store(EXIT_STATE, ZOMBIE);
#else
	store(EXIT_STATE, ZOMBIE);
	wake_up();
#endif
	if
	:: autoreap ->
		settled = true;
		store(EXIT_STATE, FINAL)
	:: else
	fi;
	unlock(TASKLIST);

	if
	:: autoreap
	:: !autoreap -> goto zombie
	:: !autoreap ->
		/* wait_task_zombie() */
		lock(TASKLIST);
		settled = true;
		store(EXIT_STATE, FINAL);
		smp_mb();
		unlock(TASKLIST)
	fi;

	/* release_task() */
#ifdef MISTAKE_UNHASHED_FIRST
	lock(TASKLIST);
	store(UNHASHED, true);
	wake_up();
	unlock(TASKLIST);
#endif
	pidfd_provider_exit();
	lock(TASKLIST);
	/* __unhash_process() */
	store(UNHASHED, true);
	wake_up();
	unlock(TASKLIST);
zombie:
	skip
}

active proctype reader_by_rust() {
	byte known, fields;
	bool exit, gone, ok;
	byte me = RUST;

	/* create() in file.rs */
	register_by_rust(ok);
	if
	:: !ok ->
		assert(settled);
		goto done
	:: else
	fi;

	/* PidFs::poll() */
	lock(PID_LOCK);
	queued = true;
	unlock(PID_LOCK);
	/* Pid::state() */
	do
	:: load(UNHASHED) -> break
	:: load(EXIT_STATE) != 0 -> break
	/* Look, and sleep: woken was set since, or the look is out of date. */
	:: !load(UNHASHED) && load(EXIT_STATE) == 0 ->
		woken;
		woken = false
	od;

	/* Snapshot::take() */
again:
#ifdef MISTAKE_NO_RMB
	known = load(R_MASK);
	gone = load(UNHASHED);
#else
	gone = load(UNHASHED);
#ifndef MISTAKE_NO_ACQUIRE
	/* Record::exit_of_gone(), Record::exit() */
	known = load(R_MASK);
#endif
#endif
	fields = load(R_FIELDS);
#ifdef MISTAKE_NO_ACQUIRE
	known = load(R_MASK);
#endif
	assert((fields & known) == known);
	exit = known & EXIT;
	if
	:: !exit && !gone ->
		/* Task::final_exit() */
#ifdef MISTAKE_ZOMBIE_IS_FINAL
		exit = load(EXIT_STATE) != 0;
#else
#ifndef MISTAKE_NO_FINAL_EXIT
#ifndef MISTAKE_STATE_WITHOUT_LOCK
		lock(TASKLIST);
#endif
		exit = load(EXIT_STATE) == FINAL;
#ifndef MISTAKE_STATE_WITHOUT_LOCK
		unlock(TASKLIST);
#endif
#endif
#endif
		/* Pid::is_of() */
		if
		:: load(UNHASHED) -> goto again
		:: else
		fi
	:: else
	fi;
	/* A zombie that awaits its parent shows none. */
	assert(!exit || settled);
	/* A poller woken by an auto-reaped exit can read the exit status. */
	assert(exit || !autoreap);
	assert(exit || !gone);
	/* The result of a query of C. */
	assert(!gone || !dumped || (known & DUMP));
	if
	:: !exit ->
end_zombie:
		/* EPOLLHUP */
		load(UNHASHED);
		goto again
	:: else
	fi;
done:
	skip
}

active proctype reader_by_c() {
	byte known, fields;
	bool gone, ok;
	byte me = BY_C;

	register_by_c(ok);
	if
	:: !ok ->
		assert(settled);
		goto done
	:: else
	fi;

	/* pidfd_info() */
again:
	gone = load(UNHASHED);
	known = load(A_MASK);
	fields = load(A_FIELDS);
	assert((fields & known) == known);
	assert(!(known & EXIT) || settled);
	assert(!gone || (known & EXIT));
	/* The result of a query of Rust. */
	assert(!gone || !dumped || (known & DUMP));
	if
	:: !gone ->
end_zombie:
		load(UNHASHED);
		goto again
	:: else
	fi;
done:
	skip
}
