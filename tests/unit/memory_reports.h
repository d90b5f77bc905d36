/*
 * What the model reports, replayed: at the end it must be the tree. A report that does not fit into
 * what was reported before is wrong.
 */
#ifndef EVWATCH_TESTS_MEMORY_REPORTS_H
#define EVWATCH_TESTS_MEMORY_REPORTS_H

#include "base/buf.h"
#include "memory_tree.h"
#include "quiet_host.h"
#include "source/file/model/model.h"

enum { MOST_PATHS = 8192 };

/* What a file held when something was reported of it last. */
struct read {
	char *path;
	uint32_t content;
};

/* ---- the host: reports are replayed ---------------------------------------------------------- */

struct hand {
	struct link link;
	size_t count;
	char *paths[MOST_PATHS];
	char *path;              /* that it had */
	const struct node *self; /* NULL: it is not entered */
};

static struct reports {
	char *paths[MOST_PATHS]; /* what is there, as reported */
	size_t count;
	size_t wrong; /* reports that did not fit */
	size_t moves;
	unsigned depth; /* entered so deep; 0: all */
	struct link hands;
	struct memory_tree *tree; /* files are read there; NULL: they are not */
	struct read *reads;
	size_t n_reads;
} r;

static void begin_reports(void)
{
	memset(&r, 0, sizeof r);
	list_init(&r.hands);
}

static void hand_free(struct hand *h)
{
	for (size_t i = 0; i < h->count; i++)
		free(h->paths[i]);
	free(h->path);
	list_remove(&h->link);
	free(h);
}

static void end_reports(void)
{
	LIST_EACH(at, after, &r.hands)
	hand_free(CONTAINER_OF(at, struct hand, link));
	for (size_t i = 0; i < r.count; i++)
		free(r.paths[i]);
	for (size_t i = 0; i < r.n_reads; i++)
		free(r.reads[i].path);
	free(r.reads);
}

static char *path_of(const struct node *d, const char *name)
{
	struct buf b = {0};

	node_path(d, name, &b);
	return buf_take(&b);
}

/* With VERBOSE set: what is reported, as it comes. */
static void say(const char *what, const char *path)
{
	if (getenv("VERBOSE"))
		printf("#   %s %s\n", what, path);
}

static void wrong_if(bool wrong, const char *what, const char *path)
{
	if (wrong)
		say(what, path);
	r.wrong += wrong;
}

static bool is_below(const char *path, const char *top)
{
	size_t n = strlen(top);

	return strncmp(path, top, n) == 0 && (path[n] == '/' || !path[n]);
}

static size_t place_of(const char *path)
{
	size_t i = 0;

	while (i < r.count && strcmp(r.paths[i], path) != 0)
		i++;
	return i;
}

/* 0: it is no file, or one that has, or had, other names. */
static uint32_t content_of(const struct memory_inode *i)
{
	return i && i->type == 'f' && !i->linked ? i->content : 0;
}

/* The directory of this number, or NULL. */
static struct memory_inode *numbered(struct memory_inode *d, uint64_t number)
{
	struct memory_inode *found = d->number == number ? d : NULL;

	for (size_t i = 0; i < d->count && !found; i++)
		if (d->children[i].inode->type == 'd')
			found = numbered(d->children[i].inode, number);
	return found;
}

/*
 * In the directory that is meant, wherever it is by now: that it was elsewhere when something in it
 * was reported is no change of what is in it, and between two passes of polling nobody can tell.
 */
static uint32_t content_in(const struct node *d, const char *name)
{
	struct memory_inode *i =
	    d->parent ? numbered(r.tree->root, d->identity.inode) : r.tree->root;
	const struct child *c = i ? memory_find(i, name) : NULL;

	return c ? content_of(c->inode) : 0;
}

static uint32_t content_meant(const struct model *m, const char *path)
{
	const struct node *d = m->top;
	char part[NAME_SIZE];

	for (;;) {
		size_t n = strcspn(path, "/");
		const struct entry *e;

		assert(n < sizeof part);
		memcpy(part, path, n);
		part[n] = '\0';
		if (!path[n])
			return content_in(d, part);
		e = entries_find(d->entries, part);
		if (!e || !e->entered)
			return 0;
		d = e->node;
		path += n + 1;
	}
}

