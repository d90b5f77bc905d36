/* See cases.h. */
#include "cases.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

/* ---- descriptors ----------------------------------------------------------------------------- */

/* Eventfds: `n` that never become readable, then `ready` that always are. */
static int *eventfds(int n, int ready)
{
	int *fds = take((size_t)(n + ready), sizeof *fds);

	for (int i = 0; i < n + ready; i++)
		fds[i] = must(eventfd(i >= n, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd");
	return fds;
}

/* Turns until `calls` more callbacks ran. Returns how long that took. */
static int64_t turns_for(struct bench *b, unsigned long calls)
{
	int64_t began = nanoseconds_now();

	tally.until = tally.calls + calls;
	while (tally.calls < tally.until)
		b->verbs->turn(b->loop);
	return nanoseconds_now() - began;
}

/* N descriptors that are always readable. A first part is not measured: some loops grow with use.
 */
static double ready_of(struct bench *b, enum reaction reaction, int priorities)
{
	int *fds = eventfds(0, b->n);
	unsigned long calls = (unsigned long)b->repeat * (unsigned long)b->n;
	double spent;

	if (priorities)
		b->verbs->io_prioritize(b->loop, priorities);
	b->verbs->io_open(b->loop, fds, b->n, reaction);
	b->verbs->io_start(b->loop, 0, b->n);
	turns_for(b, (unsigned long)b->n * 10);
	spent = (double)turns_for(b, calls) / (double)calls;
	b->verbs->io_stop(b->loop, 0, b->n);
	return spent;
}

static void run_ready(struct bench *b, double *figures)
{
	figures[0] = ready_of(b, REACT_COUNT, 0);
}

static void run_restart(struct bench *b, double *figures)
{
	double alone = ready_of(b, REACT_COUNT, 0);

	figures[0] = ready_of(b, REACT_RESTART, 0) - alone;
}

static void run_priorities(struct bench *b, double *figures)
{
	if (b->verbs->io_prioritize)
		figures[0] = ready_of(b, REACT_COUNT, 4);
}

/*
 * libevent's own benchmark: N pairs, A of them active at once, and a byte that is read is written
 * to the next pair until `repeat` were.
 */
static void run_chain(struct bench *b, double *figures)
{
	tally.pairs = b->n;
	tally.from = take((size_t)b->n, sizeof(int));
	tally.to = take((size_t)b->n, sizeof(int));
	for (int i = 0; i < b->n; i++) {
		int pair[2];

		must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair),
		     "socketpair");
		tally.from[i] = pair[0];
		tally.to[i] = pair[1];
	}
	b->verbs->io_open(b->loop, tally.from, b->n, REACT_PASS_ON);
	b->verbs->io_start(b->loop, 0, b->n);
	for (int warm = 1; warm >= 0; warm--) {
		long writes = warm ? b->n : b->repeat;
		unsigned long calls = (unsigned long)(writes + b->active);

		tally.writes = writes;
		for (int i = 0; i < b->active; i++)
			must((int)write(tally.to[i * (b->n / b->active)], "e", 1), "write");
		figures[0] = (double)turns_for(b, calls) / (double)calls;
	}
}

/* One descriptor more is always ready, so that every turn ends. */
static void run_arm(struct bench *b, double *figures)
{
	int64_t began, spent[3] = {0};

	b->verbs->io_open(b->loop, eventfds(b->n, 1), b->n + 1, REACT_COUNT);
	b->verbs->io_start(b->loop, b->n, b->n + 1);
	turns_for(b, 10);
	for (long i = 0; i <= b->repeat; i++) {
		began = nanoseconds_now();
		b->verbs->io_start(b->loop, 0, b->n);
		b->verbs->turn(b->loop);
		spent[i ? 2 : 0] += nanoseconds_now() - began;
		began = nanoseconds_now();
		b->verbs->io_stop(b->loop, 0, b->n);
		b->verbs->turn(b->loop);
		spent[1] += nanoseconds_now() - began;
	}
	figures[0] = (double)spent[0] / b->n;
	figures[1] = (double)spent[1] / (double)((b->repeat + 1) * b->n);
	figures[2] = b->repeat ? (double)spent[2] / (double)(b->repeat * b->n) : 0;
}

/* The write ends of full pipes, which are neither readable nor writable, and one that is ready. */
static int *full_pipes(int n)
{
	int *fds = eventfds(0, n + 1);
	static const char page[4096];

	for (int i = 0; i < n; i++) {
		int ends[2];

		close(fds[i]);
		must(pipe2(ends, O_NONBLOCK | O_CLOEXEC), "pipe2");
		must(fcntl(ends[1], F_SETPIPE_SZ, (int)sizeof page), "F_SETPIPE_SZ");
		must((int)write(ends[1], page, sizeof page), "write");
		fds[i] = ends[1];
	}
	return fds;
}

