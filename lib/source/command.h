/*
 * A command that a source runs for itself: the check of `probe --of`, the reader of `lines --of`.
 *
 * It runs in evwatch's own surroundings, which the rule's options do not change, in a process group
 * of its own. Its owner says where it reads and writes, and when it is to end.
 */
#ifndef EVWATCH_SOURCE_COMMAND_H
#define EVWATCH_SOURCE_COMMAND_H

#include "process/launch.h"
#include "reactor/reactor.h"

struct error;

/* It ended: a status of waitpid(2), or why it could not be executed (errno; else 0). */
typedef void source_command_call(void *context, int status, int error);

struct source_command {
	struct reactor *reactor; /* private, all of it, but `pid` to look at */
	const char *rule, *kind;
	struct command command;
	struct surroundings around;
	struct program program;
	struct inherited inherited;
	struct starts starts;
	struct start *start;
	struct child_watcher child;
	pid_t pid; /* 0: none runs */
	source_command_call *call;
	void *context;
};

/*
 * `text` is for the shell, whose own messages name `rule`; both, and `kind`, are borrowed. Returns
 * 0, or -1 with `e`.
 */
int source_command_open(struct source_command *c, struct reactor *r, const char *rule,
			const char *kind, const char *text, struct error *e);
/* Kills what runs. Does nothing to one that was never opened (all zero). */
void source_command_close(struct source_command *c);

/* Starts it with these as 0, 1 and 2. The call comes once, later. Returns 0, or -1 with errno. */
int source_command_start(struct source_command *c, const int fds[3], source_command_call *call,
			 void *context);
/* A signal to its group. */
void source_command_signal(const struct source_command *c, int number);
/* Kills what runs; no call. */
void source_command_stop(struct source_command *c);

#endif
