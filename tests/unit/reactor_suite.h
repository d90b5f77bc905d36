/*
 * What the files of the reactor's conformance suite share: every case is run on every backend, and
 * each line is reported as `BACKEND: promise` below a comment `# BACKEND: case`.
 *
 *	static const struct conformance cases[] = {{"level", test_level}, {0}};
 *
 *	int main(void)
 *	{
 *		return conformance_run(cases);
 *	}
 *
 * BACKENDS="epoll poll" in the environment runs these alone, CASE=level one case.
 */
#ifndef EVWATCH_TESTS_REACTOR_SUITE_H
#define EVWATCH_TESTS_REACTOR_SUITE_H

#include "tap.h"

#include "base/list.h"
#include "reactor/reactor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *backend; /* that is tested now */

/* OK and SAME, with the backend's name before the promise. */
#define HOLDS(condition, promise)   OK(condition, "%s: %s", backend, promise)
#define EQUAL(got, wanted, promise) SAME(got, wanted, "%s: %s", backend, promise)

struct conformance {
	const char *name;
	void (*run)(void);
};

static inline bool backend_is(const char *name)
{
	return strcmp(backend, name) == 0;
}

/* Is `word` in the list, or is there no list? */
static inline bool is_asked_for(const char *list, const char *word)
{
	size_t length = strlen(word);

	if (!list || !*list)
		return true;
	for (const char *at = list; (at = strstr(at, word)); at += length)
		if ((at == list || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
			return true;
	return false;
}

static inline void conformance_of(const struct conformance *cases)
{
	const char *only = getenv("CASE");

	for (; cases->name; cases++) {
		if (only && strcmp(only, cases->name) != 0)
			continue;
		printf("# %s: %s\n", backend, cases->name);
		fflush(stdout);
		alarm(120); /* one that hangs ends here */
		cases->run();
	}
}

/* All cases on every backend. */
static inline void conformance_of_all(const struct conformance *cases)
{
	struct reactor_error why;

	for (const struct backend_info *const *b = reactor_backends(); *b; b++) {
		backend = (*b)->name;
		if (!is_asked_for(getenv("BACKENDS"), backend))
			SKIP("not asked for", "%s works", backend);
		else if (reactor_backend_works(backend, &why))
			conformance_of(cases);
		else
			SKIP(why.what, "%s works here", backend);
	}
}

/* The same; the exit status of main. */
static inline int conformance_run(const struct conformance *cases)
{
	conformance_of_all(cases);
	return tap_done();
}

/* ---- what every case begins with ------------------------------------------------------------- */

static inline void bail_out(const char *what)
{
	printf("Bail out! %s: %s: %s\n", backend, what, strerror(errno));
	exit(1);
}

static inline struct reactor *reactor_here(void)
{
	struct reactor_error e;
	struct reactor *r = reactor_new(backend, &e);

	if (!r)
		bail_out(e.what);
	return r;
}

/* Not in kernels before 5.3, nor under valgrind before 3.21. */
static inline bool pidfds_work(void)
{
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	return fd >= 0 && close(fd) == 0;
}

/* Turns that do not wait. */
static inline void turns(struct reactor *r, int n)
{
	while (n-- > 0)
		reactor_turn(r, 0);
}

static inline void stop_loop(struct reactor *r, struct timer *t)
{
	(void)t;
	reactor_stop(r);
}

struct lapse {
	struct timer timer;
	bool is_over;
};

static inline void end_lapse(struct reactor *r, struct timer *t)
{
	(void)r;
	CONTAINER_OF(t, struct lapse, timer)->is_over = true;
}

/* Lets the loop turn for `ns`. Returns how often it woke up: many times, and something spins. */
static inline int turns_within(struct reactor *r, int64_t ns)
{
	struct lapse lapse = {0};
	int n = 0;

	timer_init(&lapse.timer, CLOCK_OF_LOOP, end_lapse);
	if (timer_start_in(r, &lapse.timer, ns) < 0)
		bail_out("timer");
	for (; !lapse.is_over; n++)
		if (reactor_turn(r, -1) < 0)
			bail_out("reactor_turn");
	return n;
}

static inline void pipe_open(int fds[2])
{
	if (pipe(fds) < 0)
		bail_out("pipe");
}

static inline void stream_open(int fds[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) < 0)
		bail_out("socketpair");
}

static inline void put(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		bail_out("write");
}

/* Reads and drops `n` bytes. */
static inline void take(int fd, size_t n)
{
	char bytes[4096];

	if (read(fd, bytes, n) != (ssize_t)n)
		bail_out("read");
}

static inline void close_both(const int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

/* ---- a watcher that counts its calls, and what it is to do in them --------------------------- */

struct probe {
	struct io_watcher io;
	int calls;
	unsigned last, all; /* what was told the last time, and ever */
	char *log;          /* where it leaves its letter */
	char letter;
	void (*act)(struct reactor *r, struct probe *p);
	struct probe *other;
};

static inline void on_io(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct probe *p = CONTAINER_OF(w, struct probe, io);

	p->calls++;
	p->last = ready;
	p->all |= ready;
	if (p->log)
		strncat(p->log, &p->letter, 1);
	if (p->act)
		p->act(r, p);
}

static inline struct probe probe_of(int fd, unsigned interest)
{
	struct probe p = {0};

	io_init(&p.io, fd, interest, on_io);
	return p;
}

/* Started; what it starts with is in `p` already. */
static inline void probe_start(struct reactor *r, struct probe *p, int fd, unsigned interest)
{
	*p = probe_of(fd, interest);
	if (io_start(r, &p->io) < 0)
		bail_out("io_start");
}

/* Turns until the watcher was told `what`, ten seconds at most. */
static inline void wait_for(struct reactor *r, const struct probe *p, unsigned what)
{
	int64_t end = clock_read(CLOCK_OF_LOOP) + INT64_C(10000000000);

	while (!(p->all & what) && clock_read(CLOCK_OF_LOOP) < end)
		reactor_turn(r, 10000000);
}

static inline void stop_own(struct reactor *r, struct probe *p)
{
	io_stop(r, &p->io);
}

static inline void stop_other(struct reactor *r, struct probe *p)
{
	io_stop(r, &p->other->io);
}

/* For probes from malloc. */
static inline void free_own(struct reactor *r, struct probe *p)
{
	io_stop(r, &p->io);
	free(p);
}

#endif
