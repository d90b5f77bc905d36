/*
 * What was handed on and taken back: an effect becomes a part of the batch again.
 *
 * With --each an effect waits for its run. What happens to its name meanwhile is put down in the
 * journal, as what became of the name since. Taken back, the effect is put before that: the record
 * then begins where the effect did, and the net effect is that of both.
 */
#ifndef EVWATCH_SOURCE_FILE_BATCH_REJOIN_H
#define EVWATCH_SOURCE_FILE_BATCH_REJOIN_H

#include "source/file/batch/net.h"

/*
 * Can effects of this net be taken back, one without the other? Not where a directory left its
 * path: other effects report what is in it.
 */
bool rejoin_is_possible(const struct net *net);

/* The record of what happened to an effect's name since; NULL: nothing did. */
struct record *rejoin_find(const struct journal *j, const struct effect *e);

/* Puts the effect (of net_options.names) before what happened to its name since. */
void rejoin(struct journal *j, const struct effect *e);

#endif
