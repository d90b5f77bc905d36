/* See keep_terminal.h. */
#include "process/keep_terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

void terminal_keep(struct kept_terminal *t)
{
	*t = (struct kept_terminal){.fd = -1};
	for (int fd = 0; fd < 3 && t->fd < 0; fd++)
		if (isatty(fd) && tcgetpgrp(fd) == getpgrp() && tcgetattr(fd, &t->modes) == 0)
			t->fd = fd;
}

/* A command of the foreground that was killed leaves the terminal to a group that no longer exists.
 */
static bool is_ours(int fd)
{
	pid_t group = tcgetpgrp(fd);

	if (group > 0 && group != getpgrp() && kill(-group, 0) < 0 && errno == ESRCH)
		return tcsetpgrp(fd, getpgrp()) == 0;
	return group == getpgrp();
}

/* One that Ctrl-S stopped is left as it is. */
static void end_region(void)
{
	static const char text[] = "\0337\033[r\033[999;1H\033[K\0338";
	struct pollfd p = {.fd = 2, .events = POLLOUT};

	if (poll(&p, 1, 100) == 1 && write(2, text, sizeof text - 1) < 0)
		return; /* it is gone */
}

void terminal_restore(const struct kept_terminal *t)
{
	sigset_t set, before;

	if (t->fd < 0)
		return;
	sigemptyset(&set);
	sigaddset(&set, SIGTTOU);
	sigprocmask(SIG_BLOCK, &set, &before);
	if (is_ours(t->fd)) {
		tcsetattr(t->fd, TCSANOW, &t->modes);
		if (t->has_region)
			end_region();
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
}
