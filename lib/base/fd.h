/* Descriptors and small files: the few steps that are easy to get wrong. */
#ifndef EVWATCH_BASE_FD_H
#define EVWATCH_BASE_FD_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct error;

/* Closes *fd unless it is -1 and sets it to -1. errno is kept. */
void fd_close(int *fd);

/* Is this errno a want of descriptors (EMFILE, ENFILE), and so no fault of what was asked for? */
bool fd_is_short(int error);

/*
 * How many descriptors may be used for what outsiders open, peers and the like: some are left for
 * what everybody else needs (getrlimit(2), RLIMIT_NOFILE, less a sixteenth, 64 at most).
 */
int fd_most_for_peers(void);

/* Is it ready for one of these now (POLLIN, POLLOUT), or has it failed? Does not wait. */
bool fd_is_ready(int fd, int events);

/* Sets or clears O_NONBLOCK. Returns 0, or -1 with errno. */
int fd_set_nonblocking(int fd, bool on);

/* Sets FD_CLOEXEC. Returns 0, or -1 with errno. */
int fd_set_cloexec(int fd);

/*
 * Closes every descriptor but those of `keep`, which is sorted: for the child of a fork that leaves
 * its parent's behind (close_range(2), Linux 5.9; one by one elsewhere).
 */
void fd_close_all_but(int *keep, size_t n);

/* Opens /dev/null on each of 0, 1, 2 that is closed, so that no other file lands there. */
int fd_reserve_standard(void);

/* Writes all bytes to a blocking descriptor. Returns 0, or -1 with errno. */
int fd_write_all(int fd, const void *bytes, size_t length);

/*
 * Appends all that a descriptor gives, to its end. Returns 0, or -1 with errno: EFBIG where there
 * are more than `most` bytes.
 */
int fd_read_all(int fd, struct buf *out, size_t most);

/*
 * Replaces the file at `path` by these bytes, whole or not at all: a new file beside it (mode,
 * less the umask), fsync where `durable`, rename. Returns 0 or -1.
 */
int file_replace(const char *path, const void *bytes, size_t length, unsigned mode, bool durable,
		 struct error *e);

#endif
