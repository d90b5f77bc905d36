/* See diagnostic.h. */
#include "rule/diagnostic.h"

#include "base/array.h"
#include "base/log.h"
#include "base/text.h"
#include "rule/script.h"

#include <stdlib.h>
#include <string.h>

int diagnostics_add(struct diagnostics *d, const struct script *script, size_t offset,
		    const struct error *e)
{
	/* A fault in `set` shows up in every rule after it; once is enough. */
	for (size_t i = 0; i < d->count; i++)
		if (d->items[i].script == script && d->items[i].offset == offset &&
		    strcmp(d->items[i].error.what, e->what) == 0)
			return -1;
	if (ARRAY_GROW(d->items, d->capacity, d->count + 1) == 0)
		d->items[d->count++] = (struct diagnostic){script, offset, *e};
	return -1;
}

void diagnostics_free(struct diagnostics *d)
{
	free(d->items);
	*d = (struct diagnostics){0};
}

/* Where an offset stands: its line, and line and column numbers from 1. */
struct spot {
	const char *line;
	size_t length, column;
	size_t number;
};

static struct spot spot_find(const struct script *s, size_t offset)
{
	struct spot spot = {.line = s->text, .number = 1};
	const char *at, *end;

	if (offset > s->length)
		offset = s->length;
	at = s->text + offset;
	for (const char *c = s->text; c < at; c++)
		if (*c == '\n') {
			spot.line = c + 1;
			spot.number++;
		}
	end = memchr(at, '\n', s->length - offset);
	spot.length = (size_t)((end ? end : s->text + s->length) - spot.line);
	spot.column = (size_t)(at - spot.line) + 1;
	return spot;
}

enum { SHOWN = 100 }; /* of a long line, this many columns around the fault */

static void print_line(const struct spot *spot, struct buf *out)
{
	size_t caret = spot->column - 1;
	size_t from = spot->length > SHOWN && caret > SHOWN / 2 ? caret - SHOWN / 2 : 0;
	size_t to = spot->length - from > SHOWN ? from + SHOWN : spot->length;

	buf_add_text(out, "  ");
	for (size_t i = from; i < to; i++) {
		unsigned char c = (unsigned char)spot->line[i];

		buf_add_char(out, (c < 0x20 && c != '\t') || c == 0x7f ? '?' : (char)c);
	}
	buf_add_text(out, "\n  ");
	/* Tabs are kept, so that the caret stands below its column at any tab width. */
	for (size_t i = from; i < caret && i < to; i++) {
		unsigned char c = (unsigned char)spot->line[i];

		if ((c & 0xc0) != 0x80)
			buf_add_char(out, c == '\t' ? '\t' : ' ');
	}
	buf_add_char(out, '^');
}

/* It may hold words of the user, as the error may. */
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
	buf_printf(out, "%s:%zu:%zu: ", d->script->name, spot.number, spot.column);
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

void diagnostic_log(const struct diagnostic *d)
{
	struct buf b = {0};

	if (log_is_json()) {
		add_place(d, &b);
		if (*d->error.hint) {
			buf_add_text(&b, ",\"hint\":");
			json_add_string(&b, d->error.hint, strlen(d->error.hint));
		}
		log_fields(LOG_ERROR, NULL, &b, "%s", d->error.what);
	} else {
		diagnostic_print(d, &b);
		if (b.data)
			log_pass_on(b.data, b.length);
	}
	buf_free(&b);
}
