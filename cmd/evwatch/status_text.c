/* The status as a table for people. */
#include "status.h"

#include "base/text.h"
#include "base/units.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

void status_add_seconds(struct buf *out, double seconds)
{
	if (seconds < 0)
		buf_add_char(out, '-');
	else
		duration_say(out, (int64_t)(seconds * 1e9));
}

void status_add_bytes(struct buf *out, double bytes)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
	int unit = 0;

	for (; bytes >= 1000 && unit < 4; unit++)
		bytes /= 1000;
	buf_printf(out, unit ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
}

/* ---- the head -------------------------------------------------------------------------------- */

static void add_head(struct buf *out, const struct json_value *status)
{
	const struct json_value *loop = json_get(status, "loop");
	const struct json_value *process = json_get(status, "process");

	buf_printf(out, "evwatch %s, %s for ", json_text(status, "version", "?"),
		   json_text(status, "phase", "?"));
	status_add_seconds(out, json_number(status, "time", 0) - json_number(status, "since", 0));
	buf_printf(out, ", pid %.0f: ", json_number(process, "pid", 0));
	status_add_bytes(out, json_number(process, "memory", 0));
	buf_printf(out, ", %.0f descriptors, ", json_number(process, "descriptors", 0));
	status_add_seconds(out, json_number(process, "cpu", 0));
	buf_printf(out, " of CPU\nloop: %s, %.0f turns, of which half within ",
		   json_text(loop, "backend", "?"), json_number(loop, "turns", 0));
	status_add_seconds(out, json_number(loop, "latency_p50", -1));
	buf_add_text(out, " and 99 of 100 within ");
	status_add_seconds(out, json_number(loop, "latency_p99", -1));
	buf_add_char(out, '\n');
}

/* ---- the table ------------------------------------------------------------------------------- */

enum { COLUMNS = 11, CELL = 64 };

static const char *const titles[COLUMNS] = {"RULE", "KIND",   "STATE",  "EVENTS", "RUNS", "FAILED",
					    "SKIP", "ACTIVE", "QUEUED", "LAST",   "NEXT"};

struct row {
	char cells[COLUMNS][CELL];
};

