/*
 * The reactor: one loop that waits for descriptors, timers, signals and children, and calls back.
 *
 * It knows nothing of evwatch. Watchers are embedded in their owners: no call here allocates for
 * one, beyond tables that grow with the highest descriptor and the number of armed timers.
 *
 * Every kind has the same verbs in the same order: init (pure), start, stop. A callback may stop,
 * start again or free its own watcher or any other one. All of it belongs to one thread; only
 * waker_wake may be called from another thread or from a signal handler.
 *
 * Time is in nanoseconds (int64_t). Functions that can fail return -1 with errno.
 */
#ifndef EVWATCH_REACTOR_REACTOR_H
#define EVWATCH_REACTOR_REACTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif
/* What is declared here is all that the library exports. */
#pragma GCC visibility push(default)

struct reactor;

/* Why something failed, in words, and how to mend it ("" where nobody knows). */
struct reactor_error {
	char what[400];
	char hint[240];
};

/* ---- the loop -------------------------------------------------------------------------------- */

/*
 * A new reactor on "epoll", "io_uring", "poll", "select", or the best that works here ("auto",
 * NULL). NULL with `e` filled (it may be NULL): unknown or unavailable backend, ENOMEM, EMFILE.
 */
struct reactor *reactor_new(const char *backend, struct reactor_error *e);

/* Stops what is still started, and frees the loop: the watchers' memory stays their owners'. */
void reactor_free(struct reactor *r);
/* Runs until reactor_stop, or until nothing is started any more. Returns 0, or -1 with errno. */
int reactor_run(struct reactor *r);
/* One iteration that waits at most `wait` ns (-1: as long as it takes). Returns 0 or -1. */
int reactor_turn(struct reactor *r, int64_t wait);
/* Makes reactor_run return after the current callback. */
void reactor_stop(struct reactor *r);
/*
 * After fork(2), in the child: a new backend; all watchers stay started, signals are reported from
 * here on. Wakers share their eventfd with the parent: stop and start them. Returns 0 or -1.
 */
int reactor_reinit(struct reactor *r);

const char *reactor_backend(const struct reactor *r);

/* After each turn from now on: how long its callbacks took together (ns). NULL ends it. */
typedef void turn_call(void *context, int64_t took);
void reactor_measure(struct reactor *r, turn_call *call, void *context);

struct backend_info {
	const char *name;
	const char *purpose; /* what it is best for */
	const char *limits;
};
/* All backends, best first; NULL ends the list. */
const struct backend_info *const *reactor_backends(void);
/* Does this backend work here? When not, `why` is filled (it may be NULL) and false returned. */
bool reactor_backend_works(const char *name, struct reactor_error *why);
/* Can this backend report changes only (IO_EDGE)? */
bool reactor_has_edges(const struct reactor *r);

/* ---- clocks, priorities ---------------------------------------------------------------------- */

enum clock {
	CLOCK_OF_LOOP, /* CLOCK_MONOTONIC: stands still while the machine is suspended */
	CLOCK_OF_BOOT, /* CLOCK_BOOTTIME: runs on in suspend */
	CLOCK_OF_WALL, /* CLOCK_REALTIME: steps when it is set */
};

/* The time now, from the kernel. */
int64_t clock_read(enum clock clock);
/* The time of this iteration, taken once. */
int64_t reactor_now(struct reactor *r, enum clock clock);

/* Lower numbers go first. */
enum { PRIORITY_FIRST = 0, PRIORITY_DEFAULT = 4, PRIORITY_LAST = 7 };

/* ---- descriptors ----------------------------------------------------------------------------- */

