// SPDX-License-Identifier: GPL-2.0
/*
 * The life cycle of a provider: include/linux/pidfd_provider.h documents it,
 * kernel/pidfd/provider.c and rust/kernel/{pidfd.rs,fs/pseudo.rs} implement it.
 *
 * Two modules, or one that is loaded twice, each loaded and unloaded once at any
 * time, against CALLERS that each make a file, and use and close it. Numbers
 * stand for the implementation: C is 0, a module 1 or 2. Accesses to memory are in the order
 * written: static calls and keys are code, which is patched with all processors
 * stopped or synchronised.
 *
 * -DSWITCH: module 1 alone, and the switch pidfd.provider, which is turned off and on
 * once at any time.
 *
 * -DFOREVER: callers never stop to call, and module 1 alone. For what has to end
 * even so.
 */

#ifndef CALLERS
#define CALLERS	2
#endif
#define C	0

/* The module: text is there, MODULE_STATE_GOING, refcnt (0: about to go). */
bool text[3];
bool going[3];
byte refcnt[3];
/* Mounts of its file system: the kernel's own, and those of files and paths. */
byte mounts[3];
/* Its super block: in the list, locked for reading (s_umount), SB_DYING, and s_passive. */
bool listed[3];
byte umount[3];
bool dying[3];
byte passive[3];
/* Of its files, how many are open. */
byte open[3];

/* kernel/pidfd/provider.c */
bool pidfd_provider_lock;
byte registered = C;
bool switched_on = true;
byte pidfd_provider = C;
byte pidfd_provider_fops = C;
byte static_call = C;
/* pidfd_provider_key, patched in one place after the other. */
bool key_alloc, key_hold;
#ifdef MISTAKE_ROOT_WITHOUT_HOLD
byte static_call_root = C;
bool key_root;
#endif

/* rust/kernel/pidfd.rs: FS_TYPE_CLAIMED */
bool fs_type_claimed;

/* Processes in a section of pidfd_provider_srcu, and those that synchronize_srcu() waits for. */
bool in_section[CALLERS];
bool waited_for[CALLERS];

/* Run a step of m's code. */
#define run_in(m)	assert((m) == C || text[m])

inline srcu_read_lock() {
#ifndef MISTAKE_NO_SRCU
	in_section[me] = true
#else
	skip
#endif
}

inline srcu_read_unlock() {
	d_step { in_section[me] = false; waited_for[me] = false }
}

inline try_module_get(m, ok) {
	if
#ifndef MISTAKE_GET_WHEN_GOING
	:: atomic { m != C && (going[m] || refcnt[m] == 0) -> ok = false }
#endif
	:: atomic { else -> refcnt[m] = refcnt[m] + (m != C); ok = true }
	fi
}

inline module_put(m) {
	d_step { assert(m == C || refcnt[m] > 0); refcnt[m] = refcnt[m] - (m != C) }
}

/*
 * The last reference to an inode goes, in ->release() of its last file or in
 * path_put(), before the mount is given up.
 */
inline inode_put(m) {
	/* PseudoFs::retire(), put_inode() */
	run_in(m);
#ifdef MISTAKE_MOUNT_BEFORE_INODE
	mounts[m]--;
#endif
#ifndef MISTAKE_NO_REF_OF_INODE
	module_put(m);
#endif
	/* ... and returns. */
	run_in(m)
#ifndef MISTAKE_MOUNT_BEFORE_INODE
	;
	/* mntput() */
	mounts[m]--
#endif
}

/* Mount::dentry(): make the inode. The caller has the mount in place. */
inline new_inode(m, ok) {
	run_in(m);
#ifndef MISTAKE_NO_REF_OF_INODE
	/* PseudoFs::init_inode() */
	try_module_get(m, ok);
#else
	ok = true;
#endif
	run_in(m);
	if
	:: ok -> mounts[m]++
	:: else
	fi
}

/* dentry_open(): file_operations have no owner, the inode has the module. */
inline dentry_open(m) {
	run_in(m);
	open[m]++
}

/* fput(): ->release() of a file whose inode another file uses as well. */
inline close_file(m) {
	run_in(m);
	open[m]--
}

/* fput(): ->release() of the last file of an inode. */
inline close_last_file(m) {
	run_in(m);
	open[m]--;
	inode_put(m)
}

/*
 * iterate_supers(), filesystems_freeze() and others: a passive reference is kept
 * until the next super block has been dealt with, which may never happen.
 */
