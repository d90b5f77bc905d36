/*
 * The journal is handed on: when it is due (pace.h) its net effect is made, and becomes events.
 *
 * With a command each path has one event: its net effect or, where that was not asked for, the most
 * telling of what was done to it. With --each the effects of a batch wait in the backlog for their
 * runs, and the next batch for the end of that (backlog.c).
 *
 * Without one each thing that happened is an event of its own, whenever the model has reported, but
 * while something is in its hand. With --changed what is still being written is held back here,
 * too, since it is half of what it will be; and all that was written is read before the batch is
 * handed on.
 */
#include "source/file/kind.h"

#include "base/array.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- events ---------------------------------------------------------------------------------- */

/* What one event needs to live for as long as it is emitted. */
struct material {
	const char *subject;
	struct detail details[3];
	char pid[16];
};

/* Of a batch, in pieces; with a command all of them go to one run. */
struct emission {
	struct file_source *source;
	struct net net;
	size_t emitted, at; /* effects: what is before the first is freed, the second is the next */
	struct event *events;
	struct material *materials;
	size_t count;
};

enum {
	AT_MOST = 10,         /* events of one effect */
	AT_MOST_GATHERED = 3, /* with a command: its own, and two notices */
	PIECE = 256,          /* effects */
	MANY = 1000,          /* records */
};

static void add_detail(struct event *e, struct material *m, struct detail detail)
{
	if (detail.value)
		m->details[e->n_details++] = detail;
}

static void add(struct emission *out, unsigned event, const struct effect *of)
{
	struct event *e = &out->events[out->count];
	struct material *m = &out->materials[out->count];

	if (!(event & (config_of(out->source)->events | FILE_NOTICES)))
		return;
	*e = event_make(file_events[__builtin_ctz(event)].name);
	m->subject = of->path;
	e->subjects = &m->subject;
	e->n_subjects = 1;
	e->details = m->details;
	add_detail(e, m, (struct detail){.name = "EVWATCH_PATH", .value = of->path});
	if (event == FILE_MOVE)
		add_detail(e, m,
			   (struct detail){.name = "EVWATCH_OLD_PATH", .value = of->old_path});
	if (of->by && !(event & FILE_NOTICES)) {
		snprintf(m->pid, sizeof m->pid, "%d", of->by);
		add_detail(e, m,
			   (struct detail){.name = "EVWATCH_PID", .value = m->pid, .number = true});
	}
	out->count++;
}

/* The most telling of these; 0: none. */
static unsigned first_of(unsigned seen, const unsigned order[], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (seen & order[i])
			return order[i];
	return 0;
}

/* The event of a path, with a command. */
static unsigned gathered_event(const struct file_config *c, const struct effect *e)
{
	static const unsigned net[] = {FILE_MODIFY, FILE_CLOSE_WRITE, FILE_ATTRIB, FILE_OPEN,
				       FILE_ACCESS};
	static const unsigned telling[] = {FILE_CLOSE_WRITE, FILE_MODIFY, FILE_CREATE, FILE_MOVE,
					   FILE_ATTRIB,      FILE_OPEN,   FILE_ACCESS};
	unsigned event = e->event ? e->event : first_of(e->seen, net, ARRAY_LENGTH(net));
	unsigned seen = e->seen | e->event;

	if (event & c->events || event == FILE_DELETE)
		return event & c->events;
	if (e->event == FILE_MODIFY || e->event == FILE_MOVE)
		seen |= FILE_CREATE;
	return first_of(seen & c->events, telling, ARRAY_LENGTH(telling));
}

static void add_activity(struct emission *out, const struct effect *e)
{
	static const unsigned order[] = {FILE_OPEN, FILE_ACCESS, FILE_MODIFY, FILE_ATTRIB,
					 FILE_CLOSE_WRITE};

	for (size_t i = 0; i < ARRAY_LENGTH(order); i++)
		add(out, e->seen & order[i], e);
}

/* One after the other, as they happened. */
static void add_each(struct emission *out, const struct effect *e)
{
	bool replaced = e->event == FILE_MODIFY;

	if (replaced)
		add(out, FILE_DELETE, e);
	if (replaced || e->event == FILE_CREATE || e->flickered)
		add(out, FILE_CREATE, e);
	if (e->event == FILE_MOVE)
		add(out, FILE_MOVE, e);
	add_activity(out, e);
	if (e->event == FILE_DELETE || e->flickered)
		add(out, FILE_DELETE, e);
}

static void add_all(struct emission *out, const struct effect *e)
{
	if (out->source->base.has_command)
		add(out, gathered_event(config_of(out->source), e), e);
	else
		add_each(out, e);
	add(out, e->notices & FILE_UNMOUNT, e);
	add(out, e->notices & FILE_OVERFLOW, e);
}

