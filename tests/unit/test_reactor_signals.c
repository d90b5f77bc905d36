/* lib/reactor: signals: none is lost, none is told to the wrong one, and they starve nobody. */
#include "reactor_suite.h"

#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>

struct heard {
	struct signal_watcher watcher;
	int calls, sum, again;
	struct signal_info last;
	void (*act)(struct reactor *r, struct heard *h);
	struct heard *other;
};

static void on_heard(struct reactor *r, struct signal_watcher *w, const struct signal_info *info)
{
	struct heard *h = CONTAINER_OF(w, struct heard, watcher);

	h->calls++;
	h->sum += info->value;
	h->last = *info;
	if (h->act)
		h->act(r, h);
}

static void hear(struct reactor *r, struct heard *h, int number)
{
	*h = (struct heard){0};
	signal_init(&h->watcher, number, on_heard);
	if (signal_start(r, &h->watcher) < 0)
		bail_out("signal_start");
}

/* ---- what is told ---------------------------------------------------------------------------- */

static void test_queued(void)
{
	struct reactor *r = reactor_here();
	struct heard a, b;

	hear(r, &a, SIGRTMIN + 1);
	hear(r, &b, SIGRTMIN + 1);
	for (int i = 1; i <= 500; i++)
		sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = i});
	turns(r, 30);
	EQUAL(a.calls, 500, "none of 500 queued signals is lost");
	HOLDS(a.sum == 500 * 501 / 2 && b.sum == a.sum, "nor are their values, for two watchers");
	EQUAL(a.last.pid, getpid(), "the sender is told");
	EQUAL(a.last.uid, (int)getuid(), "and its user");
	EQUAL(a.last.code, SI_QUEUE, "and how it was sent");
	raise(SIGRTMIN + 1);
	turns(r, 2);
	HOLDS(a.calls == 501 && a.last.value == 0 && a.last.pid == getpid(),
	      "a plain one has a sender and no value");
	reactor_free(r);
}

static void test_refused(void)
{
	static const int not_signals[] = {SIGKILL, SIGSTOP, 0, -1, 65, 1000};
	struct reactor *r = reactor_here();
	struct signal_watcher w;

	for (size_t i = 0; i < sizeof not_signals / sizeof *not_signals; i++) {
		signal_init(&w, not_signals[i], on_heard);
		errno = 0;
		SAME(signal_start(r, &w) == -1 && errno == EINVAL, 1,
		     "%s: signal %d cannot be watched", backend, not_signals[i]);
		HOLDS(!w.started, "and is not started");
	}
	reactor_run(r);
	HOLDS(true, "nor does it keep the loop running");
	reactor_free(r);
}

static volatile sig_atomic_t former_calls;

static void former_handler(int number)
{
	(void)number;
	former_calls++;
}

static void test_former(void)
{
	struct reactor *r = reactor_here();
	struct heard a, b;

	signal(SIGUSR2, former_handler);
	former_calls = 0;
	hear(r, &a, SIGUSR2);
	hear(r, &b, SIGUSR2);
	HOLDS(reactor_signal_watched(r, SIGUSR2), "a watched signal is known as such");
	raise(SIGUSR2);
	turns(r, 2);
	HOLDS(former_calls == 0 && a.calls == 1, "while it is watched the former handler rests");
	signal_stop(r, &a.watcher);
	raise(SIGUSR2);
	turns(r, 2);
	HOLDS(former_calls == 0 && a.calls == 1 && b.calls == 2, "one of two may stop");
	signal_stop(r, &b.watcher);
	raise(SIGUSR2);
	turns(r, 2);
	EQUAL(former_calls, 1, "the last one gives the former handler back");
	HOLDS(!reactor_signal_watched(r, SIGUSR2), "and it is not watched any more");
	hear(r, &a, SIGUSR2);
	reactor_free(r);
	raise(SIGUSR2);
	EQUAL(former_calls, 2, "so does the end of the reactor");
	signal(SIGUSR2, SIG_DFL);
}

static bool drop_odd(void *context, const struct signal_info *info)
{
	++*(int *)context;
	return info->value % 2 == 0;
}

static void test_filter(void)
{
	struct signal_info made_up = {.number = SIGRTMIN + 1, .value = 7};
	struct reactor *r = reactor_here();
	struct heard a;
	int asked = 0;

	hear(r, &a, SIGRTMIN + 1);
	reactor_filter_signals(r, drop_odd, &asked);
	for (int i = 1; i <= 10; i++)
		sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = i});
	turns(r, 2);
	HOLDS(asked == 10 && a.calls == 5 && a.sum == 30, "a filter drops what it does not want");
	reactor_signal_deliver(r, &made_up);
	EQUAL(a.sum, 37, "what is delivered by hand is told as if it had arrived");
	made_up.number = 65;
	reactor_signal_deliver(r, &made_up);
	EQUAL(a.calls, 6, "a number that is no signal is told to nobody");
	reactor_free(r);
}

