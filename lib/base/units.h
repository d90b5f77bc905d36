/*
 * Words with units: durations, sizes, rates, counts (evwatch(1), "Durations, sizes and rates").
 *
 * Everything is parsed whole: overflow, a sign, an empty word and trailing garbage are errors, with
 * `column` at the fault.
 */
#ifndef EVWATCH_BASE_UNITS_H
#define EVWATCH_BASE_UNITS_H

#include "base/buf.h"

#include <stdint.h>
#include <time.h>

struct error;

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

/* `250ms`, `1m30s`, `0.5s`, `5min`, `2hours`; a bare number: seconds. Result in nanoseconds.
 * Returns 0 or -1. */
int duration_parse(const char *word, int64_t *ns, struct error *e);

/* Where `DUR` of a backoff is given without `MAX`. */
#define BACKOFF_MOST (60 * NS_PER_S)

/* `DUR` or `DUR:MAX`, a wait that doubles up to MAX. Returns 0 or -1. */
int backoff_parse(const char *word, int64_t *first, int64_t *most, struct error *e);

/* The next wait after *wait (0: there was none): `first`, then twice as long, up to `most`. */
int64_t backoff_next(int64_t *wait, int64_t first, int64_t most);

/* `64k`, `10M`, `1G` (powers of 1024; `B` and `iB` may follow). Result in bytes. Returns 0 or -1.
 */
int size_parse(const char *word, uint64_t *bytes, struct error *e);

/* A size and `/s`. Result in bytes a second, at least 1. Returns 0 or -1. */
int rate_parse(const char *word, uint64_t *bytes_per_second, struct error *e);

/* A decimal number from `least` to `most`. Returns 0 or -1. */
int count_parse(const char *word, uint64_t least, uint64_t most, uint64_t *n, struct error *e);

/* Appends `1m30s`, `250ms`: the shortest form that duration_parse reads back. */
void duration_add(struct buf *out, int64_t ns);

/* Appends a duration as people write it: `0.12 ms`, `8.0 ms`, `1.2 s`, `3 min 20 s`, `2 d 4 h`. */
void duration_say(struct buf *out, int64_t ns);

/* Appends an RFC 3339 time in the local zone, with microseconds: 2026-11-24T08:15:00.250000+01:00
 */
void time_add(struct buf *out, const struct timespec *time);

#endif
