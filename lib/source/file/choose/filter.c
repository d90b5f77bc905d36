/* Which paths count; see filter.h. */
#include "source/file/choose/filter.h"

#include "base/log.h"
#include "base/option.h"
#include "base/path.h"
#include "base/units.h"
#include "match/glob.h"
#include "source/file/choose/gitignore.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* ---- patterns and types ---------------------------------------------------------------------- */

static bool pattern_matches(const char *pattern, const struct candidate *c)
{
	const char *path = c->path, *base = strrchr(path, '/');

	if (!strchr(pattern, '/'))
		return glob_matches(pattern, base && base[1] ? base + 1 : path, GLOB_ANYWHERE);
	if (strncmp(pattern, "./", 2) == 0)
		pattern += 2;
	while (strncmp(path, "./", 2) == 0)
		path += 2;
	return glob_matches(pattern, path, GLOB_ANYWHERE) ||
	       glob_matches(pattern, c->relative, GLOB_ANYWHERE);
}

static bool any_matches(const struct text_list *patterns, const struct candidate *c)
{
	for (size_t i = 0; i < patterns->count; i++)
		if (pattern_matches(patterns->items[i], c))
			return true;
	return false;
}

/* What came and went unseen ('?') may have been anything, what was gone before it was looked at
 * ('n') a file or a link; devices and the like always count. */
static bool type_counts(const struct filter *f, char type)
{
	static const char letters[] = "fdl";
	const char *at = strchr(letters, type);

	if (!f->types)
		return true;
	if (type == 'n')
		return f->types[0] || f->types[2];
	return at && type ? f->types[at - letters] : type != '?';
}

bool filter_minds_place(const struct filter *f)
{
	for (size_t i = 0; i < f->ignore->count; i++)
		if (strchr(f->ignore->items[i], '/'))
			return true;
	return f->git;
}

/* ---- what evwatch writes itself -------------------------------------------------------------- */

static void find_output(struct filter *f, int fd)
{
	struct own_output *o = &f->outputs[f->n_outputs];
	char path[PATH_MAX], link[32];
	const char *base;
	struct stat st;
	ssize_t n;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? readlink(link, path, sizeof path - 1) : -1;
	path[n > 0 ? n : 0] = '\0';
	base = strrchr(path, '/');
	if (!base || strlen(base + 1) >= sizeof o->name)
		return;
	strcpy(o->name, base + 1);
	o->device = st.st_dev;
	o->inode = st.st_ino;
	f->n_outputs++;
}

bool filter_is_output(const struct filter *f, const char *name, const char *path)
{
	struct stat st;

	for (size_t i = 0; i < f->n_outputs; i++) {
		const struct own_output *o = &f->outputs[i];

		if (strcmp(o->name, name) == 0 &&
		    (!path ||
		     (stat(path, &st) == 0 && st.st_ino == o->inode && st.st_dev == o->device)))
			return true;
	}
	return false;
}

static void find_ready_file(struct filter *f, const char *path)
{
	char *above = path ? path_above(path) : NULL;

	f->ready_folder = above ? path_real(above) : NULL;
	f->ready_base = above ? path_base(path) : NULL;
	free(above);
}

/* Or the one beside it that becomes it (file_replace): its name, and .XXXXXX. */
static bool is_ready_file(const struct filter *f, const char *path)
{
	const char *base = base_of(path);
	size_t n = f->ready_base ? strlen(f->ready_base) : 0;
	char *above, *folder;
	bool is;

	if (!n || strncmp(base, f->ready_base, n) != 0 ||
	    (base[n] && (base[n] != '.' || strlen(base + n) != strlen(".XXXXXX"))))
		return false;
	above = path_above(path);
	folder = above ? path_real(above) : NULL;
	is = folder && f->ready_folder && strcmp(folder, f->ready_folder) == 0;
	free(above);
	free(folder);
	return is;
}

/* ---- git's rules ----------------------------------------------------------------------------- */

static void on_rules_fault(void *context, const char *path, const char *why)
{
	const struct filter *f = context;

	log_warn(f->rule, "cannot read the rules of %s: %s", path, why);
}

static void forget_rules(struct filter *f)
{
	gitignore_free(f->rules);
	f->rules = NULL;
}

bool filter_notices(struct filter *f, const char *name)
{
	if (!f->rules || !gitignore_has_rules(base_of(name)))
		return false;
	forget_rules(f);
	return true;
}

const char *filter_outside(const struct filter *f, size_t i)
{
	return f->rules ? gitignore_outside(f->rules, i) : NULL;
}

bool filter_looks_outside(struct filter *f)
{
	if (!f->rules || !gitignore_is_stale(f->rules))
		return false;
	forget_rules(f);
	return true;
}

static bool git_excludes(struct filter *f, const struct candidate *c)
{
	if (!f->git)
		return false;
	if (!f->rules)
		f->rules = gitignore_new(on_rules_fault, f);
	return f->rules && gitignore_excludes(f->rules, c->root, c->relative, c->type == 'd');
}

/* ---- what counts ----------------------------------------------------------------------------- */

bool filter_counts(struct filter *f, const struct candidate *c)
{
	if (!type_counts(f, c->type) || is_ready_file(f, c->path))
		return false;
	/* A root was named: only what is below it is filtered. */
	if (!*c->relative)
		return true;
	return !(f->match->count && !any_matches(f->match, c)) && !any_matches(f->ignore, c) &&
	       !git_excludes(f, c);
}

bool filter_admits(struct filter *f, const struct candidate *c)
{
	return !any_matches(f->ignore, c) && !git_excludes(f, c);
}

/* ---- life ------------------------------------------------------------------------------------ */

void filter_open(struct filter *f, const char *ready_file)
{
	find_ready_file(f, ready_file);
	f->n_outputs = 0;
	find_output(f, STDOUT_FILENO);
	find_output(f, STDERR_FILENO);
	f->is_open =
	    !f->match->count && !f->ignore->count && !f->types && !f->git && !f->ready_base;
}

void filter_close(struct filter *f)
{
	forget_rules(f);
	free(f->ready_folder);
	free(f->ready_base);
	f->ready_folder = f->ready_base = NULL;
}
