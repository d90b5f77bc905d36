/* lib/reactor: timers on every clock, their order, and inactivity timeouts of descriptors. */
#include "reactor_suite.h"

enum { MS = 1000000 };

static const enum clock clocks[] = {CLOCK_OF_LOOP, CLOCK_OF_BOOT, CLOCK_OF_WALL};
static const char *const clock_names[] = {"loop", "boot", "wall"};

struct tick {
	struct timer timer;
	int calls, again;
	int64_t late;
	char *log;
	char letter;
	struct tick *other;
	void (*act)(struct reactor *r, struct tick *t);
};

static void on_tick(struct reactor *r, struct timer *t)
{
	struct tick *tick = CONTAINER_OF(t, struct tick, timer);

	tick->calls++;
	tick->late = t->deadline < 0 ? 0 : clock_read((enum clock)t->clock) - t->deadline;
	if (tick->log)
		strncat(tick->log, &tick->letter, 1);
	if (tick->again-- > 0)
		timer_start_in(r, t, 0);
	if (tick->act)
		tick->act(r, tick);
}

static struct tick tick_of(enum clock clock)
{
	struct tick tick = {0};

	timer_init(&tick.timer, clock, on_tick);
	return tick;
}

/* ---- one timer ------------------------------------------------------------------------------- */

static void test_clock(enum clock clock, const char *name)
{
	struct reactor *r = reactor_here();
	struct tick tick = tick_of(clock), never = tick_of(clock);
	int turns_taken = 0;

	timer_start_in(r, &never.timer, 1 * MS);
	timer_start_in(r, &tick.timer, 5 * MS);
	HOLDS(timer_active(&tick.timer), "an armed timer is active");
	timer_stop(r, &never.timer);
	reactor_run(r);
	SAME(tick.calls, 1, "%s: a timer of the %s clock fires once", backend, name);
	HOLDS(tick.late >= 0, "and never early");
	HOLDS(!timer_active(&tick.timer), "and is not active then");
	EQUAL(never.calls, 0, "a stopped one does not fire");
	timer_start_in(r, &tick.timer, 1 * MS);
	timer_start_in(r, &tick.timer, 5 * MS);
	while (tick.calls < 2)
		turns_taken += reactor_turn(r, -1) == 0;
	HOLDS(tick.late >= 0 && turns_taken <= 5, "one put off fires later, and nothing spins");
	timer_start_in(r, &tick.timer, (int64_t)3600 * 1000 * MS);
	timer_start_in(r, &tick.timer, 1 * MS);
	reactor_run(r);
	HOLDS(tick.calls == 3 && tick.late >= 0, "one brought forward fires sooner");
	timer_start_at(r, &tick.timer, clock_read(clock) - 5 * MS);
	reactor_run(r);
	timer_start_at(r, &tick.timer, 0);
	reactor_run(r);
	EQUAL(tick.calls, 5, "a deadline that has passed fires at once");
	reactor_free(r);
}

static void test_clocks(void)
{
	for (int i = 0; i < 3; i++)
		test_clock(clocks[i], clock_names[i]);
}

static void test_now(void)
{
	struct reactor *r = reactor_here();
	struct tick hour = tick_of(CLOCK_OF_LOOP);

	for (int i = 0; i < 3; i++) {
		int64_t now = reactor_now(r, clocks[i]);

		while (clock_read(clocks[i]) == now)
			;
		EQUAL(reactor_now(r, clocks[i]), now, "the time of a turn is taken once");
		turns(r, 1);
		HOLDS(reactor_now(r, clocks[i]) > now, "and in the next one anew");
	}
	timer_start_in(r, &hour.timer, (int64_t)3600 * 1000 * MS);
	for (int i = 0; i < 2; i++)
		reactor_turn(r, i * MS); /* hangs when it waits for the timer */
	HOLDS(hour.calls == 0, "a turn waits no longer than it may");
	timer_stop(r, &hour.timer);
	reactor_free(r);
}

static void test_far(void)
{
	struct reactor *r = reactor_here();
	struct tick soon = tick_of(CLOCK_OF_LOOP);

	for (int i = 0; i < 3; i++) {
		struct tick far = tick_of(clocks[i]), long_ago = tick_of(clocks[i]);

		timer_start_in(r, &far.timer, INT64_MAX);
		timer_start_at(r, &long_ago.timer, INT64_MIN);
		turns(r, 2);
		HOLDS(far.calls == 0 && long_ago.calls == 1, "the ends of time are deadlines");
		timer_start_in(r, &soon.timer, 2 * MS);
		HOLDS(turns_within(r, 30 * MS) < 20, "a deadline at the end of time is slept for");
		HOLDS(soon.late >= 0, "and others fire before");
		timer_stop(r, &far.timer);
	}
	EQUAL(soon.calls, 3, "once each");
	reactor_free(r);
}

/* ---- timers and their callbacks -------------------------------------------------------------- */

static void test_own(void)
{
	struct reactor *r = reactor_here();
	struct tick tick = tick_of(CLOCK_OF_LOOP);

	tick.again = 3;
	timer_start_in(r, &tick.timer, 0);
	turns(r, 1);
	EQUAL(tick.calls, 1, "armed in its own callback, it runs in the next turn");
	turns(r, 5);
	EQUAL(tick.calls, 4, "and in the ones after");
	reactor_free(r);
}

static void stop_its_other(struct reactor *r, struct tick *t)
{
	timer_stop(r, &t->other->timer);
}

