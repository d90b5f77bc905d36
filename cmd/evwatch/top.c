/* See top.h. */
#include "top.h"

#include "status.h"

#include "base/array.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- rates ----------------------------------------------------------------------------------- */

static struct top_rate *rate_of(struct top *t, const char *name)
{
	struct top_rate *rate;

	for (size_t i = 0; i < t->n_rates; i++)
		if (strcmp(t->rates[i].name, name) == 0)
			return &t->rates[i];
	if (ARRAY_GROW(t->rates, t->rates_capacity, t->n_rates + 1) < 0)
		return NULL;
	rate = &t->rates[t->n_rates++];
	*rate = (struct top_rate){0};
	snprintf(rate->name, sizeof rate->name, "%s", name);
	return rate;
}

void top_sample(struct top *t, const struct json_value *status)
{
	const struct json_value *rules = json_get(status, "rules");

	for (const struct json_value *rule = NULL; (rule = json_next(rules, rule));) {
		char name[TOP_NAME];
		struct top_rate *rate;
		double events = json_number(rule, "events", 0);

		snprintf(name, sizeof name, "%s", json_text(rule, "name", ""));
		rate = rate_of(t, name);
		if (!rate)
			return;
		memmove(rate->samples, rate->samples + 1,
			sizeof rate->samples - sizeof *rate->samples);
		rate->samples[TOP_SAMPLES - 1] = rate->seen ? events - rate->events : 0;
		rate->events = events;
		rate->seen = true;
	}
}

