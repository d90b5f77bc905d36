/* lib/reactor: what comes from outside the loop's thread: wake-ups, and the loop after fork. */
#include "reactor_suite.h"

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>

/* ---- wakers ---------------------------------------------------------------------------------- */

struct woken {
	struct waker waker;
	int calls;
};

static atomic_int produced, consumed;

static void on_wake(struct reactor *r, struct waker *w)
{
	CONTAINER_OF(w, struct woken, waker)->calls++;
	atomic_store(&consumed, atomic_load(&produced));
	reactor_stop(r);
}

static void *wake_it(void *waker)
{
	waker_wake(waker);
	return NULL;
}

static void never(struct reactor *r, struct timer *t)
{
	(void)r;
	(void)t;
}

/* Keeps reactor_run running: a waker does not. */
static void run_forever(struct reactor *r, struct timer *forever)
{
	timer_init(forever, CLOCK_OF_LOOP, never);
	timer_start_in(r, forever, INT64_MAX);
}

static void test_waker(void)
{
	struct reactor *r = reactor_here();
	struct woken w = {0};
	struct timer forever;
	pthread_t thread;

	waker_init(&w.waker, on_wake);
	EQUAL(waker_start(r, &w.waker), 0, "a waker starts");
	reactor_run(r);
	EQUAL(w.calls, 0, "it does not keep the loop running");
	run_forever(r, &forever);
	pthread_create(&thread, NULL, wake_it, &w.waker);
	reactor_run(r);
	pthread_join(thread, NULL);
	EQUAL(w.calls, 1, "another thread wakes the loop");
	waker_wake(&w.waker);
	waker_wake(&w.waker);
	turns(r, 3);
	EQUAL(w.calls, 2, "several before the loop looks are one call");
	timer_stop(r, &forever);
	reactor_run(r); /* forgets that it was stopped */
	waker_wake(&w.waker);
	waker_stop(r, &w.waker);
	turns(r, 2);
	EQUAL(w.calls, 2, "a stopped one calls nobody");
	waker_start(r, &w.waker);
	waker_wake(&w.waker);
	turns(r, 2);
	EQUAL(w.calls, 3, "started again it calls, whatever was asked before");
	reactor_run(r);
	eventfd_write(w.waker.io.fd, 1);
	turns(r, 2);
	EQUAL(w.calls, 3, "a write that comes late, for one that was told, calls nobody");
	waker_stop(r, &w.waker);
	reactor_free(r);
	waker_wake(&w.waker);
	HOLDS(!atomic_load(&w.waker.asked), "a stopped one may be woken when its loop is gone");
}

enum { THREADS = 4, WAKES = 200000 };

static void *wake_often(void *waker)
{
	for (int i = 0; i < WAKES; i++) {
		atomic_fetch_add(&produced, 1);
		waker_wake(waker);
	}
	return NULL;
}

static void test_many_threads(void)
{
	struct reactor *r = reactor_here();
	struct woken w = {0};
	struct timer forever;
	pthread_t threads[THREADS];

	atomic_store(&produced, 0);
	atomic_store(&consumed, 0);
	waker_init(&w.waker, on_wake);
	waker_start(r, &w.waker);
	run_forever(r, &forever);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, wake_often, &w.waker);
	while (atomic_load(&consumed) < THREADS * WAKES)
		reactor_run(r); /* hangs when a wake-up is lost */
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	HOLDS(w.calls > 0, "no wake-up of four threads is lost");
	waker_stop(r, &w.waker);
	reactor_free(r);
}

static struct woken from_handler;

static void wake_in_handler(int number)
{
	(void)number;
	waker_wake(&from_handler.waker);
}

static void test_from_handler(void)
{
	struct reactor *r = reactor_here();
	struct timer forever;
	int saved;

	waker_init(&from_handler.waker, on_wake);
	waker_start(r, &from_handler.waker);
	from_handler.calls = 0;
	run_forever(r, &forever);
	signal(SIGUSR2, wake_in_handler);
	errno = 12345;
	raise(SIGUSR2);
	saved = errno;
	EQUAL(saved, 12345, "waking keeps errno");
	reactor_run(r);
	EQUAL(from_handler.calls, 1, "a signal handler wakes the loop");
	signal(SIGUSR2, SIG_DFL);
	waker_stop(r, &from_handler.waker);
	reactor_free(r);
}

/*
 * One wake-up at a time, by another thread or by a handler, each asked for when the one before was
 * told, at every distance from the wait: a loop that sleeps over one hangs, for no other comes.
 */
#ifndef RALLY
#define RALLY 300 /* -DRALLY=100000 for a soak: it finds a fence that is missing, too */
#endif

static atomic_int rally; /* so many were told */
static sem_t rally_told;

static void on_rally(struct reactor *r, struct waker *w)
{
	(void)r;
	(void)w;
	atomic_fetch_add(&rally, 1);
	sem_post(&rally_told);
}

static void *rally_from_thread(void *waker)
{
	for (int i = 1; i <= RALLY; i++) {
		for (volatile int pause = i * 7 % 1000; pause > 0; pause--)
			;
		waker_wake(waker);
		while (sem_wait(&rally_told) < 0)
			;
	}
	return NULL;
}

static void rally_turns(struct reactor *r, int64_t wait)
{
	struct waker waker;
	pthread_t thread;

	atomic_store(&rally, 0);
	sem_init(&rally_told, 0, 0);
	waker_init(&waker, on_rally);
	waker_start(r, &waker);
	pthread_create(&thread, NULL, rally_from_thread, &waker);
	while (atomic_load(&rally) < RALLY)
		reactor_turn(r, wait);
	pthread_join(thread, NULL);
	turns(r, 2);
	EQUAL(atomic_load(&rally), RALLY, "no wake-up, one by one, is slept over");
	waker_stop(r, &waker);
}

