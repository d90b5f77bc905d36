/* A TZif file (RFC 8536) as a table of transitions. Private to zone.c. */
#ifndef EVWATCH_CALENDAR_ZONE_FILE_H
#define EVWATCH_CALENDAR_ZONE_FILE_H

#include "calendar/zone_rule.h"

#include <stddef.h>

struct zone_table {
	int64_t *at;      /* owned; ascending; only where the offset changes */
	int32_t *offsets; /* owned; from at[i] on */
	size_t count;
	int32_t before; /* the offset before at[0] */
	int64_t last;   /* from here on `rule` holds, if has_rule; INT64_MIN: always */
	struct zone_rule rule;
	bool has_rule;
};

/* Reads the bytes of a file. Returns NULL, or what is wrong with them (nothing is kept then). */
const char *zone_table_read(struct zone_table *t, const unsigned char *bytes, size_t length);

void zone_table_free(struct zone_table *t);

void zone_table_find(const struct zone_table *t, int64_t at, struct zone_segment *segment);

#endif
