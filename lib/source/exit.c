/*
 * exit: an event when a process ends, whoever its parent is.
 *
 * A pidfd tells the end of any process (pidfd_open(2), Linux 5.3). How it ended stands in its
 * /proc/PID/stat until its parent has reaped it, for those who may read it (proc(5)). Others hear
 * of it when it has been reaped (PIDFD_GET_INFO with PIDFD_INFO_EXIT, Linux 6.15), and that is
 * waited for a second at most: then the event comes without.
 */
#include "source/kinds.h"

#include "base/array.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/proc.h"
#include "base/scan.h"
#include "base/units.h"
#include "reactor/reactor.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define GLANCE  (20 * NS_PER_MS) /* between two looks whether it was reaped */
#define REAPING NS_PER_S         /* how long its parent is given for that */

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
	int64_t last; /* when the wait for its reaping is over */
	pid_t pid;
	bool over;
};

struct exit_source {
	struct source base;
	struct watched_process *processes; /* owned, one each of config->pids */
	size_t n_over;
};

static void hint_pid(struct error *e, const char *word)
{
	if (*word == '$')
		error_hint(e, "only a shell expands $!, and not in single quotes");
	else if (strchr(word, '/'))
		error_hint(e, "write \"$(cat %s)\"", word);
	else if (isalpha((unsigned char)*word))
		error_hint(e, "write \"$(pidof %s)\"", word);
	else
		error_hint(e, "for example: evwatch exit $! -- echo done");
}

static int exit_arguments(void *config, char *const *words, size_t n, struct error *e)
{
	struct exit_config *c = config;

	c->pids = calloc(n, sizeof *c->pids);
	if (!c->pids)
		return error_errno(e, "out of memory");
	for (size_t i = 0; i < n; i++) {
		uint64_t pid;

		if (count_parse(words[i], 1, INT32_MAX, &pid, e) < 0) {
			error_set(e, "\"%s\" is not a process id", words[i]);
			hint_pid(e, words[i]);
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

static int shell_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* How a reaped process ended; false where the kernel does not tell. */
static bool read_reaped(int pidfd, int *status)
{
	struct process_info info = {.mask = INFO_EXIT};

	if (syscall(SYS_ioctl, pidfd, PROCESS_GET_INFO, &info) < 0 || !(info.mask & INFO_EXIT))
		return false;
	*status = shell_status(info.exit_code);
	return true;
}

static bool is_reaped(int pidfd)
{
	return syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) < 0 && errno == ESRCH;
}

/* May we see its exit code? Who may not reads a 0 in its place; a link of /proc is plainer. */
static bool may_read(pid_t pid)
{
	char path[32], target[1];

	snprintf(path, sizeof path, "/proc/%d/cwd", (int)pid);
	return readlink(path, target, sizeof target) >= 0 || errno == ENOENT;
}

/* The status is the last field of /proc/PID/stat; a dead process has no memory, so few of the rest.
 */
static bool read_dead(pid_t pid, int pidfd, int *status)
{
	char text[1024];
	const char *last;
	uint64_t code;

	if (!proc_text_of(pid, "stat", text, sizeof text) || !may_read(pid))
		return false;
	last = strrchr(text, ' ');
	if (!last || !scan_number(&last, 10, &code) || is_reaped(pidfd))
		return false; /* or the number may be another process's by now */
	*status = shell_status((int)code);
	return true;
}

/* `status` is NULL where it is not known. */
static void process_over(struct watched_process *p, const int *status)
{
	struct exit_source *s = p->owner;
	const struct exit_config *c = s->base.config;
	struct event event = event_make("exit");
	char pid[16], text[16];
	const char *subject = pid;
	struct detail detail = {.name = "EVWATCH_STATUS", .value = text, .number = true};

	event.subjects = &subject;
	event.n_subjects = 1;
	snprintf(pid, sizeof pid, "%d", (int)p->pid);
	if (status) {
		snprintf(text, sizeof text, "%d", *status);
		event.details = &detail;
		event.n_details = 1;
	}
	p->over = true;
	s->n_over++;
	s->base.host->emit(&s->base, &event, 1);
	if (s->n_over == c->count)
		s->base.host->ended(&s->base);
}

/* It has ended: looks for its status, now and until it is reaped. */
static void look(struct watched_process *p, struct reactor *r)
{
	bool reaped = p->io.fd < 0 || is_reaped(p->io.fd), known = false;
	int status;

	if (p->io.fd >= 0)
		known =
		    reaped ? read_reaped(p->io.fd, &status) : read_dead(p->pid, p->io.fd, &status);
	if (known)
		process_over(p, &status);
	else if (reaped || reactor_now(r, CLOCK_OF_LOOP) >= p->last ||
		 timer_start_in(r, &p->reaping, GLANCE) < 0)
		process_over(p, NULL);
}

static void on_reaping(struct reactor *r, struct timer *t)
{
	look(CONTAINER_OF(t, struct watched_process, reaping), r);
}

static void on_ended(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct watched_process *p = CONTAINER_OF(w, struct watched_process, io);

	(void)ready;
	io_stop(r, w);
	p->last = reactor_now(r, CLOCK_OF_LOOP) + REAPING;
	look(p, r);
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

/* The process whose thread this is; 0: it is none, or is gone. */
static pid_t process_of_thread(pid_t tid)
{
	char text[1024];
	const char *line;
	uint64_t pid;

	proc_text_of(tid, "status", text, sizeof text);
	line = strstr(text, "\nTgid:"); /* a name may hold the word, but no line's end */
	if (!line)
		return 0;
	line++;
	if (!scan_skip(&line, 1) || !scan_number(&line, 10, &pid))
		return 0;
	return (pid_t)pid == tid ? 0 : (pid_t)pid;
}

/* The pidfd, or -1: it is gone already. -2 with `e`: it cannot be watched. */
static int process_open(pid_t pid, struct error *e)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0), why = errno;
	pid_t process = fd < 0 ? process_of_thread(pid) : 0;

	if (process) {
		error_set(e, "%d is a thread of process %d, no process", (int)pid, (int)process);
		error_hint(e, "to wait for that one: exit %d", (int)process);
		return -2;
	}
	if (fd >= 0 || why == ESRCH)
		return fd;
	errno = why;
	error_errno(e, "cannot watch process %d", (int)pid);
	return -2;
}

static int exit_open(struct source *base, struct error *e)
{
	struct exit_source *s = (struct exit_source *)base;
	const struct exit_config *c = base->config;
	bool failed = false;

	s->processes = calloc(c->count, sizeof *s->processes);
	if (!s->processes)
		return error_errno(e, "cannot watch processes");
	for (size_t i = 0; i < c->count; i++) {
		struct watched_process *p = &s->processes[i];
		int fd = failed ? -1 : process_open(c->pids[i], e);

		failed |= fd == -2;
		p->owner = s;
		p->pid = c->pids[i];
		io_init(&p->io, fd < 0 ? -1 : fd, IO_READ, on_ended);
		p->io.priority = base->priority;
		timer_init(&p->reaping, CLOCK_OF_LOOP, on_reaping);
	}
	if (!failed)
		return 0;
	exit_close(base);
	return -1;
}

/* A process that does not exist (any longer) has ended: its event comes at once. */
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
    {"exit", "the process has ended; subject: its pid (EVWATCH_STATUS)"},
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
