/*
 * --gitignore: what git ignores, by gitignore(5).
 *
 * Rules come from .ignore and .gitignore of each directory from the path's own up to the top of the
 * work tree, then from .git/info/exclude and the user's global file. The nearest file with a
 * matching pattern decides, in it the last such pattern. What lies below an excluded directory is
 * excluded whatever is said of it. `.git` itself is never of interest.
 */
#include "base/array.h"
#include "base/fd.h"
#include "base/log.h"
#include "source/file/file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pattern {
	bool negated, directory, anchored;
	const char *text; /* in the file's text */
};

struct rules {
	struct pattern *items; /* owned */
	size_t count, capacity;
	char *text; /* owned */
};

/* The rules of one directory, read once. */
struct folder {
	struct rules ignore, gitignore;
	char path[];
};

/* A root and the work tree that it is in. */
struct worktree {
	struct link link;
	const struct root *root;
	char *real;           /* the root's real path; owned */
	size_t top;           /* length of the top's path in it */
	struct rules exclude; /* .git/info/exclude */
};

struct gitignore {
	struct table folders; /* by path */
	struct link worktrees;
	struct rules global;
};

/* ---- patterns -------------------------------------------------------------------------------- */

/* One line of a file of rules, cut in place. */
static int add_pattern(struct rules *r, char *line)
{
	struct pattern p = {0};
	size_t n = strlen(line);

	while (n && line[n - 1] == ' ' && !(n > 1 && line[n - 2] == '\\'))
		line[--n] = '\0';
	if (*line == '#' || !*line)
		return 0;
	if (*line == '!') {
		p.negated = true;
		line++;
	}
	n = strlen(line);
	if (n && line[n - 1] == '/') {
		p.directory = true;
		line[--n] = '\0';
	}
	p.anchored = strchr(line, '/') != NULL;
	p.text = *line == '/' ? line + 1 : line;
	if (!*p.text)
		return 0;
	if (ARRAY_GROW(r->items, r->capacity, r->count + 1) < 0)
		return -1;
	r->items[r->count++] = p;
	return 0;
}

static char *read_text(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct buf b = {0};
	ssize_t n = 0;

	while (fd >= 0 && buf_reserve(&b, 4096) == 0 &&
	       ((n = read(fd, b.data + b.length, 4096)) > 0 || (n < 0 && errno == EINTR)))
		b.length += n > 0 ? (size_t)n : 0;
	if (fd < 0 || n < 0) {
		buf_free(&b);
		fd_close(&fd);
		return NULL;
	}
	fd_close(&fd);
	buf_add_char(&b, '\0');
	return buf_take(&b);
}

static void rules_free(struct rules *r)
{
	free(r->items);
	free(r->text);
	*r = (struct rules){0};
}

static void rules_read(struct rules *r, const char *path)
{
	char *rest, *line;

	r->text = read_text(path);
	rest = r->text;
	if (rest && strncmp(rest, "\xef\xbb\xbf", 3) == 0)
		rest += 3;
	while (rest && (line = strsep(&rest, "\n")))
		if (add_pattern(r, line) < 0)
			return;
}

static bool class_matches(const char *name, size_t length, unsigned char c)
{
	static const struct {
		const char *name;
		int (*is)(int);
	} classes[] = {{"alnum", isalnum}, {"alpha", isalpha},   {"digit", isdigit},
		       {"lower", islower}, {"upper", isupper},   {"space", isspace},
		       {"punct", ispunct}, {"xdigit", isxdigit}, {"cntrl", iscntrl},
		       {"graph", isgraph}, {"print", isprint},   {"blank", isblank}};

	for (size_t i = 0; i < ARRAY_LENGTH(classes); i++)
		if (strlen(classes[i].name) == length && memcmp(classes[i].name, name, length) == 0)
			return classes[i].is(c);
	return false;
}

/* [a-z], [!x], [[:digit:]]: *pattern stands behind the bracket afterwards. */
static bool set_matches(const char **pattern, unsigned char c)
{
	const char *p = *pattern, *end;
	bool negated = *p == '!' || *p == '^', found = false;

	if (negated)
		p++;
	for (bool first = true; *p && (*p != ']' || first); first = false) {
		unsigned char low, high;

		if (p[0] == '[' && p[1] == ':' && (end = strstr(p + 2, ":]"))) {
			found |= class_matches(p + 2, (size_t)(end - p) - 2, c);
			p = end + 2;
			continue;
		}
		low = high = (unsigned char)(*p == '\\' && p[1] ? *++p : *p);
		p++;
		if (*p == '-' && p[1] && p[1] != ']') {
			p += p[1] == '\\' && p[2] ? 2 : 1;
			high = (unsigned char)*p++;
		}
		found |= low <= c && c <= high;
	}
	if (*p != ']')
		return false;
	*pattern = p + 1;
	return found != negated && c != '/';
}

