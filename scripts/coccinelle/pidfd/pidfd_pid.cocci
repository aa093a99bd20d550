// SPDX-License-Identifier: GPL-2.0
/// Recognise the pidfd provider's files where C recognises its own. Every
/// system call that takes a pidfd goes through pidfd_pid().
// Hook: fs/pidfs.c pidfd_provider_pid( 1

@@
identifier file;
expression fops;
@@
  pidfd_pid(const struct file *file)
  {
  if (file->f_op != fops)
- return ERR_PTR(-EBADF);
+ return pidfd_provider_pid(file);
  ...
  }
