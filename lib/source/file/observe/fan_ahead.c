/* The kernel's events, read ahead; see fan_ahead.h. */
#include "source/file/observe/fan_ahead.h"

#include "base/array.h"

#include <stdlib.h>
#include <unistd.h>

enum { ROOM = 64 * 1024, MOST = 16 << 20, SPARE = 256 * 1024 }; /* bytes */
enum { MOST_READS = 8, MOST_EVENT = 2048 /* bytes */ };

/* ---- words ----------------------------------------------------------------------------------- */

static uint64_t hash_of_key(const void *hash)
{
	return *(const uint64_t *)hash;
}

static uint64_t hash_of_word(const void *word)
{
	return ((const struct fan_word *)word)->hash;
}

static bool word_has_hash(const void *word, const void *hash)
{
	return ((const struct fan_word *)word)->hash == *(const uint64_t *)hash;
}

static bool is_word(uint64_t mask)
{
	return mask & FAN_ONDIR && mask & (FAN_CREATE | FAN_RENAME | FAN_DELETE);
}

/* Without memory a directory is looked for where it is now. */
static void add_word(struct fan_ahead *q, uint64_t hash, size_t at, bool moves)
{
	struct fan_word *first = table_find(&q->words, &hash), *w = calloc(1, sizeof *w);

	if (!w)
		return;
	w->hash = hash;
	w->at = at;
	w->moves = moves;
	w->last = w;
	if (!first && table_add(&q->words, w) < 0) {
		free(w);
		return;
	}
	if (first) {
		first->last->later = w;
		first->last = w;
	}
	*q->end = w;
	q->end = &w->next;
	q->n_moves += moves;
}

static void forget_word(struct fan_ahead *q)
{
	struct fan_word *w = q->first;

	q->first = w->next;
	q->n_moves -= w->moves;
	if (!q->first)
		q->end = &q->first;
	table_remove(&q->words, &w->hash);
	if (w->later) {
		w->later->last = w->last;
		table_add(&q->words, w->later); /* there was room for w */
	}
	free(w);
}

static void note(struct fan_ahead *q, size_t at)
{
	struct fanotify_event_metadata head;
	struct fan_event ev;

	for (size_t place = at; fan_event_head(q->bytes.data, q->bytes.length, &at, &head);
	     place = at) {
		bool word = is_word(head.mask);
		size_t from = place;

		if (!word && !fan_renames_want(&q->renames, head.pid, head.mask))
			continue;
		fan_ahead_event(q, &from, &ev);
		fan_renames_note(&q->renames, place, &ev);
		if (word && ev.target.hash)
			add_word(q, ev.target.hash, place, ev.mask & FAN_RENAME);
	}
}

bool fan_ahead_word(const struct fan_ahead *q, uint64_t hash, struct fan_event *ev)
{
	const struct fan_word *w = table_find(&q->words, &hash);
	size_t at;

	if (!w)
		return false;
	at = w->at;
	return fan_ahead_event(q, &at, ev);
}

/* ---- what happened in a directory ------------------------------------------------------------ */

static int by_dir(const void *a, const void *b)
{
	const struct fan_within *x = a, *y = b;

	if (x->dir != y->dir)
		return x->dir < y->dir ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

static void index_one(struct fan_index *in, uint64_t dir, size_t at)
{
	if (dir && ARRAY_GROW(in->items, in->capacity, in->count + 1) == 0)
		in->items[in->count++] = (struct fan_within){dir, at};
}

/* The directories of the next event that makes, renames or removes something, up to `end`. */
static bool next_structural(const struct fan_ahead *q, size_t *at, size_t *place,
			    struct fan_event *ev)
{
	struct fanotify_event_metadata head;

	for (*place = *at; fan_event_head(q->bytes.data, q->bytes.length, at, &head); *place = *at)
		if (head.mask & (FAN_CREATE | FAN_DELETE | FAN_RENAME)) {
			size_t from = *place;

			return fan_ahead_event(q, &from, ev);
		}
	return false;
}

static void index_all(struct fan_ahead *q)
{
	struct fan_index *in = &q->index;
	struct fan_event ev;
	size_t place;

	in->from = in->to = q->at;
	in->count = 0;
	while (next_structural(q, &in->to, &place, &ev)) {
		index_one(in, ev.dir.hash, place);
		if (ev.mask & FAN_RENAME && ev.to_dir.hash != ev.dir.hash)
			index_one(in, ev.to_dir.hash, place);
	}
	if (in->count)
		qsort(in->items, in->count, sizeof *in->items, by_dir);
}

/* Few events behind the index are looked through, or each event would have it made anew. */
static bool is_indexed(const struct fan_ahead *q)
{
	size_t indexed = q->index.to - q->index.from, behind = q->bytes.length - q->index.to;

	return q->index.from == q->at && q->index.to <= q->bytes.length && behind <= indexed / 4;
}

void fan_ahead_each(struct fan_ahead *q, uint64_t dir, void (*call)(void *data, size_t at),
		    void *data)
{
	struct fan_index *in = &q->index;
	struct fan_event ev;
	size_t low = 0, high, at, place;

	if (!is_indexed(q))
		index_all(q);
	for (high = in->count; low < high;) {
		size_t middle = low + (high - low) / 2;

		if (in->items[middle].dir < dir)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < in->count && in->items[low].dir == dir; low++)
		call(data, in->items[low].at);
	for (at = in->to; next_structural(q, &at, &place, &ev);)
		if (ev.dir.hash == dir || (ev.mask & FAN_RENAME && ev.to_dir.hash == dir))
			call(data, place);
}

/* ---- reading --------------------------------------------------------------------------------- */

void fan_ahead_init(struct fan_ahead *q, int fd)
{
	static const struct table_type by_hash = {hash_of_word, hash_of_key, word_has_hash};

	*q = (struct fan_ahead){.fd = fd, .end = &q->first};
	table_init(&q->words, &by_hash);
	fan_renames_init(&q->renames);
}

void fan_ahead_free(struct fan_ahead *q)
{
	while (q->first)
		forget_word(q);
	table_free(&q->words);
	fan_renames_free(&q->renames);
	free(q->index.items);
	buf_free(&q->bytes);
}

void fan_ahead_forget_words(struct fan_ahead *q)
{
	while (q->first && q->first->at < q->at)
		forget_word(q);
}

void fan_ahead_forget(struct fan_ahead *q)
{
	fan_ahead_forget_words(q);
	fan_renames_forget(&q->renames, q->at);
	if (!fan_ahead_empty(q))
		return;
	if (q->bytes.capacity > SPARE)
		buf_free(&q->bytes);
	buf_clear(&q->bytes);
	q->at = 0;
	q->index.to = SIZE_MAX;
}

bool fan_ahead_full(const struct fan_ahead *q)
{
	return q->bytes.length >= MOST;
}

/* A read that leaves room for one more event has emptied the queue: what comes meanwhile may come
 * for ever. */
bool fan_ahead_fill(struct fan_ahead *q)
{
	size_t before = q->bytes.length;
	bool more = true;

	for (int i = 0; more && i < MOST_READS && !fan_ahead_full(q); i++) {
		ssize_t n = buf_reserve(&q->bytes, ROOM) < 0
				? 0
				: read(q->fd, q->bytes.data + q->bytes.length, ROOM);

		q->bytes.length += n > 0 ? (size_t)n : 0;
		more = n > ROOM - MOST_EVENT;
	}
	q->bytes.failed = false; /* without memory events wait in the kernel */
	note(q, before);
	return more && !fan_ahead_full(q);
}
