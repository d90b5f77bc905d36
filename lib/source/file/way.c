/*
 * The way to a root: symbolic links in its path, and what they lead to.
 *
 * A watch follows links when it is set and never again. So the directory of each link on the way is
 * watched, too, to see it replaced (as `current` is by a deployment, `..data` by Kubernetes), and
 * the directory of what they lead to in the end, where a file is written.
 */
#include "base/array.h"
#include "base/log.h"
#include "source/file/file.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { LINKS = 40 }; /* on the way; the kernel's limit, too */

/* As far as the path was followed. */
struct walk {
	struct buf at, parent; /* without links */
	const char *name;      /* the last component, in `at` */
	char *left;            /* still to be followed; owned */
	int links;
};

void way_forget(struct file_source *s, struct root *r)
{
	size_t n = r->n_steps;

	r->n_steps = 0;
	for (size_t i = 0; i < n; i++) {
		int wd = r->steps[i].wd;

		free(r->steps[i].name);
		if (s->inotify >= 0 && !tree_find(s, wd) && !roots_lean_on(s, wd))
			inotify_rm_watch(s->inotify, wd);
	}
	free(r->steps);
	r->steps = NULL;
	r->steps_capacity = 0;
}

static void add_step(struct file_source *s, struct root *r, const struct walk *w, uint32_t mask)
{
	const char *folder = w->parent.length ? w->parent.data : ".";
	int wd = inotify_add_watch(s->inotify, folder, mask);
	char *name;

	if (wd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return;
	name = wd < 0 ? NULL : strdup(w->name);
	if (!name || ARRAY_GROW(r->steps, r->steps_capacity, r->n_steps + 1) < 0) {
		log_warn(s->base.rule, "cannot watch %s, on the way to %s: %s", folder, r->path,
			 strerror(errno));
		free(name);
		return;
	}
	r->steps[r->n_steps++] = (struct step){wd, name};
}

static void copy(struct buf *to, const struct buf *from)
{
	buf_clear(to);
	if (from->length)
		buf_add(to, from->data, from->length);
}

/* What a link says is followed before the rest. Returns 0, or -1: ENOMEM. */
static int follow(struct walk *w, const char *target, size_t length)
{
	struct buf left = {0};

	buf_printf(&left, "%.*s/%s", (int)length, target, w->left);
	free(w->left);
	w->left = buf_take(&left);
	copy(&w->at, &w->parent);
	if (*target == '/') {
		buf_clear(&w->at);
		buf_add_char(&w->at, '/');
	}
	return w->left && !w->at.failed ? 0 : -1;
}

/* Takes the next component over from what is left. False: none is. */
static bool advance(struct walk *w)
{
	size_t n = strspn(w->left, "/");

	memmove(w->left, w->left + n, strlen(w->left + n) + 1);
	n = strcspn(w->left, "/");
	if (!n)
		return false;
	copy(&w->parent, &w->at);
	if (w->at.length && w->at.data[w->at.length - 1] != '/')
		buf_add_char(&w->at, '/');
	buf_add(&w->at, w->left, n);
	memmove(w->left, w->left + n, strlen(w->left + n) + 1);
	if (w->at.failed || w->parent.failed)
		return false;
	w->name = w->at.data + w->at.length - n;
	return true;
}

void way_watch(struct file_source *s, struct root *r, uint32_t last_mask)
{
	struct walk w = {.left = s->inotify < 0 ? NULL : strdup(r->path)};
	char target[PATH_MAX];
	ssize_t n;

	way_forget(s, r);
	if (*r->path == '/')
		buf_add_char(&w.at, '/');
	while (w.left && advance(&w)) {
		n = readlink(w.at.data, target, sizeof target);
		if (n <= 0)
			continue;
		add_step(s, r, &w,
			 IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM | IN_ONLYDIR |
			     IN_MASK_ADD);
		if (++w.links > LINKS || follow(&w, target, (size_t)n) < 0)
			break;
	}
	if (w.links && w.links <= LINKS && w.name)
		add_step(s, r, &w, last_mask);
	free(w.left);
	buf_free(&w.at);
	buf_free(&w.parent);
}

/* The last step is where the root really is. */
enum way_word way_tells(const struct root *r, const struct inotify_event *ev)
{
	for (size_t i = 0; i < r->n_steps; i++)
		if (r->steps[i].wd == ev->wd && ev->len && strcmp(r->steps[i].name, ev->name) == 0)
			return i + 1 == r->n_steps ? WAY_END : WAY_LINK;
	return WAY_NOTHING;
}
