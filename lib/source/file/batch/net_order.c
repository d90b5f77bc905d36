/*
 * What each name has to tell, and when. A name that comes waits until the directory above it has
 * come, and for what was at its path: that leaves first where it moves elsewhere, or is a directory
 * whose place is to be empty; and a directory leaves after all that was in it. Each of these is a
 * step, and steps that others wait for are on a stack above these.
 *
 * Whatever comes or leaves can do so in the end, as files are created and deleted. Only a move may
 * turn out not to be possible: where there is something at its path that stays for now, and where
 * it waits for itself (exchanges, a directory that goes below itself). Then it is none, and its two
 * ends are reported by themselves, as are those of all names in a directory. As the check is made
 * when the move is to be reported, nothing is ever taken back.
 */
#include "source/file/batch/net_inner.h"

#include "base/array.h"

#include <stdlib.h>
#include <string.h>

/* 1: the caller waits, -1: ENOMEM. */
static int push(struct work *w, struct todo todo)
{
	if (ARRAY_GROW(w->stack, w->stack_capacity, w->n_stack + 1) < 0)
		return -1;
	w->stack[w->n_stack++] = todo;
	return 1;
}

static int wait_for(struct work *w, enum step step, struct record *r)
{
	return push(w, (struct todo){.step = step, .r = r});
}

/* ---- moves ----------------------------------------------------------------------------------- */

static int split(struct work *w, struct thing *t, bool whole)
{
	struct todo names = {.step = STEP_EXPAND, .r = t->at, .whole = whole};

	t->fate = FATE_SPLIT;
	return t->self ? push(w, names) : 0;
}

/* What had to move, and waits for what it is in the way of, does not. */
static int give_up(struct work *w, struct thing *t)
{
	return t->fate == FATE_ASKED ? split(w, t, !w->options->gathers) : 0;
}

static bool both_ends_count(struct work *w, const struct thing *t)
{
	const char *path = net_path(w, t->at, WHEN_NOW);

	if (!path || !net_counts(w, path, t->type))
		return false;
	path = net_path(w, t->origin, WHEN_BEFORE);
	return path && net_counts(w, path, t->type);
}

/* What is at another path than it was may have moved. With `whole` it has not. */
static int consider(struct work *w, struct thing *t, bool whole)
{
	bool counts;

	if (!t || t->fate != FATE_NONE)
		return 0;
	if (!t->origin) {
		t->fate = FATE_SPLIT;
		return 0;
	}
	counts = both_ends_count(w, t);
	if (!counts || whole || !w->options->moves)
		return split(w, t, counts && !w->options->gathers);
	t->fate = FATE_OPEN;
	return 0;
}

static void join_folder(struct work *w, struct record *r, struct thing *was_in)
{
	struct thing *folder = net_folder(w, r);

	if (folder == was_in)
		return;
	list_remove(&r->of_folder);
	list_append(&folder->names, &r->of_folder);
}

/* One that was touched may be in a directory in this one, which was not. */
static int join_next(struct work *w, struct todo *todo)
{
	struct thing *folder = todo->r->now;

	if (!todo->name)
		todo->name = folder->names.next;
	if (todo->name == &folder->names)
		return 0;
	todo->name = todo->name->next;
	join_folder(w, CONTAINER_OF(todo->name->prev, struct record, of_folder), folder);
	return 1;
}

/* One name of a directory. Where that is reported as gone and come, so is what nothing else
 * happened to. */
static int expand(struct work *w, struct todo *todo)
{
	const struct thing *folder = todo->r->now;
	bool whole = todo->whole;
	struct journal_entry e;
	struct record *r;

	if (!w->j->folders->next(folder->self, &todo->entry, &e))
		return join_next(w, todo);
	r = journal_imply(w->j, folder->self, &e);
	if (!r)
		return -1;
	if (r->implied)
		r->by = todo->r->by;
	join_folder(w, r, NULL);
	return consider(w, r->now, whole && r->implied) < 0 ? -1 : 1;
}

/* May it be reported to come where that still is? Without gathering a file's rename onto another is
 * what it is. */
static bool may_replace(struct work *w, const struct thing *t, const struct thing *was)
{
	const char *path;

	if (was->type == 'd')
		return false;
	if (t->type != 'd' && !w->options->gathers)
		return true;
	path = net_path(w, t->at, WHEN_NOW);
	return path && !net_counts(w, path, was->type);
}

static struct thing *still_there(const struct record *before)
{
	return before && !before->left ? before->was : NULL;
}

