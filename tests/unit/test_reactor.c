/*
 * lib/reactor: the loop itself, backend by backend: queues, priorities, deferred calls, its life.
 * The other test_reactor_*.c tell what each kind of watcher promises.
 */
#include "reactor_work.h"

#include <fcntl.h>

/* ---- priorities and fairness ----------------------------------------------------------------- */

static void test_priorities(void)
{
	struct reactor *r = reactor_here();
	struct probe probes[8];
	char log[16] = "";
	int fds[2];

	pipe_open(fds);
	put(fds[1], "x");
	for (int i = 0; i < 8; i++) {
		probes[i] = probe_of(dup(fds[0]), IO_READ);
		probes[i].io.priority = (uint8_t)(7 - i);
		probes[i].letter = (char)('7' - i);
		probes[i].log = log;
		io_start(r, &probes[i].io);
	}
	turns(r, 1);
	SAME_TEXT(log, "01234567", "%s: lower numbers go first", backend);
	for (int i = 0; i < 8; i++) {
		io_stop(r, &probes[i].io);
		close(probes[i].io.fd);
	}
	reactor_free(r);
	close_both(fds);
}

struct call {
	struct timer deferred;
	int calls, again;
	void (*act)(struct reactor *r, struct call *c);
	struct call *other;
};

static void on_deferred(struct reactor *r, struct timer *d)
{
	struct call *c = CONTAINER_OF(d, struct call, deferred);

	c->calls++;
	if (c->again-- > 0)
		timer_start_soon(r, d);
	if (c->act)
		c->act(r, c);
}

static struct call call_of(void)
{
	struct call c = {0};

	timer_init(&c.deferred, CLOCK_OF_LOOP, on_deferred);
	return c;
}

static void test_starvation(void)
{
	struct reactor *r = reactor_here();
	struct call eager = call_of();
	struct probe first, last;
	int fds[2];

	stream_open(fds);
	eager.again = 1000;
	eager.deferred.priority = PRIORITY_FIRST;
	timer_start_soon(r, &eager.deferred);
	first = probe_of(fds[0], IO_WRITE);
	last = probe_of(fds[1], IO_WRITE);
	first.io.priority = PRIORITY_FIRST;
	last.io.priority = PRIORITY_LAST;
	io_start(r, &first.io);
	io_start(r, &last.io);
	turns(r, 5);
	EQUAL(eager.calls, 5, "a deferred call that starts itself runs once a turn");
	EQUAL(first.calls, 5, "a descriptor that is always ready is told once a turn");
	EQUAL(last.calls, 5, "and the last priority is starved by neither");
	reactor_free(r);
	close_both(fds);
}

/* ---- deferred calls -------------------------------------------------------------------------- */

static void stop_its_other(struct reactor *r, struct call *c)
{
	timer_stop(r, &c->other->deferred);
}

static void free_itself(struct reactor *r, struct call *c)
{
	(void)r;
	free(c);
}

static void test_deferred(void)
{
	struct reactor *r = reactor_here();
	struct call a = call_of(), b = call_of(), *own = malloc(sizeof *own);

	timer_start_soon(r, &a.deferred);
	timer_start_soon(r, &a.deferred);
	EQUAL(a.calls, 0, "a deferred call is not called at once");
	reactor_run(r);
	EQUAL(a.calls, 1, "but once, in the next turn, and then the loop has nothing to do");
	timer_start_soon(r, &a.deferred);
	timer_stop(r, &a.deferred);
	reactor_run(r);
	EQUAL(a.calls, 1, "a stopped one is not called");
	timer_start_in(r, &a.deferred, INT64_MAX);
	timer_start_soon(r, &a.deferred);
	turns(r, 2);
	EQUAL(a.calls, 1, "nor one that is armed for another time");
	timer_stop(r, &a.deferred);
	a.act = b.act = stop_its_other;
	a.other = &b;
	b.other = &a;
	timer_start_soon(r, &a.deferred);
	timer_start_soon(r, &b.deferred);
	reactor_run(r);
	EQUAL(a.calls + b.calls, 2, "nor one that another stops in the same turn");
	*own = call_of();
	own->act = free_itself;
	timer_start_soon(r, &own->deferred);
	reactor_run(r);
	HOLDS(true, "it may be freed in its callback");
	reactor_free(r);
}

/* ---- watchers that others stop --------------------------------------------------------------- */

