/* See guardian.h. */
#include "process/guardian.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/units.h"
#include "process/descendants.h"
#include "process/keep_terminal.h"
#include "process/notify.h"
#include "process/user.h"
#include "reactor/reactor.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE   (2 * NS_PER_S)    /* for the loop to take what is urgent */
#define SECOND_INT (500 * NS_PER_MS) /* after the first: sooner it is the same one, sent twice */

enum {
	HELD = 8
}; /* signals that the pair has no room for; one of each urgent number, and others */

struct guardian {
	pid_t loop;
	int pair;
	int urgent;  /* signalfd: those that are read even when the pair is full, and SIGCHLD */
	int signals; /* signalfd: the rest; what the pair has no room for waits in the kernel */
	uint64_t claimed;
	struct signal_info held[HELD];
	size_t n_held;
	int64_t first_int;       /* 0: none yet */
	int64_t deadline;        /* 0: nothing urgent is open */
	int asked;               /* the urgent signal */
	bool killed;             /* for want of an answer */
	const struct user *user; /* NULL: privileges are kept */
	struct kept_terminal terminal;
};

/* ---- signals --------------------------------------------------------------------------------- */

static const int of_faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT};
static const int of_urgency[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP};

void guardian_signals(sigset_t *set)
{
	sigfillset(set);
	sigdelset(set, SIGCHLD);
	for (size_t i = 0; i < sizeof of_faults / sizeof *of_faults; i++)
		sigdelset(set, of_faults[i]);
	for (int number = 1; number <= 64; number++)
		if (signal_bit(number) & OF_JOBS)
			sigdelset(set, number);
}

static void urgent_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	for (size_t i = 0; i < sizeof of_urgency / sizeof *of_urgency; i++)
		sigaddset(set, of_urgency[i]);
}

/* All that are not urgent, and those of job control that a rule watches. */
static void other_signals(const struct guardian *g, sigset_t *set)
{
	guardian_signals(set);
	for (size_t i = 0; i < sizeof of_urgency / sizeof *of_urgency; i++)
		sigdelset(set, of_urgency[i]);
	for (int number = 1; number <= 64; number++)
		if (signal_bit(number) & OF_JOBS & g->claimed)
			sigaddset(set, number);
}

static void claim(struct guardian *g, uint64_t claimed)
{
	sigset_t set;

	g->claimed = claimed;
	other_signals(g, &set);
	signalfd(g->signals, &set, 0);
	for (size_t i = 0; i < sizeof of_urgency / sizeof *of_urgency; i++)
		sigaddset(&set, of_urgency[i]);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_SETMASK, &set, NULL);
}

static bool read_signal(int fd, struct signal_info *info)
{
	struct signalfd_siginfo si;

	if (read(fd, &si, sizeof si) != (ssize_t)sizeof si)
		return false;
	*info = (struct signal_info){
	    .number = (int)si.ssi_signo,
	    .code = si.ssi_code,
	    .pid = (pid_t)si.ssi_pid,
	    .uid = si.ssi_uid,
	    .value = si.ssi_int,
	};
	return true;
}

/* ---- to the loop ----------------------------------------------------------------------------- */

