/*
 * latency DIR STAMPS N GAP_US: writes DIR/f N times, GAP_US after the command of the write before
 * stamped; prints p50 and p99 in ms of write(2) to the stamp, and how many writes had no run
 * within a second.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* The first stamp behind `from` in the file, in ms; 0: none in a second. */
static double wait_stamp(const char *path, off_t from)
{
	double began = now();
	struct stat st;
	char line[64] = "";
	int fd;

	while (stat(path, &st) < 0 || st.st_size <= from) {
		if (now() - began > 1000)
			return 0;
		usleep(200);
	}
	fd = open(path, O_RDONLY);
	if (fd < 0 || pread(fd, line, sizeof line - 1, from) <= 0)
		return 0;
	close(fd);
	return strtod(line, NULL) * 1e3;
}

int main(int argc, char **argv)
{
	int n = argc > 3 ? atoi(argv[3]) : 0, missed = 0, have = 0;
	double *took = calloc((size_t)n + 1, sizeof *took);
	char path[4096];

	if (argc < 5 || !took)
		return 2;
	snprintf(path, sizeof path, "%s/f", argv[1]);
	for (int i = 0; i < n; i++) {
		struct stat st = {0};
		double began, stamp;
		int fd = open(path, O_WRONLY | O_CREAT, 0666);

		stat(argv[2], &st);
		began = now();
		if (fd < 0 || write(fd, "x\n", 2) != 2)
			return 1;
		close(fd);
		stamp = wait_stamp(argv[2], st.st_size);
		if (stamp > 0)
			took[have++] = stamp - began;
		else
			missed++;
		usleep((useconds_t)atoi(argv[4]));
	}
	qsort(took, (size_t)have, sizeof *took, compare);
	printf("p50 %.3f p99 %.3f missed %d of %d\n", took[have / 2], took[have * 99 / 100], missed,
	       n);
	return 0;
}
