/* Nodes, the names in them, and their paths; see node.h. */
#include "source/file/model/node.h"

#include "base/buf.h"
#include "base/table.h"

#include <stdlib.h>
#include <string.h>

/* ---- the names in a directory ---------------------------------------------------------------- */

struct entries {
	uint32_t count, mask; /* names; slots - 1 */
	uint32_t used, room, waste;
	uint32_t cursor; /* entries_any: no slot before it is taken */
	bool stamped;
	uint32_t slots[]; /* place of an entry + 1; 0: free. The entries follow. */
};

enum { HEAD = offsetof(struct entry, name), ALIGN = 8, LEAST_MASK = 3 };

static char *text_of(const struct entries *set)
{
	size_t start = offsetof(struct entries, slots) + sizeof(uint32_t) * ((size_t)set->mask + 1);

	return (char *)set + (start + ALIGN - 1) / ALIGN * ALIGN;
}

static struct entry *entries_at(const struct entries *set, uint32_t place)
{
	return (struct entry *)(void *)(text_of(set) + place);
}

static uint32_t entries_place(const struct entries *set, const struct entry *e)
{
	return (uint32_t)((const char *)e - text_of(set));
}

struct stamp *entries_stamp(const struct entries *set, struct entry *e)
{
	return set->stamped ? (struct stamp *)(void *)e - 1 : NULL;
}

static uint32_t entries_count(const struct entries *set)
{
	return set ? set->count : 0;
}

void entries_free(struct entries **set)
{
	free(*set);
	*set = NULL;
}

/* Four fifths of the slots are taken at most: a search for what is not there stays short. */
static bool has_slots(uint32_t mask, uint32_t count)
{
	return (uint64_t)count * 5 <= ((uint64_t)mask + 1) * 4;
}

static uint32_t size_of(const char *name, bool stamped)
{
	size_t bytes = HEAD + strlen(name) + 1 + (stamped ? sizeof(struct stamp) : 0);

	return (uint32_t)((bytes + ALIGN - 1) / ALIGN * ALIGN);
}

static uint32_t home_of(const struct entries *set, const char *name)
{
	return (uint32_t)(hash_bytes(name, strlen(name)) >> 20) & set->mask;
}

static uint32_t slot_of(const struct entries *set, const char *name)
{
	uint32_t i = home_of(set, name);

	while (set->slots[i] && strcmp(entries_at(set, set->slots[i] - 1)->name, name) != 0)
		i = (i + 1) & set->mask;
	return i;
}

struct entry *entries_find(const struct entries *set, const char *name)
{
	uint32_t slot;

	if (!set)
		return NULL;
	slot = slot_of(set, name);
	return set->slots[slot] ? entries_at(set, set->slots[slot] - 1) : NULL;
}

static struct entry *append(struct entries *set, const char *name)
{
	uint32_t place = set->used + (set->stamped ? (uint32_t)sizeof(struct stamp) : 0);
	uint32_t slot = slot_of(set, name);
	struct entry *e = entries_at(set, place);

	memcpy(e->name, name, strlen(name) + 1);
	set->slots[slot] = place + 1;
	set->used += size_of(name, set->stamped);
	set->count++;
	if (slot < set->cursor)
		set->cursor = slot;
	return e;
}

static void copy_all(struct entries *to, const struct entries *from)
{
	struct entry *e;

	for (uint32_t at = 0; (e = entries_next(from, &at));) {
		struct entry *copy = append(to, e->name);
		struct stamp *stamp = entries_stamp(to, copy);
		const struct stamp *known = entries_stamp(from, e);

		memcpy(copy, e, HEAD);
		if (copy->entered)
			copy->node->place = entries_place(to, copy);
		if (stamp && known)
			*stamp = *known;
	}
}

/* A new block without holes, with room for `more` bytes and a half beyond what it holds. */
static int grow(struct entries **set, uint32_t more, bool stamped)
{
	const struct entries *old = *set;
	uint32_t count = entries_count(old) + 1, live = old ? old->used - old->waste : 0;
	uint32_t mask = LEAST_MASK, room;
	struct entries *grown;

	if (old && stamped && !old->stamped)
		live += old->count * (uint32_t)sizeof(struct stamp);
	room = live + more + live / 2;
	while (!has_slots(mask, count))
		mask = mask * 2 + 1;
	grown = calloc(1, offsetof(struct entries, slots) + (mask + 1) * sizeof(uint32_t) + ALIGN +
			      room);
	if (!grown)
		return -1;
	grown->mask = mask;
	grown->room = room;
	grown->stamped = stamped;
	if (old)
		copy_all(grown, old);
	entries_free(set);
	*set = grown;
	return 0;
}

struct entry *node_add(struct node *d, const char *name, bool stamped)
{
	const struct entries *old = d->entries;
	uint32_t size = size_of(name, old ? old->stamped : stamped);

	if ((!old || !has_slots(old->mask, old->count + 1) || old->room - old->used < size) &&
	    grow(&d->entries, size, old ? old->stamped : stamped) < 0)
		return NULL;
	return append(d->entries, name);
}

void entries_fit(struct entries **of)
{
	struct entries *set = *of;
	struct entries *fit =
	    set ? realloc(set, (size_t)(text_of(set) - (char *)set) + set->used) : NULL;

	if (!fit)
		return;
	fit->room = fit->used;
	*of = fit;
}

