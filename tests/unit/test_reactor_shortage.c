/* lib/reactor: single shortages of memory and of the kernel, each at the place where it hurts. */
#include "reactor_work.h"

#include "../shim/calls.h"

#include "reactor/loop.h" /* a loop that waits, without another thread */

#include <fcntl.h>
#include <sys/resource.h>

enum { MS = 1000000 };

/* One turn without any new memory. */
static void turn_without_memory(struct reactor *r)
{
	calls_fail("realloc", 1, ENOMEM, true);
	reactor_turn(r, 0);
	calls_reset();
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static void test_edge(void)
{
	struct reactor *r = reactor_here();
	struct probe p;
	int fds[2];

	pipe_open(fds);
	probe_start(r, &p, fds[0], IO_READ | IO_EDGE);
	put(fds[1], "x");
	turn_without_memory(r);
	EQUAL(p.calls, 0, "without room in the queue an edge is not told");
	turns(r, 2);
	HOLDS(p.calls > 0, "but when there is room it is");
	reactor_free(r);
	close_both(fds);
}

static void test_always_ready(void)
{
	struct reactor *r = reactor_here();
	struct probe p, closed;

	probe_start(r, &p, open("/proc/self/exe", O_RDONLY), IO_READ);
	turn_without_memory(r);
	turns(r, 2);
	HOLDS(p.last == IO_READ, "a regular file is told when there is memory for it");
	HOLDS(turns_within(r, 10 * MS) > 2, "and keeps the loop awake");
	io_stop(r, &p.io);
	calls_reset();
	turns(r, 3);
	EQUAL(calls_count("epoll_create1"), 0, "until it is stopped, for no new backend");
	closed = probe_of(40, IO_READ); /* closed; a number that nothing takes meanwhile */
	closed.io.priority = 2;
	io_start(r, &closed.io);
	turn_without_memory(r);
	turns(r, 4);
	HOLDS(closed.calls == 1 && closed.last & IO_ERROR, "so is the error of a closed one");
	reactor_free(r);
	close(p.io.fd);
}

enum { MANY = 100 };

/* Started one a turn, so that there is no room to note as many changes at once. */
static void start_one_by_one(struct reactor *r, struct probe *probes, int fd)
{
	for (int i = 0; i < MANY; i++) {
		probe_start(r, &probes[i], dup(fd), IO_READ);
		turns(r, 1);
	}
}

static int sum_of_calls(const struct probe *probes)
{
	int n = 0;

	for (int i = 0; i < MANY; i++)
		n += probes[i].calls > 0;
	return n;
}

static void test_changes(void)
{
	static struct probe probes[MANY];
	struct reactor *r = reactor_here();
	int fds[2];

	stream_open(fds);
	start_one_by_one(r, probes, fds[0]);
	calls_fail("realloc", 1, ENOMEM, true);
	for (int i = 0; i < MANY; i++)
		io_change(r, &probes[i].io, IO_WRITE);
	calls_reset();
	turns(r, 3);
	EQUAL(sum_of_calls(probes), MANY, "changes that could not be noted hold all the same");
	calls_fail("realloc", 1, ENOMEM, true);
	for (int i = 0; i < MANY; i++)
		io_stop(r, &probes[i].io);
	calls_reset();
	for (int i = 0; i < MANY; i++)
		probes[i].calls = 0;
	turns(r, 3);
	EQUAL(sum_of_calls(probes), 0, "so do stops");
	HOLDS(turns_within(r, 30 * MS) < 20, "and nothing spins");
	for (int i = 0; i < MANY; i++)
		close(probes[i].io.fd);
	reactor_free(r);
	close_both(fds);
}

/* The kernel has no memory for a descriptor: its watcher hears nothing of it, only later. */
static void test_kernel_memory(void)
{
	struct reactor *r = reactor_here();
	struct probe p;
	int fds[2];

	stream_open(fds);
	probe_start(r, &p, fds[0], IO_WRITE);
	calls_fail("epoll_ctl", 1, ENOMEM, false);
	while (!p.calls)
		reactor_turn(r, -1); /* hangs when nothing looks again */
	calls_reset();
	HOLDS(p.all == IO_WRITE, "a descriptor that the kernel had no memory for is watched later");
	reactor_free(r);
	close_both(fds);
}

/* ---- timers, deferred calls ------------------------------------------------------------------ */

static int fired;

static void on_timer(struct reactor *r, struct timer *t)
{
	(void)r;
	(void)t;
	fired++;
	errno = E2BIG;
}

static void test_timers(void)
{
	struct reactor *r = reactor_here();
	struct timer t, wall;

	fired = 0;
	timer_init(&t, CLOCK_OF_LOOP, on_timer);
	timer_start_in(r, &t, 0);
	turn_without_memory(r);
	HOLDS(!fired && timer_active(&t), "a timer that cannot be queued stays armed");
	reactor_run(r);
	EQUAL(fired, 1, "and fires when it can");
	timer_init(&wall, CLOCK_OF_WALL, on_timer);
	timer_start_in(r, &wall, 5 * MS);
	calls_fail("timerfd_settime", 1, ENOMEM, false);
	while (fired < 2)
		reactor_turn(r, -1); /* hangs when nothing looks again */
	calls_reset();
	HOLDS(true, "an alarm that cannot be set is looked at all the same");
	reactor_free(r);
}

static void on_deferred(struct reactor *r, struct timer *d)
{
	(void)r;
	(void)d;
	fired++;
}

static void test_deferred(void)
{
	struct reactor *r = reactor_here();
	struct timer d;

	fired = 0;
	timer_init(&d, CLOCK_OF_LOOP, on_deferred);
	timer_start_soon(r, &d);
	turn_without_memory(r);
	EQUAL(fired, 0, "a deferred call that cannot be queued waits");
	timer_stop(r, &d);
	reactor_run(r);
	EQUAL(fired, 0, "it can be stopped then");
	timer_start_soon(r, &d);
	turn_without_memory(r);
	reactor_run(r);
	HOLDS(fired == 1, "or is called when there is memory");
	reactor_free(r);
}

/* The wait fails; in the same turn a callback leaves another errno behind. */
static void test_errno(void)
{
	const char *wait = backend_is("epoll")      ? "epoll_wait"
			   : backend_is("io_uring") ? "io_uring_enter"
			   : backend_is("poll")     ? "ppoll"
						    : "pselect6";
	struct reactor *r = reactor_here();
	struct timer t;
	int result, why;

	timer_init(&t, CLOCK_OF_LOOP, on_timer);
	timer_start_in(r, &t, 0);
	calls_fail(wait, 1, ENOMEM, false);
	result = reactor_turn(r, 0);
	why = errno;
	calls_reset();
	HOLDS(result == -1 && why == ENOMEM, "the errno of a failed wait survives the callbacks");
	reactor_free(r);
}

/* The kernel took nothing of what the turn asked for: it is asked for again. */
static void test_passing_errors(void)
{
	static const int errors[] = {EINTR, EBUSY, EAGAIN}; /* io_uring_enter(2) */
	struct reactor *r;
	struct probe p;
	int fds[2], result;

	if (!backend_is("io_uring"))
		return;
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
		r = reactor_here();
		pipe_open(fds);
		probe_start(r, &p, fds[0], IO_READ);
		put(fds[1], "x");
		calls_fail("io_uring_enter", 1, errors[i], false);
		result = reactor_turn(r, 0);
		calls_reset();
		SAME(result == 0 && p.calls == 0, 1, "%s: a wait survives \"%s\"", backend,
		     strerror(errors[i]));
		turns(r, 2);
		HOLDS(p.all == IO_READ, "and what was asked for with it is told");
		reactor_free(r);
		close_both(fds);
	}
}

