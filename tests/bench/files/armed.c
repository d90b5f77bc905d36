/*
 * armed MARK COMMAND...: starts COMMAND and waits, without keeping a processor busy, until it says
 * that it is armed: MARK is /PATH of a file that comes then, or a word of its output. Prints "armed
 * MS RSS_KB" and ends it. 1: it ended before that.
 */
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static long resident(pid_t pid)
{
	char path[64], line[256];
	long kb = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f))
		sscanf(line, "VmRSS: %ld", &kb);
	if (f)
		fclose(f);
	return kb;
}

/* Waits for the file; the descriptor tells of its folder. */
static int wait_file(int told, const char *path)
{
	char events[4096];

	while (access(path, F_OK) < 0)
		if (read(told, events, sizeof events) <= 0)
			return -1;
	return 0;
}

static int wait_word(int output, const char *word)
{
	char text[4096] = "";
	size_t have = 0;
	ssize_t n;

	while (!strstr(text, word)) {
		if (have == sizeof text - 1)
			have = 0;
		n = read(output, text + have, sizeof text - 1 - have);
		if (n <= 0)
			return -1;
		have += (size_t)n;
		text[have] = '\0';
	}
	return 0;
}

int main(int argc, char **argv)
{
	int output[2], told, failed, by_file = argc > 2 && argv[1][0] == '/';
	double began;
	pid_t pid;

	if (argc < 3 || pipe(output) < 0)
		return 2;
	told = inotify_init1(IN_CLOEXEC);
	if (by_file)
		inotify_add_watch(told, dirname(strdup(argv[1])), IN_CREATE | IN_MOVED_TO);
	began = now();
	pid = vfork();
	if (pid == 0) {
		dup2(output[1], 1);
		dup2(output[1], 2);
		close(output[0]);
		close(output[1]);
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	close(output[1]);
	failed = by_file ? wait_file(told, argv[1]) : wait_word(output[0], argv[1]);
	if (!failed)
		printf("armed %.2f %ld\n", now() - began, resident(pid));
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	return failed < 0;
}
