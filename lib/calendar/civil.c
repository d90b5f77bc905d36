/*
 * See civil.h. Years are counted from March, so that the leap day is the last of its year and
 * the lengths of the months before it follow one formula; 400 years are 146097 days.
 */
#include "calendar/civil.h"

int month_length(int year, int month)
{
	static const signed char lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return month == 2 && year_is_leap(year) ? 29 : lengths[month - 1];
}

int64_t date_to_days(int year, int month, int day)
{
	int64_t y = month <= 2 ? (int64_t)year - 1 : year;
	int64_t cycle = floor_div(y, 400), year_in_cycle = y - cycle * 400;
	int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	int64_t leap_days = year_in_cycle / 4 - year_in_cycle / 100;

	/* 719468: from 0000-03-01 to 1970-01-01. */
	return cycle * 146097 + year_in_cycle * 365 + leap_days + day_of_year - 719468;
}

struct date date_from_days(int64_t days)
{
	int64_t since = days + 719468, cycle = floor_div(since, 146097);
	int64_t day = since - cycle * 146097;
	int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	int64_t day_of_year = day - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * day_of_year + 2) / 153; /* from March */
	struct date date = {
	    .year = (int)(year + cycle * 400 + (month >= 10)),
	    .month = (int)(month < 10 ? month + 3 : month - 9),
	    .day = (int)(day_of_year - (153 * month + 2) / 5 + 1),
	};

	return date;
}

int weekday_of(int64_t days)
{
	int64_t w = (days + 4) % 7; /* 1970-01-01 was a Thursday */

	return (int)(w < 0 ? w + 7 : w);
}
