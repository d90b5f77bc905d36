/* See run.h. */
#include "job/run.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/units.h"
#include "job/intake.h"
#include "job/run_setup.h"
#include "process/descendants.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STATUS_TIMEOUT = 124, STATUS_NOT_EXECUTED = 126, STATUS_NOT_FOUND = 127 };

#define GLANCE                                                                                     \
	(5 * NS_PER_MS) /* the first wait to see whether what was stopped is gone, doubling */
#define LONGEST_GLANCE (100 * NS_PER_MS)
/* After KILL only dead processes are left, which a parent outside the group does not reap: then it
 * ends.
 */
#define LAST_GLANCE NS_PER_S
#define NOT_ASKED   INT64_MAX /* kill_at: what the command left was not asked to end yet */

static void on_timeout(struct reactor *r, struct timer *t);
static void on_swept(struct run *run, int number, size_t found);
static void on_again(struct reactor *r, struct timer *t);
static void on_over(struct reactor *r, struct timer *d);
static void on_sweep(struct sweep *s, int signal, size_t found);

struct run *run_new(struct run_setup *setup, struct batch *b, size_t from, size_t to)
{
	struct run *run = calloc(1, sizeof *run);

	if (!run)
		return NULL;
	run->setup = setup;
	run->share = (struct share){batch_hold(b), from, to, to == b->n_subjects};
	run->forced_status = -1;
	list_init(&run->link);
	timer_init(&run->timeout, CLOCK_OF_LOOP, on_timeout);
	timer_init(&run->again, CLOCK_OF_LOOP, on_again);
	timer_init(&run->over, CLOCK_OF_LOOP, on_over);
	sweep_init(&run->sweep, setup->reactor, on_sweep);
	return run;
}

void run_free(struct run *run)
{
	struct reactor *r = run->setup->reactor;

	timer_stop(r, &run->timeout);
	timer_stop(r, &run->again);
	timer_stop(r, &run->over);
	child_stop(r, &run->child);
	sweep_stop(&run->sweep);
	start_abandon(&run->start, run->pid);
	terminal_take_back(&run->terminal, r);
	list_remove(&run->link);
	batch_release(run->share.batch);
	free(run);
}

/* ---- states ---------------------------------------------------------------------------------- */

/* The diagram is in run.h. What a state has going on ends with it. */
static void run_become(struct run *run, enum run_state next)
{
	struct reactor *r = run->setup->reactor;

	if (next == RUN_STOPPING || next == RUN_CLEARING) { /* the command's means stay in use */
		run->state = next;
		return;
	}
	timer_stop(r, &run->timeout);
	timer_stop(r, &run->again);
	timer_stop(r, &run->over);
	sweep_stop(&run->sweep);
	if (next != RUN_RUNNING)
		terminal_take_back(&run->terminal, r);
	if (next != RUN_RUNNING && next != RUN_OVER) /* whose owner wants what was captured */
		output_finish(&run->output, NULL);
	run->state = next;
	if (next == RUN_OVER)
		run->setup->host->over(run);
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
	const struct job_config *c = run->setup->config;

	run->backoff = run->backoff ? run->backoff * 2 : c->backoff;
	if (run->backoff > c->backoff_max)
		run->backoff = c->backoff_max;
	run_become(run, RUN_BACKOFF);
	return timer_start_in(run->setup->reactor, &run->again, run->backoff) == 0;
}

static bool wants_retry(const struct run *run)
{
	return run->status != 0 && !run->unwanted && run->attempts <= run->setup->config->retry &&
	       batch_first(run->share.batch)->connection < 0;
}

static void run_end(struct run *run)
{
	if (run->forced_status >= 0)
		run->status = run->forced_status;
	if (wants_retry(run)) {
		log_info(run->setup->rule, "run %llu: attempt %llu failed with status %d",
			 (unsigned long long)run->ordinal, (unsigned long long)run->attempts,
			 run->status);
		if (back_off(run))
			return;
	}
	run_become(run, RUN_OVER);
}

