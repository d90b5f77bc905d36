/* See totals.h. */
#include "source/relay/totals.h"

#include "base/buf.h"
#include "base/text.h"
#include "source/relay/config.h"

#include <inttypes.h>
#include <string.h>

size_t totals_size(const struct relay_config *c)
{
	return sizeof(struct totals) + c->n_targets * sizeof(struct pool_counts);
}

void totals_add(struct totals *sum, const struct totals *more, const struct relay_config *c)
{
	sum->carried += more->carried;
	sum->accepted += more->accepted;
	sum->refused += more->refused;
	for (size_t i = 0; i < c->n_targets; i++) {
		const struct pool_counts *from = &more->targets[i];
		struct pool_counts *to = &sum->targets[i];

		to->connections += from->connections;
		to->chosen += from->chosen;
		to->failed += from->failed;
		to->to += from->to;
		to->from += from->from;
		to->down += from->down;
	}
}

void totals_settle(struct totals *t, const struct relay_config *c)
{
	t->carried = 0;
	for (size_t i = 0; i < c->n_targets; i++)
		t->targets[i].connections = 0;
}

static void add_target(const struct pool_counts *t, const struct relay_config *c, const char *word,
		       struct buf *out)
{
	buf_add_text(out, "{\"target\":");
	json_add_string(out, word, strlen(word));
	buf_printf(out,
		   ",\"connections\":%" PRIu64 ",\"chosen\":%" PRIu64 ",\"failed\":%" PRIu64
		   ",\"bytes_to\":%" PRIu64 ",\"bytes_from\":%" PRIu64,
		   t->connections, t->chosen, t->failed, t->to, t->from);
	if (c->check)
		buf_add_text(out, t->down ? ",\"up\":false" : ",\"up\":true");
	buf_add_char(out, '}');
}

void totals_add_json(const struct totals *t, const struct relay_config *c, struct buf *out)
{
	buf_printf(out,
		   ",\"relay\":{\"connections\":%" PRIu64 ",\"accepted\":%" PRIu64
		   ",\"refused\":%" PRIu64 ",\"targets\":",
		   t->carried, t->accepted, t->refused);
	for (size_t i = 0; i < c->n_targets; i++) {
		buf_add_char(out, i ? ',' : '[');
		add_target(&t->targets[i], c, c->targets[i].word, out);
	}
	buf_add_text(out, "]}");
}