/* What is ready has the bits of epoll_ctl(2), so that nothing is translated. */
enum {
	IO_READ = 0x001,
	IO_URGENT = 0x002, /* priority data: EPOLLPRI */
	IO_WRITE = 0x004,
	IO_ERROR = 0x008,       /* reported always: EPOLLERR, or the backend refused it */
	IO_HANGUP = 0x010,      /* reported always: EPOLLHUP */
	IO_HALF_CLOSE = 0x2000, /* the peer will send no more: EPOLLRDHUP; only when asked for */
	IO_EDGE = 0x080,        /* interest: report changes only; not on poll and select */
	IO_ONCE = 0x100,        /* interest: the watcher is stopped before its callback */
	IO_TIMEOUT = 0x200,     /* ready: nothing else was for the time of its struct timed_io */
};

struct io_watcher;
typedef void io_call(struct reactor *r, struct io_watcher *w, unsigned ready);

/*
 * Several watchers may share a descriptor. Stop them before it is closed, and init them anew for a
 * new one: stop and start of the same watcher in one turn cost no system call.
 */
struct io_watcher {
	io_call *call;
	struct io_watcher *next; /* private from here on: others of this descriptor */
	int fd;
	uint32_t pending; /* place in an active queue + 1; 0: none. And io_init's mark */
	uint16_t interest;
	uint16_t ready;
	uint8_t priority; /* public: PRIORITY_FIRST to PRIORITY_LAST, before start */
	bool started;
	bool fresh; /* initialised since it was last started: the descriptor may be another */
} __attribute__((aligned(8)));

void io_init(struct io_watcher *w, int fd, unsigned interest, io_call *call);
/*
 * -1 with ENOMEM, EBADF (negative), or ENOTSUP (IO_EDGE, where the backend has none). What is
 * refused later arrives as IO_ERROR; for want of memory or room it is tried again, every 10 ms.
 */
int io_start(struct reactor *r, struct io_watcher *w);
void io_stop(struct reactor *r, struct io_watcher *w);
/* Both in fewer system calls; the descriptor is -1 then. Others that watch it get IO_ERROR. */
void io_stop_close(struct reactor *r, struct io_watcher *w);
/* Changes the interest of a started (or stopped) watcher. */
void io_change(struct reactor *r, struct io_watcher *w, unsigned interest);

/* ---- timers ---------------------------------------------------------------------------------- */

struct timer;
typedef void timer_call(struct reactor *r, struct timer *t);

/* Fires once at its deadline, never early; a callback arms it again for more. */
struct timer {
	timer_call *call;
	int64_t deadline; /* on its clock */
	uint32_t place;   /* private: in the heap, or in the queue of its priority; 0: none */
	uint8_t clock;
	uint8_t priority; /* public, before it is started */
	bool due;         /* private: it is in the queue */
} __attribute__((aligned(8)));

/* An armed timer that is given a later deadline costs one store: it is sifted when it comes up. */
void timer_init(struct timer *t, enum clock clock, timer_call *call);
/* Arms, or arms again, at an absolute time. -1 with ENOMEM (never when it was armed already). */
int timer_start_at(struct reactor *r, struct timer *t, int64_t deadline);
/* The same, `delay` ns from reactor_now. */
int timer_start_in(struct reactor *r, struct timer *t, int64_t delay);
/* In the next turn; nothing changes where it is armed already. */
int timer_start_soon(struct reactor *r, struct timer *t);
void timer_stop(struct reactor *r, struct timer *t);
bool timer_active(const struct timer *t);

/*
 * `call` is called when the wall clock was set, and when the machine wakes from suspend
 * (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET). Timers of CLOCK_OF_WALL and CLOCK_OF_BOOT that are
 * due by then fire in the same turn. One call a reactor; NULL ends it. Returns 0 or -1.
 */
typedef void clock_step_call(struct reactor *r, void *context);
int reactor_on_clock_step(struct reactor *r, clock_step_call *call, void *context);

/* ---- descriptors with a timeout -------------------------------------------------------------- */

/* Is called with IO_TIMEOUT alone when nothing was ready for `timeout` ns, after each call anew. */
struct timed_io {
	struct io_watcher io; /* for io_start, io_stop and the others */
	struct timer timer;   /* private */
	int64_t timeout;      /* public, before start */
};

