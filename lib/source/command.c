/* See command.h. */
#include "source/command.h"

#include "base/error.h"
#include "event/event.h"
#include "base/list.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

int source_command_open(struct source_command *c, struct reactor *r, const char *rule,
			const char *kind, const char *text, struct error *e)
{
	struct surroundings_config around = {.umask = -1};

	*c = (struct source_command){.reactor = r, .rule = rule, .kind = kind};
	inherited_take(&c->inherited);
	c->inherited.slack = 0; /* evwatch has changed that one long ago */
	c->command.words = calloc(2, sizeof *c->command.words);
	if (c->command.words)
		c->command.words[0] = strdup(text);
	if (!c->command.words || !c->command.words[0])
		return error_errno(e, "out of memory");
	c->command.count = 1;
	c->command.shell = true;
	if (surroundings_open(&c->around, &around, e) < 0)
		return -1;
	if (program_open(&c->program, &c->command, &c->around, rule) < 0)
		return error_errno(e, "out of memory");
	return 0;
}

void source_command_close(struct source_command *c)
{
	if (!c->reactor)
		return;
	source_command_stop(c);
	starts_close(&c->starts);
	program_close(&c->program);
	surroundings_close(&c->around);
	command_free(&c->command);
	c->reactor = NULL;
}

void source_command_signal(const struct source_command *c, int number)
{
	if (c->pid)
		kill(-c->pid, number);
}

void source_command_stop(struct source_command *c)
{
	if (!c->pid)
		return;
	child_stop(c->reactor, &c->child);
	kill(-c->pid, SIGKILL);
	if (c->start)
		start_abandon(&c->start, c->pid);
	else
		waitpid(c->pid, NULL, WNOHANG); /* the reactor reaps what is not dead yet */
	c->pid = 0;
}

static void on_end(struct reactor *r, struct child_watcher *child, int status)
{
	struct source_command *c = CONTAINER_OF(child, struct source_command, child);
	const char *step;
	int error = start_end(&c->start, &step);

	(void)r;
	c->pid = 0;
	c->call(c->context, status, error);
}

int source_command_start(struct source_command *c, const int fds[3], source_command_call *call,
			 void *context)
{
	struct event event = event_make("start");
	struct run_facts facts = {.rule = c->rule, .kind = c->kind};
	struct launch l;
	const char *step;
	pid_t pid;
	int error;

	c->call = call;
	c->context = context;
	if (launch_prepare(&l, &c->program, &c->around, &event, &facts, NULL, 0) < 0)
		return -1;
	memcpy(l.fds, fds, sizeof l.fds);
	l.reactor = c->reactor;
	l.inherited = &c->inherited;
	pid = launch_start(&c->starts, &l, false, &c->start, &step);
	error = errno;
	launch_release(&l);
	errno = error;
	if (pid < 0)
		return -1;
	c->pid = pid;
	child_init(&c->child, pid, on_end);
	if (child_start(c->reactor, &c->child) == 0)
		return 0;
	error = errno;
	source_command_stop(c);
	errno = error;
	return -1;
}
