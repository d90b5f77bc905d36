/*
 * For LD_PRELOAD: names are looked up in the file NAMES (`name address...`, one a line), each
 * lookup is a line of the file ASKED, none is answered while the file SLOW is there, and no server
 * says anything while the file FAILS is.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef int getaddrinfo_call(const char *, const char *, const struct addrinfo *,
			     struct addrinfo **);

static void note(const char *host)
{
	FILE *f = fopen("ASKED", "a");

	if (!f)
		return;
	fprintf(f, "%s\n", host);
	fclose(f);
}

int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
		struct addrinfo **list)
{
	struct addrinfo **end = list;
	getaddrinfo_call *real;
	char line[256];
	FILE *f;

	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	note(host);
	while (access("SLOW", F_OK) == 0)
		nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
	*list = NULL;
	if (access("FAILS", F_OK) == 0)
		return EAI_AGAIN;
	f = fopen("NAMES", "r");
	while (f && fgets(line, sizeof line, f)) {
		char *word = strtok(line, " \n");

		if (!word || strcmp(word, host) != 0)
			continue;
		while ((word = strtok(NULL, " \n")))
			if (real(word, port, hints, end) == 0)
				end = &(*end)->ai_next;
	}
	if (f)
		fclose(f);
	return *list ? 0 : EAI_NONAME;
}
