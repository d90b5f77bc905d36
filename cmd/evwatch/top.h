/*
 * `evwatch top` without its terminal: which rules are shown and in which order (top.c), and the
 * screen of one status as text with plain ANSI sequences (top_draw.c). tool_top.c owns the terminal
 * and the keys.
 */
#ifndef EVWATCH_TOP_H
#define EVWATCH_TOP_H

#include "base/buf.h"
#include "base/json.h"

#include <stdbool.h>

enum { TOP_SAMPLES = 40 };

/* How many events a rule had in each of the last seconds; the newest stands last. */
struct top_rate {
	char *name;    /* owned */
	double events; /* at the last sample */
	double samples[TOP_SAMPLES];
	bool seen;
};

enum top_order { ORDER_FILE, ORDER_NAME, ORDER_RATE, ORDER_RUNS, ORDER_FAILED, ORDER_LAST };

/* A rule of the status that is shown. */
struct top_row {
	const struct json_value *rule; /* lent by the status */
	size_t place;                  /* in the status */
	double rate;                   /* events in the last second */
};

struct top {
	int rows, columns;
	bool colour, unicode;
	enum top_order order;
	bool backwards;
	size_t selected;     /* of `shown`, from 0 */
	char *selected_name; /* owned; NULL: none was selected by name, and the place counts */
	size_t first;        /* the one in the first row */
	char message[160];
	bool failed;            /* the message is of an error */
	struct top_rate *rates; /* owned */
	size_t n_rates, rates_capacity;
	struct top_row *shown; /* owned: all rules, in the order of the screen */
	size_t n_shown, shown_capacity;
};

/* Notes how many events each rule had since the last sample, which was taken a second ago. */
void top_sample(struct top *t, const struct json_value *status);

/* Puts the rules of the status in order. The rule that was selected stays so. */
void top_arrange(struct top *t, const struct json_value *status);

/* The samples of a rule, or NULL. */
const struct top_rate *top_rate(const struct top *t, const char *name);

/* The rule that is selected, or NULL. */
const struct json_value *top_selected(const struct top *t);

/* Moves the selection, within the list. */
void top_select(struct top *t, int by);

/* The next order, or the same backwards. */
void top_reorder(struct top *t, bool backwards);

/* Appends the whole screen, of a status that was arranged. */
void top_draw(struct top *t, const struct json_value *status, struct buf *out);

void top_release(struct top *t);

#endif
