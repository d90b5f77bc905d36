/* See http.h. */
#include "source/probe/http.h"

#include "base/buf.h"

#include <stdio.h>
#include <string.h>

void http_request_add(struct buf *out, const char *host, const char *path)
{
	buf_printf(out,
		   "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: evwatch\r\nAccept: */*\r\n"
		   "Connection: close\r\n\r\n",
		   path, host);
}

/* `HTTP/1.1 200`. */
bool http_is_good(const void *statuses, const char *answer, char *why, size_t room)
{
	const struct http_statuses *good = statuses;
	const char *at = answer + 9;
	unsigned status = 0;

	if (memcmp(answer, "HTTP/1.", 7) != 0 || answer[8] != ' ') {
		snprintf(why, room, "its answer is not HTTP");
		return false;
	}
	for (int i = 0; i < 3; i++)
		status = status * 10 + (at[i] >= '0' && at[i] <= '9' ? (unsigned)(at[i] - '0') : 0);
	snprintf(why, room, "it answers with status %u", status);
	return status >= good->least && status <= good->most;
}
