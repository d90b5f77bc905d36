/* What all sockets have in common: how one is made, its local end, its error, its options. */
#ifndef EVWATCH_NET_SOCKET_H
#define EVWATCH_NET_SOCKET_H

#include "address/address.h"

struct buf;

/*
 * A new one for this address (non-blocking, close-on-exec), of SOCK_STREAM or SOCK_DGRAM, not
 * bound. Returns it, or -1 with errno.
 */
int socket_new(const struct address *a, int type);

/* Sets an option to 1. Returns 0, or -1 with errno. */
int socket_enable(int fd, int level, int name);

/* The value of an option; -1: it is not known, or `fd` is no socket. */
int socket_option(int fd, int level, int name);

/* Its local end, unmapped; length 0: it is not known. */
struct address socket_name(int fd);

/* Sends without waiting. Returns how many bytes it took, 0: none now, or -1 with errno. */
ssize_t socket_send(int fd, const void *bytes, size_t length);

/*
 * Sends what it takes of a buffer now, and drops that from it. False with errno: the other end is
 * gone.
 */
bool socket_flush(int fd, struct buf *out);

/* The error that it has, an errno; 0: none. */
int socket_failure(int fd);

/* close(2) will send a reset instead of a FIN (socket(7), SO_LINGER). */
void socket_reset_on_close(int fd);

#endif
