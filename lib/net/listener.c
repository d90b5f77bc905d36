/*
 * Listening sockets of the internet and vsock families.
 *
 * The hard part is PORT alone: two sockets (127.0.0.1 and ::1) that must share one port, also when
 * port 0 lets the kernel choose, and that must do where only one of the two families exists.
 */
#include "net/listener.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int listener_socket(const struct address *a, bool datagram)
{
	int type = datagram ? SOCK_DGRAM : SOCK_STREAM;

	return socket(a->any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
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

static int option_on(int fd, int level, int name)
{
	int on = 1;

	return setsockopt(fd, level, name, &on, sizeof on);
}

/* A datagram's control data must say which of our addresses it came to: the reply goes from it. */
static int ask_for_destination(int fd, int family)
{
	if (family == AF_INET6 && option_on(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO) < 0)
		return -1;
	/* A dual-stack socket gets IPv4 datagrams too: ::ffff:… in IPV6_PKTINFO. */
	return family == AF_INET ? option_on(fd, IPPROTO_IP, IP_PKTINFO) : 0;
}

static int set_options(int fd, const struct address *a, bool datagram, bool dual,
		       const struct listen_config *c)
{
	int only_v6 = !dual;

	if (!address_is_ip(a))
		return 0;
	/* For UDP, SO_REUSEADDR would let others take the port away (socket(7)). */
	if (!datagram && option_on(fd, SOL_SOCKET, SO_REUSEADDR) < 0)
		return -1;
	if (!datagram && option_on(fd, SOL_SOCKET, SO_KEEPALIVE) < 0)
		return -1;
	if (c->reuseport && option_on(fd, SOL_SOCKET, SO_REUSEPORT) < 0)
		return -1;
	if (a->any.sa_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof only_v6) < 0)
		return -1;
	return datagram ? ask_for_destination(fd, a->any.sa_family) : 0;
}

/* One bound socket, listening when it is a stream. Returns it, or -1 with errno. */
static int bind_one(const struct address *a, bool datagram, bool dual,
		    const struct listen_config *c)
{
	int backlog = c->backlog > 0 ? c->backlog : BACKLOG_DEFAULT;
	int fd = listener_socket(a, datagram);

	if (fd < 0)
		return -1;
	if (set_options(fd, a, datagram, dual, c) == 0 && bind(fd, &a->any, a->length) == 0 &&
	    (datagram || listen(fd, backlog) == 0))
		return fd;
	fd_close(&fd);
	return -1;
}

static uint16_t *port_field(struct address *a)
{
	return a->any.sa_family == AF_INET6 ? &a->v6.sin6_port : &a->v4.sin_port;
}

static bool family_is_missing(int error)
{
	return error == EAFNOSUPPORT || error == EADDRNOTAVAIL || error == EPROTONOSUPPORT;
}

static void explain(struct error *e, const struct address *a, bool datagram)
{
	struct buf name = {0};
	int why = errno;
	unsigned port = address_is_ip(a) ? ntohs(*port_field((struct address *)a)) : 0;

	address_add(&name, a);
	errno = why;
	error_errno(e, "cannot listen on %s%s", datagram ? "udp:" : "",
		    name.data ? name.data : "?");
	buf_free(&name);
	if (why == EADDRINUSE)
		error_hint(e, "`ss -l%snp 'sport = :%u'` shows who holds it", datagram ? "u" : "t",
			   port);
	else if ((why == EACCES || why == EPERM) && port && port < 1024)
		error_hint(e,
			   "ports below 1024 are for root: take a higher one, give evwatch "
			   "CAP_NET_BIND_SERVICE, or have systemd pass the socket (systemd:NAME)");
	else if (why == EADDRNOTAVAIL)
		error_hint(e, "no interface has this address (`ip addr` lists those there are); "
			      "*:PORT listens on all");
}

/*
 * Binds all addresses to one port. A family that this machine lacks is skipped where another one
 * serves (`optional`). Returns 0, or -1 with errno and *failed the address at fault.
 */
static int bind_all(struct listener *l, struct address *all, int n, bool datagram, bool optional,
		    const struct listen_config *c, const struct address **failed)
{
	int missing = 0;

	for (int i = 0; i < n; i++) {
		int fd = bind_one(&all[i], datagram, false, c);

		if (fd < 0 && optional && family_is_missing(errno) && ++missing < n)
			continue;
		*failed = &all[i];
		if (fd < 0)
			return -1;
		if (listener_add(l, fd, datagram) < 0) {
			fd_close(&fd);
			return -1;
		}
		if (i + 1 < n && *port_field(&all[i]) == 0) {
			struct address bound = {.length = sizeof bound.storage};

			if (getsockname(fd, &bound.any, &bound.length) < 0)
				return -1;
			*port_field(&all[i + 1]) = *port_field(&bound);
		}
	}
	return 0;
}

/* Port 0 on two addresses: what is free on the first may be taken on the second. */
static bool try_another_port(struct address *all, int n, int *tries)
{
	if (errno != EADDRINUSE || ++*tries == 16)
		return false;
	for (int i = 0; i < n; i++)
		*port_field(&all[i]) = 0;
	return true;
}

static int bind_together(struct listener *l, struct address *all, int n, bool datagram,
			 bool optional, const struct listen_config *c, struct error *e)
{
	bool any_port = address_is_ip(all) && *port_field(all) == 0;
	const struct address *failed = all;
	int tries = 0;

	while (bind_all(l, all, n, datagram, optional, c, &failed) < 0) {
		listener_close(l);
		if (any_port ? !try_another_port(all, n, &tries) : !listener_try_again(&tries)) {
			explain(e, failed, datagram);
			return -1;
		}
	}
	return 0;
}

/* Every address: one dual-stack socket, or an IPv4 one where there is no IPv6. As bind_one. */
static int bind_everywhere(const struct endpoint *ep, const struct listen_config *c,
			   struct address *a)
{
	bool datagram = ep->kind == ENDPOINT_UDP;
	int fd;

	endpoint_addresses(ep, a, 1);
	fd = bind_one(a, datagram, true, c);
	if (fd >= 0 || !family_is_missing(errno))
		return fd;
	*a = (struct address){.length = sizeof a->v4};
	a->v4.sin_family = AF_INET;
	a->v4.sin_port = htons(ep->port);
	return bind_one(a, datagram, false, c);
}

static int open_everywhere(struct listener *l, const struct endpoint *ep,
			   const struct listen_config *c, struct error *e)
{
	bool datagram = ep->kind == ENDPOINT_UDP;
	struct address a = {0};
	int fd, tries = 0;

	while ((fd = bind_everywhere(ep, c, &a)) < 0) {
		if (!listener_try_again(&tries)) {
			explain(e, &a, datagram);
			return -1;
		}
	}
	return listener_add(l, fd, datagram);
}

/* Resolves a name, blocking. Returns how many addresses it has, or -1 with `e`. */
static int resolve(const struct endpoint *ep, struct address *out, int room, struct error *e)
{
	struct addrinfo hints = {.ai_socktype = ep->kind == ENDPOINT_UDP ? SOCK_DGRAM : SOCK_STREAM,
				 .ai_flags = AI_PASSIVE};
	struct addrinfo *found = NULL;
	int n = 0, status = getaddrinfo(ep->host, NULL, &hints, &found);

	if (status == EAI_SYSTEM)
		return error_errno(e, "cannot find the address of %s", ep->host);
	if (status != 0) {
		error_set(e, "cannot find the address of %s: %s", ep->host, gai_strerror(status));
		return error_hint(e, "*:%u listens on every address of this machine", ep->port);
	}
	for (struct addrinfo *at = found; at && n < room; at = at->ai_next) {
		memset(&out[n], 0, sizeof out[n]);
		memcpy(&out[n].storage, at->ai_addr, at->ai_addrlen);
		out[n].length = at->ai_addrlen;
		*port_field(&out[n]) = htons(ep->port);
		n++;
	}
	freeaddrinfo(found);
	return n;
}

static int open_internet(struct listener *l, const struct endpoint *ep,
			 const struct listen_config *c, struct error *e)
{
	struct address all[LISTENER_MOST];
	int n;

	if (ep->host && strcmp(ep->host, "*") == 0)
		return open_everywhere(l, ep, c, e);
	n = endpoint_addresses(ep, all, LISTENER_MOST);
	if (n == 0)
		n = resolve(ep, all, LISTENER_MOST, e);
	if (n <= 0)
		return -1;
	return bind_together(l, all, n, ep->kind == ENDPOINT_UDP, n > 1, c, e);
}

static int open_vsock(struct listener *l, const struct endpoint *ep, const struct listen_config *c,
		      struct error *e)
{
	struct address a = {0};

	endpoint_addresses(ep, &a, 1);
	if (a.vsock.port == 0)
		a.vsock.port = UINT32_MAX; /* a free one, as port 0 is elsewhere (vsock(7)) */
	if (bind_together(l, &a, 1, false, false, c, e) == 0)
		return 0;
	if (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL || errno == ENODEV)
		error_hint(e, "the kernel's vsock module is not there (modprobe vsock_loopback)");
	return -1;
}

int listener_open(struct listener *l, const struct endpoint *ep, const struct listen_config *c,
		  struct error *e)
{
	*l = (struct listener){0};
	switch (ep->kind) {
	case ENDPOINT_TCP:
	case ENDPOINT_UDP:
		return open_internet(l, ep, c, e);
	case ENDPOINT_UNIX:
		return listener_open_unix(l, ep, c, e);
	case ENDPOINT_VSOCK:
		return open_vsock(l, ep, c, e);
	case ENDPOINT_FD:
	case ENDPOINT_SYSTEMD:
		break;
	}
	return listener_open_inherited(l, ep, c, e);
}

/* Is the file still the socket that we made? Somebody may have put another one there. */
static bool still_ours(const struct listener *l)
{
	struct stat st;

	return lstat(l->unlink_path, &st) == 0 && st.st_dev == l->unlink_device &&
	       st.st_ino == l->unlink_inode;
}

void listener_close(struct listener *l)
{
	int saved = errno;

	/* Removed before it is closed: a successor never finds ours dead in its way. */
	if (l->unlink_path && still_ours(l))
		unlink(l->unlink_path);
	free(l->unlink_path);
	l->unlink_path = NULL;
	while (l->count > 0)
		fd_close(&l->fds[--l->count]);
	errno = saved;
}

void listener_add_bound(struct buf *out, const struct listener *l, int i)
{
	struct address a = {.length = sizeof a.storage};

	if (getsockname(l->fds[i], &a.any, &a.length) < 0)
		return;
	if (l->datagram[i] && address_is_ip(&a))
		buf_add_text(out, "udp:");
	address_add(out, &a);
}
