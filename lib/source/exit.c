/*
 * exit: an event when a process ends, whoever its parent is.
 *
 * A pidfd tells the end of any process (pidfd_open(2), Linux 5.3). How it ended is its parent's to
 * know first; once the parent has reaped it, the kernel tells others too (PIDFD_GET_INFO with
 * PIDFD_INFO_EXIT, Linux 6.15), so the event waits a moment for that.
 */
#include "source/kinds.h"

#include "base/array.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/units.h"
#include "reactor/reactor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define REAPING (20 * NS_PER_MS) /* how long a parent is given to reap */

/* struct pidfd_info of <linux/pidfd.h>, version 0. */
struct process_info {
	uint64_t mask, cgroup;
	uint32_t ids[11];
	int32_t exit_code;
};

#define PROCESS_GET_INFO _IOWR(0xff, 11, struct process_info)
#define INFO_EXIT        (UINT64_C(1) << 3)

struct exit_config {
	pid_t *pids; /* owned */
	size_t count;
};

struct exit_source;

struct watched_process {
	struct exit_source *owner;
	struct io_watcher io;
	struct timer reaping;
	pid_t pid;
	bool over;
};

struct exit_source {
	struct source base;
	struct watched_process *processes; /* owned, one each of config->pids */
	size_t n_over;
};

static int exit_arguments(void *config, char *const *words, size_t n, struct error *e)
{
	struct exit_config *c = config;

	c->pids = calloc(n, sizeof *c->pids);
	if (!c->pids)
		return error_errno(e, "out of memory");
	for (size_t i = 0; i < n; i++) {
		uint64_t pid;

		if (count_parse(words[i], 1, INT32_MAX, &pid, e) < 0) {
			error_hint(e, "a process id, as in: evwatch exit $! -- echo done");
			return error_at(e, (int)i, 0);
		}
		c->pids[c->count++] = (pid_t)pid;
	}
	return 0;
}

static void exit_release(void *config)
{
	free(((struct exit_config *)config)->pids);
}

static void exit_describe(const void *config, struct buf *out)
{
	const struct exit_config *c = config;

	buf_add_text(out, "the end of process");
	for (size_t i = 0; i < c->count; i++)
		buf_printf(out, "%s %d", i ? "," : "", (int)c->pids[i]);
}

/* How it ended, as a shell counts it; false while the kernel does not tell. */
static bool read_status(int pidfd, int *status)
{
	struct process_info info = {.mask = INFO_EXIT};

	if (pidfd < 0 || syscall(SYS_ioctl, pidfd, PROCESS_GET_INFO, &info) < 0 ||
	    !(info.mask & INFO_EXIT))
		return false;
	*status = WIFSIGNALED(info.exit_code) ? 128 + WTERMSIG(info.exit_code)
					      : WEXITSTATUS(info.exit_code);
	return true;
}

static void process_over(struct watched_process *p)
{
	struct exit_source *s = p->owner;
	const struct exit_config *c = s->base.config;
	struct event event = event_make("exit");
	char pid[16], text[16];
	const char *subject = pid;
	struct detail detail = {"EVWATCH_STATUS", text};
	int status;

	event.subjects = &subject;
	event.n_subjects = 1;
	snprintf(pid, sizeof pid, "%d", (int)p->pid);
	if (read_status(p->io.fd, &status)) {
		snprintf(text, sizeof text, "%d", status);
		event.details = &detail;
		event.n_details = 1;
	}
	p->over = true;
	s->n_over++;
	s->base.host->emit(&s->base, &event, 1);
	if (s->n_over == c->count)
		s->base.host->ended(&s->base);
}

static void on_reaping_over(struct reactor *r, struct timer *t)
{
	(void)r;
	process_over(CONTAINER_OF(t, struct watched_process, reaping));
}

static void on_ended(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct watched_process *p = CONTAINER_OF(w, struct watched_process, io);
	int status;

	(void)ready;
	io_stop(r, w);
	if (!read_status(w->fd, &status) && timer_start_in(r, &p->reaping, REAPING) == 0)
		return;
	process_over(p);
}

static void exit_stop(struct source *base)
{
	struct exit_source *s = (struct exit_source *)base;
	const struct exit_config *c = base->config;

	for (size_t i = 0; i < c->count; i++) {
		io_stop(base->reactor, &s->processes[i].io);
		timer_stop(base->reactor, &s->processes[i].reaping);
	}
}

static void exit_close(struct source *base)
{
	struct exit_source *s = (struct exit_source *)base;
	const struct exit_config *c = base->config;

	exit_stop(base);
	for (size_t i = 0; i < c->count; i++)
		fd_close(&s->processes[i].io.fd);
	free(s->processes);
	s->processes = NULL;
}

static int exit_open(struct source *base, struct error *e)
{
	struct exit_source *s = (struct exit_source *)base;
	const struct exit_config *c = base->config;
	int saved = 0;

	s->processes = calloc(c->count, sizeof *s->processes);
	if (!s->processes)
		return error_errno(e, "cannot watch processes");
	for (size_t i = 0; i < c->count; i++) {
		struct watched_process *p = &s->processes[i];
		int fd = (int)syscall(SYS_pidfd_open, c->pids[i], 0);

		if (fd < 0 && errno != ESRCH)
			saved = errno;
		p->owner = s;
		p->pid = c->pids[i];
		io_init(&p->io, fd, IO_READ, on_ended);
		p->io.priority = base->priority;
		timer_init(&p->reaping, CLOCK_OF_LOOP, on_reaping_over);
	}
	if (!saved)
		return 0;
	exit_close(base);
	errno = saved;
	return error_errno(e, "cannot watch processes");
}

/* One that is not there (any more) has ended: its event comes at once. */
static void exit_start(struct source *base)
{
	struct exit_source *s = (struct exit_source *)base;
	const struct exit_config *c = base->config;

	for (size_t i = 0; i < c->count; i++) {
		struct watched_process *p = &s->processes[i];
		struct error e;

		if (p->io.fd < 0 ? timer_start_in(base->reactor, &p->reaping, 0) == 0
				 : io_start(base->reactor, &p->io) == 0)
			continue;
		error_errno(&e, "cannot watch process %d", (int)p->pid);
		base->host->failed(base, &e);
		return;
	}
}

static const struct event_name exit_events[] = {
    {"exit", "the process has ended; subject: its pid; EVWATCH_STATUS where the kernel tells"},
    {0},
};

static const struct option no_options[] = {{0}};

const struct source_type source_exit = {
    .name = "exit",
    .summary = "when processes end, anybody's",
    .arguments = "PID...",
    .least_arguments = 1,
    .most_arguments = -1,
    .examples = {"evwatch exit $! -- echo done", "evwatch exit 4711 4712 -- 'echo \"$1 is gone\"'"},
    .events = exit_events,
    .options = no_options,
    .config_size = sizeof(struct exit_config),
    .config_arguments = exit_arguments,
    .config_release = exit_release,
    .describe = exit_describe,
    .size = sizeof(struct exit_source),
    .open = exit_open,
    .start = exit_start,
    .stop = exit_stop,
    .close = exit_close,
};
