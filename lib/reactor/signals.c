/*
 * Signals: a handler that notes what it is told in a ring and wakes the loop, which reads the ring.
 *
 * The handler does nothing else, so that it is safe at any point; the rest happens in the loop.
 *
 * Signals that come faster than handlers return would let nothing else run, and fill any ring. So
 * once many are unread the handler blocks its signal in the thread that it interrupted, by the mask
 * that is in force when it returns (sigreturn(2)). The kernel queues what comes then, or merges it,
 * as for any signal that is blocked (signal(7)); a sender hears that the queue is full
 * (sigqueue(3), EAGAIN). When the loop has read all, it unblocks them.
 */
#include "reactor/loop.h"

#include <errno.h>
#include <stdatomic.h>
#include <ucontext.h>

/* ---- the handler ----------------------------------------------------------------------------- */

/*
 * So many are unread when the handler begins to block: a millisecond or two of handlers. Those of
 * other threads, which nobody unblocks there, may each note one more: as much room is left for
 * them. Where the mask is not obeyed (valgrind) what comes then is lost.
 */
enum { MOST_UNREAD = SIGNAL_RING / 2 };

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "a handler may use it");

/* A handler needs globals: they are of the one reactor that watches signals. */
static struct signal_ring ring;
static _Atomic(uint64_t) blocked; /* signal N, by the handler: bit N - 1 */
static _Atomic(struct waker *) ring_waker;

static uint64_t bit_of(int number)
{
	return UINT64_C(1) << (number - 1);
}

/* One bit alone: the kernel's set ends before the C library's, and something else lies behind. */
static void block_on_return(int number, ucontext_t *interrupted)
{
	sigaddset(&interrupted->uc_sigmask, number);
	atomic_fetch_or(&blocked, bit_of(number));
}

static void on_signal(int number, siginfo_t *si, void *context)
{
	struct waker *waker = atomic_load(&ring_waker);
	struct signal_info info = {
	    .number = number,
	    .code = si->si_code,
	    .pid = si->si_pid,
	    .uid = si->si_uid,
	    .value = si->si_value.sival_int,
	};

	if (signal_ring_put(&ring, &info) >= MOST_UNREAD)
		block_on_return(number, context);
	if (waker)
		waker_wake(waker);
}

/* What the handler blocked in this thread. */
static void unblock(void)
{
	uint64_t numbers;
	sigset_t set;

	if (!atomic_load(&blocked))
		return;
	sigemptyset(&set);
	for (numbers = atomic_exchange(&blocked, 0); numbers; numbers &= numbers - 1)
		sigaddset(&set, __builtin_ctzll(numbers) + 1);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* ---- telling --------------------------------------------------------------------------------- */

void signal_init(struct signal_watcher *w, int number, signal_call *call)
{
	*w = (struct signal_watcher){.call = call, .number = number};
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

enum { BATCH = 64 };

/* One batch a turn: a storm of signals must not starve descriptors. */
static void on_signals(struct reactor *r, struct waker *w)
{
	struct signal_info info;
	int n = 0;

	while (n < BATCH && signal_ring_take(&ring, &info)) {
		n++;
		tidy(&info);
		if (!r->filter || r->filter(r->filter_context, &info))
			reactor_signal_deliver(r, &info);
	}
	if (n == BATCH)
		waker_wake(w); /* the next turn goes on */
	else
		unblock();
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
	while (signal_ring_take(&ring, &ignored))
		; /* another reactor's, or the parent's */
	unblock();
	atomic_store(&ring_waker, &r->signal_waker);
	return 0;
}

static void ring_close(struct reactor *r)
{
	struct waker *mine = &r->signal_waker;

	if (!mine->io.started)
		return;
	atomic_compare_exchange_strong(&ring_waker, &mine, NULL);
	waker_stop(r, &r->signal_waker);
}

static int catch_signal(struct reactor *r, int number)
{
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};

	sigfillset(&action.sa_mask); /* what a nested one blocks would end with the outer one */
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
	if (r->signals[w->number])
		return;
	if (atomic_load(&blocked) &
	    bit_of(w->number)) /* what is queued yet must not act as before */
		signal(w->number, SIG_IGN);
	sigaction(w->number, &r->former[w->number], NULL);
	unblock();
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
