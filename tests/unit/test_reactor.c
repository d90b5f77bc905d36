/* lib/reactor: what every backend promises, backend by backend. */
#include "tap.h"

#include "base/error.h"
#include "base/list.h"
#include "reactor/reactor.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *backend;

/* A watcher that counts its calls, and what it is to do in them. */
struct probe {
	struct io_watcher io;
	int calls;
	unsigned last;
	char *log;
	char letter;
	void (*act)(struct reactor *r, struct probe *p);
	struct probe *other;
};

static void on_io(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct probe *p = CONTAINER_OF(w, struct probe, io);

	p->calls++;
	p->last = ready;
	if (p->log)
		strncat(p->log, &p->letter, 1);
	if (p->act)
		p->act(r, p);
}

static struct probe probe_of(int fd, unsigned interest)
{
	struct probe p = {0};

	io_init(&p.io, fd, interest, on_io);
	return p;
}

static struct reactor *reactor_here(void)
{
	struct reactor_config config = {backend};
	struct error e;
	struct reactor *r = reactor_new(&config, &e);

	if (!r) {
		printf("Bail out! %s: %s\n", backend, e.what);
		exit(1);
	}
	return r;
}

static void turns(struct reactor *r, int n)
{
	while (n-- > 0)
		reactor_turn(r, 0);
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static void test_level(void)
{
	struct reactor *r = reactor_here();
	struct probe p;
	int fds[2];
	char c;

	if (pipe(fds) < 0)
		return;
	p = probe_of(fds[0], IO_READ);
	io_start(r, &p.io);
	turns(r, 2);
	SAME(p.calls, 0, "%s: an empty pipe is not ready", backend);
	OK(write(fds[1], "ab", 2) == 2, "%s: two bytes are written", backend);
	turns(r, 3);
	SAME(p.calls, 3, "%s: a level is told in every turn", backend);
	SAME(p.last, IO_READ, "%s: as readable", backend);
	OK(read(fds[0], &c, 1) == 1, "%s: one byte is left", backend);
	turns(r, 1);
	SAME(p.calls, 4, "%s: a reader that leaves bytes is told again", backend);
	OK(read(fds[0], &c, 1) == 1, "%s: none is left", backend);
	turns(r, 2);
	SAME(p.calls, 4, "%s: an emptied pipe is not ready", backend);
	close(fds[1]);
	turns(r, 1);
	OK(p.last & IO_HANGUP && p.last & IO_READ, "%s: the writer's end is a hang-up", backend);
	io_stop(r, &p.io);
	turns(r, 2);
	SAME(p.calls, 5, "%s: a stopped watcher is not called", backend);
	reactor_free(r);
	close(fds[0]);
}

static void test_once_and_interest(void)
{
	struct reactor *r = reactor_here();
	struct probe once, both, urgent;
	int fds[2], calls;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		return;
	once = probe_of(fds[0], IO_WRITE | IO_ONCE);
	both = probe_of(fds[0], IO_READ | IO_HALF_CLOSE);
	urgent = probe_of(fds[0], IO_URGENT);
	io_start(r, &once.io);
	io_start(r, &both.io);
	io_start(r, &urgent.io);
	turns(r, 2);
	SAME(once.calls, 1, "%s: once is once", backend);
	SAME(both.calls, 0, "%s: a watcher hears only what it asked for", backend);
	OK(write(fds[1], "x", 1) == 1 && shutdown(fds[1], SHUT_WR) == 0, "%s: FIN", backend);
	turns(r, 2); /* io_uring tells the byte first: its poll fired when that came */
	OK(both.last & IO_HALF_CLOSE, "%s: the peer's FIN is a half-close", backend);
	io_change(r, &both.io, IO_WRITE);
	turns(r, 1);
	SAME(both.last, IO_WRITE, "%s: a changed interest holds from the next turn", backend);
	io_change(r, &both.io, 0);
	turns(r, 1);
	calls = both.calls;
	turns(r, 1);
	SAME(both.calls, calls, "%s: no interest, no call", backend);
	reactor_free(r);
	close(fds[0]);
	close(fds[1]);
}

static void test_files(void)
{
	struct reactor *r = reactor_here();
	struct probe file = probe_of(open("/proc/self/exe", O_RDONLY), IO_READ);
	struct probe null = probe_of(open("/dev/null", O_RDWR), IO_READ | IO_WRITE);

	io_start(r, &file.io);
	io_start(r, &null.io);
	turns(r, 3);
	OK(file.calls >= 2 && file.last == IO_READ, "%s: a regular file is always ready", backend);
	OK(null.calls >= 2, "%s: /dev/null is always ready", backend);
	io_stop(r, &file.io);
	io_stop(r, &null.io);
	file.calls = 0;
	turns(r, 2);
	SAME(file.calls, 0, "%s: until its watcher is stopped", backend);
	reactor_free(r);
	close(file.io.fd);
	close(null.io.fd);
}

static void stop_other(struct reactor *r, struct probe *p)
{
	io_stop(r, &p->other->io);
}

static void free_own(struct reactor *r, struct probe *p)
{
	io_stop(r, &p->io);
	free(p);
}

static void test_stopping_inside(void)
{
	struct reactor *r = reactor_here();
	struct probe a, b, *own = malloc(sizeof *own);
	int fds[2];

	if (pipe(fds) < 0 || write(fds[1], "x", 1) != 1)
		return;
	a = probe_of(fds[0], IO_READ);
	b = probe_of(fds[0], IO_READ);
	*own = probe_of(fds[0], IO_READ);
	a.act = b.act = stop_other;
	a.other = &b;
	b.other = &a;
	own->act = free_own;
	io_start(r, &a.io);
	io_start(r, &b.io);
	io_start(r, &own->io);
	turns(r, 1);
	SAME(a.calls + b.calls, 1, "%s: a watcher stopped by another in its turn is not called",
	     backend);
	reactor_free(r);
	close(fds[0]);
	close(fds[1]);
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

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		return;
	a = probe_of(fds[0], IO_WRITE);
	b = probe_of(fds[0], IO_WRITE);
	a.act = b.act = lose_interest;
	a.other = &b;
	b.other = &a;
	io_start(r, &a.io);
	io_start(r, &b.io);
	turns(r, 1);
	SAME(a.calls + b.calls, 1, "%s: what is not asked for any more is not told", backend);
	reactor_free(r);
	close(fds[0]);
	close(fds[1]);
}

/* Closed and reused within one turn: the new file is watched, the old one's readiness is stale. */
static void test_reuse(void)
{
	struct reactor *r = reactor_here();
	struct probe old, now;
	int a[2], b[2], duplicate;

	if (pipe(a) < 0 || pipe(b) < 0 || write(a[1], "x", 1) != 1)
		return;
	old = probe_of(a[0], IO_READ);
	io_start(r, &old.io);
	turns(r, 1);
	SAME(old.calls, 1, "%s: the first file is ready", backend);
	io_stop(r, &old.io);
	duplicate = dup(a[0]); /* keeps the old file alive in the kernel's set */
	OK(dup2(b[0], a[0]) == a[0], "%s: its number names another file", backend);
	now = probe_of(a[0], IO_READ);
	io_start(r, &now.io);
	turns(r, 3);
	SAME(now.calls, 0, "%s: stale readiness of a reused number is not told", backend);
	OK(write(b[1], "y", 1) == 1, "%s: the new file becomes readable", backend);
	turns(r, 1);
	SAME(now.calls, 1, "%s: and that is told", backend);
	io_stop(r, &now.io);
	close(a[0]);
	turns(r, 3);
	reactor_free(r);
	close(duplicate);
	close(a[1]);
	close(b[0]);
	close(b[1]);
}

/* A live duplicate of a descriptor that was closed before its stop reached the kernel. */
static void test_live_duplicate(void)
{
	struct reactor *r = reactor_here();
	struct reactor_stats before, after;
	struct timer t;
	struct probe p;
	int fds[2], duplicate;

	if (pipe(fds) < 0 || write(fds[1], "x", 1) != 1)
		return;
	p = probe_of(fds[0], IO_READ);
	io_start(r, &p.io);
	turns(r, 1);
	duplicate = dup(fds[0]);
	io_stop(r, &p.io);
	close(fds[0]);
	turns(r, 3);
	reactor_stats(r, &before);
	timer_init(&t, CLOCK_OF_LOOP, NULL);
	reactor_turn(r, 20000000);
	reactor_stats(r, &after);
	SAME(after.callbacks, before.callbacks, "%s: a live duplicate calls nobody", backend);
	SAME(p.calls, 1, "%s: and does not come back", backend);
	reactor_free(r);
	close(duplicate);
	close(fds[1]);
}

static void test_refused(void)
{
	struct reactor *r = reactor_here();
	int fds[2];
	struct probe p;

	if (pipe(fds) < 0)
		return;
	p = probe_of(fds[0], IO_READ);
	close(fds[0]);
	close(fds[1]);
	io_start(r, &p.io);
	turns(r, 3);
	OK(p.calls == 1 && p.last & IO_ERROR && !p.io.started,
	   "%s: a closed descriptor is told once as an error", backend);
	p = probe_of(-1, IO_READ);
	SAME(io_start(r, &p.io), -1, "%s: a negative descriptor is refused at once", backend);
	reactor_free(r);
}

enum { MANY = 3000 };

static void test_many(void)
{
	static struct probe probes[MANY];
	struct reactor *r = reactor_here();
	struct rlimit limit = {MANY * 2 + 100, MANY * 2 + 100};
	int fds[2], calls = 0;

	setrlimit(RLIMIT_NOFILE, &limit);
	if (pipe(fds) < 0 || write(fds[1], "x", 1) != 1)
		return;
	for (int i = 0; i < MANY; i++) {
		probes[i] = probe_of(dup(fds[0]), IO_READ);
		io_start(r, &probes[i].io);
	}
	OK(probes[MANY - 1].io.fd > 1024, "%s: descriptors beyond FD_SETSIZE", backend);
	for (int t = 0; t < 40; t++)
		turns(r, 1);
	for (int i = 0; i < MANY; i++) {
		calls += probes[i].calls > 0;
		io_stop(r, &probes[i].io);
		close(probes[i].io.fd);
	}
	SAME(calls, MANY, "%s: every one of %d ready descriptors is told", backend, MANY);
	reactor_free(r);
	close(fds[0]);
	close(fds[1]);
}

/* ---- priorities ------------------------------------------------------------------------------ */

static void test_priorities(void)
{
	struct reactor *r = reactor_here();
	struct probe probes[8];
	char log[16] = "";
	int fds[2];

	if (pipe(fds) < 0 || write(fds[1], "x", 1) != 1)
		return;
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
	close(fds[0]);
	close(fds[1]);
}

struct eager {
	struct deferred deferred;
	int calls;
};

static void again(struct reactor *r, struct deferred *d)
{
	CONTAINER_OF(d, struct eager, deferred)->calls++;
	deferred_start(r, d);
}

static void test_starvation(void)
{
	struct reactor *r = reactor_here();
	struct eager eager = {0};
	struct probe p;
	int fds[2];

	if (pipe(fds) < 0 || write(fds[1], "x", 1) != 1)
		return;
	deferred_init(&eager.deferred, again);
	eager.deferred.priority = PRIORITY_FIRST;
	deferred_start(r, &eager.deferred);
	p = probe_of(fds[0], IO_READ);
	p.io.priority = PRIORITY_LAST;
	io_start(r, &p.io);
	turns(r, 5);
	SAME(eager.calls, 5, "%s: a deferred call that starts itself runs once a turn", backend);
	SAME(p.calls, 5, "%s: and starves nobody", backend);
	deferred_stop(r, &eager.deferred);
	reactor_free(r);
	close(fds[0]);
	close(fds[1]);
}

/* ---- timers ---------------------------------------------------------------------------------- */

struct tick {
	struct timer timer;
	int calls, again;
	int64_t late;
};

static void on_tick(struct reactor *r, struct timer *t)
{
	struct tick *tick = CONTAINER_OF(t, struct tick, timer);

	tick->calls++;
	tick->late = clock_read((enum reactor_clock)t->clock) - t->deadline;
	if (tick->again-- > 0)
		timer_start_in(r, t, 0);
}

static void test_timers(void)
{
	static const enum reactor_clock clocks[] = {CLOCK_OF_LOOP, CLOCK_OF_BOOT, CLOCK_OF_WALL};
	struct reactor *r = reactor_here();

	for (int i = 0; i < 3; i++) {
		struct tick tick = {0}, never = {0};

		timer_init(&tick.timer, clocks[i], on_tick);
		timer_init(&never.timer, clocks[i], on_tick);
		timer_start_in(r, &never.timer, 1000000);
		timer_start_in(r, &tick.timer, 5000000);
		timer_stop(r, &never.timer);
		reactor_run(r);
		SAME(tick.calls, 1, "%s: a timer of clock %d fires once", backend, i);
		OK(tick.late >= 0, "%s: and never early", backend);
		SAME(never.calls, 0, "%s: a stopped one not at all", backend);
		timer_start_in(r, &tick.timer, 1000000);
		timer_start_in(r, &tick.timer, 5000000); /* put off */
		reactor_run(r);
		OK(tick.calls == 2 && tick.late >= 0, "%s: one put off fires later", backend);
	}
	reactor_free(r);
}

static void test_timer_of_its_own(void)
{
	struct reactor *r = reactor_here();
	struct tick tick = {.again = 3};

	timer_init(&tick.timer, CLOCK_OF_LOOP, on_tick);
	timer_start_in(r, &tick.timer, 0);
	reactor_turn(r, 0);
	SAME(tick.calls, 1, "%s: armed in its own callback, it runs in the next turn", backend);
	turns(r, 5);
	SAME(tick.calls, 4, "%s: and in the ones after", backend);
	reactor_free(r);
}

/* ---- signals --------------------------------------------------------------------------------- */

struct heard {
	struct signal_watcher watcher;
	int calls, sum;
	pid_t pid;
};

static void on_heard(struct reactor *r, struct signal_watcher *w, const struct signal_info *info)
{
	struct heard *h = CONTAINER_OF(w, struct heard, watcher);

	(void)r;
	h->calls++;
	h->sum += info->value;
	h->pid = info->pid;
}

static void test_signals(void)
{
	struct reactor *r = reactor_here();
	struct heard a = {0}, b = {0};

	signal_init(&a.watcher, SIGRTMIN + 1, on_heard);
	signal_init(&b.watcher, SIGRTMIN + 1, on_heard);
	SAME(signal_start(r, &a.watcher), 0, "%s: a signal is watched", backend);
	signal_start(r, &b.watcher);
	for (int i = 1; i <= 500; i++)
		sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = i});
	turns(r, 2);
	SAME(a.calls, 500, "%s: none of 500 queued signals is lost", backend);
	OK(a.sum == 500 * 501 / 2 && b.sum == a.sum, "%s: nor are their values", backend);
	SAME(a.pid, getpid(), "%s: the sender is told", backend);
	signal_stop(r, &a.watcher);
	signal_stop(r, &b.watcher);
	signal_init(&a.watcher, SIGKILL, on_heard);
	SAME(signal_start(r, &a.watcher), -1, "%s: KILL cannot be watched", backend);
	reactor_free(r);
}

