/*
 * Roots: the user's PATHs, each an entry of the model's top.
 *
 * Each is followed (lib/follow), through all directories and links on the way: what that reports is
 * a hint on the entry. What stands there and is no directory is listened to by its inode, so that
 * a write by another hard link or mount is heard as well.
 *
 * A root that lies in another's tree is covered: the other one reports it. Only what counts is
 * asked for both.
 */
#include "source/file/kind.h"

#include "base/error.h"
#include "base/log.h"
#include "base/path.h"
#include "source/missing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- by path --------------------------------------------------------------------------------- */

static struct root_key key_of(const char *path, size_t length)
{
	while (length && path[length - 1] == '/')
		length--;
	return (struct root_key){path, length};
}

static uint64_t key_hash(const void *key)
{
	const struct root_key *k = key;

	return hash_bytes(k->path, k->length);
}

static bool key_is(const void *root, const void *key)
{
	const struct root_key *mine = root, *k = key;

	return mine->length == k->length && memcmp(mine->path, k->path, k->length) == 0;
}

struct root *roots_find(const struct file_source *s, const char *path, size_t length)
{
	struct root_key key = key_of(path, length);

	return table_find(&s->roots.by_path, &key);
}

/* Is this the end of a component? */
static bool ends_component(const char *path, size_t at)
{
	return (path[at] == '/' || !path[at]) && !(at && path[at - 1] == '/');
}

/* The next root that the path is in or is, as a candidate; *at is 0 for the first. */
static bool next_above(const struct file_source *s, const char *path, size_t *at,
		       struct candidate *c)
{
	size_t length = strlen(path);

	for (; *at <= length; (*at)++) {
		const struct root *r = ends_component(path, *at) ? roots_find(s, path, *at) : NULL;

		if (!r)
			continue;
		c->root = r->path;
		c->relative = path + *at + strspn(path + *at, "/");
		(*at)++;
		return true;
	}
	return false;
}

bool roots_count(struct file_source *s, const char *path, char type)
{
	struct candidate c = {.path = path, .type = type};

	for (size_t at = 0; next_above(s, path, &at, &c);)
		if (filter_counts(&s->filter, &c))
			return true;
	return false;
}

/* ---- roots in other roots' trees ------------------------------------------------------------- */

/* The directory that the path of the candidate is in, in the tree of its root; *name is what is
 * called there. NULL: it is not entered. */
static struct node *folder_of(const struct file_source *s, const struct candidate *c,
			      const char **name)
{
	const struct entry *e = entries_find(s->model.top->entries, c->root);
	const char *slash;

	*name = c->relative;
	while (e && e->entered && (slash = strchr(*name, '/'))) {
		char *part = strndup(*name, (size_t)(slash - *name));

		e = part ? entries_find(e->node->entries, part) : NULL;
		free(part);
		*name = slash + strspn(slash, "/");
	}
	return e && e->entered ? e->node : NULL;
}

/* What may hang is not looked at: as far as the tree is known, and else it is thought to. */
static bool may_lead_to(const struct file_source *s, const struct candidate *c)
{
	const char *name;
	const struct node *d = folder_of(s, c, &name);
	const struct entry *e = d ? entries_find(d->entries, name) : NULL;

	return !e || e->entered;
}

/* Does the tree of a root lead to this directory, which is below it? */
static bool leads_to(struct file_source *s, const struct candidate *c, unsigned depth)
{
	const struct file_config *config = s->base.config;
	struct look found;

	if (config->no_recursive || config->one_file_system ||
	    (config->depth && depth >= config->depth) || !filter_admits(&s->filter, c))
		return false;
	if (poll_may_hang(&s->poll, c->path))
		return may_lead_to(s, c);
	return s->model.fs->look(s->model.fs, FOLDER_NONE, c->path, config->follow, &found) == 0 &&
	       found.type == 'd';
}

