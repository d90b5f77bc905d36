/* The loop's inside, shared by the files of this room only. */
#ifndef EVWATCH_REACTOR_LOOP_H
#define EVWATCH_REACTOR_LOOP_H

#include "reactor/heap.h"
#include "base/table.h"
#include "reactor/backend.h"
#include "reactor/reactor.h"

#include <signal.h>
#include <stdatomic.h>

enum { PRIORITIES = PRIORITY_LAST + 1, CLOCKS = 3, SIGNALS = 65 };
/* Beside the priorities in `nonempty` (fast.h). */
enum { STOPPING = 1 << PRIORITIES };

/* ns until something that failed for want of memory is tried again. */
enum { RETRY = 10000000 };

/* What the loop knows of a descriptor: 16 bytes, indexed by its number. */
struct io_slot {
	struct io_watcher *first;
	uint32_t generation; /* of the registration: stale readiness carries an older one */
	uint16_t installed;  /* what the backend has */
	bool changed;        /* listed in `changes` */
	bool unsure;         /* a watcher was initialised anew: the file may be another */
};

/* Watchers that are to be called, as fast.h packs them. */
struct queue {
	uintptr_t *items;
	uint32_t count, room, run; /* room: for as many; 0 while the queue is empty (fast.h) */
	size_t capacity;
};

/* Of a clock that steps or runs on in suspend: relative waits would be wrong there. */
struct alarm_clock {
	struct io_watcher io; /* of a timerfd; not started: there is none, and waits are bounded */
	bool open;
	int64_t armed; /* deadline set in the kernel, or INT64_MAX */
	int64_t apart; /* ahead of the loop's clock: it changes in a step (without a timerfd) */
};

/* Signals in a read: a storm of them must not starve descriptors. */
enum { SIGNALS_READ = 64 };

/* Handlers write into it for the watchers of one loop and priority. */
struct signal_pipe {
	struct io_watcher io; /* of its read end */
	int end;              /* the other one */
	pid_t owner;          /* a child shares the pipe until reactor_reinit */
	unsigned most;        /* so many unread records, and the handler blocks */
	atomic_uint unread;
	_Atomic(uint64_t) watched;               /* signal N: bit N - 1 */
	_Atomic(struct signal_pipe *) next_pipe; /* of this process */
	struct signal_watcher *watchers[SIGNALS];
	struct signal_watcher *next; /* to be called for the record that was begun last */
	uint32_t n_read, begun;
	struct signal_info read[SIGNALS_READ];
};

struct reactor {
	const struct backend *backend;
	void *backend_state;
	size_t started; /* watchers, but for timers, that keep reactor_run running */
	bool rebuild;   /* the backend anew: io_stale, or no memory to note what happened */

	struct io_slot *slots;
	size_t n_slots;
	int *changes;
	size_t n_changes, changes_capacity;

	uint32_t nonempty; /* a bit for each priority, and STOPPING */
	struct queue queues[PRIORITIES];

	turn_call *on_turn; /* NULL: they are not measured */
	void *on_turn_context;

	struct heap heaps[CLOCKS]; /* keys are deadlines, or too early (heap_activate_expired) */
	size_t alarms_open;
	int64_t now[CLOCKS];
	uint8_t now_known; /* a bit for each clock */
	struct alarm_clock alarms[CLOCKS];
	clock_step_call *on_step;
	void *on_step_context;

	struct waker *wakers; /* those that are started */
	atomic_bool waiting;  /* or about to: wake-ups must write to their eventfd */
	atomic_bool woken;    /* some waker is asked */

	struct signal_pipe signal_pipes[PRIORITIES];
	struct signal_watcher *signal_next; /* to be called by reactor_signal_deliver */
	signal_filter *filter;
	void *filter_context;

	struct table children;              /* by pid: those that have not ended */
	struct io_watcher child_io;         /* of a signalfd, when orphans are reaped too */
	struct signal_watcher child_signal; /* where there is no signalfd or pidfd */
	struct timer child_look;            /* after it: once a turn, however many came */
	bool reaps_orphans;
};

