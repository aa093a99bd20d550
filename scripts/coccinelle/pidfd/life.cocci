// SPDX-License-Identifier: GPL-2.0
/// Notify both implementations of a registration of a pid, of the core dump and the reaping of
/// its process, and of its release.
// Hook: include/linux/pidfs.h pidfd_provider_register_pid( 1
// Hook: include/linux/pidfs.h <linux/pidfd_provider.h> 1
// Hook: fs/notify/fanotify/fanotify.c pidfd_provider_register_pid( 1
// Hook: fs/coredump.c pidfd_provider_coredump( 2
// Hook: kernel/exit.c pidfd_provider_exit( 1
// Hook: kernel/pid.c pidfd_provider_free_pid( 1

@@
@@
  #include <linux/gfp_types.h>
+ #include <linux/pidfd_provider.h>

@@
@@
- pidfs_register_pid_gfp
+ pidfd_provider_register_pid
  (...)

@@
@@
- pidfs_coredump
+ pidfd_provider_coredump
  (...)

@@
@@
- pidfs_exit
+ pidfd_provider_exit
  (...)

@@
@@
- pidfs_free_pid
+ pidfd_provider_free_pid
  (...)
