/*
 * Listening sockets of the internet and vsock families.
 *
 * The hard part is PORT alone: two sockets (127.0.0.1 and ::1) that must share one port, also when
 * port 0 lets the kernel choose, and that must do where only one of the two families exists.
 */
#include "net/listener_ways.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/proc.h"
#include "base/scan.h"
#include "net/holder.h"
#include "net/socket.h"

#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	STEP_MS = 10,    /* between two tries */
	GONE_MS = 1000,  /* for sockets to be let go: 15 are usual, 100 on a busy machine */
	FOUND_MS = 5000, /* for a new IPv6 address: 1 to 2 s (RFC 4862, section 5.4) */
};

/* What is to be bound. */
struct binding {
	struct listener *listener;
	const struct listen_config *config;
	struct address all[LISTENER_MOST]; /* to one port */
	int n;
	bool datagram;
	bool dual;          /* the IPv6 socket serves IPv4, too */
	bool optional;      /* a family that this machine lacks may be missing where another is */
	uint32_t interface; /* of a multicast group; 0: any */
	int failed;         /* the place of the address at fault */
};

/* ---- groups ---------------------------------------------------------------------------------- */

static int join_on(int fd, const struct address *group, uint32_t interface)
{
	/* RFC 3678: one request for both families. */
	struct group_req request = {.gr_interface = interface};
	int level = group->any.sa_family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;

	memcpy(&request.gr_group, &group->storage, group->length);
	return setsockopt(fd, level, MCAST_JOIN_GROUP, &request, sizeof request);
}

/* Joins on the interface of this index; 0: on each one that takes it. -1 with errno: none did. */
static int multicast_join(int fd, const struct address *group, uint32_t interface)
{
	struct if_nameindex *all;
	int joined = 0, why = ENODEV;

	if (interface)
		return join_on(fd, group, interface);
	all = if_nameindex();
	for (struct if_nameindex *at = all; at && at->if_index; at++) {
		if (join_on(fd, group, at->if_index) == 0)
			joined++;
		else
			why = errno;
	}
	if (all)
		if_freenameindex(all);
	errno = why;
	return joined ? 0 : -1;
}

/* ---- one socket ------------------------------------------------------------------------------ */

static int set_options(const struct binding *b, int fd, const struct address *a)
{
	/* For UDP, SO_REUSEADDR would let others take the port away (socket(7)); a group is shared.
	 */
	bool reuse = !b->datagram || address_is_multicast(a);
	int only_v6 = !b->dual;

	if (!address_is_ip(a))
		return 0;
	if (reuse && socket_enable(fd, SOL_SOCKET, SO_REUSEADDR) < 0)
		return -1;
	if (!b->datagram && socket_enable(fd, SOL_SOCKET, SO_KEEPALIVE) < 0)
		return -1;
	if (b->config->reuseport && socket_enable(fd, SOL_SOCKET, SO_REUSEPORT) < 0)
		return -1;
	if (a->any.sa_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof only_v6) < 0)
		return -1;
	return b->datagram ? listener_ask_destination(fd, a->any.sa_family) : 0;
}

static int take_in(const struct binding *b, int fd, const struct address *a)
{
	if (!b->datagram)
		return listen(fd, listen_backlog(b->config));
	return address_is_multicast(a) ? multicast_join(fd, a, b->interface) : 0;
}

/* One bound socket, listening when it is a stream. Returns it, or -1 with errno. */
static int bind_one(const struct binding *b, const struct address *a)
{
	int fd = socket_new(a, b->datagram ? SOCK_DGRAM : SOCK_STREAM);

	if (fd < 0)
		return -1;
	if (set_options(b, fd, a) == 0 && bind(fd, &a->any, a->length) == 0 &&
	    take_in(b, fd, a) == 0)
		return fd;
	fd_close(&fd);
	return -1;
}

/* ---- what may be about to go ----------------------------------------------------------------- */

