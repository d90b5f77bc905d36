/* What each file held when it was last read; see contents.h. */
#include "source/file/batch/contents.h"

#include <stdlib.h>
#include <string.h>

struct held {
	uint64_t name;
	uint64_t content;
};

static uint64_t held_hash(const void *item)
{
	return ((const struct held *)item)->name;
}

static uint64_t name_hash(const void *name)
{
	return *(const uint64_t *)name;
}

static bool held_is(const void *item, const void *name)
{
	return held_hash(item) == name_hash(name);
}

static uint64_t name_of(const struct node *d, const char *name)
{
	struct {
		const struct node *node;
		uint64_t name;
	} both = {d, hash_bytes(name, strlen(name))};

	return hash_bytes(&both, sizeof both);
}

void contents_init(struct contents *c)
{
	static const struct table_type by_name = {held_hash, name_hash, held_is};

	table_init(&c->by_name, &by_name);
}

void contents_free(struct contents *c)
{
	struct held *h;

	for (size_t at = 0; (h = table_next(&c->by_name, &at));)
		free(h);
	table_free(&c->by_name);
}

uint64_t contents_find(const struct contents *c, const struct node *d, const char *name)
{
	uint64_t key = name_of(d, name);
	const struct held *h = table_find(&c->by_name, &key);

	return h ? h->content : 0;
}

static void add(struct contents *c, uint64_t name, uint64_t content)
{
	struct held *h = malloc(sizeof *h);

	if (!h)
		return;
	*h = (struct held){name, content};
	if (table_add(&c->by_name, h) < 0)
		free(h);
}

void contents_keep(struct contents *c, const struct node *d, const char *name, uint64_t content)
{
	uint64_t key = name_of(d, name);
	struct held *h = table_find(&c->by_name, &key);

	if (h && content)
		h->content = content;
	else if (h)
		free(table_remove(&c->by_name, &key));
	else if (content)
		add(c, key, content);
}
