/*
 * The kernel's events of fanotify(7), and the handles in them.
 */
#ifndef EVWATCH_SOURCE_FILE_OBSERVE_FAN_EVENT_H
#define EVWATCH_SOURCE_FILE_OBSERVE_FAN_EVENT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/fanotify.h>

#ifndef FAN_RENAME /* musl, and glibc before 2.35 */
#define FAN_RENAME 0x10000000
#endif

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

/* The head of the event at *at of `length` bytes, which goes on to the next one. False: none. */
bool fan_event_head(const char *bytes, size_t length, size_t *at,
		    struct fanotify_event_metadata *head);
/* The same of all of it. */
bool fan_event_read(const char *bytes, size_t length, size_t *at, struct fan_event *ev);

/* What it happened to: of a directory itself there is no other handle. */
static inline uint64_t fan_event_self(const struct fan_event *ev)
{
	return ev->target.hash ? ev->target.hash : ev->dir.hash;
}

/* Is it of an inode by whatever name? */
static inline bool fan_event_is_nameless(const struct fan_event *ev)
{
	return !ev->dir.hash || strcmp(ev->name, ".") == 0;
}

/* The handle of what is called `name` in `folder` ("": that itself). Returns the id of its mount,
 * or -1 with errno. */
int fan_handle_at(int folder, const char *name, const int32_t fsid[2], struct fan_handle *h);
/* As open_by_handle_at(2) wants it. */
struct file_handle *fan_file_handle(const struct fan_handle *h);

#endif
