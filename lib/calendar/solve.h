/* The days of a month that an expression names. Private to lib/calendar. */
#ifndef EVWATCH_CALENDAR_SOLVE_H
#define EVWATCH_CALENDAR_SOLVE_H

#include "calendar/spec.h"

/* Bit n: the n-th matches. The year is given by the weekday of its January 1st and its length. */
uint32_t month_days(const struct calendar *c, int month, int january_first, bool leap);

#endif