/* `20010db8… 02 40 00 40 eth0`: address, interface, prefix, scope, flags, name. */
static bool says_tentative(const char *line, void *address)
{
	enum { TENTATIVE = 0x40 }; /* IFA_F_TENTATIVE of <linux/if_addr.h> */
	uint64_t flags;

	if (strncmp(line, address, 32) != 0)
		return false;
	line += 32;
	return scan_skip(&line, 3) && scan_number(&line, 16, &flags) && flags & TENTATIVE;
}

/* Is this IPv6 address still looked at for duplicates, and so not to be bound yet? */
static bool is_tentative(const struct address *a)
{
	char text[33];

	for (size_t i = 0; i < sizeof a->v6.sin6_addr; i++)
		snprintf(text + 2 * i, 3, "%02x", a->v6.sin6_addr.s6_addr[i]);
	return a->any.sa_family == AF_INET6 &&
	       proc_find_line("/proc/net/if_inet6", says_tentative, text);
}

/*
 * After a failure to bind, with its errno: waits a little and is true when that may have helped. An
 * address in use is waited for a second altogether: a process that was killed holds its sockets for
 * some milliseconds more, and whoever restarts it at once would fail. *tries begins with 0.
 */
static bool try_again(const struct address *a, int *tries)
{
	const struct timespec pause = {.tv_nsec = STEP_MS * 1000000L};
	int most = 0, saved = errno;

	if (errno == EADDRINUSE)
		most = GONE_MS / STEP_MS;
	else if (errno == EADDRNOTAVAIL)
		most = FOUND_MS / STEP_MS;
	/* Usable by now, or never: one more try. */
	if (saved == EADDRNOTAVAIL && *tries < most && !is_tentative(a))
		*tries = most - 1;
	errno = saved;
	if (*tries >= most)
		return false;
	++*tries;
	nanosleep(&pause, NULL);
	return true;
}

/* ---- what went wrong ------------------------------------------------------------------------- */

static bool family_is_missing(int error)
{
	return error == EAFNOSUPPORT || error == EADDRNOTAVAIL || error == EPROTONOSUPPORT;
}

static void explain(struct error *e, const struct binding *b)
{
	struct address a = b->all[b->failed];
	int why = errno;
	unsigned port = address_is_ip(&a) ? address_port(&a) : 0;

	error_errno(e, "cannot listen on %s%s", b->datagram ? "udp:" : "", address_text(&a).text);
	if (why == EADDRINUSE)
		holder_hint(e, &a, b->datagram);
	else if ((why == EACCES || why == EPERM) && port && port < 1024)
		error_hint(e,
			   "ports below 1024 are for root: take a higher one, give evwatch "
			   "CAP_NET_BIND_SERVICE, or have systemd pass the socket (systemd:NAME)");
	else if (address_is_multicast(&a))
		error_hint(e, "no interface takes part in this group (`ip maddr` lists groups)");
	else if (why == EADDRNOTAVAIL && is_tentative(&a))
		error_hint(e, "the address is tentative: the kernel still looks for duplicates "
			      "(`ip addr`); *:PORT listens on all");
	else if (why == EADDRNOTAVAIL)
		error_hint(e, "no interface has this address (`ip addr` lists those there are); "
			      "*:PORT listens on all");
}

/* ---- several sockets ------------------------------------------------------------------------- */

/* The port that the kernel chose for the socket is the next one's, too. */
static int hand_port_on(struct binding *b, int i, int fd)
{
	struct address bound;

	if (i + 1 == b->n || *address_port_field(&b->all[i]) != 0)
		return 0;
	bound = socket_name(fd);
	if (!bound.length)
		return -1;
	*address_port_field(&b->all[i + 1]) = *address_port_field(&bound);
	return 0;
}

