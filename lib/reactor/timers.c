/*
 * Timers: arming, expiry, and the clocks that the timeout of the wait cannot serve: wall time steps
 * and boot time runs on in suspend, so each has a timerfd (timerfd_create(2)). Where there is none
 * the loop waits for a while at most, and then looks.
 */
#include "reactor/fast.h"

#include "base/list.h"
#include "reactor/linux.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

void timer_init(struct timer *t, enum clock clock, timer_call *call)
{
	*t = (struct timer){.call = call, .clock = (uint8_t)clock, .priority = PRIORITY_DEFAULT};
}

static const clockid_t kernel_ids[CLOCKS] = {
    [CLOCK_OF_LOOP] = CLOCK_MONOTONIC,
    [CLOCK_OF_BOOT] = CLOCK_BOOTTIME,
    [CLOCK_OF_WALL] = CLOCK_REALTIME,
};

int64_t clock_read(enum clock clock)
{
	struct timespec ts;

	clock_gettime(kernel_ids[clock], &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t reactor_now(struct reactor *r, enum clock clock)
{
	if (!(r->now_known & 1 << clock)) {
		r->now[clock] = clock_read(clock);
		r->now_known |= (uint8_t)(1 << clock);
	}
	return r->now[clock];
}

/* ---- alarms ---------------------------------------------------------------------------------- */

static void on_alarm(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct alarm_clock *alarm = CONTAINER_OF(w, struct alarm_clock, io);
	uint64_t expirations;
	bool stepped = read(w->fd, &expirations, sizeof expirations) < 0 && errno == ECANCELED;

	(void)ready;
	alarm->armed = INT64_MAX; /* set again before the next wait */
	if (stepped && r->on_step)
		r->on_step(r, r->on_step_context);
}

static int64_t apart_from_loop(enum clock clock)
{
	return clock_read(clock) - clock_read(CLOCK_OF_LOOP);
}

static int alarm_open(struct reactor *r, enum clock clock)
{
	struct alarm_clock *alarm = &r->alarms[clock];
	int fd;

	if (clock == CLOCK_OF_LOOP || alarm->open)
		return 0;
	io_init(&alarm->io, -1, IO_READ, on_alarm);
	alarm->io.priority = PRIORITY_FIRST;
	alarm->armed = INT64_MAX;
	alarm->apart = apart_from_loop(clock);
	fd = linux_timerfd(kernel_ids[clock]);
	if ((fd >= 0 || errno != ENOSYS) && io_open_internal(r, &alarm->io, fd) < 0)
		return -1;
	alarm->open = true;
	r->alarms_open++;
	return 0;
}

/* Without a timer it still waits for steps of the clock. */
static bool alarm_set(struct reactor *r, enum clock clock)
{
	struct alarm_clock *alarm = &r->alarms[clock];
	const struct heap *h = &r->heaps[clock];
	int64_t deadline = h->count ? h->entries[HEAP_ROOT].key : INT64_MAX - 1;

	if (alarm->armed == deadline)
		return true;
	/* ECANCELED: set, but the clock was stepped since; the descriptor reports it as well. */
	if (linux_timerfd_set(alarm->io.fd, kernel_ids[clock], deadline) < 0 && errno != ECANCELED)
		return false;
	alarm->armed = deadline;
	return true;
}

/* Between two looks at a clock that has no alarm; and what it may drift from the loop's in one. */
enum { PLAIN_LOOK = 250000000, PLAIN_DRIFT = 10000000 };

static void plain_look(struct reactor *r, enum clock clock)
{
	struct alarm_clock *alarm = &r->alarms[clock];
	int64_t apart = apart_from_loop(clock), by = apart - alarm->apart;

	alarm->apart = apart;
	if ((by > PLAIN_DRIFT || by < -PLAIN_DRIFT) && clock == CLOCK_OF_WALL && r->on_step)
		r->on_step(r, r->on_step_context);
}

/* `wait`, or less where a timer of this clock is due before. */
static int64_t wait_until_due(const struct reactor *r, enum clock clock, int64_t wait)
{
	const struct heap *h = &r->heaps[clock];
	int64_t due;

	if (wait == 0 || !h->count)
		return wait;
	/* Only what is long past is so far away that it overflows. */
	if (__builtin_sub_overflow(h->entries[HEAP_ROOT].key, clock_read(clock), &due) || due < 0)
		due = 0;
	return no_longer(wait, due);
}

/* The same for a clock that has an alarm, or would have one. */
static int64_t wait_for_alarm(struct reactor *r, enum clock clock, int64_t wait)
{
	const struct alarm_clock *alarm = &r->alarms[clock];

	if (!alarm->open)
		return wait;
	if (alarm->io.started)
		return alarm_set(r, clock) ? wait : no_longer(wait, RETRY);
	plain_look(r, clock);
	return wait_until_due(r, clock, no_longer(wait, PLAIN_LOOK));
}

static void alarm_close(struct reactor *r, struct alarm_clock *alarm)
{
	if (!alarm->open)
		return;
	alarm->open = false;
	io_close_internal(r, &alarm->io);
	r->alarms_open--;
}

int alarms_reinit(struct reactor *r)
{
	for (int clock = CLOCK_OF_BOOT; clock < CLOCKS; clock++) {
		if (!r->alarms[clock].open)
			continue;
		alarm_close(r, &r->alarms[clock]);
		if (alarm_open(r, (enum clock)clock) < 0)
			return -1;
	}
	return 0;
}

int reactor_on_clock_step(struct reactor *r, clock_step_call *call, void *context)
{
	if (call && alarm_open(r, CLOCK_OF_WALL) < 0)
		return -1;
	r->on_step = call;
	r->on_step_context = context;
	return 0;
}

/* ---- arming ---------------------------------------------------------------------------------- */

static void timer_forget_pending(struct reactor *r, struct timer *t)
{
	queue_remove(r, t->priority, t->place);
	timer_forget_due(t);
}

/* There is room for it. */
static inline int heap_arm(struct heap *h, struct timer *t, int64_t deadline)
{
	struct heap_entry entry = {deadline, &t->place};
	int64_t former = t->deadline;

	t->deadline = deadline;
	if (!t->place)
		heap_add(h, entry);
	/* Later than before is later than the key: the heap need not even be looked at. */
	else if (deadline < former && deadline < h->entries[t->place].key)
		heap_up(h, t->place, entry);
	return 0;
}

/* Apart, so that those that are armed most have no registers to save for it. */
static __attribute__((noinline)) int arm_slowly(struct reactor *r, struct timer *t,
						int64_t deadline)
{
	struct heap *h = &r->heaps[t->clock];

	if (t->due)
		timer_forget_pending(r, t);
	if (alarm_open(r, (enum clock)t->clock) < 0 ||
	    (!t->place && h->count == h->capacity && heap_grow(h) < 0))
		return -1;
	return heap_arm(h, t, deadline);
}

/* The loop's own clock has a branch of its own: which heap it is need not wait for the timer. */
int timer_start_at(struct reactor *r, struct timer *t, int64_t deadline)
{
	struct heap *h = &r->heaps[CLOCK_OF_LOOP];

	if (t->clock != CLOCK_OF_LOOP || t->due || h->count == h->capacity)
		return arm_slowly(r, t, deadline);
	return heap_arm(h, t, deadline);
}

static inline int64_t sum(int64_t now, int64_t delay)
{
	int64_t deadline;

	return __builtin_add_overflow(now, delay, &deadline) ? INT64_MAX - 2 : deadline;
}

static __attribute__((noinline)) int start_in_slowly(struct reactor *r, struct timer *t,
						     int64_t delay)
{
	return timer_start_at(r, t, sum(reactor_now(r, (enum clock)t->clock), delay));
}

int timer_start_in(struct reactor *r, struct timer *t, int64_t delay)
{
	if (t->clock != CLOCK_OF_LOOP || !(r->now_known & 1 << CLOCK_OF_LOOP))
		return start_in_slowly(r, t, delay);
	return timer_start_at(r, t, sum(r->now[CLOCK_OF_LOOP], delay));
}

/* One that starts itself again is served in the next turn: it must not starve the descriptors. */
int timer_start_soon(struct reactor *r, struct timer *t)
{
	return timer_active(t) ? 0 : timer_start_at(r, t, 0);
}

void timer_stop(struct reactor *r, struct timer *t)
{
	if (t->due)
		timer_forget_pending(r, t);
	else if (t->place && t->clock == CLOCK_OF_LOOP)
		heap_remove(&r->heaps[CLOCK_OF_LOOP], &t->place);
	else if (t->place)
		heap_remove(&r->heaps[t->clock], &t->place);
}

bool timers_armed(const struct reactor *r)
{
	return r->heaps[CLOCK_OF_LOOP].count | r->heaps[CLOCK_OF_BOOT].count |
	       r->heaps[CLOCK_OF_WALL].count;
}

bool timer_active(const struct timer *t)
{
	return t->place != 0;
}

/* ---- expiry ---------------------------------------------------------------------------------- */

static void heap_activate_expired(struct reactor *r, struct heap *h, int64_t now)
{
	while (h->count && h->entries[HEAP_ROOT].key <= now) {
		struct timer *t = CONTAINER_OF(h->entries[HEAP_ROOT].place, struct timer, place);
		uint32_t place;

		if (t->deadline > now) { /* it was put off since */
			heap_down(h, HEAP_ROOT, (struct heap_entry){t->deadline, &t->place});
			continue;
		}
		place = queue_add(r, t->priority, t, ACTIVE_TIMER);
		if (!place)
			return; /* no memory: it stays armed, and is tried again */
		heap_remove(h, &t->place);
		t->place = place;
		t->due = true;
	}
}

void timers_activate_expired(struct reactor *r)
{
	for (int clock = 0; clock < CLOCKS; clock++)
		if (r->heaps[clock].count)
			heap_activate_expired(r, &r->heaps[clock],
					      reactor_now(r, (enum clock)clock));
}

int64_t timers_wait(struct reactor *r, int64_t wait)
{
	if (r->alarms_open) {
		wait = wait_for_alarm(r, CLOCK_OF_BOOT, wait);
		wait = wait_for_alarm(r, CLOCK_OF_WALL, wait);
	}
	return wait_until_due(r, CLOCK_OF_LOOP, wait);
}

void timers_close(struct reactor *r)
{
	for (int clock = 0; clock < CLOCKS; clock++) {
		heap_free(&r->heaps[clock]);
		alarm_close(r, &r->alarms[clock]);
	}
}
