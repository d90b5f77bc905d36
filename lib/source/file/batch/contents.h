/*
 * What each file held when it was last read (--changed): the digest of its content by its name.
 *
 * As in the journal a name is a directory and a name in it, so what is in a directory that moves
 * stays where it is here. The names stand as they were before the batch; net.c puts down what they
 * are afterwards. All names of a directory must be forgotten before its node is freed: that holds
 * where each of them is reported as gone.
 *
 * 100,000 files must not cost many megabytes, so a name is kept as 64 bits (seeded once a process,
 * see hash_bytes): two names out of a million are taken for one another once in 10^7 runs.
 */
#ifndef EVWATCH_SOURCE_FILE_BATCH_CONTENTS_H
#define EVWATCH_SOURCE_FILE_BATCH_CONTENTS_H

#include "base/table.h"

#include <stdint.h>

struct node;

struct contents {
	struct table by_name;
};

void contents_init(struct contents *c);
void contents_free(struct contents *c);

/* The digest of what it held, or 0: not known. */
uint64_t contents_find(const struct contents *c, const struct node *d, const char *name);

/* It holds this now; 0: that is not known. Without memory it is not known either. */
void contents_keep(struct contents *c, const struct node *d, const char *name, uint64_t content);

#endif