/*
 * To all that it started, as far as that is known; 0 only looks for it. on_swept goes on, now or in
 * a later turn. The group comes last: what has no mark of its own is found by its parent.
 */
static void signal_all(struct run *run, int number)
{
	if (*run->mark)
		sweep_start(&run->sweep, run->mark, run->pid, number);
	else
		on_swept(run, number, 0);
}

/* What was stopped must be gone whole before something else takes its place. */
static void clear_away(struct run *run)
{
	run->glance = GLANCE;
	run_become(run, RUN_CLEARING);
	if (!sweep_active(&run->sweep)) /* else the stop signal still makes its way */
		signal_all(run, 0);
}

/* The command has ended by itself. The workers of a server that died would keep its port. */
static void stop_rest(struct run *run)
{
	const struct job_config *c = run->setup->config;

	log_info(run->setup->rule, "run %llu: what its command left behind is stopped",
		 (unsigned long long)run->ordinal);
	run->kill_at = reactor_now(run->setup->reactor, CLOCK_OF_LOOP) + c->stop_timeout;
	signal_all(run, c->stop_signal);
}

/* KILL was sent to all. True: it has had its time. */
static bool is_hopeless(struct run *run, int64_t now)
{
	if (!run->last_at)
		run->last_at = now + LAST_GLANCE;
	return now >= run->last_at;
}

/* The command has ended; `found` of what left its group are left. */
static void review_rest(struct run *run, bool killed, size_t found)
{
	struct reactor *r = run->setup->reactor;
	int64_t wait = run->glance;

	if ((!found && group_is_gone(run)) ||
	    (killed && is_hopeless(run, reactor_now(r, CLOCK_OF_LOOP)))) {
		run_end(run);
	} else if (run->kill_at == NOT_ASKED) {
		stop_rest(run);
	} else {
		run->glance = wait * 2 < LONGEST_GLANCE ? wait * 2 : LONGEST_GLANCE;
		if (timer_start_in(r, &run->timeout, wait) < 0)
			run_end(run);
	}
}

/* ---- stopping -------------------------------------------------------------------------------- */

/* Between two attempts there is no command, and its number may be another's. */
static bool has_command(const struct run *run)
{
	return run->pid > 0 && (run->state == RUN_RUNNING || run->state == RUN_STOPPING ||
				run->state == RUN_CLEARING);
}

void run_signal(const struct run *run, int number)
{
	if (has_command(run) && kill(-run->pid, number) < 0 && errno == ESRCH && run->start)
		kill(run->pid, number); /* it has not made its group yet */
}

/* Its end comes; but one that has become another user's, or hangs in the kernel, is given up. */
static void review_killed(struct run *run)
{
	struct reactor *r = run->setup->reactor;

	if (!is_hopeless(run, reactor_now(r, CLOCK_OF_LOOP)) &&
	    timer_start_at(r, &run->timeout, run->last_at) == 0)
		return;
	process_give_up(run->setup->rule, run->pid, kill(run->pid, 0) < 0 ? errno : 0);
	child_stop(r, &run->child);
	run->status = 128 + SIGKILL;
	run_end(run);
}

/* The signal was given to what left the group; the last act of a caller, for it may free the run.
 */
static void on_swept(struct run *run, int number, size_t found)
{
	bool killed =
	    number == SIGKILL && reactor_now(run->setup->reactor, CLOCK_OF_LOOP) >= run->kill_at;

	if (number)
		run_signal(run, number);
	if (run->state == RUN_CLEARING)
		review_rest(run, killed, found);
	else if (killed)
		review_killed(run);
	else
		run_signal(run, SIGCONT); /* a stopped process does not handle it */
}

static void on_sweep(struct sweep *s, int signal, size_t found)
{
	on_swept(CONTAINER_OF(s, struct run, sweep), signal, found);
}

