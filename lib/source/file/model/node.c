/* Nodes: the directories that are entered, and their paths; see node.h. */
#include "source/file/model/node.h"

#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

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

/* The entries were copied: each node of them is elsewhere. */
static void replace_all(const struct node *d)
{
	struct entry *e;

	for (uint32_t at = 0; (e = entries_next(d->entries, &at));)
		if (e->entered)
			e->node->place = entries_place(d->entries, e);
}

struct entry *node_add(struct node *d, const char *name, bool stamped)
{
	const struct entries *before = d->entries;
	struct entry *e = entries_add(&d->entries, name, stamped);

	if (e && before != d->entries)
		replace_all(d);
	return e;
}

int node_stamp(struct node *d)
{
	if (entries_stamp_all(&d->entries) < 0)
		return -1;
	replace_all(d);
	return 0;
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
			entries_remove(&parent->entries, node_entry(n));
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
