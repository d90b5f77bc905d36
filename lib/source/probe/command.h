/* A check that is a command (probe --of): up when it exits 0. */
#ifndef EVWATCH_SOURCE_PROBE_COMMAND_H
#define EVWATCH_SOURCE_PROBE_COMMAND_H

#include "source/command.h"

/* `why` it failed, or NULL. With `is_short` it could not be started for want of something here. */
typedef void probe_command_call(void *context, const char *why, bool is_short);

struct probe_command {
	struct source_command command; /* private, all of it */
	struct timer patience;
	pid_t group;
	bool late;
	char why[64];
	probe_command_call *call;
	void *context;
};

/* `rule` is named by the shell's own messages. Returns 0, or -1 with `e`. */
int probe_command_open(struct probe_command *p, struct reactor *r, const char *rule,
		       const char *text, struct error *e);
void probe_command_close(struct probe_command *p);

/* Runs it, for `timeout` ns at most; the call comes once, at once perhaps. */
void probe_command_start(struct probe_command *p, int64_t timeout, probe_command_call *call,
			 void *context);
/* Kills what runs; no call. */
void probe_command_stop(struct probe_command *p);

#endif
