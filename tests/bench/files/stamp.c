/* The command of the latency bench: writes the monotonic time of its first instruction. */
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct timespec ts;
	char line[64];
	int fd, n;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	fd = open(argv[argc > 1 ? 1 : 0], O_WRONLY | O_APPEND | O_CREAT, 0666);
	n = snprintf(line, sizeof line, "%lld.%09ld\n", (long long)ts.tv_sec, ts.tv_nsec);
	return fd < 0 || write(fd, line, (size_t)n) != n;
}
