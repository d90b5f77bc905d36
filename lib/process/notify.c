/* See notify.h. */
#include "process/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

bool notify_wanted(void)
{
	const char *path = getenv("NOTIFY_SOCKET");

	return path && (*path == '/' || *path == '@');
}

static int64_t number_in(const char *name)
{
	const char *text = getenv(name);
	char *end;
	long long n = text ? strtoll(text, &end, 10) : 0;

	return text && end != text && !*end && n > 0 ? n : 0;
}

int64_t notify_watchdog(int main)
{
	int64_t us = number_in("WATCHDOG_USEC"), pid = number_in("WATCHDOG_PID");

	if (!notify_wanted() || us > INT64_MAX / 1000 || (pid && pid != main))
		return 0;
	return us * 1000;
}

void notify_send(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	size_t length = path ? strlen(path) : 0;
	int fd;

	if (!path || !notify_wanted() || length >= sizeof a.sun_path)
		return;
	memcpy(a.sun_path, path, length);
	if (*path == '@')
		a.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	while (sendto(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL,
		      (const struct sockaddr *)&a,
		      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0 &&
	       errno == EINTR)
		;
	close(fd);
}
