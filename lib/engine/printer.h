/*
 * The printer: events of rules without a command, as text, by --format or as JSON.
 * Pure: it appends to a buffer; who writes it, and when, is the engine's business.
 */
#ifndef EVWATCH_ENGINE_PRINTER_H
#define EVWATCH_ENGINE_PRINTER_H

#include "base/buf.h"
#include "event/event.h"

#include <stdint.h>

struct print_config;
struct zone;

/* What is printed beside the event itself. */
struct print_context {
	const char *rule, *kind;
	uint64_t count;          /* this event's ordinal in its rule, or its run's, from 1 */
	const struct zone *zone; /* the zone of %t; NULL: the local one */
};

/* Appends one event in the form that the rule asks for, its end included. */
void event_print(struct buf *out, const struct print_config *config,
		 const struct print_context *context, const struct event *event);

#endif
