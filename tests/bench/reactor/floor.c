/*
 * The floor: what one would write by hand for this very work, on the bare system calls. No table of
 * descriptors, no generations, no other kinds of watchers beside the one that is measured.
 */
#include "adapter.h"
#include "floor_heap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

enum { ROUND = 256, PRIORITIES = 4 };

struct watch {
	void (*call)(struct loop *l, struct watch *w);
	int fd, index, priority;
	pid_t pid;
};

struct loop {
	int epoll;
	int priorities; /* 0: none, called as they come */
	struct watch *watches;
	struct watch **queues[PRIORITIES];
	struct floor_heap heap;
	struct floor_timer *timers;
	int64_t now; /* 0: not known in this turn */
	struct watch signal, waker, *children;
};

static struct loop *open_loop(const char *option)
{
	struct loop *l = take(1, sizeof *l);

	(void)option;
	l->epoll = must(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
	return l;
}

/* ---- a turn ---- */

static int64_t loop_now(struct loop *l)
{
	if (!l->now)
		l->now = nanoseconds_now();
	return l->now;
}

static int wait_for(struct loop *l, struct epoll_event *events)
{
	struct timespec ts;
	int64_t wait;

	if (!l->heap.count)
		return epoll_wait(l->epoll, events, ROUND, -1);
	wait = l->heap.entries[0].key - nanoseconds_now();
	if (wait < 0)
		wait = 0;
	ts = (struct timespec){.tv_sec = wait / 1000000000, .tv_nsec = wait % 1000000000};
	return (int)syscall(SYS_epoll_pwait2, l->epoll, events, ROUND, &ts, NULL, 0);
}

static void fire_due(struct loop *l)
{
	while (l->heap.count && l->heap.entries[0].key <= loop_now(l)) {
		struct floor_timer *t = l->heap.entries[0].timer;

		floor_heap_remove(&l->heap, t);
		t->call(t);
	}
}

static void call_by_priority(struct loop *l, const struct epoll_event *events, int n)
{
	int counts[PRIORITIES] = {0};

	for (int i = 0; i < n; i++) {
		struct watch *w = events[i].data.ptr;

		l->queues[w->priority][counts[w->priority]++] = w;
	}
	for (int p = 0; p < l->priorities; p++)
		for (int i = 0; i < counts[p]; i++)
			l->queues[p][i]->call(l, l->queues[p][i]);
}

static void turn(struct loop *l)
{
	struct epoll_event events[ROUND];
	int n = wait_for(l, events);

	l->now = 0;
	if (l->priorities) {
		call_by_priority(l, events, n);
		return;
	}
	for (int i = 0; i < n; i++) {
		struct watch *w = events[i].data.ptr;

		w->call(l, w);
	}
	if (l->heap.count)
		fire_due(l);
}

/* ---- descriptors ---- */

static void control(struct loop *l, int how, struct watch *w, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = w};

	must(epoll_ctl(l->epoll, how, w->fd, &e), "epoll_ctl");
}

static void on_count(struct loop *l, struct watch *w)
{
	(void)l, (void)w;
	count();
}

static void on_restart(struct loop *l, struct watch *w)
{
	control(l, EPOLL_CTL_DEL, w, 0);
	control(l, EPOLL_CTL_ADD, w, EPOLLIN);
	count();
}

static void on_pass_on(struct loop *l, struct watch *w)
{
	(void)l;
	pass_on(w->index);
}

static void on_batch(struct loop *l, struct watch *w)
{
	(void)l, (void)w;
	tally.batch();
}

static void (*const calls[])(struct loop *l, struct watch *w) = {
    [REACT_COUNT] = on_count,
    [REACT_RESTART] = on_restart,
    [REACT_PASS_ON] = on_pass_on,
    [REACT_BATCH] = on_batch,
};

static void open_io(struct loop *l, const int *fds, int n, enum reaction reaction)
{
	l->watches = take((size_t)n, sizeof *l->watches);
	for (int i = 0; i < n; i++) {
		l->watches[i] = (struct watch){.call = calls[reaction], .fd = fds[i], .index = i};
		if (l->priorities)
			l->watches[i].priority = i % l->priorities;
	}
}

static void prioritize_io(struct loop *l, int priorities)
{
	l->priorities = priorities;
	for (int p = 0; p < priorities; p++)
		l->queues[p] = take(ROUND, sizeof *l->queues[p]);
}

static void start_io(struct loop *l, int from, int to)
{
	for (int i = from; i < to; i++)
		control(l, EPOLL_CTL_ADD, &l->watches[i], EPOLLIN);
}

static void stop_io(struct loop *l, int from, int to)
{
	for (int i = from; i < to; i++)
		control(l, EPOLL_CTL_DEL, &l->watches[i], 0);
}

static void flip_io(struct loop *l, int n, bool write)
{
	for (int i = 0; i < n; i++)
		control(l, EPOLL_CTL_MOD, &l->watches[i], write ? EPOLLOUT : EPOLLIN);
}

