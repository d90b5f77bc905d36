/*
 * Who has which instance. See inotify.h.
 */
#include "inotify/inner.h"

#include "base/array.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct inotify_set *inotify_set_new(struct reactor *r)
{
	struct inotify_set *set = calloc(1, sizeof *set);

	if (set)
		set->reactor = r;
	return set;
}

void inotify_set_free(struct inotify_set *set)
{
	free(set);
}

/* ---- instances ------------------------------------------------------------------------------- */

/* The descriptor goes with all its watches at once: that is quicker than one by one. */
void instance_free(struct inotify *in)
{
	struct inotify_set *set = in->set;

	for (size_t i = 0; i < set->n_instances; i++)
		if (set->instances[i] == in)
			set->instances[i--] = set->instances[--set->n_instances];
	if (in->fd >= 0)
		io_stop_close(set->reactor, &in->io);
	watches_free(&in->watches);
	free(in->users);
	free(in);
}

/* NULL with errno: EMFILE is the limit of instances, or that of descriptors. */
static struct inotify *instance_new(struct inotify_set *set)
{
	struct inotify *in = calloc(1, sizeof *in);

	if (!in)
		return NULL;
	in->set = set;
	in->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (in->fd < 0 || queue_start(in) < 0) {
		int saved = errno;

		fd_close(&in->fd);
		free(in);
		errno = saved;
		return NULL;
	}
	set->instances[set->n_instances++] = in;
	return in;
}

static bool overlap(const char *a, const char *b)
{
	return strcmp(a, "/") == 0 || strcmp(b, "/") == 0 || path_is_in(a, b) || path_is_in(b, a);
}

static bool users_overlap(const struct inotify_user *a, const struct inotify_user *b)
{
	for (size_t i = 0; i < a->n_roots; i++)
		for (size_t j = 0; j < b->n_roots; j++)
			if (overlap(a->roots[i], b->roots[j]))
				return true;
	return a->n_roots == 0 && b->n_roots == 0;
}

/* The instance of somebody who watches some of the same directories, or NULL. */
static struct inotify *kindred(const struct inotify_set *set, const struct inotify_user *u)
{
	for (size_t i = 0; i < set->n_instances; i++)
		for (size_t k = 0; k < set->instances[i]->places; k++)
			if (set->instances[i]->users[k] &&
			    users_overlap(u, set->instances[i]->users[k]))
				return set->instances[i];
	return NULL;
}

static struct inotify *emptiest(const struct inotify_set *set)
{
	struct inotify *best = NULL;

	for (size_t i = 0; i < set->n_instances; i++)
		if (!best || set->instances[i]->n_users < best->n_users)
			best = set->instances[i];
	return best;
}

/* One place is kept for those that follow single paths. */
static struct inotify *choose(struct inotify_set *set, const struct inotify_user *u)
{
	struct inotify *in = kindred(set, u);

	if (in)
		return in;
	if (set->n_instances < MOST_INSTANCES - (u->n_roots ? 1 : 0))
		in = instance_new(set);
	else
		return emptiest(set);
	if (in || !set->n_instances || !fd_is_short(errno))
		return in;
	limits_warn_instances(set);
	return emptiest(set);
}

/* ---- users ----------------------------------------------------------------------------------- */

static void free_roots(struct inotify_user *u)
{
	for (size_t i = 0; i < u->n_roots; i++)
		free(u->roots[i]);
	free(u->roots);
	u->roots = NULL;
	u->n_roots = 0;
}

static int copy_roots(struct inotify_user *u, char *const *roots, size_t n)
{
	u->n_roots = 0;
	u->roots = n ? calloc(n, sizeof *u->roots) : NULL;
	if (n && !u->roots)
		return -1;
	while (u->n_roots < n) {
		u->roots[u->n_roots] = strdup(roots[u->n_roots]);
		if (!u->roots[u->n_roots])
			return -1;
		u->n_roots++;
	}
	return 0;
}

