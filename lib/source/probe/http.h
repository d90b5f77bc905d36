/* What a probe of http://HOST/PATH asks for, and which answers are good (RFC 9112). */
#ifndef EVWATCH_SOURCE_PROBE_HTTP_H
#define EVWATCH_SOURCE_PROBE_HTTP_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

/* The statuses that are good. */
struct http_statuses {
	unsigned least, most;
};

/* Appends the request; `host` and `path` as they stand in the URL. */
void http_request_add(struct buf *out, const char *host, const char *path);

/* Is this beginning of an answer one of the statuses? As of net/health.h. */
bool http_is_good(const void *statuses, const char *answer, char *why, size_t room);

#endif
