/*
 * What stands in a listener's way may be about to go: a process that was killed holds its sockets
 * for some milliseconds more. Whoever restarts it at once would get "Address already in use".
 *
 * SIGKILL ends a process when it is next scheduled. What an io_uring still waits for is let go even
 * later, in the background, when the process itself is gone already; a Unix socket of its can be
 * connected to until then. But a process that is gone proves nothing by itself: the one that
 * listened may have left the socket to a child, as daemons do.
 */
#include "net/listener_wait.h"

#include "base/fd.h"
#include "base/proc.h"
#include "net/socket.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	STEP_MS = 10,    /* between two tries */
	GONE_MS = 1000,  /* for sockets to be let go: 15 are usual, 100 on a busy machine */
	FOUND_MS = 5000, /* for a new IPv6 address: 1 to 2 s (RFC 4862, section 5.4) */
	DYING_MS = 100,  /* for a process to end that was killed */
	LOOKS_MOST = 3,  /* at a Unix socket whose process is gone */
};

/* `20010db8… 02 40 00 40 eth0`: address, interface, prefix, scope, flags, name. */
static bool says_tentative(const char *line, void *address)
{
	enum { TENTATIVE = 0x40 }; /* IFA_F_TENTATIVE of <linux/if_addr.h> */
	unsigned flags;

	return strncmp(line, address, 32) == 0 &&
	       sscanf(line + 32, " %*x %*x %*x %x", &flags) == 1 && flags & TENTATIVE;
}

bool listener_is_tentative(const struct address *a)
{
	char text[33];

	for (size_t i = 0; i < sizeof a->v6.sin6_addr; i++)
		snprintf(text + 2 * i, 3, "%02x", a->v6.sin6_addr.s6_addr[i]);
	return a->any.sa_family == AF_INET6 &&
	       proc_find_line("/proc/net/if_inet6", says_tentative, text);
}

bool listener_try_again(const struct address *a, int *tries)
{
	const struct timespec pause = {.tv_nsec = STEP_MS * 1000000L};
	int most = 0, saved = errno;

	if (errno == EADDRINUSE)
		most = GONE_MS / STEP_MS;
	else if (errno == EADDRNOTAVAIL && listener_is_tentative(a))
		most = FOUND_MS / STEP_MS;
	errno = saved;
	if (*tries >= most)
		return false;
	++*tries;
	nanosleep(&pause, NULL);
	return true;
}

/* Is the process that called listen at the other end (SO_PEERCRED, unix(7)) gone, or going now? */
static bool server_is_gone(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof peer;
	struct pollfd process = {.events = POLLIN};
	bool gone;

	/* Its id is 0 when it is not of our PID namespace: nothing is known of it. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.pid <= 0)
		return false;
	process.fd = (int)syscall(SYS_pidfd_open, peer.pid, 0);
	if (process.fd < 0)
		return errno == ESRCH;
	gone = poll(&process, 1, DYING_MS) > 0;
	fd_close(&process.fd);
	return gone;
}

/* Is this connection closed by the other end soon? A socket that is let go closes all it had. */
static bool hangs_up(int fd)
{
	struct pollfd connection = {.fd = fd, .events = POLLRDHUP};

	return poll(&connection, 1, GONE_MS) > 0;
}

bool listener_is_dead(const struct address *a)
{
	for (int looks = 0; looks < LOOKS_MOST; looks++) {
		int fd = socket_new(a, SOCK_STREAM);
		bool refused, served = true;

		if (fd < 0)
			return false;
		refused = connect(fd, &a->any, a->length) < 0;
		if (refused)
			served = errno != ECONNREFUSED;
		else
			served = !server_is_gone(fd) || !hangs_up(fd);
		fd_close(&fd);
		if (refused || served)
			return !served;
	}
	return false;
}
