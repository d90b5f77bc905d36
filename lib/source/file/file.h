/*
 * file: what the files of this folder share.
 *
 * The tree of watched directories (tree.c) turns paths into inotify watches and back; scan.c reads
 * directories, for the first time or again (rescan.c), and enter.c enters what it finds; the reader
 * (reader.c, and moves.c for what moves) turns what the kernel tells into happenings; roots
 * (root.c) are the user's PATHs, which may be missing, replaced, or no directories; changes
 * (changes.c) merges happenings to their net effect, batch.c says when they are handed on and
 * emit.c as what; filter.c and choose/ say which paths count; fanotify.c does without a tree.
 *
 * Paths are reported as the user wrote the root: `src` gives src/a.c.
 */
#ifndef EVWATCH_SOURCE_FILE_H
#define EVWATCH_SOURCE_FILE_H

#include "base/buf.h"
#include "base/list.h"
#include "base/table.h"
#include "reactor/reactor.h"
#include "source/file/batch/events.h"
#include "source/file/config.h"
#include "source/file/tree.h"
#include "source/source.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct fan;
struct gitignore;
struct inotify_event;
struct mounts;
struct stat;

/* What is waited for on the way to a root: a name in a watched directory. */
struct step {
	int wd;
	char *name; /* owned */
};

/* A PATH of the user. Its parent directory is watched too, to see it come, go and be replaced. */
struct root {
	struct link link;
	const char *path; /* as the user wrote it; borrowed */
	char *base;       /* its last component, without slashes; owned */
	struct dir *dir;  /* while it is a directory */
	bool is_file;     /* while it is anything else */
	bool unlinked;    /* its directory went with its watch: that is still to be told */
	int anchor;       /* watch descriptor of the deepest directory above it that is there */
	bool anchor_is_parent;
	bool came_last;     /* the last word of it was that it moved here */
	bool polled;        /* there was no watch to be had for it */
	uint32_t stamp;     /* of a polled file */
	struct step *steps; /* links on the way to it, and where it really is; owned */
	size_t n_steps, steps_capacity;
	dev_t device;
};

/* Something happened to a path; lent. */
struct happening {
	unsigned event; /* enum file_event */
	const char *path, *old_path;
	const struct root *root; /* NULL: not known any more */
	char type;               /* 'f', 'd', 'l'; no directory: 'n', gone, '?', not seen yet */
	bool open;               /* it is being written: its close will be told */
	bool replaced;           /* of moves, and what moved in: something was there */
	bool along;              /* it moved with a directory above it */
	const struct dir *moved; /* of moves: the directory at its new place, if it is watched */
};

/* What happened to a path since the last batch, merged. */
struct change {
	struct link link;
	unsigned event; /* enum file_event: the net effect */
	unsigned seen;  /* all that went into it */
	bool open;      /* written, and not closed yet: the batch waits for it */
	bool slow;      /* as open, but it was for long: only itself waits */
	bool hidden;    /* it was moved away: a delete only if its new place is deleted */
	bool in_run;    /* it came while the rule's own command ran */
	bool first;     /* a directory's move, or what that needs: told first, see renames.c */
	int64_t since;  /* loop time */
	char *old_path; /* owned; of moves */
	char path[];
};

/* Does the rule trigger itself? See self.c. */
struct self_trigger {
	bool running;
	int64_t began;        /* loop time: when the last run did */
	int64_t into;         /* how long after that the last suspect came */
	char *path, *before;  /* the suspect, and another that was one before it; owned */
	unsigned times, runs; /* in a row: that path, any path */
	int64_t spacing;
	bool told;
	int64_t not_before; /* loop time: the next run waits until then */
};

struct changes {
	struct table by_path;
	struct link order;
	size_t count, n_open;
	int64_t last_batch, last_change; /* loop time */
	int64_t quiet;                   /* --debounce auto: the present wait */
	char *slow_path;                 /* who writes it does not close it; owned */
	struct timer timer;
	struct self_trigger self;
};

/* A file that this process writes to. */
struct own_output {
	dev_t device;
	ino_t inode;
	char name[256]; /* its last component; "": it is no regular file */
};

