/* Monotonic, boot and wall time, read from the kernel at most once an iteration. */
#include "reactor/loop.h"

#include <time.h>

static const clockid_t kernel_clocks[CLOCKS] = {
    [CLOCK_OF_LOOP] = CLOCK_MONOTONIC,
    [CLOCK_OF_BOOT] = CLOCK_BOOTTIME,
    [CLOCK_OF_WALL] = CLOCK_REALTIME,
};

int64_t clock_read(enum reactor_clock clock)
{
	struct timespec ts;

	clock_gettime(kernel_clocks[clock], &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t reactor_now(struct reactor *r, enum reactor_clock clock)
{
	if (!(r->now_known & 1 << clock)) {
		r->now[clock] = clock_read(clock);
		r->now_known |= (uint8_t)(1 << clock);
	}
	return r->now[clock];
}
