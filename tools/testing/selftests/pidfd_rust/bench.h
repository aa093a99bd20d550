/* SPDX-License-Identifier: GPL-2.0 */
/* The parts of bench. */
#ifndef BENCH_H
#define BENCH_H

#include <sys/epoll.h>
#include <sys/resource.h>

#include "pidfs.h"

#define ROUNDS 15
#define FORKS 401
#define CLONES 2001

/* Rounds of an operation before its trace. */
#define WARM_UP 10

/*
 * A mark is a system call with a number that x86-64 does not use. A debugger has a breakpoint
 * in sys_ni_syscall(), and knows a mark by its first argument.
 */
#define NR_MARK 400
#define MARK 0x6d61726b

/* What the operations work on. */
struct objects {
	int self;
	pid_t pid;
	int child;
	int zombie;
	pid_t zombie_pid;
	int reaped;
	int sock;
	struct handle handle;
	char fdinfo[64];
};

struct operation {
	const char *name;
	void (*op)(void);
	int n;
};

#define OPERATIONS 18

/* bench_operation.c */
extern struct objects on;
extern const struct operation ops[OPERATIONS];
void __attribute__((noreturn)) fail(const char *what);
void need(long ret, const char *what);
double median(double *values, int n);
double least(const double *values, int n);
void tell(const char *name, double cost);
void op_open_first(void);
void op_open_further(void);
void op_poll_alive(void);
void op_send_signal(void);
void op_fdinfo(void);
void op_info(void);

#endif /* BENCH_H */
