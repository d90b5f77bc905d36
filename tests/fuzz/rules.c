/*
 * Random texts of rules (rule/parser.h), for a sanitized build.
 *
 *	rules SECONDS [SEED]
 *
 * Beyond "it does not crash" there are the promises of rules_promises.h.
 */
#include "rules_promises.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROOM = 2000 };

static const char *const parts[] = {
    "file src",
    "every 1s",
    "after 5m",
    "at 12:30",
    "cron '*/5 * * * *'",
    "cron 0 3 L * 5#2",
    "calendar 'Mon *-*-01 00:00'",
    "signal HUP",
    "signal RTMIN+3",
    "listen 7000",
    "listen unix:s",
    "relay 7000 db:5432",
    "lines -",
    "probe db:5432",
    "exit 1",
    "name: ",
    "a.b-c_1: ",
    ": ",
    "set ",
    "set --tag\n",
    "\n",
    "\n\n",
    "\n    ",
    "# comment\n",
    " -- ",
    " -- make",
    " -- echo \"$1\"\n",
    " -- 'x",
    " --",
    " --on-busy",
    " --on-busy restart",
    " -j 2",
    " -j",
    " -i",
    " -j2x",
    " --timeout 3s",
    " --timeout=3s",
    " --backoff 1s:2s",
    " --env A=b",
    " --env",
    " --stdin json",
    " --match '*.c'",
    " --match",
    " --ignore \"",
    " --tz Europe/Berlin",
    " --tz nowhere",
    " --jitter 1ms",
    " --json",
    " -0",
    " --format '%e %s'",
    " --format %q",
    " --max-conns 5",
    " --allow 10.0.0.0/8",
    " --events a,b",
    " --proxy accept",
    " --nonesuch",
    " -Z",
    " -",
    "'",
    "\"",
    "\\",
    " {} ",
    "\t",
    "1",
    "w",
    "\x01",
    "\xc3\xa9",
    "\xff",
    "99999999999999999999",
    "-1",
    "0",
    ".",
    "/",
    ":",
    "=",
    "--jobs 2 --jobs 3",
    "\r\n",
};

static uint64_t state;

/* xorshift64*: the same everywhere for the same seed. */
static unsigned below(size_t n)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (unsigned)((state * UINT64_C(0x2545f4914f6cdd1d)) >> 33) % (unsigned)n;
}

static size_t text_make(char *text)
{
	size_t length = 0, n;

	for (unsigned times = 1 + below(12); times > 0; times--) {
		const char *part = parts[below(sizeof parts / sizeof *parts)];

		n = strlen(part);
		if (length + n > ROOM)
			break;
		memcpy(text + length, part, n);
		length += n;
	}
	for (unsigned times = below(3); times > 0 && length; times--)
		text[below(length)] = (char)below(256);
	return length;
}

int main(int argc, char **argv)
{
	long seconds = argc > 1 ? atol(argv[1]) : 10, rounds = 0;
	time_t end = time(NULL) + seconds;
	static char text[ROOM];

	state = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)time(NULL) * 2654435761u + 1;
	printf("seed %llu\n", (unsigned long long)state);
	for (; time(NULL) < end; rounds++) {
		uint64_t seed = state;
		size_t length = text_make(text);
		const char *broken = broken_promise(text, length);

		if (broken) {
			printf("%s (seed %llu):\n%.*s\n", broken, (unsigned long long)seed,
			       (int)length, text);
			return 1;
		}
	}
	printf("%ld texts\n", rounds);
	return rounds == 0;
}
