/*
 * Descriptors that only Linux has: -1 with ENOSYS where it is too old. The callers have a plain way
 * then, which the tests try: bounded waits (timers.c), a pipe (waker.c), SIGCHLD (children.c).
 */
#ifndef EVWATCH_REACTOR_LINUX_H
#define EVWATCH_REACTOR_LINUX_H

#include "reactor/reactor.h"

#include <signal.h>

int linux_eventfd(void); /* eventfd(2), Linux 2.6.27 */

/* timerfd_create(2), Linux 2.6.27; of CLOCK_BOOTTIME since 3.15. */
int linux_timerfd(clockid_t clock);
/* At `deadline`, absolute, or never; ECANCELED and set: the wall clock was stepped since. */
int linux_timerfd_set(int fd, clockid_t clock, int64_t deadline);

int linux_pidfd(pid_t pid); /* pidfd_open(2), Linux 5.3 */
/* signalfd(2), Linux 2.6.27: for signals that are blocked. */
int linux_signalfd(const sigset_t *set);
/* Takes one signal. Returns 0, or -1 when there is none. */
int linux_signalfd_take(int fd, struct signal_info *info);

#endif