/* Does the tree of the root of `c` lead to the directory that its path is in? `path` is the same,
 * and cut for a while. */
static bool leads_above(struct file_source *s, const struct candidate *c, char *path)
{
	struct candidate above = *c;
	char *slash = path + (c->relative - c->path);
	bool leads = true;

	for (unsigned depth = 1; leads && (slash = strchr(slash, '/')); depth++) {
		*slash = '\0';
		leads = leads_to(s, &above, depth);
		*slash = '/';
		slash += strspn(slash, "/");
	}
	return leads;
}

static bool is_covered(const struct root *r)
{
	struct file_source *s = r->source;
	char *path = strndup(r->path, r->key.length);
	struct candidate c = {.path = path, .type = 'd'};
	bool covered = false;

	for (size_t at = 0; path && !covered && next_above(s, path, &at, &c);)
		covered = *c.relative && leads_above(s, &c, path);
	free(path);
	return covered;
}

/* ---- what happens ---------------------------------------------------------------------------- */

/* What is no directory is listened to by its inode. */
static void listen_to(struct root *r)
{
	struct roots *roots = &r->source->roots;

	if (!roots->user.on)
		return;
	if (!r->follow.set || r->follow.error || S_ISDIR(r->follow.mode) ||
	    inotify_listen(&roots->user, &r->self, r->path,
			   inotify_mask_of(r->source->inotify.active)) < 0)
		inotify_unlisten(&roots->user, &r->self);
}

static void hint(struct root *r, unsigned bits)
{
	struct model *m = &r->source->model;
	const struct entry *e = entries_find(m->top->entries, r->path);

	if (r->covered && !e)
		return;
	model_hint(m, m->top, r->path, bits);
	model_drained(m);
}

/* A file system uses the number of an inode again at once: a replaced file is another in any case.
 */
static void on_changed(struct follow *f, enum follow_change change)
{
	struct root *r = CONTAINER_OF(f, struct root, follow);
	const struct entry *e = entries_find(r->source->model.top->entries, r->path);
	bool file = e && !e->entered && e->type != 'd';

	r->covered = is_covered(r);
	listen_to(r);
	hint(r, change == FOLLOW_REPLACED && file ? HINT_SCAN | HINT_DELETED : HINT_SCAN);
}

/* What has no listener is compared. */
static void on_modified(struct follow *f)
{
	struct root *r = CONTAINER_OF(f, struct root, follow);

	if (!inotify_listens(&r->self))
		hint(r, HINT_SCAN | HINT_STAMP);
}

/* By another hard link it may have been done: the tree that has it has not heard of that. */
static void active_in_tree(struct root *r, unsigned active)
{
	struct candidate c = {.path = r->path, .type = 'f'};
	struct node *d = NULL;
	const char *name;

	for (size_t at = 0; !d && next_above(r->source, r->path, &at, &c);)
		if (*c.relative)
			d = folder_of(r->source, &c, &name);
	if (d)
		model_active(&r->source->model, d, name, active);
}

static void on_event(struct inotify_user *u, struct inotify_listener *l,
		     const struct inotify_event *event)
{
	struct root *r = CONTAINER_OF(l, struct root, self);
	unsigned active = inotify_active_of(event->mask) & r->source->inotify.active;

	(void)u;
	if (active && r->covered)
		active_in_tree(r, active);
	else if (active)
		model_active(&r->source->model, r->source->model.top, r->path, active);
}

static void on_drained(struct inotify_user *u)
{
	model_drained(&CONTAINER_OF(u, struct file_source, roots.user)->model);
}

/* ---- life ------------------------------------------------------------------------------------ */

/* What is not followed is polled, and was looked at. EAGAIN: a file system has not answered yet. */
static int error_of(const struct root *r)
{
	const struct model *m = &r->source->model;
	struct look found;

	if (r->follow.set)
		return r->follow.error;
	if (m->fs->look(m->fs, FOLDER_NONE, r->path, true, &found) < 0)
		return errno;
	return found.type ? 0 : ENOENT;
}

