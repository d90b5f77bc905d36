/*
 * The tree of watched directories: who is where. See tree.c; scan.c reads the directories.
 */
#ifndef EVWATCH_SOURCE_FILE_TREE_H
#define EVWATCH_SOURCE_FILE_TREE_H

#include "source/file/names.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct error;
struct file_source;
struct root;
struct table;

/*
 * A watched directory. Its path is its name behind its parent's. About 80 bytes with its place in
 * the table: `names` exists only where there is something besides watched directories.
 */
struct dir {
	struct dir *parent; /* NULL: a root's */
	struct dir *first_child, *next;
	union {
		struct dir *prev;
		struct root *root; /* of a root's */
	};
	struct names *names;   /* all entries but the watched directories among them */
	int wd;                /* -1: no watch was to be had, it is polled */
	bool fresh : 1;        /* it was not read yet */
	bool anew : 1;         /* another one stands at its path; it was not read since */
	bool unsure : 1;       /* what is known to be in it may not be what is there */
	bool through_link : 1; /* --follow: a symbolic link leads here */
	bool seen : 1;         /* by the scan that is under way */
	bool moved : 1;        /* what may be entered in it may be others now */
	bool unreadable : 1;   /* it could not be read the last time, and that was told */
	char name[];           /* of a root's: the user's word */
};

void tree_free(struct file_source *s);
struct dir *tree_child(const struct dir *d, const char *name);
/* The children by name, in a table to be freed: where many are looked for. Returns 0 or -1. */
int tree_index(const struct dir *d, struct table *children);
struct root *dir_root(const struct dir *d);
unsigned dir_depth(const struct dir *d);
/* Is it `above`, or somewhere below that? */
bool dir_is_in(const struct dir *d, const struct dir *above);
/* The path of an entry (NULL: of the directory itself) in s->path. */
const char *tree_path(struct file_source *s, const struct dir *d, const char *name);

/*
 * Watches the directory called `name` in `parent` (NULL: the root itself); it is not read yet.
 * Where no watch is to be had (limit, --poll) it is polled. NULL with errno; EEXIST: it is watched
 * already, as a part of this or another root.
 */
struct dir *tree_watch(struct file_source *s, struct root *r, struct dir *parent, const char *name,
		       bool through_link);
/* The directory moved: its watch goes with it, and all below. Returns it anew, or NULL (removed).
 */
struct dir *tree_move(struct file_source *s, struct dir *d, struct dir *parent, const char *name);
/* Forgets a directory and all below it; their watches go unless the kernel took them already. */
void tree_remove(struct file_source *s, struct dir *d);

/* ---- watch.c ---- */
uint32_t watch_mask(const struct file_source *s);
/* Opens inotify. Returns 0, or -1 with `e` that names the limit if it is one. */
int watch_open(struct file_source *s, struct error *e);
/* The table of directories by watch. */
void watch_init(struct file_source *s);
/* The directory that has this watch, or NULL. */
struct dir *tree_find(const struct file_source *s, int wd);
/*
 * Watches the new directory; where no watch is to be had it is polled. Returns 0, or -1 with errno;
 * EEXIST: what stands there is watched already, under another path.
 */
int watch_start(struct file_source *s, struct dir *d);
void watch_stop(struct file_source *s, struct dir *d);
/* This watch is no directory's, and goes unless a root leans on it. */
void watch_drop(struct file_source *s, int wd);
/* The kernel took the watch: it is polled until it is looked at again. */
void watch_forget(struct file_source *s, struct dir *d);

/* What stands at the place of a directory now. */
enum watch_look {
	WATCH_HERE,  /* a directory; it has the watch, or if there is none left, is polled */
	WATCH_GONE,  /* nothing, or no directory */
	WATCH_TWICE, /* a directory that is seen under another path as well, and watched there */
	WATCH_MOVED, /* one that was watched under another path, and is not there any more */
};

enum watch_look watch_look(struct file_source *s, struct dir *d);
/* Says at the end of a scan that watches ran out, once. */
void watch_tell_limit(struct file_source *s);

#endif
