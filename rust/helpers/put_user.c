// SPDX-License-Identifier: GPL-2.0

#include <linux/uaccess.h>

__rust_helper int rust_helper_put_user_int(int value, int __user *to)
{
	return put_user(value, to);
}