static void put_off_its_other(struct reactor *r, struct tick *t)
{
	timer_start_in(r, &t->other->timer, (int64_t)3600 * 1000 * MS);
}

static void free_itself(struct reactor *r, struct tick *t)
{
	(void)r;
	free(t);
}

static void test_others(void)
{
	struct reactor *r = reactor_here();
	struct tick a = tick_of(CLOCK_OF_LOOP), b = a, *own = malloc(sizeof *own);

	a.other = &b;
	b.other = &a;
	a.act = b.act = stop_its_other;
	timer_start_in(r, &a.timer, 0);
	timer_start_in(r, &b.timer, 0);
	turns(r, 2);
	EQUAL(a.calls + b.calls, 1, "one that is due and stopped by another does not fire");
	a.act = b.act = put_off_its_other;
	timer_start_in(r, &a.timer, 0);
	timer_start_in(r, &b.timer, 0);
	turns(r, 3);
	EQUAL(a.calls + b.calls, 2, "nor one that another puts off");
	*own = tick_of(CLOCK_OF_LOOP);
	own->act = free_itself;
	timer_start_in(r, &own->timer, 0);
	turns(r, 2);
	HOLDS(true, "a timer may be freed in its callback");
	reactor_free(r);
}

static void test_order(void)
{
	struct reactor *r = reactor_here();
	struct tick ticks[9];
	char log[16] = "";

	for (int i = 0; i < 9; i++) {
		ticks[i] = tick_of(CLOCK_OF_LOOP);
		ticks[i].letter = (char)('1' + (i * 7) % 9);
		ticks[i].log = log;
		timer_start_at(r, &ticks[i].timer, 1000 + (i * 7) % 9);
	}
	turns(r, 1);
	SAME_TEXT(log, "123456789", "%s: what is due fires in the order of its deadlines", backend);
	log[0] = '\0';
	for (int i = 0; i < 3; i++) {
		ticks[i].letter = (char)('a' + i);
		ticks[i].timer.priority = (uint8_t)(5 - i);
		timer_start_at(r, &ticks[i].timer, 1000 + i);
	}
	turns(r, 1);
	SAME_TEXT(log, "cba", "%s: and of priorities before", backend);
	reactor_free(r);
}

/* Put off and then brought forward again, a timer must not hide those that are due before it. */
static void test_put_off(void)
{
	struct reactor *r = reactor_here();
	struct tick a = tick_of(CLOCK_OF_LOOP), b = a;

	timer_start_in(r, &a.timer, 5 * MS);
	timer_start_in(r, &b.timer, 10 * MS);
	timer_start_in(r, &a.timer, (int64_t)7200 * 1000 * MS);
	timer_start_in(r, &a.timer, (int64_t)3600 * 1000 * MS);
	while (!b.calls)
		reactor_turn(r, -1); /* hangs when it is hidden */
	EQUAL(a.calls, 0, "one put off for two hours, then for one, hides no other");
	timer_stop(r, &a.timer);
	reactor_free(r);
}

/* ---- a model --------------------------------------------------------------------------------- */

enum { TIMERS = 500, STEPS = 20000, SPAN = 20 * MS };

static int64_t model_deadline[TIMERS]; /* 0: not armed */

static int64_t random_delay(void)
{
	return rand() % 4 ? (int64_t)(rand() % SPAN) + 3600LL * 1000 * MS
			  : rand() % SPAN - SPAN / 2;
}

/* All that is armed and due fired, and nothing else did. Returns how many are wrong. */
static int compare_with_model(struct tick *ticks, int64_t begin, int64_t end)
{
	int wrong = 0;

	for (int i = 0; i < TIMERS; i++) {
		bool must = model_deadline[i] && model_deadline[i] <= begin;
		bool may = model_deadline[i] && model_deadline[i] <= end;

		wrong +=
		    (must && !ticks[i].calls) || (!may && ticks[i].calls) || ticks[i].calls > 1;
		if (ticks[i].calls)
			model_deadline[i] = 0;
		wrong += timer_active(&ticks[i].timer) != (model_deadline[i] != 0);
		ticks[i].calls = 0;
	}
	return wrong;
}

static void test_model(void)
{
	static struct tick ticks[TIMERS];
	struct reactor *r = reactor_here();
	int wrong = 0;

	srand(3);
	for (int i = 0; i < TIMERS; i++) {
		ticks[i] = tick_of(CLOCK_OF_LOOP);
		model_deadline[i] = 0;
	}
	for (int step = 0; step < STEPS; step++) {
		int i = rand() % TIMERS;

		if (rand() % 3) {
			model_deadline[i] = clock_read(CLOCK_OF_LOOP) + random_delay();
			timer_start_at(r, &ticks[i].timer, model_deadline[i]);
		} else {
			model_deadline[i] = 0;
			timer_stop(r, &ticks[i].timer);
		}
		if (step % 50 == 0) {
			int64_t begin = clock_read(CLOCK_OF_LOOP);

			turns(r, 1);
			wrong += compare_with_model(ticks, begin, clock_read(CLOCK_OF_LOOP));
		}
	}
	EQUAL(wrong, 0, "20,000 random starts and stops of 500 timers fire as a plain list would");
	reactor_free(r);
}

static const struct conformance cases[] = {
    {"clocks", test_clocks},
    {"now", test_now},
    {"far deadlines", test_far},
    {"armed in its own callback", test_own},
    {"stopped by another", test_others},
    {"order", test_order},
    {"put off", test_put_off},
    {"model", test_model},
    {0},
};

int main(void)
{
	return conformance_run(cases);
}
