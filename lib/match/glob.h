/*
 * Globs: `*` and `?` stop at a slash, `**` does not. See glob.c.
 */
#ifndef EVWATCH_MATCH_GLOB_H
#define EVWATCH_MATCH_GLOB_H

#include <stdbool.h>

/* Where two asterisks are more than one. */
enum glob_style {
	GLOB_ANYWHERE,    /* everywhere */
	GLOB_AS_GIT_DOES, /* only as a whole component: gitignore(5) */
};

/* Is the whole of `text` matched? Takes time in proportion to both lengths' product at most. */
bool glob_matches(const char *pattern, const char *text, enum glob_style style);

/* Is there anything that it could match? */
bool glob_valid(const char *pattern);

#endif
