// SPDX-License-Identifier: GPL-2.0
/// Let the pidfd provider make the file wherever C makes one: pidfd_prepare(),
/// which pidfd_open(), SO_PEERPIDFD, SCM_PIDFD and fanotify go through, and the
/// coredump helper's pidfd.
// Hook: kernel/fork.c pidfd_provider_alloc_file( 1
// Hook: fs/coredump.c pidfd_provider_alloc_file( 1

@@
@@
- pidfs_alloc_file
+ pidfd_provider_alloc_file
  (...)
