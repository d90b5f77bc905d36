/*
 * Who descends from this process, read from /proc.
 *
 * It is a subreaper, so that whatever loses its parent becomes its child: all that its commands
 * started hangs below it. The lists of children (proc(5), /proc/PID/task/TID/children) lead there,
 * and what other users run costs nothing. Where the kernel has no such lists all processes of the
 * machine are read.
 *
 * The hard part is that it changes while it is read. Who dies then hands its children up to this
 * process, whose own list may have been read before: so when one has gone meanwhile all is read
 * again.
 */
#ifndef EVWATCH_PROCESS_FAMILY_H
#define EVWATCH_PROCESS_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define FAMILY_HEAD ((size_t)-1) /* the parent is this process itself */

/* By its environment, as to a mark. */
enum belonging { BELONGS_UNREAD, BELONGS, BELONGS_TO_OTHERS, BELONGS_AS_ITS_PARENT };

struct relative {
	pid_t pid, group;
	size_t parent; /* its place, or FAMILY_HEAD */
	bool dead;     /* a zombie: it only waits to be reaped */
	enum belonging belonging;
};

struct family {
	struct relative *items; /* owned; parents before their children */
	size_t count, capacity;
};

/* Reads all that are there. Without memory for all of them there are fewer. */
void family_read(struct family *f);
void family_free(struct family *f);

#endif
