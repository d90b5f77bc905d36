/* Descriptors, and the table of all cases. See cases.h. */
#include "cases.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

/* ---- descriptors ----------------------------------------------------------------------------- */

int *eventfds(int n, int ready)
{
	int *fds = take((size_t)(n + ready), sizeof *fds);

	for (int i = 0; i < n + ready; i++)
		fds[i] = must(eventfd(i >= n, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd");
	return fds;
}

int64_t turns_for(struct bench *b, unsigned long calls)
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

/* ---- the rows -------------------------------------------------------------------------------- */

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
    {"level-1", run_ready, 1, 0, 50000, 21, false, {{"callback", "ns", OF_EPOLL, 1.5}}},
    {"level-64", run_ready, 64, 0, 3000, 31, false, {{"callback", "ns", OF_EPOLL, 1.5}}},
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
    {"arm-19k",
     run_arm,
     19000,
     0,
     1,
     7,
     false,
     {{"set up", "ns", NO_LIMIT, 0},
      {"disarm", "ns", OF_EPOLL, 1.2},
      {"arm", "ns", OF_EPOLL, 0.7}}},
    {"flips-1k", run_flips, 1000, 0, 10, 11, false, {{"flip", "ns", NO_LIMIT, 0}}},
    {"restart", run_restart, 64, 0, 2000, 15, false, {{"stop and start", "ns", IN_UNITS, 15}}},
    {"priorities", run_priorities, 64, 0, 3000, 31, false, {{"callback", "ns", OF_FLOOR, 1.05}}},
    {"timers-1k", run_timers, 1000, 9, 100, 21, true, TIMER_FIGURES},
    {"timers-100k", run_timers, 100000, 3, 7, 7, true, TIMER_FIGURES},
    {"timers-1M", run_timers, 1000000, 1, 5, 7, true, TIMER_FIGURES},
    {"idle-100k", run_idle, 100000, 0, 5, 7, true, {{"re-arm", "ns", OF_FLOOR, 0.3}}},
    {"lone-timer",
     run_lone_timer,
     1,
     0,
     8,
     11,
     false,
     {{"late", "ns", OF_FLOOR, 1.1}, {"early", "times", IN_UNITS, 0}}},
    {"signals", run_signals, 0, 0, 5000, 31, false, {{"raised to callback", "ns", NO_LIMIT, 0}}},
    {"signals-value",
     run_signals_with_values,
     0,
     0,
     5000,
     31,
     false,
     {{"sent to callback", "ns", OF_FLOOR, 1.1}}},
    {"signals-wait",
     run_signals_waiting,
     0,
     0,
     2000,
     31,
     false,
     {{"due to callback", "ns", OF_PEERS, 1.1}}},
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
    {"children", run_children, 8, true, 8, 15, false, {{"start to reaped", "ns", OF_PEERS, 1.05}}},
    {"pidfds", run_children, 8, false, 8, 15, false, {{"start to reaped", "ns", OF_FLOOR, 1.05}}},
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
