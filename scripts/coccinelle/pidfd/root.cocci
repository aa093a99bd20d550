// SPDX-License-Identifier: GPL-2.0
/// Look for what file handles below FD_PIDFS_ROOT name in the provider's file system, and
/// keep the provider as long as that takes: what is found keeps it then.
// Hook: fs/fhandle.c provider ? 0 : get_path_anchor( 1
// Hook: fs/fhandle.c <linux/pidfd_provider.h> 1
// Hook: fs/fhandle.c CLASS(pidfd_provider, 1

@@
@@
  #include <linux/exportfs.h>
+ #include <linux/pidfd_provider.h>

@@
identifier mountdirfd, ret;
expression root;
@@
  handle_to_path(int mountdirfd, ...)
  {
  ...
+ CLASS(pidfd_provider, provider)(mountdirfd == FD_PIDFS_ROOT, root);
  ret =
- get_path_anchor(mountdirfd, root)
+ provider ? 0 : get_path_anchor(mountdirfd, root)
  ;
  ...
  }
