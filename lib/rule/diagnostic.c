/* See diagnostic.h. */
#include "rule/diagnostic.h"

#include "base/array.h"
#include "base/log.h"
#include "base/table.h"
#include "base/text.h"
#include "rule/script.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static uint64_t hash_of(const struct script *script, size_t offset, const struct error *e)
{
	return hash_bytes(e->what, strlen(e->what)) ^ (uintptr_t)script ^
	       offset * UINT64_C(0x9e3779b97f4a7c15);
}

/* The slot that this error has, or the free one that it gets. */
static uint16_t *slot_of(const struct diagnostics *d, const struct script *script, size_t offset,
			 const struct error *e)
{
	uint64_t at = hash_of(script, offset, e);

	for (;; at++) {
		uint16_t *slot = &d->slots[at % DIAGNOSTIC_SLOTS];
		const struct diagnostic *there = *slot ? &d->items[*slot - 1] : NULL;

		if (!there || (there->script == script && there->offset == offset &&
			       strcmp(there->error.what, e->what) == 0))
			return slot;
	}
}

int diagnostics_add(struct diagnostics *d, const struct script *script, size_t offset,
		    const struct error *e)
{
	uint16_t *slot;

	if (!d->slots)
		d->slots = calloc(DIAGNOSTIC_SLOTS, sizeof *d->slots);
	if (!d->slots)
		return -1;
	/* A fault in `set` shows up in every rule after it; once is enough. */
	slot = slot_of(d, script, offset, e);
	if (*slot)
		return -1;
	if (d->count == MOST_DIAGNOSTICS || ARRAY_GROW(d->items, d->capacity, d->count + 1) < 0) {
		d->left_out++;
		return -1;
	}
	d->items[d->count++] = (struct diagnostic){script, offset, *e};
	*slot = (uint16_t)d->count;
	return -1;
}

void diagnostics_free(struct diagnostics *d)
{
	free(d->items);
	free(d->slots);
	*d = (struct diagnostics){0};
}

enum { SHOWN = 100 }; /* of a long line, this many columns around the fault */

/* Where an offset stands: its line, and line and column numbers from 1. */
struct spot {
	const char *line;
	size_t length; /* as far as it may be shown */
	size_t column;
	size_t number;
};

static struct spot spot_find(const struct script *s, size_t offset)
{
	struct spot spot;
	const char *end;
	size_t start, near;

	if (offset > s->length)
		offset = s->length;
	spot.number = script_line(s, offset, &start);
	spot.line = s->text + start;
	spot.column = offset - start + 1;
	near = s->length - offset < SHOWN ? s->length - offset : SHOWN;
	end = memchr(s->text + offset, '\n', near);
	spot.length = (size_t)((end ? end : s->text + offset + near) - spot.line);
	if (end && spot.length && end[-1] == '\r')
		spot.length--;
	return spot;
}

/* The bytes of the character at `at`, which takes one column. */
static size_t character_length(const struct spot *spot, size_t at, size_t to)
{
	size_t n = text_unsafe(spot->line + at, to - at);

	if (n)
		return n;
	if ((unsigned char)spot->line[at] < 0xc0)
		return 1;
	for (n = 1; at + n < to && ((unsigned char)spot->line[at + n] & 0xc0) == 0x80; n++)
		;
	return n;
}

static void print_line(const struct spot *spot, struct buf *out)
{
	size_t caret = spot->column - 1;
	size_t from = spot->length > SHOWN && caret > SHOWN / 2 ? caret - SHOWN / 2 : 0;
	size_t to = spot->length - from > SHOWN ? from + SHOWN : spot->length;

	buf_add_text(out, "  ");
	for (size_t i = from, n; i < to; i += n) {
		bool tab = spot->line[i] == '\t';

		n = character_length(spot, i, to);
		if (!tab && text_unsafe(spot->line + i, to - i))
			buf_add_char(out, '?');
		else
			buf_add(out, spot->line + i, n);
	}
	buf_add_text(out, "\n  ");
	/* Tabs are kept, so that the caret stands below its column at any tab width. */
	for (size_t i = from; i < caret && i < to; i += character_length(spot, i, to))
		buf_add_char(out, spot->line[i] == '\t' ? '\t' : ' ');
	buf_add_char(out, '^');
}

/* A hint may hold words of the user, so it is escaped as the error is. */
static void print_hint(const struct error *e, const char *before, struct buf *out)
{
	if (*e->hint)
		buf_add_text(out, before);
	escape_control(out, e->hint, strlen(e->hint));
	buf_add_char(out, '\n');
}

void diagnostic_print(const struct diagnostic *d, struct buf *out)
{
	struct spot spot;

	buf_add_text(out, "evwatch: ");
	if (!d->script) {
		escape_control(out, d->error.what, strlen(d->error.what));
		print_hint(&d->error, "\n  ", out);
		return;
	}
	spot = spot_find(d->script, d->offset);
	escape_control(out, d->script->name, strlen(d->script->name));
	buf_printf(out, ":%zu:%zu: ", spot.number, spot.column);
	escape_control(out, d->error.what, strlen(d->error.what));
	buf_add_char(out, '\n');
	print_line(&spot, out);
	print_hint(&d->error, " ", out);
}

static void add_place(const struct diagnostic *d, struct buf *fields)
{
	struct spot spot;

	if (!d->script)
		return;
	spot = spot_find(d->script, d->offset);
	buf_add_text(fields, ",\"file\":");
	json_add_string(fields, d->script->name, strlen(d->script->name));
	buf_printf(fields, ",\"line\":%zu,\"column\":%zu", spot.number, spot.column);
}

static void add_hint(const struct diagnostic *d, struct buf *fields)
{
	if (!*d->error.hint)
		return;
	buf_add_text(fields, ",\"hint\":");
	json_add_string(fields, d->error.hint, strlen(d->error.hint));
}

void diagnostic_json(const struct diagnostic *d, struct buf *out)
{
	static const char doubt[] = "warning: ";
	const char *what = d->error.what;
	bool warning = strncmp(what, doubt, sizeof doubt - 1) == 0;

	if (warning)
		what += sizeof doubt - 1;
	buf_printf(out, "{\"level\":\"%s\",\"message\":", warning ? "warning" : "error");
	json_add_string(out, what, strlen(what));
	add_place(d, out);
	add_hint(d, out);
	buf_add_text(out, "}\n");
}

void diagnostic_log(const struct diagnostic *d)
{
	struct buf b = {0};

	if (log_is_json()) {
		add_place(d, &b);
		add_hint(d, &b);
		log_fields(LOG_ERROR, NULL, &b, "%s", d->error.what);
	} else {
		diagnostic_print(d, &b);
		if (b.data)
			log_pass_on(b.data, b.length);
	}
	buf_free(&b);
}
