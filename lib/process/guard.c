/*
 * The loop's side of the guard. See guard.h; the guardian's is in guardian.c.
 *
 * A terminal, or `pkill evwatch`, sends a signal to both processes; it must count once. What the
 * kernel itself sent (a terminal's INT) is taken from the guardian alone; of two that came both
 * ways from one sender within a moment, the second is dropped.
 */
#include "process/guard.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/units.h"
#include "process/descendants.h"
#include "process/guardian.h"
#include "reactor/reactor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
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
	pid_t guardian;
	uint64_t claimed; /* as the guardian has it */
	struct arrival arrivals[ARRIVALS];
	unsigned next_arrival;
	bool glanced;
	void (*lost)(void *context);
	void *context;
};

/* ---- the loop's side ------------------------------------------------------------------------- */

/*
 * A command may stop the guardian (the same user), and kill the loop then. The end of the loop
 * closes the last writer of a pipe that nobody writes to; the kernel says that to the guardian by
 * CONT (fcntl(2), F_SETSIG). -1 with errno: nothing is open.
 */
static int life_open(int life[2])
{
	if (pipe2(life, O_CLOEXEC) < 0)
		return -1;
	if (fcntl(life[0], F_SETSIG, SIGCONT) == 0 && fcntl(life[0], F_SETOWN, getpid()) == 0 &&
	    fcntl(life[0], F_SETFL, O_ASYNC) == 0)
		return 0;
	fd_close(&life[0]);
	fd_close(&life[1]);
	return -1;
}

/* What both sides are made of. -1 with errno: nothing is open. */
static int ends_open(int pair[2], int life[2], int signals[2])
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	if (life_open(life) == 0) {
		if (guardian_open(signals) == 0)
			return 0;
		fd_close(&life[0]);
		fd_close(&life[1]);
	}
	fd_close(&pair[0]);
	fd_close(&pair[1]);
	return -1;
}

/* Goes on in the child, whose end of the pair it returns; the parent is the guardian from here. */
static int leave_guardian(uint64_t claimed, const struct user *user)
{
	sigset_t set, none;
	int pair[2], life[2], signals[2];
	pid_t pid;

	if (descendants_adopt() < 0 || ends_open(pair, life, signals) < 0)
		return -1;
	guardian_signals(&set);
	sigaddset(&set, SIGCHLD);
	/* From before the fork: the child may be ready before the guardian runs again. */
	for (int number = 1; number <= 64; number++)
		if (signal_bit(number) & OF_JOBS & claimed)
			sigaddset(&set, number);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &set, NULL);
	pid = fork();
	if (pid > 0) {
		close(pair[0]);
		close(life[1]);
		guardian_main(pid, pair[1], signals, claimed, user);
	}
	sigprocmask(SIG_SETMASK, &none, NULL);
	guardian_close(signals);
	fd_close(&pair[1]);
	close(life[0]); /* the other end stays open as long as this process lives */
	if (pid == 0 && descendants_adopt() == 0)
		return pair[0];
	fd_close(&pair[0]);
	close(life[1]);
	return -1;
}

struct guard *guard_start(uint64_t claimed, const struct user *user, struct error *e)
{
	int pair = leave_guardian(claimed, user);
	struct guard *g = pair < 0 ? NULL : calloc(1, sizeof *g);

	if (!g) {
		error_errno(e, "cannot start the guardian");
		if (errno == ENOSYS)
			error_hint(e, "with --no-guard evwatch runs without it");
		fd_close(&pair);
		return NULL;
	}
	g->fd = pair;
	g->guardian = getppid();
	g->claimed = claimed & OF_JOBS;
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

static void send_message(const struct guard *g, const struct guard_message *m)
{
	/* The guardian always reads, unless somebody stopped it; then the message is dropped. */
	while (send(g->fd, m, sizeof *m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EINTR)
		;
}

static void tell_guardian(const struct guard *g, enum guard_word word, uint64_t value)
{
	struct guard_message m = {.word = word, .value = value};

	send_message(g, &m);
}

void guard_notify(struct guard *g, const char *text)
{
	struct guard_message m = {.word = WORD_NOTIFY};

	snprintf(m.text, sizeof m.text, "%s", text);
	send_message(g, &m);
}

void guard_claim(struct guard *g)
{
	uint64_t claimed = 0;

	for (int number = 1; number <= 64; number++)
		if (signal_bit(number) & OF_JOBS && reactor_signal_watched(g->reactor, number))
			claimed |= signal_bit(number);
	if (claimed != g->claimed)
		tell_guardian(g, WORD_CLAIMED, claimed);
	g->claimed = claimed;
}

void guard_drop(struct guard *g)
{
	tell_guardian(g, WORD_USER, 0);
}

void guard_screen(struct guard *g, bool has_region)
{
	tell_guardian(g, WORD_SCREEN, has_region);
}

/* A signal that nobody watches does here what it would have done to the guardian. */
static void take_signal(struct guard *g, const struct signal_info *info)
{
	if (guardian_urgent(info->number))
		tell_guardian(g, WORD_TAKEN, 0);
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

/* Each peek begins where the last one ended (socket(7), SO_PEEK_OFF). */
int guard_glance(struct guard *g, uint64_t signals)
{
	const int start = 0;
	struct signal_info info;

	if (!g->glanced && setsockopt(g->fd, SOL_SOCKET, SO_PEEK_OFF, &start, sizeof start) < 0)
		return 0;
	g->glanced = true;
	while (recv(g->fd, &info, sizeof info, MSG_PEEK | MSG_DONTWAIT) == (ssize_t)sizeof info)
		if (signal_bit(info.number) & signals)
			return info.number;
	return 0;
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
	/* Somebody may have stopped it: it must see the end of this process. */
	if (g && getppid() == g->guardian)
		kill(g->guardian, SIGCONT);
	free(g);
}