/* ---- children, wake-ups, fork ---------------------------------------------------------------- */

struct child {
	struct child_watcher watcher;
	int status, calls;
};

static void on_child(struct reactor *r, struct child_watcher *w, int status)
{
	struct child *c = CONTAINER_OF(w, struct child, watcher);

	(void)r;
	c->calls++;
	c->status = status;
}

static pid_t spawn(int status)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(status);
	return pid;
}

static void test_children(bool adopt)
{
	struct reactor *r = reactor_here();
	struct child children[20] = {0};
	int wrong = 0;

	if (adopt)
		reactor_reap_orphans(r);
	for (int i = 0; i < 20; i++) {
		child_init(&children[i].watcher, spawn(i), on_child);
		child_start(r, &children[i].watcher, -1);
	}
	reactor_run(r);
	for (int i = 0; i < 20; i++)
		wrong += children[i].calls != 1 || WEXITSTATUS(children[i].status) != i;
	SAME(wrong, 0, "%s: every child's end is told once, with its status%s", backend,
	     adopt ? ", orphans or not" : "");
	SAME(waitpid(-1, NULL, WNOHANG), -1, "%s: no zombie is left", backend);
	reactor_free(r);
}

struct woken {
	struct waker waker;
	struct reactor *reactor;
	int calls;
};

