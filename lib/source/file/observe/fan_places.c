/* From handles to nodes; see fan_places.h. */
#include "source/file/observe/fan_places.h"

#include "base/array.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/units.h"
#include "reactor/reactor.h"
#include "source/file/model/model.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { A_TRIM = 64 /* directories */, FEW = 64, OLD = 2 };

void fan_places_close(struct fan_places *p)
{
	p->searched = false;
	fan_roots_close(&p->roots);
}

/* ---- what is outside ------------------------------------------------------------------------- */

void fan_places_moved(struct fan_places *p)
{
	free(p->outside);
	p->outside = NULL;
}

static bool is_outside(struct fan_places *p, uint64_t hash)
{
	if (!p->outside)
		return false;
	if (clock_read(CLOCK_OF_LOOP) - p->outside_since > NS_PER_S)
		fan_places_moved(p);
	return p->outside && p->outside[hash % FAN_OUTSIDE] == hash;
}

static void remember_outside(struct fan_places *p, uint64_t hash)
{
	if (!p->outside) {
		p->outside = calloc(FAN_OUTSIDE, sizeof *p->outside);
		p->outside_since = clock_read(CLOCK_OF_LOOP);
	}
	if (p->outside)
		p->outside[hash % FAN_OUTSIDE] = hash;
}

/* It came from there in this chunk, of which the events before may have asked for it. */
static void forget_outside(struct fan_places *p, uint64_t hash)
{
	if (p->outside && p->outside[hash % FAN_OUTSIDE] == hash)
		p->outside[hash % FAN_OUTSIDE] = 0;
}

/* ---- nodes by handle ------------------------------------------------------------------------- */

static uint64_t hash_of_key(const void *hash)
{
	return *(const uint64_t *)hash;
}

static uint64_t hash_of_dir(const void *dir)
{
	return ((const struct fan_dir *)dir)->handle.hash;
}

static bool dir_has_hash(const void *dir, const void *hash)
{
	return hash_of_dir(dir) == *(const uint64_t *)hash;
}

static struct fan_dir *dir_of(const struct node *n)
{
	return n->watched && !n->polled ? (struct fan_dir *)(uintptr_t)n->watch : NULL;
}

struct node *fan_node(struct fan_places *p, uint64_t hash)
{
	struct fan_dir *d = table_find(&p->dirs, &hash);

	if (!d)
		return NULL;
	d->touched = p->clock;
	return d->node;
}

int fan_node_is(struct fan_places *p, struct node *n, const struct fan_handle *h)
{
	size_t size = offsetof(struct fan_handle, data) + h->bytes;
	struct fan_dir *d = dir_of(n);

	if (d && d->handle.hash == h->hash)
		return 0;
	if (d)
		fan_node_forget(p, n);
	d = malloc(offsetof(struct fan_dir, handle) + size);
	if (!d)
		return -1;
	memcpy(&d->handle, h, size);
	d->node = n;
	d->touched = p->clock;
	forget_outside(p, h->hash);
	if (table_add(&p->dirs, d) < 0) {
		free(d);
		return -1;
	}
	n->watch = (uintptr_t)d;
	n->watched = true;
	return 0;
}

const struct fan_handle *fan_node_handle(const struct node *n)
{
	return &dir_of(n)->handle;
}

void fan_node_forget(struct fan_places *p, struct node *n)
{
	struct fan_dir *d = dir_of(n);

	if (d) {
		table_remove(&p->dirs, &d->handle.hash);
		free(d);
	}
	n->watch = 0;
	n->watched = false;
}

/* ---- looking --------------------------------------------------------------------------------- */

int fan_open_handle(struct fan_places *p, const struct fan_handle *h, int flags)
{
	size_t at = 0;

	return fan_roots_open(&p->roots, &at, h, flags);
}

void fan_look(struct fan_places *p, const struct fan_handle *h, struct look *out)
{
	int fd = fan_open_handle(p, h, O_PATH);

	*out = (struct look){0};
	if (fd >= 0 && p->model->fs->look(p->model->fs, fd, "", false, out) < 0)
		*out = (struct look){0};
	fd_close(&fd);
}

/* ---- paths that are too long ----------------------------------------------------------------- */

enum { HIGHEST = 64 /* levels */ };

