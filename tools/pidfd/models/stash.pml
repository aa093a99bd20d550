// SPDX-License-Identifier: GPL-2.0
/*
 * The stashed dentry, by which all files of one object share an inode:
 * rust/kernel/fs/{dentry.rs,pseudo.rs}, against path_from_stashed() of fs/libfs.c
 * and dput().
 *
 * USERS ask for the dentry of one object, use it and close it. Each makes one
 * dentry at most. The last close races with who asks again.
 */

#ifndef USERS
#define USERS	3
#endif
#define NONE	255
#define DEAD	200	/* lockref_mark_dead() */

/* The stash of the object, and references to the object. */
byte stash = NONE;
byte object;

/* Dentries: the one that user i makes is number i. */
byte count[USERS];
bool inode[USERS];
bool freed[USERS];

/* Which dentry each user has. */
byte has[USERS];

/*
 * Who is in an RCU read-side section, and whom a grace period waits for: a bit for
 * each user, and USERS more for one inside of dput().
 */
byte in_rcu;
byte waited_for[USERS];

#define bit(i)		(1 << (i))
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

inline lockref_get_not_dead(d, ok) {
	d_step {
		look_at(d);
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
	d_step {
		look_at(d);
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
		d_step {
			look_at(d);
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
		/* stashed_dentry_prune() */
		d_step {
			if
#ifdef MISTAKE_PRUNE_ANY
			:: true -> stash = NONE
#else
			:: stash == d -> stash = NONE
			:: else
#endif
			fi
		}
		/* dentry_unlink_inode(), PseudoFs::evict_inode() */
		d_step {
			assert(inode[d] && object > 0);
			inode[d] = false;
			object--
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

/* Stash::get(), stashed_dentry_get() */
inline get() {
	found = NONE;
#ifndef MISTAKE_NO_RCU
	rcu_read_lock(me);
#endif
	old = stash;
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
	rcu_read_unlock(me)
}

/* stash_dentry() */
inline stash_dentry() {
	rcu_read_lock(me);
	do
	:: true ->
#ifdef MISTAKE_STORE
		stash = me;
		found = me;
		break;
#endif
		/* cmpxchg() */
		d_step {
			old = stash;
			if
			:: old == NONE -> stash = me
			:: else
			fi
		}
		if
		:: old == NONE -> found = me; break
		:: else
		fi;
		lockref_get_not_dead(old, ok);
		if
		:: ok -> found = old; break
		:: else
		fi;
		/* try_cmpxchg() */
		d_step {
			ok = stash == old;
			if
			:: ok -> stash = me
			:: else
			fi
		}
		if
		:: ok -> found = me; break
		:: else
		fi
	od;
	rcu_read_unlock(me)
}

proctype user(byte me) {
	byte i, old, found;
	bool ok, dead;

	/* PseudoFs::dentry() */
	get();
	if
	:: found == NONE ->
		/* PseudoFs::new_dentry(): ARef::from(object) */
		object++;
		/* path_from_stashed() */
		get();
		if
		:: found != NONE ->
			/* PseudoFs::put_data() */
#ifndef MISTAKE_DATA_KEPT
			d_step { assert(object > 0); object-- }
#else
			skip
#endif
		:: else ->
			/* prepare_anon_dentry() */
			d_step { count[me] = 1; inode[me] = true }
			stash_dentry();
			if
			:: found != me -> dput(me)
			:: else
			fi
		fi
	:: else
	fi;

	/* All who have one have the same, and it has its inode. */
	atomic {
		has[me] = found;
		for (i : 0 .. USERS - 1) {
			assert(has[i] == NONE || has[i] == found)
		}
		i = 0
	}
	look_at(found);
	assert(inode[found] && object > 0);

	/* close() */
	has[me] = NONE;
	dput(found)
}

init {
	byte i;

	atomic {
		for (i : 0 .. USERS - 1) {
			has[i] = NONE
		}
		for (i : 0 .. USERS - 1) {
			run user(i)
		}
	}
	/* When all are gone nothing is left. */
	_nr_pr == 1;
	assert(stash == NONE && object == 0)
}
