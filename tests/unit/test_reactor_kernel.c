/* lib/reactor: what the kernel refuses for a while, lacks, or leaves undone. */
#include "reactor_work.h"

#include "../shim/calls.h"

#include "reactor/loop.h" /* a loop that waits, without another thread */

#include <fcntl.h>
#include <sys/resource.h>

enum { MS = 1000000 };

static int fired;

static void on_timer(struct reactor *r, struct timer *t)
{
	(void)r;
	(void)t;
	fired++;
	errno = E2BIG;
}

/* ---- waits ----------------------------------------------------------------------------------- */

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

/* The wait fails; in the same turn a callback leaves another errno behind. */
static void test_errno(void)
{
	const char *wait = backend_is("poll")     ? "ppoll"
			   : backend_is("select") ? "pselect6"
						  : "epoll_wait";
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
	timer_start_in(r, &t, 0);
	calls_fail(wait, 1, ENOMEM, false);
	result = reactor_run(r);
	calls_reset();
	HOLDS(result == -1 && timer_active(&t), "and ends the run");
	reactor_free(r);
}

/* Of two thousand changes the ring takes none, the second batch of them, or all. */
static void test_ring_refuses(void)
{
	enum { READY = 2000 };
	static const int errors[] = {EINTR, EBUSY, EAGAIN, ENOMEM}; /* io_uring_enter(2) */
	static struct probe probes[READY];
	struct rlimit limit;
	struct reactor *r;
	int fds[2], told;

	if (!backend_is("io_uring"))
		return;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	stream_open(fds);
	for (size_t e = 0; e < sizeof errors / sizeof *errors; e++)
		for (long nth = 1; nth <= 3; nth++) {
			r = reactor_here();
			for (int i = 0; i < READY; i++)
				probe_start(r, &probes[i], dup(fds[0]), IO_WRITE);
			calls_fail("io_uring_enter", nth, errors[e], false);
			turns(r, 10);
			EQUAL(calls_count("io_uring_enter"), nth == 1 ? 1 : 2,
			      "2,000 changes are two calls");
			calls_reset();
			told = 0;
			for (int i = 0; i < READY; i++) {
				told += probes[i].calls > 0;
				io_stop_close(r, &probes[i].io);
			}
			EQUAL(told, READY,
			      "and each that is ready is told, whatever the ring does");
			reactor_free(r);
		}
	close_both(fds);
}

/* Changes of every kind at once: those that the kernel refuses keep none of the others back. */
static void test_mixed_changes(void)
{
	struct reactor *r = reactor_here();
	struct probe file, closed, renewed, changed, stopped, others[8];
	int fds[2], called = 0;

	stream_open(fds);
	probe_start(r, &renewed, fds[0], IO_READ);
	probe_start(r, &changed, dup(fds[0]), IO_READ);
	probe_start(r, &stopped, dup(fds[0]), IO_WRITE);
	turns(r, 1);
	io_stop(r, &renewed.io);
	io_stop_close(r, &stopped.io);
	stopped.calls = 0;
	probe_start(r, &renewed, fds[0], IO_WRITE);
	io_change(r, &changed.io, IO_WRITE);
	probe_start(r, &file, open("/proc/self/exe", O_RDONLY), IO_READ);
	probe_start(r, &closed, 200, IO_READ);
	for (int i = 0; i < 8; i++)
		probe_start(r, &others[i], dup(fds[0]), IO_WRITE);
	turns(r, 2);
	for (int i = 0; i < 8; i++)
		called += others[i].all == IO_WRITE;
	HOLDS(closed.all == IO_ERROR && !closed.io.started,
	      "of many changes a refused one is told");
	HOLDS(file.all == IO_READ, "a regular file is ready");
	HOLDS(renewed.all == IO_WRITE && changed.all == IO_WRITE,
	      "what changed is as it was asked for");
	HOLDS(called == 8 && stopped.calls == 0, "and the others are watched, or not any more");
	for (int i = 0; i < 8; i++)
		io_stop_close(r, &others[i].io);
	io_stop_close(r, &file.io);
	io_stop_close(r, &changed.io);
	reactor_free(r);
	close_both(fds);
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
	EQUAL(calls_count("epoll_pwait2"), backend_is("epoll") || backend_is("io_uring"),
	      "the newer is tried once");
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
	static const char *const names[] = {NULL, "", "auto"};
	struct reactor_error e;

	if (!backend_is("epoll"))
		return;
	for (int i = 0; i < 3; i++) {
		struct reactor *r;

		calls_fail("epoll_create1", 1, ENOSYS, true);
		r = reactor_new(names[i], &e);
		calls_reset();
		HOLDS(r && strcmp(reactor_backend(r), "epoll") != 0,
		      "where it fails the next best serves");
		if (r)
			reactor_free(r);
	}
}

/* ---- wakers ---------------------------------------------------------------------------------- */

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
	atomic_store(&r->waiting, true);
	waker_wake(&w);
	atomic_store(&r->woken, false);
	calls_fail("read", 1, EAGAIN, true);
	turns(r, 2);
	HOLDS(calls_failed() && fired == 3, "and one whose write another process has read");
	calls_reset();
	waker_stop(r, &w);
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
	HOLDS(child_start(r, &children[0]) == 0, "without pidfds a child can be watched");
	reactor_run(r);
	EQUAL(ended, 1, "and its end comes by SIGCHLD");
	for (int i = 1; i < CHILDREN; i++) {
		fork_ended(&children[i]);
		child_start(r, &children[i]);
	}
	reactor_run(r);
	HOLDS(ended == CHILDREN && !wrong_status, "so do those of many at once");
	ended = 1;
	HOLDS(reactor_reap_orphans(r) == 0, "all children can be reaped, then");
	for (int i = 1; i < CHILDREN; i++) {
		fork_ended(&children[i]);
		child_start(r, &children[i]);
		turns(r, i % 3);
	}
	reactor_run(r);
	calls_reset();
	HOLDS(ended == CHILDREN && !wrong_status, "and the ends come as before");
	reactor_free(r);
}

static const struct conformance cases[] = {
    {"kernel memory", test_kernel_memory},
    {"errno", test_errno},
    {"ring refuses", test_ring_refuses},
    {"mixed changes", test_mixed_changes},
    {"milliseconds", test_milliseconds},
    {"auto", test_auto},
    {"waker", test_waker},
    {"signals", test_signals},
    {"no pidfds", test_without_pidfds},
    {0},
};

int main(void)
{
	return conformance_run(cases);
}
