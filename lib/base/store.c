/* See store.h. */
#include "base/store.h"

#include <string.h>

void store_init(struct store *s, size_t bytes_most, uint32_t queue_most)
{
	*s = (struct store){.bytes_most = bytes_most, .queue_most = queue_most};
	list_init(&s->queues);
}

bool store_add(struct store *s, struct held_queue *q, const void *bytes, uint32_t length)
{
	size_t before = q->bytes.capacity;

	if (q->n == s->queue_most || buf_reserve(&q->bytes, sizeof length + length) < 0)
		return false;
	buf_add(&q->bytes, &length, sizeof length);
	buf_add(&q->bytes, bytes, length);
	q->n++;
	s->bytes += q->bytes.capacity - before;
	list_remove(&q->link);
	list_append(&s->queues, &q->link);
	while (s->bytes > s->bytes_most) {
		struct held_queue *first = CONTAINER_OF(s->queues.next, struct held_queue, link);

		first->dropped += first->n;
		store_drop(s, first);
	}
	return true;
}

void store_drop(struct store *s, struct held_queue *q)
{
	s->bytes -= q->bytes.capacity;
	buf_free(&q->bytes);
	q->n = 0;
	list_remove(&q->link);
}

const char *held_next(const struct held_queue *q, size_t *at, uint32_t *length)
{
	const char *head;

	if (*at >= q->bytes.length)
		return NULL;
	head = q->bytes.data + *at;
	memcpy(length, head, sizeof *length);
	*at += sizeof *length + *length;
	return head + sizeof *length;
}
