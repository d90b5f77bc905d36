/*
 * Does anybody have a file open for writing? The kernel knows: it gives a read lease (F_SETLEASE in
 * fcntl(2)) only where nobody has.
 *
 * To wait for a close that cannot come (a link(2) and unlink(2), truncate(2), a file that was made
 * by another name) delays a run; not to wait runs half an upload.
 */
#ifndef EVWATCH_SOURCE_FILE_BATCH_WRITER_H
#define EVWATCH_SOURCE_FILE_BATCH_WRITER_H

enum writer {
	WRITER_NONE,    /* nobody has it open for writing, or nothing is there */
	WRITER_AT_WORK, /* somebody has: its close will come */
	WRITER_UNKNOWN, /* leases are not to be had: another user's file, or its file system */
};

/*
 * Asks about the regular file at `path`; what is no regular file has no writer. The lease is given
 * back at once: whoever opens the file for writing in between waits for some microseconds, and this
 * process may get one SIGURG, which is ignored by default (the kernel's own SIGIO would end it).
 * The file is opened for reading, which whoever watches it for that sees.
 */
enum writer writer_ask(const char *path);

#endif
