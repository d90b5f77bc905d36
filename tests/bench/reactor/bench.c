/*
 * The runner: every measurement in a process of its own, rounds interleaved, ratios in pairs.
 *
 * What slows a moment down slows all loops of a round, so a ratio is taken within each round, and
 * told as the median of those with its quartiles. The order turns round with every round.
 *
 * usage: bench all CSV TRUE ROUNDS [ROW...]
 *        bench one ROW LOOP REPEAT TRUE
 *        bench peers
 * `all` prints a table and writes CSV; 1 when a limit is missed: where the best quarter of rounds
 * is above it as well. ROUNDS 0: as many as the row says. The environment's LOOPS="floor epoll ..."
 * leaves the others out. `one` runs once, for valgrind and strace to count. TRUE is the program
 * that children run.
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

enum { MOST_ROUNDS = 127, FLOOR = 0, EPOLL = 1, IO_URING = 2 };

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

struct spread {
	double low, median, high; /* quartiles; 0: not to be had */
};

static struct spread spread_of(double *values, int n)
{
	if (n == 0)
		return (struct spread){0};
	qsort(values, (size_t)n, sizeof *values, by_value);
	return (struct spread){values[n / 4], values[n / 2], values[n - 1 - n / 4]};
}

/* ---- one figure of all loops and rounds ------------------------------------------------------ */

typedef double rounds_of[MOST_ROUNDS];

/* Of what has no base the values themselves. */
static struct spread ratio_of(const double *values, const double *base, int rounds)
{
	double ratios[MOST_ROUNDS];
	int n = 0;

	for (int i = 0; i < rounds; i++)
		if (!base || (values[i] > 0 && base[i] > 0))
			ratios[n++] = base ? values[i] / base[i] : values[i];
	return spread_of(ratios, n);
}

static bool is_peer(int k)
{
	return k != FLOOR && kinds[k].verbs != &evwatch_verbs;
}

/* Where ours comes off worst. */
static struct spread ratio_of_best_peer(const rounds_of *values, int rounds)
{
	struct spread worst = {0};

	for (int k = 0; k < KINDS; k++) {
		struct spread s = {0};

		if (is_peer(k))
			s = ratio_of(values[EPOLL], values[k], rounds);
		if (s.median > worst.median)
			worst = s;
	}
	return worst;
}

static struct spread limited(const struct figure *f, const rounds_of *values, int rounds)
{
	switch (f->limit) {
	case OF_FLOOR:
		return ratio_of(values[EPOLL], values[FLOOR], rounds);
	case OF_EPOLL:
		return ratio_of(values[IO_URING], values[EPOLL], rounds);
	case OF_PEERS:
		return ratio_of_best_peer(values, rounds);
	default:
		return ratio_of(values[EPOLL], NULL, rounds);
	}
}

/* ---- telling --------------------------------------------------------------------------------- */

static void tell_heading(void)
{
	printf("%-34s %10s", "times the floor's", "floor");
	for (int k = 1; k < KINDS; k++)
		printf(" %8s", kinds[k].name);
	printf("  gate: median (quartiles)\n");
}

static bool tell_gate(const struct figure *f, struct spread s)
{
	static const char *const of[] = {[OF_FLOOR] = "",
					 [IN_UNITS] = " alone",
					 [OF_EPOLL] = " io_uring, of epoll's",
					 [OF_PEERS] = " of the best peer's"};
	const char *judgement = "met";

	if (s.median > f->most)
		judgement = s.low > f->most ? "MISSED" : "undecided";
	printf("  %.2f (%.2f %.2f) <= %.4g%s: %s", s.median, s.low, s.high, f->most, of[f->limit],
	       judgement);
	return s.low <= f->most;
}