void run_kill(struct run *run)
{
	run->unwanted = true;
	if (run->state != RUN_RUNNING && run->state != RUN_STOPPING && run->state != RUN_CLEARING)
		return;
	if (run->state == RUN_RUNNING)
		run_become(run, RUN_STOPPING);
	run->kill_at = reactor_now(run->setup->reactor, CLOCK_OF_LOOP);
	if (run->state == RUN_STOPPING)
		signal_all(run, SIGKILL);
	else
		run_signal(run, SIGKILL);
}

/* Sends the stop signal; the end of the command leads on. */
static void stop_command(struct run *run)
{
	const struct job_config *c = run->setup->config;
	struct reactor *r = run->setup->reactor;

	run_become(run, RUN_STOPPING);
	run->kill_at = reactor_now(r, CLOCK_OF_LOOP) + c->stop_timeout;
	if (timer_start_at(r, &run->timeout, run->kill_at) < 0)
		run_signal(run, SIGKILL);
	signal_all(run, c->stop_signal);
}

void run_stop(struct run *run)
{
	run->unwanted = true;
	if (run->state == RUN_BACKOFF)
		run_become(run, RUN_OVER);
	else if (run->state == RUN_RUNNING)
		stop_command(run);
}

static void on_timeout(struct reactor *r, struct timer *t)
{
	struct run *run = CONTAINER_OF(t, struct run, timeout);

	if (run->state == RUN_CLEARING) {
		signal_all(run, reactor_now(r, CLOCK_OF_LOOP) >= run->kill_at ? SIGKILL : 0);
	} else if (run->state == RUN_STOPPING) {
		signal_all(run, SIGKILL);
	} else {
		log_info(run->setup->rule, "run %llu is stopped: its time is over",
			 (unsigned long long)run->ordinal);
		run->forced_status = STATUS_TIMEOUT;
		stop_command(run);
	}
}

/* ---- starting -------------------------------------------------------------------------------- */

/* A shortage of evwatch's own means passes; what is wrong with the command's file stays. */
static bool is_shortage(int why)
{
	return why == EAGAIN || why == ENOMEM || why == EMFILE || why == ENFILE;
}

/* Back into the owner's queue. */
static bool postpone(struct run *run, const char *step, int why)
{
	run_become(run, RUN_WAITING);
	if (run->setup->host->postponed(run, step, why) < 0)
		return false;
	run->attempts--;
	return true;
}

static void start_failed(struct run *run, const char *step, int why)
{
	run->pid = 0;
	if (is_shortage(why) && !run->unwanted && !run->gave_connection && postpone(run, step, why))
		return;
	run_become(run, RUN_FAILED);
	failures_add(&run->setup->failures, step, why);
	run->status = why == ENOENT && strcmp(step, STEP_EXECUTE) == 0 ? STATUS_NOT_FOUND
								       : STATUS_NOT_EXECUTED;
	/* In the next turn: a queue of commands that all fail must neither nest nor starve the
	 * rest. */
	if (timer_start_soon(run->setup->reactor, &run->over) < 0)
		run_end(run);
}

static void on_over(struct reactor *r, struct timer *d)
{
	(void)r;
	run_end(CONTAINER_OF(d, struct run, over));
}

static void on_child(struct reactor *r, struct child_watcher *w, int status)
{
	struct run *run = CONTAINER_OF(w, struct run, child);
	const char *step;
	int why = start_end(&run->start, &step);

	(void)r;
	run->status = shell_status(status);
	run->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	if (why && run->state == RUN_RUNNING) {
		start_failed(run, step, why);
		return;
	}
	run->setup->host->executed(run);
	if (run->state == RUN_RUNNING)
		run->kill_at = NOT_ASKED;
	if (run->state == RUN_STOPPING || run->setup->config->ends_whole)
		clear_away(run);
	else
		run_end(run);
}

static int watch_child(struct run *run)
{
	struct reactor *r = run->setup->reactor;
	int64_t timeout = run->setup->config->timeout;

	child_init(&run->child, run->pid, on_child);
	if (child_start(r, &run->child) < 0)
		return -1;
	if (timeout && timer_start_in(r, &run->timeout, timeout) < 0)
		return -1;
	return 0;
}

