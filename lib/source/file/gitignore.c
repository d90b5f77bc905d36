/*
 * --gitignore: what git ignores, by gitignore(5).
 *
 * Rules come from .ignore and .gitignore of each directory from the path's own up to the top of the
 * nearest work tree (where there is none: the root), then from its .git/info/exclude and the user's
 * own file. The nearest file with a matching pattern decides, in it the last such pattern. What
 * lies below an excluded directory is excluded whatever is said of it. `.git` itself is never of
 * interest.
 *
 * Rules are read once. Those in the tree are read anew when they change; those that lie outside of
 * it are nobody's event, so their stamps are looked at now and then.
 */
#include "base/array.h"
#include "base/log.h"
#include "base/units.h"
#include "source/file/file.h"
#include "source/file/git.h"
#include "source/file/ignore_rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LOOK_EVERY (1 * NS_PER_S) /* at the files outside of the tree, while there are events */

enum {
	IGNORE,
	GITIGNORE,
	EXCLUDE,
	USERS,
	SORTS
}; /* of files with rules, the first to be asked first */

/* The rules of one directory. */
struct folder {
	struct ignore_rules rules[SORTS]; /* EXCLUDE and USERS: of a top */
	bool top;                         /* those of the directories above do not count here */
	char path[];
};

/* A root, and up to where rules count for it. */
struct reach {
	struct link link;
	const struct root *root;
	char *real; /* the root's real path; owned */
	size_t top; /* length of the top's path in it */
};

/* A file with rules outside of the tree. */
struct outsider {
	char *path; /* owned */
	uint32_t stamp;
};

struct gitignore {
	struct table folders; /* by path */
	struct link reaches;
	struct outsider *outsiders;
	size_t n_outsiders, capacity;
	int64_t looked; /* loop time */
};

/* ---- files outside of the tree --------------------------------------------------------------- */

static uint32_t stamp_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? stat_stamp(&st) : 0;
}

/* Out of memory: it is looked at no more. */
static void outsider_add(struct gitignore *g, const char *path)
{
	struct outsider *o;

	if (ARRAY_GROW(g->outsiders, g->capacity, g->n_outsiders + 1) < 0)
		return;
	o = &g->outsiders[g->n_outsiders];
	o->path = strdup(path);
	o->stamp = stamp_of(path);
	g->n_outsiders += o->path != NULL;
}

static bool outsider_changed(struct file_source *s)
{
	struct gitignore *g = s->gitignore;
	int64_t now = reactor_now(s->base.reactor, CLOCK_OF_LOOP);

	if (now - g->looked < LOOK_EVERY)
		return false;
	g->looked = now;
	for (size_t i = 0; i < g->n_outsiders; i++)
		if (stamp_of(g->outsiders[i].path) != g->outsiders[i].stamp)
			return true;
	return false;
}

/* ---- where rules are found ------------------------------------------------------------------- */

static uint64_t path_hash(const void *path)
{
	return hash_bytes(path, strlen(path));
}

static uint64_t folder_hash(const void *folder)
{
	return path_hash(((const struct folder *)folder)->path);
}

static bool folder_has_path(const void *folder, const void *path)
{
	return strcmp(((const struct folder *)folder)->path, path) == 0;
}

static void read_rules(struct file_source *s, struct folder *f, int sort, const char *path,
		       bool outside)
{
	if (outside)
		outsider_add(s->gitignore, path);
	if (ignore_rules_read(&f->rules[sort], path, sort != GITIGNORE) < 0)
		log_warn(s->base.rule, "cannot read the rules of %s: %s", path, strerror(errno));
}

static void read_rules_in(struct file_source *s, struct folder *f, int sort, const char *directory,
			  const char *name, bool outside)
{
	struct buf b = {0};

	buf_printf(&b, "%s/%s", directory, name);
	if (!b.failed)
		read_rules(s, f, sort, b.data, outside);
	buf_free(&b);
}

/* What counts for a whole work tree. */
static void read_top(struct file_source *s, struct folder *f, const char *repository)
{
	char *users = git_excludes_file(repository, f->path);

	if (repository)
		read_rules_in(s, f, EXCLUDE, repository, "info/exclude", true);
	if (users)
		read_rules(s, f, USERS, users, true);
	free(users);
}

/* The rules in the directory `path`; NULL with ENOMEM. */
static const struct folder *folder_of(struct file_source *s, const struct reach *reach,
				      const char *path)
{
	struct gitignore *g = s->gitignore;
	struct folder *f = table_find(&g->folders, path);
	size_t n = strlen(path);
	bool outside = n < strlen(reach->real);
	char *repository;

	if (f)
		return f;
	f = calloc(1, sizeof *f + n + 1);
	if (!f)
		return NULL;
	memcpy(f->path, path, n + 1);
	if (table_add(&g->folders, f) < 0) {
		free(f);
		return NULL;
	}
	read_rules_in(s, f, IGNORE, path, ".ignore", outside);
	read_rules_in(s, f, GITIGNORE, path, ".gitignore", outside);
	repository = git_repository(path);
	f->top = repository || n <= reach->top;
	if (f->top)
		read_top(s, f, repository);
	free(repository);
	return f;
}

