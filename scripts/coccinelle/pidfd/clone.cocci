// SPDX-License-Identifier: GPL-2.0
/// Let the pidfd provider serve CLONE_PIDFD in copy_process(): it reserves the
/// descriptor, makes the file and writes the number to user memory. What
/// installs or undoes the two stays as it is.
// Hook: kernel/fork.c pidfd_provider_clone( 1

@@
identifier pidfile, bad_prepare, bad_put;
expression pid, fd, flags, args, ret;
@@
  copy_process(...)
  {
  <...
- ret = pidfd_prepare(pid, flags, &pidfile);
+ ret = pidfd_provider_clone(pid, flags, args->pidfd, &pidfile);
  if (ret < 0)
      goto bad_prepare;
  fd = ret;
- ret = put_user(fd, args->pidfd);
- if (ret)
-     goto bad_put;
  ...>
  }
