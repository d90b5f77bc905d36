/*
 * Sockets that somebody else bound: fd:N, and systemd's (sd_listen_fds(3)).
 *
 * A duplicate is what we watch and close, so that a rule can be read again and find its socket.
 * The guardian forks: systemd's LISTEN_PID may be that of our parent.
 */
#include "net/listener_ways.h"

#include "base/error.h"
#include "base/fd.h"
#include "net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SYSTEMD_FIRST = 3 };

/* Makes a stream listen where its giver did not. Returns 0 or -1. */
static int make_listening(int fd, const struct listen_config *c, int number, struct error *e)
{
	struct sockaddr_storage peer;
	socklen_t length = sizeof peer;

	if (socket_option(fd, SOL_SOCKET, SO_ACCEPTCONN) > 0)
		return 0;
	if (getpeername(fd, (struct sockaddr *)&peer, &length) == 0) {
		error_set(e, "descriptor %d is a connection, not a listening socket", number);
		return error_hint(e, "a systemd socket unit needs Accept=no");
	}
	if (listen(fd, listen_backlog(c)) < 0)
		return error_errno(e, "cannot listen on descriptor %d", number);
	return 0;
}

static int prepare(int fd, int number, const struct listen_config *c, struct error *e)
{
	int type = socket_option(fd, SOL_SOCKET, SO_TYPE);

	if (type < 0) {
		error_errno(e, "descriptor %d is no socket", number);
		return error_hint(e,
				  "a socket bound by the caller is needed, as systemd passes it");
	}
	if (type != SOCK_STREAM && type != SOCK_DGRAM)
		return error_set(e, "descriptor %d is neither a stream nor a datagram socket",
				 number);
	if (fd_set_nonblocking(fd, true) < 0 ||
	    (type == SOCK_DGRAM &&
	     listener_ask_destination(fd, socket_option(fd, SOL_SOCKET, SO_DOMAIN)) < 0))
		return error_errno(e, "cannot use descriptor %d", number);
	return type == SOCK_STREAM ? make_listening(fd, c, number, e) : 0;
}

static int take(struct listener *l, int number, const struct listen_config *c, struct error *e)
{
	int fd = fcntl(number, F_DUPFD_CLOEXEC, SYSTEMD_FIRST);

	if (fd < 0 && errno == EBADF) {
		error_set(e, "descriptor %d is not open", number);
		return error_hint(e,
				  "the caller must pass it, as in: evwatch listen fd:3 3<&SOCKET");
	}
	if (fd < 0)
		return error_errno(e, "cannot duplicate descriptor %d", number);
	if (prepare(fd, number, c, e) < 0) {
		fd_close(&fd);
		return -1;
	}
	/* No command shall inherit the original. */
	if (fd_set_cloexec(number) < 0 ||
	    listener_add(l, fd, socket_option(fd, SOL_SOCKET, SO_TYPE) == SOCK_DGRAM) < 0) {
		error_errno(e, "cannot use descriptor %d", number);
		fd_close(&fd);
		return -1;
	}
	return 0;
}

static long number_in(const char *variable)
{
	const char *text = getenv(variable);
	char *end;
	long n;

	if (!text || !*text)
		return -1;
	n = strtol(text, &end, 10);
	return *end ? -1 : n;
}

/* How many sockets systemd passed to us; -1: none at all. */
static int passed_count(void)
{
	long pid = number_in("LISTEN_PID"), n = number_in("LISTEN_FDS");

	if (n < 1 || n > 1024 || (pid != getpid() && pid != getppid()))
		return -1;
	return (int)n;
}

/* Does the i-th word of LISTEN_FDNAMES equal `name`? Without that list all are "unknown". */
static bool named(int i, const char *name)
{
	const char *at = getenv("LISTEN_FDNAMES");

	if (!at)
		return strcmp(name, "unknown") == 0;
	for (; i > 0; i--) {
		at = strchr(at, ':');
		if (!at)
			return false;
		at++;
	}
	return strncmp(at, name, strlen(name)) == 0 && strchr(":", at[strlen(name)]) != NULL;
}

static int take_named(struct listener *l, const char *name, const struct listen_config *c,
		      struct error *e)
{
	int n = passed_count();

	if (n < 0) {
		error_set(e, "systemd passed no socket to this process (LISTEN_FDS, LISTEN_PID)");
		return error_hint(e,
				  "start it by a socket unit, or try it out with "
				  "`systemd-socket-activate -l PORT --fdname=%s evwatch …`",
				  name);
	}
	for (int i = 0; i < n; i++)
		if (named(i, name) && take(l, SYSTEMD_FIRST + i, c, e) < 0)
			return -1;
	if (l->count)
		return 0;
	error_set(e, "systemd passed no socket called \"%s\"", name);
	return error_hint(e, "it passed %d: %s (FileDescriptorName= in the socket unit)", n,
			  getenv("LISTEN_FDNAMES") ? getenv("LISTEN_FDNAMES") : "unknown");
}

int listener_open_inherited(struct listener *l, const struct endpoint *ep,
			    const struct listen_config *c, struct error *e)
{
	int result =
	    ep->kind == ENDPOINT_FD ? take(l, ep->fd, c, e) : take_named(l, ep->path, c, e);

	if (result < 0)
		listener_close(l);
	return result;
}