void timed_io_init(struct timed_io *w, int fd, unsigned interest, int64_t timeout, io_call *call);

/* ---- signals --------------------------------------------------------------------------------- */

/* The part of siginfo_t that is of use (sigaction(2)). */
struct signal_info {
	int number;
	int code;  /* si_code */
	pid_t pid; /* sender, or 0 */
	uid_t uid;
	int value; /* sigqueue(3) */
};

struct signal_watcher;
typedef void signal_call(struct reactor *r, struct signal_watcher *w,
			 const struct signal_info *info);

/*
 * Several may watch one signal, in several reactors too. None is lost while a callback runs, until
 * more than the kernel queues for this user (getrlimit(2), RLIMIT_SIGPENDING) or, of one without a
 * queue (signal(7)), more than about a thousand wait to be reported: what comes then is merged.
 * While so many wait the signal is blocked (commands must be started with an empty mask).
 */
struct signal_watcher {
	signal_call *call;
	struct signal_watcher *next; /* private, but for the priority */
	int number;
	uint8_t priority; /* public, before start: PRIORITY_FIRST when initialised */
	bool started;
};

void signal_init(struct signal_watcher *w, int number, signal_call *call);
/* -1 with EINVAL: KILL, STOP and numbers that do not exist. */
int signal_start(struct reactor *r, struct signal_watcher *w);
/* The last watcher of a signal gives its former disposition back. */
void signal_stop(struct reactor *r, struct signal_watcher *w);
/* Is a signal watched by anyone? */
bool reactor_signal_watched(const struct reactor *r, int number);
/* Asks `filter` about every signal that this process itself was sent: false drops it. */
typedef bool signal_filter(void *context, const struct signal_info *info);
void reactor_filter_signals(struct reactor *r, signal_filter *filter, void *context);
/* Calls the watchers of info->number, at once, as if the signal had arrived here. */
void reactor_signal_deliver(struct reactor *r, const struct signal_info *info);

/* ---- children -------------------------------------------------------------------------------- */

struct child_watcher;
/* `status` as from waitpid(2); the child is reaped and the watcher stopped already. */
typedef void child_call(struct reactor *r, struct child_watcher *w, int status);

struct child_watcher {
	child_call *call;
	struct io_watcher io; /* private: of the pidfd, and its place in a queue */
	pid_t pid;
	int status;
	uint8_t priority; /* public, before start: PRIORITY_FIRST when initialised */
	bool started;
};

void child_init(struct child_watcher *w, pid_t pid, child_call *call);
/* Watches a child of this process. -1 with ESRCH: there is none. */
int child_start(struct reactor *r, struct child_watcher *w);
void child_stop(struct reactor *r, struct child_watcher *w);
/*
 * Also reaps children that nobody watches: for a subreaper (prctl(2)) or PID 1. SIGCHLD serves
 * then, and is blocked until the reactor is freed (commands must be started with an empty mask).
 * Returns 0 or -1.
 */
int reactor_reap_orphans(struct reactor *r);

/* ---- wake-ups -------------------------------------------------------------------------------- */

struct waker;
typedef void waker_call(struct reactor *r, struct waker *w);

/* Wake-ups from other threads; several before the loop looks become one call. */
struct waker {
	waker_call *call;
	struct io_watcher io; /* private, but for its priority: of an eventfd, or a pipe */
	struct reactor *reactor;
	struct waker *next; /* others of this reactor */
	int end;            /* what a wake-up writes to */
	bool asked;         /* atomic: the callback is still to come */
};

void waker_init(struct waker *w, waker_call *call);
/* -1 with EMFILE, ENOMEM. A started waker does not keep reactor_run running. */
int waker_start(struct reactor *r, struct waker *w);
void waker_stop(struct reactor *r, struct waker *w);
/* From any thread or signal handler; of a stopped one it does nothing. */
void waker_wake(struct waker *w);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
