/*
 * When a batch is handed on.
 *
 * A lone save should run the command at once, a checkout of thousands of files once. So --debounce
 * auto waits 2 ms, longer where the other half of a save is likely to come (something is gone that
 * may be written anew, or has a name that is about to be renamed), and doubles that with each batch
 * that follows another closely and with each doubling of the number of names.
 *
 * What is still being written does not count: it holds back nothing but itself. A file that was
 * made or written without a close is asked about after 50 ms: has anybody got it open for writing?
 * (writer.h) Nobody: it is complete. Somebody: its close is waited for, and the file asked about
 * again now and then, since the close may come by another name. Where the kernel does not say, 250
 * ms without a write count as a close.
 */
#ifndef EVWATCH_SOURCE_FILE_BATCH_PACE_H
#define EVWATCH_SOURCE_FILE_BATCH_PACE_H

#include "source/file/batch/journal.h"
#include "source/file/batch/writer.h"

#include <stdbool.h>
#include <stdint.h>

struct pace {
	bool automatic;   /* --debounce auto */
	int64_t debounce; /* ns without a change before a batch is handed on; else */
	int64_t max_wait; /* ns after its first change, at most */
	/* Is anybody writing this file? */
	enum writer (*ask)(const struct pace *p, const struct record *r);

	int64_t last;  /* private from here on. Loop time of the last batch; 0: there was none */
	int64_t quiet; /* ns: the present wait of --debounce auto */
};

/* A batch is handed on at `now` (loop time). */
void pace_handed_on(struct pace *p, int64_t now);

/* Is it waited for what is written there? Something is there. */
bool pace_waits(const struct pace *p, const struct journal *j, const struct record *r);

/* Asks about the writers that are due, until `until` (of the loop's clock). Returns the loop time
 * of the next question, INT64_MAX where there is none. */
int64_t pace_ask_writers(const struct pace *p, struct journal *j, int64_t until);

/* The loop time at which something of the journal is to be handed on: INT64_MAX where there is
 * nothing. */
int64_t pace_due(const struct pace *p, const struct journal *j);

#endif
