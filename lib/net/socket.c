/* See socket.h. */
#include "net/socket.h"

#include "base/buf.h"

#include <errno.h>

int socket_new(const struct address *a, int type)
{
	return socket(a->any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

int socket_enable(int fd, int level, int name)
{
	int on = 1;

	return setsockopt(fd, level, name, &on, sizeof on);
}

int socket_option(int fd, int level, int name)
{
	int value = -1;
	socklen_t length = sizeof value;

	return getsockopt(fd, level, name, &value, &length) < 0 ? -1 : value;
}

struct address socket_name(int fd)
{
	struct address a = {.length = sizeof a.storage};

	if (getsockname(fd, &a.any, &a.length) < 0)
		return (struct address){0};
	address_unmap(&a);
	return a;
}

ssize_t socket_send(int fd, const void *bytes, size_t length)
{
	ssize_t n;

	do
		n = send(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 && errno == EAGAIN ? 0 : n;
}

bool socket_flush(int fd, struct buf *out)
{
	while (out->length) {
		ssize_t n = socket_send(fd, out->data, out->length);

		if (n <= 0)
			return n == 0;
		buf_consume(out, (size_t)n);
	}
	return true;
}

int socket_failure(int fd)
{
	int error = socket_option(fd, SOL_SOCKET, SO_ERROR);

	return error < 0 ? errno : error;
}

void socket_reset_on_close(int fd)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}
