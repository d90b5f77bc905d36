/*
 * All followed paths of the process: what is due, and when. See follow.h.
 *
 * Whatever happens puts a path on the list of what is due, once; the list is worked off when the
 * queue of inotify is empty, for 2 ms a turn.
 */
#include "follow/inner.h"

#include "base/error.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const int64_t A_TURN = 2000000, A_SECOND = 1000000000;
static const int64_t PATIENCE = 100000000; /* ns, for a first answer */

/* ---- what is said ---------------------------------------------------------------------------- */

void follow_say_unwatched(struct follow *f, const char *path)
{
	struct follow_set *set = f->set;

	if (errno == ENOSPC) {
		inotify_limit_warn(&set->dirs, path, 1);
		return;
	}
	if (!set->joined || (set->said && strcmp(set->said, path) == 0))
		return;
	log_warn(f->rule, "cannot watch %s: %s: %s is looked at every second", path,
		 strerror(errno), f->path);
	free(set->said);
	set->said = strdup(path);
}

/* ---- what is due ----------------------------------------------------------------------------- */

void follow_want(struct follow *f, unsigned what)
{
	if (!f->wanted)
		list_append(&f->set->due, &f->due);
	f->wanted |= what;
}

/* The owner is called last: it may free the path. */
static void do_due(struct follow *f)
{
	enum follow_change change;
	bool changed;

	f->comings = f->came;
	f->came = list_empty(&f->unwatched) && !f->asked ? 0 : 2;
	changed = f->wanted & WANT_WALK && walk(f, &change);
	f->wanted = 0;
	list_remove(&f->due);
	if (changed)
		f->calls->changed(f, change);
	else if (!f->error && f->calls->modified)
		f->calls->modified(f);
}

static void keep_second(struct follow_set *set)
{
	if (list_empty(&set->unwatched))
		timer_stop(set->reactor, &set->second);
	else if (!timer_active(&set->second))
		timer_start_in(set->reactor, &set->second, A_SECOND);
}

static void work(struct follow_set *set)
{
	int64_t until = clock_read(CLOCK_OF_LOOP) + A_TURN;

	while (!list_empty(&set->due) && clock_read(CLOCK_OF_LOOP) < until)
		do_due(CONTAINER_OF(set->due.next, struct follow, due));
	if (!list_empty(&set->due))
		timer_start_soon(set->reactor, &set->soon);
	keep_second(set);
}

static void on_soon(struct reactor *r, struct timer *t)
{
	(void)r;
	work(CONTAINER_OF(t, struct follow_set, soon));
}

static void want_each(struct follow_set *set)
{
	LIST_EACH(at, after, &set->all)
	follow_want(CONTAINER_OF(at, struct follow, all), WANT_WALK);
}

static void on_second(struct reactor *r, struct timer *t)
{
	struct follow_set *set = CONTAINER_OF(t, struct follow_set, second);

	(void)r;
	LIST_EACH(at, after, &set->unwatched)
	follow_want(CONTAINER_OF(at, struct follow, unwatched), WANT_WALK);
	work(set);
}

/* ---- what happens ---------------------------------------------------------------------------- */

static void on_dir(struct inotify_user *u, struct inotify_listener *l,
		   const struct inotify_event *event)
{
	(void)u;
	dirs_event(CONTAINER_OF(l, struct follow_dir, listener), event);
}

static void on_end(struct inotify_user *u, struct inotify_listener *l,
		   const struct inotify_event *event)
{
	struct follow *f = CONTAINER_OF(l, struct follow, self);

	(void)u;
	if (event->mask & (IN_IGNORED | IN_UNMOUNT))
		f->born = -1; /* whatever comes is another, even with the same number */
	if (event->mask & (IN_IGNORED | IN_UNMOUNT | IN_MOVE_SELF | IN_DELETE_SELF))
		follow_want(f, WANT_WALK);
	else if (event->mask & (IN_MODIFY | IN_ATTRIB) && !inotify_name(event))
		follow_want(f, WANT_LOOK);
}

static void on_lost_dirs(struct inotify_user *u)
{
	struct follow_set *set = CONTAINER_OF(u, struct follow_set, dirs);

	LIST_EACH(at, after, &set->all)
	CONTAINER_OF(at, struct follow, all)->came = 2;
	want_each(set);
}

