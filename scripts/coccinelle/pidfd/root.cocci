// SPDX-License-Identifier: GPL-2.0
/// Open file handles below FD_PIDFS_ROOT in the provider's file system, and keep the
/// provider as long as that takes.
// Hook: fs/fhandle.c pidfd_provider_get_root( 1
// Hook: fs/fhandle.c <linux/pidfd_provider.h> 1
// Hook: fs/fhandle.c CLASS(pidfd_provider, 1

@@
@@
  #include <linux/exportfs.h>
+ #include <linux/pidfd_provider.h>

@@
@@
- pidfs_get_root
+ pidfd_provider_get_root
  (...)

@@
identifier mountdirfd, ret;
@@
  do_handle_open(int mountdirfd, ...)
  {
  long ret;
+ CLASS(pidfd_provider, provider)(mountdirfd == FD_PIDFS_ROOT);
  ...
  }
