/* How a run starts: its process is made, or what it lacked is said. See run.h. */
#include "job/run.h"

#include "base/fd.h"
#include "base/log.h"
#include "job/intake.h"
#include "job/run_setup.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { STATUS_NOT_EXECUTED = 126, STATUS_NOT_FOUND = 127 };

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

void run_start_failed(struct run *run, const char *step, int why)
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

static void run_started(struct run *run)
{
	struct event *first = batch_first(run->share.batch);

	run_become(run, RUN_RUNNING);
	if (!run->start)
		run->setup->host->executed(run);
	if (run_watch(run) < 0) {
		int why = errno;

		run_signal(run, SIGKILL);
		child_stop(run->setup->reactor, &run->child);
		start_abandon(&run->start, run->pid);
		run_start_failed(run, "watch the command", why);
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
		run_start_failed(run, step, errno);
		return;
	}
	if (l.n_cuts)
		say_cut(s);
	run->started =
	    clock_read(CLOCK_OF_LOOP); /* a short command may be over when that returns */
	run->pid = start_process(run, &l, &step);
	launch_release(&l);
	if (run->pid < 0) {
		run_start_failed(run, step, errno);
		return;
	}
	run_started(run);
}