static void run_flips(struct bench *b, double *figures)
{
	int64_t began;

	b->verbs->io_open(b->loop, full_pipes(b->n), b->n + 1, REACT_COUNT);
	b->verbs->io_start(b->loop, 0, b->n + 1);
	turns_for(b, 10);
	began = nanoseconds_now();
	for (long i = 0; i < b->repeat; i++) {
		b->verbs->io_flip(b->loop, b->n, i % 2 == 0);
		b->verbs->turn(b->loop);
	}
	figures[0] = (double)(nanoseconds_now() - began) / (double)(b->repeat * b->n);
}

/* ---- timers ---------------------------------------------------------------------------------- */

enum { MOST_AT_ONCE = 200000, MOST_FIRED = 50000, MOST_REPEATS = 101, SECOND = 1000000000 };

/* What a batch of timers works on; it runs in a callback, where loops know what time it is. */
static struct {
	struct bench *bench;
	uint32_t *order; /* of all timers, shuffled */
	int64_t *after;
	int ops; /* timers that each step is done to */
	void (*step)(void);
	double spent[FIGURES][MOST_REPEATS]; /* ns a timer */
	int repeats[FIGURES];
} timing;

static uint64_t next_random(void)
{
	static uint64_t x = 88172645463325252u;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static void new_deadlines(int n, int64_t least, int64_t range)
{
	for (int i = 0; i < n; i++)
		timing.after[i] = least + (int64_t)(next_random() % (uint64_t)range);
}

static void shuffle(uint32_t *order, int n)
{
	for (int i = 0; i < n; i++) {
		int j = (int)(next_random() % (uint64_t)(i + 1));

		order[i] = order[j];
		order[j] = (uint32_t)i;
	}
}

static void run_step(void)
{
	timing.step();
	count();
}

static void in_callback(void (*step)(void))
{
	timing.step = step;
	turns_for(timing.bench, 1);
}

static void start_some(int n)
{
	struct bench *b = timing.bench;

	b->verbs->timer_start(b->loop, timing.order, timing.after, n);
}

static void stop_some(int n)
{
	timing.bench->verbs->timer_stop(timing.bench->loop, timing.order, n);
}

static void note_spent(int figure, int64_t ns)
{
	if (timing.repeats[figure] < MOST_REPEATS)
		timing.spent[figure][timing.repeats[figure]++] = (double)ns / timing.ops;
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Of the repeats: a neighbour that empties the caches spoils some, not all. */
static double typically_spent(int figure)
{
	int n = timing.repeats[figure];

	qsort(timing.spent[figure], (size_t)n, sizeof(double), by_value);
	return n ? timing.spent[figure][n / 2] : 0;
}

static void timed(int figure, void (*some)(int n))
{
	int64_t began = nanoseconds_now();

	some(timing.ops);
	note_spent(figure, nanoseconds_now() - began);
}

/* All but `ops` are armed already. */
static void insert_rearm_cancel(void)
{
	new_deadlines(timing.ops, 10 * (int64_t)SECOND, 1000 * (int64_t)SECOND);
	timed(0, start_some);
	new_deadlines(timing.ops, 10 * (int64_t)SECOND, 1000 * (int64_t)SECOND);
	timed(1, start_some);
	timed(2, stop_some);
}

static void start_all(void)
{
	new_deadlines(timing.bench->n, 10 * (int64_t)SECOND, 1000 * (int64_t)SECOND);
	start_some(timing.bench->n);
}

static void stop_those(void)
{
	stop_some(timing.ops);
}

/* Late enough for the batch to end before. */
static void start_soon(void)
{
	new_deadlines(timing.ops, SECOND / 1000 + timing.ops * 600, SECOND / 1000);
	start_some(timing.ops);
}

static void prepare_timers(struct bench *b, int ops)
{
	static int ready;

	timing.bench = b;
	timing.ops = ops;
	timing.order = take((size_t)b->n, sizeof *timing.order);
	timing.after = take((size_t)b->n, sizeof *timing.after);
	shuffle(timing.order, b->n);
	tally.batch = run_step;
	b->verbs->timer_open(b->loop, b->n);
	ready = eventfds(0, 1)[0];
	b->verbs->io_open(b->loop, &ready, 1, REACT_BATCH);
	b->verbs->io_start(b->loop, 0, 1);
	in_callback(start_all); /* tables have grown, and memory was touched, when it is measured */
}

static void fire_all(struct bench *b)
{
	unsigned long all = tally.calls + (unsigned long)timing.ops + 1;
	int64_t due;

	b->verbs->io_start(b->loop, 0, 1);
	in_callback(start_soon);
	b->verbs->io_stop(b->loop, 0, 1);
	due = nanoseconds_now() + 3 * (int64_t)SECOND / 1000 + timing.ops * 600;
	while (nanoseconds_now() < due)
		;
	note_spent(3, turns_for(b, all - tally.calls));
}

static void run_timers(struct bench *b, double *figures)
{
	prepare_timers(b, b->n < MOST_AT_ONCE ? b->n : MOST_AT_ONCE);
	in_callback(stop_those);
	for (long i = 0; i < b->repeat; i++)
		in_callback(insert_rearm_cancel);
	b->verbs->io_stop(b->loop, 0, 1);
	if (timing.ops > MOST_FIRED) /* some peers take their time */
		timing.ops = MOST_FIRED;
	for (long i = 0; i < b->active; i++)
		fire_all(b);
	for (int i = 0; i < FIGURES; i++)
		figures[i] = typically_spent(i);
}

/* Each is put off to later than all others, as when connections are used one after the other. */
static void put_all_off(void)
{
	static int64_t latest = 60 * (int64_t)SECOND;

	for (int i = 0; i < timing.bench->n; i++)
		timing.after[i] = latest += 1000;
	timed(0, start_some);
}

/* Inactivity timeouts: each use of a connection puts its deadline off. */
static void run_idle(struct bench *b, double *figures)
{
	prepare_timers(b, b->n);
	in_callback(put_all_off);
	for (long i = 0; i < b->repeat; i++)
		in_callback(put_all_off);
	figures[0] = typically_spent(0);
}

/* One timer of 5.3 ms and nothing else; the second figure counts those that came early. */
static void run_lone_timer(struct bench *b, double *figures)
{
	int64_t late = 0;

	b->verbs->timer_open(b->loop, 1);
	for (long i = 0; i < b->repeat; i++) {
		int64_t due = nanoseconds_now() + 5300000;

		b->verbs->timer_at(b->loop, due);
		turns_for(b, 1);
		late += nanoseconds_now() - due;
		figures[1] += nanoseconds_now() < due;
	}
	figures[0] = (double)late / (double)b->repeat;
}

/* ---- signals, threads, children -------------------------------------------------------------- */

static void run_signals(struct bench *b, double *figures)
{
	int64_t spent = 0;

	b->verbs->signal_open(b->loop, SIGUSR1);
	for (long i = 0; i < b->repeat; i++) {
		int64_t began = nanoseconds_now();

		raise(SIGUSR1);
		turns_for(b, 1);
		spent += nanoseconds_now() - began;
	}
	figures[0] = (double)spent / (double)b->repeat;
}

static sem_t order;
static atomic_bool last_asked;

static void *wake_on_order(void *context)
{
	struct bench *b = context;

	for (long i = 0; i < b->repeat; i++) {
		while (sem_wait(&order) < 0)
			;
		b->verbs->wake(b->loop);
	}
	return NULL;
}

static void *wake_without_pause(void *context)
{
	struct bench *b = context;

	for (long i = 0; i < b->repeat; i++) {
		if (i == b->repeat - 1)
			atomic_store(&last_asked, true);
		b->verbs->wake(b->loop);
	}
	return NULL;
}

/* Cores are told: where the scheduler puts a thread decides more than any loop does. */
static pthread_t start_on(int core, void *(*run)(void *), struct bench *b)
{
	pthread_attr_t attributes;
	pthread_t thread;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)core, &set);
	pthread_attr_init(&attributes);
	pthread_attr_setaffinity_np(&attributes, sizeof set, &set);
	must(-pthread_create(&thread, &attributes, run, b), "pthread_create");
	pthread_attr_destroy(&attributes);
	return thread;
}

