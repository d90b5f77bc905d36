/* A rule that triggers itself; see circle.h. */
#include "source/file/batch/circle.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/text.h"
#include "base/units.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define SPACING_FIRST (50 * NS_PER_MS)
#define SPACING_MOST  (1 * NS_PER_S)
#define STEADY        (50 * NS_PER_MS) /* and a tenth of it: that is as long after the start */

/* Runs in a row that triggered themselves. */
enum { SUSPICIOUS = 4, SUSPICIOUS_ANEW = 8 };

static void acquit(struct circle *c)
{
	free(c->path);
	free(c->before);
	c->path = c->before = NULL;
	c->times = c->runs = 0;
	c->into = c->spacing = c->not_before = 0;
	c->warned = false;
}

void circle_free(struct circle *c)
{
	acquit(c);
}

/* All changes came while the command ran: the first of them, or NULL. */
static const struct effect *suspect(const struct net *net)
{
	for (size_t i = 0; i < net->count; i++)
		if (!net->items[i].in_run)
			return NULL;
	return net->count ? &net->items[0] : NULL;
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

static void warn(struct circle *c)
{
	struct buf pattern = {0}, word = {0};

	if (c->warned)
		return;
	c->warned = true;
	add_common(&pattern, base_of(c->path), base_of(c->before ? c->before : c->path));
	if (pattern.data && strchr(pattern.data, '\''))
		shell_quote(&word, pattern.data);
	else
		buf_printf(&word, "'%s'", pattern.data ? pattern.data : "");
	if (c->is_named(c, c->path))
		log_warn(c->rule,
			 "triggers itself: its command changes %s, the very path that it watches "
			 "(its runs are spaced out meanwhile)",
			 c->path);
	else
		log_warn(c->rule,
			 "triggers itself: its command changes %s, which it watches; "
			 "--ignore %s would stop it (its runs are spaced out meanwhile)",
			 c->path, word.data ? word.data : "");
	buf_free(&pattern);
	buf_free(&word);
}

/* ---- the verdict ----------------------------------------------------------------------------- */

static bool has_path(const struct net *net, const char *path)
{
	for (size_t i = 0; i < net->count; i++)
		if (strcmp(net->items[i].path, path) == 0)
			return true;
	return false;
}

/* Counts a batch that the command made. False: out of memory. */
static bool count(struct circle *c, const struct net *net)
{
	c->runs++;
	if (c->path && has_path(net, c->path)) {
		c->times++;
		return true;
	}
	free(c->before);
	c->before = c->path;
	c->path = strdup(net->items[0].path);
	c->times = 1;
	return c->path;
}

/* Was it made as long after the start as the one before? */
static bool is_steady(const struct circle *c, int64_t into)
{
	return llabs(into - c->into) <= STEADY + into / 10;
}

void circle_judge(struct circle *c, const struct net *net, bool running)
{
	const struct effect *first = suspect(net);
	int64_t into = first ? first->since - c->began : 0;

	if (first && running && c->runs && !is_steady(c, into))
		acquit(c);
	c->into = into;
	if (!first || !count(c, net)) {
		acquit(c);
		return;
	}
	if (c->times < SUSPICIOUS && c->runs < SUSPICIOUS_ANEW)
		return;
	if (c->times >= SUSPICIOUS) {
		free(c->before);
		c->before = NULL;
	}
	warn(c);
	c->spacing = c->spacing ? c->spacing * 2 : SPACING_FIRST;
	if (c->spacing > SPACING_MOST)
		c->spacing = SPACING_MOST;
}

void circle_run_began(struct circle *c, int64_t now)
{
	c->began = now;
}

void circle_run_ended(struct circle *c, int64_t now)
{
	c->not_before = c->spacing ? now + c->spacing : 0;
}
