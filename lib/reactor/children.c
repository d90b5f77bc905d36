/*
 * Children: each ends through its pidfd (pidfd_open(2), Linux 5.3). A process that adopts orphans
 * must reap those too: then SIGCHLD looks at every child that ended, and hands the watched ones to
 * their watchers.
 *
 * SIGCHLD is blocked then, and read from a signalfd(2). With a handler, as for other signals, a
 * child's end costs three system calls more, and the handler's: 2 to 3 % of a short command.
 */
#include "reactor/loop.h"

#include "base/fd.h"
#include "base/list.h"

#include <errno.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- by pid ---------------------------------------------------------------------------------- */

static uint64_t pid_hash(const void *pid)
{
	return (uint64_t) * (const pid_t *)pid * UINT64_C(0x9e3779b97f4a7c15) >> 32;
}

static uint64_t child_hash(const void *child)
{
	return pid_hash(&((const struct child_watcher *)child)->pid);
}

static bool child_has_pid(const void *child, const void *pid)
{
	return ((const struct child_watcher *)child)->pid == *(const pid_t *)pid;
}

static const struct table_type by_pid = {child_hash, pid_hash, child_has_pid};

/* ---- the end of a child ---------------------------------------------------------------------- */

static void child_ended(struct reactor *r, struct child_watcher *w, int status)
{
	child_stop(r, w);
	w->call(r, w, status);
}

static void on_pidfd(struct reactor *r, struct io_watcher *io, unsigned ready)
{
	struct child_watcher *w = CONTAINER_OF(io, struct child_watcher, io);
	int status = 0; /* and stays so where somebody else reaped it, who alone knows */
	pid_t pid;

	(void)ready;
	do
		pid = waitpid(w->pid, &status, WNOHANG);
	while (pid < 0 && errno == EINTR);
	if (pid != 0)
		child_ended(r, w, status);
}

/* So many ends are told in one turn: commands that are short must not starve the rest. */
enum { ENDS = 64 };

/* Every child that ended, one after the other: several may stand behind one SIGCHLD. */
static void reap_all(struct reactor *r)
{
	for (int i = 0; i < ENDS; i++) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);
		struct child_watcher *w = pid > 0 ? table_find(&r->children, &pid) : NULL;

		if (pid == 0 || (pid < 0 && errno != EINTR))
			return; /* none ended, or there is none (ECHILD) */
		if (w)
			child_ended(r, w, status);
	}
	raise(SIGCHLD); /* it is blocked: the next turn goes on */
}

static sigset_t sigchld_alone(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	return set;
}

/* Others may watch SIGCHLD as well; their handler cannot run while it is blocked. */
static void on_sigchld(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct signalfd_siginfo si;
	struct signal_info info = {.number = SIGCHLD};

	(void)ready;
	if (read(w->fd, &si, sizeof si) != (ssize_t)sizeof si)
		return;
	info.code = si.ssi_code;
	info.pid = (pid_t)si.ssi_pid;
	info.uid = si.ssi_uid;
	reap_all(r);
	reactor_signal_deliver(r, &info);
}

int reactor_reap_orphans(struct reactor *r)
{
	sigset_t set = sigchld_alone();

	if (r->child_io.started)
		return 0;
	io_init(&r->child_io, -1, IO_READ, on_sigchld);
	r->child_io.priority = PRIORITY_FIRST;
	if (io_open_internal(r, &r->child_io, signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC)) < 0)
		return -1;
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	raise(SIGCHLD); /* what ended before that */
	return 0;
}

/* ---- watching -------------------------------------------------------------------------------- */

void child_init(struct child_watcher *w, pid_t pid, child_call *call)
{
	*w = (struct child_watcher){.call = call, .pid = pid};
	w->io.fd = -1;
}

static int watch_pidfd(struct reactor *r, struct child_watcher *w)
{
	if (r->child_io.started)
		return 0; /* SIGCHLD comes in any case: a pidfd would only cost more */
	io_init(&w->io, -1, IO_READ, on_pidfd);
	return io_open_internal(r, &w->io, (int)syscall(SYS_pidfd_open, w->pid, 0));
}

int child_start(struct reactor *r, struct child_watcher *w)
{
	if (table_add(&r->children, w) < 0)
		return -1;
	if (watch_pidfd(r, w) < 0) {
		table_remove(&r->children, &w->pid);
		return -1;
	}
	w->started = true;
	r->started++;
	return 0;
}

void child_stop(struct reactor *r, struct child_watcher *w)
{
	if (!w->started)
		return;
	io_close_internal(r, &w->io);
	table_remove(&r->children, &w->pid);
	w->started = false;
	r->started--;
}

void children_open(struct reactor *r)
{
	table_init(&r->children, &by_pid);
}

void children_close(struct reactor *r)
{
	size_t at = 0;
	struct child_watcher *w;
	sigset_t set = sigchld_alone();

	while ((w = table_next(&r->children, &at))) {
		child_stop(r, w);
		at = 0;
	}
	table_free(&r->children);
	if (r->child_io.started)
		pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	io_close_internal(r, &r->child_io);
}
