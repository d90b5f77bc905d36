/*
 * lib/reactor: every system call and every allocation fails in turn, with each errno that it may
 * have. What was to be told is told all the same, or the call that was made for it says why it
 * could not; then it is made again, and everything must be told.
 */
#include "reactor_work.h"

#include "../shim/calls.h"

#include <fcntl.h>

static const struct fault {
	const char *call;
	int errors[4];
	int first; /* occurrences: so many are failed, one after the other */
} faults[] = {
    {"malloc", {ENOMEM}, 30},
    {"calloc", {ENOMEM}, 30},
    {"realloc", {ENOMEM}, 60},
    {"aligned_alloc", {ENOMEM}, 4},
    {"epoll_create1", {EMFILE, ENFILE, ENOMEM}, 3},
    {"epoll_ctl", {ENOMEM, ENOSPC}, 20},
    {"epoll_wait", {EINTR, ENOMEM}, 10},
    {"epoll_pwait2", {EINTR, ENOSYS, EPERM}, 10},
    {"ppoll", {EINTR, ENOMEM}, 10},
    {"poll", {ENOMEM, EINTR}, 10},
    {"pselect6", {EINTR, ENOMEM}, 10},
    {"io_uring_setup", {EPERM, ENOSYS, ENOMEM, EMFILE}, 3},
    {"io_uring_enter", {EINTR, EAGAIN, EBUSY, ENOMEM}, 10},
    {"mmap", {ENOMEM}, 4},
    {"eventfd", {EMFILE, ENOMEM}, 2},
    {"timerfd_create", {EMFILE, ENOMEM}, 4},
    {"timerfd_settime", {ENOMEM, EINVAL}, 10},
    {"signalfd", {EMFILE, ENOMEM}, 2},
    {"sigaction", {EINVAL, ENOMEM}, 2},
    {"pidfd_open", {ENOSYS, EMFILE, EPERM}, 2},
    {"waitpid", {EINTR}, 5},
    {"read", {EINTR, EAGAIN}, 8},
    {"write", {EINTR}, 5},
};

static int injected;
static bool reaps_orphans;

/* Did it work, or else fail with what was injected and work when it is done again? */
#define OR_AGAIN(call) ((call) == 0 || (errno == injected && (call) == 0))

static int open_reactor(struct work *w)
{
	struct reactor_error e;

	w->reactor = reactor_new(backend, &e);
	if (w->reactor)
		return 0;
	/* It says why, in words. */
	errno = strstr(e.what, strerror(injected)) ? injected : 0;
	return -1;
}

static bool start_all(struct work *w)
{
	struct reactor *r;

	if (!OR_AGAIN(open_reactor(w)))
		return false;
	r = w->reactor;
	if (reaps_orphans && !OR_AGAIN(reactor_reap_orphans(r)))
		return false;
	if (!OR_AGAIN(io_start(r, &w->reader.io)) || !OR_AGAIN(io_start(r, &w->writer.io)))
		return false;
	for (int i = 0; i < CLOCKS_OF_WORK; i++)
		if (!OR_AGAIN(timer_start_in(r, &w->timers[i], 100000)))
			return false;
	return OR_AGAIN(signal_start(r, &w->signal)) && OR_AGAIN(waker_start(r, &w->waker)) &&
	       OR_AGAIN(timer_start_soon(r, &w->deferred)) && OR_AGAIN(child_start(r, &w->child));
}

static bool is_done(const struct work *w)
{
	return w->reader.all & IO_READ && w->writer.all & IO_WRITE && w->timed[0] && w->timed[1] &&
	       w->timed[2] && w->signalled && w->deferred_calls && w->woken && w->children;
}

/* Runs until everything was told; not for ever, and it must not spin either. */
static const char *run_all(struct work *w)
{
	int64_t end = clock_read(CLOCK_OF_LOOP) + INT64_C(2000000000);
	int turns_left = 3000, errors = 0;

	work_put(w->fds[1]);
	raise(SIGUSR1);
	waker_wake(&w->waker);
	while (!is_done(w)) {
		if (reactor_turn(w->reactor, 20000000) < 0 && (errno != injected || errors++))
			return "the loop fails with another error";
		if (clock_read(CLOCK_OF_LOOP) > end)
			return "something is not told";
		if (--turns_left == 0)
			return "it spins";
	}
	return NULL;
}