/* Watches that may be another directory's; see doubt.c. */
struct doubts {
	int *items;
	size_t count, capacity;
};

struct file_source {
	struct source base;
	struct io_watcher io; /* inotify, or fanotify */
	int inotify;
	struct table dirs; /* by watch descriptor */
	struct link roots;
	struct text_list listed; /* --paths-from */
	struct changes changes;
	struct buf path; /* scratch */
	bool arming;     /* open: nothing is handed on yet */
	bool started;
	/* Directories without a watch. */
	size_t n_polled;
	char *limit_path; /* where the limit of watches was reached first; owned */
	bool told_limit;
	struct timer poll_timer;
	/* After an overflow. */
	bool overflowed, rescan_again;
	uint64_t overflows;
	int64_t rescan_wait;
	struct timespec synced; /* when the kernel's queue was last seen empty */
	bool ahead;             /* directories were read since: events may speak of the past */
	struct timer rescan_timer;
	struct doubts doubts;
	/* The last MOVED_TO: a MOVED_FROM of the same name may be the other half of an exchange. */
	struct {
		int wd;
		bool directory;
		uint64_t name; /* its hash */
	} last_to;
	/* MOVED_FROMs that wait for their MOVED_TO. */
	struct link moves;
	struct timer move_timer;
	struct gitignore *gitignore; /* --gitignore: the rules; NULL: to be read */
	int64_t rules_looked;        /* loop time: when those outside of the tree were looked at */
	struct fan *fan;
	struct mounts *mounts;
	struct own_output outputs[2];    /* standard output and error */
	char *ready_folder, *ready_base; /* of --ready-file: where it really is; owned */
};

/* ---- filter.c ---- */
/* Is this path to be reported? `type` decides with --type. */
bool filter_matches(struct file_source *s, const struct happening *h);
/* Remembers what standard output and error are, and where the ready file is. */
void filter_init(struct file_source *s);
void filter_free(struct file_source *s);
/* Something happened to this path: if it has rules of git they are read again. */
void filter_notice(struct file_source *s, const char *path);
void filter_forget_rules(struct file_source *s);
/* May the directory at `path`, in `parent`, be entered? */
bool filter_enters(struct file_source *s, const struct dir *parent, const char *path);
/* May others be entered in a directory when it moves? */
bool filter_depends_on_place(const struct file_source *s);
/* Would a walk have come to this path: not below an ignored directory, nor too deep? */
bool filter_passes(struct file_source *s, const struct root *r, const char *path);

/* ---- scan.c ---- */
struct scan_how {
	bool report;      /* what is new is reported as created */
	bool again;       /* what is known is looked for, too: is it gone? */
	bool shallow;     /* directories that are where they were are not read again */
	bool lost;        /* and may have changed without a word of the kernel */
	bool doors;       /* what may be entered may be others now */
	bool polled_only; /* directories that have a watch are not read again */
};
/* Reads the directory and all below it. */
void scan(struct file_source *s, struct dir *d, const struct scan_how *how);
/* A hash of what changes when a file does. */
uint32_t stat_stamp(const struct stat *st);
/* May it have changed at this time or later? */
bool stat_changed_since(const struct stat *st, const struct timespec *since);

/* ---- enter.c ---- */
/*
 * An entry was found: is it known? If not it is from now on, and when it is a directory to be
 * entered, it is watched, and in *child to be scanned. Returns 1: new, 0: known, -1: ENOMEM.
 */
int scan_take(struct file_source *s, struct dir *d, const char *name, char type,
	      struct dir **child);
/* What is known to be in it may not be what is there: it is read again once the kernel's queue is
 * empty. */
