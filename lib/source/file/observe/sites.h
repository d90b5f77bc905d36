/*
 * What the files of remote.h share: remote.c the file system that the model looks at, sites.c which
 * it asks: remote mounts with their threads, what they are asked, and where the roots lead.
 */
#ifndef EVWATCH_SOURCE_FILE_OBSERVE_SITES_H
#define EVWATCH_SOURCE_FILE_OBSERVE_SITES_H

#include "source/file/observe/asker.h"
#include "source/file/observe/mounts.h"
#include "source/file/observe/remote.h"

/* A remote mount, and its thread. */
struct site {
	struct link link;
	int id;
	const char *type;
	struct asker *asker;
	bool hangs; /* that was said */
	char point[];
};

/* A root of the user. */
struct remote_root {
	char *path, *real; /* owned; real: without links, as far as that can be said */
	struct site *site; /* NULL: it is local */
	bool whole;        /* it is the mount point of a file system */
	bool kernel;       /* a file of /proc or /sys */
	struct question *look;
};

void sites_open(struct remote *r);
void sites_close(struct remote *r);

/* The site of a remote mount. NULL: there is no thread to be had, and the loop looks itself. */
struct site *sites_at(struct remote *r, const struct mount_point *p);

/* What is known of a root; `anew`: its way may be another. NULL: ENOMEM. */
struct remote_root *sites_root(struct remote *r, const char *path, size_t length, bool anew);
void sites_set_kernel(struct remote *r, struct remote_root *root, bool kernel);

/* What is asked of a directory, for how->node. NULL: ENOMEM. */
struct question *sites_ask(struct remote *r, struct site *s, const struct opening *how);
void sites_drop(struct remote *r, struct question *q);

#endif
