/*
 * Is there a match at all? An automaton whose states are sets of threads, built as they are met.
 *
 * What states take is bounded: when it is full all of them are dropped but the one it stands in.
 */
#ifndef EVWATCH_MATCH_DECIDE_H
#define EVWATCH_MATCH_DECIDE_H

#include "match/match.h"
#include "match/program.h"

struct decider;

/* `p` is borrowed. NULL with ENOMEM. */
struct decider *decider_new(const struct program *p);
void decider_free(struct decider *d);

/* From the text's start. Both as in match.h. */
void decider_begin(struct decider *d);
enum match_answer decider_run(struct decider *d, const char *text, size_t length, size_t *budget);

#endif
