/*
 * What is reported of a connection (or a UDP session): its events with --json or --format, and
 * under -v the line when it is over; and the counts of all of them.
 */
#ifndef EVWATCH_SOURCE_RELAY_REPORT_H
#define EVWATCH_SOURCE_RELAY_REPORT_H

#include <stdbool.h>
#include <stddef.h>

struct address;
struct relayed;
struct relay_source;

/*
 * A client is refused. That its PROXY header is `wrong` is logged without -v too, once until one is
 * right.
 */
void report_refused(struct relay_source *s, const struct address *remote, const char *why,
		    bool wrong);

/* Emits the event "open", or "close", where events are printed; a worker passes it on. */
void report_event(const struct relayed *c, bool closed);
/* Emits what a worker passed on; what is no event is dropped. */
void report_event_of_worker(struct relay_source *s, const void *bytes, size_t length);

/* Counts what it carried, and logs that it is over, and why. */
void report_over(const struct relayed *c, const char *why);

/* Once the rule is stopped: if nothing is carried any more, logs what was, and ends the rule. */
void report_ended(struct relay_source *s);

#endif
