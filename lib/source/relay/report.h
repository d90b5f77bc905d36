/*
 * What is told of a connection (or a UDP session): its events with --json or --format, and under -v
 * the line when it is over.
 */
#ifndef EVWATCH_SOURCE_RELAY_REPORT_H
#define EVWATCH_SOURCE_RELAY_REPORT_H

#include <stddef.h>
#include <stdint.h>

struct address;
struct relay_source;

struct carried {
	const struct address *remote;
	size_t target;
	uint64_t to, from; /* bytes towards the target, and from it */
	uint64_t lost;     /* datagrams */
	int64_t started;   /* on the loop's clock */
};

/* Emits the event "open" or "close", where events are printed. */
void report_event(struct relay_source *s, const char *name, const struct carried *c);

/* Logs that it is over, and why. */
void report_over(const struct relay_source *s, const struct carried *c, const char *why);

#endif
