/*
 * The control socket (--control): requests and answers, one JSON object a line each.
 *
 * It owns the socket, the clients and their patience; what a request means is requests.c's. A
 * client disturbs nobody: a request has a limit (CONTROL_REQUEST), one of each client is answered
 * a turn, the next is read when the answer was taken, and who neither asks nor takes for
 * CONTROL_PATIENCE is cut off. Only the user of this process, and root, are let in.
 */
#ifndef EVWATCH_ENGINE_CONTROL_H
#define EVWATCH_ENGINE_CONTROL_H

#include "base/buf.h"

#include <stdint.h>

struct control;
struct engine;
struct error;

enum { CONTROL_REQUEST = 64 * 1024 /* bytes */, CONTROL_CLIENTS = 128 };

/* Opens the socket at `path`. NULL with `e`. */
struct control *control_open(struct engine *e, const char *path, struct error *error);

/* The socket file is removed, too. NULL does no harm. */
void control_close(struct control *c);

/* Several runs belong to this ticket: the client is answered when so many answers have come. */
void control_expect(struct control *c, uint64_t ticket, size_t answers);

/* Answers the client that waits for this ticket, if it is still there. The line has its end. Of
 * several answers the first bad one counts, else the last. */
void control_answer(struct control *c, uint64_t ticket, const struct buf *line, bool bad);

#endif
