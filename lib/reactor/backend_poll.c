/*
 * poll(2), which works everywhere, and select(2) on top of it. Each wait costs time in proportion
 * to the descriptors.
 *
 * The array that the kernel reads is kept dense: each descriptor knows its place in it, and the
 * last one fills the gap of one that goes.
 *
 * select only waits. It tells no hang-up, error or half-close apart, so what woke it is asked of
 * poll without waiting, and this backend tells its watchers what the others tell. Its sets are
 * sized at run time: the kernel reads as many bits as the call says, FD_SETSIZE is a limit of the C
 * library's type alone.
 */
#include "reactor/fast.h"

#include "base/array.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct poll_state {
	struct pollfd *fds;
	uint32_t *generations; /* beside each of `fds` */
	size_t count, capacity, generations_capacity;
	size_t *places; /* by descriptor: place + 1, 0: none */
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
	free(s->generations);
	free(s->places);
	free(s->bits);
}

static int poll_add(void *state, int fd, unsigned before, unsigned interest, uint32_t generation)
{
	struct poll_state *s = state;
	size_t place;

	(void)before;
	if (ARRAY_GROW(s->places, s->n_places, (size_t)fd + 1) < 0)
		return -1;
	if (!s->places[fd]) {
		if (ARRAY_GROW(s->fds, s->capacity, s->count + 1) < 0 ||
		    ARRAY_GROW(s->generations, s->generations_capacity, s->count + 1) < 0)
			return -1;
		s->places[fd] = ++s->count;
	}
	place = s->places[fd] - 1;
	s->fds[place] = (struct pollfd){.fd = fd, .events = (short)to_kernel(interest)};
	s->generations[place] = generation;
	return 0;
}

static void poll_del(void *state, int fd)
{
	struct poll_state *s = state;
	size_t place = s->places[fd] - 1, last = --s->count;

	s->fds[place] = s->fds[last];
	s->generations[place] = s->generations[last];
	s->places[s->fds[place].fd] = place + 1;
	s->places[fd] = 0;
}

/* Waits, and tells what is ready. Returns how many are (0 when interrupted), or -1 with errno. */
static int poll_tell(struct poll_state *s, struct reactor *r, int64_t wait)
{
	struct timespec ts = to_timespec(wait);
	int n = ppoll(s->fds, s->count, wait < 0 ? NULL : &ts, NULL), left = n;

	for (size_t i = 0; i < s->count && left > 0; i++) {
		struct pollfd *p = &s->fds[i];

		if (!p->revents)
			continue;
		left--;
		if (p->revents & POLLNVAL)
			io_refused(r, p->fd);
		else
			io_ready(r, p->fd, s->generations[i], (unsigned)p->revents);
	}
	return n < 0 && errno == EINTR ? 0 : n;
}

static int poll_dispatch(void *state, struct reactor *r, int64_t wait)
{
	return poll_tell(state, r, wait) < 0 ? -1 : 0;
}

/* ---- select ---------------------------------------------------------------------------------- */

enum { READABLE, WRITABLE, URGENT, SETS, WORD = sizeof(unsigned long) * CHAR_BIT };

static unsigned long *word_of(const struct poll_state *s, int set, int fd)
{
	return &s->bits[(size_t)set * s->words + (size_t)fd / WORD];
}

static unsigned long bit_of(int fd)
{
	return 1ul << ((size_t)fd % WORD);
}

/* A hang-up or half-close is waited for as readability, but not by those who want priority data
 * alone: files of proc(5), which tell so that they changed, can always be read. */
static bool waits_for_hangup(const struct pollfd *p)
{
	return (p->events & (POLLPRI | POLLOUT | POLLRDHUP)) != POLLPRI;
}

/*
 * Bytes that wait at a descriptor whose reader pauses would end every wait: those descriptors are
 * left out after a false alarm, for a wait that is short then.
 */
static int fill_sets(struct poll_state *s)
{
	s->words = s->n_places / WORD + 1;
	if (ARRAY_GROW(s->bits, s->bits_capacity, SETS * s->words) < 0)
		return -1;
	memset(s->bits, 0, SETS * s->words * sizeof *s->bits);
	for (size_t i = 0; i < s->count; i++) {
		const struct pollfd *p = &s->fds[i];

		if ((p->events & POLLIN) || (waits_for_hangup(p) && !s->false_alarm))
			*word_of(s, READABLE, p->fd) |= bit_of(p->fd);
		if (p->events & POLLOUT)
			*word_of(s, WRITABLE, p->fd) |= bit_of(p->fd);
		if (p->events & POLLPRI)
			*word_of(s, URGENT, p->fd) |= bit_of(p->fd);
	}
	return 0;
}

/* Files of proc(5) report a change only once: poll does not report it again. */
static bool tell_urgent(struct poll_state *s, struct reactor *r)
{
	bool reported = false;

	for (size_t i = 0; i < s->count; i++) {
		const struct pollfd *p = &s->fds[i];

		if (!(p->events & POLLPRI) || !(*word_of(s, URGENT, p->fd) & bit_of(p->fd)))
			continue;
		io_ready(r, p->fd, s->generations[i], IO_URGENT);
		reported = true;
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
	if (n != 0) {
		bool reported = n > 0 && tell_urgent(s, r);

		s->false_alarm = poll_tell(s, r, 0) == 0 && !reported;
	}
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
