/*
 * Signals: a handler that writes what it is told to a socket pair, and a watcher that reads it.
 *
 * The handler does nothing else, so that it is safe at any point; the rest happens in the loop. A
 * pair that is full loses nothing silently: the handler counts, and the loop tells what was counted
 * without the sender. A handler needs a global: the pair of the one reactor that watches signals.
 */
#include "reactor/loop.h"

#include "base/fd.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static atomic_int handler_fd = -1;
static atomic_uint overflow[SIGNALS]; /* signals that found the pair full */

static void on_signal(int number, siginfo_t *si, void *context)
{
	int saved = errno, fd = atomic_load(&handler_fd);
	struct signal_info info = {
	    .number = number,
	    .code = si->si_code,
	    .pid = si->si_pid,
	    .uid = si->si_uid,
	    .value = si->si_value.sival_int,
	};

	(void)context;
	if (send(fd, &info, sizeof info, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)sizeof info) {
		atomic_fetch_add(&overflow[number], 1);
		if (errno != EAGAIN)
			shutdown(fd, SHUT_WR); /* wakes the loop without any memory */
	}
	errno = saved;
}

void signal_init(struct signal_watcher *w, int number, signal_call *call)
{
	*w = (struct signal_watcher){.call = call, .number = number, .priority = PRIORITY_DEFAULT};
}

void reactor_signal_deliver(struct reactor *r, const struct signal_info *info)
{
	if (info->number <= 0 || info->number >= SIGNALS)
		return;
	for (struct signal_watcher *w = r->signals[info->number]; w; w = r->signal_next) {
		r->signal_next = w->next;
		w->call(r, w, info);
	}
}

bool reactor_signal_watched(const struct reactor *r, int number)
{
	return number > 0 && number < SIGNALS && r->signals[number];
}

void reactor_filter_signals(struct reactor *r, signal_filter *filter, void *context)
{
	r->filter = filter;
	r->filter_context = context;
}

/* si_pid and si_value mean something only for signals that a process sent (sigaction(2)). */
static void tidy(struct signal_info *info)
{
	if (info->code != SI_QUEUE)
		info->value = 0;
	if (info->code != SI_USER && info->code != SI_QUEUE && info->code != SI_TKILL &&
	    info->number != SIGCHLD)
		info->pid = 0, info->uid = 0;
}

static void deliver_overflow(struct reactor *r)
{
	for (int number = 1; number < SIGNALS; number++) {
		struct signal_info info = {.number = number, .code = SI_USER};

		for (unsigned n = atomic_exchange(&overflow[number], 0); n > 0; n--)
			reactor_signal_deliver(r, &info);
	}
}

enum { BATCH = 64 };

/* One batch a turn: a storm of signals must not starve descriptors. */
static void on_pair(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct signal_info batch[BATCH];
	ssize_t n = recv(w->fd, batch, sizeof batch, MSG_DONTWAIT);

	(void)ready;
	if (n == 0) /* shut by the handler, which had no memory for a message */
		signals_reinit(r);
	for (ssize_t i = 0; i < n / (ssize_t)sizeof *batch; i++) {
		tidy(&batch[i]);
		if (!r->filter || r->filter(r->filter_context, &batch[i]))
			reactor_signal_deliver(r, &batch[i]);
	}
	if (n < (ssize_t)sizeof batch)
		deliver_overflow(r);
}

static int pair_open(struct reactor *r)
{
	int room = 1 << 20;

	if (r->signal_pair[0] >= 0)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, r->signal_pair) < 0)
		return -1;
	setsockopt(r->signal_pair[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
	io_init(&r->signal_io, r->signal_pair[0], IO_READ, on_pair);
	r->signal_io.priority = PRIORITY_FIRST;
	if (io_start_internal(r, &r->signal_io) < 0) {
		fd_close(&r->signal_pair[0]);
		fd_close(&r->signal_pair[1]);
		return -1;
	}
	atomic_store(&handler_fd, r->signal_pair[1]);
	return 0;
}

static void pair_close(struct reactor *r)
{
	if (r->signal_pair[0] < 0)
		return;
	if (atomic_load(&handler_fd) == r->signal_pair[1])
		atomic_store(&handler_fd, -1);
	io_stop_internal(r, &r->signal_io);
	fd_close(&r->signal_pair[0]);
	fd_close(&r->signal_pair[1]);
}

static int catch_signal(struct reactor *r, int number)
{
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};

	sigfillset(&action.sa_mask);
	return sigaction(number, &action, &r->former[number]);
}

int signal_start(struct reactor *r, struct signal_watcher *w)
{
	if (w->started)
		return 0;
	if (w->number <= 0 || w->number >= SIGNALS) {
		errno = EINVAL;
		return -1;
	}
	if (pair_open(r) < 0)
		return -1;
	if (!r->signals[w->number] && catch_signal(r, w->number) < 0)
		return -1;
	w->next = r->signals[w->number];
	r->signals[w->number] = w;
	w->started = true;
	r->started++;
	return 0;
}

void signal_stop(struct reactor *r, struct signal_watcher *w)
{
	struct signal_watcher **at;

	if (!w->started)
		return;
	for (at = &r->signals[w->number]; *at != w; at = &(*at)->next)
		;
	*at = w->next;
	if (r->signal_next == w)
		r->signal_next = w->next;
	w->started = false;
	r->started--;
	if (!r->signals[w->number])
		sigaction(w->number, &r->former[w->number], NULL);
}

/* After fork the pair is the parent's too: what arrives there must not be read here. */
int signals_reinit(struct reactor *r)
{
	if (r->signal_pair[0] < 0)
		return 0;
	pair_close(r);
	return pair_open(r);
}

void signals_close(struct reactor *r)
{
	for (int number = 1; number < SIGNALS; number++)
		while (r->signals[number])
			signal_stop(r, r->signals[number]);
	pair_close(r);
}
