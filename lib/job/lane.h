/*
 * Lanes: with --each, runs of one path never overlap, while those of others go on beside them.
 *
 * A lane is there as long as a run of its path waits or goes on; what came for the path meanwhile
 * is parked in it, the newest event in place of an older one, and follows when the run is over.
 */
#ifndef EVWATCH_JOB_LANE_H
#define EVWATCH_JOB_LANE_H

struct batch;
struct feed;
struct job;
struct lane;

void lanes_open(struct job *j);
void lanes_close(struct job *j);

/* The lane of this key, or NULL: nothing of it waits or goes on. */
struct lane *lane_of(const struct job *j, const char *key);

/* The batch takes a new lane. -1 with ENOMEM: it goes without one. */
int lane_enter(struct job *j, struct batch *b);

/* The batch that the lane is for. */
struct batch *lane_batch(const struct lane *lane);

/* It follows when the lane is free; consumes the reference. */
void lane_park(struct job *j, struct lane *lane, struct batch *b);

/* The batch is over: what is parked in its lane is put into the queue. */
void lane_leave(struct job *j, struct batch *b);

/* The batch was dropped, and with it what is parked behind it. */
void lane_free(struct job *j, struct batch *b);

/* Drops what is parked of this feed (NULL: of all). */
void lanes_withdraw(struct job *j, const struct feed *f);

#endif
