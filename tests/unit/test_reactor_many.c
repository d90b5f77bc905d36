/* lib/reactor: many descriptors: each is told, and none is preferred. */
#include "reactor_suite.h"

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/wait.h>

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
	turns(r, 1);
	for (int i = 0; i < n; i++)
		probes[i].calls = 0;
	turns(r, 1);
	EQUAL(count_called(probes, n), 0, "and none when they are not");
	eventfd_write(ready, 1);
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

/* A process that makes `fd` ready once this one waits. */
static pid_t write_soon(int fd)
{
	pid_t pid = fork();

	if (pid == 0) {
		usleep(50000);
		eventfd_write(fd, 1);
		_exit(0);
	}
	return pid;
}

/* Beside one that was always ready the rest must not be lost. */
static void test_beside_hot(void)
{
	enum { OTHERS = 100 };
	static struct probe hot, probes[OTHERS];
	struct reactor *r = reactor_here();
	int always = eventfd(1, EFD_NONBLOCK), now_and_then = eventfd(0, EFD_NONBLOCK);

	probe_start(r, &hot, always, IO_READ);
	for (int i = 0; i < OTHERS; i++)
		probe_start(r, &probes[i], dup(now_and_then), IO_READ);
	turns(r, 20);
	take(always, 8);
	turns(r, 20);
	for (int round = 0; round < 3; round++) {
		pid_t pid = write_soon(now_and_then);
		int64_t end = clock_read(CLOCK_OF_LOOP) + INT64_C(10000000000), left;

		while (count_called(probes, OTHERS) < OTHERS &&
		       (left = end - clock_read(CLOCK_OF_LOOP)) > 0)
			reactor_turn(r, left);
		EQUAL(count_called(probes, OTHERS), OTHERS,
		      "all others are told beside one that was always ready");
		waitpid(pid, NULL, 0);
		take(now_and_then, 8);
		turns(r, 20);
		for (int i = 0; i < OTHERS; i++)
			probes[i].calls = 0;
	}
	io_stop(r, &hot.io);
	for (int i = 0; i < OTHERS; i++) {
		io_stop(r, &probes[i].io);
		close(probes[i].io.fd);
	}
	reactor_free(r);
	close(always);
	close(now_and_then);
}

static const struct conformance cases[] = {
    {"fairness", test_fairness},
    {"beside one that is always ready", test_beside_hot},
    {"19,000 descriptors", test_many},
    {0},
};

int main(void)
{
	return conformance_run(cases);
}