static void emission_free(struct emission *out)
{
	if (!out)
		return;
	free(out->events);
	free(out->materials);
	net_free(&out->net);
	free(out);
}

/* The net effect is taken over. NULL: ENOMEM, which is logged. */
static struct emission *emission_new(struct file_source *s, struct net *net)
{
	struct emission *out = calloc(1, sizeof *out);
	size_t most = (net->count < PIECE ? net->count : PIECE) *
		      (s->base.has_command ? AT_MOST_GATHERED : AT_MOST);

	if (out) {
		out->events = calloc(most, sizeof *out->events);
		out->materials = calloc(most, sizeof *out->materials);
	}
	if (!out || !out->events || !out->materials) {
		log_error(s->base.rule, "out of memory: %zu changes are not reported", net->count);
		emission_free(out);
		net_free(net);
		return NULL;
	}
	out->source = s;
	out->net = *net;
	*net = (struct net){0};
	return out;
}

/* Makes the next piece of the events; the engine has copied those before. */
static void fill(struct emission *out)
{
	while (out->emitted < out->at)
		effect_free(&out->net.items[out->emitted++], out->net.folders);
	out->count = 0;
	for (int n = 0; n < PIECE && out->at < out->net.count; n++)
		add_all(out, &out->net.items[out->at++]);
}

/* Emits the piece: the engine may stop, pause or free the source. */
static void emit(const struct emission *out)
{
	struct source *source = &out->source->base;

	if (source->has_command && out->at < out->net.count)
		source->host->gather(source, out->events, out->count);
	else if (out->count || source->has_command)
		source->host->emit(source, out->events, out->count);
}

bool hand_on_effect(struct file_source *s, const struct effect *e)
{
	struct event events[AT_MOST_GATHERED];
	struct material materials[AT_MOST_GATHERED] = {0};
	struct emission out = {.source = s, .events = events, .materials = materials};

	add_all(&out, e);
	emit(&out);
	return out.count > 0;
}

/* ---- what counts ----------------------------------------------------------------------------- */

static bool counts(void *owner, const char *path, char type)
{
	return roots_count(owner, path, type);
}

static bool waits(void *owner, const struct record *r)
{
	return hand_on_waits(owner, r);
}

/* Is a batch held back for what is still being written? */
static bool holds_back(const struct file_source *s)
{
	return s->hand_on.options.waits;
}

static struct net_options options_of(struct file_source *s)
{
	const struct file_config *c = config_of(s);

	return (struct net_options){.owner = s,
				    .counts = s->filter.is_open ? NULL : counts,
				    .waits = s->base.has_command || c->changed ? waits : NULL,
				    .contents = c->changed ? &s->compare.contents : NULL,
				    .gathers = s->base.has_command,
				    .names = s->base.each,
				    .moves = c->events & FILE_MOVE};
}

/* ---- handing on ------------------------------------------------------------------------------ */

static void go_on_soon(struct file_source *s)
{
	timer_start_soon(s->base.reactor, &s->hand_on.timer);
}

/* A piece a turn. The source may be gone when this returns. */
static void go_on(struct file_source *s)
{
	struct emission *out = s->hand_on.emission;
	bool is_more;

	fill(out);
	is_more = out->at < out->net.count;
	if (!is_more)
		s->hand_on.emission = NULL;
	if (is_more || s->journal.count)
		go_on_soon(s);
	emit(out);
	if (!is_more)
		emission_free(out);
}

/* The model, which rests meanwhile, goes on afterwards. */
static void end_making(struct file_source *s)
{
	struct hand_on *h = &s->hand_on;
	struct net net = net_end(h->maker);

	h->maker = NULL;
	if (s->model.rests)
		file_wake(s);
	s->model.rests = false;
	s->journal.now = reactor_now(s->base.reactor, CLOCK_OF_LOOP);
	if (net.count && s->base.has_command) {
		/* Else the command had no part in it. */
		if (h->circle.runs || net.items[0].in_run)
			circle_judge(&h->circle, &net, s->journal.running);
		pace_handed_on(&h->pace, s->journal.now);
	}
	if (net.count && s->base.each)
		backlog_take(s, &net);
	else if (net.count)
		h->emission = emission_new(s, &net);
	else
		net_free(&net);
}

/* A part of the net effect of a large batch is made in each turn. False: there is more of it. */
static bool make(struct file_source *s)
{
	int64_t until = file_turn_end();
	int result = s->hand_on.maker ? 1 : -1;

	while (result > 0 && clock_read(CLOCK_OF_LOOP) < until)
		result = net_go_on(s->hand_on.maker);
	if (result > 0) {
		s->model.rests = true;
		go_on_soon(s);
		return false;
	}
	if (result < 0)
		log_error(s->base.rule, "out of memory: %zu changes wait", s->journal.count);
	end_making(s);
	return true;
}

