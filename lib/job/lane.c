/* See lane.h. */
#include "job/lane.h"

#include "job/batch.h"
#include "job/state.h"

#include <stdlib.h>
#include <string.h>

struct lane {
	char *key;            /* owned */
	struct batch *batch;  /* borrowed: it waits or runs */
	struct batch *parked; /* owned reference, or NULL */
};

void lanes_open(struct job *j)
{
	table_init(&j->lanes, &table_by_text);
}

void lanes_close(struct job *j)
{
	struct lane *lane;

	for (size_t at = 0; (lane = table_next(&j->lanes, &at));) {
		if (lane->parked)
			batch_release(lane->parked);
		free(lane->key);
		free(lane);
	}
	table_free(&j->lanes);
}

struct lane *lane_of(const struct job *j, const char *key)
{
	return table_find(&j->lanes, key);
}

struct batch *lane_batch(const struct lane *lane)
{
	return lane->batch;
}

int lane_enter(struct job *j, struct batch *b)
{
	struct lane *lane = calloc(1, sizeof *lane);

	if (!lane)
		return -1;
	lane->key = strdup(b->key);
	lane->batch = b;
	if (lane->key && table_add(&j->lanes, lane) == 0) {
		b->lane = lane;
		return 0;
	}
	free(lane->key);
	free(lane);
	return -1;
}

static void drop_parked(struct job *j, struct lane *lane)
{
	struct batch *b = lane->parked;

	lane->parked = NULL;
	if (b)
		job_drop(j, b);
}

void lane_park(struct job *j, struct lane *lane, struct batch *b)
{
	drop_parked(j, lane);
	lane->parked = b;
}

void lane_leave(struct job *j, struct batch *b)
{
	struct lane *lane = b->lane;
	struct batch *next;

	if (!lane)
		return;
	next = lane->parked;
	lane->parked = NULL;
	lane_free(j, b);
	if (!next)
		return;
	lane_enter(j, next);
	job_enqueue(j, next);
}

void lane_free(struct job *j, struct batch *b)
{
	struct lane *lane = b->lane;

	if (!lane)
		return;
	b->lane = NULL;
	table_remove(&j->lanes, lane->key);
	drop_parked(j, lane);
	free(lane->key);
	free(lane);
}

void lanes_withdraw(struct job *j, const struct feed *f)
{
	struct lane *lane;

	for (size_t at = 0; (lane = table_next(&j->lanes, &at));)
		if (lane->parked && (!f || lane->parked->feed == f))
			drop_parked(j, lane);
}
