/* See acceptor.h. */
#include "net/acceptor.h"

#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/units.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum {
	ROUND = 64,             /* connections a turn: others want their turn, too */
	REST = BACKLOG_DEFAULT, /* at the end: those that come meanwhile do not keep it going */
	FAILURES = 8,           /* one after the other: it is not the connections that fail */
};

#define PAUSE      (100 * NS_PER_MS) /* after a failure */
#define WARN_AGAIN (60 * NS_PER_S)   /* a shortage comes and goes: warn now and then */

/* Returns 0, or -1 with errno: not all are watched, which is logged. */
static int watch(struct acceptor *a)
{
	bool accept = a->wanted && !a->is_short;
	int result = 0;

	for (int i = 0; i < a->count; i++)
		if (!accept)
			io_stop(a->reactor, &a->sockets[i].io);
		else if (io_start(a->reactor, &a->sockets[i].io) < 0)
			result = -1;
	if (result < 0)
		log_error(a->rule, "cannot accept: %s", strerror(errno));
	return result;
}

static void on_again(struct reactor *r, struct timer *t)
{
	struct acceptor *a = CONTAINER_OF(t, struct acceptor, again);

	(void)r;
	a->is_short = false;
	watch(a);
}

static bool is_shortage(int why)
{
	return why == EMFILE || why == ENFILE || why == ENOBUFS || why == ENOMEM;
}

static void pause_accepting(struct acceptor *a)
{
	int why = errno;
	int64_t now = reactor_now(a->reactor, CLOCK_OF_LOOP);

	if (!a->warned || now - a->warned >= WARN_AGAIN) {
		log_warn(a->rule,
			 is_shortage(why)
			     ? "cannot accept: %s; others wait until one is free (ulimit -n)"
			     : "cannot accept: %s; it is tried again",
			 strerror(why));
		a->warned = now;
	}
	a->is_short = true;
	timer_start_in(a->reactor, &a->again, PAUSE);
	watch(a);
}

/* Of a connection that went before it was accepted (accept(2)). */
static bool is_of_connection(int why)
{
	static const int all[] = {ECONNABORTED, EINTR,      EPROTO,       ENETDOWN,
				  ENOPROTOOPT,  EHOSTDOWN,  EHOSTUNREACH, ENETUNREACH,
				  ENONET,       EOPNOTSUPP, ETIMEDOUT,    EPERM};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (all[i] == why)
			return true;
	return false;
}

static void accept_waiting(struct acceptor *a, struct io_watcher *w, int most)
{
	int flags = SOCK_CLOEXEC | (a->nonblocking ? SOCK_NONBLOCK : 0), failures = 0;

	/* Each call may stop us. */
	for (int i = 0; i < most && w->started; i++) {
		struct address remote = {.length = sizeof remote.storage};
		int fd = accept4(w->fd, &remote.any, &remote.length, flags);

		if (fd >= 0) {
			failures = 0;
			errno = EMFILE;
			if (fd >= a->most)
				pause_accepting(a);
			address_unmap(&remote);
			a->call(a->owner, fd, &remote);
		} else if (errno == EAGAIN) {
			return;
		} else if (!is_of_connection(errno) || ++failures == FAILURES) {
			pause_accepting(a);
		}
	}
}

static void on_acceptable(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	(void)r;
	(void)ready;
	accept_waiting(CONTAINER_OF(w, struct accepting_socket, io)->owner, w, ROUND);
}

void acceptor_init(struct acceptor *a, struct reactor *r, const struct listener *l,
		   uint8_t priority, accepted_call *call, void *owner, const char *rule)
{
	*a = (struct acceptor){.reactor = r, .call = call, .owner = owner, .rule = rule};
	a->most = fd_most_for_peers();
	timer_init(&a->again, CLOCK_OF_LOOP, on_again);
	for (int i = 0; i < l->count; i++) {
		struct accepting_socket *s = &a->sockets[a->count];

		if (l->datagram[i])
			continue;
		s->owner = a;
		io_init(&s->io, l->fds[i], IO_READ, on_acceptable);
		s->io.priority = priority;
		a->count++;
	}
}

int acceptor_want(struct acceptor *a, bool more)
{
	a->wanted = more;
	return watch(a);
}

void acceptor_retry(struct acceptor *a)
{
	if (!a->is_short)
		return;
	timer_stop(a->reactor, &a->again);
	a->is_short = false;
	watch(a);
}

void acceptor_finish(struct acceptor *a)
{
	for (int i = 0; i < a->count; i++)
		accept_waiting(a, &a->sockets[i].io, REST);
	acceptor_close(a);
}

void acceptor_close(struct acceptor *a)
{
	acceptor_want(a, false);
	if (a->again.call)
		timer_stop(a->reactor, &a->again);
}
