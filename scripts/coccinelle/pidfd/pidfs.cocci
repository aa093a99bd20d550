// SPDX-License-Identifier: GPL-2.0
/// In C's pidfs: what it makes for itself it registers for itself, and its extended
/// attributes are those of both sides.
// Hook: fs/pidfs.c pidfs_register_pid_gfp(pid, GFP_KERNEL) 1
// Hook: fs/pidfs.c pidfd_provider_xattrs( 3
// Hook: fs/pidfs.c &pidfd_provider_xattr_lock 1

@@
expression pid;
@@
- pidfs_register_pid(pid)
+ pidfs_register_pid_gfp(pid, GFP_KERNEL)

@@
expression pid;
@@
- &pid->attr->xattrs
+ pidfd_provider_xattrs(pid, &pid->attr->xattrs)

@@
identifier old;
@@
  pidfs_xattr_set(...)
  {
  ...
+ guard(mutex)(&pidfd_provider_xattr_lock);
  old = simple_xattr_set(...);
  ...
  }