static void add_graph(const struct top *t, const struct top_rate *rate, struct buf *out)
{
	static const char *const blocks[] = {" ",      "\u2581", "\u2582", "\u2583", "\u2584",
					     "\u2585", "\u2586", "\u2587", "\u2588"};
	static const char *const plain[] = {" ", ".", ".", ":", ":", "+", "+", "#", "#"};
	double most = 1;

	for (int i = 0; rate && i < TOP_SAMPLES; i++)
		if (rate->samples[i] > most)
			most = rate->samples[i];
	for (int i = 0; i < TOP_SAMPLES; i++) {
		double n = rate ? rate->samples[i] : 0;
		int level = n <= 0 ? 0 : 1 + (int)(n / most * 7);

		buf_add_text(out, (t->unicode ? blocks : plain)[level]);
	}
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* Cuts a line at the last column and ends it; `style` is an SGR parameter or NULL. */
static void put_line(const struct top *t, struct buf *out, const struct buf *line,
		     const char *style)
{
	const char *text = line->data ? line->data : "";
	int columns = 0;

	if (style)
		buf_printf(out, "\033[%sm", style);
	for (; *text; text++) {
		bool starts = ((unsigned char)*text & 0xc0) != 0x80;

		if (starts && ++columns > t->columns)
			break;
		buf_add_char(out, *text);
	}
	buf_printf(out, "%s\033[K\r\n", style ? "\033[0m" : "");
}

static void put_head(const struct top *t, const struct json_value *status, struct buf *out)
{
	const struct json_value *loop = json_get(status, "loop");
	const struct json_value *process = json_get(status, "process");
	struct buf line = {0};

	buf_printf(&line, "evwatch %s  %s for ", json_text(status, "version", "?"),
		   json_text(status, "phase", "?"));
	status_add_seconds(&line, json_number(status, "time", 0) - json_number(status, "since", 0));
	buf_printf(&line, "  pid %.0f  ", json_number(process, "pid", 0));
	status_add_bytes(&line, json_number(process, "memory", 0));
	buf_printf(&line, "  %.0f descriptors", json_number(process, "descriptors", 0));
	put_line(t, out, &line, t->colour ? "1" : NULL);
	buf_clear(&line);
	buf_printf(&line, "loop %s  %.0f turns  p50 ", json_text(loop, "backend", "?"),
		   json_number(loop, "turns", 0));
	status_add_seconds(&line, json_number(loop, "latency_p50", -1));
	buf_add_text(&line, "  p99 ");
	status_add_seconds(&line, json_number(loop, "latency_p99", -1));
	buf_add_text(&line, "  CPU ");
	status_add_seconds(&line, json_number(process, "cpu", 0));
	put_line(t, out, &line, NULL);
	buf_free(&line);
}

static void put_rule(struct top *t, const struct json_value *rule, double now, bool selected,
		     struct buf *out)
{
	double last = json_number(rule, "last_status", -1), next = json_number(rule, "next", -1);
	char name[TOP_NAME];
	struct buf line = {0};

	snprintf(name, sizeof name, "%s", json_text(rule, "name", ""));
	buf_printf(&line, "%c %-14.14s %-8.8s %-6.6s ", selected ? '>' : ' ', name,
		   json_text(rule, "kind", ""), json_text(rule, "state", ""));
	add_graph(t, rate_of(t, name), &line);
	buf_printf(&line, " %7.0f %6.0f %5.0f %3.0f/%-3.0f ", json_number(rule, "events", 0),
		   json_number(rule, "runs", 0), json_number(rule, "failures", 0),
		   json_number(rule, "running", 0), json_number(rule, "queued", 0));
	if (last >= 0) {
		buf_printf(&line, last > 0 ? "FAILED %.0f, " : "ok, ", last);
		status_add_seconds(&line, now - json_number(rule, "last_time", now));
		buf_add_text(&line, " ago");
	}
	if (next >= 0) {
		buf_add_text(&line, "  next in ");
		status_add_seconds(&line, next > now ? next - now : 0);
	}
	put_line(t, out, &line, selected ? "7" : last > 0 && t->colour ? "31" : NULL);
	buf_free(&line);
}

/* ---- the screen ------------------------------------------------------------------------------ */

enum {
	FRAME = 5
}; /* lines that are no rules: two of the head, the titles, the message, the keys */

static size_t count_rules(const struct json_value *rules)
{
	size_t n = 0;

	for (const struct json_value *rule = NULL; (rule = json_next(rules, rule));)
		n++;
	return n;
}

/* The selected rule is in sight. */
static void scroll(struct top *t, size_t n, size_t room)
{
	if (n && t->selected >= n)
		t->selected = n - 1;
	if (t->selected < t->first)
		t->first = t->selected;
	if (t->selected >= t->first + room)
		t->first = t->selected - room + 1;
}

static void put_text(const struct top *t, const char *text, const char *style, struct buf *out)
{
	struct buf line = {0};

	escape_control(&line, text, strlen(text));
	put_line(t, out, &line, style);
	buf_free(&line);
}

void top_draw(struct top *t, const struct json_value *status, struct buf *out)
{
	const struct json_value *rules = json_get(status, "rules");
	size_t room = t->rows > FRAME ? (size_t)(t->rows - FRAME) : 1, i = 0;

	scroll(t, count_rules(rules), room);
	buf_add_text(out, "\033[H");
	put_head(t, status, out);
	put_text(t,
		 "  RULE           KIND     STATE  EVENTS/s      EVENTS   RUNS  FAIL ACT/Q   LAST",
		 t->colour ? "1" : NULL, out);
	for (const struct json_value *rule = NULL; (rule = json_next(rules, rule)); i++)
		if (i >= t->first && i < t->first + room)
			put_rule(t, rule, json_number(status, "time", 0), i == t->selected, out);
	put_text(t, t->message, t->failed && t->colour ? "31" : NULL, out);
	buf_add_text(out, "\033[Jup/down select  r run  p pause/resume  s stop  R reload  q quit");
}

const struct json_value *top_selected(const struct top *t, const struct json_value *status)
{
	const struct json_value *rules = json_get(status, "rules");
	size_t i = 0;

	for (const struct json_value *rule = NULL; (rule = json_next(rules, rule)); i++)
		if (i == t->selected)
			return rule;
	return NULL;
}

bool top_has_next(const struct top *t, const struct json_value *status)
{
	return t->selected + 1 < count_rules(json_get(status, "rules"));
}

void top_release(struct top *t)
{
	free(t->rates);
}