static void hand_on(struct file_source *s)
{
	if (s->base.each)
		backlog_rejoin(s);
	if (s->journal.lost_memory)
		log_error(s->base.rule, "out of memory: some changes are not reported");
	s->journal.lost_memory = false;
	s->hand_on.maker = net_begin(&s->journal, &s->hand_on.options);
	if (make(s) && s->hand_on.emission)
		go_on(s);
}

/* Is a batch on its way? */
static bool is_busy(const struct file_source *s)
{
	return s->hand_on.maker || s->hand_on.emission;
}

/* A batch is whole between two rounds of the model, and what was heard of is a part of it. What is
 * in a directory that moved is needed in any case. */
static bool may_hand_on(const struct file_source *s)
{
	if (!s->started || s->base.paused)
		return false;
	return holds_back(s) ? model_settled(&s->model)
			     : !s->model.progress.in_hand && !s->model.nodes.moved.count;
}

static int64_t due(struct file_source *s)
{
	int64_t when = pace_due(&s->hand_on.pace, &s->journal);
	int64_t least = s->hand_on.circle.not_before;

	return when < least ? least : when;
}

/* While there are more writers to ask at once, what was due then holds: all records are walked. */
static int64_t review_due(struct file_source *s, int64_t ask_at)
{
	if (!s->base.has_command)
		return s->journal.now;
	if (s->journal.count < MANY || ask_at > s->journal.now ||
	    s->hand_on.due_at <= s->journal.now)
		s->hand_on.due_at = due(s);
	return s->hand_on.due_at;
}

static void review_held_back(struct file_source *s)
{
	int64_t ask_at = pace_ask_writers(&s->hand_on.pace, &s->journal, file_turn_end());
	int64_t when = review_due(s, ask_at);

	if (when <= s->journal.now) {
		if (config_of(s)->changed && compare_batch(s, file_turn_end())) {
			go_on_soon(s);
			return;
		}
		hand_on(s);
		if (is_busy(s) || s->backlog.net.count || !s->journal.count || !may_hand_on(s))
			return;
		when = due(s);
	}
	timer_start_at(s->base.reactor, &s->hand_on.timer, ask_at < when ? ask_at : when);
}

/* Each review walks the whole journal: of many changes only the timer brings one. */
void hand_on_soon(struct file_source *s)
{
	if (is_busy(s))
		return;
	if (s->journal.count < MANY || !timer_active(&s->hand_on.timer))
		hand_on_review(s);
}

void hand_on_review(struct file_source *s)
{
	timer_stop(s->base.reactor, &s->hand_on.timer);
	if (s->base.paused || (s->hand_on.maker && !make(s)))
		return;
	if (s->hand_on.emission) {
		go_on(s);
		return;
	}
	if (!may_hand_on(s) || (s->base.each && backlog_hand_on(s)) || !s->journal.count)
		return;
	s->journal.now = reactor_now(s->base.reactor, CLOCK_OF_LOOP);
	if (holds_back(s))
		review_held_back(s);
	else
		hand_on(s);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void on_timer(struct reactor *r, struct timer *t)
{
	(void)r;
	hand_on_review(CONTAINER_OF(t, struct file_source, hand_on.timer));
}

static enum writer ask_writer(const struct pace *p, const struct record *r)
{
	struct file_source *s = CONTAINER_OF(p, struct file_source, hand_on.pace);

	return file_ask_writer(s, r->node, r->name);
}

static bool is_named(struct circle *c, const char *path)
{
	const struct file_source *s = CONTAINER_OF(c, struct file_source, hand_on.circle);

	return roots_find(s, path, strlen(path));
}

void hand_on_init(struct file_source *s)
{
	struct hand_on *h = &s->hand_on;
	const struct gather *gather = &s->base.gather;

	h->pace = (struct pace){.automatic = gather->automatic,
				.debounce = gather->quiet,
				.max_wait = gather->max_wait,
				.ask = ask_writer};
	h->options = options_of(s);
	h->circle.rule = s->base.rule;
	h->circle.is_named = is_named;
	timer_init(&h->timer, CLOCK_OF_LOOP, on_timer);
	h->timer.priority = s->base.priority;
}

void hand_on_close(struct file_source *s)
{
	net_end(s->hand_on.maker);
	emission_free(s->hand_on.emission);
	circle_free(&s->hand_on.circle);
	s->hand_on.maker = NULL;
	s->hand_on.emission = NULL;
}
