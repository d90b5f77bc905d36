/*
 * lines: an event for each line of files, pipes and descriptors. Its life; see lines.h for the
 * rest.
 *
 * Lines are handed on one by one, and only while they are wanted: a command that takes its time
 * makes the reading wait, not the memory grow.
 */
#include "source/lines/lines.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "source/kinds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

static bool all_over(const struct lines_source *s)
{
	for (size_t i = 0; i < s->n_inputs; i++)
		if (!s->inputs[i].over || s->inputs[i].taken < s->inputs[i].buf.length)
			return false;
	return true;
}

static void end_when_over(struct lines_source *s)
{
	if (s->stopped || s->base.paused || s->cutting_lines || s->resting || !all_over(s))
		return;
	s->stopped = true;
	s->base.host->ended(&s->base);
}

void lines_arrived(struct line_input *in)
{
	lines_cut(in);
	end_when_over(in->owner);
}

/* ---- turns ----------------------------------------------------------------------------------- */

static void want_all(struct lines_source *s, bool more)
{
	for (size_t i = 0; i < s->n_inputs && !s->stopped; i++)
		input_want(&s->inputs[i], more);
}

/* The line stays where it is in its buffer: nothing is read, and no followed file looked at. */
void lines_rest(struct lines_source *s)
{
	s->resting = true;
	want_all(s, false);
	if (s->notify_fd >= 0)
		io_stop(s->base.reactor, &s->notify);
	if (timer_start_soon(s->base.reactor, &s->rest) < 0)
		log_error(s->base.rule, "out of memory: its lines are not matched any more");
}

static void cut_all(struct lines_source *s)
{
	for (size_t i = 0; i < s->n_inputs && !s->base.paused && !s->stopped; i++)
		lines_cut(&s->inputs[i]);
}

/* The next turn: the line that was being matched, those behind it, and reading as before. */
static void on_rested(struct reactor *r, struct timer *t)
{
	struct lines_source *s = CONTAINER_OF(t, struct lines_source, rest);

	if (s->base.paused || s->stopped)
		return;
	s->budget = MATCH_TURN;
	if (s->matching) {
		lines_match_on(s);
		if (s->matching) {
			timer_start_soon(r, t);
			return;
		}
	}
	s->resting = false;
	cut_all(s);
	if (s->resting || s->stopped)
		return;
	if (s->notify_fd >= 0 && io_start(r, &s->notify) < 0)
		log_error(s->base.rule, "cannot follow files: %s", strerror(errno));
	want_all(s, !s->base.paused);
	end_when_over(s);
}

static void on_notify(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct lines_source *s = CONTAINER_OF(w, struct lines_source, notify);
	_Alignas(struct inotify_event) char room[4096];

	(void)r;
	(void)ready;
	/* What it says does not matter: each followed file is looked at. */
	while (read(w->fd, room, sizeof room) > 0)
		;
	for (size_t i = 0; i < s->n_inputs; i++)
		input_changed(&s->inputs[i]);
}

static void lines_close(struct source *base)
{
	struct lines_source *s = (struct lines_source *)base;

	for (size_t i = 0; i < s->n_inputs; i++)
		input_close(&s->inputs[i]);
	free(s->inputs);
	s->inputs = NULL;
	s->n_inputs = 0;
	timer_stop(base->reactor, &s->rest);
	if (s->notify_fd >= 0)
		io_stop(base->reactor, &s->notify);
	fd_close(&s->notify_fd);
	match_free(s->match);
	s->match = NULL;
}

static int open_match(struct lines_source *s, struct error *e)
{
	const struct lines_config *c = s->base.config;

	timer_init(&s->rest, CLOCK_OF_LOOP, on_rested);
	s->rest.priority = s->base.priority;
	if (!c->match)
		return 0;
	s->match = lines_compile(c, e);
	return s->match ? 0 : -1;
}

static int open_notify(struct lines_source *s, struct error *e)
{
	if (!((const struct lines_config *)s->base.config)->follow)
		return 0;
	s->notify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (s->notify_fd < 0) {
		error_errno(e, "cannot follow files");
		if (errno == EMFILE)
			error_hint(e, "too many inotify instances: sysctl "
				      "fs.inotify.max_user_instances");
		return -1;
	}
	io_init(&s->notify, s->notify_fd, IO_READ, on_notify);
	return 0;
}

static int lines_open(struct source *base, struct error *e)
{
	struct lines_source *s = (struct lines_source *)base;
	const struct lines_config *c = base->config;

	s->notify_fd = -1;
	s->inputs = calloc(c->paths.count, sizeof *s->inputs);
	if (!s->inputs)
		return error_errno(e, "cannot read lines");
	if (open_match(s, e) < 0 || open_notify(s, e) < 0) {
		lines_close(base);
		return -1;
	}
	for (size_t i = 0; i < c->paths.count; i++) {
		struct line_input *in = &s->inputs[s->n_inputs++];

		in->owner = s;
		in->path = c->paths.items[i];
		if (input_open(in, e) < 0) {
			lines_close(base);
			return -1;
		}
	}
	return 0;
}

static void lines_start(struct source *base)
{
	struct lines_source *s = (struct lines_source *)base;

	if (s->notify_fd >= 0 && io_start(base->reactor, &s->notify) < 0) {
		struct error e;

		error_errno(&e, "cannot follow files");
		base->host->failed(base, &e);
		return;
	}
	for (size_t i = 0; i < s->n_inputs; i++)
		input_want(&s->inputs[i], !base->paused);
}

static void lines_pause(struct source *base)
{
	struct lines_source *s = (struct lines_source *)base;

	for (size_t i = 0; i < s->n_inputs; i++)
		input_want(&s->inputs[i], false);
}

static void lines_resume(struct source *base)
{
	struct lines_source *s = (struct lines_source *)base;

	if (s->resting) {
		timer_start_soon(base->reactor, &s->rest);
		return;
	}
	for (size_t i = 0; i < s->n_inputs && !base->paused && !s->stopped; i++) {
		lines_cut(&s->inputs[i]);
		if (!base->paused)
			input_want(&s->inputs[i], true);
	}
	end_when_over(s);
}

static void lines_stop(struct source *base)
{
	lines_pause(base);
	((struct lines_source *)base)->stopped = true;
}

static const struct refusal lines_refuses[] = {
    {"debounce max-wait", "each event has a run of its own", "--throttle DUR paces the runs"},
    {0},
};

const struct source_type source_lines = {
    .name = "lines",
    .summary = "for each line of files, pipes, logs",
    .arguments = "[PATH|-|fd:N]...",
    .least_arguments = 0,
    .most_arguments = -1,
    .examples = {"make 2>&1 | evwatch lines - --match 'error' -- notify-send",
		 "evwatch lines auth.log --follow --match 'from ([0-9.]+)' -- 'ban \"$2\"'"},
    .events = lines_events,
    .options = lines_options,
    .refuses = lines_refuses,
    .one_by_one = true,
    .waits_for_room = true,
    .config_size = sizeof(struct lines_config),
    .config_init = lines_init,
    .config_arguments = lines_arguments,
    .config_release = lines_release,
    .describe = lines_describe,
    .doubtful = lines_doubtful,
    .size = sizeof(struct lines_source),
    .open = lines_open,
    .start = lines_start,
    .pause = lines_pause,
    .resume = lines_resume,
    .stop = lines_stop,
    .close = lines_close,
};