proctype walk(byte m) {
end_not_listed:
	atomic { listed[m] && !dying[m] -> passive[m]++ };
	/* filesystems_freeze_callback() reads sb->s_op without a lock. */
#ifdef MISTAKE_SUPER_OPERATIONS_IN_MODULE
	run_in(m);
#endif
	/* super_lock(), and for user_get_super() ->statfs() */
	if
	:: atomic { !dying[m] -> umount[m]++ };
	   run_in(m);
	   umount[m]--
	:: dying[m]
	fi;
	if
	:: true ->
end_stalled:
		false
	:: true
	fi;
	/* put_super() */
	passive[m]--
}

proctype caller(byte me) {
	byte m, held;
	bool ok;

	do
	:: true ->
		ok = false;
		m = C;
		held = C;
		if
		:: true ->
			/* pidfd_provider_alloc_file(), pidfd_provider_clone() */
			if
			:: key_alloc ->
#ifdef MISTAKE_CHECK_BEFORE_SECTION
				m = pidfd_provider;
				srcu_read_lock();
#else
				srcu_read_lock();
				m = pidfd_provider;
#endif
#ifdef MISTAKE_LOCK_IN_SECTION
				atomic { !pidfd_provider_lock -> pidfd_provider_lock = true };
				pidfd_provider_lock = false;
#endif
				if
				:: m != C ->
					m = static_call;
					/* PidFs::alloc_file() */
					new_inode(m, ok);
					if
					:: ok -> dentry_open(m)
					:: else -> m = C
					fi
				:: else
				fi;
				srcu_read_unlock();
#ifdef MISTAKE_NO_FALL_BACK
				if
				:: !ok && m == C -> goto made
				:: else
				fi
#endif
			:: else
			fi;
			if
			/* pidfs_alloc_file() */
			:: !ok -> m = C; new_inode(m, ok); dentry_open(m)
			:: else
			fi
		:: true ->
			/* do_handle_open(): CLASS(pidfd_provider) is pidfd_provider_hold() */
			if
			:: key_hold ->
#ifndef MISTAKE_HOLD_WITHOUT_SECTION
				srcu_read_lock();
#endif
				held = pidfd_provider;
				if
				:: held != C ->
					/* It reads provider->owner. */
					run_in(held);
					try_module_get(held, ok);
					if
					:: !ok -> held = C
					:: else ->
						/* provider->get_root() */
						run_in(held);
#ifndef MISTAKE_ROOT_WITHOUT_HOLD
						mounts[held]++
#endif
					fi
				:: else
				fi;
				srcu_read_unlock()
			:: else
			fi;
			m = held;
#ifdef MISTAKE_ROOT_WITHOUT_HOLD
			m = C;
			if
			:: key_root ->
				srcu_read_lock();
				if
				:: pidfd_provider != C -> m = static_call_root
				:: else
				fi;
				run_in(m);
				mounts[m]++;
				srcu_read_unlock()
			:: else -> mounts[C]++
			fi;
#else
			/* get_path_anchor() */
			if
			:: m == C -> mounts[C]++
			:: else
			fi;
#endif
			/* do_handle_to_path(): ->fh_to_dentry() */
			new_inode(m, ok);
			/* handle_to_path(): path_put(&ctx.root) */
			mounts[m]--;
			if
			:: ok -> dentry_open(m)
			:: else
			fi
		fi;
made:
		/* A file was made. */
		assert(ok);

		/* pidfd_provider_put() */
		module_put(held);
		held = C;

		/* pidfd_provider_is_pidfd() */
		assert(m == C || pidfd_provider_fops == m);
		/* ->poll(), ->unlocked_ioctl() */
		run_in(m);
		if
		:: true
		:: true ->
			/* open(O_PATH), and the file is closed: a path alone. */
			close_file(m);
			/* ->getattr() */
			run_in(m);
			if
			/* Opened again, through /proc/<pid>/fd. */
			:: dentry_open(m)
			/* path_put() */
			:: inode_put(m); goto next
			fi
		fi;
		close_last_file(m);
next:
		skip
#ifndef FOREVER
		;
		break
#endif
	od
}

#define wait_for(i)	(i >= CALLERS || !waited_for[(i) % CALLERS])

inline synchronize_srcu() {
#ifndef MISTAKE_NO_SYNCHRONIZE
#ifdef MISTAKE_WAIT_FOR_ALL
	/* Waits for a moment without a process in a section, while the keys are still on. */
	!in_section[0] && !in_section[1];
#else
	d_step {
		waited_for[0] = in_section[0];
		waited_for[1] = in_section[1];
#if CALLERS > 2
		waited_for[2] = in_section[2];
#endif
	}
	wait_for(0);
	wait_for(1);
	wait_for(2)
#endif
#else
	skip
#endif
}

