/*
 * file: an event when files change. Its life, and when the model works; see kind.h for the rest.
 */
#include "source/file/kind.h"

#include "base/error.h"
#include "source/file_counts.h"
#include "source/kinds.h"

#include <stdlib.h>

#define A_RETRY (1 * NS_PER_S)
#define A_START (1 * NS_PER_S) /* for what --changed reads before the rule is armed */

static struct file_source *source_of(struct source *base)
{
	return (struct file_source *)base;
}

/* ---- work ------------------------------------------------------------------------------------ */

static void report_overflow(struct file_source *s)
{
	struct node *top = s->model.top;

	s->losses.overflowed = false;
	s->model.since = 0;
	LIST_EACH(at, after, &s->roots.list)
	{
		const struct root *r = CONTAINER_OF(at, struct root, link);
		const struct entry *e = entries_find(top->entries, r->path);

		if (!r->covered)
			journal_active(&s->journal, top, r->path, e ? e->type : 0, FILE_OVERFLOW);
	}
}

/* The model has nothing to look at. */
static void caught_up(struct file_source *s)
{
	if (s->losses.overflowed && model_idle(&s->model))
		report_overflow(s);
	if (config_of(s)->fanotify)
		s->fanotify.base.type->read(&s->fanotify.base);
	if (s->losses.limit_path)
		inotify_limit_warn(&s->inotify.user, s->losses.limit_path, s->losses.over_limit);
	free(s->losses.limit_path);
	s->losses.limit_path = NULL;
	if (model_waits(&s->model) && !timer_active(&s->retry))
		timer_start_in(s->base.reactor, &s->retry, A_RETRY);
}

void file_wake(struct file_source *s)
{
	timer_start_soon(s->base.reactor, &s->work);
}

void file_review_entered(struct file_source *s)
{
	model_lost(&s->model, s->model.top, true);
	model_drained(&s->model);
}

static void look(struct file_source *s)
{
	int64_t until = file_turn_end();

	s->journal.now = reactor_now(s->base.reactor, CLOCK_OF_LOOP);
	if (model_work(&s->model, until)) {
		file_wake(s);
	} else {
		caught_up(s);
		if (config_of(s)->changed && compare_start(s, until))
			file_wake(s);
	}
}

/* The first reading is file_arm's. */
static void work(struct file_source *s)
{
	if (s->hand_on.maker || s->model.early)
		return;
	look(s);
	if (s->filter.git)
		outside_follow(s);
	hand_on_soon(s);
}

/* What is in a directory that moved is asked for when that is handed on. */
static bool on_fanotify_keeps(struct fanotify_observer *o)
{
	const struct file_source *s = CONTAINER_OF(o, struct file_source, fanotify);

	return s->journal.count || s->hand_on.maker;
}

static void on_work(struct reactor *r, struct timer *t)
{
	(void)r;
	work(CONTAINER_OF(t, struct file_source, work));
}

