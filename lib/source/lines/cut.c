/* lines: cuts an input's bytes into lines, and those into the groups of --match. */
#include "source/lines/lines.h"

#include "base/log.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

enum { COMPACT = 65536 };

static void emit_line(struct lines_source *s, const char *line, size_t n_groups)
{
	struct event event = event_make("line");
	const char *subjects[MATCH_MOST_GROUPS + 1] = {line};
	char *copies[MATCH_MOST_GROUPS + 1] = {NULL};

	for (size_t i = 1; i <= n_groups; i++) {
		struct match_span group = s->groups[i];

		if (group.from == MATCH_UNSET)
			group.from = group.to = 0;
		copies[i] = strndup(line + group.from, group.to - group.from);
		subjects[i] = copies[i] ? copies[i] : "";
	}
	event.subjects = subjects;
	event.n_subjects = n_groups + 1;
	s->base.host->emit(&s->base, &event, 1);
	for (size_t i = 1; i <= n_groups; i++)
		free(copies[i]);
}

void lines_match_on(struct lines_source *s)
{
	const char *line = s->matching;
	size_t groups = match_groups(s->match);
	bool invert = ((const struct lines_config *)s->base.config)->invert;
	enum match_answer answer;

	answer = s->budget ? match_run(s->match, &s->budget) : MATCH_MORE;
	if (answer == MATCH_MORE)
		return;
	s->matching = NULL;
	if ((answer == MATCH_YES) != invert)
		emit_line(s, line, invert ? 0 : groups);
}

/* One line, NUL-terminated in place of its end. */
static void take_line(struct lines_source *s, const char *line)
{
	bool invert = ((const struct lines_config *)s->base.config)->invert;
	size_t groups;

	if (!s->match) {
		emit_line(s, line, 0);
		return;
	}
	groups = invert ? 0 : match_groups(s->match);
	match_begin(s->match, line, strlen(line), s->groups, groups ? groups + 1 : 0);
	s->matching = line;
	lines_match_on(s);
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

	if (s->cutting_lines || s->resting)
		return;
	s->cutting_lines = true;
	s->budget = MATCH_TURN;
	while (!s->base.paused && !s->stopped && s->budget && take_next(in))
		;
	s->cutting_lines = false;
	if (!s->budget && !s->stopped)
		lines_rest(s);
	else
		tidy(in);
}
