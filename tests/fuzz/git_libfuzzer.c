/*
 * libFuzzer writes a configuration of git and up to four files that it may include (a NUL between
 * two), and asks which rules of ignored files it names. Beyond "it does not crash": the answer is
 * the same the second time, and comes within 100 µs a byte and file that may be read.
 */
#include "source/file/choose/git.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FILES = 5, MOST_READ = 100 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[FILES] = {"home/.gitconfig", "a", "b", "top/.git/config",
					 "top/.git/HEAD"};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char folder[] = "/dev/shm/evwatch-fuzz.XXXXXX", home[64];

	(void)argc;
	(void)argv;
	if (!mkdtemp(folder) || chdir(folder) < 0 || mkdir("home", 0700) < 0 ||
	    mkdir("top", 0700) < 0 || mkdir("top/.git", 0700) < 0)
		abort();
	snprintf(home, sizeof home, "%s/home", folder);
	setenv("HOME", home, 1);
	unsetenv("XDG_CONFIG_HOME");
	fprintf(stderr, "in %s\n", folder);
	return 0;
}

static void write_file(const char *name, const uint8_t *bytes, size_t length)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, bytes, length) != (ssize_t)length)
		abort();
	close(fd);
}

static void write_files(const uint8_t *data, size_t size)
{
	for (int i = 0; i < FILES; i++) {
		const uint8_t *end = size ? memchr(data, '\0', size) : NULL;
		size_t length = end ? (size_t)(end - data) : size;

		write_file(names[i], data, length);
		data += end ? length + 1 : length;
		size -= end ? length + 1 : length;
	}
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *git, *once, *again;
	int64_t start;

	write_files(data, size);
	start = now();
	git = git_directory("top");
	once = git_excludes_file(git, "top");
	if (now() - start > 100000 * (int64_t)(size + 1) * MOST_READ)
		abort();
	again = git_excludes_file(git, "top");
	if (!once != !again || (once && strcmp(once, again) != 0))
		abort();
	free(git);
	free(once);
	free(again);
	return 0;
}