static void on_retry(struct reactor *r, struct timer *t)
{
	struct file_source *s = CONTAINER_OF(t, struct file_source, retry);

	(void)r;
	model_retry(&s->model);
	work(s);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void init_filter(struct file_source *s)
{
	const struct file_config *c = s->base.config;

	s->filter.rule = s->base.rule;
	s->filter.match = &c->match;
	s->filter.ignore = &c->ignore;
	s->filter.types = c->any_type ? c->types : NULL;
	s->filter.git = c->gitignore;
	filter_open(&s->filter, s->base.ready_file);
}

static void init_timers(struct file_source *s)
{
	timer_init(&s->work, CLOCK_OF_LOOP, on_work);
	timer_init(&s->retry, CLOCK_OF_LOOP, on_retry);
	s->work.priority = s->retry.priority = s->base.priority;
}

static unsigned activities(const struct file_config *c)
{
	return ACTIVE_MODIFY | ACTIVE_CLOSE_WRITE |
	       (c->events & FILE_ATTRIB ? (unsigned)ACTIVE_ATTRIB : 0) |
	       (c->events & FILE_OPEN ? (unsigned)ACTIVE_OPEN : 0) |
	       (c->events & FILE_ACCESS ? (unsigned)ACTIVE_ACCESS : 0);
}

static int init_model(struct file_source *s)
{
	const struct file_config *c = s->base.config;

	s->inotify = (struct inotify_observer){.base = {&observer_inotify, &s->model},
					       .set = s->base.inotify,
					       .active = activities(c)};
	s->fanotify = (struct fanotify_observer){.base = {&observer_fanotify, &s->model},
						 .reactor = s->base.reactor,
						 .rule = s->base.rule,
						 .priority = s->base.priority,
						 .active = activities(c),
						 .keeps = on_fanotify_keeps};
	s->poll = (struct poll_observer){.base = {&observer_poll, &s->model},
					 .inner = c->poll       ? NULL
						  : c->fanotify ? &s->fanotify.base
								: &s->inotify.base,
					 .reactor = s->base.reactor,
					 .rule = s->base.rule,
					 .priority = s->base.priority,
					 .interval = c->poll ? c->poll : NS_PER_S,
					 .one_file_system = c->one_file_system,
					 .passing = roots_passing,
					 .answered = roots_answered,
					 .remounted = roots_remounted};
	if (c->never_polls)
		s->poll.interval = 0;
	poll_prepare(&s->poll);
	s->model = (struct model){.fs = poll_files(&s->poll),
				  .host = &file_host,
				  .observer = &s->poll.base,
				  .owner = s,
				  .early = true,
				  .settings = {.follow = c->follow,
					       .stamped = c->poll != 0,
					       .sparse = c->fanotify,
					       .learns = s->base.has_command || c->any_type ||
							 c->match.count || !(c->events & FILE_MOVE),
					       .unread = c->fanotify && !c->existing}};
	s->model.settings.place_matters = c->depth || filter_minds_place(&s->filter);
	return model_open(&s->model);
}

static void file_stop(struct source *base)
{
	struct file_source *s = source_of(base);

	timer_stop(base->reactor, &s->work);
	timer_stop(base->reactor, &s->hand_on.timer);
	timer_stop(base->reactor, &s->retry);
	s->started = false;
}

/* The listeners of the observer are in the nodes. */
static void file_close(struct source *base)
{
	struct file_source *s = source_of(base);

	file_stop(base);
	roots_stop(s);
	outside_stop(s);
	observer_poll.close(&s->poll.base);
	hand_on_close(s);
	backlog_free(s);
	journal_free(&s->journal);
	compare_close(s);
	model_close(&s->model);
	filter_close(&s->filter);
	free(s->losses.limit_path);
	s->losses.limit_path = NULL;
	buf_free(&s->path);
}

/* All is watched and read, but for file systems that do not answer. */
static void begin(struct file_source *s)
{
	model_begun(&s->model);
	s->compare_until = clock_read(CLOCK_OF_LOOP) + A_START;
	roots_mark_mounts(s);
	outside_follow(s);
	roots_report_missing(s);
}

static bool file_arm(struct source *base, int64_t deadline)
{
	struct file_source *s = source_of(base);

	if (s->model.early) {
		if (model_work(&s->model, deadline) || poll_wait(&s->poll, deadline))
			return true;
		begin(s);
	}
	if (deadline > s->compare_until)
		deadline = s->compare_until;
	return compare_start(s, deadline) && clock_read(CLOCK_OF_LOOP) < s->compare_until;
}

static int file_open(struct source *base, struct error *e)
{
	struct file_source *s = source_of(base);

	roots_init(s);
	list_init(&s->outside);
	init_filter(s);
	init_timers(s);
	journal_init(&s->journal, &file_folders);
	hand_on_init(s);
	compare_init(s);
	if (init_model(s) < 0)
		error_errno(e, "out of memory");
	else if (roots_start(s, e) == 0) {
		/* Its queue is not read before: it makes the model know what it hears of. */
		while (config_of(s)->fanotify && file_arm(base, INT64_MAX))
			;
		return 0;
	}
	file_close(base);
	return -1;
}

/* What --existing found is handed on from the next turn on. */
static void file_start(struct source *base)
{
	struct file_source *s = source_of(base);

	s->started = true;
	file_wake(s);
	if (s->hand_on.maker || s->hand_on.emission)
		timer_start_soon(base->reactor, &s->hand_on.timer);
}

/* It goes on gathering. */
static void file_pause(struct source *base)
{
	timer_stop(base->reactor, &source_of(base)->hand_on.timer);
}

/* The batch may have been due while the command ran. */
static void file_resume(struct source *base)
{
	hand_on_review(source_of(base));
}

static void file_room(struct source *base)
{
	struct file_source *s = source_of(base);

	if (s->started && !base->paused && s->backlog.held.count)
		timer_start_soon(base->reactor, &s->hand_on.timer);
}

static size_t file_waiting(const struct source *base)
{
	return backlog_count((const struct file_source *)base);
}

static void file_run_began(struct source *base, void *token)
{
	struct file_source *s = source_of(base);

	(void)token;
	circle_run_began(&s->hand_on.circle, clock_read(CLOCK_OF_LOOP));
	s->journal.running = true;
}

/* What it wrote last may be still in the kernel's queue. It is handed on in the next turn: the job
 * may have something to run first. */
static void file_run_ended(struct source *base, void *token, const struct run_outcome *outcome)
{
	struct file_source *s = source_of(base);

	(void)token;
	(void)outcome;
	if (s->started) {
		observer_poll.read(&s->poll.base);
		if (timer_active(&s->work) && !s->hand_on.maker)
			look(s);
	}
	circle_run_ended(&s->hand_on.circle, clock_read(CLOCK_OF_LOOP));
	s->journal.running = false;
}

static void file_status(const struct source *base, struct buf *out)
{
	const struct file_source *s = (const struct file_source *)base;
	const struct file_config *c = base->config;

	file_counts_add(
	    out, &(struct file_counts){
		     .directories = s->model.directories,
		     .watches = c->poll || c->fanotify ? 0 : inotify_watches(&s->inotify.user),
		     .overflows = s->losses.overflows,
		 });
}

/* What its mark reports can be opened by root alone. */
static bool file_needs_root(const void *config)
{
	return ((const struct file_config *)config)->fanotify;
}

const struct source_type source_file = {
    .name = "file",
    .summary = "when files or directories change",
    .arguments = "PATH...",
    .least_arguments = 0,
    .most_arguments = -1,
    .examples = {"evwatch file src --match '*.c' -- make",
		 "evwatch file notes.txt --format '%t %e %s'"},
    .events = file_events,
    .options = file_options,
    .waits_for_room = true,
    .endless = source_never_ends,
    .needs_root = file_needs_root,
    .gathers = true,
    .config_size = sizeof(struct file_config),
    .config_init = file_init,
    .config_arguments = file_arguments,
    .config_release = file_release,
    .describe = file_describe,
    .doubtful = file_doubtful,
    .size = sizeof(struct file_source),
    .open = file_open,
    .arm = file_arm,
    .start = file_start,
    .pause = file_pause,
    .resume = file_resume,
    .room = file_room,
    .waiting = file_waiting,
    .stop = file_stop,
    .close = file_close,
    .run_began = file_run_began,
    .run_ended = file_run_ended,
    .status = file_status,
};