/* True: it is sent, or nobody will ever read it. */
static bool send_signal(const struct guardian *g, const struct signal_info *info)
{
	ssize_t n;

	do
		n = send(g->pair, info, sizeof *info, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n >= 0 || (errno != EAGAIN && errno != ENOBUFS);
}

static void send_held(struct guardian *g)
{
	size_t sent = 0;

	while (sent < g->n_held && send_signal(g, &g->held[sent]))
		sent++;
	g->n_held -= sent;
	memmove(g->held, g->held + sent, g->n_held * sizeof *g->held);
}

/* One of each number is enough of what is held, as the kernel has it. */
static void hand_on(struct guardian *g, const struct signal_info *info)
{
	if (!g->n_held && send_signal(g, info))
		return;
	for (size_t i = 0; i < g->n_held; i++)
		if (g->held[i].number == info->number)
			return;
	if (g->n_held < HELD)
		g->held[g->n_held++] = *info;
}

/* Does it ask for an end that the loop must not put off? */
static bool is_ultimate(struct guardian *g, const struct signal_info *info)
{
	int64_t now = clock_read(CLOCK_OF_LOOP);

	if (info->number != SIGINT)
		return info->number == SIGTERM;
	if (!g->first_int)
		g->first_int = now;
	return now - g->first_int >= SECOND_INT;
}

static void pass_urgent(struct guardian *g)
{
	struct signal_info info;

	while (read_signal(g->urgent, &info)) {
		if (info.number == SIGCHLD)
			continue;
		if (is_ultimate(g, &info) && !g->deadline) {
			g->deadline = clock_read(CLOCK_OF_LOOP) + PATIENCE;
			g->asked = info.number;
		}
		hand_on(g, &info);
	}
}

/* The loop stops its own job when a command of the foreground stops (terminal.h): that is no event.
 */
static bool is_own(const struct guardian *g, const struct signal_info *info)
{
	return info->pid == g->loop && info->code <= 0 &&
	       (info->number == SIGTSTP || info->number == SIGCONT);
}

static void pass_others(struct guardian *g)
{
	struct signal_info info;

	while (!g->n_held && read_signal(g->signals, &info))
		if (!is_own(g, &info))
			hand_on(g, &info);
}

static void hear_loop(struct guardian *g)
{
	struct guard_message m;

	while (recv(g->pair, &m, sizeof m, MSG_DONTWAIT) == (ssize_t)sizeof m) {
		if (m.word == WORD_TAKEN)
			g->deadline = 0;
		else if (m.word == WORD_CLAIMED)
			claim(g, m.value);
		else if (m.word == WORD_NOTIFY)
			notify_send(m.text);
		else if (m.word == WORD_SCREEN)
			g->terminal.has_region = m.value != 0;
		else if (m.word == WORD_USER && g->user && user_become(g->user) < 0)
			kill(g->loop, SIGKILL); /* the loop could: nobody stays root behind it */
	}
}

/* ---- the end --------------------------------------------------------------------------------- */

/* Reaps orphans; true with *status once the loop's process has ended. */
static bool loop_has_ended(const struct guardian *g, int *status)
{
	bool ended = false;
	pid_t pid;
	int s;

	while ((pid = waitpid(-1, &s, WNOHANG)) > 0)
		if (pid == g->loop) {
			*status = s;
			ended = true;
		}
	return ended;
}

static void kill_late_loop(struct guardian *g)
{
	if (!g->deadline || clock_read(CLOCK_OF_LOOP) < g->deadline)
		return;
	log_error(
	    NULL,
	    "the event loop did not take %s within 2 s: it is killed, and all that it started",
	    g->asked == SIGTERM ? "TERM" : "a second INT");
	g->deadline = 0;
	g->killed = true;
	kill(g->loop, SIGKILL);
}

/* Ends as the loop ended: the shell sees the same status. */
static _Noreturn void end_alike(const struct guardian *g, int status)
{
	struct rlimit no_core = {0, 0};
	sigset_t none;
	int number;

	if (WIFEXITED(status) && !g->killed)
		_exit(WEXITSTATUS(status));
	number = g->killed ? g->asked : WTERMSIG(status);
	setrlimit(RLIMIT_CORE, &no_core);
	signal(number, SIG_DFL);
	sigemptyset(&none);
	raise(number);
	sigprocmask(SIG_SETMASK, &none, NULL);
	_exit(128 + number); /* PID 1 cannot die of a signal */
}

static int wait_of(const struct guardian *g)
{
	int64_t left = g->deadline - clock_read(CLOCK_OF_LOOP);

	if (!g->deadline)
		return -1;
	return left < 0 ? 0 : (int)(left / NS_PER_MS) + 1;
}

static _Noreturn void guardian_run(struct guardian *g)
{
	struct pollfd fds[] = {{.fd = g->urgent, .events = POLLIN},
			       {.fd = g->pair},
			       {.fd = g->signals, .events = POLLIN}};
	int status = 0;

	for (;;) {
		fds[1].events = g->n_held ? POLLIN | POLLOUT : POLLIN;
		fds[2].fd = g->n_held ? -1 : g->signals;
		if (poll(fds, 3, wait_of(g)) < 0 && errno != EINTR)
			break;
		send_held(g);
		/* Signals first: one that came before the end is the reason for it. */
		pass_urgent(g);
		pass_others(g);
		hear_loop(g);
		if (loop_has_ended(g, &status))
			break;
		/* The pair ends with the loop's process, whose status then comes at once. */
		if (fds[1].revents & POLLHUP)
			fds[1].fd = -1;
		kill_late_loop(g);
	}
	descendants_end();
	descendants_give_up();
	terminal_restore(&g->terminal);
	end_alike(g, status);
}

int guardian_open(int signals[2])
{
	const struct guardian none = {0};
	sigset_t urgent, others;

	urgent_signals(&urgent);
	other_signals(&none, &others);
	signals[0] = signalfd(-1, &urgent, SFD_NONBLOCK | SFD_CLOEXEC);
	signals[1] = signalfd(-1, &others, SFD_NONBLOCK | SFD_CLOEXEC);
	if (signals[0] >= 0 && signals[1] >= 0)
		return 0;
	guardian_close(signals);
	return -1;
}

void guardian_close(int signals[2])
{
	fd_close(&signals[0]);
	fd_close(&signals[1]);
}

_Noreturn void guardian_main(pid_t loop, int pair, const int signals[2], uint64_t claimed,
			     const struct user *user)
{
	struct guardian g = {
	    .loop = loop, .pair = pair, .urgent = signals[0], .signals = signals[1], .user = user};

	terminal_keep(&g.terminal);
	claim(&g, claimed);
	guardian_run(&g);
}
