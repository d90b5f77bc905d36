/*
 * What the files of this room share: set.c who has which instance, queue.c what it reads, watches.c
 * which listeners a watch has, limits.c what is said where the kernel gives no more.
 */
#ifndef EVWATCH_INOTIFY_INNER_H
#define EVWATCH_INOTIFY_INNER_H

#include "inotify/inotify.h"

#include "reactor/reactor.h"

enum { MOST_INSTANCES = 16 };

/* A watch of the kernel, 16 bytes: there may be a million. */
struct watch {
	struct inotify_listener *first; /* never NULL in a slot that is taken */
	int wd;                         /* 0: a free slot */
};

/* By wd: open addressing, linear probing. The kernel counts wds up, so they lie side by side. */
struct watches {
	struct watch *slots;
	size_t mask, count; /* mask: slots - 1; 0: none are allocated */
};

/* One descriptor with its queue. */
struct inotify {
	struct inotify_set *set;
	struct io_watcher io;
	int fd;
	struct watches watches;
	struct inotify_user **users; /* by place; NULL: free */
	size_t places, capacity, n_users;
	struct inotify_listener
	    *next;    /* while an event is passed on: who is called after this one */
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
/* The watch, or NULL. It moves when one is added or removed. */
struct watch *watches_find(const struct watches *w, int wd);
/* Makes room for one more. Returns 0, or -1 with ENOMEM. */
int watches_reserve(struct watches *w);
/* There is room, and none of this number. */
struct watch *watches_add(struct watches *w, int wd);
void watches_remove(struct watches *w, struct watch *watch);
void watches_free(struct watches *w);

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
