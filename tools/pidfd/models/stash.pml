// SPDX-License-Identifier: GPL-2.0
/*
 * The stashed dentry, by which all files of one object share an inode, and the free list,
 * from which it goes to the next object: rust/kernel/fs/{dentry.rs,pseudo.rs,
 * pseudo/free_list.rs}, against dput().
 *
 * USERS open a file of one of OBJECTS, use it and close it. Each makes one dentry at
 * most. The last close races with opens of the same object and of another
 * object. All are on one CPU, and so share one free list.
 */

/* Three leave nothing out that four have been seen to do; but a wrong prune takes four. */
#ifdef MISTAKE_PRUNE_ANY
#define USERS	4
#else
#define USERS	3
#endif
#define OBJECTS	2
#define NONE	255
#define DEAD	200	/* lockref_mark_dead() */

/* The stash of each object, and references to the object. */
byte stash[OBJECTS];
byte refs[OBJECTS];

/* Dentries: the one that user i makes is number i. */
byte count[USERS];
bool d_lock[USERS];
byte d_fsdata[USERS];	/* whose stash it is in */
byte i_private[USERS];	/* what its inode stands for */
bool closing[USERS];	/* is __fput() at work on its inode, after release()? */
bool made[USERS];
bool freed[USERS];

/* The free list. */
byte top = NONE;
byte next[USERS];

/* Which dentry each user has. */
byte has[USERS];

/*
 * The users in an RCU read-side section, and those that a grace period waits for: a bit
 * for each user, and USERS more for sections in dput().
 */
byte in_rcu;
byte waited_for[USERS];

#define bit(i)		(1 << (i))
#define object_of(i)	((i) == 1)
/* Look at a dentry. */
#define look_at(d)	assert(!freed[d])

inline rcu_read_lock(n) {
	in_rcu = in_rcu | bit(n)
}

inline rcu_read_unlock(n) {
	d_step {
		in_rcu = in_rcu & ~bit(n);
		for (i : 0 .. USERS - 1) {
			waited_for[i] = waited_for[i] & ~bit(n)
		}
		i = 0
	}
}

/* Takes the lock if another process holds it. */
inline lockref_get_not_dead(d, ok) {
	atomic {
		look_at(d);
		!d_lock[d];
		if
#ifndef MISTAKE_GET_DEAD
		:: count[d] == DEAD -> ok = false
#endif
		:: else -> count[d]++; ok = true
		fi
	}
}

inline dput(d) {
	/* fast_dput() */
	atomic {
		look_at(d);
		!d_lock[d];
		assert(count[d] > 0 && count[d] < DEAD);
		count[d]--;
		dead = count[d] == 0;
		/* d_lock is held. */
		if
		:: dead -> rcu_read_lock(me + USERS)
		:: else
		fi
	}
	/* lock_for_kill() may let go of d_lock for a moment, but not of RCU. */
	if
	:: dead ->
		atomic {
			look_at(d);
			!d_lock[d];
			dead = count[d] == 0;
			if
			:: dead -> count[d] = DEAD
			:: else
			fi
		}
		rcu_read_unlock(me + USERS)
	:: else
	fi;
	if
	:: dead ->
		/* PseudoFs::d_prune() */
		d_step {
			if
			:: d_fsdata[d] == NONE
			:: else ->
				if
#ifdef MISTAKE_PRUNE_ANY
				:: true -> stash[d_fsdata[d]] = NONE
#else
				:: stash[d_fsdata[d]] == d -> stash[d_fsdata[d]] = NONE
				:: else
#endif
				fi
			fi
		}
		/* dentry_unlink_inode(), PseudoFs::evict_inode() */
		d_step {
			if
			:: i_private[d] != NONE ->
				assert(refs[i_private[d]] > 0);
				refs[i_private[d]]--;
				i_private[d] = NONE
			:: else
			fi
		}
		/* dentry_free(): call_rcu() */
		waited_for[d] = in_rcu;
#ifndef MISTAKE_FREE_AT_ONCE
		waited_for[d] == 0;
#endif
		freed[d] = true
	:: else
	fi
}

/* Stash::get() */
inline get() {
	do
	:: true ->
		found = NONE;
#ifndef MISTAKE_NO_RCU
		rcu_read_lock(me);
#endif
		old = stash[object_of(me)];
		if
		:: old != NONE ->
			lockref_get_not_dead(old, ok);
			if
			:: ok -> found = old
			:: else ->
#ifdef MISTAKE_THEN_SOME
				/* A Dentry was made of it all the same, and is dropped. */
				dput(old)
#else
				skip
#endif
			fi
		:: else
		fi;
		rcu_read_unlock(me);
		/* Stash::still_has() */
		if
		:: found == NONE -> break
#ifdef MISTAKE_NO_SECOND_LOOK
		:: else -> break
#else
		:: else ->
			if
			:: stash[object_of(me)] == found -> break
			:: else -> dput(found)
			fi
#endif
		fi
	od
}

