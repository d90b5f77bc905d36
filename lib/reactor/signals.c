/*
 * Signals: a handler that notes what it is told in a ring and wakes the loop, which reads the ring.
 *
 * The handler does nothing else, so that it is safe at any point; the rest happens in the loop. A
 * ring that is full loses nothing silently: the handler counts, and the loop tells what was counted
 * without the sender. A handler needs globals: the ring is that of the one reactor that watches
 * signals.
 */
#include "reactor/loop.h"

#include <errno.h>
#include <stdatomic.h>

/* ---- the ring -------------------------------------------------------------------------------- */

enum { RING = 1024 };

/*
 * Handlers of several threads may write at once, and each may be interrupted at any point: a writer
 * first takes its place, and then says by `lap` that it is filled. A place is free in lap n when
 * `lap` is 2n, and filled when it is 2n + 1.
 */
static struct {
	atomic_uint head;
	unsigned tail; /* the loop's */
	struct {
		atomic_uint lap;
		struct signal_info info;
	} places[RING];
} ring;

static atomic_uint overflow[SIGNALS]; /* signals that found the ring full */
static atomic_bool overflowed; /* one of them is not 0: looking at all costs a tenth of a signal */
static _Atomic(const struct waker *) handler_waker;

static bool ring_put(const struct signal_info *info)
{
	unsigned at = atomic_load(&ring.head);

	while (atomic_load(&ring.places[at % RING].lap) == at / RING * 2)
		if (atomic_compare_exchange_weak(&ring.head, &at, at + 1)) {
			ring.places[at % RING].info = *info;
			atomic_store(&ring.places[at % RING].lap, at / RING * 2 + 1);
			return true;
		}
	return false;
}

static bool ring_take(struct signal_info *info)
{
	unsigned at = ring.tail;

	if (atomic_load(&ring.places[at % RING].lap) != at / RING * 2 + 1)
		return false;
	*info = ring.places[at % RING].info;
	atomic_store(&ring.places[at % RING].lap, (at / RING + 1) * 2);
	ring.tail = at + 1;
	return true;
}

static void on_signal(int number, siginfo_t *si, void *context)
{
	const struct waker *waker = atomic_load(&handler_waker);
	struct signal_info info = {
	    .number = number,
	    .code = si->si_code,
	    .pid = si->si_pid,
	    .uid = si->si_uid,
	    .value = si->si_value.sival_int,
	};

	(void)context;
	if (!ring_put(&info)) {
		atomic_fetch_add(&overflow[number], 1);
		atomic_store(&overflowed, true);
	}
	if (waker)
		waker_wake(waker);
}

/* ---- telling --------------------------------------------------------------------------------- */

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
	if (!atomic_load(&overflowed))
		return;
	atomic_store(&overflowed, false); /* before they are counted: later ones set it again */
	for (int number = 1; number < SIGNALS; number++) {
		struct signal_info info = {.number = number, .code = SI_USER};

		for (unsigned n = atomic_exchange(&overflow[number], 0); n > 0; n--)
			reactor_signal_deliver(r, &info);
	}
}

enum { BATCH = 64 };

/* One batch a turn: a storm of signals must not starve descriptors. */
static void on_signals(struct reactor *r, struct waker *w)
{
	struct signal_info info;
	int n = 0;

	while (n < BATCH && ring_take(&info)) {
		n++;
		tidy(&info);
		if (!r->filter || r->filter(r->filter_context, &info))
			reactor_signal_deliver(r, &info);
	}
	if (n == BATCH)
		waker_wake(w); /* the next turn goes on */
	else
		deliver_overflow(r);
}

/* ---- watching -------------------------------------------------------------------------------- */

static int ring_open(struct reactor *r)
{
	struct signal_info ignored;

	if (r->signal_waker.io.started)
		return 0;
	waker_init(&r->signal_waker, on_signals);
	r->signal_waker.io.priority = PRIORITY_FIRST;
	if (waker_start(r, &r->signal_waker) < 0)
		return -1;
	while (ring_take(&ignored))
		; /* another reactor's, or the parent's */
	atomic_store(&handler_waker, &r->signal_waker);
	return 0;
}

static void ring_close(struct reactor *r)
{
	const struct waker *mine = &r->signal_waker;

	if (!mine->io.started)
		return;
	atomic_compare_exchange_strong(&handler_waker, &mine, NULL);
	waker_stop(r, &r->signal_waker);
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
	if (ring_open(r) < 0)
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

/* After fork the eventfd is the parent's too. */
int signals_reinit(struct reactor *r)
{
	if (!r->signal_waker.io.started)
		return 0;
	ring_close(r);
	return ring_open(r);
}

void signals_close(struct reactor *r)
{
	for (int number = 1; number < SIGNALS; number++)
		while (r->signals[number])
			signal_stop(r, r->signals[number]);
	ring_close(r);
}
