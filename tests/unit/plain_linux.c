/* In the place of lib/reactor/linux.c: a kernel that has none of it. */
#include "reactor/linux.h"

#include <errno.h>

static int none(void)
{
	errno = ENOSYS;
	return -1;
}

int linux_eventfd(void)
{
	return none();
}

int linux_timerfd(clockid_t clock)
{
	(void)clock;
	return none();
}

int linux_timerfd_set(int fd, clockid_t clock, int64_t deadline)
{
	(void)fd;
	(void)clock;
	(void)deadline;
	return none();
}

int linux_pidfd(pid_t pid)
{
	(void)pid;
	return none();
}

int linux_signalfd(const sigset_t *set)
{
	(void)set;
	return none();
}

int linux_signalfd_take(int fd, struct signal_info *info)
{
	(void)fd;
	(void)info;
	return none();
}
