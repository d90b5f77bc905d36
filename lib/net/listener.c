/*
 * See listener.h. A listener may share the sockets of another one: a rule that is read again takes
 * over from its predecessor without a moment in which a connection would be refused. Those that
 * share stand in a ring; the file of a Unix socket goes with the last of them.
 */
#include "net/listener.h"

#include "base/error.h"
#include "base/fd.h"
#include "net/listener_ways.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static listener_way *const ways[] = {
    [ENDPOINT_TCP] = listener_open_ip,       [ENDPOINT_UDP] = listener_open_ip,
    [ENDPOINT_UNIX] = listener_open_unix,    [ENDPOINT_VSOCK] = listener_open_vsock,
    [ENDPOINT_FD] = listener_open_inherited, [ENDPOINT_SYSTEMD] = listener_open_inherited,
};

int listener_open(struct listener *l, const struct endpoint *ep, const struct listen_config *c,
		  struct error *e)
{
	int result;

	*l = (struct listener){0};
	result = ways[ep->kind](l, ep, c, e);
	if (result == 0)
		listener_name(l);
	return result;
}

/* ---- sharing --------------------------------------------------------------------------------- */

static int duplicate(struct listener *l, const struct listener *from)
{
	for (int i = 0; i < from->count; i++) {
		int fd = fcntl(from->fds[i], F_DUPFD_CLOEXEC, 3);

		if (fd < 0 || listener_add(l, fd, from->datagram[i]) < 0) {
			fd_close(&fd);
			return -1;
		}
	}
	return 0;
}

static void enter_ring(struct listener *l, struct listener *other)
{
	l->kin = other->kin ? other->kin : other;
	other->kin = l;
}

static int share(struct listener *l, struct listener *from, const struct listen_config *c)
{
	*l = (struct listener){.unlink_device = from->unlink_device,
			       .unlink_inode = from->unlink_inode};
	if (duplicate(l, from) < 0)
		return -1;
	if (from->unlink_path) {
		l->unlink_path = strdup(from->unlink_path);
		if (!l->unlink_path || chmod(from->unlink_path, c->mode) < 0)
			return -1;
	}
	listener_name(l);
	enter_ring(l, from);
	return 0;
}

int listener_open_from(struct listener *l, struct listener *from, const struct endpoint *ep,
		       const struct listen_config *c, struct error *e)
{
	if (!from)
		return listener_open(l, ep, c, e);
	if (share(l, from, c) == 0)
		return 0;
	error_errno(e, "cannot take over the listening socket");
	free(l->unlink_path);
	l->unlink_path = NULL; /* it is the other's */
	listener_close(l);
	return -1;
}
