/*
 * Moves: two events of inotify(7) to one happening.
 *
 * A rename comes as two events with one cookie, mostly next to each other; a MOVED_FROM whose other
 * half does not come in a moment went out of the tree, and is a delete. A directory that moves
 * within the tree keeps its watches, and what is known below it.
 */
#include "base/log.h"
#include "base/path.h"
#include "base/units.h"
#include "source/file/file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#define OTHER_HALF (2 * NS_PER_MS) /* how long a MOVED_FROM waits for its MOVED_TO */

/* A MOVED_FROM that waits. */
struct half_move {
	struct link link;
	uint32_t cookie;
	int wd; /* of the directory that moves, or -1 */
	char type;
	bool known; /* it was told of by this path */
	char path[];
};

/* ---- out of the tree ------------------------------------------------------------------------- */

static void half_free(struct half_move *m)
{
	list_remove(&m->link);
	free(m);
}

/* It left the tree, with all that was in it. */
static void move_out(struct file_source *s, struct half_move *m)
{
	struct dir *d = m->wd >= 0 ? tree_find(s, m->wd) : NULL;

	if (d)
		scan_gone(s, d);
	else if (m->wd < 0) /* or else it was told to be gone with what it was in */
		changes_add(
		    s, &(struct happening){.event = FILE_DELETE, .path = m->path, .type = m->type});
	half_free(m);
}

bool moves_have_out(struct file_source *s, const struct dir *d)
{
	LIST_EACH(at, after, &s->moves)
	{
		struct half_move *m = CONTAINER_OF(at, struct half_move, link);

		if (m->wd != d->wd || d->wd < 0)
			continue;
		move_out(s, m);
		return true;
	}
	return false;
}

void moves_settle(struct file_source *s)
{
	LIST_EACH(at, after, &s->moves)
	move_out(s, CONTAINER_OF(at, struct half_move, link));
}

static void on_move_timer(struct reactor *r, struct timer *t)
{
	struct file_source *s = CONTAINER_OF(t, struct file_source, move_timer);

	(void)r;
	reader_read(s); /* the other half may be there already */
	moves_settle(s);
	reader_read(s); /* nothing is moving: what is in doubt can be settled */
}

/* What is known to be there is a directory, and it speaks of none, or the other way round. */
static bool is_of_other_kind(const struct dir *d, const struct inotify_event *ev)
{
	const struct entry *e = names_find(d->names, ev->name);
	bool directory = ev->mask & IN_ISDIR;

	return e ? (e->type == 'd') != directory : !directory && tree_child(d, ev->name);
}

/*
 * Is something else there by that name? An exchange comes as two renames, a to b and b to a, the
 * second of which speaks of what was at b before the first. And a directory that was made or moved
 * here later may be known already.
 */
static bool is_of_the_past(struct file_source *s, struct dir *d, const struct inotify_event *ev)
{
	struct dir *child = ev->mask & IN_ISDIR ? tree_child(d, ev->name) : NULL;
	char type = reader_type_of(d, ev);
	struct stat st;

	if (is_of_other_kind(d, ev))
		return true;
	if (child && child->wd >= 0)
		return doubt_is_here(s, child);
	if (s->last_to.wd != ev->wd || s->last_to.name != hash_bytes(ev->name, strlen(ev->name)) ||
	    lstat(tree_path(s, d, ev->name), &st) < 0 ||
	    s->last_to.directory != S_ISDIR(st.st_mode))
		return false;
	/* Or else it moved on, and there is a newer one. */
	if (!S_ISDIR(st.st_mode)) {
		changes_report(s, d, ev->name, FILE_MODIFY, type);
		changes_report(s, d, ev->name, FILE_CLOSE_WRITE, type);
	}
	return true;
}

void moves_from(struct file_source *s, struct dir *d, const struct inotify_event *ev)
{
	struct dir *child = ev->mask & IN_ISDIR ? tree_child(d, ev->name) : NULL;
	const char *path;
	struct half_move *m;
	char type = reader_type_of(d, ev);
	bool known;

	if (is_of_the_past(s, d, ev)) {
		scan_suspect(s, d);
		return;
	}
	path = tree_path(s, d, ev->name);
	m = calloc(1, sizeof *m + strlen(path) + 1);
	known = names_remove(&d->names, ev->name) || child;
	if (!m) {
		changes_report(s, d, ev->name, FILE_DELETE, type);
		return;
	}
	strcpy(m->path, path);
	m->cookie = ev->cookie;
	m->type = type;
	m->known = known;
	m->wd = child ? child->wd : -1;
	list_append(&s->moves, &m->link);
	if (child && child->wd < 0)
		scan_gone(s, child);
	if (!timer_active(&s->move_timer) &&
	    timer_start_in(s->base.reactor, &s->move_timer, OTHER_HALF) < 0)
		move_out(s, m);
}

/* ---- within the tree ------------------------------------------------------------------------- */

static struct half_move *half_find(struct file_source *s, uint32_t cookie)
{
	LIST_EACH(at, after, &s->moves)
	if (CONTAINER_OF(at, struct half_move, link)->cookie == cookie)
		return CONTAINER_OF(at, struct half_move, link);
	return NULL;
}

void moves_settle_at(struct file_source *s, const struct dir *d, const char *name)
{
	char *path;

	if (list_empty(&s->moves))
		return;
	path = strdup(tree_path(s, d, name)); /* telling needs the scratch path again */
	LIST_EACH(at, after, &s->moves)
	{
		struct half_move *m = CONTAINER_OF(at, struct half_move, link);

		if (!path || path_is_in(m->path, path))
			move_out(s, m);
	}
	free(path);
}

