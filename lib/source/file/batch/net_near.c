/* How names lie to each other, before the batch and now; see net_inner.h. */
#include "source/file/batch/net_inner.h"

/* ---- directories above ----------------------------------------------------------------------- */

struct thing *net_folder(const struct work *w, const struct record *r)
{
	struct thing *t = NULL;

	for (const struct node *d = r->node; d && !t; d = w->j->folders->parent(d))
		t = journal_thing_of(w->j, d);
	return t;
}

/* The uppermost that comes and for which that is not done: above one for which it is, it is for
 * all. */
static struct thing *uppermost(const struct work *w, const struct record *r,
			       bool (*is_done)(const struct thing *t))
{
	struct thing *found = NULL;

	for (const struct node *d = r->node; d; d = w->j->folders->parent(d)) {
		struct thing *t = journal_thing_of(w->j, d);

		if (!t || !t->at || t->fate == FATE_NONE)
			continue;
		if (net_moves(t) || is_done(t))
			break;
		found = t;
	}
	return found;
}

static bool is_told(const struct thing *t)
{
	return t->at->told;
}

static bool is_paired(const struct thing *t)
{
	return t->paired;
}

struct thing *net_untold_above(const struct work *w, const struct record *r)
{
	return uppermost(w, r, is_told);
}

struct thing *net_unpaired_above(const struct work *w, const struct record *r)
{
	return uppermost(w, r, is_paired);
}

/* ---- the same path --------------------------------------------------------------------------- */

/* The record of the name in directory `other`, which has the path of the name's own; else that is
 * the name's record itself, unless the directory has another path than it had. */
static struct record *beside(const struct work *w, struct record *r, const struct thing *folder,
			     const struct thing *other)
{
	if (other)
		return journal_find(w->j, other->self, r->name);
	return folder && folder->fate == FATE_SPLIT && folder->origin ? NULL : r;
}

struct record *net_before(const struct work *w, struct record *r)
{
	const struct thing *folder = journal_thing_of(w->j, r->node);

	return beside(w, r, folder, folder ? folder->over : NULL);
}

struct record *net_after(const struct work *w, struct record *r)
{
	const struct thing *folder = journal_thing_of(w->j, r->node);

	return beside(w, r, folder, folder ? folder->under : NULL);
}
