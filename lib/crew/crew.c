/* See crew.h. */
#include "crew/crew.h"

#include "base/list.h"
#include "base/log.h"
#include "base/units.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHORTEST (100 * NS_PER_MS) /* pause before another one is started */
#define LONGEST  (10 * NS_PER_S)   /* and the life after which it is short again */
#define MOMENT   (20 * NS_PER_MS)  /* until a thread is over, perhaps */
#define MOMENTS  25                /* that a fork waits for, at most */
#define PATIENCE (5 * NS_PER_S)    /* for their end, while they say nothing */

/* ---- the end of one -------------------------------------------------------------------------- */

static void start_later(struct crew_member *m)
{
	struct reactor *r = m->crew->reactor;

	if (reactor_now(r, CLOCK_OF_LOOP) - m->started > LONGEST)
		m->pause = 0;
	if (timer_start_in(r, &m->again, backoff_next(&m->pause, SHORTEST, LONGEST)) < 0)
		log_error(m->crew->rule, "out of memory: worker %zu stays away", m->number + 1);
}

static void log_death(const struct crew_member *m, int status, const struct buf *lost)
{
	struct buf b = {0};

	if (WIFSIGNALED(status))
		buf_printf(&b, "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		buf_printf(&b, "status %d", WEXITSTATUS(status));
	buf_add(&b, lost->data, lost->length);
	buf_add_text(&b, "; another one takes its place in ");
	duration_add(&b, m->pause);
	log_error(m->crew->rule, "worker %zu, pid %d, ended with %s", m->number + 1,
		  (int)m->child.pid, b.data ? b.data : "?");
	buf_free(&b);
}

static void on_exit_of(struct reactor *r, struct child_watcher *child, int status)
{
	struct crew_member *m = CONTAINER_OF(child, struct crew_member, child);
	bool stopped = m->crew->stopped;
	struct buf lost = {0};

	(void)r;
	channel_drain(&m->channel); /* its last words */
	channel_close(&m->channel);
	m->running = false;
	if (!stopped)
		start_later(m);
	m->crew->calls->ended(m, &lost);
	if (!stopped)
		log_death(m, status, &lost);
	buf_free(&lost);
}

/* ---- the birth of one ------------------------------------------------------------------------ */

static void on_message(struct channel *c, unsigned char type, const char *bytes, size_t length)
{
	struct crew_member *m = c->owner;

	m->crew->heard = true;
	if (type) /* its end is the child watcher's to report */
		m->crew->calls->said(m, type, bytes, length);
}

static int adopt(struct crew_member *m, pid_t pid, int fd)
{
	struct reactor *r = m->crew->reactor;

	child_init(&m->child, pid, on_exit_of);
	m->started = reactor_now(r, CLOCK_OF_LOOP);
	if (channel_open(&m->channel, r, fd, on_message, m) == 0 &&
	    child_start(r, &m->child) == 0) {
		m->running = true;
		return 0;
	}
	channel_close(&m->channel);
	kill(pid, SIGKILL);
	return -1;
}

static void leave_signals(pid_t parent)
{
	static const int plain[] = {SIGSEGV, SIGBUS,  SIGFPE,  SIGILL,  SIGTRAP, SIGABRT,
				    SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT, SIGCHLD};
	sigset_t none;

	for (int number = 1; number <= SIGRTMAX; number++)
		signal(number, SIG_IGN);
	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		signal(plain[i], SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Signals are blocked until the child has none of our handlers any more. */
static int spawn(struct crew_member *m)
{
	sigset_t all, before;
	pid_t parent = getpid(), pid;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -1;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0) {
		leave_signals(parent);
		m->crew->calls->work(m, pair[1]);
		_exit(0);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(pair[1]);
	if (pid > 0)
		return adopt(m, pid, pair[0]);
	close(pair[0]);
	return -1;
}

/* /proc/self/task has a folder, and so a link, for each thread. */
static bool has_other_threads(void)
{
	struct stat st;

	return stat("/proc/self/task", &st) == 0 && st.st_nlink > 3;
}

static void spawn_or_wait(struct crew_member *m)
{
	if (m->waits < MOMENTS && has_other_threads() &&
	    timer_start_in(m->crew->reactor, &m->again, MOMENT) == 0) {
		m->waits++;
		return;
	}
	m->waits = 0;
	if (spawn(m) == 0)
		return;
	log_error(m->crew->rule, "cannot start worker %zu: %s; it is tried again", m->number + 1,
		  strerror(errno));
	start_later(m);
}

static void on_again(struct reactor *r, struct timer *t)
{
	(void)r;
	spawn_or_wait(CONTAINER_OF(t, struct crew_member, again));
}

/* ---- all of them ----------------------------------------------------------------------------- */

static void kill_all(struct crew *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->all[i].child.started)
			kill(c->all[i].child.pid, SIGKILL);
}

/* Who still speaks is not hung: the machine is slow, or this process was stopped. */
static void on_patience(struct reactor *r, struct timer *t)
{
	struct crew *c = CONTAINER_OF(t, struct crew, patience);
	bool heard = c->heard;

	(void)r;
	c->heard = false;
	if (heard)
		crew_hurry(c);
	else
		kill_all(c);
}

void crew_hurry(struct crew *c)
{
	if (timer_start_in(c->reactor, &c->patience, PATIENCE) < 0)
		kill_all(c);
}

int crew_open(struct crew *c, size_t n)
{
	timer_init(&c->patience, CLOCK_OF_LOOP, on_patience);
	c->all = calloc(n, sizeof *c->all);
	if (!c->all)
		return -1;
	for (; c->n < n; c->n++) {
		c->all[c->n].crew = c;
		c->all[c->n].number = c->n;
		timer_init(&c->all[c->n].again, CLOCK_OF_LOOP, on_again);
	}
	return 0;
}

void crew_start(struct crew *c)
{
	for (size_t i = 0; i < c->n; i++)
		spawn_or_wait(&c->all[i]);
}

void crew_say(struct crew *c, unsigned char type)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->all[i].running)
			channel_say(&c->all[i].channel, type, NULL, 0);
}

bool crew_runs(const struct crew *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->all[i].running)
			return true;
	return false;
}

void crew_stop(struct crew *c)
{
	c->stopped = true;
	for (size_t i = 0; i < c->n; i++)
		timer_stop(c->reactor, &c->all[i].again);
}

void crew_close(struct crew *c)
{
	if (!c->all)
		return;
	kill_all(c);
	crew_stop(c);
	for (size_t i = 0; i < c->n; i++) {
		child_stop(c->reactor, &c->all[i].child);
		channel_close(&c->all[i].channel);
	}
	timer_stop(c->reactor, &c->patience);
	free(c->all);
	c->all = NULL;
	c->n = 0;
}
