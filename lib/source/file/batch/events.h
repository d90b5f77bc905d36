/* The events of kind file, as bits of --events. */
#ifndef EVWATCH_SOURCE_FILE_BATCH_EVENTS_H
#define EVWATCH_SOURCE_FILE_BATCH_EVENTS_H

enum file_event {
	FILE_CREATE = 1,
	FILE_MODIFY = 2,
	FILE_CLOSE_WRITE = 4,
	FILE_DELETE = 8,
	FILE_MOVE = 16,
	FILE_ATTRIB = 32,
	FILE_OPEN = 64,
	FILE_ACCESS = 128,
	FILE_UNMOUNT = 256,
	FILE_OVERFLOW = 512,
	/* Told whatever --events says, and beside what else happened to the path. */
	FILE_NOTICES = FILE_UNMOUNT | FILE_OVERFLOW,
};

#endif