/* The length of the path of the work tree that `real` is in; of itself when it is in none. */
static size_t top_of(const char *real)
{
	char *path = strdup(real), *repository = NULL, *slash;
	size_t n = strlen(real);

	while (path && !(repository = git_repository(path)) && (slash = strrchr(path, '/')))
		*slash = '\0';
	if (repository)
		n = strlen(path);
	free(repository);
	free(path);
	return n;
}

static struct reach *reach_of(struct gitignore *g, const struct root *r)
{
	struct reach *reach;

	LIST_EACH(at, after, &g->reaches)
	if ((reach = CONTAINER_OF(at, struct reach, link))->root == r)
		return reach;
	reach = calloc(1, sizeof *reach);
	if (reach)
		reach->real = realpath(r->path, NULL);
	if (!reach || !reach->real) {
		free(reach);
		return NULL;
	}
	if (strcmp(reach->real, "/") == 0)
		*reach->real = '\0';
	reach->root = r;
	reach->top = top_of(reach->real);
	list_append(&g->reaches, &reach->link);
	return reach;
}

/* ---- life ------------------------------------------------------------------------------------ */

static struct gitignore *gitignore_new(const struct file_source *s)
{
	static const struct table_type by_path = {folder_hash, path_hash, folder_has_path};
	struct gitignore *g = calloc(1, sizeof *g);

	if (!g)
		return NULL;
	table_init(&g->folders, &by_path);
	list_init(&g->reaches);
	g->looked = reactor_now(s->base.reactor, CLOCK_OF_LOOP);
	return g;
}

void gitignore_free(struct file_source *s)
{
	struct gitignore *g = s->gitignore;
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
		free(reach->real);
		free(reach);
	}
	for (size_t i = 0; i < g->n_outsiders; i++)
		free(g->outsiders[i].path);
	free(g->outsiders);
	free(g);
	s->gitignore = NULL;
}

static void gitignore_forget(struct file_source *s)
{
	gitignore_free(s);
	if (!s->arming)
		rescan_soon(s);
}

void gitignore_notice(struct file_source *s, const char *path)
{
	const char *base = strrchr(path, '/');

	base = base ? base + 1 : path;
	if (s->gitignore && (strcmp(base, ".gitignore") == 0 || strcmp(base, ".ignore") == 0))
		gitignore_forget(s);
}

/* ---- the answer ------------------------------------------------------------------------------ */

/* `path` is real, and none of the directories above it is excluded. */
static bool excludes_one(struct file_source *s, const struct reach *reach, const char *path,
			 bool directory)
{
	const struct folder *f = NULL;
	char *above = strdup(path), *slash;
	const char *relative = path;
	int say = strcmp(strrchr(path, '/'), "/.git") == 0 ? 1 : -1;

	while (say < 0 && above && (!f || !f->top) && (slash = strrchr(above, '/'))) {
		*slash = '\0';
		relative = path + (slash - above) + 1;
		f = folder_of(s, reach, above);
		for (int sort = IGNORE; f && say < 0 && sort < EXCLUDE; sort++)
			say = ignore_rules_say(&f->rules[sort], relative, directory);
	}
	for (int sort = EXCLUDE; f && say < 0 && sort < SORTS; sort++)
		say = ignore_rules_say(&f->rules[sort], relative, directory);
	free(above);
	return say > 0;
}

bool gitignore_excludes(struct file_source *s, const struct root *r, const char *path,
			bool directory)
{
	const char *relative = root_relative(r, path), *slash;
	const struct reach *reach;
	struct buf b = {0};
	bool excluded = false;

	if (s->gitignore && outsider_changed(s))
		gitignore_forget(s);
	if (!s->gitignore)
		s->gitignore = gitignore_new(s);
	reach = s->gitignore && *relative ? reach_of(s->gitignore, r) : NULL;
	if (!reach)
		return false;
	/* Each directory between the root and the path, then the path. */
	buf_printf(&b, "%s/%s", reach->real, relative);
	for (size_t at = strlen(reach->real) + 1; !b.failed && !excluded && at < b.length;) {
		slash = strchr(b.data + at, '/');
		at = slash ? (size_t)(slash - b.data) : b.length;
		if (slash)
			b.data[at] = '\0';
		excluded = excludes_one(s, reach, b.data, slash || directory);
		if (slash)
			b.data[at++] = '/';
	}
	buf_free(&b);
	return excluded;
}