static void run_started(struct run *run)
{
	struct event *first = batch_first(run->share.batch);

	run_become(run, RUN_RUNNING);
	if (!run->start)
		run->setup->host->executed(run);
	if (watch_child(run) < 0) {
		int why = errno;

		run_signal(run, SIGKILL);
		child_stop(run->setup->reactor, &run->child);
		start_abandon(&run->start, run->pid);
		start_failed(run, "watch the command", why);
		return;
	}
	run->gave_connection = first->connection >= 0;
	fd_close(&first->connection); /* the command's alone now */
	if (!run->announced)
		run->setup->host->began(run);
	run->announced = true;
}

/*
 * May its exec go on beside the loop? It costs less to wait where one command follows the other. A
 * connection is held until the exec is known to have worked, and the terminal is lent to who has
 * it.
 */
static bool may_overlap(const struct run *run, const struct launch *l)
{
	return run->setup->config->jobs > 1 && batch_first(run->share.batch)->connection < 0 &&
	       !l->foreground;
}

/* Starts the process. Returns its pid, or -1 with errno and *step. */
static pid_t start_process(struct run *run, struct launch *l, const char **step)
{
	struct run_setup *s = run->setup;
	const struct event *first = batch_first(run->share.batch);
	bool mine;
	pid_t pid;
	int input;

	*step = "prepare its input";
	input = intake_open(s, &run->share, run->ordinal, &mine);
	if (input < 0)
		return -1;
	l->fds[0] = input;
	l->reactor = s->reactor;
	l->inherited = s->inherited;
	if (first->connection >= 0 && !first->payload)
		l->fds[1] = input;
	l->foreground = input == 0 && !s->around.change_user && terminal_is_ours();
	*step = "prepare its output";
	pid = -1;
	if (output_open(&run->output, &s->output, first->capture, l->fds) == 0) {
		pid = launch_start(&s->starts, l, may_overlap(run, l), &run->start, step);
		output_started(&run->output, l->fds);
		if (pid < 0 && l->foreground)
			terminal_reclaim(); /* it may have taken it before it failed */
		else if (l->foreground && terminal_lent(&run->terminal, s->reactor, pid) < 0)
			log_warn(s->rule, "Ctrl-Z will not be noticed: %s", strerror(errno));
	}
	if (mine)
		fd_close(&input);
	return pid;
}

/* Unique among all that this process starts. */
static void mark_anew(struct run *run)
{
	if (run->setup->config->on_busy == BUSY_RESTART)
		snprintf(run->mark, sizeof run->mark, "%d.%lld.%llu", (int)getpid(),
			 (long long)clock_read(CLOCK_OF_LOOP), (unsigned long long)run->ordinal);
}

static void say_cut(struct run_setup *s)
{
	if (!s->logged_cut)
		log_warn(s->rule,
			 "an argument is longer than %d bytes, the most that the kernel takes: it "
			 "is cut there; --stdin paths has all of it",
			 LONGEST_ARGUMENT);
	s->logged_cut = true;
}

void run_launch(struct run *run)
{
	struct run_setup *s = run->setup;
	struct run_facts facts = {
	    .rule = s->rule,
	    .kind = run->share.batch->kind,
	    .ordinal = run->ordinal,
	    .passed = s->passed && s->passed->n ? s->passed : NULL,
	};
	const char *step = "prepare it";
	struct launch l;

	run->attempts++;
	run->forced_status = -1;
	run->last_at = 0;
	mark_anew(run);
	facts.mark = *run->mark ? run->mark : NULL;
	if (launch_prepare(&l, &s->program, &s->around, batch_first(run->share.batch), &facts,
			   run->share.batch->subjects + run->share.from,
			   run->share.to - run->share.from) < 0) {
		start_failed(run, step, errno);
		return;
	}
	if (l.n_cuts)
		say_cut(s);
	run->started =
	    clock_read(CLOCK_OF_LOOP); /* a short command may be over when that returns */
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
