/*
 * When a batch is handed on.
 *
 * A lone save should run the command at once, a checkout of thousands of files once. So --debounce
 * auto waits 2 ms, longer where the other half of a save is likely to come (something is gone that
 * may be written anew, or has a name that is about to be renamed), and doubles that with each batch
 * that follows another closely and with each doubling of the number of names.
 *
 * What is still being written does not count: it holds back nothing but itself.
 */
#ifndef EVWATCH_SOURCE_FILE_BATCH_PACE_H
#define EVWATCH_SOURCE_FILE_BATCH_PACE_H

#include "source/file/batch/net.h"

#include <stdbool.h>
#include <stdint.h>

struct pace {
	bool automatic;   /* --debounce auto */
	int64_t debounce; /* ns without a change before a batch is handed on; else */
	int64_t max_wait; /* ns after its first change, at most */
	int64_t last;     /* loop time of the last batch; 0: there was none */
	int64_t quiet;    /* ns: the present wait of --debounce auto */
};

/* A batch is handed on at `now` (loop time). */
void pace_handed_on(struct pace *p, int64_t now);

/*
 * The loop time at which something of the journal is to be handed on: INT64_MAX where there is
 * nothing. `options` say what waits.
 */
int64_t pace_due(const struct pace *p, const struct journal *j, const struct net_options *options,
		 int64_t now);

#endif
