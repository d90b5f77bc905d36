/* Changes by inotify(7); see inotify.h. */
#include "source/file/observe/inotify.h"

#include "base/list.h"
#include "source/file/model/model.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static_assert(sizeof(struct inotify_listener) <= sizeof((struct node *)0)->watch,
	      "a node has room for its listener");

static struct inotify_observer *observer_of(struct observer *o)
{
	return CONTAINER_OF(o, struct inotify_observer, base);
}

static struct inotify_listener *listener_of(struct node *n)
{
	return (struct inotify_listener *)(void *)&n->watch;
}

static struct node *node_of(struct inotify_listener *l)
{
	return CONTAINER_OF(l, struct node, watch);
}

/* ---- events ---------------------------------------------------------------------------------- */

static unsigned hint_of(uint32_t mask)
{
	return (mask & IN_CREATE ? HINT_CREATED : 0U) | (mask & IN_DELETE ? HINT_DELETED : 0U) |
	       (mask & IN_MOVED_FROM ? HINT_LEFT : 0U) | (mask & IN_MOVED_TO ? HINT_CAME : 0U);
}

static const struct {
	uint32_t mask;
	unsigned active;
} actives[] = {{IN_MODIFY, FILE_MODIFY},
	       {IN_CLOSE_WRITE, FILE_CLOSE_WRITE},
	       {IN_ATTRIB, FILE_ATTRIB},
	       {IN_OPEN, FILE_OPEN},
	       {IN_ACCESS, FILE_ACCESS}};

enum { N_ACTIVES = sizeof actives / sizeof *actives };

unsigned inotify_active_of(uint32_t mask)
{
	unsigned active = 0;

	for (int i = 0; i < N_ACTIVES; i++)
		active |= mask & actives[i].mask ? actives[i].active : 0;
	return active;
}

uint32_t inotify_mask_of(unsigned active)
{
	uint32_t mask = 0;

	for (int i = 0; i < N_ACTIVES; i++)
		mask |= active & actives[i].active ? actives[i].mask : 0;
	return mask;
}

static uint32_t mask_of(const struct inotify_observer *o)
{
	return IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF |
	       IN_ONLYDIR | inotify_mask_of(o->active);
}

/* Of the directory itself: where it is known by name, its own name is looked at. */
static void on_self(struct inotify_observer *o, struct node *n, uint32_t mask)
{
	if (mask & IN_IGNORED)
		n->watched = false;
	if (mask & (IN_IGNORED | IN_DELETE_SELF))
		model_suspect(o->base.model, n, mask & IN_UNMOUNT ? HINT_SCAN : HINT_DELETED);
	else if (mask & (IN_MOVE_SELF | IN_UNMOUNT))
		model_suspect(o->base.model, n, HINT_SCAN);
}

static void on_event(struct inotify_user *u, struct inotify_listener *l,
		     const struct inotify_event *event)
{
	struct inotify_observer *o = CONTAINER_OF(u, struct inotify_observer, user);
	const char *name = inotify_name(event);
	struct node *n = node_of(l);
	unsigned hint = hint_of(event->mask), active = inotify_active_of(event->mask) & o->active;

	if (!name) {
		on_self(o, n, event->mask);
		return;
	}
	if (hint)
		model_hint(o->base.model, n, name, hint);
	if (active)
		model_active(o->base.model, n, name, active);
}

static void on_lost(struct inotify_user *u)
{
	struct inotify_observer *o = CONTAINER_OF(u, struct inotify_observer, user);

	o->base.model->host->lost(o->base.model, inotify_synced(u));
	model_lost(o->base.model, o->base.model->top, true);
	model_drained(o->base.model);
}

static void on_drained(struct inotify_user *u)
{
	model_drained(CONTAINER_OF(u, struct inotify_observer, user)->base.model);
}

/* ---- the observer ---------------------------------------------------------------------------- */

static int observer_open(struct observer *base, struct error *e)
{
	static const struct inotify_calls calls = {on_event, on_lost, on_drained};
	struct inotify_observer *o = observer_of(base);

	o->user.calls = &calls;
	return inotify_join(o->set, &o->user, o->roots, o->n_roots, e);
}

/* Another node of this rule that has the inode of this one. */
static struct node *other_of(const struct inotify_observer *o, struct node *n)
{
	const struct inotify_listener *mine = listener_of(n);
	struct inotify_listener *other = inotify_other(&o->user, mine);

	return other ? node_of(other) : NULL;
}

static int listen_at(struct observer *base, struct node *n, const char *path, uint32_t flags)
{
	struct inotify_observer *o = observer_of(base);
	int result = inotify_listen(&o->user, listener_of(n), path, mask_of(o) | flags);
	struct node *other;

	n->watched = inotify_listens(listener_of(n));
	if (result < 0)
		return -1;
	other = other_of(o, n);
	if (!other)
		return 0;
	model_look_for(base->model, other, HINT_SCAN);
	base->type->unwatch(base, n);
	errno = EEXIST;
	return -1;
}

static int observer_watch(struct observer *base, struct node *n, int folder, const char *path)
{
	char opened[32];

	snprintf(opened, sizeof opened, "/proc/self/fd/%d", folder);
	if (listen_at(base, n, opened, 0) == 0)
		return 0;
	return errno == ENOENT ? listen_at(base, n, path, IN_DONT_FOLLOW) : -1;
}

static int observer_watch_ahead(struct observer *base, struct node *n, const struct opening *how)
{
	struct inotify_observer *o = observer_of(base);

	if (o->is_followed && !o->is_followed(o, how->path, how->root))
		return -1;
	return listen_at(base, n, how->path, IN_DONT_FOLLOW);
}

static bool observer_is_quiet(const struct observer *base)
{
	return inotify_is_quiet(&CONTAINER_OF(base, const struct inotify_observer, base)->user);
}

static void observer_lose(struct observer *base)
{
	on_lost(&observer_of(base)->user);
}

static void observer_unwatch(struct observer *base, struct node *n)
{
	inotify_unlisten(&observer_of(base)->user, listener_of(n));
	n->watch = 0;
	n->watched = false;
}

/* The loop reads the instance by itself; this is for whoever cannot wait for that. */
static void observer_read(struct observer *base)
{
	inotify_read(&observer_of(base)->user);
}

static void observer_close(struct observer *base)
{
	inotify_leave(&observer_of(base)->user);
}

const struct observer_type observer_inotify = {
    .name = "inotify",
    .open = observer_open,
    .watch = observer_watch,
    .watch_ahead = observer_watch_ahead,
    .is_quiet = observer_is_quiet,
    .lose = observer_lose,
    .unwatch = observer_unwatch,
    .read = observer_read,
    .close = observer_close,
};
