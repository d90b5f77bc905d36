/* See top.h: the screen. */
#include "top.h"

#include "status.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* The parts of a row: on 80 columns what is most asked for, on more of them all. */
struct layout {
	int name, graph;
	bool state;          /* as a column of its own; else it stands with the last run */
	int rules, failures; /* lines */
};

enum { WIDE = 100, HEAD = 2, TITLES = 1, FOOT = 2 /* the message, the keys */ };

static struct layout layout_of(const struct top *t)
{
	int left = t->rows - HEAD - TITLES - FOOT;
	struct layout l = {.name = 12, .graph = 8};

	if (t->columns >= WIDE) {
		l.name = 20;
		l.state = true;
		l.graph = 12 + (t->columns - WIDE) / 4;
		l.graph = l.graph > TOP_SAMPLES ? TOP_SAMPLES : l.graph;
	}
	l.failures = left / 5 > 5 ? 5 : left / 5;
	l.rules = left - l.failures > 1 ? left - l.failures : 1;
	return l;
}

/* ---- lines ----------------------------------------------------------------------------------- */

/*
 * Cuts a line at the last column and ends it; `style` is an SGR parameter or NULL. Nothing that
 * came over the socket moves the cursor.
 */
static void put_line(const struct top *t, struct buf *out, const struct buf *line,
		     const char *style)
{
	struct buf safe = {0};
	const char *text;
	int columns = 0;

	escape_control(&safe, line->data ? line->data : "", line->length);
	text = safe.data ? safe.data : "";
	if (style)
		buf_printf(out, "\033[%sm", style);
	for (; *text; text++) {
		bool starts = ((unsigned char)*text & 0xc0) != 0x80;

		if (starts && ++columns > t->columns)
			break;
		buf_add_char(out, *text);
	}
	buf_printf(out, "%s\033[K\r\n", style ? "\033[0m" : "");
	buf_free(&safe);
}

static void put_text(const struct top *t, const char *text, const char *style, struct buf *out)
{
	struct buf line = {0};

	buf_add_text(&line, text);
	put_line(t, out, &line, style);
	buf_free(&line);
}

static const char *bold(const struct top *t)
{
	return t->colour ? "1" : NULL;
}

static void add_graph(const struct top *t, const struct top_rate *rate, int width, struct buf *out)
{
	static const char *const blocks[] = {" ",      "\u2581", "\u2582", "\u2583", "\u2584",
					     "\u2585", "\u2586", "\u2587", "\u2588"};
	static const char *const plain[] = {" ", ".", ".", ":", ":", "+", "+", "#", "#"};
	double most = 1;

	for (int i = TOP_SAMPLES - width; rate && i < TOP_SAMPLES; i++)
		if (rate->samples[i] > most)
			most = rate->samples[i];
	for (int i = TOP_SAMPLES - width; i < TOP_SAMPLES; i++) {
		double n = rate ? rate->samples[i] : 0;
		int level = n <= 0 ? 0 : 1 + (int)(n / most * 7);

		buf_add_text(out, (t->unicode ? blocks : plain)[level]);
	}
}

/* ---- the head -------------------------------------------------------------------------------- */

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
	put_line(t, out, &line, bold(t));
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

/* The title by which the rules are ordered has a mark. */
static void put_titles(const struct top *t, const struct layout *l, struct buf *out)
{
	const char *mark = t->backwards ? "^" : "v";
	const char *marks[ORDER_LAST + 1];
	struct buf line = {0}, cell = {0};

	for (int i = 0; i <= ORDER_LAST; i++)
		marks[i] = (int)t->order == i && (i != ORDER_FILE || t->backwards) ? mark : "";
	buf_printf(&cell, "RULE%s%s", marks[ORDER_NAME], marks[ORDER_FILE]);
	buf_printf(&line, "  %-*s %-8s %s", l->name, cell.data ? cell.data : "", "KIND",
		   l->state ? "STATE  " : "");
	buf_clear(&cell);
	buf_printf(&cell, "PER s%s", marks[ORDER_RATE]);
	buf_printf(&line, "%-*s %7s", l->graph, cell.data ? cell.data : "", "EVENTS");
	buf_clear(&cell);
	buf_printf(&cell, "RUNS%s", marks[ORDER_RUNS]);
	buf_printf(&line, " %6s", cell.data ? cell.data : "");
	buf_clear(&cell);
	buf_printf(&cell, "FAIL%s", marks[ORDER_FAILED]);
	buf_printf(&line, " %5s ACT/Q LAST%s", cell.data ? cell.data : "", marks[ORDER_LAST]);
	put_line(t, out, &line, bold(t));
	buf_free(&cell);
	buf_free(&line);
}

/* ---- rules ----------------------------------------------------------------------------------- */

/* Padded, and cut where it is longer than `width` places. */
static void add_name(struct buf *out, const char *name, int width)
{
	int places = 0;

	for (; *name; name++) {
		places += ((unsigned char)*name & 0xc0) != 0x80;
		if (places > width)
			return;
		buf_add_char(out, *name);
	}
	while (places++ < width)
		buf_add_char(out, ' ');
}

