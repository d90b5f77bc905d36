/*
 * Opening a file whose name the user gave, where others may have their hands in the directory.
 *
 * evwatch often runs as root. Who may write a directory on the way could put a link there, and have
 * another file written; or a FIFO, and have evwatch wait. So the way is walked link by link, and
 * what is opened is looked at.
 *
 * A link is followed only where nobody but root and this user may write its directory; or, in a
 * sticky one like /tmp, where its owner is this user or the directory's owner (as
 * fs.protected_symlinks has it, proc_sys_fs(5)). What stands in /proc (/dev/stdout leads there) is
 * followed by the kernel.
 */
#ifndef EVWATCH_BASE_SAFE_OPEN_H
#define EVWATCH_BASE_SAFE_OPEN_H

struct error;

/* What may be opened beside a regular file, and what else is asked. */
enum {
	SAFE_FIFO = 1,   /* FIFOs and sockets */
	SAFE_DEVICE = 2, /* character devices: terminals, /dev/null */
	SAFE_INHERITED =
	    4, /* both, by /proc or /dev/fd alone: /dev/stdin, <(...) of a shell; the null device */
	SAFE_DIRECTORY = 8, /* a directory, and nothing else */
	/* As root: a file that others than its owner and root may write is refused. */
	SAFE_TRUSTED = 16,
	/* A file that belongs to another user than this one or root is refused. */
	SAFE_OWN = 32,
};

/*
 * open(2) with O_CLOEXEC, O_NOCTTY and O_NONBLOCK (which stays set) added to `flags`. Returns the
 * descriptor, or -1 with errno and `e`: "DOING PATH: why", and a cure.
 */
int safe_open(const char *path, int flags, unsigned mode, unsigned what, const char *doing,
	      struct error *e);

#endif
