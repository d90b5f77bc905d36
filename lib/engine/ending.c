/*
 * How it ends: signals, --within, and the order in which everything is stopped.
 *
 * The hard part is that nothing may be left behind: commands get their stop signal and, in time,
 * KILL (the jobs see to that); then what left its command's process group is found by walking the
 * descendants, and treated the same.
 */
#include "engine/state.h"

#include "base/array.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/units.h"
#include "engine/reload.h"
#include "engine/retired.h"
#include "engine/service.h"
#include "process/descendants.h"
#include "process/guard.h"
#include "rule/rule.h"
#include "source/source.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

static const int stop_signals[STOP_SIGNALS] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP};

/* An earlier one is the first again, which reached evwatch from the terminal and the guardian. */
#define SECOND_INT (NS_PER_S / 2)

enum { GLANCE = 10 * 1000 * 1000 }; /* ns between two looks for leftovers: only while ending */

static void done(struct engine *e)
{
	e->phase = ENGINE_DONE;
	timer_stop(e->reactor, &e->patience);
	if (!e->config->guard) /* who says it otherwise */
		descendants_give_up();
	reactor_stop(e->reactor);
}

/* At once and for good. */
static void kill_all(struct engine *e)
{
	for (size_t i = 0; i < e->n_rules; i++)
		if (e->rules[i]->job)
			job_kill(e->rules[i]->job);
	descendants_end();
	done(e);
}

/* ---- leftovers ------------------------------------------------------------------------------- */

/* The longest --stop-timeout: what has no rule of its own any more gets the benefit of it. */
static int64_t longest_patience(const struct engine *e)
{
	int64_t longest = 0;

	for (size_t i = 0; i < e->n_rules; i++)
		if (e->rules[i]->job && e->rules[i]->rule->job.stop_timeout > longest)
			longest = e->rules[i]->rule->job.stop_timeout;
	return longest;
}

static void on_patience(struct reactor *r, struct timer *t)
{
	struct engine *e = CONTAINER_OF(t, struct engine, patience);

	if (descendants_signal(0) == 0) {
		done(e);
	} else if (reactor_now(r, CLOCK_OF_LOOP) >= e->patience_end) {
		descendants_end();
		done(e);
	} else {
		timer_start_in(r, t, GLANCE);
	}
}

static void end_leftovers(struct engine *e)
{
	int left = descendants_signal(SIGTERM);

	e->phase = ENGINE_LEFTOVERS;
	if (left == 0) {
		done(e);
		return;
	}
	log_info(NULL, "%d processes that outlived their command are stopped", left);
	e->patience_end = reactor_now(e->reactor, CLOCK_OF_LOOP) + longest_patience(e);
	if (timer_start_in(e->reactor, &e->patience, GLANCE) < 0)
		kill_all(e);
}

void ending_review(struct engine *e)
{
	retired_review(e);
	if (e->phase != ENGINE_STOPPING || !e->stopped)
		return;
	for (size_t i = 0; i < e->n_rules; i++)
		if (!armed_idle(e->rules[i]))
			return;
	/* In a turn of its own: the caller is inside a job or a source. */
	if (timer_start_soon(e->reactor, &e->stopper) < 0)
		kill_all(e);
}

/* ---- stopping -------------------------------------------------------------------------------- */

/*
 * From here on only a second INT changes anything: what nobody watches would end evwatch sooner.
 * Those that stop a job, and those of faults, act as ever.
 */
static void ignore_the_rest(const struct engine *e)
{
	static const int kept[] = {SIGCHLD, SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT, SIGSEGV, SIGBUS,
				   SIGFPE,  SIGILL,  SIGTRAP, SIGABRT, SIGSYS,  SIGKILL, SIGSTOP};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LENGTH(kept); i++)
		sigaddset(&set, kept[i]);
	for (int number = 1; number <= SIGRTMAX; number++)
		if (sigismember(&set, number) == 0 && !reactor_signal_watched(e->reactor, number))
			signal(number, SIG_IGN);
}

/* A rule's signal must not come between its watcher's end and the ignoring. */
static void stop_rules(struct engine *e)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	for (size_t i = 0; i < e->n_rules; i++)
		armed_stop(e->rules[i]);
	ending_review_signals(e);
	ignore_the_rest(e);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	ending_review(e);
}

/* First stops every rule; called again when all are idle. */
static void on_stopper(struct reactor *r, struct timer *d)
{
	struct engine *e = CONTAINER_OF(d, struct engine, stopper);

	(void)r;
	if (e->phase != ENGINE_STOPPING)
		return;
	if (e->stopped) {
		end_leftovers(e);
		return;
	}
	e->stopped = true;
	stop_rules(e);
}

void engine_finish(struct engine *e, int status, int signal)
{
	if (e->phase != ENGINE_RUNNING)
		return;
	e->phase = ENGINE_STOPPING;
	service_stopping(e);
	e->end = (struct engine_end){status, signal};
	e->ending_since = reactor_now(e->reactor, CLOCK_OF_LOOP);
	timer_stop(e->reactor, &e->within);
	ignore_the_rest(e);
	if (timer_start_soon(e->reactor, &e->stopper) < 0)
		kill_all(e);
}

/* ---- signals, the guardian, --within --------------------------------------------------------- */

static void reopen_outputs(struct engine *e)
{
	for (size_t i = 0; i < e->n_rules; i++)
		if (e->rules[i]->job)
			job_reopen_output(e->rules[i]->job);
}

