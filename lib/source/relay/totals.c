/* See totals.h. */
#include "source/relay/totals.h"

#include "base/buf.h"
#include "base/text.h"
#include "source/relay/state.h"

#include <string.h>

enum { ACCEPTED, REFUSED, CARRIED, OF_RELAY };
enum { CONNECTIONS, CHOSEN, FAILED, BYTES_TO, BYTES_FROM, DOWN, OF_TARGET };

static uint64_t number_at(const struct relay_source *s, size_t place)
{
	const struct target *t;

	switch (place) {
	case ACCEPTED:
		return s->counts.accepted;
	case REFUSED:
		return s->counts.refused;
	case CARRIED:
		return s->counts.carried;
	default:
		break;
	}
	t = &s->targets.all[(place - OF_RELAY) / OF_TARGET];
	switch ((place - OF_RELAY) % OF_TARGET) {
	case CONNECTIONS:
		return t->connections;
	case CHOSEN:
		return t->chosen;
	case FAILED:
		return t->failed;
	case BYTES_TO:
		return t->to;
	case BYTES_FROM:
		return t->from;
	default:
		return atomic_load(t->down);
	}
}

size_t totals_length(const struct relay_source *s)
{
	return OF_RELAY + relay_config(s)->n_targets * OF_TARGET;
}

void totals_read(const struct relay_source *s, uint64_t *row)
{
	for (size_t i = 0; i < totals_length(s); i++)
		row[i] = number_at(s, i);
}

void totals_publish(const struct relay_source *s, atomic_ullong *row)
{
	for (size_t i = 0; i < totals_length(s); i++)
		atomic_store_explicit(&row[i], number_at(s, i), memory_order_relaxed);
}

bool totals_is_gauge(size_t place)
{
	size_t of_target = (place - OF_RELAY) % OF_TARGET;

	return place < OF_RELAY ? place == CARRIED : of_target == CONNECTIONS || of_target == DOWN;
}

/* ---- as JSON --------------------------------------------------------------------------------- */

static void add_target(const struct relay_config *c, size_t i, const uint64_t *row, struct buf *out)
{
	static const char *const names[DOWN] = {"connections", "chosen", "failed", "bytes_to",
						"bytes_from"};
	const char *word = c->targets[i].word;

	buf_add_text(out, i ? ",{\"target\":" : "{\"target\":");
	json_add_string(out, word, strlen(word));
	for (size_t k = 0; k < DOWN; k++)
		buf_printf(out, ",\"%s\":%llu", names[k], (unsigned long long)row[k]);
	if (c->check)
		buf_printf(out, ",\"up\":%s", row[DOWN] ? "false" : "true");
	buf_add_char(out, '}');
}

void totals_add_json(const struct relay_source *s, const uint64_t *row, struct buf *out)
{
	const struct relay_config *c = relay_config(s);

	buf_printf(out, ",\"relay\":{\"connections\":%llu,\"accepted\":%llu,\"refused\":%llu",
		   (unsigned long long)row[CARRIED], (unsigned long long)row[ACCEPTED],
		   (unsigned long long)row[REFUSED]);
	buf_add_text(out, ",\"targets\":[");
	for (size_t i = 0; i < c->n_targets; i++)
		add_target(c, i, row + OF_RELAY + i * OF_TARGET, out);
	buf_add_text(out, "]}");
}