/* In each turn the kernel takes the first thousand questions, and then no more of them. */
static void test_full_ring(void)
{
	enum { READY = 2000 };
	static struct probe probes[READY];
	struct rlimit limit;
	struct reactor *r;
	int fds[2], told = 0;

	if (!backend_is("io_uring"))
		return;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	r = reactor_here();
	stream_open(fds);
	for (int i = 0; i < READY; i++)
		probe_start(r, &probes[i], dup(fds[0]), IO_WRITE);
	for (int t = 0; t < 40; t++) {
		calls_fail_first("io_uring_enter", 1, EBUSY);
		turns(r, 1);
	}
	HOLDS(calls_failed(), "the ring is full");
	calls_reset();
	for (int i = 0; i < READY; i++) {
		told += probes[i].calls > 0;
		io_stop_close(r, &probes[i].io);
	}
	EQUAL(told, READY, "and each that is ready gets its turn");
	reactor_free(r);
	close_both(fds);
}

static void on_wake(struct reactor *r, struct waker *w)
{
	(void)r;
	(void)w;
	fired++;
}

/* The write of one that comes while the loop waits: it alone may tell. */
static void test_waker(void)
{
	struct reactor *r = reactor_here();
	struct waker w;
	int saved;

	fired = 0;
	waker_init(&w, on_wake);
	waker_start(r, &w);
	atomic_store(&r->waiting, true);
	calls_fail("write", 1, EINTR, false);
	errno = 12345;
	waker_wake(&w);
	saved = errno;
	HOLDS(calls_failed() && saved == 12345, "an interrupted wake-up keeps errno");
	calls_reset();
	atomic_store(&r->woken, false);
	turns(r, 2);
	EQUAL(fired, 1, "and is told");
	waker_stop(r, &w);
	waker_start(r, &w); /* its eventfd is another, of the same number */
	atomic_store(&r->waiting, true);
	waker_wake(&w);
	atomic_store(&r->woken, false);
	turns(r, 2);
	EQUAL(fired, 2, "so is one of a waker that was stopped and started in one turn");
	waker_stop(r, &w);
	reactor_free(r);
}

