/*
 * What a regular file holds, as a digest, read in pieces over several turns of the loop.
 *
 * Nothing that could block is opened: a file is regular, and not on a file system that may hang
 * (the caller sees to that). Below a root no link is followed but as the model does. Others see the
 * file being opened and read; nobody sees it written.
 */
#ifndef EVWATCH_SOURCE_FILE_OBSERVE_CONTENT_H
#define EVWATCH_SOURCE_FILE_OBSERVE_CONTENT_H

#include "source/file/model/model.h"
#include "source/file/observe/digest.h"

enum { CONTENT_MOST = 64 << 20 /* bytes; more is not read */ };

struct content_reader {
	int fd; /* -1: nothing is being read */
	struct digest digest;
	uint64_t content; /* when it was read: never 0; 0: it could not be */
	int64_t changed;  /* its ctime, ns since the epoch, when it was read */
};

/* Opens what has this name. Returns 0, or -1: it cannot be read, or is not to be. */
int content_open(struct content_reader *r, struct model *m, struct node *d, const char *name);

/* Reads until `deadline` (of the loop's clock). True: there is more to read. False: `content` and
 * `changed` are set, and nothing is open. */
bool content_read(struct content_reader *r, int64_t deadline);

void content_close(struct content_reader *r);

#endif