void scan_suspect(struct file_source *s, struct dir *d);
/* The directory that was not entered with EEXIST; NULL: it is not there any more. */
struct dir *scan_watched_at(struct file_source *s, const struct dir *d, const char *name);
/* Reports the directory and all that was known below it as deleted, and forgets it. */
void scan_gone(struct file_source *s, struct dir *d);
/* Reports all that was known below it as deleted; it stays. */
void scan_content_gone(struct file_source *s, const struct dir *d);
/* The same, but it stays known by its name: it is not to be entered any more. */
void scan_leave(struct file_source *s, struct dir *d);
/*
 * Watches the directory, or what --follow leads to, if it is one to be entered. NULL with errno:
 * EEXIST, it is watched by another path; 0, it is not to be entered; others were told.
 */
struct dir *scan_enter(struct file_source *s, struct dir *d, const char *name, char type);
/* Why a path cannot be watched or read, with the cure where the system's own word has none. */
const char *scan_why_unseen(int error);

/* ---- rescan.c ---- */
void rescan_init(struct file_source *s);
/* Events were lost: everything is looked at again, soon. */
void rescan_overflowed(struct file_source *s);
/* Nothing was lost, but what may be entered may be others now: the rules changed. */
void rescan_soon(struct file_source *s);
/* Arms the next poll if anything needs it. */
void rescan_poll(struct file_source *s);

/* ---- doubt.c ---- */
/* Does the path of this directory lead to its own watch? Polled ones are never sure. */
bool doubt_is_here(struct file_source *s, const struct dir *d);
/* Is it the one that was opened by its path? */
bool doubt_is_folder(struct file_source *s, const struct dir *d, int folder);
/* It is looked at once the kernel's queue is empty. */
void doubt_add(struct file_source *s, const struct dir *d);
/* The queue is empty. Returns true when it is to be read once more: there are new doubts. */
bool doubt_settle(struct file_source *s);
void doubt_free(struct file_source *s);

/* ---- root.c ---- */
int roots_open(struct file_source *s, struct error *e);
void roots_close(struct file_source *s);
/* Something happened in a directory above a root: is it still what it was? */
void roots_look(struct file_source *s, const struct inotify_event *ev);
/* Looks at all of them again. */
void roots_rescan(struct file_source *s, const struct scan_how *how);
/* Something was mounted on it or above it, or unmounted. */
void root_look(struct file_source *s, struct root *r, const struct scan_how *how);
/* The real path of what `path` names, or will name when it comes. Owned; NULL with errno. */
char *root_real(const char *path);
/* Is this watch needed to see a root come and go? */
bool roots_lean_on(const struct file_source *s, int wd);
/* The part of a path of this root behind the root itself. */
const char *root_relative(const struct root *r, const char *path);

/* ---- way.c ---- */
/* Watches for the links in its path to be replaced, and with this mask where it really is. */
void way_watch(struct file_source *s, struct root *r, uint32_t last_mask);
void way_forget(struct file_source *s, struct root *r);
/* What an event says of the way to a root. */
enum way_word {
	WAY_NOTHING,
	WAY_LINK, /* a link was replaced: it leads elsewhere now */
	WAY_END,  /* it is one of where the root really is */
};
enum way_word way_tells(const struct root *r, const struct inotify_event *ev);

/* ---- mounts.c ---- */
/* Without /proc nothing is noticed, and nothing is said. */
void mounts_open(struct file_source *s);
/* --fanotify: says which mounts in the roots are not seen. */
void mounts_tell_unseen(struct file_source *s);
void mounts_start(struct file_source *s);
void mounts_stop(struct file_source *s);
void mounts_close(struct file_source *s);

/* ---- reader.c ---- */
void reader_read(struct file_source *s);
/* The type of the entry that an event speaks of: as it is known. */
char reader_type_of(const struct dir *d, const struct inotify_event *ev);
/* The type of one that is new. *open: whoever made it will close it. */
char reader_new_type(struct file_source *s, const struct dir *d, const struct inotify_event *ev,
		     bool *open);
/* An entry came, by the happening `h`: it is known from now on, told, and read if a directory.
 * Returns false if it was known, and nothing was told. */
bool reader_take(struct file_source *s, struct dir *d, const struct inotify_event *ev, char type,
		 struct happening *h);

