/*
 * --gitignore: what git ignores, by gitignore(5). The rules of all directories of a rule's trees.
 *
 * Rules come from .ignore and .gitignore of each directory from the path's own up to the top of the
 * nearest work tree (where there is none: the root), then from info/exclude of its git directory
 * and the user's own file. Git's index is not read: a tracked file that matches is ignored.
 *
 * Rules are read once, when a path first needs them. When one of their files changes, the owner
 * frees this and makes another.
 */
#ifndef EVWATCH_SOURCE_FILE_CHOOSE_GITIGNORE_H
#define EVWATCH_SOURCE_FILE_CHOOSE_GITIGNORE_H

#include <stdbool.h>
#include <stddef.h>

struct gitignore;

/* A file of rules could not be read, or not whole. */
typedef void gitignore_warn(void *context, const char *path, const char *why);

/* NULL with ENOMEM. */
struct gitignore *gitignore_new(gitignore_warn *warn, void *context);
void gitignore_free(struct gitignore *g);

/* Do git's rules exclude `relative`, a path below `root`, or a directory above it? */
bool gitignore_excludes(struct gitignore *g, const char *root, const char *relative,
			bool directory);

/* Does a file of this name have rules? (In the tree; whoever watches it says when it changes.) */
bool gitignore_has_rules(const char *base);

/* The files of rules outside of the tree that were looked for so far; NULL ends. */
const char *gitignore_outside(const struct gitignore *g, size_t i);
/* Has one of them changed since? One stat(2) a file. */
bool gitignore_is_stale(const struct gitignore *g);

#endif
