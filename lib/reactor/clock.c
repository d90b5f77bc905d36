/* The clocks of enum clock, read from the kernel. */
#include "reactor/loop.h"

clockid_t clock_kernel_id(enum clock clock)
{
	switch (clock) {
	case CLOCK_OF_BOOT:
		return CLOCK_BOOTTIME;
	case CLOCK_OF_WALL:
		return CLOCK_REALTIME;
	case CLOCK_OF_LOOP:
		break;
	}
	return CLOCK_MONOTONIC;
}

int64_t clock_read(enum clock clock)
{
	struct timespec ts;

	clock_gettime(clock_kernel_id(clock), &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}
