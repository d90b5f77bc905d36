/* See socket.h. */
#include "net/socket.h"

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

int socket_option(int fd, int name)
{
	int value = -1;
	socklen_t length = sizeof value;

	return getsockopt(fd, SOL_SOCKET, name, &value, &length) < 0 ? -1 : value;
}

struct address socket_name(int fd)
{
	struct address a = {.length = sizeof a.storage};

	if (getsockname(fd, &a.any, &a.length) < 0)
		return (struct address){0};
	address_unmap(&a);
	return a;
}

int socket_failure(int fd)
{
	int error = socket_option(fd, SO_ERROR);

	return error < 0 ? errno : error;
}

void socket_reset_on_close(int fd)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}