static void on_wake(struct reactor *r, struct waker *w)
{
	CONTAINER_OF(w, struct woken, waker)->calls++;
	reactor_stop(r);
}

static void *wake_it(void *waker)
{
	waker_wake(waker);
	return NULL;
}

static void test_waker(void)
{
	struct reactor *r = reactor_here();
	struct woken w = {0};
	struct timer forever;
	pthread_t thread;

	waker_init(&w.waker, on_wake);
	waker_start(r, &w.waker);
	timer_init(&forever, CLOCK_OF_LOOP, NULL);
	timer_start_in(r, &forever, INT64_MAX);
	pthread_create(&thread, NULL, wake_it, &w.waker);
	reactor_run(r);
	pthread_join(thread, NULL);
	SAME(w.calls, 1, "%s: another thread wakes the loop", backend);
	timer_stop(r, &forever);
	waker_stop(r, &w.waker);
	reactor_free(r);
}

static void test_fork(void)
{
	struct reactor *r = reactor_here();
	struct probe p;
	int fds[2], status;
	pid_t pid;

	if (pipe(fds) < 0)
		return;
	p = probe_of(fds[0], IO_READ);
	io_start(r, &p.io);
	turns(r, 1);
	pid = fork();
	if (pid == 0) {
		reactor_reinit(r);
		if (write(fds[1], "x", 1) != 1)
			_exit(9);
		turns(r, 1);
		io_stop(r, &p.io);
		turns(r, 1);
		reactor_free(r);
		_exit(p.calls);
	}
	waitpid(pid, &status, 0);
	SAME(WEXITSTATUS(status), 1, "%s: the child's loop works after fork", backend);
	turns(r, 1);
	SAME(p.calls, 1, "%s: and the parent's is not disturbed by it", backend);
	reactor_free(r);
	close(fds[0]);
	close(fds[1]);
}

