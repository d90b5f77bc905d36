/* See store.h. */
#include "source/relay/udp/store.h"

#include <stdlib.h>
#include <string.h>

void store_init(struct store *s)
{
	list_init(&s->held);
	s->bytes = 0;
}

void held_queue_init(struct held_queue *q)
{
	*q = (struct held_queue){0};
	list_init(&q->held);
}

static void held_free(struct store *s, struct held *h)
{
	s->bytes -= sizeof *h + h->length;
	h->queue->n--;
	list_remove(&h->of_store);
	list_remove(&h->of_queue);
	free(h);
}

static void make_room(struct store *s, size_t size)
{
	LIST_EACH(at, after, &s->held)
	{
		struct held *oldest = CONTAINER_OF(at, struct held, of_store);

		if (s->bytes + size <= STORE_MOST)
			return;
		oldest->queue->dropped++;
		held_free(s, oldest);
	}
}

bool store_add(struct store *s, struct held_queue *q, const void *bytes, size_t length)
{
	struct held *h = q->n < QUEUE_MOST ? malloc(sizeof *h + length) : NULL;

	if (!h)
		return false;
	make_room(s, sizeof *h + length);
	h->queue = q;
	h->length = length;
	memcpy(h->bytes, bytes, length);
	list_append(&s->held, &h->of_store);
	list_append(&q->held, &h->of_queue);
	s->bytes += sizeof *h + length;
	q->n++;
	return true;
}

void store_drop(struct store *s, struct held_queue *q)
{
	LIST_EACH(at, after, &q->held)
	held_free(s, CONTAINER_OF(at, struct held, of_queue));
}
