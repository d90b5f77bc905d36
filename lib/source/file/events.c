/*
 * Effects become events: what --events lets through, in the words of the user.
 *
 * With a command each path has one event: its net effect or, where that was not asked for, the most
 * telling of what was done to it. Without one each thing that happened is an event of its own.
 */
#include "source/file/kind.h"

#include "base/array.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

/* What one event needs to live for as long as it is emitted. */
struct material {
	const char *subject;
	struct detail details[3];
	char pid[16];
};

/* Of a batch, in pieces; with a command all of them go to one run. */
struct emission {
	const struct file_config *config;
	struct net net;
	size_t emitted, at; /* effects: what is before the first is freed, the second is the next */
	bool gathers;
	struct event *events;
	struct material *materials;
	size_t count;
};

enum {
	AT_MOST = 10,         /* events of one effect */
	AT_MOST_GATHERED = 3, /* with a command: its own, and two notices */
	PIECE = 256,          /* effects */
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

	if (!(event & (out->config->events | FILE_NOTICES)))
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

static void add_gathered(struct emission *out, const struct effect *e)
{
	add(out, gathered_event(out->config, e), e);
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
	if (out->gathers)
		add_gathered(out, e);
	else
		add_each(out, e);
	add(out, e->notices & FILE_UNMOUNT, e);
	add(out, e->notices & FILE_OVERFLOW, e);
}

struct emission *events_begin(const struct file_source *s, struct net *net)
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
		events_end(out);
		net_free(net);
		return NULL;
	}
	out->config = s->base.config;
	out->gathers = s->base.has_command;
	out->net = *net;
	*net = (struct net){0};
	return out;
}

/* The engine has copied them. */
static void free_emitted(struct emission *out)
{
	while (out->emitted < out->at)
		effect_free(&out->net.items[out->emitted++], out->net.folders);
}

bool events_go_on(struct emission *out)
{
	free_emitted(out);
	out->count = 0;
	for (int n = 0; n < PIECE && out->at < out->net.count; n++)
		add_all(out, &out->net.items[out->at++]);
	return out->at < out->net.count;
}

void events_emit(struct file_source *s, const struct emission *out)
{
	bool is_part = out->gathers && out->at < out->net.count;

	if (is_part)
		s->base.host->gather(&s->base, out->events, out->count);
	else if (out->count || out->gathers)
		s->base.host->emit(&s->base, out->events, out->count);
}

bool events_emit_one(struct file_source *s, const struct effect *e)
{
	struct event events[AT_MOST_GATHERED];
	struct material materials[AT_MOST_GATHERED] = {0};
	struct emission out = {
	    .config = s->base.config, .gathers = true, .events = events, .materials = materials};

	add_all(&out, e);
	events_emit(s, &out);
	return out.count > 0;
}

void events_end(struct emission *out)
{
	if (!out)
		return;
	free(out->events);
	free(out->materials);
	net_free(&out->net);
	free(out);
}
