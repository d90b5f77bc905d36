/*
 * lines --of: the command whose output is read.
 *
 *	RUNNING --command ended and its pipe has no writer--> WAITING --backoff over--> RUNNING
 *	                                                 \--no --restart--> over
 *
 *	any --stop--> STOPPING --ended, or killed after the stop timeout--> over
 *
 * The command has ended only when both are so: what it left behind may print on, as in a pipeline
 * of the shell. While lines are not wanted nothing is read, and the command waits at a full pipe.
 */
#include "source/lines/lines.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/signame.h"
#include "base/units.h"
#include "source/command.h"
#include "source/restart.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOT_EXECUTED = 126, NOT_FOUND = 127 };

struct of {
	struct source_command command;
	struct lines_source *owner;
	struct timer again, kill;
	int64_t began, wait;
	int status;     /* of its last end, as a shell counts it */
	bool pipe_open; /* somebody may still write to it */
};

static struct line_file *file_of(const struct of *of)
{
	return line_file_of(of->owner->inputs[0].files.next);
}

/* ---- ends ------------------------------------------------------------------------------------ */

static void over(struct of *of)
{
	struct lines_source *s = of->owner;

	s->inputs[0].over = true;
	s->base.fell_short |= of->status == NOT_FOUND || of->status == NOT_EXECUTED;
	lines_cut(file_of(of));
	lines_review(s);
}

static void wait_to_start(struct of *of, int64_t ran)
{
	struct lines_source *s = of->owner;
	struct error e;

	restart_wait(&of->wait, ran, NS_PER_S, BACKOFF_MOST);
	if (timer_start_in(s->base.reactor, &of->again, of->wait) == 0)
		return;
	error_errno(&e, "cannot start the command of --of again");
	s->base.host->failed(&s->base, &e);
}

/* Looks whether the command and its output have both ended. */
static void review(struct of *of)
{
	struct lines_source *s = of->owner;
	const struct lines_config *c = s->base.config;

	if (of->command.pid || of->pipe_open || s->stopped)
		return;
	if (c->restart > 0 && restart_is_wanted((enum restart)c->restart, of->status))
		wait_to_start(of, reactor_now(s->base.reactor, CLOCK_OF_LOOP) - of->began);
	else
		over(of);
}

/* Says that it failed, whether or not it is started again. */
static void say_end(const struct of *of, int status)
{
	const char *rule = of->owner->base.rule, *text = of->owner->inputs[0].path;
	char name[16];

	if (WIFSIGNALED(status))
		log_warn(rule, "the command of --of was killed by SIG%s: %s",
			 signal_name(WTERMSIG(status), name, sizeof name), text);
	else if (of->status)
		log_warn(rule, "the command of --of failed with status %d: %s", of->status, text);
	else
		log_info(rule, "the command of --of has ended: %s", text);
}

static void say_unstarted(const struct of *of, int error)
{
	log_error(of->owner->base.rule, "the command of --of cannot be started: %s: %s",
		  of->owner->inputs[0].path, strerror(error));
}

/* The source was stopped, and waited for nothing else. */
static void stopped(struct of *of)
{
	struct source *base = &of->owner->base;

	timer_stop(base->reactor, &of->kill);
	base->host->ended(base);
}

/* One that hangs in the kernel is not waited for. */
static void on_kill(struct reactor *r, struct timer *t)
{
	struct of *of = CONTAINER_OF(t, struct of, kill);

	(void)r;
	log_info(of->owner->base.rule, "the command of --of has not stopped: it is killed");
	source_command_stop(&of->command);
	stopped(of);
}

static void on_end(void *context, int status, int error)
{
	struct of *of = context;

	if (error)
		of->status = error == ENOENT ? NOT_FOUND : NOT_EXECUTED;
	else
		of->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	if (error)
		say_unstarted(of, error);
	else if (!of->owner->stopped)
		say_end(of, status);
	if (of->owner->stopped)
		stopped(of);
	else
		review(of);
}

