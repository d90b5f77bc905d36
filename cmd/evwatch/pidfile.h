/* --pidfile: written and locked, so that a second instance notices the first. */
#ifndef EVWATCH_PIDFILE_H
#define EVWATCH_PIDFILE_H

struct error;

/*
 * Opens, locks (fcntl(2), OFD) and writes `pid`; the lock lasts as long as the descriptor, which is
 * returned. -1 with `e`: held by another process, or not writable.
 */
int pidfile_open(const char *path, int pid, struct error *e);

/* Removes the file and closes the descriptor. */
void pidfile_close(const char *path, int fd);

#endif