static void report_missing(const struct root *r)
{
	int error = error_of(r);

	if (error == ENOENT || error == ENOTDIR)
		missing_warn(&r->source->base, r->path);
	else if (error && error != EAGAIN)
		log_warn(r->source->base.rule, "cannot look at %s: %s: it is tried again", r->path,
			 strerror(error));
}

static bool may_follow(const struct root *r)
{
	const struct poll_observer *o = &r->source->poll;

	return o->inner && !poll_may_hang(o, r->path);
}

static bool is_followed(const struct inotify_observer *o, const char *path, size_t root)
{
	const struct root *r =
	    roots_find(CONTAINER_OF(o, const struct file_source, inotify), path, root);

	return r && follow_is_watched(&r->follow);
}

static int follow_root(struct root *r)
{
	static const struct follow_calls calls = {on_changed, on_modified};

	r->follow.calls = &calls;
	r->follow.rule = r->source->base.rule;
	return follow_start(r->source->base.follows, &r->follow, r->path);
}

static int start(struct file_source *s, const char *path)
{
	struct root *r;

	if (roots_find(s, path, strlen(path)))
		return 0;
	r = calloc(1, sizeof *r);
	if (!r)
		return -1;
	r->source = s;
	r->key = key_of(path, strlen(path));
	r->path = path;
	if (table_add(&s->roots.by_path, r) < 0) {
		free(r);
		return -1;
	}
	list_append(&s->roots.list, &r->link);
	return may_follow(r) ? follow_root(r) : 0;
}

static int start_all(struct file_source *s, const struct text_list *paths)
{
	for (size_t i = 0; i < paths->count; i++)
		if (start(s, paths->items[i]) < 0)
			return -1;
	return 0;
}

/* Where the trees are, for the choice of an instance of inotify. */
static int join(struct file_source *s, struct error *e)
{
	/* The observer has the same queue, and is called where events are lost. */
	static const struct inotify_calls calls = {.event = on_event, .drained = on_drained};
	struct text_list real = {0}, written = {0};
	int result = 0;

	LIST_EACH(at, after, &s->roots.list)
	{
		const struct root *r = CONTAINER_OF(at, struct root, link);
		char *path = r->follow.set ? path_real(r->path) : NULL;

		if ((path && text_list_add(&real, path) < 0) ||
		    text_list_add(&written, r->path) < 0)
			result = -1;
		free(path);
	}
	if (result < 0)
		error_errno(e, "out of memory");
	s->roots.user = (struct inotify_user){
	    .calls = &calls, .rule = s->base.rule, .priority = s->base.priority};
	s->inotify.user.rule = s->base.rule;
	s->inotify.user.priority = s->base.priority;
	s->inotify.is_followed = is_followed;
	s->inotify.roots = real.items;
	s->inotify.n_roots = real.count;
	s->fanotify.roots = written.items;
	s->fanotify.n_roots = written.count;
	if (result == 0)
		result = observer_poll.open(&s->poll.base, e);
	if (result == 0 && s->poll.inner)
		result = inotify_join(s->base.inotify, &s->roots.user, real.items, real.count, e);
	s->inotify.roots = s->fanotify.roots = NULL;
	text_list_free(&real);
	text_list_free(&written);
	return result;
}

void roots_init(struct file_source *s)
{
	static const struct table_type by_path = {key_hash, key_hash, key_is};

	list_init(&s->roots.list);
	table_init(&s->roots.by_path, &by_path);
}