static double woken_one_by_one(struct bench *b, int core)
{
	pthread_t thread = start_on(core, wake_on_order, b);
	int64_t began = nanoseconds_now();

	for (long i = 0; i < b->repeat; i++) {
		sem_post(&order);
		turns_for(b, 1);
	}
	pthread_join(thread, NULL);
	return (double)(nanoseconds_now() - began) / (double)b->repeat;
}

/* Hangs when the last wake-up is lost. */
static double woken_without_pause(struct bench *b, int core)
{
	int64_t began = nanoseconds_now();
	pthread_t thread = start_on(core, wake_without_pause, b);

	while (!atomic_load(&last_asked))
		b->verbs->turn(b->loop);
	pthread_join(thread, NULL);
	return (double)(nanoseconds_now() - began) / (double)b->repeat;
}

static void run_wake(struct bench *b, double *figures)
{
	cpu_set_t mine;

	CPU_ZERO(&mine);
	CPU_SET(0, &mine);
	must(sched_setaffinity(0, sizeof mine, &mine), "sched_setaffinity");
	b->verbs->waker_open(b->loop);
	sem_init(&order, 0, 0);
	figures[0] = woken_one_by_one(b, 0);
	figures[1] = woken_one_by_one(b, 1);
	b->repeat *= 50;
	figures[2] = woken_without_pause(b, 1);
}

