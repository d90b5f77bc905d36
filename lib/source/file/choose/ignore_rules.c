/* See ignore_rules.h. Where gitignore(5) is silent, it is what git does. */
#include "source/file/choose/ignore_rules.h"

#include "base/array.h"
#include "source/file/choose/git.h"
#include "match/glob.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading --------------------------------------------------------------------------------- */

/* Blanks at the end count only after a backslash. Tabs are no blanks to git. */
static void trim(char *line)
{
	char *end = NULL;

	for (char *p = line; *p; p++) {
		if (*p == ' ') {
			end = end ? end : p;
			continue;
		}
		end = NULL;
		if (*p == '\\' && !*++p)
			return;
	}
	if (end)
		*end = '\0';
}

/* Adds one line, which is cut in place. Returns 0, or -1: ENOMEM. */
static int add_line(struct ignore_rules *r, char *line)
{
	struct ignore_pattern p = {0};
	size_t n;

	if (*line == '#')
		return 0;
	trim(line);
	p.negated = *line == '!';
	line += p.negated;
	n = strlen(line);
	p.directory = n && line[n - 1] == '/';
	if (p.directory)
		line[n - 1] = '\0';
	p.anchored = strchr(line, '/') != NULL;
	p.text = line + (*line == '/');
	p.literal = strcspn(p.text, "*?[\\");
	if (!*p.text)
		return 0;
	if (ARRAY_GROW(r->items, r->capacity, r->count + 1) < 0)
		return -1;
	r->items[r->count++] = p;
	return 0;
}

static int add_lines(struct ignore_rules *r)
{
	char *rest = r->text, *line;
	size_t n;

	if (strncmp(rest, "\xef\xbb\xbf", 3) == 0)
		rest += 3;
	while ((line = strsep(&rest, "\n"))) {
		if (r->count == IGNORE_PATTERNS_MOST) {
			r->cut_off = true;
			return 0;
		}
		n = strlen(line);
		if (n && line[n - 1] == '\r')
			line[n - 1] = '\0';
		if (add_line(r, line) < 0)
			return -1;
	}
	return 0;
}

/* ---- the tables ------------------------------------------------------------------------------ */

/* The table that finds it; NULL: it is to be tried by itself. */
static struct table *table_of(struct ignore_rules *r, struct ignore_pattern *p)
{
	if (!p->text[p->literal])
		return p->anchored ? &r->paths : &r->names;
	if (p->anchored || *p->text != '*' || strpbrk(p->text + 1, "*?[\\"))
		return NULL;
	p->text++;
	return &r->endings;
}

static int add_wild(struct ignore_rules *r, struct ignore_pattern *p)
{
	if (r->n_wild == IGNORE_WILD_MOST) {
		r->cut_off = true;
		return 0;
	}
	if (ARRAY_GROW(r->wild, r->wild_capacity, r->n_wild + 1) < 0)
		return -1;
	r->wild[r->n_wild++] = p;
	return 0;
}

/* The last pattern of a text is the one in the table: it is asked first. */
static int index_all(struct ignore_rules *r)
{
	int failed = 0;

	table_init(&r->names, &table_by_text);
	table_init(&r->paths, &table_by_text);
	table_init(&r->endings, &table_by_text);
	for (size_t i = 0; i < r->count && !failed; i++) {
		struct ignore_pattern *p = &r->items[i];
		struct table *table = table_of(r, p);

		if (table) {
			p->older = table_remove(table, p->text);
			failed = table_add(table, p);
		} else {
			failed = add_wild(r, p);
		}
	}
	return failed;
}

/* ---- life ------------------------------------------------------------------------------------ */

int ignore_rules_take(struct ignore_rules *r, char *text)
{
	r->text = text;
	if (add_lines(r) == 0 && index_all(r) == 0)
		return 0;
	ignore_rules_free(r);
	errno = ENOMEM;
	return -1;
}

int ignore_rules_read(struct ignore_rules *r, const char *path, bool follow)
{
	char *text = git_read_file(path, follow);

	if (text)
		return ignore_rules_take(r, text);
	return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
}

void ignore_rules_free(struct ignore_rules *r)
{
	table_free(&r->names);
	table_free(&r->paths);
	table_free(&r->endings);
	free(r->items);
	free(r->wild);
	free(r->text);
	*r = (struct ignore_rules){0};
}

/* ---- the answer ------------------------------------------------------------------------------ */

/* The later of `best` and the first one here that counts for such a path. */
static const struct ignore_pattern *later(const struct ignore_pattern *best,
					  const struct ignore_pattern *p, bool directory)
{
	while (p && p->directory && !directory)
		p = p->older;
	return p && (!best || p > best) ? p : best;
}

static const struct ignore_pattern *find_ending(const struct ignore_rules *r,
						const struct ignore_pattern *best, const char *base,
						bool directory)
{
	for (const char *end = base; r->endings.count && *end; end++)
		best = later(best, table_find(&r->endings, end), directory);
	if (r->endings.count) /* a lone asterisk */
		best = later(best, table_find(&r->endings, ""), directory);
	return best;
}

/* What comes before the first wildcard is compared as it is, and the wildcard counts as the start
 * of a component then: git takes a pair of asterisks behind it for one that crosses slashes. */
static bool is_matched(const struct ignore_pattern *p, const char *path, const char *base)
{
	const char *text = p->anchored ? path : base;

	return strncmp(p->text, text, p->literal) == 0 &&
	       glob_matches(p->text + p->literal, text + p->literal, GLOB_AS_GIT_DOES);
}

static const struct ignore_pattern *find_wild(const struct ignore_rules *r,
					      const struct ignore_pattern *best, const char *path,
					      const char *base, bool directory)
{
	for (size_t i = r->n_wild; i-- > 0 && (!best || r->wild[i] > best);)
		if ((!r->wild[i]->directory || directory) && is_matched(r->wild[i], path, base))
			return r->wild[i];
	return best;
}

int ignore_rules_say(const struct ignore_rules *r, const char *path, bool directory)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	const struct ignore_pattern *best = NULL;

	if (!r->count)
		return -1;
	best = later(best, table_find(&r->names, base), directory);
	best = later(best, table_find(&r->paths, path), directory);
	best = find_ending(r, best, base, directory);
	best = find_wild(r, best, path, base, directory);
	return best ? !best->negated : -1;
}
