/*
 * When changes are handed on.
 *
 * The hard part: a lone save should run the command at once, a checkout of thousands of files once.
 * So --debounce auto waits 2 ms (longer for the other half of a save), and doubles that with each
 * batch that follows another closely, and with each doubling of the number of paths. What is still
 * being written holds the whole batch back (an editor's save is many changes), within
 * --max-wait; who writes for longer than that holds nobody back but himself.
 */
#include "base/array.h"
#include "base/units.h"
#include "source/file/file.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define QUIET_LEAST (1250 * NS_PER_US) /* and what starting takes: the command runs after 2 ms */
#define QUIET_MOST  (50 * NS_PER_MS)
#define OTHER_HALF  (25 * NS_PER_MS)  /* for what was deleted to be written anew */
#define CLOSELY     (500 * NS_PER_MS) /* a batch within this of the one before doubles the wait */

enum { A_SAVE = 4 /* paths */ };

static void on_quiet(struct reactor *r, struct timer *t)
{
	struct file_source *s = CONTAINER_OF(t, struct file_source, changes.timer);

	(void)r;
	batch_review(s);
}

void batch_init(struct file_source *s)
{
	timer_init(&s->changes.timer, CLOCK_OF_LOOP, on_quiet);
	s->changes.timer.priority = s->base.priority;
}

void batch_free(struct file_source *s)
{
	timer_stop(s->base.reactor, &s->changes.timer);
	self_free(s);
	free(s->changes.slow_path);
	s->changes.slow_path = NULL;
}

/* ---- when ------------------------------------------------------------------------------------ */

/* Doubles the wait of --debounce auto when batches follow each other, and forgets it when not. */
void batch_judge(struct file_source *s)
{
	struct changes *c = &s->changes;
	int64_t now = reactor_now(s->base.reactor, CLOCK_OF_LOOP);

	self_judge(s);
	if (!c->last_batch || now - c->last_batch > CLOSELY)
		c->quiet = QUIET_LEAST;
	else if (c->quiet < QUIET_MOST)
		c->quiet = c->quiet * 2 < QUIET_MOST ? c->quiet * 2 : QUIET_MOST;
	c->last_batch = now;
}

/* As mkstemp(3) ends names, and what is made from it (QSaveFile, sed -i): f.aBcDeF, sedAbCdEf. */
static bool is_random(const char *base, size_t length)
{
	enum { RANDOM = 6 };
	const char *end = base + length - RANDOM;
	bool upper = false, lower = false;

	if (length <= RANDOM || (end[-1] != '.' && strncmp(base, "sed", length - RANDOM) != 0))
		return false;
	for (; isalnum((unsigned char)*end); end++) {
		upper |= isupper((unsigned char)*end) != 0;
		lower |= islower((unsigned char)*end) != 0;
	}
	return !*end && upper && lower;
}

/* Names of what is about to be renamed or removed: .f.swp, f~, f.tmp, #f#, 4913. */
static bool is_makeshift(const char *path)
{
	static const char *const endings[] = {
	    "~",     "#",    ".tmp", ".temp", ".new",         ".bak",        ".old",
	    ".orig", ".swp", ".swx", ".part", "___jb_tmp___", "___jb_old___"};
	const char *base = strrchr(path, '/');
	size_t length, n;

	base = base ? base + 1 : path;
	length = strlen(base);
	for (size_t i = 0; i < ARRAY_LENGTH(endings); i++)
		if ((n = strlen(endings[i])) < length && !strcmp(base + length - n, endings[i]))
			return true;
	return *base == '.' || strncmp(base, "tmp", 3) == 0 || is_random(base, length) ||
	       strspn(base, "0123456789") == length;
}

/*
 * Is the other half of a save likely to come? Something is gone that may be written anew; something
 * makeshift is there that may be renamed or removed; a file was written anew beside its backup.
 */
static bool is_half(const struct changes *c, const struct change *change)
{
	const struct change *anew;

	switch (change->event) {
	case FILE_DELETE:
		return true;
	case FILE_CREATE:
		return is_makeshift(change->path);
	case FILE_MOVE:
		anew = change->old_path ? table_find(&c->by_path, change->old_path) : NULL;
		return is_makeshift(change->path) || (anew && anew->event != FILE_DELETE);
	default:
		return false;
	}
}

static bool half_a_save(const struct changes *c)
{
	size_t n = 0;

	LIST_EACH(at, after, &c->order)
	{
		if (is_half(c, CONTAINER_OF(at, struct change, link)))
			return true;
		if (++n > A_SAVE)
			return false;
	}
	return false;
}

/* A save touches a few paths; the more there are, the likelier are still more to come. */
static int64_t quiet_time(const struct file_source *s, int64_t now)
{
	const struct changes *c = &s->changes;
	int64_t quiet;

	if (!s->base.gather.automatic)
		return s->base.gather.quiet;
	quiet = !c->last_batch || now - c->last_batch > CLOSELY ? QUIET_LEAST : c->quiet;
	if (quiet < OTHER_HALF && half_a_save(c))
		return OTHER_HALF;
	for (size_t n = c->count; n > A_SAVE && quiet < QUIET_MOST; n /= 2)
		quiet *= 2;
	return quiet < QUIET_MOST ? quiet : QUIET_MOST;
}

/* When may something be handed on? */
static int64_t due(const struct file_source *s, int64_t now)
{
	const struct changes *c = &s->changes;
	int64_t when = INT64_MAX, last;
	bool slow = false;

	/* The list is in order of time: the first of each sort decides. */
	LIST_EACH(at, after, &c->order)
	{
		const struct change *change = CONTAINER_OF(at, struct change, link);

		if (change->slow && slow)
			continue;
		slow |= change->slow;
		last = change->since + s->base.gather.max_wait;
		if (!change->slow && !c->n_open && c->last_change + quiet_time(s, now) < last)
			last = c->last_change + quiet_time(s, now);
		when = last < when ? last : when;
		if (!change->slow)
			break;
	}
	return when > c->self.not_before ? when : c->self.not_before;
}

void batch_review(struct file_source *s)
{
	struct changes *c = &s->changes;
	int64_t now = reactor_now(s->base.reactor, CLOCK_OF_LOOP), when;

	if (!c->count || !s->started || s->base.paused) {
		timer_stop(s->base.reactor, &c->timer);
		return;
	}
	when = due(s, now);
	if (when <= now || timer_start_at(s->base.reactor, &c->timer, when) < 0)
		changes_emit(s, now);
	/* What still waits for its close has its own time. */
	if (c->count && !s->base.paused && !timer_active(&c->timer))
		timer_start_at(s->base.reactor, &c->timer, due(s, now));
}
