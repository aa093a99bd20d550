// SPDX-License-Identifier: GPL-2.0
/// Give struct pid a pointer to what Rust knows of it, next to C's own, and keep
/// each of the two true by what the other knows.
// Hook: include/linux/pid.h record; 1
// Hook: fs/pidfs.c pidfs_record_to_attr( 1
// Hook: fs/pidfs.c smp_store_release(&pid->attr, 1
// Hook: fs/pidfs.c pid->record 1
// Hook: fs/pidfs.c pidfd_provider_knows( 1

@@
@@
  struct pid {
  ...
  struct {
  ...
  struct pidfs_attr *attr;
+ struct pidfd_record *record;
  ...
  };
  ...
  };

@@
identifier pid;
@@
  pidfs_prepare_pid(struct pid *pid)
  {
  ...
  pid->attr = NULL;
+ pid->record = NULL;
  ...
  }

@@
identifier pid, new_attr;
@@
  pidfs_register_pid_gfp(struct pid *pid, ...)
  {
  <...
+ pidfs_record_to_attr(pid, new_attr);
- pid->attr = no_free_ptr(new_attr);
+ smp_store_release(&pid->attr, no_free_ptr(new_attr));
  ...>
  }

@@
identifier pid, attr;
@@
  pidfs_ino_get_pid(...)
  {
  <...
  attr = READ_ONCE(pid->attr);
+ if (!attr && pidfd_provider_knows(pid))
+ 	return pid_vnr(pid) ? get_pid(pid) : NULL;
  if (IS_ERR_OR_NULL(attr))
  	return NULL;
  ...>
  }
