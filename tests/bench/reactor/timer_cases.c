/* Timers: many, put off again and again, and a lone one. See cases.h. */
#include "cases.h"

#include <stdlib.h>

enum { MOST_AT_ONCE = 200000, MOST_FIRED = 50000, MOST_REPEATS = 101, SECOND = 1000000000 };

/* What a batch of timers works on; it runs in a callback, where loops know what time it is. */
static struct {
	struct bench *bench;
	uint32_t *order; /* of all timers, shuffled */
	int64_t *after;
	int from, ops; /* the part of them that each step is done to */
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

	b->verbs->timer_start(b->loop, timing.order + timing.from, timing.after, n);
}

static void stop_some(int n)
{
	timing.bench->verbs->timer_stop(timing.bench->loop, timing.order + timing.from, n);
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

static void next_part(void)
{
	timing.from = (timing.from + timing.ops) % timing.bench->n;
}

/*
 * All are armed, before and after. What is re-armed is not what was just inserted, nor cancelled
 * next: a loop that touches more memory than it must would warm the caches for the next figure.
 */
static void cancel_insert_rearm(void)
{
	timed(2, stop_some);
	new_deadlines(timing.ops, 10 * (int64_t)SECOND, 1000 * (int64_t)SECOND);
	timed(0, start_some);
	next_part();
	new_deadlines(timing.ops, 10 * (int64_t)SECOND, 1000 * (int64_t)SECOND);
	timed(1, start_some);
	next_part();
}

static void start_all(void)
{
	new_deadlines(timing.bench->n, 10 * (int64_t)SECOND, 1000 * (int64_t)SECOND);
	start_some(timing.bench->n);
}

/* Late enough for the batch to end before. */
static void start_soon(void)
{
	new_deadlines(timing.ops, SECOND / 1000 + timing.ops * 1200, SECOND / 1000);
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
	due = nanoseconds_now() + 3 * (int64_t)SECOND / 1000 + timing.ops * 1200;
	while (nanoseconds_now() < due)
		;
	note_spent(3, turns_for(b, all - tally.calls));
}

void run_timers(struct bench *b, double *figures)
{
	prepare_timers(b, b->n < MOST_AT_ONCE ? b->n : MOST_AT_ONCE);
	for (long i = 0; i < b->repeat; i++)
		in_callback(cancel_insert_rearm);
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
void run_idle(struct bench *b, double *figures)
{
	prepare_timers(b, b->n);
	in_callback(put_all_off);
	for (long i = 0; i < b->repeat; i++)
		in_callback(put_all_off);
	figures[0] = typically_spent(0);
}

/* One timer of 5.3 ms and nothing else; the second figure counts those that came early. */
void run_lone_timer(struct bench *b, double *figures)
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