/* All of them are known before it is asked which are in another's tree. */
int roots_start(struct file_source *s, struct error *e)
{
	const struct file_config *c = s->base.config;

	if (file_read_paths(c, &s->roots.listed, e) < 0)
		return -1;
	if (c->roots.count == 0 && s->roots.listed.count == 0) {
		e->option = "paths-from";
		return error_set(e, "--paths-from %s names no path", c->paths_from);
	}
	if (start_all(s, &c->roots) < 0 || start_all(s, &s->roots.listed) < 0)
		return error_errno(e, "cannot watch files");
	if (join(s, e) < 0)
		return -1;
	LIST_EACH(at, after, &s->roots.list)
	{
		struct root *r = CONTAINER_OF(at, struct root, link);

		r->covered = is_covered(r);
		listen_to(r);
		if (!r->covered)
			model_add_root(&s->model, r->path);
	}
	return 0;
}

void roots_report_missing(const struct file_source *s)
{
	LIST_EACH(at, after, &s->roots.list)
	report_missing(CONTAINER_OF(at, struct root, link));
}

void roots_passing(struct poll_observer *o)
{
	struct file_source *s = CONTAINER_OF(o, struct file_source, poll);

	LIST_EACH(at, after, &s->roots.list)
	{
		struct root *r = CONTAINER_OF(at, struct root, link);

		if (r->follow.set)
			continue;
		r->covered = is_covered(r);
		hint(r, HINT_SCAN);
	}
}

/* Follows it, or ceases to. */
static void review(struct root *r)
{
	bool may = may_follow(r);

	if (may == (r->follow.set != NULL))
		return;
	if (!may)
		follow_stop(&r->follow);
	else if (follow_root(r) < 0)
		log_error(r->source->base.rule, "cannot follow %s: %s", r->path, strerror(errno));
	listen_to(r);
	hint(r, HINT_SCAN);
}

/* Directories on the way to a root were asked for, too. */
void roots_answered(struct poll_observer *o, const char *path)
{
	struct file_source *s = CONTAINER_OF(o, struct file_source, poll);
	struct root *r = roots_find(s, path, strlen(path));

	if (!r)
		return;
	/* The first answer is a part of the first reading; a later one is news. */
	if (!r->covered && !entries_find(s->model.top->entries, path))
		model_look_again(&s->model, s->model.top, r->path, HINT_SCAN | HINT_STAMP);
	else
		hint(r, HINT_SCAN | HINT_STAMP);
}

static void mark_mounts(struct file_source *s, const char *root)
{
	const struct mounts *mounts = s->base.mounts;
	bool polls = !config_of(s)->never_polls;
	char real[MOUNTS_PATH];

	if (mounts_resolve(polls ? mounts : NULL, root, real))
		return;
	for (size_t i = 0; i < mounts->count; i++) {
		const struct mount_point *mount = &mounts->items[i];
		const char *below = mounts_within(real, mount->path);

		if (below && *below && mount->whole && !(polls && mount->remote) &&
		    fanotify_mount(&s->fanotify, mount->path) < 0)
			log_warn(s->base.rule, "cannot watch %s: %s", mount->path, strerror(errno));
	}
}

void roots_mark_mounts(struct file_source *s)
{
	if (!config_of(s)->fanotify || config_of(s)->one_file_system)
		return;
	LIST_EACH(at, after, &s->roots.list)
	mark_mounts(s, CONTAINER_OF(at, struct root, link)->path);
}

void roots_remounted(struct poll_observer *o)
{
	struct file_source *s = CONTAINER_OF(o, struct file_source, poll);

	LIST_EACH(at, after, &s->roots.list)
	review(CONTAINER_OF(at, struct root, link));
	roots_mark_mounts(s);
}

void roots_stop(struct file_source *s)
{
	LIST_EACH(at, after, &s->roots.list)
	{
		struct root *r = CONTAINER_OF(at, struct root, link);

		follow_stop(&r->follow);
		list_remove(&r->link);
		inotify_unlisten(&s->roots.user, &r->self);
		free(r);
	}
	table_free(&s->roots.by_path);
	inotify_leave(&s->roots.user);
	text_list_free(&s->roots.listed);
}
