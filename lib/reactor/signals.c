/*
 * Signals: a handler that writes one record (number, sender, value) into the pipe of each loop that
 * watches the signal; the loop reads them and calls its watchers. Each priority has a pipe.
 *
 * The handler finds the pipes in a list of this process: a node is unlinked first, and its
 * descriptor closed once no handler is under way in any thread. A child of fork(2) shares the pipe
 * of its parent, and one of vfork(2) all of its memory: a handler that runs there is not the owner,
 * and writes nothing.
 *
 * Signals that come faster than handlers return would let nothing else run, and fill any pipe. So
 * once many are unread the handler blocks its signal in the thread that it interrupted, by the mask
 * that is in force when it returns (sigreturn(2)). The kernel queues or merges what comes then
 * (signal(7)), and the loop unblocks the signal when it has read enough.
 */
#include "reactor/fast.h"

#include "base/fd.h"
#include "base/list.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <ucontext.h>
#include <unistd.h>

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_POINTER_LOCK_FREE == 2, "in a handler");

/* A handler needs globals: what is caught is the process's, and several loops may watch it. */
static _Atomic(struct signal_pipe *) pipes;
static atomic_int handlers;                          /* under way, in all threads */
static _Thread_local volatile uint64_t blocked_here; /* signal N, by the handler: bit N - 1 */
static struct {
	pthread_mutex_t lock;
	unsigned pipes[SIGNALS]; /* that are for it */
	struct sigaction former[SIGNALS];
} caught = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool is_signal(int number)
{
	return number > 0 && number < SIGNALS;
}

static uint64_t bit_of(int number)
{
	return UINT64_C(1) << (number - 1);
}

/* ---- the handler ----------------------------------------------------------------------------- */

/* Returns whether too many are unread. One that finds no room at all is lost. */
static bool pipe_put(struct signal_pipe *p, const struct signal_info *info)
{
	unsigned before = atomic_fetch_add(&p->unread, 1);
	ssize_t n;

	do
		n = write(p->end, info, sizeof *info);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		atomic_fetch_sub(&p->unread, 1);
	return n < 0 || before + 1 >= p->most;
}

bool signal_record(const struct signal_info *info)
{
	pid_t here = getpid();
	bool full = false;

	atomic_fetch_add(&handlers, 1);
	for (struct signal_pipe *p = atomic_load(&pipes); p; p = atomic_load(&p->next_pipe))
		if (p->owner == here && atomic_load(&p->watched) & bit_of(info->number))
			full |= pipe_put(p, info);
	atomic_fetch_sub(&handlers, 1);
	return full;
}

static void on_signal(int number, siginfo_t *si, void *context)
{
	struct signal_info info = {
	    .number = number,
	    .code = si->si_code,
	    .pid = si->si_pid,
	    .uid = si->si_uid,
	    .value = si->si_value.sival_int,
	};
	ucontext_t *interrupted = context;
	int saved = errno;

	if (signal_record(&info)) {
		/* One bit alone: the kernel's set ends before the C library's. */
		sigaddset(&interrupted->uc_sigmask, number);
		blocked_here |= bit_of(number);
	}
	errno = saved;
}

