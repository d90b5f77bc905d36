/* See batch.h. */
#include "job/batch.h"

#include "base/array.h"
#include "base/fd.h"

#include <stdlib.h>

static int events_add(struct batch *b, const struct event *events, size_t n)
{
	if (ARRAY_GROW(b->events, b->capacity, b->n + n) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct event *copy = event_copy(&events[i]);

		if (!copy) {
			while (i-- > 0)
				free(b->events[--b->n]);
			return -1;
		}
		b->events[b->n++] = copy;
	}
	return 0;
}

static int subjects_collect(struct batch *b)
{
	const char **subjects;
	size_t n = 0, at = 0;

	for (size_t i = 0; i < b->n; i++)
		n += b->events[i]->n_subjects;
	subjects = calloc(n + 1, sizeof *subjects);
	if (!subjects)
		return -1;
	for (size_t i = 0; i < b->n; i++)
		for (size_t j = 0; j < b->events[i]->n_subjects; j++)
			subjects[at++] = b->events[i]->subjects[j];
	free(b->subjects);
	b->subjects = subjects;
	b->n_subjects = n;
	return 0;
}

int batch_add(struct batch *b, const struct event *events, size_t n)
{
	size_t before = b->n;

	if (events_add(b, events, n) < 0)
		return -1;
	if (subjects_collect(b) == 0)
		return 0;
	while (b->n > before)
		free(b->events[--b->n]);
	return -1;
}

struct batch *batch_new(const struct event *events, size_t n)
{
	struct batch *b = calloc(1, sizeof *b);

	if (!b)
		return NULL;
	b->references = 1;
	list_init(&b->link);
	if (batch_add(b, events, n) == 0)
		return b;
	free(b->events);
	free(b);
	return NULL;
}

struct batch *batch_hold(struct batch *b)
{
	b->references++;
	return b;
}

void batch_release(struct batch *b)
{
	if (--b->references > 0)
		return;
	for (size_t i = 0; i < b->n; i++) {
		fd_close(&b->events[i]->connection);
		free(b->events[i]);
	}
	free(b->events);
	free(b->subjects);
	free(b);
}
