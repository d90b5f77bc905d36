/* See linux.h. */
#include "reactor/linux.h"

#include "reactor/loop.h"

#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

int linux_eventfd(void)
{
	return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

int linux_timerfd(clockid_t clock)
{
	return timerfd_create(clock, TFD_NONBLOCK | TFD_CLOEXEC);
}

/* Far enough to never come, near enough for the kernel. */
enum { FAR_SECONDS = 2000000000 };

int linux_timerfd_set(int fd, clockid_t clock, int64_t deadline)
{
	struct itimerspec when = {.it_value.tv_sec = FAR_SECONDS};
	int flags = TFD_TIMER_ABSTIME;

	if (deadline < INT64_MAX - 1)
		when.it_value = to_timespec(deadline > 0 ? deadline : 1);
	if (clock == CLOCK_REALTIME)
		flags |= TFD_TIMER_CANCEL_ON_SET;
	return timerfd_settime(fd, flags, &when, NULL);
}

int linux_pidfd(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

int linux_signalfd(const sigset_t *set)
{
	return signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int linux_signalfd_take(int fd, struct signal_info *info)
{
	struct signalfd_siginfo si;

	if (read(fd, &si, sizeof si) != (ssize_t)sizeof si)
		return -1;
	*info = (struct signal_info){
	    .number = (int)si.ssi_signo,
	    .code = si.ssi_code,
	    .pid = (pid_t)si.ssi_pid,
	    .uid = si.ssi_uid,
	};
	return 0;
}
