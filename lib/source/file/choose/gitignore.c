/*
 * See gitignore.h.
 *
 * The nearest file with a matching pattern decides, in it the last such pattern. What lies below an
 * excluded directory is excluded whatever is said of it. `.git` itself is never of interest.
 */
#include "source/file/choose/gitignore.h"

#include "base/array.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/table.h"
#include "source/file/choose/git.h"
#include "source/file/choose/ignore_rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The sorts of files with rules, the first to be asked first. */
enum { IGNORE, GITIGNORE, EXCLUDE, USERS, SORTS };

/* The rules of one directory. */
struct folder {
	const char *path;
	struct ignore_rules rules[SORTS]; /* EXCLUDE and USERS: of a top */
	bool top;                         /* those of the directories above do not count here */
	char text[];                      /* of the path */
};

/* A root, and up to where rules count for it. */
struct reach {
	struct link link;
	char *root, *real; /* as the user wrote it, and its real path; owned */
	size_t top;        /* length of the top's path in `real` */
};

/* A file with rules outside of the tree. */
struct outsider {
	char *path; /* owned */
	struct stat st;
};

struct gitignore {
	gitignore_warn *warn;
	void *context;
	struct table folders; /* by path */
	struct link reaches;
	struct outsider *outsiders;
	size_t n_outsiders, capacity;
};

/* ---- files outside of the tree --------------------------------------------------------------- */

/* All zero: it does not exist. */
static struct stat look(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		memset(&st, 0, sizeof st);
	return st;
}