static bool tell_figure(const struct row *row, const struct figure *f, const rounds_of *values,
			int rounds)
{
	double floor = ratio_of(values[FLOOR], NULL, rounds).median;
	bool kept = true;
	char name[64];

	snprintf(name, sizeof name, "%s: %s", row->name, f->name);
	printf("%-34s %7.1f %-2.2s", name, floor, f->unit);
	for (int k = 1; k < KINDS; k++) {
		const double *base = floor > 0 ? values[FLOOR] : NULL;
		double shown = ratio_of(values[k], base, rounds).median;

		if (row->any_backend && kinds[k].verbs == &evwatch_verbs && k != EPOLL)
			printf(" %8s", "\"");
		else if (shown > 0 || f->limit == IN_UNITS)
			printf(" %8.2f", shown);
		else
			printf(" %8s", "-");
	}
	if (f->limit != NO_LIMIT)
		kept = tell_gate(f, limited(f, values, rounds));
	printf("\n");
	fflush(stdout);
	return kept;
}

static void tell_csv(FILE *csv, const struct row *row, const struct figure *f,
		     const rounds_of *values, int rounds)
{
	for (int k = 0; k < KINDS; k++) {
		struct spread s = ratio_of(values[k], NULL, rounds);
		struct spread ratio = ratio_of(values[k], values[FLOOR], rounds);

		if (s.median > 0)
			fprintf(csv, "%s,%s,%s,%s,%.2f,%.2f,%.2f,%.3f,%.3f,%.3f,%d\n", row->name,
				f->name, kinds[k].name, f->unit, s.low, s.median, s.high, ratio.low,
				ratio.median, ratio.high, rounds);
	}
}

/* ---- the rows -------------------------------------------------------------------------------- */

static bool has_word(const char *text, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = text; (at = strstr(at, word)); at += length)
		if ((at == text || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
			return true;
	return false;
}

static bool is_measured(const struct row *row, int k)
{
	const char *loops = getenv("LOOPS");

	if (row->any_backend && kinds[k].verbs == &evwatch_verbs && k != EPOLL)
		return false;
	return !loops || !*loops || has_word(loops, kinds[k].name);
}

static bool run_row(const struct row *row, int rounds, const char *program, FILE *csv)
{
	static rounds_of values[FIGURES][KINDS];
	bool kept = true;

	memset(values, 0, sizeof values);
	for (int i = 0; i < rounds; i++)
		for (int at = 0; at < KINDS; at++) {
			int k = i % 2 ? KINDS - 1 - at : at;
			struct result result = {0};

			if (is_measured(row, k))
				result = measure_apart(row, &kinds[k], program);
			for (int f = 0; f < FIGURES; f++)
				values[f][k][i] = result.figures[f];
		}
	for (int f = 0; f < FIGURES && row->figures[f].name; f++) {
		const rounds_of *all = (const rounds_of *)values[f];

		kept = tell_figure(row, &row->figures[f], all, rounds) && kept;
		tell_csv(csv, row, &row->figures[f], all, rounds);
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
	int rounds = atoi(argv[2]), missed = 0;

	if (rounds < 0 || rounds > MOST_ROUNDS)
		return 2;
	must(csv ? 0 : -1, argv[0]);
	fprintf(csv, "case,figure,loop,unit,low,median,high,ratio_low,ratio,ratio_high,rounds\n");
	tell_heading();
	for (const struct row *row = rows; row->name; row++)
		if (is_wanted(row, argv + 3))
			missed += !run_row(row, rounds ? rounds : row->rounds, argv[1], csv);
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
		if (is_peer(k))
			printf("%s ", kinds[k].name);
	return 0;
}

int main(int argc, char **argv)
{
	struct rlimit files;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	if (argc >= 5 && strcmp(argv[1], "all") == 0)
		return run_all(argv + 2);
	if (argc == 6 && strcmp(argv[1], "one") == 0)
		return run_one(argv + 2);
	if (argc == 2 && strcmp(argv[1], "peers") == 0)
		return tell_peers();
	fprintf(stderr,
		"usage: bench all CSV TRUE ROUNDS [ROW...] | bench one ROW LOOP REPEAT TRUE\n");
	return 2;
}