static void add_last(const struct json_value *rule, double now, struct buf *out)
{
	double status = json_number(rule, "last_status", -1);

	if (status < 0)
		return;
	if (json_flag(rule, "last_stopped"))
		buf_add_text(out, "stopped, ");
	else
		buf_printf(out, status > 0 ? "FAILED %.0f, " : "ok, ", status);
	status_add_seconds(out, now - json_number(rule, "last_time", now));
	buf_add_text(out, " ago");
}

static void add_next(const struct json_value *rule, double now, struct buf *out)
{
	double next = json_number(rule, "next", -1);

	if (next < 0)
		return;
	buf_add_text(out, "  next in ");
	status_add_seconds(out, next > now ? next - now : 0);
}

static void put_rule(const struct top *t, const struct layout *l, const struct top_row *row,
		     double now, bool selected, struct buf *out)
{
	const struct json_value *rule = row->rule;
	const char *name = json_text(rule, "name", ""), *state = json_text(rule, "state", "");
	bool failed = json_number(rule, "last_status", 0) > 0 && !json_flag(rule, "last_stopped");
	struct buf line = {0}, active = {0};

	buf_add_text(&line, selected ? "> " : "  ");
	add_name(&line, name, l->name);
	buf_printf(&line, " %-8.8s ", json_text(rule, "kind", ""));
	if (l->state)
		buf_printf(&line, "%-6.6s ", state);
	add_graph(t, top_rate(t, name), l->graph, &line);
	buf_printf(&active, "%.0f/%.0f", json_number(rule, "running", 0),
		   json_number(rule, "queued", 0));
	buf_printf(&line, " %7.0f %6.0f %5.0f %-5s ", json_number(rule, "events", 0),
		   json_number(rule, "runs", 0), json_number(rule, "failures", 0),
		   active.data ? active.data : "");
	if (!l->state && strcmp(state, "armed") != 0)
		buf_printf(&line, "%s ", state);
	add_last(rule, now, &line);
	add_next(rule, now, &line);
	put_line(t, out, &line, selected ? "7" : failed && t->colour ? "31" : NULL);
	buf_free(&active);
	buf_free(&line);
}

/* ---- failures -------------------------------------------------------------------------------- */

/* Of the rules that failed before `before`, the one that failed last. */
static const struct json_value *latest_failure(const struct top *t, double before)
{
	const struct json_value *latest = NULL;

	for (size_t i = 0; i < t->n_shown; i++) {
		double at = json_number(t->shown[i].rule, "last_failure", 0);

		if (at > 0 && at < before &&
		    (!latest || at > json_number(latest, "last_failure", 0)))
			latest = t->shown[i].rule;
	}
	return latest;
}

/* "12:30:07  web failed with status 3, 20 s ago" */
static void put_failure(const struct top *t, const struct json_value *rule, double now,
			struct buf *out)
{
	double at = json_number(rule, "last_failure", 0);
	time_t seconds = (time_t)at;
	struct buf line = {0};
	char clock[32];
	struct tm tm;

	localtime_r(&seconds, &tm);
	strftime(clock, sizeof clock, now - at < 24 * 3600 ? "%H:%M:%S" : "%F %H:%M", &tm);
	buf_printf(&line, "%s  %s failed with status %.0f, ", clock, json_text(rule, "name", "?"),
		   json_number(rule, "last_failure_status", 0));
	status_add_seconds(&line, now - at);
	buf_add_text(&line, " ago");
	put_line(t, out, &line, t->colour ? "31" : NULL);
	buf_free(&line);
}

static void put_failures(const struct top *t, int lines, double now, struct buf *out)
{
	const struct json_value *rule;
	double before = now + 1e9;

	for (; lines > 0 && (rule = latest_failure(t, before)); lines--) {
		put_failure(t, rule, now, out);
		before = json_number(rule, "last_failure", 0);
	}
	for (; lines > 0; lines--)
		put_text(t, "", NULL, out);
}

/* ---- the screen ------------------------------------------------------------------------------ */

/* The selected rule is in sight. */
static void scroll(struct top *t, size_t room)
{
	if (t->selected < t->first)
		t->first = t->selected;
	if (t->selected >= t->first + room)
		t->first = t->selected - room + 1;
}

void top_draw(struct top *t, const struct json_value *status, struct buf *out)
{
	static const char keys[] =
	    "up/down select  r run  p pause  s stop  o order  O backwards  R reload  q quit";
	double now = json_number(status, "time", 0);
	struct layout l = layout_of(t);

	scroll(t, (size_t)l.rules);
	buf_add_text(out, "\033[H");
	put_head(t, status, out);
	put_titles(t, &l, out);
	for (size_t i = t->first; i < t->first + (size_t)l.rules; i++)
		if (i < t->n_shown)
			put_rule(t, &l, &t->shown[i], now, i == t->selected, out);
		else
			put_text(t, "", NULL, out);
	put_failures(t, l.failures, now, out);
	put_text(t, t->message, t->failed && t->colour ? "31" : NULL, out);
	buf_printf(out, "\033[J%.*s", t->columns - 1, keys);
}
