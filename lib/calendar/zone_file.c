/*
 * See zone_file.h. Nothing in the file is trusted: every count is checked against what is there.
 * Transitions that change no offset (a new abbreviation alone) are left out, so that segments are
 * as long as they can be.
 */
#include "calendar/zone_file.h"

#include "calendar/zone.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_SIZE = 44, TYPE_SIZE = 6 };

/* One of the file's blocks: 4-byte times first, and from version 2 on 8-byte times again. */
struct block {
	const unsigned char *times, *indices, *types, *end;
	size_t time_size, n_times, n_types, n_leaps;
};

static uint32_t big_endian_32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t time_at(const struct block *b, size_t i)
{
	const unsigned char *p = b->times + i * b->time_size;

	if (b->time_size == 4)
		return (int32_t)big_endian_32(p);
	return (int64_t)((uint64_t)big_endian_32(p) << 32 | big_endian_32(p + 4));
}

static int32_t offset_at(const struct block *b, size_t type)
{
	return (int32_t)big_endian_32(b->types + type * TYPE_SIZE);
}

/* Finds the parts of the block whose header is at `p`; false when they do not fit. */
static bool block_open(struct block *b, const unsigned char *p, const unsigned char *end,
		       size_t time_size)
{
	size_t counts[6], rest; /* isut, isstd, leap, time, type, char */

	if (end - p < HEADER_SIZE || memcmp(p, "TZif", 4) != 0)
		return false;
	for (size_t i = 0; i < 6; i++) {
		counts[i] = big_endian_32(p + 20 + 4 * i);
		if (counts[i] > 100000)
			return false;
	}
	*b = (struct block){.time_size = time_size,
			    .n_leaps = counts[2],
			    .n_times = counts[3],
			    .n_types = counts[4]};
	b->times = p + HEADER_SIZE;
	rest = b->n_times * (time_size + 1) + b->n_types * TYPE_SIZE + counts[5] +
	       b->n_leaps * (time_size + 4) + counts[1] + counts[0];
	if (b->n_types == 0 || (size_t)(end - b->times) < rest)
		return false;
	b->indices = b->times + b->n_times * time_size;
	b->types = b->indices + b->n_times;
	b->end = b->times + rest;
	for (size_t i = 0; i < b->n_times; i++)
		if (b->indices[i] >= b->n_types || (i && time_at(b, i) <= time_at(b, i - 1)))
			return false;
	return true;
}

static const char *block_copy(struct zone_table *t, const struct block *b)
{
	int32_t offset = offset_at(b, 0);

	t->before = offset;
	t->last = b->n_times ? time_at(b, b->n_times - 1) : INT64_MIN;
	t->at = calloc(b->n_times + 1, sizeof *t->at);
	t->offsets = calloc(b->n_times + 1, sizeof *t->offsets);
	if (!t->at || !t->offsets)
		return strerror(ENOMEM);
	for (size_t i = 0; i < b->n_times; i++) {
		int32_t next = offset_at(b, b->indices[i]);

		if (next < -26 * 3600 || next > 26 * 3600) /* RFC 8536, 3.2: the range in use */
			return "an offset is out of range";
		if (next == offset)
			continue;
		t->at[t->count] = time_at(b, i);
		t->offsets[t->count++] = offset = next;
	}
	return NULL;
}

/* The line between two line breaks at the end; an empty one is no rule. */
static const char *footer_read(struct zone_table *t, const unsigned char *p,
			       const unsigned char *end)
{
	char text[128];
	const unsigned char *stop;

	if (p == end || *p++ != '\n')
		return "its footer is missing";
	stop = memchr(p, '\n', (size_t)(end - p));
	if (!stop || (size_t)(stop - p) >= sizeof text)
		return "its footer has no end";
	memcpy(text, p, (size_t)(stop - p));
	text[stop - p] = '\0';
	t->has_rule = *text != '\0';
	return t->has_rule && zone_rule_parse(&t->rule, text) < 0 ? "its footer is no rule" : NULL;
}

const char *zone_table_read(struct zone_table *t, const unsigned char *bytes, size_t length)
{
	const unsigned char *end = bytes + length;
	const char *wrong = NULL;
	struct block b;

	memset(t, 0, sizeof *t);
	if (!block_open(&b, bytes, end, 4))
		return "not a time zone file";
	if (bytes[4] >= '2' && !block_open(&b, b.end, end, 8))
		return "a damaged time zone file";
	if (b.n_leaps)
		return "it counts leap seconds, which the system's clock does not";
	wrong = block_copy(t, &b);
	if (!wrong && bytes[4] >= '2')
		wrong = footer_read(t, b.end, end);
	if (wrong)
		zone_table_free(t);
	return wrong;
}

void zone_table_free(struct zone_table *t)
{
	free(t->at);
	free(t->offsets);
	memset(t, 0, sizeof *t);
}

/* The number of transitions at or before `at`. */
static size_t transitions_until(const struct zone_table *t, int64_t at)
{
	size_t low = 0, high = t->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (t->at[middle] <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void zone_table_find(const struct zone_table *t, int64_t at, struct zone_segment *segment)
{
	size_t n;

	if (t->has_rule && at >= t->last) {
		zone_rule_find(&t->rule, at, segment);
		if (segment->start < t->last)
			segment->start = t->last;
		return;
	}
	n = transitions_until(t, at);
	segment->start = n ? t->at[n - 1] : INT64_MIN;
	segment->offset = n ? t->offsets[n - 1] : t->before;
	segment->end = n < t->count ? t->at[n] : t->has_rule ? t->last : INT64_MAX;
}