static timer_t interrupter_start(void (*handler)(int), struct itimerspec when)
{
	struct sigaction action = {.sa_handler = handler}; /* no SA_RESTART */
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
	timer_t timer;

	sigaction(SIGUSR2, &action, NULL);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0)
		bail_out("timer_create");
	timer_settime(timer, 0, &when, NULL);
	return timer;
}

static void ignore(int number)
{
	(void)number;
}

static void test_one_by_one(void)
{
	struct itimerspec often = {{0, 200000}, {0, 200000}};
	struct reactor *r = reactor_here();
	timer_t timer;

	rally_turns(r, -1);
	rally_turns(r, 0);
	timer = interrupter_start(ignore, often);
	rally_turns(r, -1); /* waits end by EINTR */
	timer_delete(timer);
	signal(SIGUSR2, SIG_DFL);
	reactor_free(r);
}

static void test_handler_one_by_one(void)
{
	struct reactor *r = reactor_here();
	timer_t timer;

	atomic_store(&rally, 0);
	waker_init(&from_handler.waker, on_rally);
	waker_start(r, &from_handler.waker);
	timer = interrupter_start(wake_in_handler, (struct itimerspec){{0, 0}, {0, 0}});
	for (int i = 1; i <= RALLY; i++) {
		struct itimerspec soon = {.it_value.tv_nsec = 1 + i * 37 % 20000};

		timer_settime(timer, 0, &soon, NULL);
		while (atomic_load(&rally) < i)
			reactor_turn(r, -1);
	}
	EQUAL(atomic_load(&rally), RALLY, "nor is one by a handler");
	timer_delete(timer);
	signal(SIGUSR2, SIG_DFL);
	waker_stop(r, &from_handler.waker);
	reactor_free(r);
}

/* ---- fork ------------------------------------------------------------------------------------ */

static void test_fork(void)
{
	struct reactor *r = reactor_here();
	struct probe p, file;
	int fds[2], status;
	pid_t pid;

	pipe_open(fds);
	probe_start(r, &p, fds[0], IO_READ);
	probe_start(r, &file, open("/proc/self/exe", O_RDONLY), IO_READ);
	turns(r, 1);
	file.calls = 0;
	pid = fork();
	if (pid == 0) {
		if (reactor_reinit(r) < 0)
			_exit(99);
		put(fds[1], "x");
		turns(r, 1);
		io_stop(r, &p.io);
		turns(r, 1);
		reactor_free(r);
		_exit(p.calls + 10 * file.calls);
	}
	waitpid(pid, &status, 0);
	EQUAL(WEXITSTATUS(status), 21, "the child's loop works after fork");
	io_stop(r, &file.io);
	close(file.io.fd);
	turns(r, 1);
	EQUAL(p.calls, 1, "and the parent's is not disturbed by it");
	reactor_free(r);
	close_both(fds);
}

struct heard {
	struct signal_watcher watcher;
	int calls;
};

static void on_heard(struct reactor *r, struct signal_watcher *w, const struct signal_info *info)
{
	(void)r;
	(void)info;
	CONTAINER_OF(w, struct heard, watcher)->calls++;
}

static void on_tick(struct reactor *r, struct timer *t)
{
	t->deadline = 0; /* it fired */
	(void)r;
}

static int use_in_child(struct reactor *r, struct heard *h, struct timer *wall)
{
	if (reactor_reinit(r) < 0)
		return 99;
	raise(SIGUSR1);
	turns(r, 3);
	while (wall->deadline) /* a slow machine may have had its time already */
		turns(r, 1);
	return h->calls + (wall->deadline == 0 ? 10 : 0);
}

static void test_fork_with_all(void)
{
	struct reactor *r = reactor_here();
	struct heard h = {0};
	struct timer wall;
	int status;
	pid_t pid;

	signal_init(&h.watcher, SIGUSR1, on_heard);
	signal_start(r, &h.watcher);
	timer_init(&wall, CLOCK_OF_WALL, on_tick);
	timer_start_in(r, &wall, 20000000);
	turns(r, 1);
	pid = fork();
	if (pid == 0)
		_exit(use_in_child(r, &h, &wall));
	waitpid(pid, &status, 0);
	EQUAL(WEXITSTATUS(status), 11, "signals and wall timers work in the child");
	timer_start_in(r, &wall, 100000000);
	turns(r, 3); /* its alarm is set */
	pid = fork();
	if (pid == 0) {
		reactor_reinit(r);
		raise(SIGUSR1);       /* and nobody reads it here */
		timer_stop(r, &wall); /* or its old deadline would stay in the heap */
		timer_start_in(r, &wall, INT64_MAX);
		turns(r, 1);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	turns(r, 2);
	EQUAL(h.calls, 0, "the child's signals are not told in the parent");
	while (wall.deadline)
		reactor_turn(r, -1); /* hangs when the child put it off */
	EQUAL(wall.deadline, 0, "whose own timer fires");
	raise(SIGUSR1);
	turns(r, 3);
	EQUAL(h.calls, 1, "as its own signals are told");
	reactor_free(r);
}

static const struct conformance cases[] = {
    {"waker", test_waker},
    {"waker of many threads", test_many_threads},
    {"waker in a handler", test_from_handler},
    {"waker one by one", test_one_by_one},
    {"waker in a handler one by one", test_handler_one_by_one},
    {"fork", test_fork},
    {"fork with signals and timers", test_fork_with_all},
    {0},
};

int main(void)
{
	return conformance_run(cases);
}