/* Stash::publish() */
inline publish(d) {
	d_fsdata[d] = object_of(me);
	do
	:: true ->
#ifdef MISTAKE_STORE
		stash[object_of(me)] = d;
		found = d;
		break;
#endif
		rcu_read_lock(me);
		/* cmpxchg() */
		d_step {
			old = stash[object_of(me)];
			if
			:: old == NONE -> stash[object_of(me)] = d
			:: else
			fi
		}
		if
		:: old == NONE -> rcu_read_unlock(me); found = d; break
		:: else
		fi;
		lockref_get_not_dead(old, ok);
		if
		:: !ok ->
			/* cmpxchg() */
			d_step {
				ok = stash[object_of(me)] == old;
				if
				:: ok -> stash[object_of(me)] = d
				:: else
				fi
			}
			rcu_read_unlock(me);
			if
			:: ok -> found = d; break
			:: else
			fi
		:: else ->
			rcu_read_unlock(me);
			/* Stash::still_has() */
			if
			:: stash[object_of(me)] == old -> found = old; break
			:: else -> dput(old)
			fi
		fi
	od
}

/* FreeLists::take(): preemption is disabled. */
inline take() {
	d_step {
		if
		:: top == NONE -> mine = NONE
#ifndef MISTAKE_TAKE_SHARED
		:: top != NONE && count[top] != 1 -> mine = NONE
#endif
		:: else -> mine = top; top = next[mine]
		fi
	}
}

/* PseudoFs::retire(), by release() of a file */
inline retire(d) {
#ifndef MISTAKE_NO_LOCK
	atomic { !d_lock[d]; d_lock[d] = true }
#endif
	look_at(d);
	if
	:: count[d] == 1 ->
#ifndef MISTAKE_NOT_CLEARED
		d_step {
			if
			:: stash[d_fsdata[d]] == d -> stash[d_fsdata[d]] = NONE
			:: else
			fi
		}
#endif
		/* dget_dlock() */
		d_step { count[d]++; closing[d] = true; closes = true }
		d_lock[d] = false;
		d_step {
			assert(i_private[d] != NONE);
			old = i_private[d];
			i_private[d] = NONE
		}
		/* FreeLists::add(), which may find the list full; and put_data() */
		if
		:: d_step { next[d] = top; top = d; d_fsdata[d] = NONE }
		:: d_fsdata[d] = NONE; dput(d)
		fi;
		d_step { assert(refs[old] > 0); refs[old]-- }
	:: else -> d_lock[d] = false
	fi
}

proctype user(byte me) {
	byte i, old, found, mine;
	bool ok, dead, closes;

	/* Mount::dentry() */
	get();
	if
	:: found == NONE ->
		/* Mount::new_dentry(): ARef::from(object) */
		refs[object_of(me)]++;
		take();
		if
		:: mine != NONE ->
			/* PseudoFs::reuse() */
			assert(i_private[mine] == NONE && !closing[mine] && !freed[mine]);
			i_private[mine] = object_of(me)
		:: else ->
			/* Mount::alloc_dentry() */
			mine = me;
			d_step {
				made[me] = true;
				count[me] = 1;
				i_private[me] = object_of(me)
			}
		fi;
		publish(mine);
		if
		:: found != mine -> dput(mine)
		:: else
		fi
	:: else
	fi;

	/* All holders of an object hold the same dentry, which belongs to that object. */
	atomic {
		has[me] = found;
		for (i : 0 .. USERS - 1) {
			assert(has[i] == NONE ||
			       (has[i] == found) == (object_of(i) == object_of(me)))
		}
		i = 0
	}
	look_at(found);
	assert(i_private[found] == object_of(me) && refs[object_of(me)] > 0);

	/* close() */
	has[me] = NONE;
	if
	:: retire(found)
	/* One by a path alone, as O_PATH makes it, is no file of ours. */
	:: true
	fi;
	if
	:: closes -> closing[found] = false
	:: else
	fi;
	dput(found)
}

init {
	byte i;

	atomic {
		for (i : 0 .. OBJECTS - 1) {
			stash[i] = NONE
		}
		for (i : 0 .. USERS - 1) {
			has[i] = NONE;
			d_fsdata[i] = NONE;
			i_private[i] = NONE
		}
		for (i : 0 .. USERS - 1) {
			run user(i)
		}
	}
	_nr_pr == 1;

	/* FreeLists::free() */
	do
	:: top != NONE ->
		assert(count[top] == 1);
		freed[top] = true;
		top = next[top]
	:: else -> break
	od;
	/* Nothing is left. */
	for (i : 0 .. OBJECTS - 1) {
		assert(stash[i] == NONE && refs[i] == 0)
	}
	for (i : 0 .. USERS - 1) {
		assert(freed[i] == made[i])
	}
}
