/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Process file descriptors for user space.
 *
 * The rules that hold for every function here:
 *
 * - They report errors as a libc does: -1 is returned and errno is set.
 * - They are async-signal-safe and thread-safe: nothing is allocated, there is
 *   no state, and only system calls are made.
 * - An interrupting signal is not an error: EINTR is never returned.
 * - Every descriptor they return is close-on-exec.
 *
 * The header needs nothing but <signal.h> and <sys/types.h>, the code needs
 * C11, Linux 5.3 and, for pidfdh_reap(), Linux 5.4.
 */
#ifndef PIDFD_HELPER_H
#define PIDFD_HELPER_H

#include <signal.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

pid_t pidfdh_fork(int *pidfd);
int pidfdh_open(pid_t pid, unsigned int flags);
pid_t pidfdh_getpid(int pidfd);
int pidfdh_send_signal(int pidfd, int sig);
int pidfdh_alive(int pidfd);
int pidfdh_open_proc(int pidfd, pid_t pid);
int pidfdh_wait(int pidfd, int timeout_ms);
int pidfdh_reap(int pidfd, siginfo_t *info);

#ifdef __cplusplus
}
#endif

#endif /* PIDFD_HELPER_H */
