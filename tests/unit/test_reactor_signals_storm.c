/* lib/reactor: signals that come faster than they are told: none is lost, and they starve nobody.
 */
#include "reactor_heard.h"

#include <limits.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <ucontext.h>

static void check_order(struct reactor *r, struct heard *h)
{
	(void)r;
	h->again += h->last.value != h->calls; /* out of its order */
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

/* ---- a storm from another process: nothing that the loop does can slow it down --------------- */

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
	pid = fork();
	if (pid == 0)
		send_storm(s, getppid(), number);
	while (!a->calls) /* what was over before the storm began has stood nothing */
		reactor_turn(r, -1);
	bystander_start(r, &b, s);
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

static const struct conformance cases[] = {
    {"storm", test_storm},
    {"storm of standard signals", test_storm_of_standard},
    {"stopped in a storm", test_stopped_in_a_storm},
    {"in a child", test_in_a_child},
    {"storm starves nobody", test_storm_starves_nobody},
    {"storm from outside", test_storm_from_outside},
    {0},
};

static void block_as_the_loop_does(int number, siginfo_t *si, void *context)
{
	ucontext_t *interrupted = context;

	(void)si;
	sigaddset(&interrupted->uc_sigmask, number);
}

/* valgrind 3.19 gives back the mask that it took, whatever the handler leaves in its place. */
static bool mask_of_a_handler_holds(void)
{
	struct sigaction action = {.sa_sigaction = block_as_the_loop_does, .sa_flags = SA_SIGINFO};
	sigset_t set;
	bool holds;

	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	holds = is_blocked(SIGUSR1);
	signal(SIGUSR1, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	return holds;
}

int main(void)
{
	if (mask_of_a_handler_holds())
		return conformance_run(cases);
	SKIP("what a handler leaves in uc_sigmask is not obeyed here (valgrind)",
	     "storms are blocked by their handler");
	return tap_done();
}
