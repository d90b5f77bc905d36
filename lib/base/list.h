/*
 * Doubly linked lists whose links stand inside their owners: no allocation, removal in O(1).
 * A head is a `struct link` of its own; an empty head points to itself.
 */
#ifndef EVWATCH_BASE_LIST_H
#define EVWATCH_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct link {
	struct link *prev, *next;
};

/* The struct that holds `member` at `pointer`. */
#define CONTAINER_OF(pointer, type, member)                                                        \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* Walks a list; the current entry may be removed (and freed) inside the loop. */
#define LIST_EACH(at, after, head)                                                                 \
	for (struct link *at = (head)->next, *after = at->next; at != (head);                      \
	     at = after, after = at->next)

static inline void list_init(struct link *head)
{
	head->prev = head->next = head;
}

static inline bool list_empty(const struct link *head)
{
	return head->next == head;
}

/* Adds at the end. */
static inline void list_append(struct link *head, struct link *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

/* Adds at the front. */
static inline void list_prepend(struct link *head, struct link *l)
{
	list_append(head->next, l);
}

/* Takes the first entry out of a list that is not empty. */
static inline struct link *list_take(struct link *head)
{
	struct link *first = head->next;

	head->next = first->next;
	first->next->prev = head;
	first->prev = first->next = first;
	return first;
}

/* Takes an entry out; it then points to itself, so that removing it twice does no harm. */
static inline void list_remove(struct link *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	l->prev = l->next = l;
}

#endif
