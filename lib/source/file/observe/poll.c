/* Changes by looking every so often; see poll.h. */
#include "source/file/observe/remote.h"

#include "source/file/model/model.h"
#include "source/file/observe/inotify.h"

#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

static const int64_t SECOND = 1000000000;

static struct poll_observer *observer_of(struct observer *o)
{
	return CONTAINER_OF(o, struct poll_observer, base);
}

/* ---- which directories are polled ------------------------------------------------------------ */

static uint64_t identity_hash(const void *identity)
{
	const struct identity *i = identity;
	const uint64_t parts[] = {i->inode, (uint64_t)i->device << 32 | i->born};

	return hash_bytes(parts, sizeof parts);
}

static uint64_t node_hash(const void *node)
{
	return identity_hash(&((const struct node *)node)->identity);
}

static bool node_is(const void *node, const void *identity)
{
	return identity_equal(&((const struct node *)node)->identity, identity);
}

/* What is mounted below a root may be left out. */
static bool may_enter(const struct poll_observer *o, const struct node *n, int folder)
{
	const struct node *d = n->parent;
	struct statfs st;

	if (!d->parent || d->identity.device == n->identity.device)
		return true;
	if (o->one_file_system)
		return false;
	return folder >= FOLDER_REMOTE || fstatfs(folder, &st) < 0 ||
	       ((uint32_t)st.f_type != PROC_SUPER_MAGIC && (uint32_t)st.f_type != SYSFS_MAGIC);
}

static void forget(struct poll_observer *o, struct node *n)
{
	question_unasked(n);
	if (table_find(&o->places, &n->identity) == n)
		table_remove(&o->places, &n->identity);
	n->polled = n->watched = false;
}

static int poll_node(struct poll_observer *o, struct node *n)
{
	struct node *other = table_find(&o->places, &n->identity);

	if (other && other != n) {
		model_look_for(o->base.model, other, HINT_SCAN);
		model_drained(o->base.model);
		forget(o, n);
		errno = EEXIST;
		return -1;
	}
	if (!other && table_add(&o->places, n) < 0)
		return -1;
	n->polled = n->watched = true;
	return 0;
}

static void observer_unwatch(struct observer *base, struct node *n)
{
	struct poll_observer *o = observer_of(base);

	if (n->polled)
		forget(o, n);
	else if (o->inner)
		o->inner->type->unwatch(o->inner, n);
}

static int observer_watch(struct observer *base, struct node *n, int folder, const char *path)
{
	struct poll_observer *o = observer_of(base);
	bool polls = folder >= FOLDER_REMOTE || !o->inner;

	if (!may_enter(o, n, folder)) {
		if (n->polled)
			forget(o, n);
		errno = EXDEV;
		return -1;
	}
	if (n->mounted && !polls)
		mounts_met(o->mounts, path);
	if (n->watched && polls != n->polled)
		observer_unwatch(base, n);
	return polls ? poll_node(o, n) : o->inner->type->watch(o->inner, n, folder, path);
}

static int observer_watch_ahead(struct observer *base, struct node *n, const struct opening *how)
{
	struct poll_observer *o = observer_of(base);

	if (!o->inner || !o->inner->type->watch_ahead || n->polled || remote_may_hang(o, how))
		return -1;
	return o->inner->type->watch_ahead(o->inner, n, how);
}

static bool observer_is_quiet(const struct observer *base)
{
	const struct observer *inner = CONTAINER_OF(base, const struct poll_observer, base)->inner;

	return inner->type->is_quiet(inner);
}

static void observer_lose(struct observer *base)
{
	struct observer *inner = observer_of(base)->inner;

	inner->type->lose(inner);
}

static int observer_reopen(struct observer *base, struct node *n)
{
	const struct poll_observer *o = observer_of(base);

	return n->polled || !o->inner || !o->inner->type->reopen
		   ? -1
		   : o->inner->type->reopen(o->inner, n);
}

static void observer_found(struct observer *base, struct node *n, int folder, const char *name)
{
	const struct poll_observer *o = observer_of(base);

	if (o->inner && o->inner->type->found && !n->polled)
		o->inner->type->found(o->inner, n, folder, name);
}

static void observer_catch_up(struct observer *base, struct node *n)
{
	struct poll_observer *o = observer_of(base);

	if (!n->polled && o->inner && o->inner->type->catch_up)
		o->inner->type->catch_up(o->inner, n);
}

/* ---- time ------------------------------------------------------------------------------------ */

static void on_pass(struct reactor *r, struct timer *t)
{
	struct poll_observer *o = CONTAINER_OF(t, struct poll_observer, pass);
	struct model *m = o->base.model;

	/* A pass that takes longer than the interval is not begun again before its end; nor is one
	 * begun before the end of the first reading. */
	if (model_idle(m) && !m->early) {
		if (o->passing)
			o->passing(o);
		model_lost(m, m->top, true);
		model_drained(m);
	}
	timer_start_in(r, t, o->interval);
}

void poll_tick_on(struct poll_observer *o)
{
	if (!timer_active(&o->second))
		timer_start_in(o->reactor, &o->second, SECOND);
}

static void on_second(struct reactor *r, struct timer *t)
{
	struct poll_observer *o = CONTAINER_OF(t, struct poll_observer, second);

	(void)r;
	remote_hint_kernel(o);
}

/* ---- mounts ---------------------------------------------------------------------------------- */

static void look_at(struct model *m, struct node *d, const char *name, bool unmounted)
{
	bool known = entries_find(d->entries, name);

	model_hint(m, d, name, HINT_SCAN);
	if (unmounted && known)
		model_active(m, d, name, FILE_UNMOUNT);
}

