/*
 * --fanotify: what its files share. fanotify.c has its life and its events, fan_paths.c gets from
 * the kernel's handles to the user's paths, fan_walk.c reads what came with a directory.
 */
#ifndef EVWATCH_SOURCE_FILE_FANOTIFY_H
#define EVWATCH_SOURCE_FILE_FANOTIFY_H

#include "base/buf.h"
#include "source/file/file.h"
#include "source/file/names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PLACES = 256 };

/* An information record as the kernel lays it out; libcs differ in what they declare. */
struct info {
	uint8_t type, pad;
	uint16_t length;
	int32_t fsid[2];
	uint32_t handle_bytes;
	int32_t handle_type;
	char handle[];
};

/* A file system with a mark; its directory serves to open handles. */
struct mount {
	int32_t fsid[2];
	int fd;
};

/* The path of a directory that was told of lately. */
struct place {
	uint64_t hash; /* of fsid and handle; 0: none */
	char *path;
};

struct fan_root {
	const struct root *root;
	char *real; /* its real path; owned */
	size_t length;
};

/* A rename that was told; whether something stood at its new path is told next. */
struct fan_rename {
	bool waits;
	int32_t pid;
	const struct root *from, *to; /* NULL: in no root */
	bool directory, replaced;
	struct buf old_path, path;
};

struct fan {
	struct mount *mounts;
	size_t n_mounts;
	struct fan_root *roots;
	size_t n_roots;
	struct place places[PLACES];
	struct buf path; /* scratch */
	struct fan_rename rename;
	struct names *walked; /* paths found by walks: their creation may still be in the queue */
};

/* ---- fan_paths.c ---- */
/* The path of a record, in *out, if it is in a root and not below an ignored directory. */
const struct root *fan_locate(struct file_source *s, const struct info *info, struct buf *out);
/* A directory was renamed: what is known of handles' paths may be wrong. */
void fan_forget_places(struct fan *f);
/* Opens `path`, or the nearest directory above it that is there. Returns -1 with errno. */
int fan_open_near(const char *path);

/* ---- fan_walk.c ---- */
/* Reports all below `path` as created: it moved in, or --existing; or as moved from `old_path`. */
void fan_walk(struct file_source *s, const struct root *r, const char *path, const char *old_path);

#endif