static void on_lost_ends(struct inotify_user *u)
{
	want_each(CONTAINER_OF(u, struct follow_set, ends));
}

static void on_drained_dirs(struct inotify_user *u)
{
	work(CONTAINER_OF(u, struct follow_set, dirs));
}

static void on_drained_ends(struct inotify_user *u)
{
	work(CONTAINER_OF(u, struct follow_set, ends));
}

static const struct inotify_calls dirs_calls = {on_dir, on_lost_dirs, on_drained_dirs};
static const struct inotify_calls ends_calls = {on_end, on_lost_ends, on_drained_ends};

/* A mount over a directory is no event of it. */
static void on_mount(struct mounts_listener *l, const char *point, bool unmounted)
{
	struct follow_set *set = CONTAINER_OF(l, struct follow_set, mounted);

	(void)point;
	(void)unmounted;
	sites_review(&set->sites);
	want_each(set);
	timer_start_soon(set->reactor, &set->soon);
}

/* ---- life ------------------------------------------------------------------------------------ */

struct follow_set *follow_set_new(struct reactor *r, struct inotify_set *inotify,
				  struct mounts *mounts)
{
	struct follow_set *set = calloc(1, sizeof *set);

	if (!set)
		return NULL;
	set->reactor = r;
	set->inotify = inotify;
	set->mounts = mounts;
	set->mounted.changed = on_mount;
	list_init(&set->all);
	list_init(&set->due);
	list_init(&set->unwatched);
	timer_init(&set->soon, CLOCK_OF_LOOP, on_soon);
	timer_init(&set->second, CLOCK_OF_LOOP, on_second);
	return set;
}

void follow_set_free(struct follow_set *set)
{
	if (!set)
		return;
	free(set->said);
	free(set);
}

/* Without an instance of inotify everything is looked at every second. */
static void join(struct follow_set *set, const char *rule)
{
	struct error e;

	set->joined = true;
	set->dirs = (struct inotify_user){.calls = &dirs_calls, .priority = PRIORITY_DEFAULT};
	set->ends = (struct inotify_user){.calls = &ends_calls, .priority = PRIORITY_DEFAULT};
	if (inotify_join(set->inotify, &set->dirs, NULL, 0, &e) < 0 ||
	    inotify_join(set->inotify, &set->ends, NULL, 0, &e) < 0) {
		log_warn(rule, "%s: paths are looked at every second: %s", e.what, e.hint);
		set->joined = false;
	}
	set->sites = (struct sites){.reactor = set->reactor,
				    .mounts = set->mounts,
				    .priority = PRIORITY_DEFAULT,
				    .interval = A_SECOND};
	sites_open(&set->sites);
	mounts_listen(set->mounts, &set->mounted); /* without /proc nothing is said of mounts */
}

static void leave(struct follow_set *set)
{
	inotify_leave(&set->dirs);
	inotify_leave(&set->ends);
	mounts_unlisten(set->mounts, &set->mounted);
	sites_close(&set->sites);
	timer_stop(set->reactor, &set->soon);
	timer_stop(set->reactor, &set->second);
}

int follow_start(struct follow_set *set, struct follow *f, const char *path)
{
	enum follow_change change;

	f->path = strdup(path);
	if (!f->path)
		return -1;
	if (list_empty(&set->all))
		join(set, f->rule);
	f->set = set;
	f->error = ENOENT;
	f->site = NULL;
	f->asked = NULL;
	f->wanted = f->came = f->comings = 0;
	f->self = (struct inotify_listener){0};
	list_init(&f->due);
	list_init(&f->unwatched);
	list_init(&f->steps);
	list_append(&set->all, &f->all);
	do
		walk(f, &change);
	while (f->asked && !f->asked->base.answer && site_wait(f->asked->base.site, PATIENCE));
	keep_second(set);
	return 0;
}

bool follow_is_watched(const struct follow *f)
{
	return f->set && !f->asked && list_empty(&f->unwatched);
}

void follow_stop(struct follow *f)
{
	struct follow_set *set = f->set;

	if (!set)
		return;
	walk_forget(f);
	list_remove(&f->all);
	list_remove(&f->due);
	list_remove(&f->unwatched);
	free(f->path);
	f->path = NULL;
	f->set = NULL;
	if (list_empty(&set->all))
		leave(set);
}
