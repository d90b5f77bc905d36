/* See terminal.h. */
#include "process/terminal.h"

#include "base/list.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

bool terminal_is_ours(void)
{
	return isatty(0) && tcgetpgrp(0) == getpgrp();
}

bool terminal_controls_us(void)
{
	int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* A background group may do it with SIGTTOU blocked (tcsetpgrp(3)). */
static void give_to(pid_t group)
{
	sigset_t set, before;

	sigemptyset(&set);
	sigaddset(&set, SIGTTOU);
	sigprocmask(SIG_BLOCK, &set, &before);
	tcsetpgrp(0, group);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

void terminal_reclaim(void)
{
	give_to(getpgrp());
}

/* Only from the command: evwatch may be in the background by now, and the shell have it. */
static void take_from(pid_t group)
{
	if (tcgetpgrp(0) == group)
		terminal_reclaim();
}

static bool is_stopped(pid_t pid)
{
	siginfo_t si = {0};

	return waitid(P_PID, (id_t)pid, &si, WSTOPPED | WNOHANG) == 0 && si.si_pid == pid;
}

/*
 * The whole job of the user's shell stops, as Ctrl-Z would have stopped it, and this call returns
 * when it is continued: in the foreground, where the command gets the terminal again, or not. Where
 * no shell could continue it (an orphaned process group) the kernel stops nothing, and the command
 * just goes on.
 */
static void stop_alike(const struct terminal *t)
{
	take_from(t->group);
	kill(0, SIGTSTP);
	if (terminal_is_ours())
		give_to(t->group);
	kill(-t->group, SIGCONT);
}

static void on_child(struct reactor *r, struct signal_watcher *w, const struct signal_info *info)
{
	const struct terminal *t = CONTAINER_OF(w, struct terminal, children);

	(void)r;
	(void)info;
	if (is_stopped(t->group))
		stop_alike(t);
}

int terminal_lent(struct terminal *t, struct reactor *r, pid_t group)
{
	t->group = group;
	signal_init(&t->children, SIGCHLD, on_child);
	return signal_start(r, &t->children);
}

void terminal_take_back(struct terminal *t, struct reactor *r)
{
	if (!t->group)
		return;
	signal_stop(r, &t->children);
	take_from(t->group);
	t->group = 0;
}
