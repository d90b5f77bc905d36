/*
 * Where is the match, and where are its groups? All threads side by side, each with the places it
 * has passed: the match that begins first, of these the longest, and of the ways to it the one that
 * backtracking would find first.
 */
#ifndef EVWATCH_MATCH_GROUPS_H
#define EVWATCH_MATCH_GROUPS_H

#include "match/match.h"
#include "match/program.h"

struct finder;

/* `p` is borrowed. NULL with ENOMEM. */
struct finder *finder_new(const struct program *p);
void finder_free(struct finder *f);

/* From the text's start. Both as in match.h. */
void finder_begin(struct finder *f);
enum match_answer finder_run(struct finder *f, const char *text, size_t length, size_t *budget);

/* After MATCH_YES: the whole match (0) or a group. */
struct match_span finder_span(const struct finder *f, size_t i);

#endif
