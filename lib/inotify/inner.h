/*
 * What the files of this room share: set.c who has which instance, queue.c what it reads, watches.c
 * who listens to a watch, limits.c what is said where the kernel gives no more.
 */
#ifndef EVWATCH_INOTIFY_INNER_H
#define EVWATCH_INOTIFY_INNER_H

#include "inotify/inotify.h"

#include "base/table.h"
#include "reactor/reactor.h"

enum { MOST_INSTANCES = 16 };

/* One descriptor with its queue. */
struct inotify {
	struct inotify_set *set;
	struct io_watcher io;
	int fd;
	struct table watches;        /* see watches.c */
	struct inotify_user **users; /* by place; NULL: free */
	size_t places, capacity, n_users;
	int event_wd; /* of the event that is passed on */
	size_t left;  /* so many of its listeners are still to be called, the newest first */
	bool passing; /* it is in use by its reader, who frees it if `n_users` is 0 */
	int64_t synced;
};

struct inotify_set {
	struct reactor *reactor;
	struct inotify *instances[MOST_INSTANCES];
	size_t n_instances;
	bool logged_watches, logged_instances, logged_queue;
};

/* ---- watches.c ---- */
/*
 * Who listens to which watch: a table by wd, 8 bytes a watch, of which there may be a million. The
 * kernel counts wds up, so that the slots of neighbours lie side by side.
 */
void watches_init(struct table *w);
/* How many listen to it; 0: it is no watch of this instance. */
size_t watch_count(const struct table *w, int wd);
/* One of them; the newest is the last. */
struct inotify_listener *watch_at(const struct table *w, int wd, size_t i);
/* The listener has its wd. Returns 0, or -1 with ENOMEM. */
int watch_add(struct table *w, struct inotify_listener *l);
/* Returns which one of its watch it was. The watch goes with the last. */
size_t watch_remove(struct table *w, struct inotify_listener *l);
/* The watch is gone: all of its listeners are stopped. */
void watch_forget(struct table *w, int wd);
/* All watches are gone. */
void watches_clear(struct table *w);

/* ---- queue.c ---- */
/* Starts reading. Returns 0, or -1 with errno. */
int queue_start(struct inotify *in);
/* Takes the listener out of its watch's list; the last one takes the watch along. */
void listener_drop(struct inotify *in, struct inotify_listener *l);

/* ---- set.c ---- */
void instance_free(struct inotify *in);

/* ---- limits.c ---- */
/* Why inotify_init1(2) failed, from errno. Returns -1. */
int limits_error(struct error *e);
/* Once each for the whole process. */
void limits_warn_instances(struct inotify_set *set);
void limits_warn_queue(struct inotify_set *set);

#endif
