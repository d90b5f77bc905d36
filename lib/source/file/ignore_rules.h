/*
 * The rules of gitignore(5): one file's lines, and what they say of a path. See ignore_rules.c.
 */
#ifndef EVWATCH_SOURCE_FILE_IGNORE_RULES_H
#define EVWATCH_SOURCE_FILE_IGNORE_RULES_H

#include <stdbool.h>
#include <stddef.h>

struct ignore_pattern {
	bool negated, directory, anchored;
	const char *text; /* in the rules' text */
	size_t literal;   /* bytes in front of the first wildcard */
};

/* All zero: none. */
struct ignore_rules {
	struct ignore_pattern *items; /* owned */
	size_t count, capacity;
	char *text; /* owned */
};

/*
 * Reads the file at `path`, a symbolic link only if `follow`. Returns 0, or -1 with errno and the
 * rules read so far; a file that is not there has none.
 */
int ignore_rules_read(struct ignore_rules *r, const char *path, bool follow);
void ignore_rules_free(struct ignore_rules *r);
/* Adds one line, which is cut in place and has to outlive the rules. Returns 0, or -1: ENOMEM. */
int ignore_rules_add(struct ignore_rules *r, char *line);
/*
 * `path` is relative to the directory of the rules. Returns 1: excluded, 0: taken back in, -1: they
 * say nothing.
 */
int ignore_rules_say(const struct ignore_rules *r, const char *path, bool directory);

#endif
