/* lib/reactor: signals: none is lost, none is told to the wrong one. */
#include "reactor_heard.h"

#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

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
		HOLDS(!w.started && !reactor_signal_watched(r, w.number), "and is not watched");
		reactor_signal_deliver(r, &(struct signal_info){.number = w.number});
	}
	reactor_run(r);
	HOLDS(true, "nor does it keep the loop running");
	reactor_free(r);
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
	hear(r, &b, SIGUSR2);
	reactor_free(r);
	raise(SIGUSR2);
	HOLDS(former_calls == 2 && !a.watcher.started && !b.watcher.started,
	      "so does the end of the reactor");
	signal(SIGUSR2, SIG_DFL);
}

/* A timer of the kernel's has a value and a number, where others have a sender. */
static void test_no_sender(void)
{
	struct sigevent event = {
	    .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 77};
	struct itimerspec soon = {.it_value.tv_nsec = 1};
	struct reactor *r = reactor_here();
	timer_t timers[2]; /* the second one's number is not 0 */
	struct heard a;

	hear(r, &a, SIGUSR1);
	if (timer_create(CLOCK_MONOTONIC, &event, &timers[0]) < 0 ||
	    timer_create(CLOCK_MONOTONIC, &event, &timers[1]) < 0)
		bail_out("timer_create");
	timer_settime(timers[1], 0, &soon, NULL);
	while (!a.calls)
		reactor_turn(r, -1);
	EQUAL(a.last.code, SI_TIMER, "the kernel's own signals are told");
	HOLDS(a.last.pid == 0 && a.last.uid == 0 && a.last.value == 0,
	      "without a sender or a value");
	timer_delete(timers[0]);
	timer_delete(timers[1]);
	reactor_free(r);
}

static void test_child(void)
{
	struct reactor *r = reactor_here();
	struct heard a;
	pid_t pid;

	hear(r, &a, SIGCHLD);
	pid = fork();
	if (pid == 0)
		_exit(0);
	while (!a.calls)
		reactor_turn(r, -1);
	EQUAL(a.last.pid, pid, "SIGCHLD tells which child it is about");
	waitpid(pid, NULL, 0);
	reactor_free(r);
}

/* What another reactor leaves behind harms nobody. */
static void test_two_reactors(void)
{
	struct reactor *r = reactor_here(), *other = reactor_here();
	struct heard a, b;

	hear(r, &a, SIGUSR1);
	hear(other, &b, SIGUSR2);
	reactor_free(other);
	errno = 0;
	raise(SIGUSR1);
	EQUAL(errno, 0, "a signal after another reactor's end does no harm");
	other = reactor_here();
	hear(other, &b, SIGUSR2);
	reactor_free(r);
	raise(SIGUSR2);
	turns(other, 2);
	EQUAL(b.calls, 1, "nor does the end of one to the next that watches");
	reactor_free(other);
	r = reactor_here();
	hear(r, &a, SIGUSR1);
	raise(SIGUSR1);
	turns(r, 2);
	EQUAL(a.calls, 1, "what came for one is not told to another");
	reactor_free(r);
}

