/*
 * Children: each ends through its pidfd (pidfd_open(2), Linux 5.3). A process that adopts orphans
 * must reap those too: then every child that ended is looked for after SIGCHLD, which is blocked
 * and read from a signalfd(2). With a handler, as for other signals, a child's end costs three
 * system calls more, 2 to 3 % of a short command. Where the kernel has none of these descriptors
 * SIGCHLD is watched as any other signal is, and the turn after it looks.
 */
#include "reactor/fast.h"

#include "base/fd.h"
#include "base/list.h"
#include "reactor/linux.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t child_hash(const void *child)
{
	const struct child_watcher *w = child;

	return (uint64_t)w->pid * UINT64_C(0x9e3779b97f4a7c15) >> 32;
}

static bool child_equal(const void *child, const void *other)
{
	const struct child_watcher *w = child, *o = other;

	return w->pid == o->pid;
}

static const struct table_type by_pid = {child_hash, child_hash, child_equal};

/* ---- the end of a child ---------------------------------------------------------------------- */

/* This child, or any (-1). Returns who ended, 0: none, or -1: none is left, or another reaped it.
 */
static pid_t reap(pid_t which, int *status)
{
	pid_t pid;

	*status = 0;
	do
		pid = waitpid(which, status, WNOHANG);
	while (pid < 0 && errno == EINTR);
	return pid;
}

/* Its pidfd is ready, or it was reaped and stopped already. The callback is the last thing done. */
static void on_end(struct reactor *r, struct io_watcher *io, unsigned ready)
{
	struct child_watcher *w = CONTAINER_OF(io, struct child_watcher, io);

	(void)ready;
	if (w->started && reap(w->pid, &w->status) == 0)
		return;
	child_stop(r, w);
	w->call(r, w, w->status);
}

/* It is reaped, and its number may be another child's from now on. */
static void child_ended(struct reactor *r, struct child_watcher *w, int status)
{
	child_stop(r, w);
	w->status = status;
	io_activate(r, &w->io, IO_READ);
	if (!w->io.pending) /* no memory */
		on_end(r, &w->io, IO_READ);
}

/* So many ends are reported in one turn: commands that are short must not starve the rest. */
enum { ENDS = 64 };

/* In the next turn. */
static void look_again(struct reactor *r)
{
	if (timer_start_soon(r, &r->child_look) < 0)
		raise(SIGCHLD);
}

/* Any child that ended, or else one that is watched. Returns 0 or -1 where there is none. */
static pid_t reap_one(struct reactor *r, int *status)
{
	struct child_watcher *w;

	if (r->reaps_orphans)
		return reap(-1, status);
	for (size_t at = 0; (w = table_next(&r->children, &at));)
		if (reap(w->pid, status) != 0)
			return w->pid;
	return 0;
}

/* One after the other: several may stand behind one SIGCHLD. */
static void reap_ended(struct reactor *r, struct timer *look)
{
	(void)look;
	for (int i = 0; i < ENDS; i++) {
		int status;
		struct child_watcher key = {.pid = reap_one(r, &status)};
		struct child_watcher *w = table_find(&r->children, &key);

		if (key.pid <= 0)
			return;
		if (w)
			child_ended(r, w, status);
	}
	look_again(r);
}

/* Others may watch SIGCHLD as well; their handler cannot run while it is blocked. */
static void on_sigchld(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct signal_info info;

	(void)ready;
	if (linux_signalfd_take(w->fd, &info) < 0)
		return;
	reap_ended(r, &r->child_look);
	signal_record(&info);
}

/* ---- SIGCHLD --------------------------------------------------------------------------------- */

static void on_child_signal(struct reactor *r, struct signal_watcher *w,
			    const struct signal_info *info)
{
	(void)w, (void)info;
	look_again(r);
}

/* As any signal is watched; it does not keep reactor_run running. */
static int sigchld_watch(struct reactor *r)
{
	if (!r->child_signal.started) {
		signal_init(&r->child_signal, SIGCHLD, on_child_signal);
		if (signal_start(r, &r->child_signal) < 0)
			return -1;
		r->started--;
	}
	return timer_start_soon(r, &r->child_look); /* at what ended before that */
}

static sigset_t sigchld_alone(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	return set;
}

int reactor_reap_orphans(struct reactor *r)
{
	sigset_t set = sigchld_alone();
	int fd;

	if (r->reaps_orphans)
		return 0;
	fd = linux_signalfd(&set);
	r->reaps_orphans = fd < 0 && errno == ENOSYS;
	if (r->reaps_orphans)
		return sigchld_watch(r);
	io_init(&r->child_io, -1, IO_READ, on_sigchld);
	r->child_io.priority = PRIORITY_FIRST;
	if (io_open_internal(r, &r->child_io, fd) < 0)
		return -1;
	r->reaps_orphans = true;
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	look_again(r); /* at what ended before that */
	return 0;
}

void child_init(struct child_watcher *w, pid_t pid, child_call *call)
{
	*w = (struct child_watcher){.call = call, .pid = pid, .priority = PRIORITY_FIRST};
	io_init(&w->io, -1, IO_READ, on_end);
}

static int watch_pidfd(struct reactor *r, struct child_watcher *w)
{
	int fd;

	if (r->reaps_orphans)
		return 0; /* SIGCHLD comes in any case: a pidfd would only cost more */
	fd = linux_pidfd(w->pid);
	if (fd < 0 && errno == ENOSYS)
		return kill(w->pid, 0) < 0 ? -1 : sigchld_watch(r);
	return io_open_internal(r, &w->io, fd);
}

int child_start(struct reactor *r, struct child_watcher *w)
{
	if (w->started)
		return 0;
	w->io.priority = w->priority;
	if (table_add(&r->children, w) < 0)
		return -1;
	if (watch_pidfd(r, w) < 0) {
		table_remove(&r->children, w);
		return -1;
	}
	w->started = true;
	r->started++;
	return 0;
}

void child_stop(struct reactor *r, struct child_watcher *w)
{
	io_close_internal(r, &w->io);
	io_stop(r, &w->io); /* of one that ended: it is not called */
	if (!w->started)
		return;
	table_remove(&r->children, w);
	w->started = false;
	r->started--;
}

void children_open(struct reactor *r)
{
	table_init(&r->children, &by_pid);
	timer_init(&r->child_look, CLOCK_OF_LOOP, reap_ended);
	r->child_look.priority = PRIORITY_FIRST;
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
	r->started += r->child_signal.started;
	signal_stop(r, &r->child_signal);
	timer_stop(r, &r->child_look);
}
