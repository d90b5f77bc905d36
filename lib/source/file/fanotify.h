/*
 * --fanotify: what its files share. fanotify.c has its life, fan_queue.c reads the kernel's events
 * ahead, fan_dirs.c knows where directories were when an event happened, fan_events.c turns events
 * into happenings, and fan_renames.c renames; fan_walk.c reads what comes and goes with a
 * directory, and fan_gone.c finds what has left that before.
 */
#ifndef EVWATCH_SOURCE_FILE_FANOTIFY_H
#define EVWATCH_SOURCE_FILE_FANOTIFY_H

#include "base/buf.h"
#include "base/table.h"
#include "source/file/file.h"
#include "source/file/names.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What the kernel calls an inode: laid out as in an information record, and behind the hash and the
 * file system as struct file_handle. */
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

/* A directory that is renamed or removed by an event that was read, but not told yet. */
struct fan_departure {
	uint64_t hash;
	size_t at; /* of its event */
};

/* Events that were read ahead. */
struct fan_queue {
	struct buf bytes;
	size_t at; /* of the first that is still to be told */
	struct fan_departure *departures;
	size_t n_departures, capacity, told; /* told: departures before `at` */
};

/* A file system with a mark; its directory serves to open handles. */
struct mount {
	int32_t fsid[2];
	int fd;
};

/* A directory that was told of lately. */
struct fan_dir {
	uint64_t hash;
	struct fan_dir *parent; /* NULL: a mount's top, whose name is its path */
	char *name;             /* owned */
};

struct fan_root {
	const struct root *root;
	char *real; /* its real path; owned */
	size_t length;
};

struct fan {
	struct mount *mounts;
	size_t n_mounts;
	struct fan_root *roots;
	size_t n_roots;
	struct fan_queue queue;
	struct table dirs;               /* by hash */
	struct buf path, old_path, real; /* scratch */
	bool waited;                     /* long enough for the word behind the rename at hand */
	struct names *untold;    /* what is to come when it leaves where it was never told to be */
	struct names *arrived;   /* places to which files were renamed since the queue was empty */
	struct fan_event rename; /* the one that is being told */
	struct fan_handle
	    moving;            /* the directory that is being told to have moved: by it, or along */
	struct fan_event last; /* the rename before; no pid: none */
	bool last_exchanged;   /* and it was seen to begin an exchange */
	bool told_too_deep;    /* that there are paths longer than PATH_MAX */
};

/* Where a directory is. */
struct fan_spot {
	bool top;                 /* of a mount; the name is its path */
	struct fan_handle parent; /* but of a top */
	char name[PATH_MAX];
};

/* ---- fan_queue.c ---- */
/* Reads what the kernel has, unless there is much to be told already. Did anything come? */
bool fan_queue_fill(struct file_source *s);
/* Frees what was told, once all is. */
void fan_queue_forget(struct fan_queue *q);
/* Takes the next event. Returns false when there is none. */
bool fan_queue_next(struct fan_queue *q, struct fan_event *ev);
/* The event that was taken last, at `at`, is to be told later. */
void fan_queue_put_back(struct fan_queue *q, size_t at);
/* The event at *at, which goes on to the one behind it; for those that look ahead. */
bool fan_queue_peek(const struct fan_queue *q, size_t *at, struct fan_event *ev);
/* The first event still to be told that renames or removes this directory: its place until then. */
bool fan_queue_departs(const struct fan_queue *q, uint64_t hash, struct fan_event *ev);
void fan_queue_free(struct fan_queue *q);

/* What comes to or leaves a place by this event, as a key; false if nothing does. */
enum { FAN_KEY = 64 };
bool fan_arrival(const struct fan_event *ev, char key[FAN_KEY]);
bool fan_departure(const struct fan_event *ev, char key[FAN_KEY]);
void fan_key(char key[FAN_KEY], const struct fan_handle *dir, const char *name,
	     const struct fan_handle *target);