/* What the handler blocked in this thread. */
static void unblock(void)
{
	uint64_t numbers = blocked_here;
	sigset_t set;

	if (!numbers)
		return;
	blocked_here = 0; /* what is unblocked below may be blocked again at once */
	sigemptyset(&set);
	for (; numbers; numbers &= numbers - 1)
		sigaddset(&set, __builtin_ctzll(numbers) + 1);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* ---- reporting ------------------------------------------------------------------------------- */

void signal_init(struct signal_watcher *w, int number, signal_call *call)
{
	*w = (struct signal_watcher){.call = call, .number = number, .priority = PRIORITY_FIRST};
}

void reactor_signal_deliver(struct reactor *r, const struct signal_info *info)
{
	for (int i = 0; i < PRIORITIES && is_signal(info->number); i++) {
		struct signal_watcher *w = r->signal_pipes[i].watchers[info->number];

		for (; w; w = r->signal_next) {
			r->signal_next = w->next;
			w->call(r, w, info);
		}
	}
}

bool reactor_signal_watched(const struct reactor *r, int number)
{
	bool watched = false;

	for (int i = 0; i < PRIORITIES && is_signal(number); i++)
		watched |= r->signal_pipes[i].watchers[number] != NULL;
	return watched;
}

void reactor_filter_signals(struct reactor *r, signal_filter *filter, void *context)
{
	r->filter = filter;
	r->filter_context = context;
}

/* si_pid and si_value mean something only for signals that a process sent (sigaction(2)). */
static void tidy(struct signal_info *info)
{
	if (info->code != SI_QUEUE)
		info->value = 0;
	if (info->code != SI_USER && info->code != SI_QUEUE && info->code != SI_TKILL &&
	    info->number != SIGCHLD)
		info->pid = 0, info->uid = 0;
}

static void pipe_read(struct signal_pipe *p)
{
	ssize_t size = read(p->io.fd, p->read, sizeof p->read);

	p->begun = 0;
	p->n_read = size > 0 ? (unsigned)size / (unsigned)sizeof *p->read : 0;
	if (atomic_fetch_sub(&p->unread, p->n_read) - p->n_read < SIGNALS_READ)
		unblock();
}

/* Is there a watcher to call, of the record that was begun or of one that follows? */
static bool pipe_advance(const struct reactor *r, struct signal_pipe *p)
{
	while (!p->next && p->begun < p->n_read) {
		struct signal_info *info = &p->read[p->begun++];

		tidy(info);
		if (!r->filter || r->filter(r->filter_context, info))
			p->next = p->watchers[info->number];
	}
	return p->next;
}

/* What a higher priority or reactor_stop interrupts goes on from the queue. */
static void on_records(struct reactor *r, struct io_watcher *io, unsigned ready)
{
	struct signal_pipe *p = CONTAINER_OF(io, struct signal_pipe, io);
	uint32_t interrupted = ((1u << io->priority) - 1) | STOPPING;

	(void)ready;
	if (!pipe_advance(r, p))
		pipe_read(p);
	while (pipe_advance(r, p)) {
		struct signal_info info = p->read[p->begun - 1];
		struct signal_watcher *w = p->next;

		if (r->nonempty & interrupted)
			io_activate(r, io, IO_READ);
		if (io->pending) /* not where there is no memory */
			return;
		p->next = w->next;
		w->call(r, w, &info);
	}
}

/* ---- the pipe -------------------------------------------------------------------------------- */

/*
 * A millisecond or two of handlers, and at most half of the pipe, whose pages hold whole records:
 * handlers of other threads may write one more each. Where the mask is not obeyed (valgrind) what
 * finds no room is lost.
 */
enum { MOST_UNREAD = 1024 };

static unsigned most_unread(int fd)
{
	int size = fcntl(fd, F_GETPIPE_SZ);
	unsigned page = (unsigned)sysconf(_SC_PAGESIZE);
	unsigned pages = size > 0 ? (unsigned)size / page : 1;
	unsigned half = pages * (page / (unsigned)sizeof(struct signal_info)) / 2;

	return half < MOST_UNREAD ? half : MOST_UNREAD;
}

static int pipe_start(struct reactor *r, struct signal_pipe *p, uint8_t priority)
{
	int ends[2];

	if (p->io.started)
		return 0;
	if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0)
		return -1;
	io_init(&p->io, -1, IO_READ, on_records);
	p->io.priority = priority;
	if (io_open_internal(r, &p->io, ends[0]) < 0) {
		fd_close(&ends[1]);
		return -1;
	}
	p->end = ends[1];
	p->most = most_unread(p->end);
	p->owner = getpid();
	atomic_store(&p->unread, 0);
	pthread_mutex_lock(&caught.lock);
	atomic_store(&p->next_pipe, atomic_load(&pipes));
	atomic_store(&pipes, p);
	pthread_mutex_unlock(&caught.lock);
	return 0;
}

