/* The names that something was said of; see touched.h. */
#include "source/file/model/touched.h"

#include "source/file/model/node.h"

#include <stdlib.h>
#include <string.h>

struct key {
	const struct node *node;
	const char *name;
};

static uint64_t key_hash(const void *key)
{
	const struct key *k = key;

	return hash_bytes(k->name, strlen(k->name)) ^ hash_bytes(&k->node, sizeof k->node);
}

static uint64_t touched_hash(const void *item)
{
	const struct touched *t = item;

	return key_hash(&(struct key){t->node, t->name});
}

static bool touched_is(const void *item, const void *key)
{
	const struct touched *t = item;
	const struct key *k = key;

	return t->node == k->node && strcmp(t->name, k->name) == 0;
}

void touches_init(struct touches *t)
{
	static const struct table_type type = {touched_hash, key_hash, touched_is};

	table_init(&t->by_name, &type);
	list_init(&t->order);
}

struct touched *touches_find(const struct touches *t, const struct node *d, const char *name)
{
	return table_find(&t->by_name, &(struct key){d, name});
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
	memcpy(at->name, name, length);
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
	table_remove(&t->by_name, &(struct key){at->node, at->name});
	list_remove(&at->link);
	node_release(at->node);
	free(at);
}

void touches_free(struct touches *t)
{
	if (!t->order.next)
		return;
	LIST_EACH(at, after, &t->order)
	touches_drop(t, CONTAINER_OF(at, struct touched, link));
	table_free(&t->by_name);
}