static void test_waker_without_memory(void)
{
	struct reactor *r = reactor_here();
	struct waker w;

	fired = 0;
	waker_init(&w, on_wake);
	waker_start(r, &w);
	waker_wake(&w);
	turn_without_memory(r);
	EQUAL(fired, 0, "without room in the queue a wake-up is not told");
	turns(r, 1);
	EQUAL(fired, 1, "but when there is room it is");
	HOLDS(turns_within(r, 30 * MS) < 20, "and the loop sleeps again");
	calls_reset();
	waker_wake(&w);
	turns(r, 2);
	HOLDS(fired == 2 && calls_count("write") == 0 && calls_count("read") == 0,
	      "a wake-up that finds the loop at work costs no system call");
	waker_stop(r, &w);
	reactor_free(r);
}

static void wait_in_milliseconds(int error)
{
	struct reactor *r = reactor_here();
	struct timer t;
	int n = 0;

	fired = 0;
	timer_init(&t, CLOCK_OF_LOOP, on_timer);
	timer_start_in(r, &t, 4 * MS + 900000);
	calls_fail("epoll_pwait2", 1, error, true);
	for (; !fired && n < 20; n++)
		HOLDS(reactor_turn(r, -1) == 0, "an older kernel's wait serves too");
	HOLDS(fired == 1, "and does not spin through the last millisecond");
	timer_start_in(r, &t, MS);
	reactor_run(r);
	EQUAL(calls_count("epoll_pwait2"), backend_is("epoll"), "the newer is tried once");
	calls_reset();
	reactor_free(r);
}

static void test_milliseconds(void)
{
	wait_in_milliseconds(ENOSYS);
	wait_in_milliseconds(EPERM); /* of a seccomp filter */
}

