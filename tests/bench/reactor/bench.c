/*
 * The runner: every measurement in a process of its own, rounds interleaved, medians.
 *
 * usage: bench all CSV TRUE [ROUNDS [ROW...]]
 *        bench one ROW LOOP REPEAT TRUE
 *        bench peers
 * `all` prints a table and writes CSV; 1 when a limit on the default backend is not kept. `one`
 * runs once, for valgrind and strace to count. TRUE is the program that children run.
 */
#include "cases.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

struct tally tally;

enum { MOST_ROUNDS = 31, FLOOR = 0, EPOLL = 1, IO_URING = 2 };

static const struct loop_kind {
	const char *name;
	const struct verbs *verbs;
	const char *option;
} kinds[] = {
    [FLOOR] = {"floor", &floor_verbs, NULL},
    [EPOLL] = {"epoll", &evwatch_verbs, "epoll"},
    [IO_URING] = {"io_uring", &evwatch_verbs, "io_uring"},
    {"poll", &evwatch_verbs, "poll"},
    {"select", &evwatch_verbs, "select"},
#ifdef WITH_libevent
    {"libevent", &libevent_verbs, NULL},
#endif
#ifdef WITH_libev
    {"libev", &libev_verbs, NULL},
#endif
#ifdef WITH_libuv
    {"libuv", &libuv_verbs, NULL},
#endif
};

enum { KINDS = sizeof kinds / sizeof *kinds };

/* ---- what adapters share --------------------------------------------------------------------- */

void fail(const char *what)
{
	perror(what);
	exit(1);
}

void *take(size_t count, size_t size)
{
	void *p = calloc(count, size);

	must(p ? 0 : -1, "calloc");
	return p;
}

int64_t nanoseconds_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

pid_t start_program(const char *path)
{
	char *argv[] = {(char *)path, NULL};
	char *env[] = {NULL};
	pid_t pid;

	must(-posix_spawn(&pid, path, NULL, NULL, argv, env), "posix_spawn");
	return pid;
}

/* ---- measuring ------------------------------------------------------------------------------- */

struct result {
	double figures[FIGURES]; /* 0: not to be had */
};

static struct result measure(const struct row *row, const struct loop_kind *kind,
			     const char *program)
{
	struct bench b = {kind->verbs, NULL, row->n, row->active, row->repeat, program};
	struct result result = {0};

	b.loop = kind->verbs->open(kind->option);
	if (b.loop)
		row->run(&b, result.figures);
	return result;
}

