/* See subjects.h. */
#include "sieve/subjects.h"

#include "event/event.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_SUBJECTS = 100000, SWEPT_AT_ONCE = 2 };

static uint64_t item_hash(const void *item)
{
	return ((const struct subject *)item)->hash;
}

static uint64_t key_hash(const void *key)
{
	return *(const uint64_t *)key;
}

static bool is_equal(const void *item, const void *key)
{
	return item_hash(item) == key_hash(key);
}

void subjects_init(struct subjects *s, const char *rule, const char *option, int64_t keep)
{
	static const struct table_type by_hash = {item_hash, key_hash, is_equal};

	*s = (struct subjects){.rule = rule, .option = option, .keep = keep};
	table_init(&s->table, &by_hash);
	list_init(&s->order);
}

static struct subject *silent_longest(const struct subjects *s)
{
	return CONTAINER_OF(s->order.prev, struct subject, link);
}

static void forget(struct subjects *s, struct subject *subject)
{
	table_remove(&s->table, &subject->hash);
	list_remove(&subject->link);
	free(subject->times);
	free(subject);
}

/* For each subject that comes, up to two silent ones are forgotten, so that their number falls. */
static void sweep(struct subjects *s, int64_t now)
{
	for (int i = 0; i < SWEPT_AT_ONCE && !list_empty(&s->order); i++) {
		if (now - silent_longest(s)->seen <= s->keep)
			return;
		forget(s, silent_longest(s));
	}
}

static void make_room(struct subjects *s)
{
	if (s->table.count < MOST_SUBJECTS)
		return;
	if (!s->warned)
		log_warn(s->rule,
			 "%s: more than %d subjects at a time: those silent longest are forgotten",
			 s->option, MOST_SUBJECTS);
	s->warned = true;
	forget(s, silent_longest(s));
}

static struct subject *add(struct subjects *s, uint64_t hash)
{
	struct subject *subject;

	make_room(s);
	subject = calloc(1, sizeof *subject);
	if (!subject)
		return NULL;
	subject->hash = hash;
	list_init(&subject->link);
	if (table_add(&s->table, subject) == 0)
		return subject;
	free(subject);
	return NULL;
}

struct subject *subjects_see(struct subjects *s, const struct event *event, uint64_t by,
			     int64_t now)
{
	const char *text = by <= event->n_subjects ? event->subjects[by - 1] : "";
	uint64_t hash = hash_bytes(text, strlen(text));
	struct subject *subject;

	sweep(s, now);
	subject = table_find(&s->table, &hash);
	if (!subject)
		subject = add(s, hash);
	if (!subject)
		return NULL;
	subject->seen = now;
	list_remove(&subject->link);
	list_prepend(&s->order, &subject->link);
	return subject;
}

void subjects_free(struct subjects *s)
{
	while (!list_empty(&s->order))
		forget(s, silent_longest(s));
	table_free(&s->table);
}
