/* The names that something was said of; see touched.h. */
#include "source/file/model/touched.h"

#include "source/file/model/node.h"

#include <stdlib.h>
#include <string.h>

void touches_init(struct touches *t)
{
	table_init(&t->by_name, &table_by_name);
	list_init(&t->order);
}

struct touched *touches_find(const struct touches *t, const struct node *d, const char *name)
{
	return table_find(&t->by_name, &(struct table_name){d, name});
}

struct touched *touches_add(struct touches *t, struct node *d, const char *name)
{
	struct touched *at = touches_find(t, d, name);
	size_t length = strlen(name) + 1;

	if (at)
		return at;
	at = calloc(1, sizeof *at + length);
	if (!at)
		return NULL;
	at->name = memcpy(at->text, name, length);
	at->node = d;
	if (table_add(&t->by_name, at) < 0) {
		free(at);
		return NULL;
	}
	node_hold(d);
	list_append(&t->order, &at->link);
	return at;
}

void touches_drop(struct touches *t, struct touched *at)
{
	table_remove(&t->by_name, at);
	list_remove(&at->link);
	node_release(at->node);
	free(at);
}

void touches_take(struct touches *to, struct touches *from)
{
	struct table empty = to->by_name;

	to->by_name = from->by_name;
	from->by_name = empty;
	if (list_empty(&from->order))
		return;
	to->order = from->order;
	to->order.next->prev = to->order.prev->next = &to->order;
	list_init(&from->order);
}

void touches_free(struct touches *t)
{
	if (!t->order.next)
		return;
	LIST_EACH(at, after, &t->order)
	touches_drop(t, CONTAINER_OF(at, struct touched, link));
	table_free(&t->by_name);
}
