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

/* ---- which instance -------------------------------------------------------------------------- */

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

void inotify_leave(struct inotify_user *u)
{
	struct inotify *in = u->on;

	if (!in)
		return;
	instance_drop_all(in, u->place);
	in->users[u->place] = NULL;
	in->n_users--;
	u->on = NULL;
	free_roots(u);
	if (in->n_users)
		set_priority(in);
	else if (!in->passing)
		instance_free(in);
}
