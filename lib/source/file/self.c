/*
 * A rule that triggers itself.
 *
 * A rule whose command changes what it watches would run for ever. It shows in batches all of whose
 * changes came while the command ran, again and again: with the same path, or for longer with paths
 * that come anew each time. It is named, with the cure, and its runs are spaced out; nothing is
 * dropped, for it may be the user who saves that often.
 *
 * A server that is restarted (--on-busy restart) runs whenever its user saves a file. What gives it
 * away is that it writes as long after each start as the time before: a user does not.
 */
#include "base/log.h"
#include "base/text.h"
#include "base/units.h"
#include "source/file/file.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define SPACING_FIRST (50 * NS_PER_MS)
#define SPACING_MOST  (1 * NS_PER_S)
#define STEADY        (50 * NS_PER_MS) /* and a tenth of it: that is as long after the start */

/* Runs in a row that triggered themselves. */
enum { SUSPICIOUS = 4, SUSPICIOUS_ANEW = 8 };

static void acquit(struct self_trigger *self)
{
	struct self_trigger fresh = {.running = self->running, .began = self->began};

	free(self->path);
	free(self->before);
	*self = fresh;
}

void self_free(struct file_source *s)
{
	acquit(&s->changes.self);
}

/* All changes came while the command ran: the first of them, or NULL. */
static const struct change *suspect(const struct file_source *s)
{
	const struct change *first = NULL;

	LIST_EACH(at, after, &s->changes.order)
	{
		const struct change *change = CONTAINER_OF(at, struct change, link);

		if (!change->in_run)
			return NULL;
		if (!first && !change->hidden)
			first = change;
	}
	return first;
}

/* ---- the cure -------------------------------------------------------------------------------- */

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

static void add_literally(struct buf *out, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strchr("*?[\\", text[i]))
			buf_add_char(out, '\\');
		buf_add_char(out, text[i]);
	}
}

/* What both names begin and end with, and an asterisk for what differs. */
static void add_common(struct buf *out, const char *a, const char *b)
{
	size_t begins = 0, ends = 0, na = strlen(a), nb = strlen(b), least = na < nb ? na : nb;

	while (begins < least && a[begins] == b[begins])
		begins++;
	while (ends < least - begins && a[na - 1 - ends] == b[nb - 1 - ends])
		ends++;
	/* Not half a number: the next one may begin otherwise. */
	while (begins && begins < na && isdigit((unsigned char)a[begins - 1]))
		begins--;
	while (ends && isdigit((unsigned char)a[na - ends]))
		ends--;
	add_literally(out, a, begins);
	if (begins < na || begins < nb)
		buf_add_char(out, '*');
	add_literally(out, a + na - ends, ends);
}

static bool is_root(const struct file_source *s, const char *path)
{
	LIST_EACH(at, after, &s->roots)
	if (strcmp(CONTAINER_OF(at, struct root, link)->path, path) == 0)
		return true;
	return false;
}

static void tell(struct file_source *s)
{
	struct self_trigger *self = &s->changes.self;
	struct buf pattern = {0}, word = {0};

	if (self->told)
		return;
	self->told = true;
	add_common(&pattern, base_of(self->path),
		   base_of(self->before ? self->before : self->path));
	if (pattern.data && strchr(pattern.data, '\''))
		shell_quote(&word, pattern.data);
	else
		buf_printf(&word, "'%s'", pattern.data ? pattern.data : "");
	if (is_root(s, self->path))
		log_warn(s->base.rule,
			 "triggers itself: its command changes %s, the very path that it watches "
			 "(its runs are spaced out meanwhile)",
			 self->path);
	else
		log_warn(s->base.rule,
			 "triggers itself: its command changes %s, which it watches; "
			 "--ignore %s would stop it (its runs are spaced out meanwhile)",
			 self->path, word.data ? word.data : "");
	buf_free(&pattern);
	buf_free(&word);
}

/* ---- the verdict ----------------------------------------------------------------------------- */

/* Counts a batch that the command made. False: out of memory. */
static bool count(struct file_source *s, const struct change *change)
{
	struct self_trigger *self = &s->changes.self;

	self->runs++;
	if (self->path && table_find(&s->changes.by_path, self->path)) {
		self->times++;
		return true;
	}
	free(self->before);
	self->before = self->path;
	self->path = strdup(change->path);
	self->times = 1;
	return self->path;
}

/* Was it made as long after the start as the one before? */
static bool is_steady(const struct self_trigger *self, int64_t into)
{
	return llabs(into - self->into) <= STEADY + into / 10;
}

void self_judge(struct file_source *s)
{
	struct self_trigger *self = &s->changes.self;
	const struct change *change = suspect(s);
	int64_t into = change ? change->since - self->began : 0;

	if (change && self->running && self->runs && !is_steady(self, into))
		acquit(self);
	self->into = into;
	if (!change || !count(s, change)) {
		acquit(self);
		return;
	}
	if (self->times < SUSPICIOUS && self->runs < SUSPICIOUS_ANEW)
		return;
	if (self->times >= SUSPICIOUS) {
		free(self->before);
		self->before = NULL;
	}
	tell(s);
	self->spacing = self->spacing ? self->spacing * 2 : SPACING_FIRST;
	if (self->spacing > SPACING_MOST)
		self->spacing = SPACING_MOST;
}

void self_run_began(struct source *base, void *token)
{
	struct self_trigger *self = &((struct file_source *)base)->changes.self;

	(void)token;
	self->running = true;
	self->began = clock_read(CLOCK_OF_LOOP);
}

void self_run_ended(struct source *base, void *token, const struct run_outcome *outcome)
{
	struct file_source *s = (struct file_source *)base;
	struct self_trigger *self = &s->changes.self;

	(void)token;
	(void)outcome;
	/* What it wrote last may be still in the kernel's queue. */
	if (s->started && s->fan)
		fan_read(s);
	else if (s->started && s->inotify >= 0)
		reader_read(s);
	else if (s->started)
		roots_rescan(s, &(struct scan_how){.report = true, .again = true});
	self->running = false;
	self->not_before = self->spacing ? clock_read(CLOCK_OF_LOOP) + self->spacing : 0;
}
