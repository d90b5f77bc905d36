/*
 * The tools' side of the control socket: finds it, asks, and reads the answer.
 *
 * The socket is that of --control, else of $EVWATCH_CONTROL, else the one socket that somebody
 * serves in $XDG_RUNTIME_DIR/evwatch.
 */
#ifndef EVWATCH_CLIENT_H
#define EVWATCH_CLIENT_H

#include "base/buf.h"
#include "base/json.h"

#include <stdbool.h>
#include <stdio.h>

struct error;

struct client {
	const char *tool; /* for messages */
	int fd;
	struct buf in;
	struct json answer; /* in the text below */
	char *text;         /* owned: the last answer, as read in place */
	char *raw;          /* owned: the same as it came */
};

/* `path` NULL: it is looked for. -1: what is wrong was printed. */
int client_open(struct client *c, const char *tool, const char *path);

/*
 * Sends a request (a line without its end) and waits for the answer, 10 s at most unless it waits
 * for a run. The answer, or NULL: what is wrong was printed.
 */
const struct json_value *client_ask(struct client *c, const char *request, bool patient);

/* As client_ask, but an answer with "ok" false is printed as an error, too. */
const struct json_value *client_do(struct client *c, const char *request, bool patient);

void client_close(struct client *c);

/* Text of an answer: its lines are kept as they are; what else could move a cursor is escaped. */
void client_print(FILE *to, const char *text);

#endif
