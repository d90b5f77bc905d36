/* The kinds that there are: one object a kind, each defined in its own file or folder. */
#ifndef EVWATCH_SOURCE_KINDS_H
#define EVWATCH_SOURCE_KINDS_H

#include "source/source.h"

extern const struct source_type source_file;                                /* file/kind.c */
extern const struct source_type source_every, source_after, source_at;      /* time/ */
extern const struct source_type source_cron, source_calendar;               /* time/ */
extern const struct source_type source_signal, source_listen, source_relay; /* *.c, relay/ */
extern const struct source_type source_lines, source_probe, source_exit;
extern const struct source_type source_run, source_ended, source_task;

#endif