/* The best backend does not work here. */
static void test_auto(void)
{
	struct reactor *r;
	struct error e;

	if (!backend_is("epoll"))
		return;
	calls_fail("epoll_create1", 1, ENOSYS, true);
	r = reactor_new(NULL, &e);
	calls_reset();
	HOLDS(r && strcmp(reactor_backend(r), "epoll") != 0, "where it fails the next best serves");
	if (r)
		reactor_free(r);
}

/* ---- signals and children -------------------------------------------------------------------- */

static int heard;
static pid_t sender;

static void on_signal(struct reactor *r, struct signal_watcher *w, const struct signal_info *info)
{
	(void)r;
	(void)w;
	heard++;
	sender = info->pid;
}

static void hear_until(struct reactor *r, int n)
{
	for (int i = 0; i < 50 && heard < n; i++)
		reactor_turn(r, 10 * MS);
}

static void test_signals(void)
{
	struct reactor *r = reactor_here();
	struct signal_watcher w;
	int saved;

	heard = 0;
	signal_init(&w, SIGUSR1, on_signal);
	signal_start(r, &w);
	calls_fail("write", 1, EINTR, false);
	errno = 12345;
	raise(SIGUSR1);
	saved = errno;
	EQUAL(saved, 12345, "a signal handler keeps errno");
	hear_until(r, 1);
	EQUAL(heard, 1, "a signal whose wake-up was interrupted is told");
	calls_reset();
	HOLDS(turns_within(r, 30 * MS) < 20, "nothing spins then");
	raise(SIGUSR1);
	hear_until(r, 2);
	HOLDS(heard == 2 && sender == getpid(), "and the next one has its sender");
	reactor_free(r);
}

static int ended, wrong_status;

static void on_child(struct reactor *r, struct child_watcher *w, int status)
{
	(void)r;
	(void)w;
	ended++;
	wrong_status += status != 5 << 8;
}

/* A child that has ended when this returns. */
static void fork_ended(struct child_watcher *w)
{
	siginfo_t si;
	pid_t pid = fork();

	if (pid == 0)
		_exit(5);
	child_init(w, pid, on_child);
	while (waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT) < 0)
		;
}

static void test_without_pidfds(void)
{
	enum { CHILDREN = 20 };
	struct child_watcher children[CHILDREN];
	static struct reactor *r; /* the children's copies are seen by valgrind */

	r = reactor_here();
	ended = wrong_status = 0;
	calls_fail("pidfd_open", 1, ENOSYS, true);
	fork_ended(&children[0]);
	HOLDS(child_start(r, &children[0]) == -1 && errno == ENOSYS, "without pidfds it says so");
	reactor_run(r);
	HOLDS(!ended, "nor does it keep the loop running");
	HOLDS(reactor_reap_orphans(r) == 0 && child_start(r, &children[0]) == 0,
	      "but it needs none where all children are reaped");
	for (int i = 1; i < CHILDREN; i++) {
		fork_ended(&children[i]);
		child_start(r, &children[i]);
		turns(r, i % 3);
	}
	reactor_run(r);
	calls_reset();
	HOLDS(ended == CHILDREN && !wrong_status, "the ends come by SIGCHLD, then");
	reactor_free(r);
}

static const struct conformance cases[] = {
    {"edge", test_edge},
    {"always ready", test_always_ready},
    {"changes", test_changes},
    {"kernel memory", test_kernel_memory},
    {"timers", test_timers},
    {"deferred calls", test_deferred},
    {"errno", test_errno},
    {"passing errors", test_passing_errors},
    {"full ring", test_full_ring},
    {"waker", test_waker},
    {"waker without memory", test_waker_without_memory},
    {"milliseconds", test_milliseconds},
    {"auto", test_auto},
    {"signals", test_signals},
    {"no pidfds", test_without_pidfds},
    {0},
};

int main(void)
{
	return conformance_run(cases);
}