static void test_stopped_inside(void)
{
	struct reactor *r = reactor_here();
	struct probe a, b, *own = malloc(sizeof *own);
	int fds[2];

	pipe_open(fds);
	put(fds[1], "x");
	probe_start(r, &a, fds[0], IO_READ);
	probe_start(r, &b, fds[0], IO_READ);
	probe_start(r, own, fds[0], IO_READ);
	a.act = b.act = stop_other;
	a.other = &b;
	b.other = &a;
	own->act = free_own;
	turns(r, 1);
	EQUAL(a.calls + b.calls, 1, "a watcher stopped by another in its turn is not called");
	turns(r, 1);
	EQUAL(a.calls + b.calls, 2, "the other goes on, beside one that freed itself");
	reactor_free(r);
	close_both(fds);
}

static void start_other_again(struct reactor *r, struct probe *p)
{
	p->act = p->other->act = NULL;
	io_stop(r, &p->other->io);
	io_start(r, &p->other->io);
}

static void test_started_again_inside(void)
{
	struct reactor *r = reactor_here();
	struct probe a, b;
	int fds[2];

	stream_open(fds);
	probe_start(r, &a, fds[0], IO_WRITE);
	probe_start(r, &b, fds[1], IO_WRITE);
	a.act = b.act = start_other_again;
	a.other = &b;
	b.other = &a;
	turns(r, 1);
	EQUAL(a.calls + b.calls, 1, "one that another stopped and started is not called either");
	turns(r, 1);
	EQUAL(a.calls + b.calls, 3, "but in the next turn");
	reactor_free(r);
	close_both(fds);
}

static void free_other(struct reactor *r, struct probe *p)
{
	struct probe *other = p->other;

	if (!other)
		return;
	p->other = other->other = NULL;
	io_stop(r, &other->io);
	memset(other, 0xee, sizeof *other); /* nothing may look at it any more */
	free(other);
}

static void test_freed_by_another(void)
{
	struct reactor *r = reactor_here();
	struct probe *pair[2] = {malloc(sizeof(struct probe)), malloc(sizeof(struct probe))};
	int fds[2];
	char log[8] = "";

	stream_open(fds);
	for (int i = 0; i < 2; i++) {
		probe_start(r, pair[i], fds[i], IO_WRITE);
		pair[i]->act = free_other;
		pair[i]->log = log;
		pair[i]->letter = (char)('a' + i);
	}
	pair[0]->other = pair[1];
	pair[1]->other = pair[0];
	turns(r, 1);
	EQUAL(strlen(log), 1, "a watcher freed by another in its turn is not called");
	turns(r, 2);
	EQUAL(strlen(log), 3, "and the other goes on");
	reactor_free(r);
	free(pair[log[0] - 'a']);
	close_both(fds);
}

static void lose_interest(struct reactor *r, struct probe *p)
{
	io_change(r, &p->other->io, IO_READ);
}

