/*
 * The kernel's events of fanotify(7), read ahead.
 *
 * An event names a directory by its handle, and where that is the kernel says of the present alone.
 * Since the event it may have been renamed, or removed; but that is an event, too, further back in
 * the queue. So the queue is read to its end before a directory is looked for, and the first *word*
 * about it (it is made, renamed or removed) says where it was until then.
 *
 * At most 16 MB are read ahead, some 150,000 events. Behind that directories that are renamed are
 * found where they are, and what was in those that are removed is not known.
 */
#ifndef EVWATCH_SOURCE_FILE_OBSERVE_FAN_AHEAD_H
#define EVWATCH_SOURCE_FILE_OBSERVE_FAN_AHEAD_H

#include "base/buf.h"
#include "source/file/observe/fan_renames.h"

/* An event that makes, renames or removes a directory. */
struct fan_word {
	uint64_t hash;                 /* of the directory */
	size_t at;                     /* the event's place */
	bool moves;                    /* it is renamed */
	struct fan_word *later, *last; /* of the same directory; last: kept by the first */
	struct fan_word *next;         /* of all, in their order */
};

/* An event that makes, renames or removes something in this directory. */
struct fan_within {
	uint64_t dir;
	size_t at;
};

/* Those events by directory, for who asks for many: of the part of the queue that is indexed. */
struct fan_index {
	struct fan_within *items; /* owned; sorted */
	size_t count, capacity;
	size_t from, to;
};

struct fan_ahead {
	int fd; /* borrowed */
	struct buf bytes;
	size_t at;          /* of the next event */
	struct table words; /* of each directory the first that is left */
	struct fan_word *first, **end;
	size_t n_moves; /* words of renames */
	struct fan_renames renames;
	struct fan_index index;
};

void fan_ahead_init(struct fan_ahead *q, int fd);
void fan_ahead_free(struct fan_ahead *q);

/* Reads what the kernel has, 512 kB at most. True: it may have more, and there is room. */
bool fan_ahead_fill(struct fan_ahead *q);
/* What is before `at` was passed on, and the model looks at it: words of it are forgotten. */
void fan_ahead_forget_words(struct fan_ahead *q);
/* What is before `at` has been dealt with: words and renames of it are forgotten, and once nothing
 * is left the memory is used anew. */
void fan_ahead_forget(struct fan_ahead *q);
/* Is all that was read dealt with? */
static inline bool fan_ahead_empty(const struct fan_ahead *q)
{
	return q->at == q->bytes.length;
}
/* Was so much read ahead that the kernel may have more? */
bool fan_ahead_full(const struct fan_ahead *q);
/* The event at *at, which goes on to the one behind it. False: none. */
static inline bool fan_ahead_event(const struct fan_ahead *q, size_t *at, struct fan_event *ev)
{
	return fan_event_read(q->bytes.data, q->bytes.length, at, ev);
}
/* The places of the events left that make, rename or remove something in the directory, in their
 * order; call(data, at) for each. */
void fan_ahead_each(struct fan_ahead *q, uint64_t dir, void (*call)(void *data, size_t at),
		    void *data);
/* The first word about a directory, if there is any. */
bool fan_ahead_word(const struct fan_ahead *q, uint64_t hash, struct fan_event *ev);

#endif