/* Out of memory: it is looked at no more. */
static void outsider_add(struct gitignore *g, const char *path)
{
	struct outsider *o;

	if (ARRAY_GROW(g->outsiders, g->capacity, g->n_outsiders + 1) < 0)
		return;
	o = &g->outsiders[g->n_outsiders];
	o->path = strdup(path);
	o->st = look(path);
	g->n_outsiders += o->path != NULL;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

const char *gitignore_outside(const struct gitignore *g, size_t i)
{
	return i < g->n_outsiders ? g->outsiders[i].path : NULL;
}

bool gitignore_is_stale(const struct gitignore *g)
{
	for (size_t i = 0; i < g->n_outsiders; i++) {
		struct stat now = look(g->outsiders[i].path);

		if (!is_same(&now, &g->outsiders[i].st))
			return true;
	}
	return false;
}

bool gitignore_has_rules(const char *base)
{
	return strcmp(base, ".gitignore") == 0 || strcmp(base, ".ignore") == 0;
}

/* ---- where rules are found ------------------------------------------------------------------- */

/* Those in the tree belong to whoever owns it: a link could lead anywhere. */
static void read_rules(struct gitignore *g, struct folder *f, int sort, const char *path,
		       bool outside)
{
	char why[100];

	if (outside)
		outsider_add(g, path);
	if (ignore_rules_read(&f->rules[sort], path, sort >= EXCLUDE) < 0) {
		g->warn(g->context, path, strerror(errno));
	} else if (f->rules[sort].cut_off) {
		snprintf(why, sizeof why, "more than %d patterns, or %d with wildcards",
			 IGNORE_PATTERNS_MOST, IGNORE_WILD_MOST);
		g->warn(g->context, path, why);
	}
}

static void read_rules_in(struct gitignore *g, struct folder *f, int sort, const char *directory,
			  const char *name, bool outside)
{
	char *path = git_path_in(directory, name);

	if (path)
		read_rules(g, f, sort, path, outside);
	free(path);
}

/* What counts for a whole work tree. */
static void read_top(struct gitignore *g, struct folder *f, const char *git)
{
	char *path = git ? git_common(git) : NULL;

	if (path)
		read_rules_in(g, f, EXCLUDE, path, "info/exclude", true);
	free(path);
	path = git_excludes_file(git, f->path);
	if (path)
		read_rules(g, f, USERS, path, true);
	free(path);
}

/* The rules in the directory `path`; NULL with ENOMEM. */
static const struct folder *folder_of(struct gitignore *g, const struct reach *reach,
				      const char *path)
{
	struct folder *f = table_find(&g->folders, path);
	size_t n = strlen(path);
	bool outside = n < strlen(reach->real);
	char *git;

	if (f)
		return f;
	f = calloc(1, sizeof *f + n + 1);
	if (!f)
		return NULL;
	f->path = memcpy(f->text, path, n + 1);
	if (table_add(&g->folders, f) < 0) {
		free(f);
		return NULL;
	}
	read_rules_in(g, f, IGNORE, path, ".ignore", outside);
	read_rules_in(g, f, GITIGNORE, path, ".gitignore", outside);
	git = git_directory(path);
	f->top = git || n <= reach->top;
	if (f->top)
		read_top(g, f, git);
	free(git);
	return f;
}

/* The length of the path of the work tree that `real` is in; of itself when it is in none. */
static size_t top_of(const char *real)
{
	char *path = strdup(real), *git = NULL, *slash;
	size_t n = strlen(real);

	while (path && !(git = git_directory(path)) && (slash = strrchr(path, '/')))
		*slash = '\0';
	if (git)
		n = strlen(path);
	free(git);
	free(path);
	return n;
}

static void reach_free(struct reach *reach)
{
	if (reach) {
		free(reach->root);
		free(reach->real);
	}
	free(reach);
}

static struct reach *reach_of(struct gitignore *g, const char *root)
{
	struct reach *reach;

	LIST_EACH(at, after, &g->reaches)
	if (strcmp((reach = CONTAINER_OF(at, struct reach, link))->root, root) == 0)
		return reach;
	reach = calloc(1, sizeof *reach);
	if (reach) {
		reach->root = strdup(root);
		reach->real = realpath(root, NULL);
	}
	if (!reach || !reach->root || !reach->real) {
		reach_free(reach);
		return NULL;
	}
	if (strcmp(reach->real, "/") == 0)
		*reach->real = '\0';
	reach->top = top_of(reach->real);
	list_append(&g->reaches, &reach->link);
	return reach;
}

/* ---- life ------------------------------------------------------------------------------------ */

struct gitignore *gitignore_new(gitignore_warn *warn, void *context)
{
	struct gitignore *g = calloc(1, sizeof *g);

	if (!g)
		return NULL;
	g->warn = warn;
	g->context = context;
	table_init(&g->folders, &table_by_text);
	list_init(&g->reaches);
	return g;
}

void gitignore_free(struct gitignore *g)
{
	struct folder *f;

	if (!g)
		return;
	for (size_t at = 0; (f = table_next(&g->folders, &at));) {
		for (int sort = 0; sort < SORTS; sort++)
			ignore_rules_free(&f->rules[sort]);
		free(f);
	}
	table_free(&g->folders);
	LIST_EACH(at, after, &g->reaches)
	{
		struct reach *reach = CONTAINER_OF(at, struct reach, link);

		list_remove(&reach->link);
		reach_free(reach);
	}
	for (size_t i = 0; i < g->n_outsiders; i++)
		free(g->outsiders[i].path);
	free(g->outsiders);
	free(g);
}

/* ---- the answer ------------------------------------------------------------------------------ */

/* `path` is real, and none of the directories above it is excluded. */
static bool excludes_one(struct gitignore *g, const struct reach *reach, const char *path,
			 bool directory)
{
	const struct folder *f = NULL;
	char *above = strdup(path), *slash;
	const char *relative = path;
	int say = strcmp(strrchr(path, '/'), "/.git") == 0 ? 1 : -1;

	while (say < 0 && above && (!f || !f->top) && (slash = strrchr(above, '/'))) {
		*slash = '\0';
		relative = path + (slash - above) + 1;
		f = folder_of(g, reach, above);
		for (int sort = IGNORE; f && say < 0 && sort < EXCLUDE; sort++)
			say = ignore_rules_say(&f->rules[sort], relative, directory);
	}
	for (int sort = EXCLUDE; f && say < 0 && sort < SORTS; sort++)
		say = ignore_rules_say(&f->rules[sort], relative, directory);
	free(above);
	return say > 0;
}

bool gitignore_excludes(struct gitignore *g, const char *root, const char *relative, bool directory)
{
	const struct reach *reach = *relative ? reach_of(g, root) : NULL;
	const char *slash;
	struct buf b = {0};
	bool excluded = false;

	if (!reach)
		return false;
	/* Each directory between the root and the path, then the path. */
	buf_printf(&b, "%s/%s", reach->real, relative);
	for (size_t at = strlen(reach->real) + 1; !b.failed && !excluded && at < b.length;) {
		slash = strchr(b.data + at, '/');
		at = slash ? (size_t)(slash - b.data) : b.length;
		if (slash)
			b.data[at] = '\0';
		excluded = excludes_one(g, reach, b.data, slash || directory);
		if (slash)
			b.data[at++] = '/';
	}
	buf_free(&b);
	return excluded;
}
