// SPDX-License-Identifier: GPL-2.0
/// Let the provider's pidfds be bind-mounted, as C's are.
// Hook: fs/namespace.c pidfd_provider_made( 1

@@
identifier path, d_op;
@@
  may_copy_tree(const struct path *path)
  {
  <...
  if (d_op == &pidfs_dentry_operations
+     || pidfd_provider_made(path->dentry)
     )
  	return true;
  ...>
  }
