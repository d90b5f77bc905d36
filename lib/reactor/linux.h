/*
 * Descriptors that only Linux has. Each function returns -1 with ENOSYS where the kernel is too
 * old; its caller then has a plain way: a wait that is bounded (timers.c), a pipe (waker.c),
 * SIGCHLD (children.c). The tests try those ways with functions that always return it.
 */
#ifndef EVWATCH_REACTOR_LINUX_H
#define EVWATCH_REACTOR_LINUX_H

#include "reactor/reactor.h"

#include <signal.h>

/* eventfd(2), Linux 2.6.27. */
int linux_eventfd(void);

/* timerfd_create(2), Linux 2.6.27; of CLOCK_BOOTTIME since 3.15. */
int linux_timerfd(clockid_t clock);
/* At `deadline`, absolute, or never; ECANCELED and set: the wall clock was stepped since. */
int linux_timerfd_set(int fd, clockid_t clock, int64_t deadline);

/* pidfd_open(2), Linux 5.3. */
int linux_pidfd(pid_t pid);

/* signalfd(2), Linux 2.6.27: for signals that are blocked. */
int linux_signalfd(const sigset_t *set);
/* Takes one signal. Returns 0, or -1 when there is none. */
int linux_signalfd_take(int fd, struct signal_info *info);

#endif
