/*
 * The engine: arms rules, hands events to jobs or to the printer, counts, and ends it all.
 *
 * Life: open (everything that can fail) → run → close. It ends by itself when every rule has ended
 * or a limit is reached, and on INT, TERM, QUIT; running commands are stopped, relays drained, and
 * no descendant is left behind.
 */
#ifndef EVWATCH_ENGINE_ENGINE_H
#define EVWATCH_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine;
struct error;
struct guard;
struct inherited;
struct reactor;
struct rules;
struct sink;
struct user;

struct engine_config {
	uint64_t count;         /* stop after so many runs (or printed events); 0: never */
	int64_t within;         /* ns; 0: no limit */
	bool fail_fast;         /* stop at the first command that fails */
	bool stdin_quit;        /* stop when standard input ends */
	const char *ready_file; /* written once all is armed; NULL: none */
	const char *control;    /* path of the control socket; NULL: none */
	bool from_files;        /* rules came from -f: HUP reads them again */
	/* Reads the rules again: 0, or -1 with rules->diagnostics filled. */
	int (*reread)(void *context, struct rules *rules);
	void *reread_context;
	bool live_line;          /* standard error is a terminal for a live line about schedules */
	struct guard *guard;     /* NULL: --no-guard */
	const struct user *user; /* who it becomes once all is open; NULL: it stays who it is */
	struct sink *errors;     /* standard error, shared with the log */
	const struct inherited *inherited;
};

/* How evwatch is to end: by this signal, or when it is 0 with this status. */
struct engine_end {
	int status;
	int signal;
};

/* Opens every source, and arms what is long in arming, unless a signal asks for the end meanwhile:
 * then engine_run returns at once. `rules` and `config` outlive the engine. NULL with `e`, e->what
 * with the rule's name in front. */
struct engine *engine_open(struct reactor *r, struct rules *rules,
			   const struct engine_config *config, struct error *e);

/* Arms, then runs to the end. */
struct engine_end engine_run(struct engine *e);

void engine_close(struct engine *e);

#endif