static struct result measure_apart(const struct row *row, const struct loop_kind *kind,
				   const char *program)
{
	struct result result = {0};
	int ends[2], status;
	pid_t pid;

	must(pipe(ends), "pipe");
	pid = must(fork(), "fork");
	if (pid == 0) {
		alarm(20); /* a loop that hangs */
		result = measure(row, kind, program);
		_exit(write(ends[1], &result, sizeof result) != (ssize_t)sizeof result);
	}
	close(ends[1]);
	if (read(ends[0], &result, sizeof result) != (ssize_t)sizeof result)
		result = (struct result){0};
	close(ends[0]);
	must(waitpid(pid, &status, 0), "waitpid");
	if (status)
		fprintf(stderr, "%s fails on %s\n", row->name, kind->name);
	return result;
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(double *values, int n)
{
	qsort(values, (size_t)n, sizeof *values, by_value);
	return values[n / 2];
}

/* ---- telling --------------------------------------------------------------------------------- */

static void tell_heading(void)
{
	printf("%-34s %10s", "times the floor's", "floor");
	for (int k = 1; k < KINDS; k++)
		printf(" %8s", kinds[k].name);
	printf("  limit\n");
}

static bool is_kept(const struct figure *f, const double *medians, double *ratio)
{
	switch (f->limit) {
	case OF_FLOOR:
		*ratio = medians[EPOLL] / medians[FLOOR];
		break;
	case OF_EPOLL:
		*ratio = medians[IO_URING] / medians[EPOLL];
		break;
	default:
		*ratio = medians[EPOLL];
	}
	return f->limit == NO_LIMIT || *ratio <= f->most;
}

static bool tell_figure(const struct row *row, const struct figure *f, const double *medians)
{
	static const char *const of[] = {[NO_LIMIT] = "",
					 [OF_FLOOR] = "",
					 [IN_UNITS] = "alone",
					 [OF_EPOLL] = "io_uring, of epoll's"};
	char name[64];
	double ratio;
	bool kept = is_kept(f, medians, &ratio);

	snprintf(name, sizeof name, "%s: %s", row->name, f->name);
	printf("%-34s %7.1f %-2.2s", name, medians[FLOOR], f->unit);
	for (int k = 1; k < KINDS; k++) {
		/* Of what has no floor the figures themselves. */
		double shown = medians[FLOOR] > 0 ? medians[k] / medians[FLOOR] : medians[k];

		if (row->any_backend && kinds[k].verbs == &evwatch_verbs && k != EPOLL)
			printf(" %8s", "\"");
		else if (medians[k] > 0 || f->limit == IN_UNITS)
			printf(" %8.2f", shown);
		else
			printf(" %8s", "-");
	}
	if (f->limit != NO_LIMIT)
		printf("  %.2f <= %.4g %s%s", ratio, f->most, of[f->limit], kept ? "" : " MISSED");
	printf("\n");
	fflush(stdout);
	return kept;
}

static void tell_csv(FILE *csv, const struct row *row, const struct figure *f,
		     const double *medians, int rounds)
{
	for (int k = 0; k < KINDS; k++)
		if (medians[k] > 0)
			fprintf(csv, "%s,%s,%s,%s,%.2f,%.3f,%d\n", row->name, f->name,
				kinds[k].name, f->unit, medians[k],
				medians[FLOOR] > 0 ? medians[k] / medians[FLOOR] : 0, rounds);
}

/* ---- the rows -------------------------------------------------------------------------------- */

static bool run_row(const struct row *row, int rounds, const char *program, FILE *csv)
{
	static double values[FIGURES][KINDS][MOST_ROUNDS];
	bool kept = true;

	for (int i = 0; i < rounds; i++)
		for (int k = 0; k < KINDS; k++) {
			struct result result = {0};

			if (!row->any_backend || kinds[k].verbs != &evwatch_verbs || k == EPOLL)
				result = measure_apart(row, &kinds[k], program);
			for (int f = 0; f < FIGURES; f++)
				values[f][k][i] = result.figures[f];
		}
	for (int f = 0; f < FIGURES && row->figures[f].name; f++) {
		double medians[KINDS];

		for (int k = 0; k < KINDS; k++)
			medians[k] = median(values[f][k], rounds);
		kept = tell_figure(row, &row->figures[f], medians) && kept;
		tell_csv(csv, row, &row->figures[f], medians, rounds);
	}
	return kept;
}

static bool is_wanted(const struct row *row, char **names)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (strncmp(row->name, *names, strlen(*names)) == 0)
			return true;
	return false;
}

static int run_all(char **argv)
{
	FILE *csv = fopen(argv[0], "w");
	int rounds = argv[2] ? atoi(argv[2]) : 7, missed = 0;

	if (rounds < 1 || rounds > MOST_ROUNDS)
		return 2;
	must(csv ? 0 : -1, argv[0]);
	fprintf(csv, "case,figure,loop,unit,median,ratio,rounds\n");
	tell_heading();
	for (const struct row *row = rows; row->name; row++)
		if (is_wanted(row, argv[2] ? argv + 3 : argv + 2))
			missed += !run_row(row, rounds, argv[1], csv);
	return fclose(csv) || missed;
}

static int run_one(char **argv)
{
	for (const struct row *row = rows; row->name; row++)
		for (int k = 0; k < KINDS; k++) {
			struct row once = *row;

			if (strcmp(row->name, argv[0]) || strcmp(kinds[k].name, argv[1]))
				continue;
			once.repeat = atol(argv[2]);
			measure(&once, &kinds[k], argv[3]);
			return 0;
		}
	return 2;
}

static int tell_peers(void)
{
	for (int k = 0; k < KINDS; k++)
		if (k != FLOOR && kinds[k].verbs != &evwatch_verbs)
			printf("%s ", kinds[k].name);
	return 0;
}

int main(int argc, char **argv)
{
	struct rlimit files;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	if (argc >= 4 && strcmp(argv[1], "all") == 0)
		return run_all(argv + 2);
	if (argc == 6 && strcmp(argv[1], "one") == 0)
		return run_one(argv + 2);
	if (argc == 2 && strcmp(argv[1], "peers") == 0)
		return tell_peers();
	fprintf(stderr,
		"usage: bench all CSV TRUE [ROUNDS [ROW...]] | bench one ROW LOOP REPEAT TRUE\n");
	return 2;
}
