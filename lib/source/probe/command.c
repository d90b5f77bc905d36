/*
 * See command.h. It has no input, and what it writes goes nowhere: the exit status is the answer.
 * It runs in a process group of its own, which is killed when the time is over.
 */
#include "source/probe/command.h"

#include "base/error.h"
#include "base/event.h"
#include "base/fd.h"
#include "base/list.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static void finish(struct probe_command *p, const char *why, bool is_short)
{
	timer_stop(p->reactor, &p->patience);
	p->pid = 0;
	p->call(p->context, why, is_short);
}

static void on_exit_of(struct reactor *r, struct child_watcher *child, int status)
{
	struct probe_command *p = CONTAINER_OF(child, struct probe_command, child);
	const char *step, *why = NULL;
	int error = start_end(&p->start, &step);

	(void)r;
	if (error)
		snprintf(p->why, sizeof p->why, "it cannot be executed: %s", strerror(error));
	else if (p->late)
		snprintf(p->why, sizeof p->why, "it took too long");
	else if (WIFSIGNALED(status))
		snprintf(p->why, sizeof p->why, "it was killed by signal %d", WTERMSIG(status));
	else
		snprintf(p->why, sizeof p->why, "it exits %d", WEXITSTATUS(status));
	if (error || p->late || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		why = p->why;
	kill(-p->pid, SIGKILL); /* what it left behind */
	finish(p, why, false);
}

static void on_patience(struct reactor *r, struct timer *t)
{
	struct probe_command *p = CONTAINER_OF(t, struct probe_command, patience);

	(void)r;
	p->late = true;
	kill(-p->pid, SIGKILL);
}

int probe_command_open(struct probe_command *p, struct reactor *r, const char *rule,
		       const char *text, struct error *e)
{
	struct surroundings_config around = {.umask = -1};

	*p = (struct probe_command){.reactor = r, .rule = rule};
	timer_init(&p->patience, CLOCK_OF_LOOP, on_patience);
	inherited_take(&p->inherited);
	p->inherited.slack = 0; /* that one was changed long ago */
	p->command.words = calloc(2, sizeof *p->command.words);
	if (p->command.words)
		p->command.words[0] = strdup(text);
	if (!p->command.words || !p->command.words[0])
		return error_errno(e, "out of memory");
	p->command.count = 1;
	p->command.shell = true;
	if (surroundings_open(&p->around, &around, e) < 0)
		return -1;
	if (program_open(&p->program, &p->command, &p->around, rule) < 0)
		return error_errno(e, "out of memory");
	return 0;
}

void probe_command_close(struct probe_command *p)
{
	if (!p->reactor)
		return;
	probe_command_stop(p);
	starts_close(&p->starts);
	program_close(&p->program);
	surroundings_close(&p->around);
	command_free(&p->command);
}

void probe_command_stop(struct probe_command *p)
{
	if (!p->pid)
		return;
	timer_stop(p->reactor, &p->patience);
	child_stop(p->reactor, &p->child);
	kill(-p->pid, SIGKILL);
	if (p->start)
		start_abandon(&p->start, p->pid);
	else
		waitpid(p->pid, NULL, WNOHANG); /* the reactor reaps what is not dead yet */
	p->pid = 0;
}

/* Returns the pid, or -1 with errno. */
static pid_t launch(struct probe_command *p, struct launch *l)
{
	int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
	const char *step;
	pid_t pid = -1;

	if (nowhere < 0)
		return -1;
	for (int i = 0; i < 3; i++)
		l->fds[i] = nowhere;
	l->reactor = p->reactor;
	l->inherited = &p->inherited;
	pid = launch_start(&p->starts, l, false, &p->start, &step);
	fd_close(&nowhere);
	return pid;
}

void probe_command_start(struct probe_command *p, int64_t timeout, probe_command_call *call,
			 void *context)
{
	struct event event = event_make("check");
	struct run_facts facts = {.rule = p->rule, .kind = "probe"};
	struct launch l;
	int error;

	p->call = call;
	p->context = context;
	p->late = false;
	if (launch_prepare(&l, &p->program, &p->around, &event, &facts, NULL, 0) < 0) {
		finish(p, "out of memory", true);
		return;
	}
	p->pid = launch(p, &l);
	error = errno;
	launch_release(&l);
	if (p->pid < 0) {
		snprintf(p->why, sizeof p->why, "it cannot be executed: %s", strerror(error));
		finish(p, p->why, error == EAGAIN || error == ENOMEM || fd_is_short(error));
		return;
	}
	child_init(&p->child, p->pid, on_exit_of);
	if (child_start(p->reactor, &p->child) == 0 &&
	    timer_start_in(p->reactor, &p->patience, timeout) == 0)
		return;
	probe_command_stop(p);
	finish(p, "out of memory", true);
}
