/*
 * The kernel's events of fanotify(7), read ahead.
 *
 * An event names a directory by its handle, and where that is the kernel says of the present alone.
 * Since the event it may have been renamed, or removed; but that is an event, too, further back in
 * the queue. So the queue is read to its end before a directory is looked for, and the first *word*
 * about it (it is made, renamed or removed) says where it was until then.
 *
 * At most 4 MB are read ahead. Behind that, directories that are renamed are found where they are.
 */
#ifndef EVWATCH_SOURCE_FILE_OBSERVE_FAN_AHEAD_H
#define EVWATCH_SOURCE_FILE_OBSERVE_FAN_AHEAD_H

#include "base/buf.h"
#include "base/table.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the kernel calls an inode: laid out as in an information record, and behind the hash and the
 * file system as struct file_handle. It is never used again for another inode. */
struct fan_handle {
	uint64_t hash; /* of all that follows; 0: none */
	int32_t fsid[2];
	uint32_t bytes;
	int32_t type;
	char data[128];
};

/* An event with its records. */
struct fan_event {
	uint64_t mask;
	int32_t pid;
	struct fan_handle dir, to_dir; /* to_dir: of a rename */
	struct fan_handle target;      /* what it happened to */
	char name[NAME_MAX + 1], to_name[NAME_MAX + 1];
};

/* An event that makes, renames or removes a directory. */
struct fan_word {
	uint64_t hash;                 /* of the directory */
	size_t at;                     /* the event's place */
	struct fan_word *later, *last; /* of the same directory; last: kept by the first */
	struct fan_word *next;         /* of all, in their order */
};

struct fan_ahead {
	int fd; /* borrowed */
	struct buf bytes;
	size_t at;          /* of the next event */
	struct table words; /* of each directory the first that is left */
	struct fan_word *first, **end;
};

void fan_ahead_init(struct fan_ahead *q, int fd);
void fan_ahead_free(struct fan_ahead *q);

/* Reads what the kernel has, 512 kB at most. True: it may have more, and there is room. */
bool fan_ahead_fill(struct fan_ahead *q);
/* What is before `at` has been dealt with: words of it are forgotten, and once nothing is left the
 * memory is used anew. */
void fan_ahead_forget(struct fan_ahead *q);
/* Is all that was read dealt with? */
static inline bool fan_ahead_empty(const struct fan_ahead *q)
{
	return q->at == q->bytes.length;
}
/* Was so much read ahead that the kernel may have more? */
bool fan_ahead_full(const struct fan_ahead *q);
/* The event at *at, which goes on to the one behind it. False: none. */
bool fan_ahead_event(const struct fan_ahead *q, size_t *at, struct fan_event *ev);
/* The first word about a directory, if there is any. */
bool fan_ahead_word(const struct fan_ahead *q, uint64_t hash, struct fan_event *ev);

/* The handle of what is called `name` in `folder` ("": that itself). Returns the id of its mount,
 * or -1 with errno. */
int fan_handle_at(int folder, const char *name, const int32_t fsid[2], struct fan_handle *h);
/* As open_by_handle_at(2) wants it. */
struct file_handle *fan_file_handle(const struct fan_handle *h);

#endif
