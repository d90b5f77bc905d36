/*
 * POSIX extended regular expressions, by bytes, in time linear in the text.
 *
 * A text comes from strangers: a log line may be made to be slow. So nothing here backtracks. The
 * literal that a match needs is searched first; an automaton whose states are built as they are
 * met decides; a pass of all threads side by side finds the groups. Each stops when its budget is
 * used up, and goes on with the next one. At worst the work is text times expression, where
 * intervals count as written out.
 *
 * As glibc has them: classes, intervals, anchors, \< \> \b \B \w \W \s \S. Refused:
 * back-references, which no automaton can match, and expressions that are too large.
 */
#ifndef EVWATCH_MATCH_MATCH_H
#define EVWATCH_MATCH_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

/* An expression, and the one search with it that is under way. Opaque. */
struct match;

enum match_answer {
	MATCH_NO,
	MATCH_YES,
	MATCH_MORE, /* the budget is used up: call match_run again with a new one */
};

/* From the byte at `from` to the one before `to`; both MATCH_UNSET: the group took no part. */
struct match_span {
	size_t from, to;
};
#define MATCH_UNSET SIZE_MAX

/* Groups beyond these are matched, but not reported. */
enum { MATCH_MOST_GROUPS = 31 };

/*
 * Steps that take about 2 ms: what a caller spends in one turn of its loop.
 */
enum { MATCH_TURN = 500000 };

/*
 * The expression, for match_free. NULL with `e` filled: it is wrong (e->column is the place in it),
 * too large, or memory is short. Nothing is allocated afterwards.
 */
struct match *match_new(const char *expression, bool ignore_case, struct error *e);
void match_free(struct match *m);

/* How many groups are reported: 0 to MATCH_MOST_GROUPS. */
size_t match_groups(const struct match *m);

/*
 * Begins a search, and forgets an unfinished one. `text` is borrowed until the answer. After
 * MATCH_YES the first `n` of the whole match (0) and its groups are in `spans`; with `n` 0 the
 * search ends as soon as there is a match at all.
 */
void match_begin(struct match *m, const char *text, size_t length, struct match_span *spans,
		 size_t n);

/* Goes on, and takes what it spent from *budget, which must be above 0. */
enum match_answer match_run(struct match *m, size_t *budget);

/*
 * What a valid expression says that was hardly meant, as `\d` for a digit: false, or true with `e`
 * filled, a hint included. The first such place only.
 */
bool match_doubtful(const char *expression, struct error *e);

#endif