/* Each loop hears every signal that it watches. */
static void test_both_hear(void)
{
	struct reactor *r = reactor_here(), *other = reactor_here();
	struct heard a, b, alone;

	signal(SIGUSR1, former_handler);
	former_calls = 0;
	hear(r, &a, SIGUSR1);
	hear(other, &b, SIGUSR1);
	hear(other, &alone, SIGUSR2);
	raise(SIGUSR1);
	raise(SIGUSR2);
	turns(r, 2);
	turns(other, 2);
	HOLDS(a.calls == 1 && b.calls == 1, "a signal is heard by both loops that watch it");
	EQUAL(alone.calls, 1, "and one that one of them watches by this one");
	reactor_free(r);
	raise(SIGUSR1);
	turns(other, 2);
	HOLDS(b.calls == 2 && former_calls == 0, "the end of one does not end it for the other");
	reactor_free(other);
	raise(SIGUSR1);
	EQUAL(former_calls, 1, "the last one gives the former handler back");
	signal(SIGUSR1, SIG_DFL);
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

/* ---- beside descriptors ---------------------------------------------------------------------- */

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

static void start_at(struct reactor *r, struct heard *h, int number, unsigned priority)
{
	*h = (struct heard){0};
	signal_init(&h->watcher, number, on_heard);
	h->watcher.priority = (uint8_t)priority;
	h->act = log_signal;
	if (signal_start(r, &h->watcher) < 0)
		bail_out("signal_start");
}

static void test_priority(void)
{
	struct reactor *r = reactor_here();
	struct probe p;
	struct heard first, last, beside;
	int fds[2];

	stream_open(fds);
	start_at(r, &last, SIGUSR1, PRIORITY_LAST);
	start_at(r, &first, SIGUSR2, PRIORITY_FIRST);
	start_at(r, &beside, SIGUSR1, PRIORITY_LAST);
	turns(r, 2);
	order[0] = '\0';
	probe_start(r, &p, fds[0], IO_WRITE);
	p.log = order;
	p.letter = 'd';
	p.act = stop_own;
	raise(SIGUSR1);
	raise(SIGUSR2);
	turns(r, 2);
	SAME_TEXT(order, "sdss", "%s: a signal is told in the turn of its watcher's priority",
		  backend);
	HOLDS(first.calls == 1 && last.calls == 1 && beside.calls == 1, "each of them once");
	reactor_free(r);
	close_both(fds);
}

static void stop_loop_and_other(struct reactor *r, struct heard *h)
{
	reactor_stop(r);
	if (h->other)
		signal_stop(r, &h->other->watcher);
}

/* What a stop leaves in the queues is told when the loop runs again, unless it is stopped. */
static void test_left_behind(void)
{
	struct reactor *r = reactor_here();
	struct heard a, b, c;

	hear(r, &a, SIGUSR1);
	hear(r, &b, SIGUSR1);
	hear(r, &c, SIGUSR1);
	c.act = stop_loop_and_other; /* the last that was started comes first */
	c.other = &b;
	raise(SIGUSR1);
	reactor_run(r);
	HOLDS(c.calls == 1 && a.calls == 0, "the loop stops after the callback");
	raise(SIGUSR1);
	c.other = NULL;
	reactor_run(r);
	HOLDS(a.calls == 1 && b.calls == 0, "what it left is told when it runs again");
	turns(r, 3);
	HOLDS(a.calls == 2 && c.calls == 2, "and so is what came meanwhile");
	raise(SIGUSR1);
	reactor_run(r);
	reactor_free(r);
	HOLDS(!a.watcher.started && !c.watcher.started, "or nobody is, where the reactor is freed");
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

/* What does not wait in the loop goes on as if there had been no signal. */
static void test_restarted(void)
{
	struct reactor *r = reactor_here();
	struct heard a;
	char byte;
	int fds[2];
	pid_t pid;

	pipe_open(fds);
	hear(r, &a, SIGUSR1);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 20; i++) {
			kill(getppid(), SIGUSR1);
			usleep(1000);
		}
		_exit(write(fds[1], "x", 1) != 1);
	}
	EQUAL((int)read(fds[0], &byte, 1), 1, "a signal interrupts no read of a callback's");
	waitpid(pid, NULL, 0);
	drain(r, &a);
	HOLDS(a.calls > 0, "and is told");
	reactor_free(r);
	close_both(fds);
}

static const struct conformance cases[] = {
    {"queued", test_queued},
    {"no signals", test_refused},
    {"former handler", test_former},
    {"no sender", test_no_sender},
    {"child", test_child},
    {"two reactors", test_two_reactors},
    {"both hear", test_both_hear},
    {"filter", test_filter},
    {"in its own callback", test_in_its_own_callback},
    {"stopped in a callback", test_stopped_inside},
    {"beside something ready", test_beside_always_ready},
    {"first", test_first},
    {"priority", test_priority},
    {"left behind", test_left_behind},
    {"EINTR", test_interrupted},
    {"restarted", test_restarted},
    {0},
};

int main(void)
{
	return conformance_run(cases);
}