/* ---- timers ---- */

static void on_timer(struct floor_timer *t)
{
	(void)t;
	count();
}

static void open_timers(struct loop *l, int n)
{
	l->timers = take((size_t)n, sizeof *l->timers);
	for (int i = 0; i < n; i++)
		l->timers[i].call = on_timer;
}

static void start_timers(struct loop *l, const uint32_t *which, const int64_t *after, int n)
{
	for (int i = 0; i < n; i++)
		floor_heap_set(&l->heap, &l->timers[which[i]], loop_now(l) + after[i]);
}

static void stop_timers(struct loop *l, const uint32_t *which, int n)
{
	for (int i = 0; i < n; i++)
		floor_heap_remove(&l->heap, &l->timers[which[i]]);
}

static void start_timer_at(struct loop *l, int64_t deadline)
{
	floor_heap_set(&l->heap, &l->timers[0], deadline);
}

/* ---- signals, wakers, children ---- */

static void on_eventfd(struct loop *l, struct watch *w)
{
	uint64_t n;

	(void)l;
	if (read(w->fd, &n, sizeof n) == (ssize_t)sizeof n)
		count();
}

static void open_eventfd(struct loop *l, struct watch *w)
{
	w->call = on_eventfd;
	w->fd = must(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd");
	control(l, EPOLL_CTL_ADD, w, EPOLLIN);
}

static void wake_eventfd(const struct watch *w)
{
	static const uint64_t one = 1;

	if (write(w->fd, &one, sizeof one) < 0)
		abort();
}

static struct watch *signalled;

static void on_signal(int number)
{
	int saved = errno;

	(void)number;
	wake_eventfd(signalled);
	errno = saved;
}

/* Of a real-time signal each counts, with its sender and value: a pipe of records. */
struct record {
	int number, code, pid, uid, value;
};

static int records;

static void on_value(int number, siginfo_t *si, void *context)
{
	struct record r = {number, si->si_code, si->si_pid, (int)si->si_uid,
			   si->si_value.sival_int};
	int saved = errno;

	(void)context;
	if (write(records, &r, sizeof r) < 0)
		abort();
	errno = saved;
}

static void on_records(struct loop *l, struct watch *w)
{
	struct record read_here[64];
	ssize_t n = read(w->fd, read_here, sizeof read_here);

	(void)l;
	for (ssize_t i = 0; i < n / (ssize_t)sizeof *read_here; i++)
		count();
}

static void open_values(struct loop *l, int number)
{
	struct sigaction action = {.sa_sigaction = on_value, .sa_flags = SA_RESTART | SA_SIGINFO};
	int ends[2];

	must(pipe2(ends, O_NONBLOCK | O_CLOEXEC), "pipe2");
	records = ends[1];
	l->signal = (struct watch){.call = on_records, .fd = ends[0]};
	control(l, EPOLL_CTL_ADD, &l->signal, EPOLLIN);
	must(sigaction(number, &action, NULL), "sigaction");
}

static void open_signal(struct loop *l, int number)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	if (number >= SIGRTMIN) {
		open_values(l, number);
		return;
	}
	open_eventfd(l, &l->signal);
	signalled = &l->signal;
	must(sigaction(number, &action, NULL), "sigaction");
}

static void open_waker(struct loop *l)
{
	open_eventfd(l, &l->waker);
}

static void wake(struct loop *l)
{
	wake_eventfd(&l->waker);
}

static void on_pidfd(struct loop *l, struct watch *w)
{
	int status;

	(void)l;
	must((int)waitpid(w->pid, &status, WNOHANG), "waitpid");
	/* A child that was just started may hold a duplicate until its exec is through. */
	control(l, EPOLL_CTL_DEL, w, 0);
	close(w->fd);
	count();
}

static void open_children(struct loop *l, int n, bool any)
{
	(void)any;
	l->children = take((size_t)n, sizeof *l->children);
}

static void start_child(struct loop *l, int slot, const char *path)
{
	struct watch *w = &l->children[slot];

	w->call = on_pidfd;
	w->pid = start_program(path);
	w->fd = must((int)syscall(SYS_pidfd_open, w->pid, 0), "pidfd_open");
	control(l, EPOLL_CTL_ADD, w, EPOLLIN);
}

const struct verbs floor_verbs = {
    .open = open_loop,
    .turn = turn,
    .io_open = open_io,
    .io_prioritize = prioritize_io,
    .io_start = start_io,
    .io_stop = stop_io,
    .io_flip = flip_io,
    .timer_open = open_timers,
    .timer_start = start_timers,
    .timer_stop = stop_timers,
    .timer_at = start_timer_at,
    .signal_open = open_signal,
    .waker_open = open_waker,
    .wake = wake,
    .child_open = open_children,
    .child_start = start_child,
    .io_bytes = sizeof(struct watch),
    .timer_bytes = sizeof(struct floor_timer) + sizeof(struct floor_entry),
};
