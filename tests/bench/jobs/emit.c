/*
 * A command with output: 1 to 100 kB of lines, all of them `NUMBER COUNT`, the last `NUMBER end`.
 * usage: emit NUMBER. With -c it checks a stream of such outputs: each whole, none mixed, none
 * twice; it prints how many there were.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The lines of an output: spread over 1 to 100 kB, the same each time. */
static long lines_of(long number)
{
	return 70 + number * 7919 % 7000;
}

static char *digits(char *at, long number)
{
	char reversed[24];
	int n = 0;

	do
		reversed[n++] = (char)('0' + number % 10);
	while (number /= 10);
	while (n > 0)
		*at++ = reversed[--n];
	return at;
}

/* By hand and with one write, or printf(3) would cost more than what is measured. */
static int emit(long number)
{
	static char text[7200 * 32];
	long n = lines_of(number);
	char *at = text;

	for (long i = 0; i <= n; i++) {
		at = digits(at, number);
		*at++ = ' ';
		at = i < n ? digits(at, i) : stpcpy(at, "end");
		*at++ = '\n';
	}
	return write(1, text, (size_t)(at - text)) != at - text;
}

static bool is_new(long number)
{
	static bool seen[1 << 20];
	bool is = number >= 0 && number < 1 << 20 && !seen[number];

	if (is)
		seen[number] = true;
	return is;
}

static int check(void)
{
	char line[128], wanted[128];
	long outputs = 0, number = -1, next = 0;

	while (fgets(line, sizeof line, stdin)) {
		if (number < 0) {
			number = strtol(line, NULL, 10);
			next = 0;
			if (!is_new(number)) {
				printf("again, or no number: %s", line);
				return 1;
			}
		}
		if (next == lines_of(number))
			snprintf(wanted, sizeof wanted, "%ld end\n", number);
		else
			snprintf(wanted, sizeof wanted, "%ld %ld\n", number, next);
		if (strcmp(line, wanted) != 0) {
			printf("mixed: %s instead of %s", line, wanted);
			return 1;
		}
		if (next++ == lines_of(number)) {
			outputs++;
			number = -1;
		}
	}
	printf("%ld\n", outputs);
	return number >= 0;
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	return strcmp(argv[1], "-c") == 0 ? check() : emit(strtol(argv[1], NULL, 10));
}