/* ---- inside callbacks ------------------------------------------------------------------------ */

static void raise_again(struct reactor *r, struct heard *h)
{
	(void)r;
	if (h->again-- > 0)
		raise(h->watcher.number);
}

static void test_in_its_own_callback(void)
{
	struct reactor *r = reactor_here();
	struct heard a;

	hear(r, &a, SIGUSR1);
	a.act = raise_again;
	a.again = 10;
	raise(SIGUSR1);
	turns(r, 30);
	EQUAL(a.calls, 11, "a signal that arrives while its own callback runs is not lost");
	reactor_free(r);
}

static void stop_both(struct reactor *r, struct heard *h)
{
	signal_stop(r, &h->watcher);
	signal_stop(r, &h->other->watcher);
}

static void free_heard(struct reactor *r, struct heard *h)
{
	signal_stop(r, &h->watcher);
	free(h);
}

static void test_stopped_inside(void)
{
	struct reactor *r = reactor_here();
	struct heard a, b, c, *own = malloc(sizeof *own);

	hear(r, &a, SIGUSR1);
	hear(r, &b, SIGUSR1);
	a.act = b.act = stop_both;
	a.other = &b;
	b.other = &a;
	hear(r, &c, SIGUSR1);
	hear(r, own, SIGUSR1);
	own->act = free_heard;
	raise(SIGUSR1);
	turns(r, 2);
	EQUAL(a.calls + b.calls, 1, "a watcher that another stopped in its callback is not called");
	EQUAL(c.calls, 1, "one beside a watcher that was freed in its callback is");
	raise(SIGUSR1);
	turns(r, 2);
	HOLDS(a.calls + b.calls == 1 && c.calls == 2, "and goes on");
	reactor_free(r);
}

/* ---- storms ---------------------------------------------------------------------------------- */

static void check_order(struct reactor *r, struct heard *h)
{
	(void)r;
	h->again += h->last.value != h->calls; /* out of its order */
}

/* Turns until nothing more is told. */
static void drain(struct reactor *r, const struct heard *h)
{
	for (int idle = 0, before = -1; idle < 5; idle = h->calls == before ? idle + 1 : 0) {
		before = h->calls;
		turns(r, 1);
	}
}

static bool is_blocked(int number)
{
	sigset_t set;

	pthread_sigmask(SIG_SETMASK, NULL, &set);
	return sigismember(&set, number);
}

/* More than the ring holds: nothing reads it meanwhile. */
static void test_storm(void)
{
	enum { STORM = 50000 };
	struct reactor *r = reactor_here();
	struct heard a;
	int sent = 0;

	hear(r, &a, SIGRTMIN + 1);
	a.act = check_order;
	for (int i = 0; i < STORM; i++) /* the kernel may queue less: then we are told */
		sent +=
		    sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = sent + 1}) == 0;
	HOLDS(sent >= 2000, "a storm comes");
	drain(r, &a);
	EQUAL(a.calls, sent, "none of 50,000 signals is lost, though no ring holds as many");
	HOLDS(a.again == 0 && a.last.pid == getpid(), "nor their order, value and sender");
	HOLDS(!is_blocked(SIGRTMIN + 1), "afterwards it is not blocked");
	reactor_free(r);
}

/* Signals without a queue are merged by the kernel while they are blocked. */
static void test_storm_of_standard(void)
{
	struct reactor *r = reactor_here();
	struct heard a;

	hear(r, &a, SIGUSR1);
	for (int i = 0; i < 1000; i++)
		raise(SIGUSR1);
	drain(r, &a);
	EQUAL(a.calls, 1000, "1,000 that have no queue are told, each of them");
	for (int i = 0; i < 5000; i++)
		raise(SIGUSR1);
	drain(r, &a);
	HOLDS(a.calls > 2000 && a.calls <= 6000, "of 5,000 some may be merged");
	raise(SIGUSR1);
	drain(r, &a);
	HOLDS(!is_blocked(SIGUSR1), "it goes on afterwards");
	reactor_free(r);
}