/* Whoever hears of a path reads what is there. */
static void read_again(const struct model *m, const char *path)
{
	size_t i = 0;

	if (!r.tree)
		return;
	while (i < r.n_reads && strcmp(r.reads[i].path, path) != 0)
		i++;
	if (i == r.n_reads) {
		r.reads = realloc(r.reads, ++r.n_reads * sizeof *r.reads);
		assert(r.reads);
		r.reads[i].path = strdup(path);
	}
	r.reads[i].content = content_meant(m, path);
}

static bool contents_are_right(void)
{
	bool right = true;

	for (size_t i = 0; i < r.n_reads; i++) {
		uint32_t content = content_of(memory_resolve(r.tree, r.reads[i].path));

		if (!content || content == r.reads[i].content ||
		    place_of(r.reads[i].path) == r.count)
			continue;
		printf("# %s was written since it was reported\n", r.reads[i].path);
		right = false;
	}
	return right;
}

static void has_come(const struct model *m, char *path)
{
	read_again(m, path);
	say("is there:", path);
	wrong_if(place_of(path) < r.count, "  already", path);
	assert(r.count < MOST_PATHS);
	r.paths[r.count++] = path;
}

static void came(struct model *m, struct node *d, const char *name, char type, unsigned bits)
{
	(void)bits;
	(void)type;
	has_come(m, path_of(d, name));
}

static struct hand *hand_of(const struct node *self)
{
	for (struct link *at = r.hands.next; at != &r.hands; at = at->next)
		if (CONTAINER_OF(at, struct hand, link)->self == self)
			return CONTAINER_OF(at, struct hand, link);
	return NULL;
}

/* The directory that was taken, of those that the name was in. A directory above that may have been
 * taken since, and put elsewhere. */
static struct hand *hand_above(const struct node *d, const char *path, const char **rest)
{
	struct hand *h = NULL;

	for (; d && !(h = hand_of(d)); d = d->parent)
		;
	if (h) {
		char *top = path_of(h->self, NULL);

		*rest = path + strlen(top);
		free(top);
	}
	return h;
}

static bool gone_in_hand(const struct node *d, const char *path)
{
	const char *rest;
	struct hand *h = hand_above(d, path, &rest);

	for (size_t i = 0; h && i < h->count; i++)
		if (strcmp(h->paths[i] + strlen(h->path), rest) == 0) {
			free(h->paths[i]);
			h->paths[i] = h->paths[--h->count];
			return true;
		}
	return false;
}

/* Nothing is left below it: what was in it was reported before. */
static void forget(const char *path, bool stays)
{
	for (size_t i = 0; i < r.count;)
		if (!is_below(r.paths[i], path) || (stays && strcmp(r.paths[i], path) == 0)) {
			i++;
		} else {
			wrong_if(true, "is left behind:", r.paths[i]);
			free(r.paths[i]);
			r.paths[i] = r.paths[--r.count];
		}
}

static void gone(struct model *m, struct node *d, const char *name, char type, struct node *self)
{
	char *path = path_of(d, name);
	size_t at = place_of(path);

	say("gone", path);

	(void)m;
	(void)type;
	(void)self;
	if (!gone_in_hand(d, path)) {
		wrong_if(at == r.count, "  but was not there:", path);
		if (at < r.count) {
			free(r.paths[at]);
			r.paths[at] = r.paths[--r.count];
		}
		forget(path, false);
	}
	free(path);
}

static void shut_off(struct model *m, struct node *d, const char *name, struct node *self)
{
	char *path = path_of(d, name);

	(void)m;
	(void)self;
	forget(path, true);
	free(path);
}

static void *take(struct model *m, struct node *d, const char *name, char type, struct node *self)
{
	struct hand *h = calloc(1, sizeof *h);
	char *path = path_of(d, name);

	(void)m;
	(void)type;
	list_append(&r.hands, &h->link);
	say("left", path);
	h->path = path;
	h->self = self;
	for (size_t i = 0; i < r.count;) {
		if (is_below(r.paths[i], path)) {
			h->paths[h->count++] = r.paths[i];
			r.paths[i] = r.paths[--r.count];
		} else {
			i++;
		}
	}
	wrong_if(!h->count, "left, but was not there:", path);
	r.moves++;
	return h;
}