static void run_children(struct bench *b, double *figures)
{
	int64_t began;

	b->verbs->child_open(b->loop, b->n);
	began = nanoseconds_now();
	for (long i = 0; i < b->repeat; i++) {
		for (int slot = 0; slot < b->n; slot++)
			b->verbs->child_start(b->loop, slot, b->program);
		turns_for(b, (unsigned long)b->n);
	}
	figures[0] = (double)(nanoseconds_now() - began) / (double)(b->repeat * b->n);
}

static void tell_bytes(struct bench *b, double *figures)
{
	figures[0] = (double)b->verbs->io_bytes;
	figures[1] = (double)b->verbs->timer_bytes;
}

#define TIMER_FIGURES                                                                              \
	{                                                                                          \
		{"insert", "ns", OF_FLOOR, 1.3}, {"re-arm", "ns", OF_FLOOR, 1.3},                  \
		    {"cancel", "ns", OF_FLOOR, 1.3}, {"fire", "ns", OF_FLOOR, 1.3},                \
	}

const struct row rows[] = {
    {"ready-1", run_ready, 1, 0, 50000, 21, false, {{"callback", "ns", OF_FLOOR, 1.10}}},
    {"ready-64", run_ready, 64, 0, 3000, 31, false, {{"callback", "ns", OF_FLOOR, 1.05}}},
    {"ready-100", run_ready, 100, 0, 2000, 31, false, {{"callback", "ns", OF_FLOOR, 1.05}}},
    {"ready-1k", run_ready, 1000, 0, 150, 21, false, {{"callback", "ns", OF_FLOOR, 1.05}}},
    {"ready-15k", run_ready, 15000, 0, 10, 7, false, {{"callback", "ns", NO_LIMIT, 0}}},
    {"chain-100", run_chain, 100, 1, 10000, 11, false, {{"write", "ns", NO_LIMIT, 0}}},
    {"chain-1k", run_chain, 1000, 100, 10000, 11, false, {{"write", "ns", NO_LIMIT, 0}}},
    {"chain-9k", run_chain, 9000, 1000, 10000, 7, false, {{"write", "ns", NO_LIMIT, 0}}},
    {"arm-1k",
     run_arm,
     1000,
     0,
     5,
     31,
     false,
     {{"set up", "ns", OF_FLOOR, 1.05},
      {"disarm", "ns", NO_LIMIT, 0},
      {"arm", "ns", OF_EPOLL, 0.7}}},
    {"flips-1k", run_flips, 1000, 0, 10, 11, false, {{"flip", "ns", NO_LIMIT, 0}}},
    {"restart", run_restart, 64, 0, 2000, 15, false, {{"stop and start", "ns", IN_UNITS, 15}}},
    {"priorities", run_priorities, 64, 0, 3000, 31, false, {{"callback", "ns", OF_FLOOR, 1.05}}},
    {"timers-1k", run_timers, 1000, 9, 100, 21, true, TIMER_FIGURES},
    {"timers-100k", run_timers, 100000, 3, 7, 11, true, TIMER_FIGURES},
    {"timers-1M", run_timers, 1000000, 1, 5, 7, true, TIMER_FIGURES},
    {"idle-100k", run_idle, 100000, 0, 5, 11, true, {{"re-arm", "ns", OF_FLOOR, 0.3}}},
    {"lone-timer",
     run_lone_timer,
     1,
     0,
     8,
     11,
     false,
     {{"late", "ns", OF_FLOOR, 1.1}, {"early", "times", IN_UNITS, 0}}},
    {"signals", run_signals, 0, 0, 5000, 31, false, {{"raised to callback", "ns", OF_FLOOR, 1.05}}},
    {"wake-ups",
     run_wake,
     0,
     0,
     2000,
     15,
     false,
     {{"on the same core", "ns", OF_PEERS, 1.05},
      {"on another core", "ns", OF_PEERS, 1.05},
      {"without pause", "ns", OF_PEERS, 1.05}}},
    {"children", run_children, 8, 0, 8, 15, false, {{"start to reaped", "ns", OF_PEERS, 1.05}}},
    {"bytes",
     tell_bytes,
     0,
     0,
     0,
     1,
     true,
     {{"watcher", "bytes", IN_UNITS, 64}, {"timer", "bytes", IN_UNITS, 48}}},
    {0},
};
