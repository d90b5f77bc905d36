/*
 * What one look at a path says, and the file system that is looked at.
 *
 * The file system is a struct of functions, so that the model can be tested on a tree in memory;
 * disk.h is the kernel's. A directory is opened by its path and held against the identity that is
 * expected there; its entries are then looked at through the descriptor. So a rename of anything
 * above it cannot lead a look astray.
 */
#ifndef EVWATCH_SOURCE_FILE_MODEL_LOOK_H
#define EVWATCH_SOURCE_FILE_MODEL_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Device and birth time are folded to 32 bits: they are compared for equality alone. */
struct identity {
	uint64_t inode;
	uint32_t device;
	uint32_t born; /* 0: the file system does not say */
};

/*
 * Hashes that differ when what a file holds (size, mtime) does, or anything else of it (ctime; of a
 * directory, whose ctime changes with each name in it, owner and mode). 0: not looked at.
 */
struct stamp {
	uint32_t content, attributes;
};

struct look {
	char type;    /* 'f', 'd', 'l', 'o' (device, socket, FIFO); 0: nothing is there */
	bool mounted; /* something is mounted here (Linux 5.8) */
	struct identity identity;
	struct stamp stamp;
	int64_t changed; /* ctime, ns since the epoch */
};

/* An entry as getdents64(2) gives it. */
struct listed {
	const char *name; /* until the next call */
	char type;        /* as in struct look; '?': the file system does not say */
	uint64_t inode;   /* a hint only: where something is mounted it is that of what is below */
};

enum {
	/* The working directory instead of an opened one: the name is then a whole path. */
	FOLDER_NONE = -2,
	/* From here on a folder is no descriptor of this process: it cannot be watched. */
	FOLDER_REMOTE = 1 << 28,
};

/*
 * A directory to be opened. What follows `root` bytes of the path is below a root of the user: no
 * link is followed in that part, unless `follow`.
 */
struct opening {
	const char *path;
	size_t root;
	bool follow;
	bool to_read;      /* else only to look at what is in it: search permission is enough */
	struct node *node; /* whose directory it is */
};

struct file_system {
	/* Returns a descriptor with what was opened in *found, or -1 with errno. EAGAIN: the answer
	 * is not there yet; when it comes, the node is listed (model_list). */
	int (*open)(const struct file_system *fs, const struct opening *how, struct look *found);
	/* What is called `name` in the folder. 0 (also when nothing is there), or -1 with errno. */
	int (*look)(const struct file_system *fs, int folder, const char *name, bool follow,
		    struct look *found);
	/* The next entry but . and .. of a folder opened to be read, one folder at a time: 1, 0 at
	 * its end, -1 with errno. */
	int (*next)(const struct file_system *fs, int folder, struct listed *entry);
	void (*close)(const struct file_system *fs, int folder);
};

/* Of what is gone: no look finds that. (All zero: not known.) */
static inline struct identity identity_of_gone(void)
{
	return (struct identity){.inode = UINT64_MAX};
}

static inline bool identity_equal(const struct identity *a, const struct identity *b)
{
	return a->inode == b->inode && a->device == b->device && a->born == b->born;
}

#endif