void moves_settle_below(struct file_source *s, const char *path)
{
	LIST_EACH(at, after, &s->moves)
	{
		struct half_move *m = CONTAINER_OF(at, struct half_move, link);

		if (path_is_in(m->path, path) && strcmp(m->path, path) != 0)
			move_out(s, m);
	}
}

/* A directory that moved within the tree keeps its watches; its new place decides if it stays. */
static bool follow_move(struct file_source *s, struct dir *moving, struct dir *d, const char *name)
{
	if (dir_is_in(d, moving))
		return false; /* events were lost */
	if (filter_enters(s, d, tree_path(s, d, name))) {
		moving = tree_move(s, moving, d, name);
		if (moving) {
			moving->moved = filter_depends_on_place(s);
			doubt_add(s, moving);
		}
		return moving != NULL;
	}
	scan_content_gone(s, moving);
	tree_remove(s, moving);
	return names_add(&d->names, name, 'd') >= 0;
}

/*
 * A directory of that name was there: replaced, or exchanged with the one that moves; or it is
 * there now, since a later rename, and the one that moves is somewhere else already. Returns the
 * one that moves, if it is here.
 */
static struct dir *make_way(struct file_source *s, const struct dir *d, const char *name,
			    struct dir *moving)
{
	struct dir *there = tree_child(d, name);
	int wd = moving ? moving->wd : -1;

	if (!there || there == moving)
		return moving;
	if (!doubt_is_here(s, there)) {
		scan_gone(s, there);
		return tree_find(s, wd); /* it may have been in it */
	}
	if (moving)
		scan_gone(s, moving);
	return NULL;
}

/* Those who are told may need the scratch path again: they get a copy. */
static void told_move(struct file_source *s, const struct dir *d, const char *name,
		      struct happening *h)
{
	char *path = strdup(tree_path(s, d, name));

	if (path) {
		h->path = path;
		changes_add(s, h);
	} else {
		log_error(s->base.rule, "out of memory: a move of %s is not told", h->old_path);
	}
	free(path);
}

/* The half of this rename that was read before; NULL if it has left since, with what it was in. */
static struct half_move *other_half(struct file_source *s, uint32_t cookie)
{
	struct half_move *m = half_find(s, cookie);

	if (!m || m->wd < 0 || tree_find(s, m->wd))
		return m;
	half_free(m);
	return NULL;
}

/*
 * The directory that something moves to is one that left itself, by then; so has what moves there.
 */
static bool moves_away(struct file_source *s, const struct inotify_event *ev)
{
	struct half_move *m = half_find(s, ev->cookie);

	if (m && m->wd >= 0)
		moves_settle_below(s, m->path);
	if (tree_find(s, ev->wd))
		return false;
	m = other_half(s, ev->cookie);
	if (m)
		move_out(s, m);
	return true;
}

/* What was there is written over; another kind of thing is gone, where --type tells them apart. */
static bool moves_over(struct file_source *s, struct dir *d, const char *name, char type)
{
	const struct file_config *c = s->base.config;
	const struct entry *old = names_find(d->names, name);
	char old_type = old ? old->type : type;

	if (!old)
		return false;
	names_remove(&d->names, name);
	if (old_type == type || (type != 'd' && !c->any_type))
		return type != 'd';
	changes_report(s, d, name, FILE_DELETE, old_type);
	return false;
}

void moves_to(struct file_source *s, struct dir *d, const struct inotify_event *ev)
{
	struct half_move *m;
	struct dir *moving;
	struct happening h = {.event = FILE_CREATE, .root = dir_root(d)};
	bool open, known;

	s->last_to.wd = ev->wd;
	s->last_to.directory = ev->mask & IN_ISDIR;
	s->last_to.name = hash_bytes(ev->name, strlen(ev->name));
	moves_settle_at(s, d, ev->name);
	if (moves_away(s, ev))
		return;
	m = other_half(s, ev->cookie);
	if (m && m->type == '?') { /* nobody was told of it */
		half_free(m);
		m = NULL;
	}
	if (m) {
		h.event = FILE_MOVE;
		h.old_path = m->path;
	}
	h.type = m ? m->type : reader_new_type(s, d, ev, &open);
	known = names_find(d->names, ev->name) != NULL;
	h.replaced = moves_over(s, d, ev->name, h.type);
	moving = make_way(s, d, ev->name, m && m->wd >= 0 ? tree_find(s, m->wd) : NULL);
	if (!(ev->mask & IN_ISDIR) && tree_child(d, ev->name)) {
		if (m)
			move_out(s, m); /* a directory is there by now: it is gone from here, too */
		scan_suspect(s, d);
		return;
	}
	if (m && moving && follow_move(s, moving, d, ev->name)) {
		h.moved = tree_find(s, m->wd);
		told_move(s, d, ev->name, &h);
	} else if (!reader_take(s, d, ev, h.type, &h) && m && m->known) {
		/* That it is here is told already; not that it left. */
		changes_add(
		    s, &(struct happening){.event = FILE_DELETE, .path = m->path, .type = m->type});
	}
	/* What moved in is complete. */
	if (!m && h.type != 'd' && !known)
		changes_report(s, d, ev->name, FILE_CLOSE_WRITE, h.type);
	if (m)
		half_free(m);
}

/* ---- life ------------------------------------------------------------------------------------ */

void moves_init(struct file_source *s)
{
	list_init(&s->moves);
	timer_init(&s->move_timer, CLOCK_OF_LOOP, on_move_timer);
}

void moves_close(struct file_source *s)
{
	if (!s->moves.next)
		return;
	timer_stop(s->base.reactor, &s->move_timer);
	LIST_EACH(at, after, &s->moves)
	half_free(CONTAINER_OF(at, struct half_move, link));
}