static bool wild(const char *start, const char *p, const char *t);

/* `p` stands at the first asterisk. */
static bool stars(const char *start, const char *p, const char *t)
{
	const char *after = p + strspn(p, "*");
	bool deep = after - p == 2 && (p == start || p[-1] == '/') && (!*after || *after == '/');

	if (deep && !*after)
		return *t;
	if (deep)
		after++;
	for (;; t++) {
		if (wild(start, after, t))
			return true;
		if (deep)
			t = strchr(t, '/');
		if (!t || !*t || (!deep && *t == '/'))
			return false;
	}
}

static bool wild(const char *start, const char *p, const char *t)
{
	for (; *p; t++) {
		if (*p == '*')
			return stars(start, p, t);
		if (!*t)
			return false;
		if (*p == '[') {
			p++;
			if (!set_matches(&p, (unsigned char)*t))
				return false;
			continue;
		}
		if (*p == '\\' ? (!p[1] || *++p != *t) : *p == '?' ? *t == '/' : *p != *t)
			return false;
		p++;
	}
	return !*t;
}

bool gitignore_pattern_matches(const char *pattern, const char *path, bool directory)
{
	char *copy = strdup(pattern);
	struct rules r = {0};
	const char *base = strrchr(path, '/');
	bool found = false;

	if (copy && add_pattern(&r, copy) == 0 && r.count)
		found = (!r.items->directory || directory) &&
			wild(r.items->text, r.items->text,
			     r.items->anchored || !base ? path : base + 1);
	rules_free(&r);
	free(copy);
	return found;
}

