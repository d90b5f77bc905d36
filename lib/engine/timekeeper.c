/*
 * What makes schedules wrong while they wait: the wall clock is set, the machine wakes from sleep,
 * or time zone data change on disk. The timekeeper notices, and tells every source that asks for
 * it.
 *
 * Zone files are replaced by rename, /etc/localtime by a new symbolic link, whole directories by an
 * upgrade or a mount: their paths are followed, and a look at the files (stat) tells what changed.
 */
#include "engine/state.h"

#include "base/error.h"
#include "base/list.h"
#include "base/log.h"
#include "calendar/zone.h"
#include "engine/retired.h"
#include "follow/follow.h"
#include "rule/rule.h"
#include "source/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct zone_file {
	struct follow follow;
	struct engine *engine;
};

static void tell_sources(struct engine *e)
{
	for (size_t i = 0; i < e->n_rules; i++) {
		struct armed_rule *a = e->rules[i];

		if (a->open && !a->source_ended && a->rule->type->clock_changed)
			a->rule->type->clock_changed(a->source);
	}
}

static void on_step(struct reactor *r, void *context)
{
	struct engine *e = context;

	(void)r;
	log_info(NULL, "the clock was set");
	tell_sources(e);
}

/* ---- zone data ------------------------------------------------------------------------------- */

static bool refresh_zones(const struct engine *e)
{
	bool changed = false;

	LIST_EACH(at, after, &e->generations)
	{
		struct zone_set *zones = CONTAINER_OF(at, struct generation, link)->rules->zones;

		changed |= zones && zone_set_refresh(zones);
	}
	return changed;
}

/* Calls `each` (NULL: nothing) for every zone of all rules. Returns how many there are. */
static size_t each_zone(const struct engine *e, void (*each)(void *context, const char *path),
			void *context)
{
	size_t n = 0;

	LIST_EACH(at, after, &e->generations)
	n += zone_set_each(CONTAINER_OF(at, struct generation, link)->rules->zones, each, context);
	return n;
}

/* Somewhere on the way to a file of a zone, or in it, something changed. */
static void look(struct engine *e)
{
	if (!refresh_zones(e))
		return;
	log_info(NULL, "time zone data changed");
	tell_sources(e);
}

static void on_changed(struct follow *f, enum follow_change change)
{
	(void)change;
	look(CONTAINER_OF(f, struct zone_file, follow)->engine);
}

static void on_modified(struct follow *f)
{
	look(CONTAINER_OF(f, struct zone_file, follow)->engine);
}

static const struct follow_calls follow_calls = {on_changed, on_modified};

static void follow_zone(void *context, const char *path)
{
	struct engine *e = context;
	struct zone_file *file = &e->zone_files[e->n_zone_files];

	*file = (struct zone_file){.follow = {.calls = &follow_calls}, .engine = e};
	if (follow_start(e->follows, &file->follow, path) == 0)
		e->n_zone_files++;
	else
		log_warn(NULL, "changes of time zone data in %s go unnoticed: %s", path,
			 strerror(errno));
}

/* ---- life ------------------------------------------------------------------------------------ */

int timekeeper_open(struct engine *e, struct error *error)
{
	size_t n = each_zone(e, NULL, NULL);

	if (!n)
		return 0;
	e->zone_files = calloc(n, sizeof *e->zone_files);
	if (!e->zone_files || reactor_on_clock_step(e->reactor, on_step, e) < 0)
		return error_errno(error, "cannot watch the clock");
	each_zone(e, follow_zone, e);
	return 0;
}

void timekeeper_close(struct engine *e)
{
	reactor_on_clock_step(e->reactor, NULL, NULL);
	while (e->n_zone_files)
		follow_stop(&e->zone_files[--e->n_zone_files].follow);
	free(e->zone_files);
	e->zone_files = NULL;
}
