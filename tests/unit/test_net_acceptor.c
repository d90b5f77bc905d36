/* lib/net/acceptor: without free descriptors it waits, and goes on. */
#include "net/acceptor.h"
#include "net/listener.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/units.h"
#include "tap.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static struct reactor *r;
static struct listener l;
static struct acceptor a;
static int accepted;

static void on_accepted(void *owner, int fd, const struct address *remote)
{
	(void)owner;
	(void)remote;
	accepted++;
	fd_close(&fd);
}

static void turn(int times)
{
	for (int i = 0; i < times; i++)
		reactor_turn(r, 10 * NS_PER_MS);
}

/* A client that waits in the backlog. */
static int client(void)
{
	struct address to = {.length = sizeof to.storage};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	getsockname(l.fds[0], &to.any, &to.length);
	connect(fd, &to.any, to.length);
	return fd;
}

/* No descriptor more than there are; or as many as before. */
static void allow_descriptors(bool more)
{
	static struct rlimit before;
	struct rlimit none;
	int lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);

	fd_close(&lowest);
	if (more) {
		setrlimit(RLIMIT_NOFILE, &before);
		return;
	}
	getrlimit(RLIMIT_NOFILE, &before);
	lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);
	none = (struct rlimit){(rlim_t)lowest, before.rlim_max};
	fd_close(&lowest);
	setrlimit(RLIMIT_NOFILE, &none);
}

/* One client comes while there is no descriptor. */
static int client_in_shortage(void)
{
	int fd = client();

	accepted = 0;
	allow_descriptors(false);
	turn(3);
	OK(a.is_short && !a.sockets[0].io.started, "without a free descriptor nothing is watched");
	allow_descriptors(true);
	SAME(accepted, 0, "and the client waits");
	return fd;
}

int main(void)
{
	struct listen_config socket = {.mode = 0600};
	struct endpoint ep;
	struct error e;
	int fd;

	alarm(60); /* one that hangs ends here */
	r = reactor_new(NULL, NULL);
	endpoint_parse(&ep, "127.0.0.1:0", &e);
	listener_open(&l, &ep, &socket, &e);
	acceptor_init(&a, r, &l, PRIORITY_DEFAULT, on_accepted, NULL, "test");
	SAME(acceptor_want(&a, true), 0, "it accepts");
	fd = client();
	turn(3);
	SAME(accepted, 1, "a client");
	fd_close(&fd);

	fd = client_in_shortage();
	acceptor_retry(&a);
	OK(!a.is_short && a.sockets[0].io.started, "a descriptor was closed: it goes on at once");
	turn(3);
	SAME(accepted, 1, "with who waited");
	fd_close(&fd);

	fd = client_in_shortage();
	for (int i = 0; i < 1000 && !accepted; i++)
		turn(1);
	SAME(accepted, 1, "it goes on a moment later when nobody tells it");
	fd_close(&fd);

	fd = client_in_shortage();
	acceptor_want(&a, false);
	acceptor_retry(&a);
	OK(!a.sockets[0].io.started, "but not when nobody is wanted");
	fd_close(&fd);
	acceptor_close(&a);
	listener_close(&l);
	endpoint_release(&ep);
	reactor_free(r);
	return tap_done();
}
