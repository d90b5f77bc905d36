/*
 * The matcher alone: how many lines of a file match, as grep -cE counts them.
 *
 *	match EXPRESSION FILE      prints the count and the processor's seconds
 */
#include "base/error.h"
#include "match/match.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

static bool line_matches(struct match *m, const char *line, size_t length)
{
	enum match_answer answer;

	match_begin(m, line, length, NULL, 0);
	do {
		size_t budget = MATCH_TURN;

		answer = match_run(m, &budget);
	} while (answer == MATCH_MORE);
	return answer == MATCH_YES;
}

static long count(struct match *m, const char *text, size_t length)
{
	const char *end = text + length, *stop;
	long n = 0;

	for (; text < end; text = stop + 1) {
		stop = memchr(text, '\n', (size_t)(end - text));
		stop = stop ? stop : end;
		n += line_matches(m, text, (size_t)(stop - text));
	}
	return n;
}

int main(int argc, char **argv)
{
	struct error e;
	struct match *m = argc == 3 ? match_new(argv[1], false, &e) : NULL;
	int fd = argc == 3 ? open(argv[2], O_RDONLY) : -1;
	struct stat st;
	char *text;
	long n;

	if (!m || fd < 0 || fstat(fd, &st) < 0)
		return 2;
	text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (text == MAP_FAILED)
		return 2;
	n = count(m, text, (size_t)st.st_size);
	printf("%ld %.2f\n", n, (double)clock() / CLOCKS_PER_SEC);
	match_free(m);
	return 0;
}
