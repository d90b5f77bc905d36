/*
 * file: what the parts beside the sub-rooms share; they join those.
 *
 *	kind.c      the source_type: its life
 *	roots.c     the user's PATHs, each followed (lib/follow): hints on the model's top
 *	host.c      when the model works; what it reports becomes entries of the journal
 *	compare.c   what files hold, for --changed
 *	hand_on.c   the journal is handed on: its net effect becomes events
 *	backlog.c   with --each: effects that wait for their run
 *	outside.c   git's rules outside of the trees, each followed
 *	config.c    options and arguments
 *
 * observe -> model -> host -> journal -> hand_on -> the engine.
 *
 * Paths are reported as the user wrote the root: `src` gives src/a.c.
 */
#ifndef EVWATCH_SOURCE_FILE_KIND_H
#define EVWATCH_SOURCE_FILE_KIND_H

#include "base/buf.h"
#include "follow/follow.h"
#include "source/file/batch/circle.h"
#include "source/file/batch/pace.h"
#include "source/file/batch/contents.h"
#include "source/file/batch/rejoin.h"
#include "source/file/choose/filter.h"
#include "source/file/config.h"
#include "source/file/model/model.h"
#include "source/file/observe/content.h"
#include "source/file/observe/fanotify.h"
#include "source/file/observe/inotify.h"
#include "source/file/observe/poll.h"
#include "base/units.h"
#include "reactor/reactor.h"

struct file_source;

/* A path without the slashes at its end; "/" is "". */
struct root_key {
	const char *path;
	size_t length;
};

/* A PATH of the user. */
struct root {
	struct root_key key; /* first: of `by_path` */
	struct link link;
	struct file_source *source;
	const char *path;             /* as the user wrote it; borrowed */
	struct follow follow;         /* stopped where all is polled, or a walk may hang */
	struct inotify_listener self; /* of what stands there, if it is no directory */
	bool covered;                 /* another root's tree has it: the first one reports it */
};

/* The user's PATHs. */
struct roots {
	struct link list;
	struct table by_path;
	struct inotify_user user; /* whose listeners the roots that are files have */
	struct text_list listed;  /* --paths-from */
};

/* A file that was there at the start, and is to be read. */
struct unread {
	struct node *node; /* held */
	char *name;        /* owned */
};

/* What files hold (--changed). */
struct compare {
	struct contents contents;
	int64_t began; /* ns since the epoch: what was changed since may be an event */
	struct unread *unread;
	size_t n_unread, unread_capacity;
	struct unread is_read; /* now, by `early` */
	struct content_reader early, reader;
	struct thing *reads; /* of the batch, by `reader`; NULL: none */
	unsigned writes;     /* of that when its reading began */
};

/* Effects that wait for their run (--each). */
struct backlog {
	struct net net;  /* in order */
	size_t at;       /* the next of it */
	bool may_rejoin; /* rejoin_is_possible */
	struct net held; /* passed over: host->is_busy */
	size_t held_at;  /* the next of it */
};

/* The journal's way to the engine. */
struct hand_on {
	struct timer timer; /* something may be due, or there is more of what is handed on */
	struct pace pace;
	struct circle circle;
	struct net_options options;
	int64_t due_at;            /* loop time: when the batch is, at the last review */
	struct net_maker *maker;   /* of the batch's net effect; NULL: none is being made */
	struct emission *emission; /* then of its events */
};

/* What the kernel did not report, and is logged when all was looked at. */
struct losses {
	uint64_t overflows;
	bool overflowed;   /* since all was looked at last */
	char *limit_path;  /* where the limit of watches was met first; owned */
	size_t over_limit; /* directories without a watch */
};

struct file_source {
	struct source base;
	struct roots roots;
	struct filter filter;
	struct link outside; /* files with rules of git that are followed */
	struct model model;
	struct inotify_observer inotify;
	struct fanotify_observer fanotify; /* or this one (--fanotify) */
	struct poll_observer poll;         /* around it */
	struct journal journal;
	struct hand_on hand_on;
	struct backlog backlog;
	struct compare compare;
	struct timer work;     /* the model has something to look at */
	struct timer retry;    /* what could not be looked at is tried again */
	int64_t compare_until; /* loop time: for what --changed reads before the rule is armed */
	bool started;
	struct losses losses;
	struct buf path; /* scratch */
};

