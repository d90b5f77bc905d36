/*
 * The terminal, lent to the process group of a command that reads it (--stdin inherit), as a shell
 * with job control does it (tcsetpgrp(3)): until the command ends, or is stopped (Ctrl-Z). Then
 * evwatch takes the terminal back and stops with it; continued, both go on.
 */
#ifndef EVWATCH_PROCESS_TERMINAL_H
#define EVWATCH_PROCESS_TERMINAL_H

#include "reactor/reactor.h"

#include <stdbool.h>
#include <sys/types.h>

struct terminal {
	struct signal_watcher children;
	pid_t group; /* it is lent to; 0: to none */
};

/* Is descriptor 0 a terminal, and this process group its foreground one? */
bool terminal_is_ours(void);

/* Has this process a controlling terminal, which may stop its commands (SIGTTIN, SIGTTOU)? */
bool terminal_controls_us(void);

/* Takes it from whoever has it. */
void terminal_reclaim(void);

/* The command has taken it at its birth. Returns 0, or -1: its stops will not be noticed. */
int terminal_lent(struct terminal *t, struct reactor *r, pid_t group);
void terminal_take_back(struct terminal *t, struct reactor *r);

#endif
