/*
 * What the kernel reports of a rename beside the rename.
 *
 * All of it comes from the same process, in this order: FAN_RENAME; if something had the new name,
 * that it lost a link (FAN_ATTRIB without a name); FAN_MOVE_SELF of what was renamed. An exchange
 * is two renames back to back, each with its FAN_MOVE_SELF, and neither with a lost link. So what a
 * rename replaced is known without reading a directory.
 *
 * The kernel queues these events one by one: of a process that is preempted meanwhile the rest
 * comes later. A rename is *ended* by its FAN_MOVE_SELF, or by another event of the process behind
 * it: the kernel merges an event into an equal one that was not read yet, which may stand before
 * the rename.
 */
#ifndef EVWATCH_SOURCE_FILE_OBSERVE_FAN_RENAMES_H
#define EVWATCH_SOURCE_FILE_OBSERVE_FAN_RENAMES_H

#include "base/table.h"
#include "source/file/observe/fan_event.h"

struct fan_rename {
	size_t at; /* the event's place in the queue */
	int32_t pid;
	uint64_t moved, lost; /* the handles of what was renamed and of what lost a link; 0: none */
	uint64_t from, to;    /* directory and name */
	char replaced;        /* what had the new name: 'd', or 'n' (no directory); 0: nothing */
	bool ended, followed; /* followed: by an event of the process that is not of this rename */
	bool is_second;       /* it is the second half of an exchange */
	size_t second;        /* the place of the second half of the exchange; 0: it is none */
	struct fan_rename *next; /* of all, in their order */
};

struct fan_renames {
	struct table by_place, by_pid; /* by_pid: the last one of each process */
	struct fan_rename *first, **end;
};

void fan_renames_init(struct fan_renames *rs);
void fan_renames_free(struct fan_renames *rs);

/* The next event that was read; `at` is its place. */
void fan_renames_note(struct fan_renames *rs, size_t at, const struct fan_event *ev);
/* May an event of this process, with this mask, be of interest to fan_renames_note? */
bool fan_renames_want(const struct fan_renames *rs, int32_t pid, uint64_t mask);
/* The rename that the event at this place is, or NULL: there was no memory. */
const struct fan_rename *fan_renames_at(const struct fan_renames *rs, size_t at);
/* Those before `at` are forgotten. */
void fan_renames_forget(struct fan_renames *rs, size_t at);

#endif