static inline const struct file_config *config_of(const struct file_source *s)
{
	return s->base.config;
}

/* When the present piece of work is to end, on the loop's clock. */
static inline int64_t file_turn_end(void)
{
	return clock_read(CLOCK_OF_LOOP) + 2 * NS_PER_MS;
}

/* ---- roots.c ---- */
void roots_init(struct file_source *s);
/* Follows all PATHs. Returns 0, or -1 with `e`. */
int roots_start(struct file_source *s, struct error *e);
void roots_stop(struct file_source *s);
/* Warns of those that do not exist yet. */
void roots_report_missing(const struct file_source *s);
/* For struct poll_observer: those that are not followed are hinted at; something was mounted or
 * unmounted, so which may be followed, and marked? */
void roots_passing(struct poll_observer *o);
void roots_answered(struct poll_observer *o, const char *path);
void roots_remounted(struct poll_observer *o);
/* What is mounted below them gets a mark of its own (--fanotify). */
void roots_mark_mounts(struct file_source *s);
/* Is what has this path reported, in any root's tree? */
bool roots_count(struct file_source *s, const char *path, char type);
struct root *roots_find(const struct file_source *s, const char *path, size_t length);

/* ---- outside.c ---- */
/* Follows what has been looked for since the last call. */
void outside_follow(struct file_source *s);
void outside_stop(struct file_source *s);

/* ---- host.c ---- */
extern const struct model_host file_host;
extern const struct journal_folders file_folders;
void host_init(struct file_source *s);
/* There is something for the model: it works in the next turn. */
void file_wake(struct file_source *s);
/* What the kernel has is read and, as far as that takes a turn, looked at. */
void host_catch_up(struct file_source *s);
/* Rules of git changed: what is entered is decided anew. */
void file_review_entered(struct file_source *s);
/* The path of an entry, in scratch until the next call. NULL: ENOMEM. */
const char *file_path(struct file_source *s, const struct node *d, const char *name);
/* Is anybody writing it? To ask opens the file, which is an event to a rule that asks for those,
 * and may hang. */
enum writer file_ask_writer(struct file_source *s, const struct node *d, const char *name);

/* ---- compare.c ---- */
void compare_init(struct file_source *s);
void compare_close(struct file_source *s);
/* The file was there at the start, and is to be read. */
void compare_later(struct file_source *s, struct node *d, const char *name);
/* Reads such files until `deadline` (of the loop's clock). True: there are more. */
bool compare_start(struct file_source *s, int64_t deadline);
/* Reads what was written in the batch until `deadline`. False: all of it is read. */
bool compare_batch(struct file_source *s, int64_t deadline);

/* ---- hand_on.c ---- */
void hand_on_init(struct file_source *s);
/* What was being handed on is dropped. */
void hand_on_close(struct file_source *s);
/* Is what is written there waited for? */
static inline bool hand_on_waits(const struct file_source *s, const struct record *r)
{
	return pace_waits(&s->hand_on.pace, &s->journal, r);
}
/* Emits what --events lets through of one effect, with a command. False: that is nothing. */
bool hand_on_effect(struct file_source *s, const struct effect *e);
/* Hands on what is due, and arms the timer for the rest. */
void hand_on_review(struct file_source *s);
/* The same after changes: of many it is enough that the timer runs. */
void hand_on_soon(struct file_source *s);

/* ---- backlog.c ---- */
/* Takes over a net effect, when the one before was handed on. */
void backlog_take(struct file_source *s, struct net *net);
/* Hands on what is next, and arms the timer for the rest. False: nothing can be handed on now. */
bool backlog_hand_on(struct file_source *s);
/* Before a net effect is made: what waits for the last run of its path, and has changed since, is a
 * part of that. */
void backlog_rejoin(struct file_source *s);
/* How many wait. */
size_t backlog_count(const struct file_source *s);
void backlog_free(struct file_source *s);

#endif
