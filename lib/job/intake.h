/*
 * The intake of a run, what its command reads: nothing, its subjects or events as text, its
 * payload, its connection, or evwatch's own standard input (--stdin).
 */
#ifndef EVWATCH_JOB_INTAKE_H
#define EVWATCH_JOB_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

struct run_setup;
struct share;

/* The descriptor of the command's input; *mine: close it after the start. -1 with errno. */
int intake_open(const struct run_setup *setup, const struct share *share, uint64_t ordinal,
		bool *mine);

#endif
