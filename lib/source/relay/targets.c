/* See targets.h. */
#include "source/relay/targets.h"

#include "base/buf.h"

#include <stdlib.h>

int targets_open(struct targets *t, const struct relay_config *c)
{
	*t = (struct targets){.config = c, .all = calloc(c->n_targets, sizeof *t->all)};
	return t->all ? 0 : -1;
}

void targets_close(struct targets *t)
{
	free(t->all);
	t->all = NULL;
}

void targets_enter(struct targets *t, size_t target)
{
	t->all[target].connections++;
	t->all[target].chosen++;
}

void targets_leave(struct targets *t, size_t target)
{
	t->all[target].connections--;
}

/* ---- choosing -------------------------------------------------------------------------------- */

static size_t least_used(const struct targets *t)
{
	size_t best = 0;

	for (size_t i = 1; i < t->config->n_targets; i++)
		if (t->all[i].connections < t->all[best].connections)
			best = i;
	return best;
}

static size_t by_source(const struct address *remote)
{
	struct buf host = {0};
	size_t hash;

	address_add_host(&host, remote);
	/* Not hash_bytes: a client's target is to stay the same over a restart. */
	hash = 5381;
	for (size_t i = 0; i < host.length; i++)
		hash = hash * 33 + (unsigned char)host.data[i];
	buf_free(&host);
	return hash;
}

size_t targets_choose(struct targets *t, const struct address *remote)
{
	size_t n = t->config->n_targets;

	switch (t->config->balance) {
	case BALANCE_FIRST:
		return 0;
	case BALANCE_SOURCE:
		return by_source(remote) % n;
	case BALANCE_LEAST_CONN:
		return least_used(t);
	default:
		return t->turn++ % n;
	}
}
