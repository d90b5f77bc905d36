/* See batch.h. */
#include "job/batch.h"

#include "base/array.h"
#include "base/fd.h"

#include <stdlib.h>
#include <string.h>

/* The copies of events that were added together: a large batch is freed by few calls. */
struct batch_block {
	struct batch_block *next;
	_Alignas(max_align_t) char room[];
};

static int reserve(struct batch *b, size_t events, size_t subjects)
{
	if (ARRAY_GROW(b->events, b->capacity, b->n + events) < 0)
		return -1;
	return ARRAY_GROW(b->subjects, b->subjects_capacity, b->n_subjects + subjects + 1);
}

static void place(struct batch *b, const struct event *event, char *room)
{
	struct event *copy = event_place(event, room);

	b->events[b->n++] = copy;
	for (size_t i = 0; i < copy->n_subjects; i++)
		b->subjects[b->n_subjects++] = copy->subjects[i];
	b->connected |= copy->connection >= 0;
}

int batch_add(struct batch *b, const struct event *events, size_t n)
{
	size_t size = 0, subjects = 0;
	struct batch_block *block;
	char *room;

	for (size_t i = 0; i < n; i++) {
		size += event_size(&events[i]);
		subjects += events[i].n_subjects;
	}
	block = reserve(b, n, subjects) < 0 ? NULL : malloc(sizeof *block + size);
	if (!block)
		return -1;
	block->next = b->blocks;
	b->blocks = block;
	room = block->room;
	for (size_t i = 0; i < n; i++) {
		place(b, &events[i], room);
		room += event_size(&events[i]);
	}
	return 0;
}

static void free_blocks(struct batch *b)
{
	while (b->blocks) {
		struct batch_block *block = b->blocks;

		b->blocks = block->next;
		free(block);
	}
	free(b->events);
	free(b->subjects);
	free(b);
}

int batch_join(struct batch *b, struct batch *more)
{
	struct batch_block **last = &more->blocks;

	if (reserve(b, more->n, more->n_subjects) < 0)
		return -1;
	memcpy(b->events + b->n, more->events, more->n * sizeof *b->events);
	memcpy(b->subjects + b->n_subjects, more->subjects, more->n_subjects * sizeof *b->subjects);
	b->n += more->n;
	b->n_subjects += more->n_subjects;
	b->connected |= more->connected;
	while (*last)
		last = &(*last)->next;
	*last = b->blocks;
	b->blocks = more->blocks;
	more->blocks = NULL;
	free_blocks(more);
	return 0;
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
	free_blocks(b);
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
	for (size_t i = 0; b->connected && i < b->n; i++)
		fd_close(&b->events[i]->connection);
	free_blocks(b);
}
