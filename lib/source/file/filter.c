/*
 * Which paths count: --match, --ignore and --gitignore.
 *
 * A pattern with a slash in it is held against the path as it is reported and against what follows
 * the root; one without is held against the last component. `*` stops at a slash, `**` does not.
 */
#include "base/log.h"
#include "base/path.h"
#include "base/units.h"
#include "source/file/choose/gitignore.h"
#include "source/file/file.h"
#include "match/glob.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_EVERY (1 * NS_PER_S) /* at git's rules outside of the tree */

static bool pattern_matches(const char *pattern, const char *path, const char *relative)
{
	const char *base = strrchr(path, '/');

	if (!strchr(pattern, '/'))
		return glob_matches(pattern, base && base[1] ? base + 1 : path, GLOB_ANYWHERE);
	if (strncmp(pattern, "./", 2) == 0)
		pattern += 2;
	while (strncmp(path, "./", 2) == 0)
		path += 2;
	return glob_matches(pattern, path, GLOB_ANYWHERE) ||
	       glob_matches(pattern, relative, GLOB_ANYWHERE);
}

static bool any_matches(const struct text_list *patterns, const char *path, const char *relative)
{
	for (size_t i = 0; i < patterns->count; i++)
		if (pattern_matches(patterns->items[i], path, relative))
			return true;
	return false;
}

static bool type_counts(const struct file_config *c, char type)
{
	static const char letters[] = "fdl";
	const char *at = strchr(letters, type);

	if (type == '?')
		return !c->any_type; /* it is told of when it is seen */
	if (type == 'n')
		return !c->any_type || c->types[0] || c->types[2];
	return !c->any_type || !at || c->types[at - letters];
}

/* ---- what evwatch writes itself -------------------------------------------------------------- */

static void find_ready_file(struct file_source *s)
{
	char *above = s->base.ready_file ? path_above(s->base.ready_file) : NULL;

	s->ready_folder = above ? root_real(above) : NULL;
	s->ready_base = above ? path_base(s->base.ready_file) : NULL;
	free(above);
}

void filter_free(struct file_source *s)
{
	free(s->ready_folder);
	free(s->ready_base);
	s->ready_folder = s->ready_base = NULL;
}

/* Or the one beside it that becomes it (file_replace): its name, and .XXXXXX. */
static bool is_ready_file(const struct file_source *s, const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	size_t n = s->ready_base ? strlen(s->ready_base) : 0;
	char *above, *folder;
	bool is;

	if (!n || strncmp(base, s->ready_base, n) != 0 ||
	    (base[n] && (base[n] != '.' || strlen(base + n) != strlen(".XXXXXX"))))
		return false;
	above = path_above(path);
	folder = above ? root_real(above) : NULL;
	is = folder && s->ready_folder && strcmp(folder, s->ready_folder) == 0;
	free(above);
	free(folder);
	return is;
}

void filter_init(struct file_source *s)
{
	find_ready_file(s);
	char path[PATH_MAX], link[32];
	struct stat st;

	for (int i = 0; i < 2; i++) {
		struct own_output *o = &s->outputs[i];
		const char *base;
		ssize_t n;

		snprintf(link, sizeof link, "/proc/self/fd/%d", STDOUT_FILENO + i);
		n = fstat(STDOUT_FILENO + i, &st) == 0 && S_ISREG(st.st_mode)
			? readlink(link, path, sizeof path - 1)
			: -1;
		path[n > 0 ? n : 0] = '\0';
		base = strrchr(path, '/');
		if (!base || strlen(base + 1) >= sizeof o->name)
			continue;
		strcpy(o->name, base + 1);
		o->device = st.st_dev;
		o->inode = st.st_ino;
	}
}

