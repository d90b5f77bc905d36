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
 * again. And a command may have started thousands, which take long to read: so the walk is made in
 * steps (a process, a thread, 200 children of a list) and goes on where it stopped.
 */
#ifndef EVWATCH_PROCESS_FAMILY_H
#define EVWATCH_PROCESS_FAMILY_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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

/* One process of all, where the kernel has no lists of children. */
struct census_line {
	pid_t pid, parent;
};

/* A reading that is going on. */
struct family_walk {
	struct family family; /* what was found up to now; all, once the walk is over */
	size_t next;          /* the relative whose children are read next */
	DIR *entries;         /* threads of `whose`, or all processes; NULL: read to the end */
	pid_t whose;
	size_t place;      /* of `whose` in the family */
	FILE *list;        /* of children; NULL: read to the end */
	size_t list_place; /* of their parent */
	struct census {
		struct census_line *items; /* owned; by their parents, once it is complete */
		size_t count, capacity;
	} census;
	int readings;
	bool by_lists, still; /* still: nobody went in this reading */
};

/*
 * Begins a walk, or begins it anew; goes on until it is over (true), or until a moment of
 * CLOCK_OF_LOOP, but one step at least; frees what it holds, which does no harm twice.
 */
void family_walk_start(struct family_walk *w);
bool family_walk_go(struct family_walk *w, int64_t until);
void family_walk_stop(struct family_walk *w);

/* Is the process still what it was when it was found: a child of this parent, or of ours? */
bool family_holds(const struct family *f, const struct relative *r);

/* Reads all that are there. Without memory for all of them there are fewer. */
void family_read(struct family *f);
void family_free(struct family *f);

#endif
