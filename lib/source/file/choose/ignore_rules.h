/*
 * The rules of gitignore(5): the lines of one file, and what they say of a path.
 *
 * Patterns without wildcards, and those that only say how a name ends (*.o), are found by a hash,
 * so that a file of 200,000 lines costs little more than one of ten. The files belong to whoever
 * owns the tree, so their size is bounded (GIT_FILE_MOST), and so is the number of patterns.
 */
#ifndef EVWATCH_SOURCE_FILE_CHOOSE_IGNORE_RULES_H
#define EVWATCH_SOURCE_FILE_CHOOSE_IGNORE_RULES_H

#include "base/table.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	IGNORE_PATTERNS_MOST = 250000,
	IGNORE_WILD_MOST = 10000, /* that are tried one by one */
};

struct ignore_pattern {
	const char *text; /* in the rules' text; of an ending, without the asterisk */
	bool negated, directory, anchored;
	size_t literal;               /* bytes before the first wildcard */
	struct ignore_pattern *older; /* in the same table, with the same text */
};

/* All zero: none. */
struct ignore_rules {
	struct ignore_pattern *items; /* owned, in the order of the file */
	size_t count, capacity;
	struct ignore_pattern **wild; /* owned: those that are in no table */
	size_t n_wild, wild_capacity;
	struct table names, paths, endings;
	char *text;   /* owned */
	bool cut_off; /* there were more patterns than count */
};

/*
 * Reads the file at `path`, a symbolic link only if `follow`. Returns 0, or -1 with errno and no
 * rules; a file that does not exist has none.
 */
int ignore_rules_read(struct ignore_rules *r, const char *path, bool follow);
/* Takes over the text of a file, in any case. Returns 0, or -1 with ENOMEM and no rules. */
int ignore_rules_take(struct ignore_rules *r, char *text);
void ignore_rules_free(struct ignore_rules *r);
/*
 * `path` is relative to the directory of the rules. Returns 1: excluded, 0: taken back in, -1: they
 * say nothing.
 */
int ignore_rules_say(const struct ignore_rules *r, const char *path, bool directory);

#endif
