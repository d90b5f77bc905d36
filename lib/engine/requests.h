/*
 * What is asked over the control socket: the table of requests, and their answers.
 *
 *	{"do":"trigger","rule":"css","subjects":["a.scss"],"wait":true}
 *	{"ok":true,"run":3,"status":0,"duration":0.081}
 *	{"ok":false,"error":"there is no rule \"csss\"","hint":"did you mean css?"}
 */
#ifndef EVWATCH_ENGINE_REQUESTS_H
#define EVWATCH_ENGINE_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct engine;
struct run_result;

/*
 * Does what the line asks and appends the answer, a line with its end. The text is overwritten.
 * False: nothing is appended; the answer comes by control_answer with this ticket.
 */
bool request_handle(struct engine *e, char *line, size_t length, uint64_t ticket,
		    struct buf *answer);

/* Appends the answer to a trigger that waited; NULL: its events led to no run, and the rule is
 * `paused` or its command runs. */
void request_run_ended(struct buf *answer, const struct run_result *result, bool paused);

/* Appends {"ok":false,...}. */
void request_refuse(struct buf *answer, const char *why, const char *hint);

#endif
