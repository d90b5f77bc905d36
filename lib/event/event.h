/*
 * An event: what happened, as the user means it.
 *
 * A source makes events and lends them for the time of the call; who keeps one copies it. Strings
 * hold any byte but NUL, exactly as they came; escaping is the printer's work.
 */
#ifndef EVWATCH_EVENT_EVENT_H
#define EVWATCH_EVENT_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/*
 * One detail. `name` is the variable's name: "EVWATCH_PATH", or a plain one such as "TCPREMOTEIP".
 * In JSON those that start with EVWATCH_ appear in small letters without that prefix.
 */
struct detail {
	const char *name;  /* static: lives as long as the program */
	const char *value; /* what has a value of NULL is unset (PROTO's relatives, UCSPI) */
	bool number;       /* in JSON, too, where the value is one */
};

struct event {
	const char *name; /* "create", "tick", "connect"; static */
	const char *const *subjects;
	size_t n_subjects;
	const struct detail *details;
	size_t n_details;
	struct timespec time; /* wall clock; all zero: the engine fills in now */
	const void *payload;  /* a datagram: the command's standard input; NULL: none */
	size_t payload_length;
	int connection;  /* the command's standard input and output, or -1 (source.h says whose) */
	bool capture;    /* hand what the command writes back to the source (a UDP reply) */
	void *token;     /* the source's own; comes back with run_began and run_ended */
	uint64_t ticket; /* somebody waits for its run (evwatch trigger --wait); 0: nobody */
};

/* An event of this name with nothing else in it. */
struct event event_make(const char *name);

/* How many bytes a copy takes with all that belongs to it: a multiple of any alignment. */
size_t event_size(const struct event *event);

/* Copies the event into `room`, which is aligned for any type and has event_size bytes. A
 * connection is copied as a number. */
struct event *event_place(const struct event *event, void *room);

/* The value of a detail, or NULL. */
const char *event_detail(const struct event *event, const char *name);

#endif