/* ---- moves.c ---- */
void moves_init(struct file_source *s);
void moves_close(struct file_source *s);
/* IN_MOVED_FROM and IN_MOVED_TO of an entry of d. */
void moves_from(struct file_source *s, struct dir *d, const struct inotify_event *ev);
void moves_to(struct file_source *s, struct dir *d, const struct inotify_event *ev);
/* What moves and was not seen to arrive has left. */
void moves_settle(struct file_source *s);
/* What is moving out of a directory that moves or goes has left by its old path. */
void moves_settle_below(struct file_source *s, const char *path);
/*
 * What stood there is another by now, or gone: what is still thought to be moving from there, or
 * from below it, has left, and is told first.
 */
void moves_settle_at(struct file_source *s, const struct dir *d, const char *name);
/* Is it a directory that moves, and was not seen to arrive? Then it has left, and is forgotten. */
bool moves_have_out(struct file_source *s, const struct dir *d);

/* ---- changes.c ---- */
void changes_init(struct file_source *s);
void changes_free(struct file_source *s);
void changes_add(struct file_source *s, const struct happening *h);
/* The same of an entry of d (NULL: d itself). */
void changes_report(struct file_source *s, const struct dir *d, const char *name, unsigned event,
		    char type);
/* Takes a change out of the books; it is not freed. */
void change_take(struct changes *c, struct change *change);
void change_free(struct change *change);
void change_drop(struct changes *c, struct change *change);
/* The change of this path, a new one with `event` if there is none. NULL with ENOMEM. */
struct change *change_of(struct file_source *s, const char *path, unsigned event);
/* What left this path is not told of by its new place. */
void change_unhide(struct file_source *s, const char *old_path);
/* It is called so from now on; the change moves in memory. Returns 0, or -1: ENOMEM. */
int change_rename(struct changes *c, struct change *change, const char *path);
/* A directory's move: it is in the order, and not found by its path. NULL with ENOMEM, and told. */
struct change *change_add_rename(struct file_source *s, const char *path, const char *old_path);
/* One that is no move. */
void changes_gather(struct file_source *s, unsigned event, const char *path, bool open);

/* ---- gather_move.c ---- */
void changes_gather_move(struct file_source *s, const struct happening *h);

/* ---- renames.c ---- */
/* A directory moved, and is told of. */
void renames_add(struct file_source *s, const struct happening *h);
/* What is here is deleted: if it is a directory that moved here, that is taken back if possible.
 * Returns the path it had, owned, or NULL. */
char *renames_undo(struct file_source *s, const char *path);

/* ---- below.c ---- */
/* A directory moved: tells all that is known below it to have moved, one by one. */
void below_moved(struct file_source *s, const struct happening *h);
/* The same of its entries alone, each of which says how it is told; they come from `from`. */
void below_expand(struct file_source *s, const struct happening *h, const char *from);

/* ---- emit.c ---- */
/* Hands on this alone, ungathered. */
void change_emit(struct file_source *s, const struct happening *h);
/* Hands on, as one batch, all but those that still wait for their close. */
void changes_emit(struct file_source *s, int64_t now);
bool change_waits(const struct file_source *s, const struct change *change, int64_t now);

/* ---- batch.c ---- */
void batch_init(struct file_source *s);
void batch_free(struct file_source *s);
/* Hands on what may be handed on, and arms the timer for the rest. */
void batch_review(struct file_source *s);
/* A batch is about to be handed on. */
void batch_judge(struct file_source *s);

/* ---- self.c ---- */
/* A batch is about to be handed on: did the rule's own command make it? */
void self_judge(struct file_source *s);
void self_free(struct file_source *s);
void self_run_began(struct source *base, void *token);
void self_run_ended(struct source *base, void *token, const struct run_outcome *outcome);

/* ---- fanotify.c ---- */
/* One mark a file system instead of a watch a directory. Returns 0, or -1 with `e`. */
int fan_open(struct file_source *s, struct error *e);
void fan_read(struct file_source *s);
void fan_close(struct file_source *s);

/* ---- remote.c ---- */
/* Says which roots others may change without the kernel's knowing, once, at the start. */
void remote_tell(const struct file_source *s);

#endif