/* A mount moves with a directory that it is in, and nobody is woken for that. What is still at its
 * path after it was unmounted, or is not known there, says that it was elsewhere by then. */
static bool has_moved(const struct poll_observer *o, const struct node *d, const char *name,
		      const char *point)
{
	const struct file_system *fs = &o->remote.disk.fs;
	const struct entry *e = entries_find(d->entries, name);
	struct look now;

	return !e || (e->entered && !poll_may_hang(o, point) &&
		      fs->look(fs, FOLDER_NONE, point, false, &now) == 0 &&
		      identity_equal(&e->node->identity, &now.identity));
}

/* What is mounted at `below` in the tree of d, which is `point`. A directory that is not entered on
 * the way ends the search; where one that is not known is, is looked for. */
static void look_below(const struct poll_observer *o, struct node *d, const char *below,
		       const char *point, bool unmounted)
{
	struct model *m = o->base.model;
	char name[256];

	for (;;) {
		size_t length = strcspn(below, "/");
		const struct entry *e;

		if (length >= sizeof name)
			return;
		memcpy(name, below, length);
		name[length] = '\0';
		below += length + strspn(below + length, "/");
		if (!*below)
			break;
		e = entries_find(d->entries, name);
		if (!e)
			model_lost(m, unmounted || m->early ? m->top : d, true);
		if (!e || !e->entered)
			return;
		d = e->node;
	}
	if (unmounted && has_moved(o, d, name, point))
		model_lost(m, m->top, true);
	else
		look_at(m, d, name, unmounted);
}

/* False: the mount is of no concern to this root. */
static bool look_in_root(const struct poll_observer *o, const struct entry *root, const char *point,
			 bool unmounted)
{
	struct model *m = o->base.model;
	char real[MOUNTS_PATH];
	const char *below;

	mounts_resolve(o->interval ? o->mounts : NULL, root->name, real);
	below = real[0] ? mounts_within(real, point) : NULL;
	if (below && *below) {
		if (root->entered)
			look_below(o, root->node, below, point, unmounted);
		return true;
	}
	/* Nothing else than a mount below a root leaves the root where it is. */
	if (!below && real[0] && !mounts_within(point, real))
		return false;
	look_at(m, m->top, root->name, unmounted);
	return true;
}

static void on_mount(struct mounts_listener *l, const char *point, bool unmounted)
{
	struct poll_observer *o = CONTAINER_OF(l, struct poll_observer, mounted);
	struct model *m = o->base.model;
	bool concerns = false;
	struct entry *root;

	sites_review(&o->remote.sites);
	remote_forget_root(o);
	if (o->remounted)
		o->remounted(o);
	if (o->inner)
		o->inner->type->read(o->inner);
	model_remounted(m);
	for (uint32_t at = 0; (root = entries_next(m->top->entries, &at));)
		concerns |= look_in_root(o, root, point, unmounted);
	/* Links may lead there. */
	if (!concerns && m->settings.follow)
		model_lost(m, m->top, true);
	if (concerns || m->settings.follow)
		model_drained(m);
}

/* ---- life ------------------------------------------------------------------------------------ */

void poll_prepare(struct poll_observer *o)
{
	static const struct table_type by_identity = {node_hash, identity_hash, node_is};

	o->mounted.changed = on_mount;
	table_init(&o->places, &by_identity);
	remote_open(o);
	timer_init(&o->pass, CLOCK_OF_LOOP, on_pass);
	timer_init(&o->second, CLOCK_OF_LOOP, on_second);
	o->pass.priority = o->second.priority = o->priority;
	mounts_listen(o->mounts, &o->mounted); /* without /proc nothing is said of mounts */
}

static int observer_open(struct observer *base, struct error *e)
{
	struct poll_observer *o = observer_of(base);

	if (o->inner && o->inner->type->open(o->inner, e) < 0)
		return -1;
	if (!o->inner)
		timer_start_in(o->reactor, &o->pass, o->interval);
	return 0;
}

bool poll_wait(struct poll_observer *o, int64_t deadline)
{
	int64_t now = clock_read(CLOCK_OF_LOOP);

	if (!o->patience || o->waited_for)
		o->patience = now + SECOND;
	if (deadline > o->patience)
		deadline = o->patience;
	o->waited_for = sites_wait(&o->remote.sites, deadline);
	now = clock_read(CLOCK_OF_LOOP);
	return o->waited_for || (now >= deadline && now < o->patience);
}

static void observer_read(struct observer *base)
{
	const struct poll_observer *o = observer_of(base);

	if (o->inner)
		o->inner->type->read(o->inner);
}

static void observer_close(struct observer *base)
{
	struct poll_observer *o = observer_of(base);

	timer_stop(o->reactor, &o->pass);
	timer_stop(o->reactor, &o->second);
	mounts_unlisten(o->mounts, &o->mounted);
	remote_close(o);
	table_free(&o->places);
	if (o->inner)
		o->inner->type->close(o->inner);
}

const struct observer_type observer_poll = {
    .name = "poll",
    .open = observer_open,
    .watch = observer_watch,
    .watch_ahead = observer_watch_ahead,
    .is_quiet = observer_is_quiet,
    .lose = observer_lose,
    .unwatch = observer_unwatch,
    .reopen = observer_reopen,
    .catch_up = observer_catch_up,
    .found = observer_found,
    .read = observer_read,
    .close = observer_close,
};
