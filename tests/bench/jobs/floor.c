/*
 * The least that running commands costs: vfork, exec and wait, one after the other.
 *
 * usage: floor N MEBIBYTES vfork|fork|lines COMMAND [ARG]...
 * It runs the command N times from a process of so much touched memory and prints runs a second.
 * With `lines` it runs the command whenever something can be read, until nothing comes any more.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int run(char **command, int copy)
{
	int status = 0;
	pid_t pid = copy ? fork() : vfork();

	if (pid == 0) {
		execv(command[0], command);
		_exit(127);
	}
	return pid < 0 || waitpid(pid, &status, 0) < 0 ? -1 : status;
}

static int run_lines(char **command)
{
	char text[4096];

	while (read(0, text, sizeof text) > 0)
		if (run(command, 0) != 0)
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
	long n = argc > 4 ? atol(argv[1]) : 0;
	size_t size = argc > 4 ? strtoul(argv[2], NULL, 10) << 20 : 0;
	char *ballast = size ? malloc(size) : NULL;
	double began;

	if (n <= 0 || (size && !ballast))
		return 2;
	if (ballast)
		memset(ballast, 1, size);
	if (strcmp(argv[3], "lines") == 0)
		return run_lines(argv + 4);
	began = now();
	for (long i = 0; i < n; i++)
		if (run(argv + 4, strcmp(argv[3], "fork") == 0) != 0)
			return 1;
	printf("%.0f\n", (double)n / (now() - began));
	free(ballast);
	return 0;
}
