/*
 * Children: each ends through its pidfd (pidfd_open(2), Linux 5.3), or through SIGCHLD where the
 * kernel has none. A process that adopts orphans must reap those too: then SIGCHLD looks at every
 * child that ended, and hands the watched ones to their watchers.
 */
#include "reactor/loop.h"

#include "base/fd.h"
#include "base/list.h"

#include <errno.h>
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

/* Reaps it if it ended. Returns whether it did. */
static bool child_reap(struct reactor *r, struct child_watcher *w)
{
	int status;
	pid_t pid;

	do
		pid = waitpid(w->pid, &status, WNOHANG);
	while (pid < 0 && errno == EINTR);
	if (pid == 0)
		return false;
	if (pid < 0)
		status = 0; /* somebody else reaped it: how it ended is not to be known */
	child_stop(r, w);
	w->call(r, w, status);
	return true;
}

static void on_pidfd(struct reactor *r, struct io_watcher *io, unsigned ready)
{
	(void)ready;
	child_reap(r, CONTAINER_OF(io, struct child_watcher, io));
}

/* Every child that ended, one after the other: several may stand behind one SIGCHLD. */
static void reap_all(struct reactor *r)
{
	for (;;) {
		siginfo_t si = {0};
		struct child_watcher *w;

		if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) < 0) {
			if (errno == EINTR)
				continue;
			return; /* ECHILD */
		}
		if (si.si_pid == 0)
			return;
		w = table_find(&r->children, &si.si_pid);
		if (w)
			child_reap(r, w);
		else
			waitpid(si.si_pid, NULL, WNOHANG);
	}
}

/* Watched children without a pidfd; the table may change with every one that ended. */
static void reap_watched(struct reactor *r)
{
	bool again = true;

	while (again) {
		struct child_watcher *w;
		size_t at = 0;

		again = false;
		while (!again && (w = table_next(&r->children, &at)))
			again = !w->io.started && child_reap(r, w);
	}
}

static void on_sigchld(struct reactor *r, struct signal_watcher *w, const struct signal_info *info)
{
	(void)w;
	(void)info;
	if (r->reaps_orphans)
		reap_all(r);
	else
		reap_watched(r);
}

static int watch_sigchld(struct reactor *r)
{
	if (r->child_signal.started)
		return 0;
	signal_init(&r->child_signal, SIGCHLD, on_sigchld);
	if (signal_start(r, &r->child_signal) < 0)
		return -1;
	r->started--;
	return 0;
}

int reactor_reap_orphans(struct reactor *r)
{
	r->reaps_orphans = true;
	return watch_sigchld(r);
}

/* ---- watching -------------------------------------------------------------------------------- */

void child_init(struct child_watcher *w, pid_t pid, child_call *call)
{
	*w = (struct child_watcher){.call = call, .pid = pid};
	w->io.fd = -1;
}

static int watch_pidfd(struct reactor *r, struct child_watcher *w, int pidfd)
{
	if (pidfd < 0 && r->reaps_orphans)
		return 0; /* SIGCHLD comes in any case: a pidfd would only cost more */
	if (pidfd < 0)
		pidfd = (int)syscall(SYS_pidfd_open, w->pid, 0);
	if (pidfd < 0)
		return errno == ESRCH ? -1 : watch_sigchld(r);
	io_init(&w->io, pidfd, IO_READ, on_pidfd);
	if (io_start_internal(r, &w->io) == 0)
		return 0;
	fd_close(&pidfd);
	w->io.fd = -1;
	return watch_sigchld(r);
}

int child_start(struct reactor *r, struct child_watcher *w, int pidfd)
{
	if (table_add(&r->children, w) < 0)
		return -1;
	if (watch_pidfd(r, w, pidfd) < 0) {
		table_remove(&r->children, &w->pid);
		return -1;
	}
	w->started = true;
	r->started++;
	/* By SIGCHLD: it may have ended before anybody watched. */
	if (!w->io.started && !r->reaps_orphans)
		raise(SIGCHLD);
	return 0;
}

void child_stop(struct reactor *r, struct child_watcher *w)
{
	int fd = w->io.fd;

	if (!w->started)
		return;
	if (w->io.started) {
		io_stop_internal(r, &w->io);
		fd_close(&fd);
		w->io.fd = -1;
	}
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

	while ((w = table_next(&r->children, &at))) {
		child_stop(r, w);
		at = 0;
	}
	table_free(&r->children);
	if (r->child_signal.started) {
		r->started++;
		signal_stop(r, &r->child_signal);
	}
}