/* Two are ready to write; the first that is called takes that interest from the other. */
static void test_changed_inside(void)
{
	struct reactor *r = reactor_here();
	struct probe a, b;
	int fds[2];

	stream_open(fds);
	probe_start(r, &a, fds[0], IO_WRITE);
	probe_start(r, &b, fds[0], IO_WRITE);
	a.act = b.act = lose_interest;
	a.other = &b;
	b.other = &a;
	turns(r, 1);
	EQUAL(a.calls + b.calls, 1, "what is not asked for any more is not told");
	reactor_free(r);
	close_both(fds);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void stop_the_loop(struct reactor *r, struct probe *p)
{
	(void)p;
	reactor_stop(r);
}

static void test_stop(void)
{
	struct reactor *r = reactor_here();
	struct probe a, b;
	int fds[2];

	reactor_run(r);
	HOLDS(true, "with nothing started the loop ends at once");
	stream_open(fds);
	probe_start(r, &a, fds[0], IO_WRITE);
	probe_start(r, &b, fds[1], IO_WRITE);
	a.act = b.act = stop_the_loop;
	EQUAL(reactor_run(r), 0, "a stopped loop returns 0");
	EQUAL(a.calls + b.calls, 1, "after the current callback");
	reactor_run(r);
	EQUAL(a.calls + b.calls, 2, "what was ready is called when it runs again");
	HOLDS(a.calls == 1 && b.calls == 1, "each in its turn");
	reactor_stop(r);
	reactor_run(r);
	HOLDS(a.calls + b.calls == 3, "a stop before the run does not stop it");
	reactor_free(r);
	close_both(fds);
}

static void stop_after(struct reactor *r, struct call *c)
{
	(void)c;
	reactor_stop(r);
}

/* Both are due, and out of the heap, when the first of them stops the loop. */
static void test_stopped_between_timers(void)
{
	struct reactor *r = reactor_here();
	struct call a = call_of(), b = call_of();

	a.act = b.act = stop_after;
	timer_start_soon(r, &a.deferred);
	timer_start_soon(r, &b.deferred);
	reactor_run(r);
	EQUAL(a.calls + b.calls, 1, "a timer that is due waits while the loop is stopped");
	reactor_run(r);
	EQUAL(a.calls + b.calls, 2, "and fires at once when it runs again");
	timer_start_soon(r, &a.deferred);
	timer_start_soon(r, &b.deferred);
	reactor_run(r);
	reactor_free(r);
	HOLDS(!timer_active(&a.deferred) && !timer_active(&b.deferred),
	      "the end of a loop stops one that is due");
}

static void test_name(void)
{
	struct reactor *r = reactor_here();

	SAME_TEXT(reactor_backend(r), backend, "%s: it says which backend serves", backend);
	reactor_free(r);
}

/* All that is still started is stopped, and can be used with another loop. */
static void test_free(void)
{
	struct reactor *r = reactor_here();
	struct call c = call_of();
	struct timer t;
	struct probe p;
	int fds[2];

	stream_open(fds);
	probe_start(r, &p, fds[0], IO_WRITE);
	timer_init(&t, CLOCK_OF_LOOP, stop_loop);
	timer_start_in(r, &t, 0);
	timer_start_soon(r, &c.deferred);
	reactor_turn(r, 0);
	timer_start_soon(r, &c.deferred);
	timer_start_in(r, &t, 0);
	reactor_free(r);
	HOLDS(!p.io.started && !timer_active(&t), "the end of a loop stops what was started");
	r = reactor_here();
	p.calls = c.calls = 0;
	io_start(r, &p.io);
	timer_start_soon(r, &c.deferred);
	turns(r, 2);
	HOLDS(p.calls == 2 && c.calls == 1, "which can be started in another one");
	reactor_free(r);
	close_both(fds);
}

static void stop_loop_here(struct reactor *r, struct probe *p)
{
	(void)p;
	reactor_stop(r);
}

static int open_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void on_sigchld(struct reactor *r, struct signal_watcher *s, const struct signal_info *info)
{
	(void)r;
	(void)s;
	(void)info;
}

/* Watchers of every kind, started and also waiting in a queue: valgrind looks at what is left. */
static void test_free_with_everything(void)
{
	int before = open_descriptors();
	static struct work w;
	struct timed_io timed;
	struct signal_watcher child;

	work_init(&w);
	w.reactor = reactor_here();
	io_start(w.reactor, &w.reader.io);
	io_start(w.reactor, &w.writer.io);
	timed_io_init(&timed, w.fds[0], IO_READ | IO_ONCE, 1000, on_io);
	io_start(w.reactor, &timed.io);
	for (int i = 0; i < CLOCKS_OF_WORK; i++)
		timer_start_in(w.reactor, &w.timers[i], i);
	signal_start(w.reactor, &w.signal);
	signal_init(&child, SIGCHLD, on_sigchld);
	signal_start(w.reactor, &child);
	waker_start(w.reactor, &w.waker);
	work_fork(&w);
	child_start(w.reactor, &w.child);
	w.writer.act = stop_loop_here; /* the first to be called leaves the rest in the queues */
	w.writer.io.priority = PRIORITY_FIRST;
	work_put(w.fds[1]);
	waker_wake(&w.waker);
	raise(SIGUSR1);
	reactor_run(w.reactor);
	reactor_free(w.reactor);
	HOLDS(!w.waker.io.started && !w.child.started && !w.signal.started && !timed.io.started,
	      "a loop with everything armed stops all of it");
	waker_wake(&w.waker);
	HOLDS(!w.woken, "a waker of a loop that is gone wakes nobody");
	waitpid(w.pid, NULL, 0);
	close_both(w.fds);
	EQUAL(open_descriptors(), before, "and no descriptor is left");
}

static const struct conformance cases[] = {
    {"priorities", test_priorities},
    {"starvation", test_starvation},
    {"deferred calls", test_deferred},
    {"stopped in a callback", test_stopped_inside},
    {"started again in a callback", test_started_again_inside},
    {"freed by another", test_freed_by_another},
    {"changed in a callback", test_changed_inside},
    {"stop", test_stop},
    {"stopped between timers", test_stopped_between_timers},
    {"name", test_name},
    {"free", test_free},
    {"free with everything", test_free_with_everything},
    {0},
};

int main(void)
{
	struct reactor_error e;

	conformance_of_all(cases);
	OK(!reactor_new("nope", &e) && strstr(e.hint, "epoll"),
	   "an unknown backend is refused, with those that work: %s", e.hint);
	return tap_done();
}
