/* lines: cuts an input's bytes into lines, and those into the groups of --match. */
#include "source/lines/lines.h"

#include "base/log.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_GROUPS = 32, COMPACT = 65536 };

static void emit_line(struct lines_source *s, const char *line, const regmatch_t *groups,
		      size_t n_groups)
{
	struct event event = event_make("line");
	const char *subjects[MOST_GROUPS + 1] = {line};
	char *copies[MOST_GROUPS] = {NULL};

	for (size_t i = 1; i < n_groups; i++) {
		regoff_t from = groups[i].rm_so < 0 ? 0 : groups[i].rm_so;
		regoff_t to = groups[i].rm_so < 0 ? 0 : groups[i].rm_eo;

		copies[i] = strndup(line + from, (size_t)(to - from));
		subjects[i] = copies[i] ? copies[i] : "";
	}
	event.subjects = subjects;
	event.n_subjects = n_groups ? n_groups : 1;
	s->base.host->emit(&s->base, &event, 1);
	for (size_t i = 1; i < n_groups; i++)
		free(copies[i]);
}

/* One line, NUL-terminated in place of its end. */
static void take_line(struct lines_source *s, const char *line)
{
	const struct lines_config *c = s->base.config;
	const regex_t *re = s->match;
	regmatch_t groups[MOST_GROUPS];
	size_t n = re ? re->re_nsub + 1 : 0;
	bool matches;

	if (!re) {
		emit_line(s, line, NULL, 0);
		return;
	}
	if (n > MOST_GROUPS)
		n = MOST_GROUPS;
	matches = regexec(re, line, n, groups, 0) == 0;
	if (matches != c->invert)
		emit_line(s, line, groups, c->invert ? 0 : n);
}

static void tell_too_long(struct line_input *in)
{
	if (in->owner->told_too_long)
		return;
	in->owner->told_too_long = true;
	log_warn(in->owner->base.rule,
		 "a line of %s is longer than --max-line: its rest is dropped", in->path);
}

/* Hands on `length` bytes at the buffer's place, which are followed by `skip` bytes of line end. */
static void cut_line(struct line_input *in, size_t length, size_t skip)
{
	struct lines_source *s = in->owner;
	char *line = in->buf.data + in->taken;
	size_t most = ((const struct lines_config *)s->base.config)->max_line;

	in->taken += length + skip;
	in->scanned = 0;
	if (in->cutting) {
		in->cutting = false;
		return;
	}
	if (length > most) {
		tell_too_long(in);
		length = most;
	}
	line[length] = '\0';
	text_remove_nuls(line, length);
	take_line(s, line);
}

/* The line at the buffer's place, if it is whole. Returns whether one was taken. */
static bool take_next(struct line_input *in)
{
	const struct lines_config *c = in->owner->base.config;
	size_t left = in->buf.length - in->taken;
	char *start = in->buf.data + in->taken;
	char *end;

	if (!left)
		return false;
	end = memchr(start + in->scanned, c->nul ? '\0' : '\n', left - in->scanned);
	if (end) {
		cut_line(in, (size_t)(end - start), 1);
		return true;
	}
	in->scanned = left;
	if (left > c->max_line && !in->cutting) {
		cut_line(in, left, 0);
		in->cutting = true;
		return true;
	}
	if (in->cutting) {
		in->taken += left;
		in->scanned = 0;
		return false;
	}
	if (!in->over && !in->flushing)
		return false;
	cut_line(in, left, 0);
	return true;
}

/* Gives memory back: what was taken from the front, and the buffer of an input at rest. */
static void tidy(struct line_input *in)
{
	if (in->taken == in->buf.length) {
		if (in->buf.capacity > COMPACT * 2)
			buf_free(&in->buf);
		else
			buf_clear(&in->buf);
		in->taken = 0;
	} else if (in->taken >= COMPACT) {
		buf_consume(&in->buf, in->taken);
		in->taken = 0;
	}
}

/* Cuts lines for as long as they are wanted. Emitting may pause, resume or stop us: look again. */
void lines_cut(struct line_input *in)
{
	struct lines_source *s = in->owner;

	if (s->cutting_lines)
		return;
	s->cutting_lines = true;
	while (!s->base.paused && !s->stopped && take_next(in))
		;
	s->cutting_lines = false;
	tidy(in);
}
