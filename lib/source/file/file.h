/*
 * file: what the files of this folder share.
 *
 * The tree of watched directories (tree.c) turns paths into inotify watches and back; the reader
 * (reader.c) turns what the kernel tells into events; roots (root.c) are the user's PATHs, which
 * may be missing, replaced, or no directories; changes (changes.c) gathers events and merges them
 * to their net effect; filter.c says which paths count.
 *
 * Paths are reported as the user wrote the root: `src` gives src/a.c.
 */
#ifndef EVWATCH_SOURCE_FILE_H
#define EVWATCH_SOURCE_FILE_H

#include "base/buf.h"
#include "base/list.h"
#include "base/table.h"
#include "reactor/reactor.h"
#include "source/source.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* The events of the interface, as bits of --events. */
enum file_event {
	FILE_CREATE = 1,
	FILE_MODIFY = 2,
	FILE_CLOSE_WRITE = 4,
	FILE_DELETE = 8,
	FILE_MOVE = 16,
	FILE_ATTRIB = 32,
	FILE_OPEN = 64,
	FILE_ACCESS = 128,
	FILE_UNMOUNT = 256,
	FILE_OVERFLOW = 512,
};

/* Their names: bit i of enum file_event is called file_events[i]. Ends with a NULL name. */
extern const struct event_name file_events[];

struct file_config {
	struct text_list roots, match, ignore;
	bool no_recursive, one_file_system, existing, nul;
	uint64_t depth;
	char *paths_from;
	unsigned events; /* enum file_event */
	bool types[3];   /* --type f, d, l; none set: all */
	bool any_type;
};

/* Hashes of the names in a directory: what is known to be there. 8 to 21 bytes a name. */
struct names {
	uint64_t *slots; /* owned; 0: free */
	uint32_t count, mask;
};

/* A watched directory. Its path is its name behind its parent's. */
struct dir {
	struct dir *parent; /* NULL: a root's */
	struct dir *first_child, *next_sibling;
	struct root *root;
	struct names names;
	int wd;
	uint32_t depth; /* of the root: 0 */
	char name[];    /* of the root: the user's word */
};

/* A PATH of the user. Its parent directory is watched too, to see it come, go and be replaced. */
struct root {
	struct link link;
	struct file_source *owner;
	const char *path; /* as the user wrote it; borrowed */
	const char *base; /* its last component, without slashes; owned */
	struct dir *dir;  /* while it is a directory */
	bool is_file;     /* while it is anything else */
	int anchor;       /* watch descriptor of the deepest directory above it that is there */
	bool anchor_is_parent;
	dev_t device;
};

/* What happened to a path since the last batch, merged. */
struct change {
	struct link link;
	unsigned event; /* enum file_event: the net effect */
	bool open;      /* written, and not closed yet */
	bool hidden;    /* it was moved away: a delete only if its new place is deleted */
	char *old_path; /* owned; of moves */
	char path[];
};

struct changes {
	struct table by_path;
	struct link order;
	size_t count, n_open;
	int64_t first, last_batch; /* loop time */
	int64_t quiet;             /* --debounce auto: the present wait */
	struct timer timer;
};

struct file_source {
	struct source base;
	struct io_watcher io; /* inotify */
	int inotify;
	struct table dirs; /* by watch descriptor */
	struct link roots;
	struct text_list listed; /* --paths-from */
	struct changes changes;
	struct buf path; /* scratch */
	bool arming;     /* the first walk: nothing is reported (without --existing) */
	bool told_limit;
	struct timespec synced; /* when the kernel's queue was last seen empty: for rescans */
	/* A MOVED_FROM that waits for its MOVED_TO. */
	uint32_t cookie;
	char *moved_from; /* owned path; NULL: none waits */
	bool moved_directory;
	struct timer move_timer;
};

/* ---- filter.c ---- */
/* Does this path count? `relative` is what follows the root. */
bool filter_matches(const struct file_config *c, const char *path, const char *relative);
/* Is it ignored (a directory: not even entered)? */
bool filter_ignores(const struct file_config *c, const char *path, const char *relative);
bool glob_matches(const char *pattern, const char *text);

/* ---- names.c ---- */
bool names_has(const struct names *n, const char *name);
/* Returns 1 when it is new, 0 when it was there, -1 with ENOMEM. */
int names_add(struct names *n, const char *name);
void names_remove(struct names *n, const char *name);
void names_free(struct names *n);

/* ---- tree.c ---- */
uint32_t watch_mask(const struct file_source *s);
void tree_init(struct file_source *s);
void tree_free(struct file_source *s);
struct dir *tree_find(const struct file_source *s, int wd);
/* The path of an entry (NULL: of the directory itself) in s->path. */
const char *tree_path(struct file_source *s, const struct dir *d, const char *name);
/* The part of a path of this root behind the root itself. */
const char *root_relative(const struct root *r, const char *path);
/*
 * Watches the directory called `name` in `parent` (NULL: the root itself) and all below it. What is
 * found is reported as created unless s->arming says otherwise. Returns 0, or -1 with errno.
 */
int tree_add(struct file_source *s, struct root *r, struct dir *parent, const char *name);
/* Forgets a directory and all below it; their watches go unless the kernel took them already. */
void tree_remove(struct file_source *s, struct dir *d);
struct dir *tree_child(const struct dir *d, const char *name);
/* Looks at everything again: after an overflow. */
void tree_rescan(struct file_source *s, struct dir *d, const struct timespec *since);

/* ---- root.c ---- */
int roots_open(struct file_source *s, struct error *e);
void roots_close(struct file_source *s);
/* Something happened in a directory above a root: is it still what it was? */
void roots_look(struct file_source *s, int wd, const char *name, uint32_t mask);
void roots_rescan(struct file_source *s);

/* ---- reader.c ---- */
void reader_read(struct file_source *s);
void reader_close(struct file_source *s);
void reader_init(struct file_source *s);

/* ---- changes.c ---- */
void changes_init(struct file_source *s);
void changes_free(struct file_source *s);
/* This happened. `old_path` is for moves, `r` is NULL where the root is not known any more. */
void changes_add(struct file_source *s, const struct root *r, unsigned event, const char *path,
		 const char *old_path, bool directory);
/* A rename onto a path that was there: it is modified, and the old one is gone. */
void changes_add_replaced(struct file_source *s, const struct root *r, const char *path,
			  const char *old_path);
/* Hands on what may be handed on. */
void changes_review(struct file_source *s);

#endif