static int tell_arrival(struct work *w, struct record *r, const struct record *before)
{
	const struct thing *was = before ? before->was : NULL;
	struct place place = {.path = net_path(w, r, WHEN_NOW),
			      .at = r,
			      .before = before,
			      .now = r->now,
			      .emptied = !w->options->gathers && was && was->type == 'd' &&
					 was != r->now && was->under != r->now && !net_moves(was)};

	r->told = true;
	return net_tell(w, &place);
}

static int move(struct work *w, struct record *r)
{
	struct thing *t = r->now, *above, *was;
	struct record *before;

	if (t->fate != FATE_OPEN && t->fate != FATE_ASKED)
		return 0;
	t->fate = FATE_ASKED;
	above = net_untold_above(w, r);
	if (above && (above->fate == FATE_ASKED || above->at->coming))
		return give_up(w, t);
	if (above)
		return wait_for(w, STEP_COME, above->at);
	before = net_before(w, r);
	was = still_there(before);
	if (was && was->fate == FATE_OPEN)
		return wait_for(w, STEP_MOVE, was->at);
	if (was && was != t && (was->fate == FATE_ASKED || !may_replace(w, t, was)))
		return give_up(w, t);
	t->fate = FATE_MOVES;
	t->origin->left = true;
	if (was)
		before->left = true;
	return tell_arrival(w, r, before);
}

/* ---- what comes ------------------------------------------------------------------------------ */

/* A directory comes where another was, with all in it. Where that is reported, and without
 * gathering, it comes to an empty place. */
static bool takes_place(struct work *w, const struct thing *t, const struct thing *was)
{
	const char *path;

	if (t->type != 'd' || was->type != 'd' || net_moves(was))
		return false;
	if (w->options->gathers)
		return true;
	path = net_path(w, t->at, WHEN_NOW);
	return path && !net_counts(w, path, 'd');
}

static bool pair_up(struct work *w, struct thing *t, struct thing *was)
{
	t->paired = true;
	if (!was || !takes_place(w, t, was))
		return false;
	t->over = was;
	was->under = t;
	return true;
}

/* All that are above are paired before. */
static int pair(struct work *w, struct record *r)
{
	struct thing *above = net_unpaired_above(w, r);

	if (above)
		return wait_for(w, STEP_PAIR, above->at);
	pair_up(w, r->now, still_there(net_before(w, r)));
	return 0;
}

/* What still is at its path leaves, or is replaced. */
static int make_way(struct work *w, struct thing *t, struct record *before)
{
	struct thing *was = still_there(before);

	if (!was || t->fate != FATE_SPLIT)
		return 0;
	if (was->fate == FATE_OPEN && was != t)
		return wait_for(w, STEP_MOVE, was->at);
	if (!pair_up(w, t, was) && was->type == 'd')
		return wait_for(w, STEP_LEAVE, before);
	before->left = true;
	return give_up(w, was);
}

/* Is another directory where this one came and went, or another name where this one did? */
static bool is_taken(const struct work *w, struct record *r)
{
	const struct journal_folders *folders = w->j->folders;
	const struct record *now = net_after(w, r);
	struct node *d = r->node;

	for (; !(now && now->now) && folders->is_gone(d) && !journal_thing_of(w->j, d);
	     d = folders->parent(d))
		now = journal_find(w->j, folders->parent(d), folders->name(d));
	return now && now->now;
}

/* Nothing is there now, and what was there has left: else this is reported with that. What came and
 * went in a directory that is gone did so where that was. */
static int tell_nothing(struct work *w, struct record *r)
{
	const struct thing *folder = journal_thing_of(w->j, r->node);
	struct place place = {.at = r, .before = r};

	if (r->was && !r->left)
		return 0;
	r->told = true;
	if (is_taken(w, r))
		return 0;
	place.path = net_path(w, r, folder && !folder->at ? WHEN_TOLD : WHEN_NOW);
	return net_tell(w, &place);
}

static int come(struct work *w, struct record *r)
{
	struct thing *t = r->now, *above;
	struct record *before;
	int result;

	if (r->told)
		return 0;
	above = net_untold_above(w, r);
	if (above)
		return wait_for(w, STEP_COME, above->at);
	if (t && t->fate == FATE_OPEN)
		return wait_for(w, STEP_MOVE, r);
	if (net_waits_wholly(w, r))
		return 0;
	if (!t)
		return tell_nothing(w, r);
	r->coming = true;
	before = net_before(w, r);
	result = make_way(w, t, before);
	return result ? result : tell_arrival(w, r, before);
}

