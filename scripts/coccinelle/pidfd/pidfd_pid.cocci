// SPDX-License-Identifier: GPL-2.0
/// Recognise the pidfd provider's files where C recognises its own. Every
/// system call that takes a pidfd goes through pidfd_pid().
// Hook: fs/pidfs.c pidfd_provider_is_pidfd( 1

@@
identifier file;
expression fops;
@@
  pidfd_pid(const struct file *file)
  {
- if (file->f_op != fops)
+ if (!pidfd_provider_is_pidfd(file, fops))
  return ERR_PTR(-EBADF);
  ...
  }