static int seat(struct inotify *in, struct inotify_user *u)
{
	size_t place = 0;

	while (place < in->places && in->users[place])
		place++;
	if (ARRAY_GROW(in->users, in->capacity, place + 1) < 0)
		return -1;
	if (place == in->places)
		in->places++;
	in->users[place] = u;
	in->n_users++;
	u->on = in;
	u->place = (uint32_t)place;
	u->fed = false;
	return 0;
}

/* The queue is read as early as the first of its users wants it. */
static void set_priority(struct inotify *in)
{
	uint8_t first = PRIORITY_LAST;

	for (size_t i = 0; i < in->places; i++)
		if (in->users[i] && in->users[i]->priority < first)
			first = in->users[i]->priority;
	if (first == in->io.priority)
		return;
	io_stop(in->set->reactor, &in->io);
	in->io.priority = first;
	io_start(in->set->reactor, &in->io); /* it was started before: there is room */
}

int inotify_join(struct inotify_set *set, struct inotify_user *u, char *const *roots, size_t n,
		 struct error *e)
{
	struct inotify *in = NULL;

	if (copy_roots(u, roots, n) < 0) {
		error_errno(e, "cannot watch files");
	} else if ((in = choose(set, u)) == NULL) {
		limits_error(e);
	} else if (seat(in, u) == 0) {
		set_priority(in);
		return 0;
	} else {
		error_errno(e, "cannot watch files");
	}
	free_roots(u);
	if (in && !in->n_users)
		instance_free(in);
	return -1;
}

/* A watch may go with its last listener, and others then change their places. */
static void drop_all(struct inotify *in, uint32_t user)
{
	for (size_t i = 0; in->watches.mask && i <= in->watches.mask;) {
		struct inotify_listener *l =
		    in->watches.slots[i].wd ? in->watches.slots[i].first : NULL;

		while (l && l->user != user)
			l = l->next;
		if (l)
			listener_drop(in, l);
		else
			i++;
	}
}

/* Nobody else is in the instance: its watches go with the descriptor. */
static void stop_all(struct inotify *in)
{
	in->next = NULL;
	for (size_t i = 0; in->watches.mask && i <= in->watches.mask; i++)
		for (struct inotify_listener *l = in->watches.slots[i].first, *next; l; l = next) {
			next = l->next;
			*l = (struct inotify_listener){0};
		}
	watches_free(&in->watches);
}

void inotify_leave(struct inotify_user *u)
{
	struct inotify *in = u->on;

	if (!in)
		return;
	if (in->n_users > 1)
		drop_all(in, u->place);
	else
		stop_all(in);
	in->users[u->place] = NULL;
	in->n_users--;
	u->on = NULL;
	free_roots(u);
	if (in->n_users)
		set_priority(in);
	else if (!in->passing)
		instance_free(in);
}

/* ---- listeners ------------------------------------------------------------------------------- */

int inotify_listen(struct inotify_user *u, struct inotify_listener *l, const char *path,
		   uint32_t mask)
{
	struct inotify *in = u->on;
	struct watch *watch;
	int wd;

	if (watches_reserve(&in->watches) < 0)
		return -1;
	wd = inotify_add_watch(in->fd, path, mask | IN_MASK_ADD);
	if (wd < 0)
		return -1;
	if (wd == l->wd)
		return 0;
	if (inotify_listens(l))
		listener_drop(in, l);
	watch = watches_find(&in->watches, wd);
	if (!watch)
		watch = watches_add(&in->watches, wd);
	l->wd = wd;
	l->user = u->place;
	l->next = watch->first;
	watch->first = l;
	return 0;
}

void inotify_unlisten(struct inotify_user *u, struct inotify_listener *l)
{
	if (inotify_listens(l))
		listener_drop(u->on, l);
}

struct inotify_listener *inotify_other(const struct inotify_user *u,
				       const struct inotify_listener *l)
{
	const struct watch *watch = watches_find(&u->on->watches, l->wd);
	struct inotify_listener *other = watch ? watch->first : NULL;

	while (other && (other == l || other->user != l->user))
		other = other->next;
	return other;
}

size_t inotify_watches(const struct inotify_user *u)
{
	return u->on ? u->on->watches.count : 0;
}
