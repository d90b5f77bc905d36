/*
 * How late timers are.
 *   ticks every N                N ticks of 10 ms from a bare timerfd, a line of wall time each
 *   ticks lone N BACKEND         N lone timers of 1 to 10 ms, in the reactor: p50 p99 max in µs
 *   ticks lone N timerfd|millis  the same on an absolute timerfd, or on epoll_wait's milliseconds
 */
#include "reactor/reactor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define MS INT64_C(1000000)

enum { MOST = 100000 };

static int64_t late[MOST];

static struct timespec spec(int64_t ns)
{
	return (struct timespec){ns / 1000000000, ns % 1000000000};
}

static int64_t some_delay(void)
{
	return MS + random() % (9 * MS);
}

static void every(int n)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	int64_t first = clock_read(CLOCK_OF_LOOP) + 10 * MS;
	struct itimerspec its = {spec(10 * MS), spec(first)};

	timerfd_settime(fd, TFD_TIMER_ABSTIME, &its, NULL);
	for (int i = 0; i < n; i++) {
		struct timespec now;
		uint64_t count;

		if (read(fd, &count, sizeof count) != sizeof count)
			exit(1);
		clock_gettime(CLOCK_REALTIME, &now);
		printf("%lld.%09ld\n", (long long)now.tv_sec, now.tv_nsec);
		fflush(stdout);
	}
	close(fd);
}

struct lone {
	struct timer timer;
	int done, wanted;
};

static void fired(struct reactor *r, struct timer *t)
{
	struct lone *l = (struct lone *)t;

	late[l->done++] = clock_read(CLOCK_OF_LOOP) - t->deadline;
	if (l->done < l->wanted)
		timer_start_at(r, t, clock_read(CLOCK_OF_LOOP) + some_delay());
}

static void lone_in_reactor(int n, const char *backend)
{
	struct lone l = {.wanted = n};
	struct reactor *r = reactor_new(backend, NULL);

	if (!r)
		exit(1);
	prctl(PR_SET_TIMERSLACK, 1UL, 0L, 0L, 0L); /* as evwatch has it */
	timer_init(&l.timer, CLOCK_OF_LOOP, fired);
	timer_start_in(r, &l.timer, some_delay());
	reactor_run(r);
	reactor_free(r);
}

static void lone_by_hand(int n, bool millis)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = {.events = EPOLLIN};

	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
	for (int i = 0; i < n; i++) {
		int64_t delay = some_delay(), deadline = clock_read(CLOCK_OF_LOOP) + delay;
		struct itimerspec its = {.it_value = spec(deadline)};

		if (!millis)
			timerfd_settime(fd, TFD_TIMER_ABSTIME, &its, NULL);
		epoll_wait(epoll, &event, 1, millis ? (int)((delay + MS - 1) / MS) : -1);
		late[i] = clock_read(CLOCK_OF_LOOP) - deadline;
	}
	close(epoll);
	close(fd);
}

static int ascending(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	int n = argc > 2 ? atoi(argv[2]) : 0;

	if (n < 1 || n > MOST) {
		fprintf(stderr, "usage: ticks every N | ticks lone N BACKEND\n");
		return 2;
	}
	if (argc < 4) {
		every(n);
		return 0;
	}
	if (strcmp(argv[3], "timerfd") == 0 || strcmp(argv[3], "millis") == 0)
		lone_by_hand(n, argv[3][0] == 'm');
	else
		lone_in_reactor(n, argv[3]);
	qsort(late, (size_t)n, sizeof *late, ascending);
	printf("%.1f %.1f %.1f\n", (double)late[n / 2] / 1000, (double)late[n * 99 / 100] / 1000,
	       (double)late[n - 1] / 1000);
	return 0;
}
