/* lib/reactor: many descriptors: each is told, and none is preferred. */
#include "reactor_suite.h"

#include <sys/eventfd.h>
#include <sys/resource.h>

/* More are ready than one wait tells: each gets its turn. */
static void test_fairness(void)
{
	enum { READY = 1000 };
	static struct probe probes[READY];
	struct reactor *r = reactor_here();
	int fds[2], least = 1000, most = 0;

	stream_open(fds);
	for (int i = 0; i < READY; i++)
		probe_start(r, &probes[i], dup(fds[0]), IO_WRITE);
	turns(r, 40);
	for (int i = 0; i < READY; i++) {
		least = probes[i].calls < least ? probes[i].calls : least;
		most = probes[i].calls > most ? probes[i].calls : most;
		io_stop(r, &probes[i].io);
		close(probes[i].io.fd);
	}
	HOLDS(least >= 8 && most - least <= 2, "of 1,000 that are always ready none is preferred");
	reactor_free(r);
	close_both(fds);
}

enum { MANY = 19000 };

static int room_for_many(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur > MANY + 100 ? MANY : (int)limit.rlim_cur - 100;
}

static int count_called(const struct probe *probes, int n)
{
	int calls = 0;

	for (int i = 0; i < n; i++)
		calls += probes[i].calls > 0;
	return calls;
}

static void test_many(void)
{
	static struct probe probes[MANY];
	struct reactor *r = reactor_here();
	int n = room_for_many(), ready = eventfd(1, EFD_NONBLOCK);

	if (n < MANY)
		printf("# only %d descriptors may be open here\n", n);
	for (int i = 0; i < n; i++)
		probe_start(r, &probes[i], dup(ready), IO_READ);
	HOLDS(probes[n - 1].io.fd > 1024, "descriptors beyond FD_SETSIZE are watched");
	for (int t = 0; t < 200 && count_called(probes, n) < n; t++)
		turns(r, 1);
	SAME(count_called(probes, n), n, "%s: every one of %d ready ones is told", backend, n);
	take(ready, 8);
	turns(r, 20); /* io_uring has more to tell than fits into its ring: of then */
	for (int i = 0; i < n; i++)
		probes[i].calls = 0;
	turns(r, 1);
	EQUAL(count_called(probes, n), 0, "and none when they are not");
	eventfd_write(ready, 1); /* io_uring(7) may tell as few as 20 a turn */
	for (int t = 0; t < 2000 && count_called(probes, n) < n; t++)
		turns(r, 1);
	EQUAL(count_called(probes, n), n, "and every one again");
	for (int i = 0; i < n; i++) {
		io_stop(r, &probes[i].io);
		close(probes[i].io.fd);
	}
	turns(r, 1);
	reactor_free(r);
	close(ready);
}

static const struct conformance cases[] = {
    {"fairness", test_fairness},
    {"19,000 descriptors", test_many},
    {0},
};

int main(void)
{
	return conformance_run(cases);
}
