/*
 * The terminal as it was when evwatch started: its modes, and whether a part of it is kept from
 * scrolling. Whoever outlives all others puts it back.
 */
#ifndef EVWATCH_PROCESS_KEEP_TERMINAL_H
#define EVWATCH_PROCESS_KEEP_TERMINAL_H

#include <stdbool.h>
#include <termios.h>

struct kept_terminal {
	int fd;          /* borrowed: 0, 1 or 2; -1: none of them is a terminal in our hands */
	bool has_region; /* the live line has set a scroll region, on descriptor 2 */
	struct termios modes;
};

/* Remembers its modes. Not from the background: there they are the shell's, at its prompt. */
void terminal_keep(struct kept_terminal *t);

/* Every command has ended. Puts back what differs, if the terminal is ours or its user is gone. */
void terminal_restore(const struct kept_terminal *t);

#endif
