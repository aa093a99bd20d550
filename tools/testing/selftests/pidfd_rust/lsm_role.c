// SPDX-License-Identifier: GPL-2.0
/* Enters a role of the policy, for each security module. */
#include <linux/capability.h>
#include <linux/landlock.h>

#include "lsm_role.h"

#define SECURITYFS "/sys/kernel/security/"
#define ATTR "/proc/self/attr/"

const char *const role_names[] = { "free", "a", "b" };

void bail_out(const char *why)
{
	printf("Bail out! %s: %s\n", why, strerror(errno));
	fflush(stdout);
	_exit(KSFT_FAIL);
}

const char *error_name(int error)
{
	const char *name = strerrorname_np(error);

	return name ? name : "unknown error";
}

/* How a process enters a role, for each security module. */

static int enter_selinux(enum role role)
{
	static const char *const contexts[] = {
		"u:r:free_t", "u:r:a_t", "u:r:b_t",
	};

	return write_file(ATTR "current", contexts[role]);
}

/* Root keeps all other capabilities, so that only the module denies. */
static int drop_mac_capabilities(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];
	__u32 mac = CAP_TO_MASK(CAP_MAC_OVERRIDE) | CAP_TO_MASK(CAP_MAC_ADMIN);

	if (syscall(__NR_capget, &header, data))
		return -1;
	data[1].effective &= ~mac;
	data[1].permitted &= ~mac;
	data[1].inheritable &= ~mac;
	return syscall(__NR_capset, &header, data);
}

static int enter_smack(enum role role)
{
	static const char *const labels[] = { "Free", "A", "B" };

	if (write_file(ATTR "smack/current", labels[role]))
		return -1;
	return role == FREE ? 0 : drop_mac_capabilities();
}

static int enter_tomoyo(enum role role)
{
	static const char *const domains[] = {
		"<kernel> /pidfd/free", "<kernel> /pidfd/a", "<kernel> /pidfd/b",
	};

	return write_file(SECURITYFS "tomoyo/self_domain", domains[role]);
}

static int enter_apparmor(enum role role)
{
	static const char *const profiles[] = {
		NULL, "changeprofile pidfd-a", "changeprofile pidfd-b",
	};

	if (role == FREE)
		return 0;
	return write_file(ATTR "apparmor/current", profiles[role]);
}

/*
 * The domain of a restricts signals, that of b access to files. Neither allows to trace
 * a process outside of it.
 */
static int enter_landlock(enum role role)
{
	struct landlock_ruleset_attr attr = {
		.scoped = role == A ? LANDLOCK_SCOPE_SIGNAL : 0,
		.handled_access_fs = role == B ? LANDLOCK_ACCESS_FS_WRITE_FILE |
						 LANDLOCK_ACCESS_FS_IOCTL_DEV : 0,
	};
	int rules, result;

	if (role == FREE)
		return 0;
	rules = syscall(__NR_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (rules < 0)
		return -1;
	result = syscall(__NR_landlock_restrict_self, rules, 0);
	close(rules);
	return result;
}

/* The rules of the policy apply to groups. */
static int enter_ima(enum role role)
{
	static const gid_t groups[] = { 0, 1001, 1002 };

	return setresgid(groups[role], groups[role], groups[role]);
}

const struct module modules[MODULES] = {
	{ "selinux", enter_selinux },
	{ "smack", enter_smack },
	{ "tomoyo", enter_tomoyo },
	{ "apparmor", enter_apparmor },
	{ "landlock", enter_landlock },
	{ "ima", enter_ima },
};

const struct module *module;

/* Audit records have the name of the process. */
void enter(enum role role)
{
	prctl(PR_SET_NAME, role_names[role]);
	if (module->enter(role))
		bail_out(role_names[role]);
}
