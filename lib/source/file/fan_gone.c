/*
 * --fanotify: what was in a directory when it moved, and is not any more.
 *
 * What moves with a directory is told by reading it, and that comes later than the move: what has
 * left it since is not found in it, but in the queue. It is told to be gone, if the directory left
 * from where it was seen, and nothing else says so. If it came from elsewhere nobody knows what
 * left it since: so that comes, too, when its turn is.
 *
 * Why not hold what was told against what is there, once the queue is empty? What left may never
 * have been told of: without a tree its own event is the only one that knows its name.
 */
#include "base/buf.h"
#include "source/file/fanotify.h"

#include <sys/fanotify.h>

#ifndef FAN_RENAME
#define FAN_RENAME 0x10000000
#endif

/*
 * Is what has left a directory that is gone told one by one? It goes without saying, but to those
 * who are not told of directories, and in a batch, where one that came and went is not told at all.
 */
static bool tells_entries(const struct file_source *s)
{
	const struct file_config *c = s->base.config;

	return c->any_type || c->match.count || s->base.has_command;
}

/* A file that was replaced by a rename since is not there any more either. */
static void see_replaced(struct file_source *s, struct fan_gone *d, const struct fan_event *ev)
{
	static const struct fan_handle any = {0};
	const struct root *r;
	struct buf path = {0};
	char key[FAN_KEY];

	if (!d->seen || !ev->to_dir.hash || ev->mask & FAN_ONDIR ||
	    !fan_dir_is_in(s, &ev->to_dir, &d->move->target))
		return;
	fan_key(key, &ev->to_dir, ev->to_name, &any);
	if (names_add(&d->came, key, 'f') == 1 && fan_replaces(s->fan, ev, d->at) != FAN_NO &&
	    (r = fan_locate(s, &ev->to_dir, ev->to_name, &path)))
		fan_report(s, r, FILE_DELETE, path.data, 'n');
	buf_free(&path);
}

void fan_gone_until_now(struct file_source *s, struct fan_gone *d)
{
	struct fan *f = s->fan;
	struct fan_event ev;
	struct buf path = {0};
	const struct root *r;
	char key[FAN_KEY];

	if (!(d->move->mask & FAN_ONDIR) || d->whole || (d->seen && !tells_entries(s)))
		return;
	fan_dir_is(s, &d->move->target, &d->move->dir, d->move->name);
	while (fan_queue_peek(&f->queue, &d->at, &ev)) {
		see_replaced(s, d, &ev);
		if (fan_arrival(&ev, key))
			names_add(&d->came, key, 'f');
		if (!fan_departure(&ev, key) || names_find(d->came, key) ||
		    !fan_dir_is_in(s, &ev.dir, &d->move->target))
			continue;
		if (!d->seen && ev.mask & FAN_RENAME)
			names_add(&f->untold, key, 'f');
		r = d->seen ? fan_locate(s, &ev.dir, ev.name, &path) : NULL;
		if (r)
			fan_left(s, &ev, r, path.data, fan_type_of(s, &ev));
	}
	buf_free(&path);
}

void fan_gone_since(struct file_source *s, struct fan_gone *d)
{
	fan_queue_fill(s);
	fan_gone_until_now(s, d);
	names_free(&d->came);
}