/* To tell of what is written there would be written there, and told of, for ever. */
static bool is_own_output(const struct file_source *s, const struct happening *h)
{
	const char *slash = strrchr(h->path, '/'), *base = slash ? slash + 1 : h->path;
	struct stat st;

	if (!(h->event & (FILE_MODIFY | FILE_ACCESS | FILE_CLOSE_WRITE)))
		return false;
	for (int i = 0; i < 2; i++) {
		const struct own_output *o = &s->outputs[i];

		if (*o->name && strcmp(o->name, base) == 0 && stat(h->path, &st) == 0 &&
		    st.st_ino == o->inode && st.st_dev == o->device)
			return true;
	}
	return false;
}

/* ---- git's rules ----------------------------------------------------------------------------- */

static void on_rules_fault(void *context, const char *path, const char *why)
{
	const struct file_source *s = context;

	log_warn(s->base.rule, "cannot read the rules of %s: %s", path, why);
}

void filter_forget_rules(struct file_source *s)
{
	gitignore_free(s->gitignore);
	s->gitignore = NULL;
}

static void rules_changed(struct file_source *s)
{
	filter_forget_rules(s);
	if (!s->arming)
		rescan_soon(s);
}

void filter_notice(struct file_source *s, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (s->gitignore && gitignore_has_rules(slash ? slash + 1 : path))
		rules_changed(s);
}

/* Rules outside of the tree are looked at now and then, while there are events. */
static void look_outside(struct file_source *s)
{
	int64_t now = reactor_now(s->base.reactor, CLOCK_OF_LOOP);

	if (now - s->rules_looked < LOOK_EVERY)
		return;
	s->rules_looked = now;
	if (gitignore_is_stale(s->gitignore))
		rules_changed(s);
}

static bool git_excludes(struct file_source *s, const struct root *r, const char *path,
			 bool directory)
{
	if (s->gitignore)
		look_outside(s);
	if (!s->gitignore)
		s->gitignore = gitignore_new(on_rules_fault, s);
	return s->gitignore &&
	       gitignore_excludes(s->gitignore, r->path, root_relative(r, path), directory);
}

/* ---- what counts ----------------------------------------------------------------------------- */

bool filter_matches(struct file_source *s, const struct happening *h)
{
	const struct file_config *c = s->base.config;
	const char *relative = h->root ? root_relative(h->root, h->path) : h->path;

	if (!type_counts(c, h->type) || is_own_output(s, h) || is_ready_file(s, h->path))
		return false;
	/* A root was named: only what is below it is filtered. */
	if (h->root && !*relative)
		return true;
	if (c->match.count && !any_matches(&c->match, h->path, relative))
		return false;
	if (any_matches(&c->ignore, h->path, relative))
		return false;
	return !c->gitignore || !h->root || !git_excludes(s, h->root, h->path, h->type == 'd');
}

bool filter_enters(struct file_source *s, const struct dir *parent, const char *path)
{
	const struct file_config *c = s->base.config;
	const struct root *r = dir_root(parent);
	struct stat st;

	if (c->no_recursive || (c->depth && dir_depth(parent) + 1 >= c->depth))
		return false;
	if (any_matches(&c->ignore, path, root_relative(r, path)))
		return false;
	if (c->gitignore && git_excludes(s, r, path, true))
		return false;
	return !c->one_file_system || (stat(path, &st) == 0 && st.st_dev == r->device);
}

bool filter_depends_on_place(const struct file_source *s)
{
	const struct file_config *c = s->base.config;

	for (size_t i = 0; i < c->ignore.count; i++)
		if (strchr(c->ignore.items[i], '/'))
			return true;
	return c->depth || c->gitignore;
}

bool filter_passes(struct file_source *s, const struct root *r, const char *path)
{
	const struct file_config *c = s->base.config;
	const char *relative = root_relative(r, path), *slash = relative;
	struct buf b = {0};
	bool passes = true;
	unsigned depth = 0;

	for (; passes && (slash = strchr(slash, '/')); slash++) {
		size_t n = (size_t)(slash - relative);

		depth++;
		buf_clear(&b);
		buf_add(&b, path, (size_t)(slash - path));
		passes = !b.failed && !c->no_recursive && (!c->depth || depth < c->depth) &&
			 !any_matches(&c->ignore, b.data, b.data + b.length - n);
	}
	buf_free(&b);
	return passes;
}
