/*
 * The guardian's own side: the process above the loop (guard.h). It sleeps until something is asked
 * of it.
 *
 * It is a watchdog, too: TERM, and a second INT, must be taken by the loop within two seconds, or
 * the loop is killed, with all that it started.
 */
#ifndef EVWATCH_PROCESS_GUARDIAN_H
#define EVWATCH_PROCESS_GUARDIAN_H

#include "base/signame.h"

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

struct user;

/*
 * What the two sides say to each other, one packet each. The guardian sends a struct signal_info
 * for every signal that it gets. The end of the stream is the death of the other.
 */
enum guard_word {
	WORD_TAKEN,   /* the loop has read an urgent signal */
	WORD_CLAIMED, /* value: job-control signals that rules watch, a bit each from signal 1 on */
	WORD_NOTIFY,  /* `text` is for the service manager (notify.h) */
	WORD_SCREEN,  /* value: 1 while the terminal has a scroll region of ours */
	WORD_USER,    /* the loop has dropped its privileges: so does the guardian */
};

struct guard_message {
	enum guard_word word;
	uint64_t value;
	char text[128]; /* NUL-terminated */
};

/* Signals that the guardian hands on from the start: all that can be caught, but those that stop
 * and continue a job, and those that say that it is broken itself. */
void guardian_signals(sigset_t *set);

/* Those that stop and continue a job. */
#define OF_JOBS                                                                                    \
	(signal_bit(SIGTSTP) | signal_bit(SIGTTIN) | signal_bit(SIGTTOU) | signal_bit(SIGCONT))

/* Must the loop take it in time? */
static inline int guardian_urgent(int number)
{
	return number == SIGTERM || number == SIGINT;
}

/*
 * Descriptors for the guardian's signals, opened before there are two processes: first those that
 * are read even when the loop takes nothing, then the rest. Returns 0, or -1 with errno.
 */
int guardian_open(int signals[2]);
void guardian_close(int signals[2]);

/*
 * Guards the loop's process until its end, and ends as it did. guardian_signals and SIGCHLD are
 * blocked. The end of `pair` and `signals` are the guardian's own. `user` is who it becomes
 * (WORD_USER), or NULL.
 */
_Noreturn void guardian_main(pid_t loop, int pair, const int signals[2], uint64_t claimed,
			     const struct user *user);

#endif
