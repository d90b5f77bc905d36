/* See bound.h. */
#include "net/bound.h"

#include "base/buf.h"
#include "base/fd.h"
#include "net/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A datagram's control data must say which of our addresses it came to: the reply goes from it. */
int listener_ask_destination(int fd, int family)
{
	/* A dual-stack socket gets IPv4 datagrams too: ::ffff:… in IPV6_PKTINFO. */
	if (family == AF_INET6)
		return socket_enable(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO);
	return family == AF_INET ? socket_enable(fd, IPPROTO_IP, IP_PKTINFO) : 0;
}

int listener_add(struct listener *l, int fd, bool datagram)
{
	if (l->count == LISTENER_MOST) {
		errno = EMFILE;
		return -1;
	}
	l->datagram[l->count] = datagram;
	l->fds[l->count++] = fd;
	return 0;
}

void listener_name(struct listener *l)
{
	for (int i = 0; i < l->count; i++)
		l->bound[i] = socket_name(l->fds[i]);
}

/* Is the file still the socket that we made? Somebody may have put another one there. */
static bool still_ours(const struct listener *l)
{
	struct stat st;

	return lstat(l->unlink_path, &st) == 0 && st.st_dev == l->unlink_device &&
	       st.st_ino == l->unlink_inode;
}

/* Leaves the ring of those that share its sockets. True: others go on with them. */
static bool leave_ring(struct listener *l)
{
	struct listener *before = l->kin;

	if (!before)
		return false;
	while (before->kin != l)
		before = before->kin;
	before->kin = l->kin == before ? NULL : l->kin;
	l->kin = NULL;
	return true;
}

void listener_close(struct listener *l)
{
	int saved = errno;
	bool shared = leave_ring(l);

	/* Removed before it is closed: a successor never finds ours dead in its way. */
	if (l->unlink_path && !shared && still_ours(l))
		unlink(l->unlink_path);
	free(l->unlink_path);
	l->unlink_path = NULL;
	while (l->count > 0)
		fd_close(&l->fds[--l->count]);
	errno = saved;
}

void listener_add_bound(struct buf *out, const struct listener *l, int i)
{
	const struct address *a = &l->bound[i];

	if (!a->length)
		return;
	if (l->datagram[i] && address_is_ip(a))
		buf_add_text(out, "udp:");
	buf_add_text(out, address_text(a).text);
}