/* That of the nearest directory above it that has one. Owned; NULL: it is too deep. */
static char *path_above(int folder)
{
	int at = openat(folder, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char *path = NULL;

	for (int i = 0; i < HIGHEST && at >= 0 && !(path = fan_path_of(at)); i++) {
		int up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

		fd_close(&at);
		at = up;
	}
	fd_close(&at);
	return path;
}

static void log_too_deep(struct fan_places *p, int folder)
{
	char *path = p->logged_too_deep || p->searched ? NULL : path_above(folder);
	const struct fan_place *root = path ? fan_root_of(&p->roots, path) : NULL;

	p->searched = true;
	if (root) {
		p->logged_too_deep = true;
		log_warn(p->rule,
			 "cannot see all that is below %s%s: its path is longer than 4095 bytes "
			 "(PATH_MAX): without --fanotify it can be watched by evwatch started in a "
			 "directory nearer to it",
			 root->path, path + strlen(root->real));
	}
	free(path);
}

/* ---- the way up ------------------------------------------------------------------------------ */

enum where {
	WHERE_FOUND,
	WHERE_GONE,    /* or it is still to come */
	WHERE_OUTSIDE, /* of all roots */
};

/* A directory on the way up. */
struct step {
	struct fan_handle handle, above;
	struct identity is;
	char name[NAME_MAX + 1];
};

static bool has_links(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_nlink > 0;
}

/* What is above it: its handle. */
static enum where look_up(struct fan_places *p, int fd, struct step *s)
{
	int up = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int mount = fan_handle_at(up, "", s->handle.fsid, &s->above);
	const int32_t *fsid = mount < 0 ? NULL : fan_roots_fsid(&p->roots, mount);

	if (fsid && memcmp(fsid, s->handle.fsid, sizeof s->handle.fsid) != 0)
		mount = fan_handle_at(up, "", fsid, &s->above);
	fd_close(&up);
	if (mount < 0 || !fsid || s->above.hash == s->handle.hash)
		return WHERE_OUTSIDE;
	return WHERE_FOUND;
}

/* Where is what is open, seen from its mount? `anywhere`: also if that is in no root. */
static enum where look_at(struct fan_places *p, int fd, bool anywhere, struct step *s)
{
	char *path = fan_path_of(fd);
	const struct fan_place *root = path ? fan_root_of(&p->roots, path) : NULL;
	bool is_in = root ? path[strlen(root->real)] : path && anywhere;
	enum where where = is_in ? WHERE_FOUND : WHERE_OUTSIDE;
	struct look now;

	if (!path && errno == ENAMETOOLONG)
		log_too_deep(p, fd);
	if (where == WHERE_FOUND)
		snprintf(s->name, sizeof s->name, "%s", strrchr(path, '/') + 1);
	free(path);
	if (where != WHERE_FOUND)
		return where;
	if (!has_links(fd) || p->model->fs->look(p->model->fs, fd, "", false, &now) < 0)
		return WHERE_GONE;
	s->is = now.identity;
	return look_up(p, fd, s);
}

/*
 * The kernel removes or renames what is in a directory, and then reports that, while it holds the
 * lock that getdents64(2) takes: so the event of what was found by now is in the queue afterwards.
 */
static void await_event(int fd)
{
	int above = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);
	char entry[512];

	if (above >= 0)
		syscall(SYS_getdents64, above, entry, sizeof entry);
	fd_close(&above);
}

static enum where locate_by_mounts(struct fan_places *p, struct step *s, bool anywhere)
{
	enum where where = WHERE_OUTSIDE;

	for (size_t at = 0; where == WHERE_OUTSIDE; at++) {
		int fd = fan_roots_open(&p->roots, &at, &s->handle, O_PATH | O_DIRECTORY);

		if (fd < 0)
			return errno == ESTALE ? WHERE_GONE : WHERE_OUTSIDE;
		where = look_at(p, fd, anywhere, s);
		await_event(fd);
		fd_close(&fd);
	}
	return where;
}

/* What is above it may have left a root just now: it was there before. */
static enum where locate(struct fan_places *p, struct step *s)
{
	enum where where = locate_by_mounts(p, s, false);

	return where == WHERE_OUTSIDE && p->queue->n_moves ? locate_by_mounts(p, s, true) : where;
}

/* Where an event that is still to be dealt with says that it was. */
static bool take_word(struct fan_places *p, struct step *s, enum where *where)
{
	struct fan_event ev;
	struct look now;

	if (!fan_ahead_word(p->queue, s->handle.hash, &ev))
		return false;
	*where = ev.mask & FAN_CREATE ? WHERE_GONE : WHERE_FOUND;
	s->above = ev.dir;
	strcpy(s->name, ev.name);
	s->is = identity_of_gone();
	if (ev.mask & FAN_RENAME) {
		fan_look(p, &s->handle, &now);
		s->is = now.type ? now.identity : s->is;
	}
	return true;
}

/* Its step up. It may have been renamed just now: the queue says so. */
static enum where step_up(struct fan_places *p, struct step *s)
{
	enum where where;

	if (take_word(p, s, &where))
		return where;
	where = locate(p, s);
	while (fan_ahead_fill(p->queue))
		;
	take_word(p, s, &where);
	return where;
}

/* ---- and down again -------------------------------------------------------------------------- */

/* Is the first word about the directory of another place than it is known at? */
static bool is_ahead(const struct fan_places *p, const struct node *n)
{
	const struct fan_dir *d = dir_of(n), *above = dir_of(n->parent);
	struct fan_event ev;

	return d && above && fan_ahead_word(p->queue, d->handle.hash, &ev) &&
	       (ev.mask & FAN_CREATE || ev.dir.hash != above->handle.hash ||
		strcmp(ev.name, node_name(n)) != 0);
}

