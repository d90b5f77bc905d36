/* See run.h. */
#include "job/run.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/units.h"
#include "job/intake.h"
#include "job/state.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STATUS_TIMEOUT = 124, STATUS_NOT_EXECUTED = 126, STATUS_NOT_FOUND = 127 };

#define GLANCE (5 * NS_PER_MS) /* between two looks whether a stopped group is gone */
/* After KILL only the dead are left, whom a parent outside the group does not reap: then it ends.
 */
#define LAST_GLANCE NS_PER_S

static void on_timeout(struct reactor *r, struct timer *t);
static void on_again(struct reactor *r, struct timer *t);
static void on_over(struct reactor *r, struct timer *d);
static void start_failed(struct run *run, const char *step, int why);

struct run *run_new(struct job *j, struct batch *b, size_t from, size_t to)
{
	struct run *run = calloc(1, sizeof *run);

	if (!run)
		return NULL;
	run->job = j;
	run->batch = batch_hold(b);
	run->from = from;
	run->to = to;
	run->last_share = to == b->n_subjects;
	run->forced_status = -1;
	list_init(&run->link);
	timer_init(&run->timeout, CLOCK_OF_LOOP, on_timeout);
	timer_init(&run->again, CLOCK_OF_LOOP, on_again);
	timer_init(&run->over, CLOCK_OF_LOOP, on_over);
	return run;
}

void run_free(struct run *run)
{
	struct reactor *r = run->job->setup.reactor;

	timer_stop(r, &run->timeout);
	timer_stop(r, &run->again);
	timer_stop(r, &run->over);
	child_stop(r, &run->child);
	start_abandon(&run->start, run->pid);
	terminal_take_back(&run->terminal, r);
	list_remove(&run->link);
	batch_release(run->batch);
	free(run);
}

/* ---- the end --------------------------------------------------------------------------------- */

static int shell_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static bool group_is_gone(const struct run *run)
{
	return kill(-run->pid, 0) < 0 && errno == ESRCH;
}

/* The wait before the next attempt, doubling up to --backoff's MAX. */
static bool back_off(struct run *run)
{
	struct job *j = run->job;
	int64_t most = j->setup.config->backoff_max;

	run->backoff = run->backoff ? run->backoff * 2 : j->setup.config->backoff;
	if (run->backoff > most)
		run->backoff = most;
	if (timer_start_in(j->setup.reactor, &run->again, run->backoff) < 0)
		return false;
	run->state = RUN_BACKOFF;
	return true;
}

static void run_end(struct run *run)
{
	struct job *j = run->job;

	timer_stop(j->setup.reactor, &run->timeout);
	terminal_take_back(&run->terminal, j->setup.reactor);
	if (run->forced_status >= 0)
		run->status = run->forced_status;
	if (run->status != 0 && !run->unwanted && !j->stopping &&
	    run->attempts <= j->setup.config->retry && batch_first(run->batch)->connection < 0) {
		log_info(j->setup.rule, "run %llu: attempt %llu failed with status %d",
			 (unsigned long long)run->ordinal, (unsigned long long)run->attempts,
			 run->status);
		output_finish(&run->output, NULL);
		if (back_off(run))
			return;
	}
	job_run_over(j, run);
}

static void on_child(struct reactor *r, struct child_watcher *w, int status)
{
	struct run *run = CONTAINER_OF(w, struct run, child);
	const char *step;
	int why = start_end(&run->start, &step);

	run->status = shell_status(status);
	if (why && run->state == RUN_RUNNING) {
		start_failed(run, step, why);
		return;
	}
	run->job->shortage_wait = 0;
	/* What was stopped must be gone whole before something else takes its place. */
	if (run->state == RUN_STOPPING && !group_is_gone(run) &&
	    timer_start_in(r, &run->timeout, GLANCE) == 0)
		return;
	run_end(run);
}

/* ---- stopping -------------------------------------------------------------------------------- */

void run_signal(const struct run *run, int number)
{
	if (run->pid > 0 && kill(-run->pid, number) < 0 && errno == ESRCH && run->start)
		kill(run->pid, number); /* it has not made its group yet */
}

void run_kill(struct run *run)
{
	if (run->state == RUN_RUNNING || run->state == RUN_STOPPING) {
		run->unwanted = true;
		run->state = RUN_STOPPING;
		run->kill_at = reactor_now(run->job->setup.reactor, CLOCK_OF_LOOP);
		run_signal(run, SIGKILL);
	}
}

void run_stop(struct run *run)
{
	struct job *j = run->job;
	const struct job_config *c = j->setup.config;

	run->unwanted = true;
	if (run->state == RUN_BACKOFF) {
		timer_stop(j->setup.reactor, &run->again);
		job_run_over(j, run);
		return;
	}
	if (run->state != RUN_RUNNING)
		return;
	run->state = RUN_STOPPING;
	run_signal(run, c->stop_signal);
	run_signal(run, SIGCONT); /* a stopped process would not hear of it */
	run->kill_at = reactor_now(j->setup.reactor, CLOCK_OF_LOOP) + c->stop_timeout;
	if (timer_start_at(j->setup.reactor, &run->timeout, run->kill_at) < 0)
		run_signal(run, SIGKILL);
}

