/* See sweep.h. */
#include "process/sweep.h"

#include "base/list.h"
#include "base/units.h"
#include "process/descendants.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define A_TURN (2 * NS_PER_MS)

/* A command has an environment of 128 KiB at most here; what is beyond is not looked at. */
enum { ENVIRONMENT = 128 * 1024 };

static void on_turn(struct reactor *r, struct timer *t);

void sweep_init(struct sweep *s, struct reactor *r, sweep_call *call)
{
	*s = (struct sweep){.reactor = r, .call = call};
	timer_init(&s->turn, CLOCK_OF_LOOP, on_turn);
}

/* ---- whose it is ----------------------------------------------------------------------------- */

/* Does NAME=VALUE, or with `whole` false what begins so, stand in it? */
static bool has_variable(const char *text, size_t length, const char *variable, bool whole)
{
	size_t n = strlen(variable) + whole;

	for (const char *at = text; at < text + length; at += strlen(at) + 1)
		if ((size_t)(text + length - at) >= n && memcmp(at, variable, n) == 0)
			return true;
	return false;
}

/* What may not be read is not ours to end. */
static enum belonging belonging_read(const struct sweep *s, pid_t pid)
{
	char path[32];
	size_t length = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return BELONGS_TO_OTHERS;
	while (length < ENVIRONMENT - 1 &&
	       (n = read(fd, s->text + length, ENVIRONMENT - 1 - length)) > 0)
		length += (size_t)n;
	close(fd);
	s->text[length] = '\0';
	if (has_variable(s->text, length, s->variable, true))
		return BELONGS;
	return has_variable(s->text, length, "EVWATCH_RULE=", false) ? BELONGS_TO_OTHERS
								     : BELONGS_AS_ITS_PARENT;
}

/* Its parents stand before it, and know already. Its pid may be another's by now. */
static bool belongs(const struct sweep *s, struct relative *r)
{
	const struct family *f = &s->walk.family;

	r->belonging = belonging_read(s, r->pid);
	if (r->belonging == BELONGS_AS_ITS_PARENT)
		r->belonging = r->parent == FAMILY_HEAD || !family_holds(f, r)
				   ? BELONGS_TO_OTHERS
				   : f->items[r->parent].belonging;
	return r->belonging == BELONGS;
}

/* ---- in pieces ------------------------------------------------------------------------------- */

static void take_relative(struct sweep *s)
{
	struct relative *r = &s->walk.family.items[s->next++];

	if (belongs(s, r) && r->group != s->group && !r->dead)
		s->found += descendants_signal_one(r->pid, s->signal);
}

/* Until it is done (true), or it is that late. */
static bool go_on(struct sweep *s, int64_t until)
{
	if (!family_walk_go(&s->walk, until))
		return false;
	while (s->next < s->walk.family.count) {
		take_relative(s);
		if (clock_read(CLOCK_OF_LOOP) >= until)
			break;
	}
	return s->next >= s->walk.family.count;
}

/* The last that is done: the call may free the sweep. */
static void finish(struct sweep *s)
{
	int signal = s->signal;
	size_t found = s->found;

	sweep_stop(s);
	s->call(s, signal, found);
}

static void take_turn(struct sweep *s)
{
	if (!go_on(s, clock_read(CLOCK_OF_LOOP) + A_TURN)) {
		if (timer_start_soon(s->reactor, &s->turn) == 0)
			return;
		go_on(s, INT64_MAX);
	}
	finish(s);
}

static void on_turn(struct reactor *r, struct timer *t)
{
	(void)r;
	take_turn(CONTAINER_OF(t, struct sweep, turn));
}

/* ---- life ------------------------------------------------------------------------------------ */

void sweep_start(struct sweep *s, const char *value, pid_t group, int signal)
{
	sweep_stop(s);
	s->group = group;
	s->signal = signal;
	s->next = s->found = 0;
	if (!descendants_exist() || !(s->text = malloc(ENVIRONMENT)) ||
	    asprintf(&s->variable, "%s=%s", MARK, value) < 0) {
		s->variable = NULL;
		finish(s);
		return;
	}
	family_walk_start(&s->walk);
	take_turn(s);
}

void sweep_stop(struct sweep *s)
{
	timer_stop(s->reactor, &s->turn);
	family_walk_stop(&s->walk);
	free(s->variable);
	free(s->text);
	s->variable = s->text = NULL;
}

bool sweep_active(const struct sweep *s)
{
	return s->variable != NULL;
}
