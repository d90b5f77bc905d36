/* One field of a cron expression: values, names, ranges, steps, and Quartz's L, W and #. */
#ifndef EVWATCH_CALENDAR_CRON_FIELD_H
#define EVWATCH_CALENDAR_CRON_FIELD_H

#include "calendar/spec.h"

#include <stdbool.h>
#include <stdint.h>

struct error;
struct field;

enum field_id { SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY, YEAR, FIELDS };

/* What is read, and what the field that was read last gave. */
struct cron_reader {
	const char *text, *at;
	struct error *e;
	struct calendar *c;
	enum field_id id;
	const struct field *field;
	uint64_t bits; /* what the field's items gave so far */
	bool star;     /* the field begins with * or ? */
	bool has_step; /* an item had a / */
};

#define FAULT(r, at, ...) calendar_fault((r)->e, (r)->text, (at), __VA_ARGS__)

/* Reads the field at r->at, which stands behind it then; years go into r->c. Returns 0, or -1 with
 * r->e. */
int cron_field_read(struct cron_reader *r, enum field_id id);

#endif
