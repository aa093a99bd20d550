// SPDX-License-Identifier: GPL-2.0
/*
 * Symbols that are exported to rust_pidfd and to no other module.
 */

#include <linux/dcache.h>
#include <linux/export.h>
#include <linux/fs.h>
#include <linux/inode_reuse.h>
#include <linux/mount.h>
#include <linux/mutex.h>
#include <linux/pidfd_provider.h>
#include <linux/proc_ns.h>
#include <linux/ptrace.h>
#include <linux/xattr.h>

#include "../../fs/internal.h"

EXPORT_SYMBOL_FOR_MODULES(dynamic_dname, "rust_pidfd");
EXPORT_SYMBOL_FOR_MODULES(open_namespace, "rust_pidfd");
EXPORT_SYMBOL_FOR_MODULES(path_from_stashed, "rust_pidfd");
EXPORT_SYMBOL_FOR_MODULES(ptrace_may_access, "rust_pidfd");
EXPORT_SYMBOL_FOR_MODULES(put_super, "rust_pidfd");
#ifdef CONFIG_SECURITY
EXPORT_SYMBOL_FOR_MODULES(security_inode_is_reusable, "rust_pidfd");
EXPORT_SYMBOL_FOR_MODULES(security_inode_reuse, "rust_pidfd");
#endif

EXPORT_SYMBOL_FOR_MODULES(pidfd_counts, "rust_pidfd");
EXPORT_SYMBOL_FOR_MODULES(pidfd_counts_create, "rust_pidfd");
EXPORT_SYMBOL_FOR_MODULES(pidfd_counts_remove, "rust_pidfd");
EXPORT_SYMBOL_FOR_MODULES(pidfd_provider_fs_type, "rust_pidfd");
EXPORT_SYMBOL_FOR_MODULES(pidfd_provider_register, "rust_pidfd");
EXPORT_SYMBOL_FOR_MODULES(pidfd_provider_unregister, "rust_pidfd");
EXPORT_SYMBOL_FOR_MODULES(pidfd_provider_xattr_lock, "rust_pidfd");
EXPORT_SYMBOL_FOR_MODULES(pidfs_device, "rust_pidfd");
EXPORT_SYMBOL_FOR_MODULES(pidfs_xattr_cache, "rust_pidfd");
EXPORT_SYMBOL_FOR_MODULES(simple_xattr_get, "rust_pidfd");
EXPORT_SYMBOL_FOR_MODULES(task_wait_status, "rust_pidfd");
