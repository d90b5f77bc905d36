/*
 * select(2), with sets sized at run time: the kernel reads as many bits as it is told, FD_SETSIZE
 * is a limit of the C library's type alone.
 *
 * It only waits. What woke it is asked of poll(2) without waiting, so that this backend tells its
 * watchers what the others tell.
 */
#include "reactor/backend_poll.h"

#include "reactor/ready.h"

#include "base/array.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { READABLE, WRITABLE, URGENT, SETS, WORD = sizeof(unsigned long) * CHAR_BIT };

struct select_state {
	struct poll_state poll; /* the descriptors, and what is wanted of each */
	unsigned long *bits;    /* the three sets, `words` each */
	size_t words, capacity; /* as many words as have a bit for each of the descriptors */
	bool false_alarm;       /* the last wait ended for something that nobody asked for */
};

static void select_close(void *state)
{
	struct select_state *s = state;

	free(s->bits);
	poll_close(s);
}

static unsigned long *word_of(const struct select_state *s, int set, int fd)
{
	return &s->bits[(size_t)set * s->words + (size_t)fd / WORD];
}

static unsigned long bit_of(int fd)
{
	return 1ul << ((size_t)fd % WORD);
}

/* A hang-up is waited for as readability, but not by those who want priority data alone: files of
 * proc(5), which tell so that they changed, can always be read. */
static bool waits_for_hangup(const struct pollfd *p)
{
	return (p->events & (POLLPRI | POLLOUT)) != POLLPRI;
}

/*
 * Bytes that wait at a descriptor whose reader pauses would end every wait: those descriptors are
 * left out after a false alarm, for a wait that is short then.
 */
static int fill_sets(struct select_state *s)
{
	s->words = s->poll.n_places / WORD + 1;
	if (ARRAY_GROW(s->bits, s->capacity, SETS * s->words) < 0)
		return -1;
	memset(s->bits, 0, SETS * s->words * sizeof *s->bits);
	for (size_t i = 0; i < s->poll.count; i++) {
		const struct pollfd *p = &s->poll.fds[i];
		bool is_read = p->events & (POLLIN | POLLRDHUP);

		if (is_read || (waits_for_hangup(p) && !s->false_alarm))
			*word_of(s, READABLE, p->fd) |= bit_of(p->fd);
		if (p->events & POLLOUT)
			*word_of(s, WRITABLE, p->fd) |= bit_of(p->fd);
		if (p->events & POLLPRI)
			*word_of(s, URGENT, p->fd) |= bit_of(p->fd);
	}
	return 0;
}

/* Files of proc(5) tell but once that they changed: poll does not hear of it any more. */
static bool tell_urgent(struct select_state *s, struct reactor *r)
{
	bool told = false;

	for (size_t i = 0; i < s->poll.count; i++) {
		const struct pollfd *p = &s->poll.fds[i];

		if (!(p->events & POLLPRI) || !(*word_of(s, URGENT, p->fd) & bit_of(p->fd)))
			continue;
		io_ready(r, p->fd, s->poll.generations[i], IO_URGENT);
		told = true;
	}
	return told;
}

enum { NAP = 20000000 };

static int select_dispatch(void *state, struct reactor *r, int64_t wait)
{
	struct select_state *s = state;
	struct timespec ts;
	long n;

	if (fill_sets(s) < 0) /* no memory: poll needs none */
		return poll_tell(&s->poll, r, wait) < 0 && errno != EINTR ? -1 : 0;
	if (s->false_alarm && (wait < 0 || wait > NAP))
		wait = NAP;
	s->false_alarm = false;
	ts = to_timespec(wait);
	n = syscall(SYS_pselect6, s->words * WORD, s->bits, s->bits + s->words,
		    s->bits + 2 * s->words, wait < 0 ? NULL : &ts, NULL);
	/* EBADF: one was closed while it was watched, and poll knows which. */
	if (n < 0 && errno != EBADF)
		return errno == EINTR ? 0 : -1;
	if (n != 0) {
		bool told = n > 0 && tell_urgent(s, r);

		s->false_alarm = poll_tell(&s->poll, r, 0) == 0 && !told;
	}
	return 0;
}

const struct backend backend_select = {
    .name = "select",
    .size = sizeof(struct select_state),
    .add = poll_add,
    .del = poll_del,
    .dispatch = select_dispatch,
    .close = select_close,
};
