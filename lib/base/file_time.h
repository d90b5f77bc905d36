/*
 * The time by which file systems stamp files. It is coarse: a file that is written later has at
 * least this time, and never less.
 */
#ifndef EVWATCH_BASE_FILE_TIME_H
#define EVWATCH_BASE_FILE_TIME_H

#include <stdint.h>
#include <time.h>

/* In ns since the epoch. */
static inline int64_t file_time_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

#endif
