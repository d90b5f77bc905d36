/*
 * What makes schedules wrong while they wait: the wall clock is set, the machine wakes from sleep,
 * or time zone data change on disk. The timekeeper notices, and tells every source that asks for
 * it.
 *
 * Zone files are replaced by rename, /etc/localtime by a new symbolic link: it is their directories
 * that are watched, and a look at the files (stat) tells whether it was one of them.
 */
#include "engine/state.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "calendar/zone.h"
#include "engine/reload.h"
#include "rule/rule.h"
#include "source/source.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

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

static void on_directory(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct engine *e = CONTAINER_OF(w, struct engine, timekeeper);
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));

	(void)r;
	(void)ready;
	while (read(w->fd, events, sizeof events) > 0)
		; /* which file it was does not matter */
	if (!refresh_zones(e))
		return;
	log_info(NULL, "time zone data changed");
	tell_sources(e);
}

static void watch_directory_of(int inotify, const char *path)
{
	enum { MASK = IN_MOVED_TO | IN_CREATE | IN_CLOSE_WRITE | IN_DELETE | IN_ONLYDIR };
	char directory[PATH_MAX];
	const char *slash = strrchr(path, '/');

	if (!slash || (size_t)(slash - path) >= sizeof directory)
		return;
	memcpy(directory, path, (size_t)(slash - path));
	directory[slash - path] = '\0';
	if (inotify_add_watch(inotify, *directory ? directory : "/", MASK) < 0)
		log_warn(NULL, "changes of time zone data in %s go unnoticed: %s", directory,
			 strerror(errno));
}

/* Where the name is, and where the file is that it leads to. */
static void watch_zone(void *context, const char *path)
{
	const struct engine *e = context;
	char *real = realpath(path, NULL);

	watch_directory_of(e->timekeeper.fd, path);
	if (real && strcmp(real, path) != 0)
		watch_directory_of(e->timekeeper.fd, real);
	free(real);
}

static int watch_zones(struct engine *e)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	if (fd < 0) {
		log_warn(NULL, "changes of time zone data go unnoticed: %s", strerror(errno));
		return 0;
	}
	io_init(&e->timekeeper, fd, IO_READ, on_directory);
	each_zone(e, watch_zone, e);
	if (io_start(e->reactor, &e->timekeeper) == 0)
		return 0;
	fd_close(&fd);
	return -1;
}

/* ---- life ------------------------------------------------------------------------------------ */

int timekeeper_open(struct engine *e, struct error *error)
{
	if (!each_zone(e, NULL, NULL))
		return 0;
	if (reactor_on_clock_step(e->reactor, on_step, e) < 0 || watch_zones(e) < 0)
		return error_errno(error, "cannot watch the clock");
	return 0;
}

void timekeeper_close(struct engine *e)
{
	reactor_on_clock_step(e->reactor, NULL, NULL);
	if (!e->timekeeper.started)
		return;
	io_stop(e->reactor, &e->timekeeper);
	fd_close(&e->timekeeper.fd);
}