static void put(struct model *m, struct node *d, const char *name, void *thing)
{
	struct hand *h = thing;
	char *path = path_of(d, name);

	for (size_t i = 0; i < h->count; i++) {
		struct buf b = {0};

		buf_add_text(&b, path);
		buf_add_text(&b, h->paths[i] + strlen(h->path));
		free(h->paths[i]);
		has_come(m, buf_take(&b));
	}
	h->count = 0; /* they are taken over */
	hand_free(h);
	free(path);
}

static void drop(struct model *m, void *thing)
{
	struct hand *h = thing;

	(void)m;
	wrong_if(h->count != 1, "dropped with what is in it:", h->paths[0]);
	hand_free(h);
}

static bool enters(struct model *m, const struct node *d, const char *name)
{
	(void)m;
	return strcmp(name, "skip") != 0 && (!r.depth || node_depth(d) < r.depth);
}

/* What is in hand, or gone, is reported by a path that another may have. */
static bool is_in_tree(const struct node *n)
{
	for (; n; n = n->parent)
		if (n->in_hand || n->gone)
			return false;
	return true;
}

static void flickered(struct model *m, struct node *d, const char *name, unsigned active)
{
	char *path = path_of(d, name);

	(void)m;
	(void)active;
	wrong_if(is_in_tree(d) && place_of(path) < r.count, "came and went, and is there:", path);
	free(path);
}

static void active(struct model *m, struct node *d, const char *name, char type, unsigned bits)
{
	char *path = path_of(d, name);

	(void)type;
	wrong_if(!bits || (is_in_tree(d) && place_of(path) == r.count),
		 "done to what is not there:", path);
	read_again(m, path);
	free(path);
}

static void changed(struct model *m, struct node *d, const char *name, char type, bool content)
{
	char *path = path_of(d, name);

	(void)type;
	(void)content;
	wrong_if(place_of(path) == r.count, "changed, but is not there:", path);
	read_again(m, path);
	free(path);
}

static void unseen(struct model *m, struct node *n, int error)
{
	(void)m;
	(void)n;
	(void)error;
}

static const struct model_host host = {enters,    came,   gone,    take,   put,  drop, shut_off,
				       flickered, active, changed, unseen, wake, lost};

/* ---- what must be equal ---------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list_tree(const struct memory_inode *d, const char *path, unsigned depth,
		      struct buf *out)
{
	char *names[MOST_CHILDREN];

	for (size_t i = 0; i < d->count; i++)
		names[i] = (char *)(uintptr_t)d->children[i].name;
	qsort(names, d->count, sizeof *names, by_text);
	for (size_t i = 0; i < d->count; i++) {
		const struct child *c = NULL;
		char below[512];

		if (!*path && strcmp(names[i], "w") != 0)
			continue;
		for (size_t k = 0; k < d->count; k++)
			if (d->children[k].name == names[i])
				c = &d->children[k];
		snprintf(below, sizeof below, "%s%s%s", path, *path ? "/" : "", names[i]);
		buf_printf(out, "%s %c\n", below, c->inode->type);
		if (c->inode->type == 'd' && strcmp(names[i], "skip") != 0 &&
		    (!r.depth || depth < r.depth))
			list_tree(c->inode, below, depth + 1, out);
	}
}

static bool reports_are(const struct buf *tree)
{
	struct buf told = {0}, wanted = {0};
	bool same;

	qsort(r.paths, r.count, sizeof *r.paths, by_text);
	for (size_t i = 0; i < r.count; i++)
		buf_printf(&told, "%s\n", r.paths[i]);
	/* The tree is sorted by component, the reports by path: sort both alike. */
	{
		char *lines[MOST_PATHS], *text = tree->data ? strdup(tree->data) : strdup("");
		size_t n = 0;

		for (char *at = strtok(text, "\n"); at; at = strtok(NULL, "\n")) {
			at[strlen(at) - 2] = '\0';
			lines[n++] = at;
		}
		qsort(lines, n, sizeof *lines, by_text);
		for (size_t i = 0; i < n; i++)
			buf_printf(&wanted, "%s\n", lines[i]);
		free(text);
	}
	same = strcmp(told.data ? told.data : "", wanted.data ? wanted.data : "") == 0;
	if (!same)
		printf("# reported:\n%s# there is:\n%s", told.data ? told.data : "",
		       wanted.data ? wanted.data : "");
	buf_free(&told);
	buf_free(&wanted);
	return contents_are_right() && same;
}

#endif
