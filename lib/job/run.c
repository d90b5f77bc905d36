/* See run.h. */
#include "job/run.h"

#include "base/log.h"
#include "base/units.h"
#include "job/run_setup.h"
#include "process/descendants.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

enum { STATUS_TIMEOUT = 124 };

#define GLANCE         (5 * NS_PER_MS) /* the first wait for what was stopped to be gone; it doubles */
#define LONGEST_GLANCE (100 * NS_PER_MS)
/* After KILL only dead processes are left, which a parent outside the group does not reap: then it
 * ends.
 */
#define LAST_GLANCE NS_PER_S
#define NOT_ASKED   INT64_MAX /* kill_at: what the command left was not asked to end yet */

static void on_timeout(struct reactor *r, struct timer *t);
static void on_swept(struct run *run, int number, size_t found);
static void on_sweep(struct sweep *s, int signal, size_t found);

static void on_over(struct reactor *r, struct timer *d)
{
	(void)r;
	run_end(CONTAINER_OF(d, struct run, over));
}

static void on_again(struct reactor *r, struct timer *t)
{
	(void)r;
	run_launch(CONTAINER_OF(t, struct run, again));
}

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
void run_become(struct run *run, enum run_state next)
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

void run_end(struct run *run)
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

/* ---- its command ----------------------------------------------------------------------------- */

static void on_child(struct reactor *r, struct child_watcher *w, int status)
{
	struct run *run = CONTAINER_OF(w, struct run, child);
	const char *step;
	int why = start_end(&run->start, &step);

	(void)r;
	run->status = shell_status(status);
	run->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	if (why && run->state == RUN_RUNNING) {
		run_start_failed(run, step, why);
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

int run_watch(struct run *run)
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
