/* lines: cuts an input's bytes into lines, and those into the groups of --match. */
#include "source/lines/lines.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

enum { COMPACT = 65536, FEW = 16 };

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
	event.token = s->token;
	s->token = NULL;
	s->base.host->emit(&s->base, &event, 1);
	if (event.token && !s->base.has_command)
		progress_end(event.token);
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
	if ((answer == MATCH_YES) != invert) {
		emit_line(s, line, invert ? 0 : groups);
		return;
	}
	progress_end(s->token);
	s->token = NULL;
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

static void log_too_long(struct line_file *f)
{
	struct lines_source *s = f->input->owner;

	if (s->logged_too_long)
		return;
	s->logged_too_long = true;
	log_warn(s->base.rule, "a line of %s is longer than --max-line: its rest is dropped",
		 f->input->path);
}

/* Takes NUL bytes out of `length` bytes, in place: no argument of a command can hold any. Returns
 * how many are left. */
static size_t without_nuls(char *bytes, size_t length)
{
	char *to = memchr(bytes, '\0', length);

	if (!to)
		return length;
	for (const char *from = to; from < bytes + length; from++)
		if (*from)
			*to++ = *from;
	return (size_t)(to - bytes);
}

/* Hands on `length` bytes at the buffer's place, which are followed by `skip` bytes of line end. */
static void cut_line(struct line_file *f, size_t length, size_t skip)
{
	struct lines_source *s = f->input->owner;
	char *line = f->buf.data + f->taken;
	size_t most = ((const struct lines_config *)s->base.config)->max_line;

	f->taken += length + skip;
	f->place += (off_t)(length + skip) + f->removed;
	f->scanned = 0;
	f->removed = 0;
	if (f->cutting) {
		f->cutting = false;
		return;
	}
	length = without_nuls(line, length);
	if (length > most) {
		log_too_long(f);
		length = most;
	}
	line[length] = '\0';
	s->token = progress_begin(f);
	take_line(s, line);
}

/* A line without an end so far, longer than any may be: NUL bytes do not count. */
static bool is_too_long(struct line_file *f)
{
	const struct lines_config *c = f->input->owner->base.config;
	size_t left = f->buf.length - f->taken, real;

	if (left <= c->max_line || f->cutting)
		return false;
	real = without_nuls(f->buf.data + f->taken, left);
	f->removed += (off_t)(left - real);
	f->buf.length = f->taken + real;
	f->buf.data[f->buf.length] = '\0';
	f->scanned = real;
	return real > c->max_line;
}

/* The line at the buffer's place, if it is whole. Returns whether one was taken. */
static bool take_next(struct line_file *f)
{
	const struct lines_config *c = f->input->owner->base.config;
	size_t left = f->buf.length - f->taken;
	char *start = f->buf.data + f->taken;
	char *end;

	if (!left)
		return false;
	end = memchr(start + f->scanned, c->nul ? '\0' : '\n', left - f->scanned);
	if (end) {
		cut_line(f, (size_t)(end - start), 1);
		return true;
	}
	f->scanned = left;
	if (is_too_long(f)) {
		cut_line(f, f->buf.length - f->taken, 0);
		f->cutting = true;
		return true;
	}
	if (f->cutting) {
		f->taken += left;
		f->place += (off_t)left;
		f->scanned = 0;
		return false;
	}
	if (!f->input->over && !f->flushing)
		return false;
	cut_line(f, f->buf.length - f->taken, 0);
	return true;
}

/* Gives memory back: what was taken from the front, and the buffer of a file at rest. */
static void tidy(struct line_file *f)
{
	if (f->taken == f->buf.length) {
		if (f->buf.capacity > COMPACT * 2 || f->input->owner->n_inputs > FEW)
			buf_free(&f->buf);
		else
			buf_clear(&f->buf);
		f->taken = 0;
	} else if (f->taken >= COMPACT) {
		buf_consume(&f->buf, f->taken);
		f->taken = 0;
	}
}

/* Cuts lines for as long as they are wanted. Emitting may pause, resume or stop us: look again. */
void lines_cut(struct line_file *f)
{
	struct lines_source *s = f->input->owner;

	if (s->cutting_lines || s->resting)
		return;
	s->cutting_lines = true;
	s->budget = MATCH_TURN;
	while (!s->base.paused && !s->stopped && s->budget && !progress_is_full(s) && take_next(f))
		;
	s->cutting_lines = false;
	if (!s->budget && !s->stopped) {
		lines_rest(s);
		return;
	}
	if (progress_is_full(s))
		lines_wait(s);
	tidy(f);
}
