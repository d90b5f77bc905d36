/* When a batch is handed on; see pace.h. */
#include "source/file/batch/pace.h"

#include "base/array.h"
#include "base/units.h"
#include "reactor/reactor.h"

#include <ctype.h>
#include <string.h>

#define QUIET_LEAST (1250 * NS_PER_US) /* and what starting takes: the command runs after 2 ms */
#define QUIET_MOST  (50 * NS_PER_MS)
#define OTHER_HALF  (25 * NS_PER_MS)  /* for what was deleted to be written anew */
#define CLOSELY     (500 * NS_PER_MS) /* a batch within this of the one before doubles the wait */
#define ASK_AGAIN   (250 * NS_PER_MS)

enum { A_SAVE = 4 /* names */ };

static bool follows_closely(const struct pace *p, int64_t now)
{
	return p->last && now - p->last <= CLOSELY;
}

void pace_handed_on(struct pace *p, int64_t now)
{
	if (!follows_closely(p, now))
		p->quiet = QUIET_LEAST;
	else if (p->quiet < QUIET_MOST)
		p->quiet = p->quiet * 2 < QUIET_MOST ? p->quiet * 2 : QUIET_MOST;
	p->last = now;
}

/* ---- half a save ----------------------------------------------------------------------------- */

/* As mkstemp(3) ends names, and what is made from it (QSaveFile, sed -i): f.aBcDeF, sedAbCdEf. */
static bool is_random(const char *name, size_t length)
{
	enum { RANDOM = 6 };
	const char *end = name + length - RANDOM;
	bool upper = false, lower = false;

	if (length <= RANDOM || (end[-1] != '.' && strncmp(name, "sed", length - RANDOM) != 0))
		return false;
	for (; isalnum((unsigned char)*end); end++) {
		upper |= isupper((unsigned char)*end) != 0;
		lower |= islower((unsigned char)*end) != 0;
	}
	return !*end && upper && lower;
}

/* Names of what is about to be renamed or removed: .f.swp, f~, f.tmp, #f#, 4913. */
static bool is_makeshift(const char *name)
{
	static const char *const endings[] = {
	    "~",     "#",    ".tmp", ".temp", ".new",         ".bak",        ".old",
	    ".orig", ".swp", ".swx", ".part", "___jb_tmp___", "___jb_old___"};
	size_t length = strlen(name), n;

	for (size_t i = 0; i < ARRAY_LENGTH(endings); i++)
		if ((n = strlen(endings[i])) < length && !strcmp(name + length - n, endings[i]))
			return true;
	return *name == '.' || strncmp(name, "tmp", 3) == 0 || is_random(name, length) ||
	       strspn(name, "0123456789") == length;
}

/* Is the other half of a save likely to come? */
static bool is_half(const struct record *r)
{
	const struct thing *t = r->now;

	if (!t)
		return r->was;
	if (r->was == t)
		return false;
	if (is_makeshift(r->name))
		return true;
	/* It is another's backup, beside which a file is written anew. */
	return t->origin && t->origin != r && t->origin->now;
}

static bool half_a_save(const struct journal *j)
{
	size_t n = 0;

	LIST_EACH(at, after, &j->order)
	{
		const struct record *r = CONTAINER_OF(at, struct record, link);

		if (is_half(r))
			return true;
		if (++n > A_SAVE)
			return false;
	}
	return false;
}

/* ---- writers --------------------------------------------------------------------------------- */

static int64_t waits_until(const struct pace *p, const struct record *r)
{
	return r->since + p->max_wait;
}

bool pace_waits(const struct pace *p, const struct journal *j, const struct record *r)
{
	return r->now->open && j->now < waits_until(p, r);
}

static void ask(const struct pace *p, const struct journal *j, struct thing *t)
{
	enum writer writer = p->ask(p, t->at);

	if (writer == WRITER_AT_WORK) {
		t->ask_at = j->now + ASK_AGAIN;
	} else if (writer == WRITER_NONE || j->now >= t->heard + ASK_AGAIN) {
		t->open = false;
		t->seen |= FILE_CLOSE_WRITE;
	} else {
		t->ask_at = t->heard + ASK_AGAIN;
	}
}

/* Asks about what is due of one list. Returns when to ask next. */
static int64_t ask_list(const struct pace *p, struct journal *j, struct link *list, int64_t until)
{
	while (!list_empty(list)) {
		struct thing *t = CONTAINER_OF(list->next, struct thing, of_open);
		bool waits = t->at && pace_waits(p, j, t->at);

		if (waits && (t->ask_at > j->now || clock_read(CLOCK_OF_LOOP) >= until))
			return t->ask_at;
		list_remove(&t->of_open);
		if (!waits)
			continue;
		ask(p, j, t);
		if (t->open)
			list_append(&j->asked, &t->of_open);
	}
	return INT64_MAX;
}

int64_t pace_ask_writers(const struct pace *p, struct journal *j, int64_t until)
{
	int64_t fresh = ask_list(p, j, &j->fresh, until);
	int64_t asked = ask_list(p, j, &j->asked, until);

	return fresh < asked ? fresh : asked;
}

/* ---- when ------------------------------------------------------------------------------------ */

/* A save touches a few names; the more there are, the likelier are still more to come. */
static int64_t quiet_time(const struct pace *p, const struct journal *j)
{
	int64_t quiet = follows_closely(p, j->now) ? p->quiet : QUIET_LEAST;

	if (!p->automatic)
		return p->debounce;
	if (quiet < OTHER_HALF && half_a_save(j))
		return OTHER_HALF;
	for (size_t n = j->count; n > A_SAVE && quiet < QUIET_MOST; n /= 2)
		quiet *= 2;
	return quiet < QUIET_MOST ? quiet : QUIET_MOST;
}

/* Is there anything that does not wait? */
static bool has_complete(const struct pace *p, const struct journal *j)
{
	LIST_EACH(at, after, &j->order)
	{
		const struct record *r = CONTAINER_OF(at, struct record, link);

		if (!r->now || !pace_waits(p, j, r))
			return true;
	}
	return false;
}

int64_t pace_due(const struct pace *p, const struct journal *j)
{
	int64_t by_age, quiet_at;

	if (list_empty(&j->by_age))
		return INT64_MAX;
	by_age = waits_until(p, CONTAINER_OF(j->by_age.next, struct record, of_age));
	quiet_at = j->last + quiet_time(p, j);
	return quiet_at < by_age && has_complete(p, j) ? quiet_at : by_age;
}
