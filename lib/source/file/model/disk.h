/*
 * The kernel's file system, as the model looks at it.
 *
 * Below a root no link is followed (openat2(2) with RESOLVE_NO_SYMLINKS, Linux 5.6; on older
 * kernels the model's comparison of identities remains): whoever may write to a directory above
 * another could exchange that for a link, and lead a rule out of its tree.
 */
#ifndef EVWATCH_SOURCE_FILE_MODEL_DISK_H
#define EVWATCH_SOURCE_FILE_MODEL_DISK_H

#include "source/file/model/look.h"

enum { DISK_BUFFER = 32768 };

struct disk {
	struct file_system fs; /* first */
	size_t filled, at;     /* of the buffer: what getdents64(2) gave, and has been taken */
	_Alignas(8) char buffer[DISK_BUFFER];
};

void disk_init(struct disk *d);

/* A device as struct identity has it. */
uint32_t disk_device(unsigned major, unsigned minor);

#endif