static void on_timeout(struct reactor *r, struct timer *t)
{
	struct run *run = CONTAINER_OF(t, struct run, timeout);
	int64_t now = reactor_now(r, CLOCK_OF_LOOP);

	if (run->state == RUN_RUNNING) {
		log_info(run->job->setup.rule, "run %llu is stopped: its time is over",
			 (unsigned long long)run->ordinal);
		run->forced_status = STATUS_TIMEOUT;
		run_stop(run);
		run->unwanted = false;
		return;
	}
	if (now >= run->kill_at)
		run_signal(run, SIGKILL);
	if (run->child.started)
		return; /* KILL was sent: its end comes */
	if (group_is_gone(run) || now >= run->kill_at + LAST_GLANCE ||
	    timer_start_in(r, t, GLANCE) < 0)
		run_end(run);
}

/* ---- starting -------------------------------------------------------------------------------- */

/* Failures of evwatch's own means pass; those of the command's file do not. */
static bool is_shortage(int why)
{
	return why == EAGAIN || why == ENOMEM || why == EMFILE || why == ENFILE;
}

static void start_failed(struct run *run, const char *step, int why)
{
	struct job *j = run->job;

	timer_stop(j->setup.reactor, &run->timeout);
	terminal_take_back(&run->terminal, j->setup.reactor);
	output_finish(&run->output, NULL);
	run->pid = 0;
	if (is_shortage(why) && !j->stopping && job_run_postponed(j, run, step, why) == 0)
		return;
	failures_tell(&j->failures, step, why);
	run->status = why == ENOENT && strcmp(step, STEP_EXECUTE) == 0 ? STATUS_NOT_FOUND
								       : STATUS_NOT_EXECUTED;
	run->state = RUN_FAILED;
	/* In the next turn: a queue of commands that all fail must neither nest nor starve the
	 * rest. */
	if (timer_start_soon(j->setup.reactor, &run->over) < 0)
		run_end(run);
}

static void on_over(struct reactor *r, struct timer *d)
{
	(void)r;
	run_end(CONTAINER_OF(d, struct run, over));
}

static int watch_child(struct run *run)
{
	struct job *j = run->job;
	int64_t timeout = j->setup.config->timeout;

	child_init(&run->child, run->pid, on_child);
	if (child_start(j->setup.reactor, &run->child) < 0)
		return -1;
	if (timeout && timer_start_in(j->setup.reactor, &run->timeout, timeout) < 0)
		return -1;
	return 0;
}

static void run_started(struct run *run)
{
	struct job *j = run->job;
	struct event *first = batch_first(run->batch);

	run->state = RUN_RUNNING;
	run->started = clock_read(CLOCK_OF_LOOP);
	if (!run->start)
		j->shortage_wait = 0;
	if (watch_child(run) < 0) {
		int why = errno;

		run_signal(run, SIGKILL);
		child_stop(j->setup.reactor, &run->child);
		start_abandon(&run->start, run->pid);
		start_failed(run, "watch the command", why);
		return;
	}
	fd_close(&first->connection); /* the command's alone now */
	if (!run->told)
		j->setup.host->began(j->setup.owner, run->ordinal, run->pid, first->token);
	run->told = true;
}

/*
 * May its exec go on beside the loop? It costs less to wait where one command follows the other. A
 * connection is held until the exec is known to have worked, and the terminal is lent to who has
 * it.
 */
static bool may_overlap(const struct run *run, const struct launch *l)
{
	return run->job->setup.config->jobs > 1 && batch_first(run->batch)->connection < 0 &&
	       !l->foreground;
}

/* Starts the process. Returns its pid, or -1 with errno and *step. */
static pid_t start_process(struct run *run, struct launch *l, const char **step)
{
	struct job *j = run->job;
	bool mine;
	pid_t pid;
	int input;

	*step = "prepare its input";
	input = intake_open(run, &mine);
	if (input < 0)
		return -1;
	l->fds[0] = input;
	l->reactor = j->setup.reactor;
	l->inherited = j->setup.inherited;
	if (batch_first(run->batch)->connection >= 0 && !batch_first(run->batch)->payload)
		l->fds[1] = input;
	l->foreground = input == 0 && terminal_is_ours();
	*step = "prepare its output";
	pid = -1;
	if (output_open(&run->output, &j->output, batch_first(run->batch)->capture, l->fds) == 0) {
		pid = may_overlap(run, l) ? launch_begin(&j->starts, l, &run->start, step)
					  : launch_start(l, step);
		output_started(&run->output, l->fds);
		if (pid < 0 && l->foreground)
			terminal_reclaim(); /* it may have taken it before it failed */
		else if (l->foreground && terminal_lent(&run->terminal, j->setup.reactor, pid) < 0)
			log_warn(j->setup.rule, "Ctrl-Z will not be noticed: %s", strerror(errno));
	}
	if (mine)
		fd_close(&input);
	return pid;
}

void run_launch(struct run *run)
{
	struct job *j = run->job;
	struct run_facts facts = {j->setup.rule, j->setup.kind, run->ordinal};
	struct event *first = batch_first(run->batch);
	const char *step = "prepare it";
	struct launch l;

	run->attempts++;
	run->forced_status = -1;
	if (launch_prepare(&l, &j->program, &j->around, first, &facts,
			   run->batch->subjects + run->from, run->to - run->from) < 0) {
		start_failed(run, step, errno);
		return;
	}
	run->pid = start_process(run, &l, &step);
	launch_release(&l);
	if (run->pid < 0) {
		start_failed(run, step, errno);
		return;
	}
	run_started(run);
}

static void on_again(struct reactor *r, struct timer *t)
{
	(void)r;
	run_launch(CONTAINER_OF(t, struct run, again));
}
