/*
 * Diagnostics: every error of the rules, with its place and a hint.
 *
 *	evwatch: site.rules:3:20: file has no option --mach
 *	  css: file assets --mach '*.scss' -- make css
 *	                   ^ did you mean --match?
 */
#ifndef EVWATCH_RULE_DIAGNOSTIC_H
#define EVWATCH_RULE_DIAGNOSTIC_H

#include "base/buf.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct script;

struct diagnostic {
	const struct script *script; /* borrowed; NULL: no place */
	size_t offset;
	struct error error;
};

/* Nobody reads more errors at once. */
enum { MOST_DIAGNOSTICS = 10000, DIAGNOSTIC_SLOTS = 32768 };

struct diagnostics {
	struct diagnostic *items;
	size_t count, capacity;
	size_t left_out; /* errors beyond MOST_DIAGNOSTICS, which are only counted */
	uint16_t *slots; /* of a hash table: number of the item + 1 */
};

/* Adds an error at an offset of a script. Always returns -1. */
int diagnostics_add(struct diagnostics *d, const struct script *script, size_t offset,
		    const struct error *e);

/* Appends the text of one error, for the user. */
void diagnostic_print(const struct diagnostic *d, struct buf *out);

/* Appends it as a JSON object, with its line end. */
void diagnostic_json(const struct diagnostic *d, struct buf *out);

/* The same as an error in the log, in the form of --log. */
void diagnostic_log(const struct diagnostic *d);

void diagnostics_free(struct diagnostics *d);

#endif
