/* Three clocks, read in nanoseconds (int64_t) since whatever each of them counts from. */
#ifndef EVWATCH_BASE_CLOCK_H
#define EVWATCH_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

enum clock {
	CLOCK_OF_LOOP, /* CLOCK_MONOTONIC: stands still while the machine is suspended */
	CLOCK_OF_BOOT, /* CLOCK_BOOTTIME: runs on in suspend */
	CLOCK_OF_WALL, /* CLOCK_REALTIME: steps when it is set */
};

/* What the kernel calls it (clock_gettime(2), timerfd_create(2)). */
clockid_t clock_kernel_id(enum clock clock);

/* The time now, from the kernel. */
int64_t clock_read(enum clock clock);

/* `ns` is not negative. */
static inline struct timespec to_timespec(int64_t ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = ns % 1000000000};
}

#endif