static void test_stopped_in_a_storm(void)
{
	struct reactor *r = reactor_here();
	struct heard a, other;

	signal(SIGUSR2, former_handler);
	former_calls = 0;
	hear(r, &a, SIGUSR2);
	hear(r, &other, SIGUSR1);
	for (int i = 0; i < 5000; i++)
		raise(SIGUSR2);
	HOLDS(is_blocked(SIGUSR2), "a signal whose storm nobody reads is blocked");
	signal_stop(r, &a.watcher);
	HOLDS(!is_blocked(SIGUSR2), "not any more when it is not watched");
	EQUAL(former_calls, 0, "what was left of the storm is told to nobody");
	for (int i = 0; i < 5000; i++)
		raise(SIGUSR1);
	HOLDS(is_blocked(SIGUSR1), "so is another");
	reactor_free(r);
	HOLDS(!is_blocked(SIGUSR1), "not any more when the reactor is freed");
	signal(SIGUSR2, SIG_DFL);
}

/* It has what the parent had, but for what is told. */
static void test_in_a_child(void)
{
	struct reactor *r = reactor_here();
	struct heard a;
	int status;
	pid_t pid;

	hear(r, &a, SIGUSR1);
	pid = fork();
	if (pid == 0) {
		raise(SIGUSR1);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	turns(r, 2);
	EQUAL(a.calls, 0,
	      "what a child is sent before it executes another program is not told here");
	for (int i = 0; i < 1100; i++)
		raise(SIGUSR1);
	pid = fork();
	if (pid == 0) {
		if (!is_blocked(SIGUSR1) || reactor_reinit(r) < 0 || is_blocked(SIGUSR1))
			_exit(9);
		raise(SIGUSR1);
		raise(SIGUSR1);
		drain(r, &a);
		_exit(a.calls);
	}
	waitpid(pid, &status, 0);
	EQUAL(WEXITSTATUS(status), 2,
	      "a child with a loop of its own is told its own, and no others");
	drain(r, &a);
	HOLDS(a.calls >= 1000 && a.calls <= 1100, "and the parent its own");
	reactor_free(r);
}

/* Every call brings the next signal: the ring is never empty. */
static void test_storm_starves_nobody(void)
{
	struct reactor *r = reactor_here();
	struct probe p;
	struct heard a;
	int fds[2];

	stream_open(fds);
	hear(r, &a, SIGUSR1);
	a.act = raise_again;
	a.again = INT_MAX;
	for (int i = 0; i < 200; i++)
		raise(SIGUSR1);
	probe_start(r, &p, fds[0], IO_WRITE);
	p.io.priority = PRIORITY_LAST;
	turns(r, 10);
	HOLDS(a.calls >= 200, "a storm of signals is told");
	EQUAL(p.calls, 10, "and starves no descriptor");
	reactor_free(r);
	close_both(fds);
}

/* ---- a storm from another process: nothing that the loop does can slow it down ------------------
 */

/* Shared with the sender. */
struct storm {
	atomic_bool over;    /* the loop has seen enough */
	atomic_bool gave_up; /* the sender has not been told so for all of PATIENCE */
	atomic_int sent, sum;
};

struct bystander {
	struct timer timer;
	struct probe probe;
	struct storm *storm;
	int fired, fds[2];
};

enum { ENOUGH = 20 };
#define PATIENCE INT64_C(10000000000)

static _Noreturn void send_storm(struct storm *s, pid_t to, int number)
{
	int64_t end = clock_read(CLOCK_OF_LOOP) + PATIENCE;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 1; !s->over && !s->gave_up; i++) {
		int value = i % 7;

		if (sigqueue(to, number, (union sigval){.sival_int = value}) == 0) {
			s->sent++;
			s->sum += value;
		}
		s->gave_up = clock_read(CLOCK_OF_LOOP) > end;
	}
	_exit(0);
}

/* Each time it fires it has the descriptor become readable, once. */
static void on_bystander(struct reactor *r, struct timer *t)
{
	struct bystander *b = CONTAINER_OF(t, struct bystander, timer);

	put(b->fds[1], "x");
	if (++b->fired < ENOUGH)
		timer_start_in(r, t, 1000000);
}

static void take_one(struct reactor *r, struct probe *p)
{
	struct bystander *b = CONTAINER_OF(p, struct bystander, probe);

	(void)r;
	take(p->io.fd, 1);
	b->storm->over = p->calls >= ENOUGH;
}

static void bystander_start(struct reactor *r, struct bystander *b, struct storm *s)
{
	*b = (struct bystander){.storm = s};
	pipe_open(b->fds);
	probe_start(r, &b->probe, b->fds[0], IO_READ);
	b->probe.act = take_one;
	timer_init(&b->timer, CLOCK_OF_LOOP, on_bystander);
	timer_start_in(r, &b->timer, 1000000);
}