/* The keys are patched in any order. */
inline set_keys(on) {
	if
	:: key_alloc = on; key_hold = on
	:: key_hold = on; key_alloc = on
	fi
}

/* pidfd_provider_set() */
inline switch_to(on) {
	atomic { !pidfd_provider_lock -> pidfd_provider_lock = true };
	switched_on = on;
	if
	:: registered != C && on ->
		pidfd_provider = registered;
		set_keys(true)
	:: registered != C && !on ->
		set_keys(false);
		pidfd_provider = C
#ifdef MISTAKE_SWITCH_CLEARS_FOPS
		;
		pidfd_provider_fops = C
#endif
#ifdef MISTAKE_SWITCH_UNREGISTERS
		;
		registered = C
#endif
	:: else
	fi;
	pidfd_provider_lock = false
}

#ifdef SWITCH
proctype switch() {
	switch_to(false);
	switch_to(true)
}
#endif

proctype module(byte m) {
	/* init_module(): refcnt is MODULE_REF_BASE while the module is there. */
	d_step { text[m] = true; refcnt[m] = 1 }

	/* FsTypeClaim::new() */
	if
	:: atomic { fs_type_claimed -> goto freed }
	:: atomic { else -> fs_type_claimed = true }
	fi;
	/* PseudoFs::mount() */
	mounts[m] = 1;
	listed[m] = true;

	/* pidfd_provider_register() */
	atomic { !pidfd_provider_lock -> pidfd_provider_lock = true };
	assert(registered == C);
	registered = m;
	pidfd_provider_fops = m;
	static_call = m;
#ifdef MISTAKE_ROOT_WITHOUT_HOLD
	static_call_root = m;
#endif
	if
	:: switched_on ->
		pidfd_provider = m;
		set_keys(true)
	:: else
	fi;
#ifdef MISTAKE_ROOT_WITHOUT_HOLD
	key_root = true;
#endif
	pidfd_provider_lock = false;

	/* delete_module(), which is refused while references exist ... */
end_in_use:
	/* try_release_module_ref() */
	atomic { refcnt[m] == 1 -> refcnt[m] = 0 };
	/* try_stop_module() */
	going[m] = true;

	/* pidfd_provider_unregister() */
	atomic { !pidfd_provider_lock -> pidfd_provider_lock = true };
	assert(registered == m);
#ifdef MISTAKE_ROOT_WITHOUT_HOLD
	key_root = false;
#endif
#ifndef MISTAKE_WAIT_FOR_ALL
	set_keys(false);
#endif
#ifdef MISTAKE_WAIT_FIRST
	synchronize_srcu();
	pidfd_provider = C;
#else
	pidfd_provider = C;
#ifdef MISTAKE_SWITCH_WITHOUT_WAIT
	if
	:: switched_on -> synchronize_srcu()
	:: else
	fi;
#else
	synchronize_srcu();
#endif
#endif
#ifndef MISTAKE_CALL_LEFT
	static_call = C;
#endif
#ifdef MISTAKE_ROOT_WITHOUT_HOLD
	static_call_root = C;
#endif
#ifndef MISTAKE_FOPS_LEFT
	pidfd_provider_fops = C;
#endif
	registered = C;
	pidfd_provider_lock = false;

	/* Mount's drop(): kern_unmount_wait() */
	mounts[m]--;
#ifndef MISTAKE_NO_WAIT_FOR_MOUNT
	mounts[m] == 0;
#endif
	/* kill_super(): deactivate_super() has s_umount for writing, until SB_DYING is set. */
#ifdef MISTAKE_DYING_WITHOUT_LOCK
	dying[m] = true;
#else
	atomic { umount[m] == 0 -> dying[m] = true };
#endif
#ifdef MISTAKE_WAIT_FOR_PASSIVE
	passive[m] == 0;
#endif
	/* FsTypeClaim's drop() */
	fs_type_claimed = false;

freed:
	/* free_module() */
	atomic {
		assert(open[m] == 0);
		assert(pidfd_provider != m && pidfd_provider_fops != m && static_call != m);
		text[m] = false
	}
}

init {
	atomic {
		text[C] = true;
		run caller(0);
		run caller(1);
#if CALLERS > 2
		run caller(2);
#endif
		run module(1);
		run walk(1);
#ifdef SWITCH
		run switch();
#elif !defined(FOREVER)
		run module(2);
#endif
	}
}

#ifdef FOREVER
/* A module that is about to go is gone some time, whatever callers do. */
ltl goes { [] (going[1] -> <> !text[1]) }
#endif
