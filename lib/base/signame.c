/* See signame.h. */
#include "base/signame.h"

#include "base/array.h"
#include "base/error.h"
#include "base/text.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	int number;
} names[] = {
    {"HUP", SIGHUP},   {"INT", SIGINT},       {"QUIT", SIGQUIT}, {"ILL", SIGILL},
    {"TRAP", SIGTRAP}, {"ABRT", SIGABRT},     {"BUS", SIGBUS},   {"FPE", SIGFPE},
    {"KILL", SIGKILL}, {"USR1", SIGUSR1},     {"SEGV", SIGSEGV}, {"USR2", SIGUSR2},
    {"PIPE", SIGPIPE}, {"ALRM", SIGALRM},     {"TERM", SIGTERM}, {"STKFLT", SIGSTKFLT},
    {"CHLD", SIGCHLD}, {"CONT", SIGCONT},     {"STOP", SIGSTOP}, {"TSTP", SIGTSTP},
    {"TTIN", SIGTTIN}, {"TTOU", SIGTTOU},     {"URG", SIGURG},   {"XCPU", SIGXCPU},
    {"XFSZ", SIGXFSZ}, {"VTALRM", SIGVTALRM}, {"PROF", SIGPROF}, {"WINCH", SIGWINCH},
    {"IO", SIGIO},     {"POLL", SIGPOLL},     {"PWR", SIGPWR},   {"SYS", SIGSYS},
};

/* `RTMIN`, `RTMIN+3`, `RTMAX-1`: the number, or -1. */
static int realtime_parse(const char *word)
{
	int base, sign = 1, offset = 0;
	char *end;

	if (strncmp(word, "RTMIN", 5) == 0)
		base = SIGRTMIN;
	else if (strncmp(word, "RTMAX", 5) == 0)
		base = SIGRTMAX;
	else
		return -1;
	if (word[5]) {
		if (word[5] != '+' && word[5] != '-')
			return -1;
		sign = word[5] == '+' ? 1 : -1;
		offset = (int)strtol(word + 6, &end, 10);
		if (end == word + 6 || *end || offset < 0 || offset > 64)
			return -1;
	}
	base += sign * offset;
	return base >= SIGRTMIN && base <= SIGRTMAX ? base : -1;
}

static int number_parse(const char *word)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(word, &end, 10);
	return end != word && !*end && n > 0 && n <= SIGRTMAX ? (int)n : -1;
}

static void hint_near(const char *word, struct error *e)
{
	const char *list[ARRAY_LENGTH(names) + 1], *near;

	for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
		list[i] = names[i].name;
	list[ARRAY_LENGTH(names)] = NULL;
	near = nearest_word(word, list);
	if (*word >= '0' && *word <= '9')
		error_hint(e, "signals are 1 to %d", SIGRTMAX);
	else if (strchr(word, ','))
		error_hint(e, "a blank comes between two signals");
	else if (near && *near == *word)
		error_hint(e, "did you mean %s?", near);
	else
		error_hint(e, "\"kill -l\" lists the signals");
}

int signal_parse(const char *word, struct error *e)
{
	const char *bare = strncmp(word, "SIG", 3) == 0 ? word + 3 : word;
	int number;

	for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
		if (strcmp(names[i].name, bare) == 0)
			return names[i].number;
	number = realtime_parse(bare);
	if (number < 0)
		number = number_parse(word);
	if (number > 0)
		return number;
	error_set(e, "there is no signal \"%s\"", word);
	hint_near(bare, e);
	return -1;
}

char *signal_name(int number, char *out, size_t size)
{
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
		if (names[i].number == number) {
			snprintf(out, size, "%s", names[i].name);
			return out;
		}
	if (number == SIGRTMIN)
		snprintf(out, size, "RTMIN");
	else if (number > SIGRTMIN && number <= SIGRTMAX)
		snprintf(out, size, "RTMIN+%d", number - SIGRTMIN);
	else
		snprintf(out, size, "%d", number);
	return out;
}