/* The directory, or one above it, may have been listed ahead of the event that brings it there:
 * that is forgotten. False: nothing was. */
static bool forget_ahead(struct fan_places *p, struct node *n)
{
	for (; p->queue->words.count && n->parent != p->model->top; n = n->parent)
		if (model_is_early(n) && is_ahead(p, n))
			return model_unlearn(p->model, n->parent, node_name(n));
	return false;
}

struct way {
	struct step *steps; /* the lowest first */
	size_t count, capacity, length;
	bool keeps; /* no directory that was listed ahead is forgotten: the model is at work */
};

/* The node with this handle, where it is at this place of the queue. */
static struct node *known_node(struct fan_places *p, uint64_t hash, const struct way *way)
{
	struct node *n = fan_node(p, hash);

	return n && (way->keeps || !forget_ahead(p, n)) ? n : NULL;
}

/* The node that the way down begins at, or NULL. */
static struct node *go_up(struct fan_places *p, const struct fan_handle *h, struct way *way)
{
	struct node *n = known_node(p, h->hash, way);
	enum where where = WHERE_FOUND;

	while (!n && where == WHERE_FOUND) {
		const struct fan_handle *at = way->count ? &way->steps[way->count - 1].above : h;
		struct step s = {.handle = *at};

		where = is_outside(p, at->hash) || way->length > PATH_MAX ? WHERE_OUTSIDE
									  : step_up(p, &s);
		if (where != WHERE_FOUND ||
		    ARRAY_GROW(way->steps, way->capacity, way->count + 1) < 0)
			break;
		way->length += strlen(s.name) + 1;
		way->steps[way->count++] = s;
		n = known_node(p, s.above.hash, way);
	}
	if (!n && where == WHERE_OUTSIDE) {
		remember_outside(p, h->hash);
		for (size_t i = 0; i < way->count; i++)
			remember_outside(p, way->steps[i].above.hash);
	}
	return n;
}

/* What was listed at this name ahead of the events is forgotten: the directory was there. */
static void forget_other(struct model *m, struct node *d, const char *name, bool keeps)
{
	const struct entry *e = entries_find(d->entries, name);

	if (e && !(keeps && e->entered) && model_is_other(d, name, true, NULL))
		model_unlearn(m, d, name);
}

static struct node *go_down(struct fan_places *p, struct node *n, const struct way *way)
{
	struct model *m = p->model;

	for (size_t i = way->count; n && i--;) {
		const struct step *s = &way->steps[i];
		struct node *below;

		forget_other(m, n, s->name, way->keeps);
		below = model_know(m, n, s->name, &s->is, false);
		if (!below && !m->host->enters(m, n, s->name))
			for (size_t k = 0; k <= i; k++)
				remember_outside(p, way->steps[k].handle.hash);
		/* Another directory is known there, until it is looked at. */
		if (below && dir_of(below) && dir_of(below)->handle.hash != s->handle.hash)
			below = NULL;
		n = below && fan_node_is(p, below, &s->handle) == 0 ? below : NULL;
	}
	return n;
}

static struct node *find(struct fan_places *p, const struct fan_handle *h, bool keeps)
{
	struct way way = {.keeps = keeps};
	struct node *n = h->hash ? go_up(p, h, &way) : NULL;

	if (n)
		n = go_down(p, n, &way);
	free(way.steps);
	return n;
}

struct node *fan_find(struct fan_places *p, const struct fan_handle *h)
{
	return find(p, h, false);
}

struct node *fan_find_former(struct fan_places *p, const struct fan_handle *h)
{
	struct fan_event ev;
	struct node *n;

	while (fan_ahead_fill(p->queue))
		;
	n = fan_ahead_word(p->queue, h->hash, &ev) ? find(p, h, true) : NULL;
	fan_places_close(p);
	return n;
}

/* ---- life ------------------------------------------------------------------------------------ */

void fan_places_init(struct fan_places *p)
{
	static const struct table_type by_hash = {hash_of_dir, hash_of_key, dir_has_hash};

	table_init(&p->dirs, &by_hash);
}

void fan_places_free(struct fan_places *p)
{
	struct fan_dir *d;

	for (size_t at = 0; (d = table_next(&p->dirs, &at));) {
		d->node->watched = false;
		free(d);
	}
	table_free(&p->dirs);
	fan_roots_free(&p->roots);
	fan_places_moved(p);
}

/* Removals move items of the table, so they are made when the walk is over. */
void fan_places_trim(struct fan_places *p)
{
	struct fan_dir *old[A_TRIM], *d = NULL;
	size_t n = 0;

	if (p->dirs.count < FEW)
		return;
	for (int i = 0; i < 2 * A_TRIM && n < A_TRIM; i++) {
		d = table_next(&p->dirs, &p->cursor);
		if (!d)
			break;
		if (d->touched + OLD < p->clock)
			old[n++] = d;
	}
	if (!d)
		p->cursor = 0;
	while (n)
		model_trim(p->model, old[--n]->node);
}
