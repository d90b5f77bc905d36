/* What a rule of kind file counts, however it watches; `evwatch status` and its metrics show it. */
#ifndef EVWATCH_SOURCE_FILE_COUNTS_H
#define EVWATCH_SOURCE_FILE_COUNTS_H

#include <stddef.h>
#include <stdint.h>

struct buf;

struct file_counts {
	size_t directories; /* that are watched or polled */
	size_t watches;     /* of the kernel */
	uint64_t overflows; /* of the kernel's queue, since the start */
};

/* Appends them as the member "files" of a JSON object, with a comma before it. */
void file_counts_add(struct buf *out, const struct file_counts *c);

#endif
