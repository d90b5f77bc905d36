/*
 * The roots of a rule and what is mounted below them, by which the handles of fanotify(7) are
 * opened, and paths are found to be in a root.
 *
 * A handle is opened by a directory of the same mount. None is kept open, or that could not be
 * unmounted: they are opened when the first is needed, and closed when the turn is over.
 */
#ifndef EVWATCH_SOURCE_FILE_OBSERVE_FAN_ROOTS_H
#define EVWATCH_SOURCE_FILE_OBSERVE_FAN_ROOTS_H

#include "source/file/observe/fan_ahead.h"

struct node;

/* A root, or what is mounted below one. */
struct fan_place {
	struct node *root; /* NULL: a mount below one */
	char *path;        /* owned; to open it by */
	int mount;         /* its id */
	int32_t fsid[2];
	int fd;      /* -1: not open */
	char *real;  /* owned; while it is open: its path without links; NULL: it is not there, and
			fd is a directory above it */
	bool failed; /* it cannot be opened in this turn */
};

struct fan_roots {
	struct fan_place *items;
	size_t count, capacity;
};

/* A root, or a mount point below one, by its path. 0, or -1 with ENOMEM. */
int fan_roots_add(struct fan_roots *r, struct node *root, const char *path, int mount,
		  const int32_t fsid[2]);
/* The root has gone. */
void fan_roots_drop(struct fan_roots *r, const struct node *root);
/* The file system of a mount, or NULL. */
const int32_t *fan_roots_fsid(const struct fan_roots *r, int mount);
/*
 * Opens what the handle is of by the mount at *at or the next that has it; *at = 0 begins, and goes
 * on behind the one that was taken. -1 with errno; ESTALE: it is gone.
 */
int fan_roots_open(struct fan_roots *r, size_t *at, const struct fan_handle *h, int flags);
/* In which root is this path without links? NULL: in none. Some handle was opened in this turn. */
const struct fan_place *fan_root_of(const struct fan_roots *r, const char *path);
void fan_roots_close(struct fan_roots *r);
void fan_roots_free(struct fan_roots *r);

/* Takes the last name off a path. False: that is the whole of it. */
bool fan_path_up(char *path);

/* The present path of what is open. Owned; NULL with errno. */
char *fan_path_of(int fd);

#endif