/* ---- fan_dirs.c ---- */
void fan_dirs_init(struct fan *f);
void fan_dirs_free(struct fan *f);
/* Forgets them when they are many: they are found again. */
void fan_dirs_trim(struct fan *f);
/* The path of an entry at the time of the event at hand, as the user wrote its root, in *out, if it
 * is in a root and not below an ignored directory. */
const struct root *fan_locate(struct file_source *s, const struct fan_handle *dir, const char *name,
			      struct buf *out);
/* The directory is called so in `parent` from now on. */
void fan_dir_is(struct file_source *s, const struct fan_handle *h, const struct fan_handle *parent,
		const char *name);
/* Is it `above`, or somewhere below that? */
bool fan_dir_is_in(struct file_source *s, const struct fan_handle *h,
		   const struct fan_handle *above);
/* Opens it, wherever it is. Returns -1 with errno. */
int fan_handle_open(const struct fan *f, const struct fan_handle *h, int flags);
/* The handle of what `name` is in `folder`; "": of that itself. Returns the mount's id, or -1. */
int fan_handle_of(int folder, const char *name, const int32_t fsid[2], struct fan_handle *h);
void fan_handle_hash(struct fan_handle *h);
/* Opens `path`, or the nearest directory above it that is there. Returns -1 with errno. */
int fan_open_near(const char *path);

enum { FAN_AHEAD = 256 /* events that are looked at for the next one of a process */ };

/* ---- fan_events.c ---- */
/* Tells of one event. Returns false if what comes behind it must be known first. */
bool fan_happened(struct file_source *s, const struct fan_event *ev);
void fan_report(struct file_source *s, const struct root *r, unsigned event, const char *path,
		char type);
/* 'n': gone, and no directory. Who does not ask for types is spared the look. */
char fan_type_of(const struct file_source *s, const struct fan_event *ev);

/* ---- fan_renames.c ---- */
/* As fan_happened. */
bool fan_renamed(struct file_source *s, const struct fan_event *ev);
/* What was at this place is not there any more. */
void fan_place_left(struct fan *f, const struct fan_handle *dir, const char *name);
/* Did the rename replace a file? `at`: behind it in the queue. */
enum fan_answer { FAN_NO, FAN_YES, FAN_UNKNOWN };
enum fan_answer fan_replaces(const struct fan *f, const struct fan_event *ev, size_t at);
/* What the event moved has left this path: it is deleted, and so is what is in it. */
void fan_left(struct file_source *s, const struct fan_event *ev, const struct root *r,
	      const char *path, char type);
/* The directory at hand moved: tells one by one that what was in it moved, too; `shallow`: but not
 * what was in directories in it. */
void fan_moved_below(struct file_source *s, const struct happening *h, bool shallow);

/* ---- fan_gone.c ---- */
struct fan_gone {
	const struct fan_event *move; /* of the directory */
	bool seen;                    /* where it was */
	bool whole;                   /* it is told to have moved, with all that is in it */
	size_t at;                    /* seen to there in the queue */
	struct names *came;           /* since the move */
};
/* Tells what has left the directory, before that is read. */
void fan_gone_until_now(struct file_source *s, struct fan_gone *d);
/* And what has left while it was read; ends the search. */
void fan_gone_since(struct file_source *s, struct fan_gone *d);

/* ---- fan_walk.c ---- */
struct fan_tale {
	const struct root *root;
	const struct fan_handle *subject; /* the directory; NULL: the one at `path` */
	const char *path;                 /* by which it is told of */
	const char *old_path;             /* what is in it moved from there; else NULL */
	bool shallow;                     /* directories in it are not read: they move as one */
	unsigned event;                   /* FILE_CREATE, FILE_MOVE or FILE_DELETE */
};
/* Reports all that was in a directory at the time of the event at hand and still is, wherever that
 * is by now. */
void fan_walk(struct file_source *s, const struct fan_tale *t);

#endif