static void on_reloaded(struct engine *e, uint64_t ticket, const struct reload_outcome *outcome)
{
	(void)ticket;
	if (outcome->changed)
		log_warn(NULL, "rules read again: %zu unchanged, %zu new or changed, %zu gone",
			 outcome->unchanged, outcome->added, outcome->removed);
	reopen_outputs(e);
}

static bool has_terminal(void)
{
	int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	bool has = fd >= 0;

	fd_close(&fd);
	return has;
}

/* The kernel's own HUP, or the shell's that hands it on: the controlling terminal was hung up. */
static bool terminal_is_gone(const struct engine *e, const struct signal_info *info)
{
	return info->code == SI_KERNEL || (e->had_terminal && !has_terminal());
}

static void log_stopping(const struct signal_info *info)
{
	if (info->code == SI_KERNEL)
		log_info(NULL, "%s from the terminal: stopping", strsignal(info->number));
	else if (!info->pid) /* pid_namespaces(7): an outsider has no number here */
		log_info(NULL, "%s from outside of this PID namespace: stopping",
			 strsignal(info->number));
	else
		log_info(NULL, "%s from pid %d: stopping", strsignal(info->number), (int)info->pid);
}

static void on_signal(struct reactor *r, struct signal_watcher *w, const struct signal_info *info)
{
	struct engine *e = CONTAINER_OF(w, struct stop_signal, watcher)->engine;

	if (e->phase != ENGINE_RUNNING) {
		if (info->number == SIGINT &&
		    reactor_now(r, CLOCK_OF_LOOP) - e->ending_since >= SECOND_INT)
			kill_all(e);
	} else if (info->number == SIGHUP && e->config->from_files && !terminal_is_gone(e, info)) {
		engine_reload(e, (struct reload_asker){.over = on_reloaded});
	} else {
		log_stopping(info);
		engine_finish(e, 128 + info->number, info->number);
	}
}

static void on_guardian_lost(void *context)
{
	struct engine *e = context;

	log_error(NULL, "the guardian process is gone: every command is ended");
	e->end = (struct engine_end){.status = 1, .signal = SIGKILL};
	kill_all(e);
}

/* The option that asks for an end which --within comes before, or NULL. */
static const char *unmet_end(const struct engine *e)
{
	if (e->config->count)
		return e->config->count == 1 ? "--once" : "--count";
	for (size_t i = 0; i < e->n_rules; i++)
		if (e->rules[i]->rule->own.last)
			return "--last";
	return NULL;
}

static void on_within(struct reactor *r, struct timer *t)
{
	struct engine *e = CONTAINER_OF(t, struct engine, within);
	const char *unmet = unmet_end(e);

	(void)r;
	if (unmet)
		log_warn(NULL, "--within ran out before %s was met", unmet);
	engine_finish(e, unmet ? 124 : 0, 0);
}

/* After the end has begun no rule claims any. */
static bool is_claimed(const struct engine *e, int number)
{
	for (size_t i = 0; i < e->n_rules && e->phase == ENGINE_RUNNING; i++) {
		const struct armed_rule *a = e->rules[i];

		if (!a->retired && !a->over && rule_claims_signal(a->rule, number))
			return true;
	}
	return false;
}

/* Started under nohup(1), or in the background of a shell without job control. */
static bool is_ignored(int number)
{
	struct sigaction now;

	return sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

/* Takes the signals that no rule claims, and leaves the others to their rules. */
static int watch_signals(struct engine *e)
{
	for (size_t i = 0; i < STOP_SIGNALS; i++) {
		struct stop_signal *s = &e->signals[i];

		if (s->ignored)
			continue;
		if (is_claimed(e, s->watcher.number))
			signal_stop(e->reactor, &s->watcher);
		else if (signal_start(e->reactor, &s->watcher) < 0)
			return -1;
	}
	if (e->config->guard)
		guard_claim(e->config->guard);
	return 0;
}

void ending_review_signals(struct engine *e)
{
	if (watch_signals(e) < 0)
		log_error(NULL, "cannot watch signals: %s", strerror(errno));
}

static int open_signals(struct engine *e)
{
	for (size_t i = 0; i < STOP_SIGNALS; i++) {
		e->signals[i].engine = e;
		e->signals[i].ignored = is_ignored(stop_signals[i]);
		signal_init(&e->signals[i].watcher, stop_signals[i], on_signal);
	}
	return watch_signals(e);
}

int ending_open(struct engine *e, struct error *error)
{
	e->had_terminal = has_terminal();
	timer_init(&e->within, CLOCK_OF_LOOP, on_within);
	timer_init(&e->patience, CLOCK_OF_LOOP, on_patience);
	timer_init(&e->stopper, CLOCK_OF_LOOP, on_stopper);
	if (e->config->guard &&
	    guard_attach(e->config->guard, e->reactor, on_guardian_lost, e, error) < 0)
		return -1;
	if (open_signals(e) < 0)
		return error_errno(error, "cannot watch signals");
	if (e->config->within && timer_start_in(e->reactor, &e->within, e->config->within) < 0)
		return error_errno(error, "cannot arm --within");
	if (reactor_reap_orphans(e->reactor) < 0)
		return error_errno(error, "cannot watch for the end of commands");
	return 0;
}

void ending_close(struct engine *e)
{
	for (size_t i = 0; i < STOP_SIGNALS; i++)
		if (e->signals[i].watcher.started)
			signal_stop(e->reactor, &e->signals[i].watcher);
	timer_stop(e->reactor, &e->within);
	timer_stop(e->reactor, &e->patience);
	timer_stop(e->reactor, &e->stopper);
	if (e->config->guard)
		guard_detach(e->config->guard);
}