/* ---- queue.c ---- */
/* Room for one more: -1 with ENOMEM, and the next turn reports everything again. */
int queue_reserve(struct reactor *r, unsigned priority);
/* queue_add where the queue is empty or full. */
uint32_t queue_add_slowly(struct reactor *r, unsigned priority, uintptr_t item);
/* It is not called, whatever kind it is. */
void queue_remove(struct reactor *r, unsigned priority, uint32_t place);
void queues_close(struct reactor *r);

/* ---- loop.c ---- */
/* `wait`, -1 for ever, but `most` at most. */
static inline int64_t no_longer(int64_t wait, int64_t most)
{
	return wait < 0 || wait > most ? most : wait;
}

/* `wait`, or less where something is in the queues, or could not be done for want of memory. */
static inline int64_t wait_at_most(const struct reactor *r, int64_t wait)
{
	if (r->nonempty)
		return 0;
	return r->rebuild || r->n_changes ? no_longer(wait, RETRY) : wait;
}

/* ---- io.c ---- */
/* A watcher that is stopped before its call, or whose time begins anew by it. */
void io_call_marked(struct reactor *r, struct io_watcher *w);
void io_flush_changes(struct reactor *r);
/* A new backend with all that is watched. Returns 0, or -1 with the old one still there. */
int io_rebuild(struct reactor *r);
/* Stops every watcher that is left. */
void io_close(struct reactor *r);
/* Readiness of a registration that is gone. */
void io_stale(struct reactor *r, const struct io_slot *slot);
/*
 * For the loop's own, which does not keep reactor_run running: starts `w` (initialised) on `fd`,
 * and takes `fd` over. Refusals are errors: -1 with errno (where `fd` is -1, too), and `fd` closed.
 */
int io_open_internal(struct reactor *r, struct io_watcher *w, int fd);
void io_close_internal(struct reactor *r, struct io_watcher *w);

/* ---- backends.c ---- */
/* A state of `b`; NULL with `e` filled. */
void *backend_new(const struct backend *b, struct reactor_error *e);
void backend_free(const struct backend *b, void *state);
int backend_choose(struct reactor *r, const char *name, struct reactor_error *e);
/* Fills `e`, which may be NULL. Returns -1, errno kept; reactor_fail_errno says what that is. */
int reactor_fail(struct reactor_error *e, const char *hint, const char *what, const char *why);
int reactor_fail_errno(struct reactor_error *e, const char *what);

/* `ns` is not negative. */
static inline struct timespec to_timespec(int64_t ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = ns % 1000000000};
}

/* ---- timers.c ---- */
bool timers_armed(const struct reactor *r);
void timers_activate_expired(struct reactor *r);
/* `wait`, or less when a timer of the loop's clock is due before. Sets the other clocks' alarms. */
int64_t timers_wait(struct reactor *r, int64_t wait);
int alarms_reinit(struct reactor *r);
void timers_close(struct reactor *r);

/* It is in no queue any more. */
static inline void timer_forget_due(struct timer *t)
{
	t->due = false;
	t->place = 0;
}

/* The time is read anew when it is asked for next. */
static inline void clock_forget(struct reactor *r)
{
	r->now_known = 0;
}

/* ---- waker.c ---- */
/* `wait`, or 0 when some waker is asked: from here on wake-ups write to their eventfd. */
int64_t wakers_wait(struct reactor *r, int64_t wait);
/* After the wait: puts those that were asked into the queues. */
void wakers_activate(struct reactor *r);
void wakers_close(struct reactor *r);

/* ---- signals.c, children.c ---- */
/* Into the pipe of each loop that watches it. Returns whether too many are unread in one. */
bool signal_record(const struct signal_info *info);
int signals_reinit(struct reactor *r);
void signals_close(struct reactor *r);
void children_open(struct reactor *r);
void children_close(struct reactor *r);

#endif
