/* See rejoin.h. */
#include "source/file/batch/rejoin.h"

bool rejoin_is_possible(const struct net *net)
{
	for (size_t i = 0; i < net->count; i++) {
		const struct effect *e = &net->items[i];

		if (e->was == 'd' || (e->event == FILE_MOVE && e->type == 'd'))
			return false;
	}
	return true;
}

struct record *rejoin_find(const struct journal *j, const struct effect *e)
{
	return journal_find(j, e->node, net_name(j->folders, e->node, e->path));
}

/* What stood at a name before the effect, and is gone. */
static struct thing *gone(struct journal *j, struct record *r, char type)
{
	struct thing *t = type ? journal_thing_new(j, type, NULL, r) : NULL;

	if (t)
		t->at = NULL;
	return t;
}

/* The name that what moved had, if nothing else left it since: another effect reports that. */
static struct record *origin_of(struct journal *j, const struct effect *e)
{
	const char *name;
	struct record *r;

	if (e->event != FILE_MOVE || !e->old_node)
		return NULL;
	name = net_name(j->folders, e->old_node, e->old_path);
	r = journal_find(j, e->old_node, name);
	if (!r)
		r = journal_record_new(j, e->old_node, name, 0, NULL);
	return r && !r->was ? r : NULL;
}

/* It came to the name with the effect. */
static void put_arrival_back(struct journal *j, struct record *r, const struct effect *e)
{
	struct thing *t = r->was;

	t->origin = origin_of(j, e);
	if (t->origin)
		t->origin->was = journal_hold(t);
	r->was = gone(j, r, e->was);
	journal_release(j, t);
}

void rejoin(struct journal *j, const struct effect *e)
{
	struct record *r = rejoin_find(j, e);

	if (!r)
		r = journal_record_new(j, e->node, net_name(j->folders, e->node, e->path),
				       e->event == FILE_DELETE ? 0 : e->type, NULL);
	if (!r)
		return;
	r->in_run &= e->in_run;
	r->notices |= e->notices;
	if (e->event == FILE_DELETE) {
		if (!r->was)
			r->was = gone(j, r, e->was);
		return;
	}
	if (!r->was)
		return;
	r->was->seen |= e->seen;
	if (e->event)
		put_arrival_back(j, r, e);
}
