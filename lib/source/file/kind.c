/*
 * file: an event when files change. Its life; see kind.h for the rest.
 */
#include "source/file/kind.h"

#include "base/error.h"
#include "source/file_counts.h"
#include "source/kinds.h"

#include <stdlib.h>

#define A_START (1 * NS_PER_S) /* for what --changed reads before the rule is armed */

static struct file_source *source_of(struct source *base)
{
	return (struct file_source *)base;
}

/* ---- its parts ------------------------------------------------------------------------------- */

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

/* What is in a directory that moved is asked for when that is handed on. */
static bool on_fanotify_keeps(struct fanotify_observer *o)
{
	const struct file_source *s = CONTAINER_OF(o, struct file_source, fanotify);

	return s->journal.count || s->hand_on.maker;
}

static unsigned activities(const struct file_config *c)
{
	return FILE_MODIFY | FILE_CLOSE_WRITE |
	       (c->events & (FILE_ATTRIB | FILE_OPEN | FILE_ACCESS));
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
					 .mounts = s->base.mounts,
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

/* ---- life ------------------------------------------------------------------------------------ */

static void file_stop(struct source *base)
{
	struct file_source *s = source_of(base);

	timer_stop(base->reactor, &s->work);
	timer_stop(base->reactor, &s->hand_on.timer);
	timer_stop(base->reactor, &s->retry);
	s->started = false;
}

/* A sparse model is small, and its observer makes it know what it hears of. */
static bool file_disarm(struct source *base, int64_t deadline)
{
	return !config_of(source_of(base))->fanotify &&
	       model_unload(&source_of(base)->model, deadline);
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
	host_init(s);
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
	if (s->started)
		host_catch_up(s);
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
    .disarm = file_disarm,
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