/* Bytes that a terminal shows as one place each, near enough: of names these are letters. */
static int width_of(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void put_cell(struct row *row, int column, const char *text)
{
	snprintf(row->cells[column], CELL, "%s", text);
}

static void put_count(struct row *row, int column, const struct json_value *rule, const char *name)
{
	const struct json_value *v = json_get(rule, name);

	if (v)
		snprintf(row->cells[column], CELL, "%.0f", v->number);
	else
		put_cell(row, column, "-");
}

static void put_last(struct row *row, const struct json_value *rule, double now)
{
	double status = json_number(rule, "last_status", -1);
	struct buf b = {0};

	if (status < 0) {
		put_cell(row, 9, "-");
		return;
	}
	if (json_flag(rule, "last_stopped"))
		buf_add_text(&b, "stopped after ");
	else
		buf_printf(&b, status == 0 ? "ok in " : "status %.0f in ", status);
	status_add_seconds(&b, json_number(rule, "last_duration", -1));
	buf_add_text(&b, ", ");
	status_add_seconds(&b, now - json_number(rule, "last_time", now));
	buf_add_text(&b, " ago");
	put_cell(row, 9, b.data ? b.data : "");
	buf_free(&b);
}

static void put_next(struct row *row, const struct json_value *rule, double now)
{
	double next = json_number(rule, "next", -1);
	struct buf b = {0};

	if (next < 0) {
		put_cell(row, 10, "-");
		return;
	}
	buf_add_text(&b, "in ");
	status_add_seconds(&b, next > now ? next - now : 0);
	put_cell(row, 10, b.data ? b.data : "");
	buf_free(&b);
}

static void fill_row(struct row *row, const struct json_value *rule, double now)
{
	put_cell(row, 0, json_text(rule, "name", "?"));
	put_cell(row, 1, json_text(rule, "kind", "?"));
	put_cell(row, 2, json_text(rule, "state", "?"));
	put_count(row, 3, rule, "events");
	put_count(row, 4, rule, "runs");
	put_count(row, 5, rule, "failures");
	put_count(row, 6, rule, "skipped");
	put_count(row, 7, rule, "running");
	put_count(row, 8, rule, "queued");
	put_last(row, rule, now);
	put_next(row, rule, now);
}

static void fit(int widths[COLUMNS], const struct row *row)
{
	for (int i = 0; i < COLUMNS; i++)
		if (width_of(row->cells[i]) > widths[i])
			widths[i] = width_of(row->cells[i]);
}

/* Words to the left, numbers to the right; no blanks at the end of a line. */
static void add_row(struct buf *out, const struct row *row, const int widths[COLUMNS])
{
	for (int i = 0; i < COLUMNS; i++) {
		int blanks = widths[i] - width_of(row->cells[i]);
		bool right = i >= 3 && i <= 8;

		if (i)
			buf_add_text(out, "  ");
		for (int b = 0; right && b < blanks; b++)
			buf_add_char(out, ' ');
		escape_control(out, row->cells[i], strlen(row->cells[i]));
		for (int b = 0; !right && i + 1 < COLUMNS && b < blanks; b++)
			buf_add_char(out, ' ');
	}
	buf_add_char(out, '\n');
}

static void add_table(struct buf *out, const struct json_value *rules, double now)
{
	struct row row = {0};
	int widths[COLUMNS] = {0};

	for (int i = 0; i < COLUMNS; i++)
		put_cell(&row, i, titles[i]);
	fit(widths, &row);
	for (const struct json_value *rule = NULL; (rule = json_next(rules, rule));) {
		fill_row(&row, rule, now);
		fit(widths, &row);
	}
	for (int i = 0; i < COLUMNS; i++)
		put_cell(&row, i, titles[i]);
	add_row(out, &row, widths);
	for (const struct json_value *rule = NULL; (rule = json_next(rules, rule));) {
		fill_row(&row, rule, now);
		add_row(out, &row, widths);
	}
}

/* ---- relays and files ------------------------------------------------------------------------ */

static void add_target(struct buf *out, const struct json_value *t)
{
	const struct json_value *up = json_get(t, "up");

	buf_printf(out, "  %s: %s%.0f connections, %.0f failed, ", json_text(t, "target", "?"),
		   !up                     ? ""
		   : up->type == JSON_TRUE ? "up, "
					   : "down, ",
		   json_number(t, "connections", 0), json_number(t, "failed", 0));
	status_add_bytes(out, json_number(t, "bytes_to", 0));
	buf_add_text(out, " to, ");
	status_add_bytes(out, json_number(t, "bytes_from", 0));
	buf_add_text(out, " from\n");
}

/* Both forms: "directory", "directories". */
static void add_count(struct buf *out, double n, const char *one, const char *many)
{
	buf_printf(out, "%.0f %s", n, n == 1 ? one : many);
}

static void add_relay(struct buf *out, const char *name, const struct json_value *relay)
{
	const struct json_value *targets = json_get(relay, "targets");

	buf_printf(out, "\n%s: ", name);
	add_count(out, json_number(relay, "connections", 0), "connection", "connections");
	buf_printf(out, ", %.0f accepted, %.0f refused\n", json_number(relay, "accepted", 0),
		   json_number(relay, "refused", 0));
	for (const struct json_value *t = NULL; (t = json_next(targets, t));)
		add_target(out, t);
}

static void add_files(struct buf *out, const char *name, const struct json_value *files)
{
	buf_printf(out, "\n%s: ", name);
	add_count(out, json_number(files, "directories", 0), "directory", "directories");
	buf_add_text(out, ", ");
	add_count(out, json_number(files, "watches", 0), "watch", "watches");
	buf_add_text(out, ", ");
	add_count(out, json_number(files, "overflows", 0), "overflow", "overflows");
	buf_add_text(out, "\n");
}

void status_add_text(struct buf *out, const struct json_value *status)
{
	const struct json_value *rules = json_get(status, "rules");

	add_head(out, status);
	buf_add_char(out, '\n');
	add_table(out, rules, json_number(status, "time", 0));
	for (const struct json_value *rule = NULL; (rule = json_next(rules, rule));) {
		if (json_get(rule, "relay"))
			add_relay(out, json_text(rule, "name", "?"), json_get(rule, "relay"));
		if (json_get(rule, "files"))
			add_files(out, json_text(rule, "name", "?"), json_get(rule, "files"));
	}
}