static void storm_from_outside(int number, struct heard *a, struct storm *s)
{
	struct reactor *r = reactor_here();
	struct bystander b;
	pid_t pid;

	hear(r, a, number);
	bystander_start(r, &b, s);
	pid = fork();
	if (pid == 0)
		send_storm(s, getppid(), number);
	while (!s->over && !s->gave_up)
		reactor_turn(r, -1);
	EQUAL(b.probe.calls, ENOUGH,
	      "a storm from another process starves no timer, no descriptor");
	waitpid(pid, NULL, 0);
	for (int idle = 0, before = a->calls; idle < 100;
	     idle = a->calls == before ? idle + 1 : 0) {
		before = a->calls;
		turns(r, 1);
	}
	reactor_free(r);
	close_both(b.fds);
}

static void test_storm_from_outside(void)
{
	struct storm *s =
	    mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct heard a;

	if (s == MAP_FAILED)
		bail_out("mmap");
	storm_from_outside(SIGRTMIN + 1, &a, s);
	HOLDS(a.calls == s->sent && a.sum == s->sum,
	      "all that were queued are told, each with its value");
	*s = (struct storm){0};
	storm_from_outside(SIGUSR1, &a, s);
	HOLDS(a.calls > 0 && a.calls <= s->sent, "nor does one of a signal that is not queued");
	munmap(s, sizeof *s);
}

/* A mask handed to epoll_pwait would never let a handler run while something is ready. */
static void test_beside_always_ready(void)
{
	struct reactor *r = reactor_here();
	struct probe p;
	struct heard a;
	int fds[2];

	stream_open(fds);
	probe_start(r, &p, fds[0], IO_WRITE);
	hear(r, &a, SIGUSR1);
	for (int i = 1; i <= 100; i++) {
		raise(SIGUSR1);
		turns(r, 1);
	}
	turns(r, 1);
	EQUAL(a.calls, 100, "signals are told though something is always ready");
	HOLDS(p.calls >= 100, "and that is told as well");
	reactor_free(r);
	close_both(fds);
}

static char order[8];

static void log_signal(struct reactor *r, struct heard *h)
{
	(void)r;
	(void)h;
	strcat(order, "s");
}

static void test_first(void)
{
	struct reactor *r = reactor_here();
	struct probe p;
	struct heard a;
	int fds[2];

	stream_open(fds);
	hear(r, &a, SIGUSR1);
	turns(r, 2);
	order[0] = '\0';
	a.act = log_signal;
	probe_start(r, &p, fds[0], IO_WRITE);
	p.log = order;
	p.letter = 'd';
	raise(SIGUSR1);
	turns(r, 1);
	SAME_TEXT(order, "sd", "%s: signals are told before what else is ready", backend);
	reactor_free(r);
	close_both(fds);
}

/* ---- interrupted waits ----------------------------------------------------------------------- */

static void on_alarm(int number)
{
	(void)number;
	former_calls++;
}

static void note_time(struct reactor *r, struct timer *t)
{
	t->deadline = clock_read(CLOCK_OF_LOOP) - t->deadline; /* late by */
	reactor_stop(r);
}

static void test_interrupted(void)
{
	struct sigaction action = {.sa_handler = on_alarm}, before;
	struct itimerval often = {{0, 2000}, {0, 2000}}, never = {{0, 0}, {0, 0}};
	struct reactor *r = reactor_here();
	struct timer t;
	int result;

	sigaction(SIGALRM, &action, &before);
	former_calls = 0;
	timer_init(&t, CLOCK_OF_LOOP, note_time);
	timer_start_in(r, &t, 30000000);
	setitimer(ITIMER_REAL, &often, NULL);
	result = reactor_run(r);
	setitimer(ITIMER_REAL, &never, NULL);
	signal(SIGALRM, SIG_IGN); /* valgrind may have one to deliver yet: it must not end us */
	sigaction(SIGALRM, &before, NULL);
	HOLDS(result == 0 && former_calls > 0, "a wait that a foreign handler interrupts goes on");
	HOLDS(t.deadline >= 0, "and no timer is early for it");
	reactor_free(r);
}

static const struct conformance cases[] = {
    {"queued", test_queued},
    {"no signals", test_refused},
    {"former handler", test_former},
    {"filter", test_filter},
    {"in its own callback", test_in_its_own_callback},
    {"stopped in a callback", test_stopped_inside},
    {"storm", test_storm},
    {"storm of standard signals", test_storm_of_standard},
    {"stopped in a storm", test_stopped_in_a_storm},
    {"in a child", test_in_a_child},
    {"storm starves nobody", test_storm_starves_nobody},
    {"storm from outside", test_storm_from_outside},
    {"beside something ready", test_beside_always_ready},
    {"first", test_first},
    {"EINTR", test_interrupted},
    {0},
};

int main(void)
{
	return conformance_run(cases);
}
