/*
 * The order of the effects. What comes above a path is reported before what comes to it, what was
 * at a path leaves before another comes, and a directory is gone after all that was in it is gone
 * or has moved out. Each of these is a step that waits for others; else all is as it is ranked.
 */
#include "source/file/batch/net_inner.h"

#include "base/array.h"

#include <stdlib.h>
#include <string.h>

/* ---- what a step waits for ------------------------------------------------------------------- */

/* It waits for itself: one of the moves on the way is not to be reported. 0: there is none. */
static int break_circle(struct work *w)
{
	for (size_t i = w->n_stack; i-- > 0;) {
		struct thing *now = net_now(w->stack[i].slot);

		if (w->stack[i].step == STEP_COME && net_moves(now)) {
			now->barred = w->again = true;
			return -1;
		}
	}
	return 0;
}

/* 1: it is to be done first, 0: it is done, -1: ENOMEM or again. */
static int wait_for(struct work *w, struct slot *s, enum step step)
{
	if (!s->now)
		step = STEP_LEAVE;
	if (s->done[step])
		return 0;
	if (s->opened[step])
		return break_circle(w);
	if (ARRAY_GROW(w->stack, w->stack_capacity, w->n_stack + 1) < 0)
		return -1;
	w->stack[w->n_stack++] = (struct net_todo){s, step};
	return 1;
}

/* Does something come to this path? */
static bool is_arrival(const struct slot *s)
{
	return s->now && (s->cleared || net_moves(net_now(s)) || net_was(s) != net_now(s));
}

/* What is gone from a directory that is replaced went before that. */
static bool comes_first(const struct slot *above, const struct slot *s, enum step step)
{
	return step == STEP_COME || net_moves(net_now(above)) || (!net_was(s) && !net_was(above));
}

static int wait_for_above(struct work *w, const struct slot *s, enum step step)
{
	for (struct slot *above = s->above; above; above = above->above)
		if (is_arrival(above) && comes_first(above, s, step))
			return wait_for(w, above, STEP_COME);
	return 0;
}

/* A directory that is replaced is emptied before, but with gathering by another one. */
static bool is_emptied(const struct work *w, const struct slot *s)
{
	const struct thing *was = net_was(s), *now = net_now(s);

	return was && was->type == 'd' && was != now && !net_moves(was) &&
	       (now->type != 'd' || (!w->options->gathers && net_counts(w, s->path, 'd')));
}

static int wait_to_come(struct work *w, struct slot *s)
{
	const struct thing *was = net_was(s);
	int result = 0;

	if (net_moves(was) && was != net_now(s) && was->slot)
		result = wait_for(w, was->slot, STEP_COME);
	if (result == 0 && is_emptied(w, s))
		result = wait_for(w, s, STEP_LEAVE);
	return result ? result : wait_for_above(w, s, STEP_COME);
}

/* Is anything to leave the path, or one below it? What is below a directory that moves there came
 * with it. */
static bool leaves(const struct slot *s)
{
	const struct thing *was = net_was(s);

	return !s->now || (was && !net_moves(was) && !(was->type == 'd' && net_moves(net_now(s))));
}

/* One at a time: there may be many. */
static int wait_to_leave(struct work *w, struct slot *s)
{
	struct slot *first = NULL;
	enum step step = STEP_COME;

	if (!list_empty(&s->movers)) {
		first = CONTAINER_OF(list_take(&s->movers), struct slot, of_mover);
	} else if (!list_empty(&s->below)) {
		first = CONTAINER_OF(list_take(&s->below), struct slot, of_below);
		step = STEP_LEAVE;
	}
	if (!first)
		return wait_for_above(w, s, STEP_LEAVE);
	return (step == STEP_COME || leaves(first)) && wait_for(w, first, step) < 0 ? -1 : 1;
}

/* ---- one after the other --------------------------------------------------------------------- */

/* What was there is gone, whatever comes then; with gathering that is one effect. */
static int clear(struct work *w, struct slot *s)
{
	const struct thing *was = net_was(s);
	struct effect e = {.event = FILE_DELETE,
			   .in_run = s->touched->in_run,
			   .since = s->touched->since,
			   .by = s->touched->by};

	if (w->options->gathers)
		return 0;
	s->cleared = true;
	if (!net_counts(w, s->path, was->type))
		return 0;
	e.type = was->type;
	e.seen = was->seen;
	return net_append(w, s, &e);
}

static int do_step(struct work *w, const struct net_todo *todo)
{
	struct slot *s = todo->slot;

	s->done[todo->step] = true;
	return todo->step == STEP_LEAVE && s->now ? clear(w, s) : net_add_effect(w, s);
}

/* What is on top of the stack waits for something, or is done. */
static int step_on(struct work *w)
{
	struct net_todo todo = w->stack[w->n_stack - 1];
	int result;

	todo.slot->opened[todo.step] = true;
	result = todo.step == STEP_LEAVE ? wait_to_leave(w, todo.slot) : wait_to_come(w, todo.slot);
	if (result)
		return result;
	w->n_stack--;
	return do_step(w, &todo);
}

int net_put_in_order(struct work *w)
{
	size_t *rank = &w->progress.i;
	int result = 0;

	for (int n = 0; n < NET_PIECE && *rank < RANKS && result >= 0; n++) {
		if (w->n_stack)
			result = step_on(w);
		else if (list_empty(&w->ranks[*rank]))
			++*rank;
		else
			result = wait_for(
			    w, CONTAINER_OF(list_take(&w->ranks[*rank]), struct slot, link),
			    STEP_COME);
	}
	return result < 0 ? -1 : *rank < RANKS;
}