/* ---- what leaves ----------------------------------------------------------------------------- */

/* Is what is now at the path where it was reported there? What waits there, and was there, is the
 * same for now. */
static bool is_succeeded(struct work *w, struct record *r)
{
	const struct record *after = net_after(w, r);

	return after && after->now && (after == r || !net_waits_wholly(w, after));
}

static int tell_departure(struct work *w, struct record *r)
{
	struct place place = {.at = r, .before = r};

	r->left = true;
	r->told = r->told || !r->now;
	if (w->options->gathers && is_succeeded(w, r))
		return 0;
	place.path = net_path(w, r, WHEN_TOLD);
	return net_tell(w, &place);
}

/* One name in a directory: there may be many. What waits itself, to be moved, is asked again. */
static int leave_next(struct work *w, struct thing *folder)
{
	struct record *r = CONTAINER_OF(folder->names.next, struct record, of_folder);

	if (r->left || !r->was)
		list_remove(&r->of_folder);
	return r->left ? 1 : wait_for(w, STEP_LEAVE, r);
}

static int leave(struct work *w, struct record *r)
{
	struct thing *t = r->was;
	int result;

	if (r->left)
		return 0;
	if (!t)
		return r->now || net_untold_above(w, r) ? 0 : come(w, r);
	if (t->fate == FATE_OPEN)
		return wait_for(w, STEP_MOVE, t->at);
	result = give_up(w, t);
	if (result)
		return result;
	if (!list_empty(&t->names))
		return leave_next(w, t);
	return tell_departure(w, r);
}

/* ---- one after the other --------------------------------------------------------------------- */

static int prepare(struct work *w, struct record *r)
{
	journal_adopt(w->j, r->node);
	join_folder(w, r, NULL);
	return r->now && r->now->origin != r ? consider(w, r->now, false) : 0;
}

static int move_folder(struct work *w, struct record *r)
{
	bool open = r->now && r->now->type == 'd' && r->now->fate == FATE_OPEN;

	return open ? wait_for(w, STEP_MOVE, r) : 0;
}

static int move_any(struct work *w, struct record *r)
{
	return r->now && r->now->fate == FATE_OPEN ? wait_for(w, STEP_MOVE, r) : 0;
}

static int pair_folder(struct work *w, struct record *r)
{
	bool comes = r->now && r->now->type == 'd' && r->now->fate == FATE_SPLIT;

	return comes && !r->now->paired ? wait_for(w, STEP_PAIR, r) : 0;
}

static int gone(struct work *w, struct record *r)
{
	if (!r->was || r->left || r->was->fate == FATE_OPEN || is_succeeded(w, r))
		return 0;
	return wait_for(w, STEP_LEAVE, r);
}

static int new (struct work *w, struct record *r)
{
	const struct record *before = r->now ? net_before(w, r) : r;

	return before && before->was ? 0 : wait_for(w, STEP_COME, r);
}

static int any(struct work *w, struct record *r)
{
	return wait_for(w, STEP_COME, r) < 0 ? -1 : gone(w, r);
}

typedef int visit(struct work *w, struct record *r);

/* With a command, and without one. At last what turned out not to have moved. */
static visit *const gathered[] = {prepare, move_folder, move_any, pair_folder,
				  gone,    new,         any,      NULL};
static visit *const printed[] = {prepare, pair_folder, any, any, NULL};

/* What is on top of the stack waits for something, or is done. */
static int step_on(struct work *w)
{
	struct todo *todo = &w->stack[w->n_stack - 1];
	static int (*const steps[])(struct work * w, struct record * r) = {
	    [STEP_MOVE] = move, [STEP_PAIR] = pair, [STEP_COME] = come, [STEP_LEAVE] = leave};
	int result = todo->step == STEP_EXPAND ? expand(w, todo) : steps[todo->step](w, todo->r);

	if (result == 0)
		w->n_stack--;
	return result;
}

/* Directories that are expanded add records at the end meanwhile. */
int net_tell_all(struct work *w)
{
	visit *const *passes = w->options->gathers ? gathered : printed;
	int result = 0;

	for (int n = 0; n < NET_PIECE && passes[w->pass] && result >= 0; n++) {
		if (w->n_stack) {
			result = step_on(w);
		} else if (w->last->next == &w->j->order) {
			w->last = &w->j->order;
			w->pass++;
		} else {
			w->last = w->last->next;
			result = passes[w->pass](w, CONTAINER_OF(w->last, struct record, link));
		}
	}
	return result < 0 ? -1 : passes[w->pass] != NULL;
}