void of_pipe_ended(struct lines_source *s)
{
	struct line_file *f = file_of(s->of);

	io_stop(s->base.reactor, &f->io);
	fd_close(&f->fd);
	s->of->pipe_open = false;
	f->flushing = true; /* a last line without its end */
	lines_cut(f);
	review(s->of);
}

/* ---- starts ---------------------------------------------------------------------------------- */

/* Starts it with a new pipe as its output. Returns the end to read from, or -1 with errno. */
static int start_with_pipe(struct of *of)
{
	int fds[3] = {open("/dev/null", O_RDONLY | O_CLOEXEC), -1, 2}, ends[2] = {-1, -1};
	int started = -1, error;

	if (fds[0] >= 0 && pipe2(ends, O_CLOEXEC) == 0) {
		fds[1] = ends[1];
		started = source_command_start(&of->command, fds, on_end, of);
	}
	error = errno;
	fd_close(&fds[0]);
	fd_close(&ends[1]);
	if (started < 0)
		fd_close(&ends[0]);
	errno = error;
	return started < 0 ? -1 : ends[0];
}

/* What evwatch is short of passes; what is wrong with the command is an end of it. */
static void could_not_start(struct of *of, int error)
{
	bool is_short = error == EAGAIN || error == ENOMEM || fd_is_short(error);

	say_unstarted(of, error);
	of->status = error == ENOENT ? NOT_FOUND : NOT_EXECUTED;
	if (is_short)
		wait_to_start(of, 0);
	else
		review(of);
}

static void start(struct of *of)
{
	struct lines_source *s = of->owner;
	int fd = start_with_pipe(of);

	of->began = reactor_now(s->base.reactor, CLOCK_OF_LOOP);
	if (fd < 0) {
		could_not_start(of, errno);
		return;
	}
	of->pipe_open = true;
	log_info(s->base.rule, "the command of --of started, pid %d", (int)of->command.pid);
	file_reopen(file_of(of), fd);
}

static void on_again(struct reactor *r, struct timer *t)
{
	(void)r;
	start(CONTAINER_OF(t, struct of, again));
}

/* ---- life ------------------------------------------------------------------------------------ */

int of_open(struct lines_source *s, struct error *e)
{
	const struct lines_config *c = s->base.config;

	if (!c->of)
		return 0;
	s->of = calloc(1, sizeof *s->of);
	if (!s->of)
		return error_errno(e, "--of");
	s->of->owner = s;
	timer_init(&s->of->again, CLOCK_OF_LOOP, on_again);
	timer_init(&s->of->kill, CLOCK_OF_LOOP, on_kill);
	return source_command_open(&s->of->command, s->base.reactor, s->base.rule, "lines", c->of,
				   e);
}

/* In the next turn: a command that cannot be started ends the source, which start must not. */
void of_start(struct lines_source *s)
{
	if (s->of && timer_start_soon(s->base.reactor, &s->of->again) < 0)
		log_error(s->base.rule, "out of memory: the command of --of is not started");
}

bool of_runs(const struct lines_source *s)
{
	return s->of && s->of->command.pid;
}

void of_stop(struct lines_source *s)
{
	struct reactor *r = s->base.reactor;

	if (s->of)
		timer_stop(r, &s->of->again);
	if (!of_runs(s) || timer_active(&s->of->kill))
		return;
	source_command_signal(&s->of->command, SIGTERM);
	source_command_signal(&s->of->command, SIGCONT); /* a stopped process does not handle it */
	if (timer_start_in(r, &s->of->kill, s->base.stop_timeout) < 0)
		source_command_signal(&s->of->command, SIGKILL);
}

void of_close(struct lines_source *s)
{
	if (!s->of)
		return;
	timer_stop(s->base.reactor, &s->of->again);
	timer_stop(s->base.reactor, &s->of->kill);
	source_command_close(&s->of->command);
	free(s->of);
	s->of = NULL;
}
