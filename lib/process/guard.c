/*
 * The two sides of the guard. See guard.h.
 *
 * What the two sides say to each other is little: the guardian sends a struct signal_info for every
 * signal it gets; the loop's process sends nothing. The end of the stream is the death of the
 * other.
 *
 * A terminal, or `pkill evwatch`, sends a signal to both processes; it must count once. What the
 * kernel itself sent (a terminal's INT) is taken from the guardian alone; of two that came both
 * ways from one sender within a moment, the second is dropped.
 */
#include "process/descendants.h"
#include "process/guard.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/units.h"
#include "reactor/reactor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum way { WAY_NONE, WAY_GUARDIAN, WAY_DIRECT };

/* A signal that came a moment ago. */
struct arrival {
	enum way way;
	int number;
	pid_t pid;
	int64_t time;
};

enum { ARRIVALS = 16 };

#define MOMENT (100 * NS_PER_MS) /* both copies of one kill(1) come closer than that */

struct guard {
	struct io_watcher io; /* of the pair's end */
	struct reactor *reactor;
	int fd;
	struct arrival arrivals[ARRIVALS];
	unsigned next_arrival;
	void (*lost)(void *context);
	void *context;
};

/* ---- the guardian ---------------------------------------------------------------------------- */

struct guardian {
	pid_t loop;
	int pair, signals;
};

/* Signals that the guardian hands on: all that can be caught, but those for itself alone. */
static void handed_on(sigset_t *set)
{
	static const int own[] = {SIGCHLD, SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT, SIGSEGV,
				  SIGBUS,  SIGFPE,  SIGILL,  SIGTRAP, SIGABRT};

	sigfillset(set);
	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		sigdelset(set, own[i]);
}

static void pass_signals(const struct guardian *g)
{
	struct signalfd_siginfo si;

	while (read(g->signals, &si, sizeof si) == (ssize_t)sizeof si) {
		struct signal_info info = {
		    .number = (int)si.ssi_signo,
		    .code = si.ssi_code,
		    .pid = (pid_t)si.ssi_pid,
		    .uid = si.ssi_uid,
		    .value = si.ssi_int,
		};

		if (info.number == SIGCHLD)
			continue;
		/* Blocking: the loop always reads, and a signal must not be lost. */
		while (send(g->pair, &info, sizeof info, MSG_NOSIGNAL) < 0 && errno == EINTR)
			;
	}
}

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

/* Ends as the loop ended: the shell sees the same status. */
static _Noreturn void end_alike(int status)
{
	struct rlimit no_core = {0, 0};
	sigset_t none;

	if (WIFEXITED(status))
		_exit(WEXITSTATUS(status));
	setrlimit(RLIMIT_CORE, &no_core);
	signal(WTERMSIG(status), SIG_DFL);
	sigemptyset(&none);
	raise(WTERMSIG(status));
	sigprocmask(SIG_SETMASK, &none, NULL);
	_exit(128 + WTERMSIG(status)); /* PID 1 cannot die of a signal */
}

static _Noreturn void guardian_run(const struct guardian *g)
{
	struct pollfd fds[] = {{.fd = g->signals, .events = POLLIN},
			       {.fd = g->pair, .events = POLLIN}};
	int status = 0;

	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			break;
		/* Signals first: one that came before the end is the reason for it. */
		pass_signals(g);
		if (loop_has_ended(g, &status))
			break;
		/* The pair ends with the loop's process, whose status then comes at once. */
		if (fds[1].revents & POLLHUP)
			fds[1].fd = -1;
	}
	descendants_end();
	end_alike(status);
}

static _Noreturn void guardian_main(pid_t loop, int pair)
{
	struct guardian g = {.loop = loop, .pair = pair};
	sigset_t set;

	handed_on(&set);
	sigaddset(&set, SIGCHLD);
	g.signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (g.signals < 0) {
		kill(loop, SIGKILL);
		_exit(1);
	}
	guardian_run(&g);
}

/* ---- the loop's side ------------------------------------------------------------------------- */

/* Goes on in the child, whose end of the pair it returns; the parent is the guardian from here. */
static int leave_guardian(void)
{
	sigset_t set, none;
	int pair[2];
	pid_t pid;

	if (descendants_adopt() < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	handed_on(&set);
	sigaddset(&set, SIGCHLD);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &set, NULL);
	pid = fork();
	if (pid > 0) {
		close(pair[0]);
		guardian_main(pid, pair[1]);
	}
	sigprocmask(SIG_SETMASK, &none, NULL);
	close(pair[1]);
	if (pid == 0 && descendants_adopt() == 0)
		return pair[0];
	fd_close(&pair[0]);
	return -1;
}

struct guard *guard_start(struct error *e)
{
	int pair = leave_guardian();
	struct guard *g = pair < 0 ? NULL : calloc(1, sizeof *g);

	if (!g) {
		error_errno(e, "cannot start the guardian");
		fd_close(&pair);
		return NULL;
	}
	g->fd = pair;
	return g;
}

/* Did the same signal of the same sender come the other way just now? Then this is its copy. */
static bool is_copy(struct guard *g, enum way way, const struct signal_info *info)
{
	int64_t now = clock_read(CLOCK_OF_LOOP);

	for (size_t i = 0; i < ARRIVALS; i++) {
		struct arrival *a = &g->arrivals[i];

		if (a->way == WAY_NONE || a->way == way || a->number != info->number ||
		    a->pid != info->pid || now - a->time > MOMENT)
			continue;
		a->way = WAY_NONE;
		return true;
	}
	g->arrivals[g->next_arrival++ % ARRIVALS] =
	    (struct arrival){way, info->number, info->pid, now};
	return false;
}

static bool filter_direct(void *context, const struct signal_info *info)
{
	if (info->number == SIGCHLD)
		return true;
	return info->code != SI_KERNEL && !is_copy(context, WAY_DIRECT, info);
}

/* A signal that nobody watches does here what it would have done to the guardian. */
static void take_signal(struct guard *g, const struct signal_info *info)
{
	if (info->pid && is_copy(g, WAY_GUARDIAN, info))
		return;
	if (reactor_signal_watched(g->reactor, info->number))
		reactor_signal_deliver(g->reactor, info);
	else
		raise(info->number);
}

static void on_guardian(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct guard *g = CONTAINER_OF(w, struct guard, io);
	struct signal_info info;
	ssize_t n;

	(void)ready;
	while ((n = recv(g->fd, &info, sizeof info, MSG_DONTWAIT)) == (ssize_t)sizeof info)
		take_signal(g, &info);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		io_stop(r, &g->io);
		g->lost(g->context);
	}
}

int guard_attach(struct guard *g, struct reactor *r, void (*lost)(void *context), void *context,
		 struct error *e)
{
	g->reactor = r;
	g->lost = lost;
	g->context = context;
	io_init(&g->io, g->fd, IO_READ, on_guardian);
	g->io.priority = PRIORITY_FIRST;
	if (io_start(r, &g->io) < 0)
		return error_errno(e, "cannot watch the guardian");
	reactor_filter_signals(r, filter_direct, g);
	return 0;
}

void guard_detach(struct guard *g)
{
	if (!g->reactor)
		return;
	reactor_filter_signals(g->reactor, NULL, NULL);
	io_stop(g->reactor, &g->io);
	g->reactor = NULL;
	/* The pair stays open until the process ends: its end is what the guardian waits for. */
}

void guard_free(struct guard *g)
{
	free(g);
}
