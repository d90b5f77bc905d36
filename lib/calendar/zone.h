/*
 * Time zones from the system's tzdata (TZif, RFC 8536), any number of them in one process.
 *
 * A zone is a run of segments, each with one offset from UTC. Beyond the last transition of the
 * file its footer's rule (POSIX TZ) goes on for ever. Zones come from a set, which reads each file
 * once and notices when one changes on disk; nothing here looks at or sets TZ.
 */
#ifndef EVWATCH_CALENDAR_ZONE_H
#define EVWATCH_CALENDAR_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct zone;
struct zone_set;

struct zone_segment {
	int64_t start, end; /* seconds since the epoch, [start, end); INT64_MIN, INT64_MAX: open */
	int32_t offset;     /* seconds east of UTC */
};

/* A set without zones. NULL with ENOMEM. */
struct zone_set *zone_set_new(void);

/* Frees the set and every zone in it. */
void zone_set_free(struct zone_set *set);

/*
 * The zone of this name ("Europe/Berlin"; "UTC"; a rule such as "CET-1CEST,M3.5.0,M10.5.0/3"; an
 * absolute path). NULL names the system's own zone (/etc/localtime). The set owns it; the address
 * stays while the set lives. NULL with `e` filled (unknown name: with the nearest one as hint).
 */
const struct zone *zone_get(struct zone_set *set, const char *name, struct error *e);

/* Reads again the files that changed on disk. True when the rules of a zone are different now. */
bool zone_set_refresh(struct zone_set *set);

/*
 * Calls `each` (NULL: nobody) with the file of every zone that has one. Returns the number of
 * zones, those without a file too. `set` may be NULL.
 */
size_t zone_set_each(const struct zone_set *set, void (*each)(void *context, const char *path),
		     void *context);

/* The directory of the zone files, for messages. */
const char *zone_directory(void);

/* Is there a zone of this name? (Without reading it whole.) */
bool zone_exists(const char *name);

/* The segment that holds the instant `at` (seconds since the epoch). */
void zone_find(const struct zone *z, int64_t at, struct zone_segment *segment);

/* The zone's offset at `at`, in seconds east of UTC. */
int32_t zone_offset(const struct zone *z, int64_t at);

#endif