int node_stamp(struct node *d)
{
	struct entry *e;

	if (d->entries && !d->entries->stamped)
		return grow(&d->entries, 0, true);
	for (uint32_t at = 0; (e = entries_next(d->entries, &at));)
		*entries_stamp(d->entries, e) = (struct stamp){0};
	return 0;
}

void entries_remove(struct entries **of, struct entry *e)
{
	struct entries *set = *of;
	uint32_t hole = slot_of(set, e->name), i = hole;

	set->waste += size_of(e->name, set->stamped);
	for (;;) {
		i = (i + 1) & set->mask;
		if (!set->slots[i])
			break;
		if (((i - home_of(set, entries_at(set, set->slots[i] - 1)->name)) & set->mask) <
		    ((i - hole) & set->mask))
			continue;
		set->slots[hole] = set->slots[i];
		if (hole < set->cursor)
			set->cursor = hole;
		hole = i;
	}
	set->slots[hole] = 0;
	if (--set->count == 0)
		entries_free(of);
}

struct entry *entries_next(const struct entries *set, uint32_t *at)
{
	while (set && *at <= set->mask) {
		uint32_t slot = (*at)++;

		if (set->slots[slot])
			return entries_at(set, set->slots[slot] - 1);
	}
	return NULL;
}

struct entry *entries_any(struct entries *set)
{
	while (set && set->cursor <= set->mask) {
		if (set->slots[set->cursor])
			return entries_at(set, set->slots[set->cursor] - 1);
		set->cursor++;
	}
	return NULL;
}

/* ---- nodes ----------------------------------------------------------------------------------- */

struct node *node_new(void)
{
	return calloc(1, sizeof(struct node));
}

void node_attach(struct node *d, struct entry *e, struct node *n)
{
	if (n->in_hand) {
		n->in_hand = false;
		free(n->last);
		node_release(n->parent);
	}
	e->type = 'd';
	e->entered = true;
	e->node = n;
	n->parent = d;
	n->place = entries_place(d->entries, e);
}

void node_detach(struct node *d, struct entry *e)
{
	struct node *n = e->node;

	e->entered = false;
	e->sure = true;
	e->inode = n->identity.inode;
	n->in_hand = true;
	n->last = strdup(e->name);
	node_hold(d);
}

void node_remove(struct node *d, struct entry *e)
{
	if (e->entered)
		node_detach(d, e);
	entries_remove(&d->entries, e);
}

struct node *node_hold(struct node *n)
{
	n->holds++;
	return n;
}

static void node_free(struct node *n)
{
	entries_free(&n->entries);
	if (n->gone)
		free(n->last);
	free(n);
}

/* Upward without recursion: what is gone holds what was above it. */
void node_release(struct node *n)
{
	while (n) {
		struct node *parent = n->parent;

		if (n->holds)
			n->holds--;
		if (n->holds || !n->gone)
			return;
		node_free(n);
		n = parent;
	}
}

void node_retire(struct node *n)
{
	n->in_hand = false;
	n->gone = true;
	n->holds++;
	node_release(n);
}

void node_free_all(struct node *top)
{
	struct node *n = top;

	while (n) {
		struct entry *e = entries_any(n->entries);
		struct node *parent = n->parent;

		if (e && e->entered) {
			n = e->node;
			continue;
		}
		if (e) {
			entries_remove(&n->entries, e);
			continue;
		}
		if (parent)
			entries_remove(&parent->entries, entries_at(parent->entries, n->place));
		node_free(n);
		n = n == top ? NULL : parent;
	}
}

const char *node_name(const struct node *n)
{
	const char *last = n->last;

	if (n->gone || n->in_hand)
		return last ? last : "?";
	return n->parent ? node_entry(n)->name : "";
}

struct entry *node_entry(const struct node *n)
{
	return n->parent && !n->gone && !n->in_hand ? entries_at(n->parent->entries, n->place)
						    : NULL;
}

/* The bytes of a path of this node, with what is to follow it. */
static size_t path_length(const struct node *n, const char *name)
{
	size_t length = name ? strlen(name) : 0;

	for (const struct node *at = n; at->parent; at = at->parent)
		length += strlen(node_name(at)) + 1;
	return length;
}

/* Backwards, with no recursion: a tree may be as deep as its maker likes. */
size_t node_path(const struct node *n, const char *name, struct buf *out)
{
	size_t length = path_length(n, name), root = 0;
	char *end;

	if (buf_reserve(out, length + 1) < 0)
		return 0;
	end = out->data + out->length + length;
	*end = '\0';
	for (const char *part = name; part || n->parent; part = NULL) {
		if (!part) {
			part = node_name(n);
			n = n->parent;
		}
		root = strlen(part);
		end -= root;
		memcpy(end, part, root);
		if (!n->parent)
			break;
		*--end = '/';
	}
	/* A node's own path has no slash behind it, and its length counted one. */
	length = strlen(end);
	memmove(out->data + out->length, end, length + 1);
	/* A root that ends with a slash ("/", "src/") needs no other. */
	if (root && root < length && end[0] && out->data[out->length + root - 1] == '/') {
		memmove(out->data + out->length + root, out->data + out->length + root + 1,
			length - root);
		length--;
	}
	out->length += length;
	return root;
}

unsigned node_depth(const struct node *n)
{
	unsigned depth = 0;

	while (n->parent) {
		n = n->parent;
		depth++;
	}
	return depth;
}
