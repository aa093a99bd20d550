/* SPDX-License-Identifier: GPL-2.0 */
/* The roles of a policy, and the way into them for each security module. */
#ifndef LSM_ROLE_H
#define LSM_ROLE_H

#include "peer.h"

enum role { FREE, A, B, ROLES };

/* A security module, and the way into a role of its policy. */
struct module {
	const char *name;
	int (*enter)(enum role role);
};

#define MODULES 6

extern const struct module modules[MODULES];
extern const char *const role_names[];
/* The module under test. */
extern const struct module *module;

void __attribute__((noreturn)) bail_out(const char *why);
const char *error_name(int error);
void enter(enum role role);

#endif /* LSM_ROLE_H */
