/*
 * select(2), with sets sized at run time: the kernel reads as many bits as it is told, FD_SETSIZE
 * is a limit of the C library's type alone.
 *
 * select tells no hang-up, error or half-close apart; what it finds ready is asked for once more by
 * poll(2) without waiting, so that this backend tells its watchers what the others tell.
 */
#include "reactor/ready.h"

#include "base/array.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SETS = 3, WORD = sizeof(unsigned long) * CHAR_BIT };

/* For readability, writability and priority data. */
static const unsigned set_interest[SETS] = {
    IO_READ | IO_HALF_CLOSE | IO_HANGUP | IO_ERROR,
    IO_WRITE,
    IO_URGENT,
};

struct select_state {
	unsigned long *wanted[SETS], *result[SETS]; /* `words` words each */
	uint16_t *interests;                        /* by descriptor */
	uint32_t *generations;
	size_t words, n_interests, n_generations;
	int highest;      /* descriptor in use, or -1 */
	bool false_alarm; /* the last wait ended for something that nobody asked for */
};

static void *select_init(struct error *e)
{
	struct select_state *s = calloc(1, sizeof *s);

	if (!s)
		error_errno(e, "select");
	else
		s->highest = -1;
	return s;
}

static void select_dealloc(void *state)
{
	struct select_state *s = state;

	for (int i = 0; i < SETS; i++) {
		free(s->wanted[i]);
		free(s->result[i]);
	}
	free(s->interests);
	free(s->generations);
	free(s);
}

static bool bit_get(const unsigned long *set, int fd)
{
	return set[(size_t)fd / WORD] >> ((size_t)fd % WORD) & 1;
}

static void bit_set(unsigned long *set, int fd, bool on)
{
	unsigned long bit = 1ul << ((size_t)fd % WORD);

	if (on)
		set[(size_t)fd / WORD] |= bit;
	else
		set[(size_t)fd / WORD] &= ~bit;
}

static int select_grow(struct select_state *s, int fd)
{
	size_t need = (size_t)fd / WORD + 1, capacity = 0;

	if (ARRAY_GROW(s->interests, s->n_interests, (size_t)fd + 1) < 0 ||
	    ARRAY_GROW(s->generations, s->n_generations, (size_t)fd + 1) < 0)
		return -1;
	if (need <= s->words)
		return 0;
	for (int i = 0; i < SETS; i++) {
		size_t wanted = s->words;
		size_t result = wanted;

		if (ARRAY_GROW(s->wanted[i], wanted, need) < 0 ||
		    ARRAY_GROW(s->result[i], result, need) < 0)
			return -1; /* `words` still tells the length that all six have */
		capacity = wanted;
	}
	s->words = capacity;
	return 0;
}

/* Hang-ups are told as readability. Who waits for priority data alone cannot have them told: files
 * of proc(5), which tell so that they changed, can always be read. */
static void select_note(struct select_state *s, int fd, unsigned interest)
{
	s->interests[fd] = (uint16_t)interest;
	if (interest & IO_URGENT && !(interest & (IO_READ | IO_WRITE | IO_HALF_CLOSE)))
		interest = IO_URGENT;
	for (int i = 0; i < SETS; i++)
		bit_set(s->wanted[i], fd, (interest & set_interest[i]) != 0);
}

static enum backend_answer select_add(void *state, int fd, unsigned before, unsigned interest,
				      uint32_t generation, bool unsure)
{
	struct select_state *s = state;

	(void)before;
	(void)unsure;
	if (select_grow(s, fd) < 0)
		return BACKEND_FAILED;
	select_note(s, fd, interest);
	s->generations[fd] = generation;
	if (fd > s->highest)
		s->highest = fd;
	return BACKEND_OK;
}

static int select_del(void *state, int fd)
{
	struct select_state *s = state;

	select_note(s, fd, 0);
	while (s->highest >= 0 && !s->interests[s->highest])
		s->highest--;
	return 0;
}

static unsigned ask_again(int fd, unsigned interest)
{
	struct pollfd p = {.fd = fd, .events = (short)to_kernel(interest)};

	return poll(&p, 1, 0) > 0 ? (unsigned)p.revents : 0;
}

/* One of the descriptors was closed while it was watched (EBADF): its watchers are told. */
static void refuse_closed(struct select_state *s, struct reactor *r)
{
	for (int fd = s->highest; fd >= 0; fd--)
		if (s->interests[fd] && fcntl(fd, F_GETFD) < 0)
			io_refused(r, fd);
}

/*
 * A hang-up is waited for as readability. Bytes that wait at a descriptor whose reader pauses would
 * end every wait: those descriptors are left out of every other one, which is short then.
 */
enum { NAP = 20000000 };

static int64_t wait_without_paused(struct select_state *s, int64_t wait)
{
	for (int fd = 0; fd <= s->highest; fd++)
		if (!(s->interests[fd] & (IO_READ | IO_HALF_CLOSE)))
			bit_set(s->result[0], fd, false);
	s->false_alarm = false;
	return wait < 0 || wait > NAP ? NAP : wait;
}

static void tell_ready(struct select_state *s, struct reactor *r, int highest)
{
	for (int fd = 0; fd <= highest; fd++) {
		unsigned ready;

		if (!bit_get(s->result[0], fd) && !bit_get(s->result[1], fd) &&
		    !bit_get(s->result[2], fd))
			continue;
		ready = ask_again(fd, s->interests[fd]);
		if (bit_get(s->result[2], fd))
			ready |= IO_URGENT; /* of proc(5): told but once */
		if (ready)
			io_ready(r, fd, s->generations[fd], ready);
		else
			s->false_alarm = true;
	}
}

static int select_dispatch(void *state, struct reactor *r, int64_t wait)
{
	struct select_state *s = state;
	struct timespec ts;
	long n;

	for (int i = 0; i < SETS && s->words; i++)
		memcpy(s->result[i], s->wanted[i], s->words * sizeof(unsigned long));
	if (s->false_alarm)
		wait = wait_without_paused(s, wait);
	ts = (struct timespec){.tv_sec = (time_t)(wait / 1000000000), .tv_nsec = wait % 1000000000};
	n = syscall(SYS_pselect6, s->highest + 1, s->result[0], s->result[1], s->result[2],
		    wait < 0 ? NULL : &ts, NULL);
	if (n < 0 && errno == EBADF) {
		refuse_closed(s, r);
		return 0;
	}
	if (n < 0)
		return errno == EINTR ? 0 : -1;
	if (n > 0)
		tell_ready(s, r, s->highest);
	return 0;
}

const struct backend backend_select = {
    .name = "select",
    .init = select_init,
    .add = select_add,
    .del = select_del,
    .dispatch = select_dispatch,
    .dealloc = select_dealloc,
};
