/*
 * See command.h. It has no input, and what it writes goes nowhere: the exit status is the answer.
 * Its process group is killed when the time is over, and when it has ended: a check leaves nothing.
 */
#include "source/probe/command.h"

#include "base/fd.h"
#include "base/list.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static void finish(struct probe_command *p, const char *why, bool is_short)
{
	timer_stop(p->command.reactor, &p->patience);
	p->call(p->context, why, is_short);
}

static void not_executed(struct probe_command *p, int error, bool is_short)
{
	snprintf(p->why, sizeof p->why, "it cannot be executed: %s", strerror(error));
	finish(p, p->why, is_short);
}

static void on_end(void *context, int status, int error)
{
	struct probe_command *p = context;
	const char *why = p->why;

	kill(-p->group, SIGKILL); /* what it left behind */
	if (error) {
		not_executed(p, error, false);
		return;
	}
	if (p->late)
		snprintf(p->why, sizeof p->why, "it took too long");
	else if (WIFSIGNALED(status))
		snprintf(p->why, sizeof p->why, "it was killed by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		snprintf(p->why, sizeof p->why, "it ended with status %d", WEXITSTATUS(status));
	else
		why = NULL;
	finish(p, why, false);
}

static void on_patience(struct reactor *r, struct timer *t)
{
	struct probe_command *p = CONTAINER_OF(t, struct probe_command, patience);

	(void)r;
	p->late = true;
	source_command_signal(&p->command, SIGKILL);
}

int probe_command_open(struct probe_command *p, struct reactor *r, const char *rule,
		       const char *text, struct error *e)
{
	timer_init(&p->patience, CLOCK_OF_LOOP, on_patience);
	return source_command_open(&p->command, r, rule, "probe", text, e);
}

void probe_command_close(struct probe_command *p)
{
	probe_command_stop(p);
	source_command_close(&p->command);
}

void probe_command_stop(struct probe_command *p)
{
	if (!p->command.pid)
		return;
	timer_stop(p->command.reactor, &p->patience);
	source_command_stop(&p->command);
}

void probe_command_start(struct probe_command *p, int64_t timeout, probe_command_call *call,
			 void *context)
{
	int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC), fds[3] = {nowhere, nowhere, nowhere};
	int started = nowhere < 0 ? -1 : source_command_start(&p->command, fds, on_end, p);
	int error = errno;

	p->call = call;
	p->context = context;
	p->late = false;
	p->group = p->command.pid;
	fd_close(&nowhere);
	if (started < 0) {
		not_executed(p, error, error == EAGAIN || error == ENOMEM || fd_is_short(error));
		return;
	}
	if (timer_start_in(p->command.reactor, &p->patience, timeout) == 0)
		return;
	probe_command_stop(p);
	finish(p, "out of memory", true);
}
