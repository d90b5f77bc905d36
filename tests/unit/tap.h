/*
 * The Test Anything Protocol, as much as a C test needs: one header, no registration.
 *
 *	int main(void)
 *	{
 *		OK(duration_parse("5s", &ns, &e) == 0, "5s is a duration");
 *		return tap_done();
 *	}
 */
#ifndef EVWATCH_TESTS_TAP_H
#define EVWATCH_TESTS_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int tap_count, tap_failed;

/* One test: the name is a sentence that states the promise. Evaluates to the condition. */
#define OK(condition, ...) tap_ok((condition), #condition, __FILE__, __LINE__, __VA_ARGS__)

/* Compares two integers, or two strings, and shows both where they differ. */
#define SAME(got, wanted, ...)                                                                     \
	tap_same((long long)(got), (long long)(wanted), __FILE__, __LINE__, __VA_ARGS__)
#define SAME_TEXT(got, wanted, ...) tap_same_text((got), (wanted), __FILE__, __LINE__, __VA_ARGS__)

/* Says why something could not be tested here. */
#define SKIP(reason, ...)                                                                          \
	do {                                                                                       \
		printf("ok %d - ", ++tap_count);                                                   \
		printf(__VA_ARGS__);                                                               \
		printf(" # skip %s\n", (reason));                                                  \
	} while (0)

__attribute__((format(printf, 4, 0))) static inline bool
tap_line(bool condition, const char *file, int line, const char *format, va_list ap)
{
	printf("%sok %d - ", condition ? "" : "not ", ++tap_count);
	vprintf(format, ap);
	printf("\n");
	if (!condition) {
		tap_failed++;
		printf("#   at %s:%d\n", file, line);
	}
	fflush(stdout);
	return condition;
}

__attribute__((format(printf, 5, 6))) static inline bool
tap_ok(bool condition, const char *text, const char *file, int line, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	tap_line(condition, file, line, format, ap);
	va_end(ap);
	if (!condition)
		printf("#   false: %s\n", text);
	return condition;
}

__attribute__((format(printf, 5, 6))) static inline bool
tap_same(long long got, long long wanted, const char *file, int line, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	tap_line(got == wanted, file, line, format, ap);
	va_end(ap);
	if (got != wanted)
		printf("#   got %lld, wanted %lld\n", got, wanted);
	return got == wanted;
}

__attribute__((format(printf, 5, 6))) static inline bool tap_same_text(const char *got,
								       const char *wanted,
								       const char *file, int line,
								       const char *format, ...)
{
	bool same = got && wanted && strcmp(got, wanted) == 0;
	va_list ap;

	va_start(ap, format);
	tap_line(same, file, line, format, ap);
	va_end(ap);
	if (!same)
		printf("#   got    %s\n#   wanted %s\n", got ? got : "NULL",
		       wanted ? wanted : "NULL");
	return same;
}

/* The plan, and the exit status of main. */
static inline int tap_done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed != 0;
}

#endif
