// SPDX-License-Identifier: GPL-2.0

#include <linux/uaccess.h>

__rust_helper int rust_helper_put_user_int(int value, int __user *to)
{
	return put_user(value, to);
}

__rust_helper int rust_helper_get_user_u64(u64 *value, const u64 __user *from)
{
	return copy_from_user(value, from, sizeof(*value)) ? -EFAULT : 0;
}

__rust_helper int rust_helper_copy_struct_to_user(void __user *to, size_t usize,
						  const void *from, size_t size,
						  bool *ignored_trailing)
{
	return copy_struct_to_user(to, usize, from, size, ignored_trailing);
}