/* Returns 0, or -1 with errno and b->failed. */
static int bind_all(struct binding *b)
{
	int missing = 0;

	for (int i = 0; i < b->n; i++) {
		int fd = bind_one(b, &b->all[i]);

		if (fd < 0 && b->optional && family_is_missing(errno) &&
		    !is_tentative(&b->all[i]) && ++missing < b->n)
			continue;
		b->failed = i;
		if (fd < 0)
			return -1;
		if (listener_add(b->listener, fd, b->datagram) < 0) {
			fd_close(&fd);
			return -1;
		}
		if (hand_port_on(b, i, fd) < 0)
			return -1;
	}
	return 0;
}

/* Port 0 on two addresses: what is free on the first may be taken on the second. */
static bool try_another_port(struct binding *b, int *tries)
{
	if (errno != EADDRINUSE || ++*tries == 16)
		return false;
	for (int i = 0; i < b->n; i++)
		*address_port_field(&b->all[i]) = 0;
	return true;
}

static int bind_patiently(struct binding *b, struct error *e)
{
	bool any_port = address_is_ip(b->all) && *address_port_field(b->all) == 0;
	int tries = 0;

	while (bind_all(b) < 0) {
		listener_close(b->listener);
		if (any_port && errno == EADDRINUSE ? !try_another_port(b, &tries)
						    : !try_again(&b->all[b->failed], &tries)) {
			explain(e, b);
			return -1;
		}
	}
	return 0;
}

/* ---- what the endpoint says ------------------------------------------------------------------ */

/* Every address: one dual-stack socket, or an IPv4 one where there is no IPv6. */
static int open_everywhere(struct binding *b, const struct endpoint *ep, struct error *e)
{
	int fd;

	b->n = endpoint_addresses(ep, b->all, 1);
	b->dual = true;
	fd = bind_one(b, b->all);
	if (fd < 0 && family_is_missing(errno)) {
		b->all[0] = (struct address){.length = sizeof b->all[0].v4};
		b->all[0].v4.sin_family = AF_INET;
		b->all[0].v4.sin_port = htons(ep->port);
	}
	fd_close(&fd);
	return bind_patiently(b, e);
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
		*address_port_field(&out[n]) = htons(ep->port);
		n++;
	}
	freeaddrinfo(found);
	return n;
}

static int check_group(struct binding *b, const struct endpoint *ep, struct error *e)
{
	if (!address_is_multicast(b->all))
		return 0;
	b->interface = endpoint_interface(ep);
	if (b->datagram)
		return 0;
	error_set(e, "cannot listen on %s: it is the address of a multicast group", ep->host);
	return error_hint(e, "groups are for datagrams, as in udp:%s:%u", ep->host, ep->port);
}

int listener_open_ip(struct listener *l, const struct endpoint *ep, const struct listen_config *c,
		     struct error *e)
{
	struct binding b = {.listener = l, .config = c, .datagram = ep->kind == ENDPOINT_UDP};

	if (ep->host && strcmp(ep->host, "*") == 0)
		return open_everywhere(&b, ep, e);
	b.n = endpoint_addresses(ep, b.all, LISTENER_MOST);
	if (b.n == 0)
		b.n = resolve(ep, b.all, LISTENER_MOST, e);
	if (b.n <= 0)
		return -1;
	b.optional = b.n > 1;
	/* [::ffff:1.2.3.4] is IPv4, as dual-stack programs write it. */
	for (int i = 0; i < b.n; i++)
		address_unmap(&b.all[i]);
	return check_group(&b, ep, e) < 0 ? -1 : bind_patiently(&b, e);
}

int listener_open_vsock(struct listener *l, const struct endpoint *ep,
			const struct listen_config *c, struct error *e)
{
	struct binding b = {.listener = l, .config = c, .n = 1};

	endpoint_addresses(ep, b.all, 1);
	if (b.all[0].vsock.port == 0)
		b.all[0].vsock.port =
		    UINT32_MAX; /* a free one, as port 0 is elsewhere (vsock(7)) */
	if (bind_patiently(&b, e) == 0)
		return 0;
	if (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL || errno == ENODEV)
		error_hint(e, "the kernel's vsock module is not there (modprobe vsock_loopback)");
	return -1;
}