/* Everything was told as often as it happened. */
static const char *check_all(const struct work *w)
{
	if (w->timed[0] != 1 || w->timed[1] != 1 || w->timed[2] != 1)
		return "a timer fired twice";
	if (w->signalled != 1 || w->woken != 1 || w->deferred_calls != 1 || w->children != 1)
		return "something is told twice";
	if (w->status != 5 << 8)
		return "the child's status is wrong";
	return NULL;
}

/* All of it with one fault. Returns what went wrong, or NULL. */
static const char *do_work(void)
{
	static struct work w;
	int lowest = open("/dev/null", O_RDONLY), after;
	const char *wrong = NULL;

	close(lowest);
	work_init(&w);
	work_fork(&w);
	if (start_all(&w)) {
		wrong = run_all(&w);
		if (!wrong)
			wrong = check_all(&w);
	} else {
		wrong = "it cannot be started again, or does not say why";
	}
	if (w.reactor) {
		waker_stop(w.reactor, &w.waker);
		reactor_free(w.reactor);
	}
	waitpid(w.pid, NULL, WNOHANG);
	close_both(w.fds);
	after = open("/dev/null", O_RDONLY);
	close(after);
	return wrong ? wrong : after != lowest ? "a descriptor is left open" : NULL;
}

/* Each of the first calls fails once. Returns how many were failed. */
static int sweep(const struct fault *f, int error, int *wrong)
{
	int done = 0;

	for (int nth = 1; nth <= f->first; nth++) {
		const char *what;

		injected = error;
		calls_fail(f->call, nth, error, false);
		what = do_work();
		if (!calls_failed())
			break;
		done++;
		if (what) {
			++*wrong;
			printf("# %s: call %d of %s fails with %s: %s\n", backend, nth, f->call,
			       strerror(error), what);
		}
	}
	calls_reset();
	return done;
}

static void sweep_all(void)
{
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
		for (int e = 0; e < 4 && faults[i].errors[e]; e++) {
			int wrong = 0;
			int done = sweep(&faults[i], faults[i].errors[e], &wrong);

			if (done)
				SAME(wrong, 0, "%s: %s may fail with \"%s\" (%d calls failed)",
				     backend, faults[i].call, strerror(faults[i].errors[e]), done);
		}
}

static void test_faults(void)
{
	reaps_orphans = !pidfds_work();
	calls_reset();
	SAME_TEXT(do_work() ? "" : "fine", "fine", "%s: without a fault all is told", backend);
	sweep_all();
}

static void test_faults_with_orphans(void)
{
	reaps_orphans = true;
	sweep_all();
}

/* From some allocation on there is no memory for a while: nothing crashes, nothing hangs. */
static void test_no_memory_at_all(void)
{
	static const char *const allocators[] = {"malloc", "calloc", "realloc", "aligned_alloc"};
	int wrong = 0;

	injected = ENOMEM;
	for (int i = 0; i < 4; i++)
		for (int nth = 1; nth <= 40; nth++) {
			static struct work w;

			work_init(&w);
			work_fork(&w);
			calls_fail(allocators[i], nth, ENOMEM, true);
			if (start_all(&w))
				for (int t = 0; t < 5; t++)
					reactor_turn(w.reactor, 1000000);
			calls_reset();
			if (w.reactor) {
				waker_stop(w.reactor, &w.waker);
				reactor_free(w.reactor);
			}
			wrong += waitpid(w.pid, NULL, 0) < 0 && errno != ECHILD;
			close_both(w.fds);
		}
	EQUAL(wrong, 0, "no memory from some point on: no crash and no hang");
}

static const struct conformance cases[] = {
    {"faults", test_faults},
    {"faults with orphans", test_faults_with_orphans},
    {"no memory at all", test_no_memory_at_all},
    {0},
};

int main(void)
{
	return conformance_run(cases);
}
