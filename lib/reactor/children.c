/*
 * Children: each ends through its pidfd (pidfd_open(2), Linux 5.3). A process that adopts orphans
 * must reap those too: then SIGCHLD looks at every child that ended, and hands the watched ones to
 * their watchers.
 *
 * SIGCHLD is blocked then, and read from a signalfd(2). With a handler, as for other signals, a
 * child's end costs three system calls more, and the handler's: 2 to 3 % of a short command. Where
 * the kernel has none of these descriptors SIGCHLD is watched as any other signal is, and the turn
 * after it looks.
 */
#include "reactor/fast.h"

#include "base/fd.h"
#include "base/list.h"
#include "reactor/linux.h"

#include <errno.h>
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

/* The callback is the last thing done. */
static void child_call_now(struct reactor *r, struct child_watcher *w)
{
	child_stop(r, w);
	w->call(r, w, w->status);
}

void child_call_queued(struct reactor *r, struct child_watcher *w)
{
	w->place = 0;
	child_call_now(r, w);
}

/* It is reaped, and its number may be another child's from now on. */
static void child_ended(struct reactor *r, struct child_watcher *w, int status)
{
	table_remove(&r->children, &w->pid);
	w->status = status;
	w->place = queue_add(r, w->priority, w, ACTIVE_CHILD);
	if (!w->place) /* no memory */
		child_call_now(r, w);
}

/*
 * Reaps this child, or any (-1). Returns who ended, 0 where none did, or -1 where there is none:
 * who else reaped it alone knows its status, 0 here.
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

/* In the queue of its priority already. */
static void on_pidfd(struct reactor *r, struct io_watcher *io, unsigned ready)
{
	struct child_watcher *w = CONTAINER_OF(io, struct child_watcher, io);

	(void)ready;
	if (reap(w->pid, &w->status) != 0)
		child_call_now(r, w);
}

/* So many ends are reported in one turn: commands that are short must not starve the rest. */
enum { ENDS = 64 };

/* In the next turn. */
static void look_again(struct reactor *r)
{
	if (timer_start_soon(r, &r->child_look) < 0)
		raise(SIGCHLD);
}

/* Every child that ended, one after the other: several may stand behind one SIGCHLD. */
static void reap_all(struct reactor *r)
{
	for (int i = 0; i < ENDS; i++) {
		int status;
		pid_t pid = reap(-1, &status);
		struct child_watcher *w = table_find(&r->children, &pid);

		if (pid <= 0)
			return;
		if (w)
			child_ended(r, w, status);
	}
	look_again(r);
}

/* The same of those that are watched. The table must not change while it is walked. */
static void reap_watched(struct reactor *r)
{
	struct child_watcher *w;
	int status, left = ENDS;

	for (size_t at = 0; left && (w = table_next(&r->children, &at));)
		if (reap(w->pid, &status) != 0) {
			child_ended(r, w, status);
			at = 0;
			left--;
		}
	if (!left)
		look_again(r);
}

/* Others may watch SIGCHLD as well; their handler cannot run while it is blocked. */
static void on_sigchld(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct signal_info info;

	(void)ready;
	if (linux_signalfd_take(w->fd, &info) < 0)
		return;
	reap_all(r);
	signal_arrived(r, &info);
}

/* ---- SIGCHLD --------------------------------------------------------------------------------- */

static void on_child_signal(struct reactor *r, struct signal_watcher *w,
			    const struct signal_info *info)
{
	(void)w;
	(void)info;
	look_again(r);
}

static void on_child_look(struct reactor *r, struct timer *t)
{
	(void)t;
	if (r->reaps_orphans)
		reap_all(r);
	else
		reap_watched(r);
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
	if (fd < 0 && errno == ENOSYS) {
		r->reaps_orphans = true;
		return sigchld_watch(r);
	}
	io_init(&r->child_io, -1, IO_READ, on_sigchld);
	r->child_io.priority = PRIORITY_FIRST;
	if (io_open_internal(r, &r->child_io, fd) < 0)
		return -1;
	r->reaps_orphans = true;
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	look_again(r); /* at what ended before that */
	return 0;
}

/* ---- watching -------------------------------------------------------------------------------- */

void child_init(struct child_watcher *w, pid_t pid, child_call *call)
{
	*w = (struct child_watcher){.call = call, .pid = pid, .priority = PRIORITY_FIRST};
	w->io.fd = -1;
}

static int watch_pidfd(struct reactor *r, struct child_watcher *w)
{
	int fd;

	if (r->reaps_orphans)
		return 0; /* SIGCHLD comes in any case: a pidfd would only cost more */
	fd = linux_pidfd(w->pid);
	if (fd < 0 && errno == ENOSYS)
		return kill(w->pid, 0) < 0 ? -1 : sigchld_watch(r);
	io_init(&w->io, -1, IO_READ, on_pidfd);
	w->io.priority = w->priority;
	return io_open_internal(r, &w->io, fd);
}

int child_start(struct reactor *r, struct child_watcher *w)
{
	if (w->started)
		return 0;
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
	if (w->place)
		queue_remove(r, w->priority, w->place);
	if (table_find(&r->children, &w->pid) == w)
		table_remove(&r->children, &w->pid);
	w->place = 0;
	w->started = false;
	r->started--;
}

void children_open(struct reactor *r)
{
	table_init(&r->children, &by_pid);
	timer_init(&r->child_look, CLOCK_OF_LOOP, on_child_look);
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
