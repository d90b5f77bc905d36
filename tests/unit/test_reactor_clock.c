/* lib/reactor: steps of the wall clock, by a clock that tests can set (tests/shim/clock.c). */
#include "reactor_suite.h"

#include <stdio.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>

#define SECONDS INT64_C(1000000000)

static char clock_file[] = "/tmp/reactor-clock.XXXXXX";
static int clock_fd;

/* How far the wall clock is from the kernel's, in seconds. */
static int64_t clock_offset(void)
{
	struct timespec kernel;

	syscall(SYS_clock_gettime, CLOCK_REALTIME, &kernel);
	return (clock_read(CLOCK_OF_WALL) + SECONDS / 2) / SECONDS - kernel.tv_sec;
}

/* From now on the wall clock runs with this offset. */
static void set_clock(int offset)
{
	char text[32];
	int n = snprintf(text, sizeof text, "%-12d", offset);

	if (pwrite(clock_fd, text, (size_t)n, 0) != n)
		bail_out("pwrite");
	while (llabs(clock_offset() - offset) > 2)
		usleep(1000);
}

static void on_tick(struct reactor *r, struct timer *t)
{
	t->deadline = 0; /* it fired */
	reactor_stop(r);
}

static int steps;

static void on_step(struct reactor *r, void *context)
{
	steps += context == &steps;
	reactor_stop(r);
}

static void give_up(struct reactor *r, struct timer *t)
{
	(void)t;
	HOLDS(false, "a step is told within ten seconds");
	reactor_stop(r);
}

/* Runs until something stops the loop. */
static void run_until_told(struct reactor *r)
{
	struct timer t;

	timer_init(&t, CLOCK_OF_LOOP, give_up);
	timer_start_in(r, &t, 10 * SECONDS);
	reactor_run(r);
	timer_stop(r, &t);
}

static void test_forward(void)
{
	struct reactor *r = reactor_here();
	struct timer wall, boot;

	steps = 0;
	set_clock(0);
	reactor_on_clock_step(r, on_step, &steps);
	timer_init(&wall, CLOCK_OF_WALL, on_tick);
	timer_init(&boot, CLOCK_OF_BOOT, on_tick);
	timer_start_in(r, &wall, 3600 * SECONDS);
	timer_start_in(r, &boot, 3600 * SECONDS);
	turns(r, 2);
	HOLDS(wall.deadline && !steps, "a wall timer an hour away waits");
	set_clock(1800);
	run_until_told(r);
	HOLDS(steps == 1 && wall.deadline, "half an hour's step forward is told, and it waits");
	set_clock(3700);
	while (steps < 2)
		run_until_told(r);
	if (wall.deadline)
		run_until_told(r);
	EQUAL(wall.deadline, 0, "a step past its deadline fires it");
	HOLDS(boot.deadline, "a timer of another clock does not care");
	reactor_on_clock_step(r, NULL, NULL);
	reactor_free(r);
}

static void test_backward(void)
{
	struct reactor *r = reactor_here();
	struct timer wall;

	steps = 0;
	set_clock(0);
	reactor_on_clock_step(r, on_step, &steps);
	turns(r, 1);
	set_clock(-10);
	run_until_told(r);
	EQUAL(steps, 1, "a step is told where no timer is armed");
	timer_init(&wall, CLOCK_OF_WALL, on_tick);
	timer_start_in(r, &wall, 0);
	run_until_told(r);
	HOLDS(steps == 1 && !wall.deadline, "and a timer that fires is none");
	timer_start_in(r, &wall, SECONDS / 20);
	steps = 0;
	turns(r, 1);
	set_clock(-3600);
	while (!steps)
		run_until_told(r);
	turns_within(r, SECONDS / 10);
	HOLDS(wall.deadline, "after a step back a timer waits for its time to come");
	set_clock(0);
	while (wall.deadline)
		run_until_told(r);
	HOLDS(true, "and fires when it comes");
	reactor_free(r);
}

/* Nobody but the timer's own alarm wakes the loop when it is due. */
static void test_nearer(void)
{
	struct reactor *r = reactor_here();
	struct timer wall;

	set_clock(0);
	timer_init(&wall, CLOCK_OF_WALL, on_tick);
	timer_start_in(r, &wall, 5 * SECONDS + SECONDS / 20);
	turns(r, 1);
	set_clock(5);
	run_until_told(r);
	EQUAL(wall.deadline, 0, "a step that brings a deadline near is waited for anew");
	reactor_free(r);
}

static const struct conformance cases[] = {
    {"step forward", test_forward},
    {"step near", test_nearer},
    {"step back", test_backward},
    {0},
};

int main(void)
{
	int status;

	clock_fd = mkstemp(clock_file);
	setenv("EVWATCH_TEST_CLOCK", clock_file, 1);
	timerfd_create(CLOCK_REALTIME, 0); /* from here on the file is looked at */
	status = conformance_run(cases);
	unlink(clock_file);
	return status;
}
