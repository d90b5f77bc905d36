/*
 * What the files of this room share: set.c who has which instance, instance.c who listens to what
 * there, limits.c what is said where the kernel gives no more.
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
	int mounts;                  /* /proc/self/mountinfo, or -1 */
	struct table watches;        /* by wd: see instance.c */
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

/* ---- instance.c ---- */
/* One more of the set, which is read from now on. NULL with errno: EMFILE is the limit of
 * instances, or that of descriptors. */
struct inotify *instance_new(struct inotify_set *set);
void instance_free(struct inotify *in);
/* All listeners of this user are stopped. */
void instance_drop_all(struct inotify *in, uint32_t user);

/* The table of watches: the listener has its wd (0, or -1 with ENOMEM); all are stopped. */
void watches_init(struct table *w);
int watch_add(struct table *w, struct inotify_listener *l);
void watches_clear(struct table *w);

/* ---- limits.c ---- */
/* Why inotify_init1(2) failed, from errno. Returns -1. */
int limits_error(struct error *e);
/* Once each for the whole process. */
void limits_warn_instances(struct inotify_set *set);
void limits_warn_queue(struct inotify_set *set);

#endif
