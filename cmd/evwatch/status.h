/* What `evwatch status` and `evwatch top` show of the answer to a status request. */
#ifndef EVWATCH_STATUS_H
#define EVWATCH_STATUS_H

#include "base/buf.h"
#include "base/json.h"

/* A table for people. */
void status_add_text(struct buf *out, const struct json_value *status);

/* Prometheus' text format, version 0.0.4. */
void status_add_prometheus(struct buf *out, const struct json_value *status);

/* "3 min 20 s", "8.0 ms"; "-" for a negative number of seconds. */
void status_add_seconds(struct buf *out, double seconds);

/* "4.0 kB", "1.2 GB". */
void status_add_bytes(struct buf *out, double bytes);

#endif
