/*
 * An event of a worker as plain bytes. Workers parse what strangers send: the loop's process takes
 * nothing from them but numbers and texts, and checks both.
 */
#ifndef EVWATCH_SOURCE_RELAY_WORKERS_MESSAGE_H
#define EVWATCH_SOURCE_RELAY_WORKERS_MESSAGE_H

#include "base/buf.h"
#include "base/event.h"

#include <stdbool.h>
#include <stddef.h>

enum { EVENT_SUBJECTS = 1, EVENT_DETAILS = 3 };

/* An event that was read: its texts are borrowed from the message, its names are static. */
struct unpacked {
	struct event event;
	const char *subjects[EVENT_SUBJECTS];
	struct detail details[EVENT_DETAILS];
};

/* Appends the event, which happens now. */
void event_pack(struct buf *out, const struct event *event);

/* False: these bytes are no event of a relay. `u` must stay where it is. */
bool event_unpack(struct unpacked *u, const char *bytes, size_t length);

#endif
