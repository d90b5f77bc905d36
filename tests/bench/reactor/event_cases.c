/* Signals, wake-ups from another thread, children. See cases.h. */
#include "cases.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

void run_signals(struct bench *b, double *figures)
{
	int64_t spent = 0;

	b->verbs->signal_open(b->loop, SIGUSR1);
	for (long i = 0; i < b->repeat; i++) {
		int64_t began = nanoseconds_now();

		raise(SIGUSR1);
		turns_for(b, 1);
		spent += nanoseconds_now() - began;
	}
	figures[0] = (double)spent / (double)b->repeat;
}

/* The same with a value, as a real-time signal has it. */
void run_signals_with_values(struct bench *b, double *figures)
{
	int64_t spent = 0;

	b->verbs->signal_open(b->loop, SIGRTMIN + 1);
	for (long i = 0; i < b->repeat; i++) {
		int64_t began = nanoseconds_now();

		must(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = (int)i}),
		     "sigqueue");
		turns_for(b, 1);
		spent += nanoseconds_now() - began;
	}
	figures[0] = (double)spent / (double)b->repeat;
}

/* One that the kernel sends while the loop waits, as a signal mostly comes: how late the callback
 * is. */
void run_signals_waiting(struct bench *b, double *figures)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	int64_t late = 0;
	timer_t timer;

	b->verbs->signal_open(b->loop, SIGUSR1);
	must(timer_create(CLOCK_MONOTONIC, &event, &timer), "timer_create");
	for (long i = 0; i < b->repeat; i++) {
		int64_t due = nanoseconds_now() + 100000;
		struct itimerspec when = {
		    .it_value = {due / 1000000000, due % 1000000000},
		};

		must(timer_settime(timer, TIMER_ABSTIME, &when, NULL), "timer_settime");
		turns_for(b, 1);
		late += nanoseconds_now() - due;
	}
	timer_delete(timer);
	figures[0] = (double)late / (double)b->repeat;
}

static sem_t order;
static atomic_bool last_asked;

static void *wake_on_order(void *context)
{
	struct bench *b = context;

	for (long i = 0; i < b->repeat; i++) {
		while (sem_wait(&order) < 0)
			;
		b->verbs->wake(b->loop);
	}
	return NULL;
}

static void *wake_without_pause(void *context)
{
	struct bench *b = context;

	for (long i = 0; i < b->repeat; i++) {
		if (i == b->repeat - 1)
			atomic_store(&last_asked, true);
		b->verbs->wake(b->loop);
	}
	return NULL;
}

/* Cores are told: where the scheduler puts a thread decides more than any loop does. */
static pthread_t start_on(int core, void *(*run)(void *), struct bench *b)
{
	pthread_attr_t attributes;
	pthread_t thread;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)core, &set);
	pthread_attr_init(&attributes);
	pthread_attr_setaffinity_np(&attributes, sizeof set, &set);
	must(-pthread_create(&thread, &attributes, run, b), "pthread_create");
	pthread_attr_destroy(&attributes);
	return thread;
}

static double woken_one_by_one(struct bench *b, int core)
{
	pthread_t thread = start_on(core, wake_on_order, b);
	int64_t began = nanoseconds_now();

	for (long i = 0; i < b->repeat; i++) {
		sem_post(&order);
		turns_for(b, 1);
	}
	pthread_join(thread, NULL);
	return (double)(nanoseconds_now() - began) / (double)b->repeat;
}

/* Hangs when the last wake-up is lost. */
static double woken_without_pause(struct bench *b, int core)
{
	int64_t began = nanoseconds_now();
	pthread_t thread = start_on(core, wake_without_pause, b);

	while (!atomic_load(&last_asked))
		b->verbs->turn(b->loop);
	pthread_join(thread, NULL);
	return (double)(nanoseconds_now() - began) / (double)b->repeat;
}

void run_wake(struct bench *b, double *figures)
{
	cpu_set_t mine;

	CPU_ZERO(&mine);
	CPU_SET(0, &mine);
	must(sched_setaffinity(0, sizeof mine, &mine), "sched_setaffinity");
	b->verbs->waker_open(b->loop);
	sem_init(&order, 0, 0);
	figures[0] = woken_one_by_one(b, 0);
	figures[1] = woken_one_by_one(b, 1);
	b->repeat *= 50;
	figures[2] = woken_without_pause(b, 1);
}

void run_children(struct bench *b, double *figures)
{
	int64_t began;

	b->verbs->child_open(b->loop, b->n, b->active);
	began = nanoseconds_now();
	for (long i = 0; i < b->repeat; i++) {
		for (int slot = 0; slot < b->n; slot++)
			b->verbs->child_start(b->loop, slot, b->program);
		turns_for(b, (unsigned long)b->n);
	}
	figures[0] = (double)(nanoseconds_now() - began) / (double)(b->repeat * b->n);
}
