/*
 * poll(2), which works everywhere, and select(2) on top of it.
 *
 * select only waits: it does not tell hang-ups, errors and half-closes apart, so what woke it is
 * asked of poll. Its sets are sized at run time: the kernel reads as many bits as the call says,
 * FD_SETSIZE is a limit of the C library's type alone.
 */
#include "reactor/fast.h"

#include "base/array.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct place {
	uint32_t at; /* in the array + 1; 0: none */
	uint32_t generation;
};

struct poll_state {
	struct pollfd *fds; /* dense: the last one fills the gap of one that goes */
	uint32_t count;
	size_t capacity;
	struct place *places; /* by descriptor */
	size_t n_places;
	/* Of select alone. */
	unsigned long *bits;         /* the three sets, `words` each */
	size_t words, bits_capacity; /* as many words as have a bit for each of the descriptors */
	bool false_alarm;            /* the last wait ended for something that nobody asked for */
};

static void poll_close(void *state)
{
	struct poll_state *s = state;

	free(s->fds);
	free(s->places);
	free(s->bits);
}

static int poll_add(void *state, int fd, unsigned before, unsigned interest, uint32_t generation)
{
	struct poll_state *s = state;
	struct place *place;

	(void)before;
	if (ARRAY_GROW(s->places, s->n_places, (size_t)fd + 1) < 0 ||
	    (!s->places[fd].at && ARRAY_GROW(s->fds, s->capacity, (size_t)s->count + 1) < 0))
		return -1;
	place = &s->places[fd];
	if (!place->at)
		place->at = ++s->count;
	place->generation = generation;
	s->fds[place->at - 1] = (struct pollfd){.fd = fd, .events = (short)to_kernel(interest)};
	return 0;
}

static void poll_del(void *state, int fd)
{
	struct poll_state *s = state;
	struct pollfd last = s->fds[--s->count];
	uint32_t at = s->places[fd].at;

	s->fds[at - 1] = last;
	s->places[last.fd].at = at;
	s->places[fd].at = 0;
}

/* Waits, and tells what is ready. Returns how many are (0 when interrupted), or -1 with errno. */
static int poll_dispatch(void *state, struct reactor *r, int64_t wait)
{
	const struct poll_state *s = state;
	struct timespec ts = to_timespec(wait);
	int n = ppoll(s->fds, s->count, wait < 0 ? NULL : &ts, NULL), left = n;

	for (size_t i = 0; i < s->count && left > 0; i++) {
		int fd = s->fds[i].fd;
		unsigned events = (unsigned)s->fds[i].revents;

		left -= events != 0;
		if (events & POLLNVAL)
			io_refused(r, fd);
		else if (events)
			io_ready(r, fd, s->places[fd].generation, events);
	}
	return n < 0 && errno == EINTR ? 0 : n;
}

/* ---- select ---------------------------------------------------------------------------------- */

enum { READABLE, WRITABLE, URGENT, SETS, WORD = sizeof(unsigned long) * CHAR_BIT };

static void set_bit(struct poll_state *s, int set, int fd)
{
	s->bits[(size_t)set * s->words + (size_t)fd / WORD] |= 1ul << fd % WORD;
}

static bool has_bit(const struct poll_state *s, int set, int fd)
{
	return s->bits[(size_t)set * s->words + (size_t)fd / WORD] >> fd % WORD & 1;
}

/* As readability. Files of proc(5), which report changes as priority data, are always readable. */
static bool waits_for_hangup(const struct pollfd *p)
{
	return (p->events & (POLLPRI | POLLOUT | POLLRDHUP)) != POLLPRI;
}

/* After a false alarm, of bytes whose reader pauses, hang-ups are left out, for a short wait. */
static int fill_sets(struct poll_state *s)
{
	s->words = s->n_places / WORD + 1;
	if (ARRAY_GROW(s->bits, s->bits_capacity, SETS * s->words) < 0)
		return -1;
	memset(s->bits, 0, SETS * s->words * sizeof *s->bits);
	for (size_t i = 0; i < s->count; i++) {
		const struct pollfd *p = &s->fds[i];

		if ((p->events & POLLIN) || (waits_for_hangup(p) && !s->false_alarm))
			set_bit(s, READABLE, p->fd);
		if (p->events & POLLOUT)
			set_bit(s, WRITABLE, p->fd);
		if (p->events & POLLPRI)
			set_bit(s, URGENT, p->fd);
	}
	return 0;
}

/* Files of proc(5) report a change only once: poll does not report it again. */
static bool tell_urgent(struct poll_state *s, struct reactor *r)
{
	bool reported = false;

	for (size_t i = 0; i < s->count; i++) {
		const struct pollfd *p = &s->fds[i];

		if (p->events & POLLPRI && has_bit(s, URGENT, p->fd)) {
			io_ready(r, p->fd, s->places[p->fd].generation, IO_URGENT);
			reported = true;
		}
	}
	return reported;
}

enum { NAP = 20000000 };

static int select_dispatch(void *state, struct reactor *r, int64_t wait)
{
	struct poll_state *s = state;
	struct timespec ts;
	long n;

	if (fill_sets(s) < 0) /* no memory: poll needs none */
		return poll_dispatch(s, r, wait);
	if (s->false_alarm)
		wait = no_longer(wait, NAP);
	s->false_alarm = false;
	ts = to_timespec(wait);
	n = syscall(SYS_pselect6, s->words * WORD, s->bits, s->bits + s->words,
		    s->bits + 2 * s->words, wait < 0 ? NULL : &ts, NULL);
	/* EBADF: one was closed while it was watched, and poll knows which. */
	if (n < 0 && errno != EBADF)
		return errno == EINTR ? 0 : -1;
	if (n > 0 && tell_urgent(s, r))
		poll_dispatch(s, r, 0);
	else if (n != 0)
		s->false_alarm = poll_dispatch(s, r, 0) == 0;
	return 0;
}

const struct backend backend_poll = {
    .info = {"poll", "a few descriptors; works everywhere",
	     "each wait costs time in proportion to the descriptors"},
    .no_edges = true,
    .size = sizeof(struct poll_state),
    .add = poll_add,
    .del = poll_del,
    .dispatch = poll_dispatch,
    .dealloc = poll_close,
};

const struct backend backend_select = {
    .info = {"select", "checking the others; the oldest interface of all",
	     "each wait costs time in proportion to the highest descriptor"},
    .no_edges = true,
    .size = sizeof(struct poll_state),
    .add = poll_add,
    .del = poll_del,
    .dispatch = select_dispatch,
    .dealloc = poll_close,
};