/* 1: excluded, 0: taken back in, -1: these rules say nothing. */
static int rules_say(const struct rules *r, const char *relative, const char *base, bool directory)
{
	for (size_t i = r->count; i-- > 0;) {
		const struct pattern *p = &r->items[i];

		if ((!p->directory || directory) &&
		    wild(p->text, p->text, p->anchored ? relative : base))
			return !p->negated;
	}
	return -1;
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

static void rules_read_in(struct rules *r, const char *folder, const char *name)
{
	struct buf b = {0};

	buf_printf(&b, "%s/%s", folder, name);
	if (!b.failed)
		rules_read(r, b.data);
	buf_free(&b);
}

/* The rules in the directory `path`; NULL with ENOMEM. */
static const struct folder *folder_of(struct gitignore *g, const char *path)
{
	struct folder *f = table_find(&g->folders, path);

	if (f)
		return f;
	f = calloc(1, sizeof *f + strlen(path) + 1);
	if (!f)
		return NULL;
	strcpy(f->path, path);
	if (table_add(&g->folders, f) < 0) {
		free(f);
		return NULL;
	}
	rules_read_in(&f->ignore, path, ".ignore");
	rules_read_in(&f->gitignore, path, ".gitignore");
	return f;
}

/* core.excludesFile of a git configuration file, or NULL. Owned. */
static char *configured_excludes(const char *path, const char *home)
{
	char *text = read_text(path), *rest = text, *line, *found = NULL, *value;
	struct buf b = {0};
	bool core = false;

	while (rest && (line = strsep(&rest, "\n"))) {
		line += strspn(line, " \t");
		if (*line == '[')
			core = strncasecmp(line, "[core]", 6) == 0;
		if (!core || strncasecmp(line, "excludesfile", 12) != 0 ||
		    !(value = strchr(line, '=')))
			continue;
		value += 1 + strspn(value + 1, " \t\"");
		value[strcspn(value, "\"\r")] = '\0';
		buf_clear(&b);
		buf_printf(&b, "%s%s", strncmp(value, "~/", 2) == 0 ? home : "",
			   strncmp(value, "~/", 2) == 0 ? value + 1 : value);
		free(found);
		found = b.failed ? NULL : strdup(b.data);
	}
	buf_free(&b);
	free(text);
	return found;
}

static void read_global(struct gitignore *g)
{
	const char *home = getenv("HOME"), *xdg = getenv("XDG_CONFIG_HOME");
	struct buf b = {0};
	char *path = NULL;

	home = home ? home : "";
	buf_printf(&b, "%s/.gitconfig", home);
	if (!b.failed)
		path = configured_excludes(b.data, home);
	if (!path) {
		buf_clear(&b);
		buf_printf(&b, "%s%s/git/ignore", xdg && *xdg ? xdg : home,
			   xdg && *xdg ? "" : "/.config");
		path = b.failed ? NULL : strdup(b.data);
	}
	if (path)
		rules_read(&g->global, path);
	free(path);
	buf_free(&b);
}

/* The length of the path of the work tree that `real` is in; of itself when it is in none. */
static size_t top_of(const char *real)
{
	struct buf b = {0};
	size_t n = strlen(real);
	bool found = false;

	while (n > 0 && !found) {
		buf_clear(&b);
		buf_printf(&b, "%.*s/.git", (int)n, real);
		found = !b.failed && access(b.data, F_OK) == 0;
		if (!found)
			do
				n--;
			while (n > 0 && real[n] != '/');
	}
	buf_free(&b);
	return found ? n : strlen(real);
}

static struct worktree *worktree_of(struct gitignore *g, const struct root *r)
{
	struct worktree *w;
	struct buf b = {0};

	LIST_EACH(at, after, &g->worktrees)
	if ((w = CONTAINER_OF(at, struct worktree, link))->root == r)
		return w;
	w = calloc(1, sizeof *w);
	if (w)
		w->real = realpath(r->path, NULL);
	if (!w || !w->real) {
		free(w);
		return NULL;
	}
	w->root = r;
	w->top = top_of(w->real);
	buf_printf(&b, "%.*s/.git/info/exclude", (int)w->top, w->real);
	if (!b.failed)
		rules_read(&w->exclude, b.data);
	buf_free(&b);
	list_append(&g->worktrees, &w->link);
	return w;
}

/* ---- the answer ------------------------------------------------------------------------------ */

/* `path` is real, and in the work tree; none of the directories above it is excluded. */
static bool excludes_one(struct gitignore *g, const struct worktree *w, const char *path,
			 bool directory)
{
	const char *base = strrchr(path, '/') + 1;
	struct buf above = {0};
	int say = strcmp(base, ".git") == 0 ? 1 : -1;

	for (size_t n = (size_t)(base - path) - 1; say < 0; n--) {
		const struct folder *f;

		if (path[n] != '/')
			continue;
		buf_clear(&above);
		buf_add(&above, path, n);
		f = above.failed ? NULL : folder_of(g, n ? above.data : "");
		if (f)
			say = rules_say(&f->ignore, path + n + 1, base, directory);
		if (f && say < 0)
			say = rules_say(&f->gitignore, path + n + 1, base, directory);
		if (n <= w->top)
			break;
	}
	buf_free(&above);
	if (say < 0)
		say = rules_say(&w->exclude, path + w->top + 1, base, directory);
	if (say < 0)
		say = rules_say(&g->global, path + w->top + 1, base, directory);
	return say > 0;
}

static struct gitignore *gitignore_new(void)
{
	static const struct table_type by_path = {folder_hash, path_hash, folder_has_path};
	struct gitignore *g = calloc(1, sizeof *g);

	if (!g)
		return NULL;
	table_init(&g->folders, &by_path);
	list_init(&g->worktrees);
	read_global(g);
	return g;
}

bool gitignore_excludes(struct file_source *s, const struct root *r, const char *path,
			bool directory)
{
	const char *relative = root_relative(r, path), *slash;
	struct worktree *w;
	struct buf b = {0};
	bool excluded = false;
	size_t start;

	if (!s->gitignore)
		s->gitignore = gitignore_new();
	w = s->gitignore && *relative ? worktree_of(s->gitignore, r) : NULL;
	if (!w)
		return false;
	/* Each directory between the root and the path, then the path. */
	start = strlen(w->real);
	buf_printf(&b, "%s/%s", w->real, relative);
	for (size_t at = start + 1; !b.failed && !excluded && at < b.length;) {
		slash = strchr(b.data + at, '/');
		at = slash ? (size_t)(slash - b.data) : b.length;
		if (slash)
			b.data[at] = '\0';
		excluded = excludes_one(s->gitignore, w, b.data, slash || directory);
		if (slash)
			b.data[at++] = '/';
	}
	buf_free(&b);
	return excluded;
}

static void forget_all(struct gitignore *g)
{
	struct folder *f;

	for (size_t at = 0; (f = table_next(&g->folders, &at));) {
		rules_free(&f->ignore);
		rules_free(&f->gitignore);
		free(f);
	}
	table_free(&g->folders);
	LIST_EACH(at, after, &g->worktrees)
	{
		struct worktree *w = CONTAINER_OF(at, struct worktree, link);

		list_remove(&w->link);
		rules_free(&w->exclude);
		free(w->real);
		free(w);
	}
	rules_free(&g->global);
}

void gitignore_free(struct file_source *s)
{
	if (s->gitignore)
		forget_all(s->gitignore);
	free(s->gitignore);
	s->gitignore = NULL;
}

void gitignore_forget(struct file_source *s, const char *path)
{
	const char *base = strrchr(path, '/');

	base = base ? base + 1 : path;
	if (s->gitignore && (strcmp(base, ".gitignore") == 0 || strcmp(base, ".ignore") == 0))
		gitignore_free(s);
}