/* A handler of a vfork'ed child that was killed stays under way for ever: so do not we. */
enum { MOST_YIELDS = 100000 };

static void pipe_stop(struct reactor *r, struct signal_pipe *p)
{
	struct signal_pipe *other;
	_Atomic(struct signal_pipe *) *at = &pipes;

	if (!p->io.started)
		return;
	pthread_mutex_lock(&caught.lock);
	while ((other = atomic_load(at)) != p)
		at = &other->next_pipe;
	atomic_store(at, atomic_load(&p->next_pipe));
	pthread_mutex_unlock(&caught.lock);
	for (int i = 0; atomic_load(&handlers) && i < MOST_YIELDS; i++)
		sched_yield();
	io_close_internal(r, &p->io);
	fd_close(&p->end);
}

int signals_reinit(struct reactor *r)
{
	int result = 0;

	for (uint8_t i = 0; i < PRIORITIES && result == 0; i++) {
		struct signal_pipe *p = &r->signal_pipes[i];

		if (!p->io.started)
			continue;
		if (p->owner != getpid()) { /* nobody ends what the parent's other threads did */
			caught.lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
			atomic_store(&handlers, 0);
		}
		p->n_read = 0;
		p->next = NULL;
		pipe_stop(r, p);
		result = pipe_start(r, p, i);
	}
	unblock();
	return result;
}

/* ---- watching -------------------------------------------------------------------------------- */

/* Somebody may have set it back meanwhile: a child that went its own way. */
static int catch_signal(int number)
{
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
	struct sigaction former;
	int result;

	sigfillset(&action.sa_mask); /* what a nested one blocks would end with the outer one */
	pthread_mutex_lock(&caught.lock);
	result = sigaction(number, &action, &former);
	if (result == 0 && (!(former.sa_flags & SA_SIGINFO) || former.sa_sigaction != on_signal)) {
		caught.former[number] = former;
		caught.pipes[number] = 0;
	}
	caught.pipes[number] += result == 0;
	pthread_mutex_unlock(&caught.lock);
	return result;
}

static void release_signal(int number)
{
	pthread_mutex_lock(&caught.lock);
	if (--caught.pipes[number] == 0) {
		if (blocked_here & bit_of(number)) /* what is queued yet must not act as before */
			signal(number, SIG_IGN);
		sigaction(number, &caught.former[number], NULL);
	}
	pthread_mutex_unlock(&caught.lock);
	unblock();
}

int signal_start(struct reactor *r, struct signal_watcher *w)
{
	struct signal_pipe *p = &r->signal_pipes[w->priority];
	struct signal_watcher **first;

	if (w->started)
		return 0;
	if (!is_signal(w->number)) {
		errno = EINVAL;
		return -1;
	}
	first = &p->watchers[w->number];
	if (pipe_start(r, p, w->priority) < 0 || (!*first && catch_signal(w->number) < 0))
		return -1;
	atomic_fetch_or(&p->watched, bit_of(w->number));
	w->next = *first;
	*first = w;
	w->started = true;
	r->started++;
	return 0;
}

void signal_stop(struct reactor *r, struct signal_watcher *w)
{
	struct signal_pipe *p = &r->signal_pipes[w->priority];
	struct signal_watcher **at;

	if (!w->started)
		return;
	for (at = &p->watchers[w->number]; *at != w; at = &(*at)->next)
		;
	*at = w->next;
	if (p->next == w)
		p->next = w->next;
	if (r->signal_next == w)
		r->signal_next = w->next;
	w->started = false;
	r->started--;
	if (p->watchers[w->number])
		return;
	atomic_fetch_and(&p->watched, ~bit_of(w->number));
	release_signal(w->number);
}

void signals_close(struct reactor *r)
{
	for (int i = 0; i < PRIORITIES; i++) {
		struct signal_pipe *p = &r->signal_pipes[i];

		for (int number = 1; number < SIGNALS; number++)
			while (p->watchers[number])
				signal_stop(r, p->watchers[number]);
		pipe_stop(r, p);
	}
}
