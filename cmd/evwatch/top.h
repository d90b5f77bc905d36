/*
 * The screen of `evwatch top`: what is shown of one status, as text with plain ANSI sequences.
 * Pure: it appends to a buffer; tool_top.c owns the terminal and the keys.
 */
#ifndef EVWATCH_TOP_H
#define EVWATCH_TOP_H

#include "base/buf.h"
#include "base/json.h"

#include <stdbool.h>

enum { TOP_SAMPLES = 12, TOP_NAME = 40 };

/* How many events a rule had in each of the last seconds. */
struct top_rate {
	char name[TOP_NAME];
	double events; /* at the last look */
	double samples[TOP_SAMPLES];
	bool seen;
};

struct top {
	int rows, columns;
	bool colour, unicode;
	size_t selected; /* of the rules, from 0 */
	size_t first;    /* the one in the first row */
	char message[160];
	bool failed;            /* the message is of an error */
	struct top_rate *rates; /* owned */
	size_t n_rates, rates_capacity;
};

/* Notes how many events each rule had since the last status. */
void top_sample(struct top *t, const struct json_value *status);

/* Appends the whole screen. */
void top_draw(struct top *t, const struct json_value *status, struct buf *out);

/* The rule that is selected, or NULL. */
const struct json_value *top_selected(const struct top *t, const struct json_value *status);

/* Is there a rule below it? */
bool top_has_next(const struct top *t, const struct json_value *status);

void top_release(struct top *t);

#endif