static void on_timeout(struct reactor *r, struct probe *p)
{
	if (p->last & IO_TIMEOUT)
		reactor_stop(r);
}

static void test_io_timeout(void)
{
	struct reactor *r = reactor_here();
	struct io_timeout t;
	struct probe p;
	int fds[2];

	if (pipe(fds) < 0)
		return;
	p = probe_of(fds[0], IO_READ);
	p.act = on_timeout;
	io_start(r, &p.io);
	io_set_timeout(r, &p.io, &t, 3000000);
	reactor_run(r);
	SAME(p.last, IO_TIMEOUT, "%s: an idle descriptor times out", backend);
	io_stop(r, &p.io);
	reactor_run(r);
	OK(true, "%s: with nothing started the loop ends", backend);
	reactor_free(r);
	close(fds[0]);
	close(fds[1]);
}

static void test_backend(void)
{
	test_level();
	test_once_and_interest();
	test_files();
	test_stopping_inside();
	test_changed_inside();
	test_reuse();
	test_live_duplicate();
	test_refused();
	test_priorities();
	test_starvation();
	test_timers();
	test_timer_of_its_own();
	test_signals();
	test_children(false);
	test_children(true);
	test_waker();
	test_fork();
	test_io_timeout();
	test_many();
}

int main(void)
{
	const char *asked = getenv("BACKENDS"); /* only these, where it is set */
	struct error e;

	for (const struct backend_info *b = reactor_backends(); b->name; b++) {
		backend = b->name;
		if (asked && !strstr(asked, backend))
			SKIP("not asked for", "%s works", backend);
		else if (reactor_backend_works(backend, &e))
			test_backend();
		else
			SKIP(e.what, "%s works here", backend);
	}
	backend = "nope";
	OK(!reactor_new(&(struct reactor_config){backend}, &e) && strstr(e.hint, "epoll"),
	   "an unknown backend is refused, with those that work: %s", e.hint);
	return tap_done();
}
