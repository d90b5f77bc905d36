/*
 * An instance: a descriptor, who listens to which of its watches, and its queue.
 *
 * The hard part: a callback may stop any listener, free any user, and so the instance itself. While
 * an event is passed on `left` counts who is still to be called, from the newest to the oldest, and
 * drop keeps it right; the table is searched anew for each. A listener that starts within a
 * callback is newer than all of them: it is not called for an event from before its time.
 */
#include "inotify/inner.h"

#include "base/array.h"
#include "base/fd.h"
#include "base/file_time.h"
#include "base/list.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROOM = 65536, MOST_EVENTS = 4096, MOST_NS = 5000000 };

/* ---- watches --------------------------------------------------------------------------------- */

/*
 * A table by wd, 8 bytes a watch, of which there may be a million. The kernel counts wds up, so
 * that the slots of neighbours lie side by side.
 */
static const uint32_t A_CROWD = UINT32_MAX; /* as the user of a listener */

enum { A_BLOCK = 2048 /* slots: four pages */, SPREAD = 0x9e3779b /* odd */ };

/* Stands in the table for its members: most inodes have one listener, which stands there itself. */
struct crowd {
	struct inotify_listener listener;
	struct inotify_listener **members;
	size_t count, capacity;
};

/* An item begins with its key. Were all slots in use side by side, to take one out would look at
 * all behind it: large blocks, which the kernel's counting fills one after the other, are
 * apart. */
static uint64_t wd_hash(const void *wd)
{
	unsigned n = (unsigned)*(const int *)wd;

	return (uint64_t)(n / A_BLOCK) * SPREAD * A_BLOCK + n % A_BLOCK;
}

static bool has_wd(const void *item, const void *wd)
{
	return *(const int *)item == *(const int *)wd;
}

static struct crowd *crowd_of(struct inotify_listener *l)
{
	return l && l->user == A_CROWD ? CONTAINER_OF(l, struct crowd, listener) : NULL;
}

static void crowd_free(struct crowd *c)
{
	if (c)
		free(c->members);
	free(c);
}

void watches_init(struct table *w)
{
	static const struct table_type by_wd = {wd_hash, wd_hash, has_wd};

	table_init(w, &by_wd);
}

/* How many listen to it; 0: it is no watch of this instance. */
static size_t watch_count(const struct table *w, int wd)
{
	struct inotify_listener *first = table_find(w, &wd);
	const struct crowd *c = crowd_of(first);

	return c ? c->count : first != NULL;
}

/* One of them; the newest is the last. */
static struct inotify_listener *watch_at(const struct table *w, int wd, size_t i)
{
	struct inotify_listener *first = table_find(w, &wd);
	const struct crowd *c = crowd_of(first);

	return c ? c->members[i] : first;
}

/* Stands where its first member stood. NULL with ENOMEM. */
static struct crowd *crowd_new(struct table *w, struct inotify_listener *first)
{
	struct crowd *c = calloc(1, sizeof *c);

	if (!c || ARRAY_GROW(c->members, c->capacity, 2) < 0) {
		free(c);
		return NULL;
	}
	c->listener = (struct inotify_listener){first->wd, A_CROWD};
	c->members[c->count++] = first;
	table_remove(w, &first->wd);
	table_add(w, c); /* where one was taken out there is room */
	return c;
}

int watch_add(struct table *w, struct inotify_listener *l)
{
	struct inotify_listener *first = table_find(w, &l->wd);
	struct crowd *c = crowd_of(first);

	if (!first)
		return table_add(w, l);
	if (!c)
		c = crowd_new(w, first);
	if (!c || ARRAY_GROW(c->members, c->capacity, c->count + 1) < 0)
		return -1;
	c->members[c->count++] = l;
	return 0;
}

/* Returns which one of its watch it was. The watch goes with the last. */
static size_t watch_remove(struct table *w, struct inotify_listener *l)
{
	struct crowd *c = crowd_of(table_find(w, &l->wd));
	size_t place = 0;

	if (c) {
		while (c->members[place] != l)
			place++;
		c->count--;
		memmove(c->members + place, c->members + place + 1,
			(c->count - place) * sizeof(struct inotify_listener *));
	}
	if (!c || !c->count) {
		table_remove(w, &l->wd);
		crowd_free(c);
	}
	return place;
}

/* Whoever listens is stopped; what stood in the table for them is freed. */
static void stop(struct inotify_listener *first)
{
	struct crowd *c = crowd_of(first);

	for (size_t i = 0; c && i < c->count; i++)
		*c->members[i] = (struct inotify_listener){0};
	if (first && !c)
		*first = (struct inotify_listener){0};
	crowd_free(c);
}

/* The watch is gone: all of its listeners are stopped. */
static void watch_forget(struct table *w, int wd)
{
	stop(table_remove(w, &wd));
}

void watches_clear(struct table *w)
{
	struct inotify_listener *first;

	for (size_t at = 0; (first = table_next(w, &at));)
		stop(first);
	table_free(w);
	watches_init(w);
}

/* ---- listeners ------------------------------------------------------------------------------- */

/* The last listener takes the watch along. */
static void drop(struct inotify *in, struct inotify_listener *l)
{
	int wd = l->wd;
	size_t place = watch_remove(&in->watches, l);

	if (wd == in->event_wd && place < in->left)
		in->left--;
	if (!watch_count(&in->watches, wd))
		inotify_rm_watch(in->fd, wd); /* EINVAL: the kernel was first */
	l->wd = 0;
}

/* A listener of this user, but for `but`. NULL: there is none. */
static struct inotify_listener *listener_of(const struct inotify *in, int wd, uint32_t user,
					    const struct inotify_listener *but)
{
	for (size_t i = watch_count(&in->watches, wd); i-- > 0;) {
		struct inotify_listener *l = watch_at(&in->watches, wd, i);

		if (l != but && l->user == user)
			return l;
	}
	return NULL;
}

int inotify_listen(struct inotify_user *u, struct inotify_listener *l, const char *path,
		   uint32_t mask)
{
	struct inotify *in = u->on;
	int wd = inotify_add_watch(in->fd, path, mask | IN_MASK_ADD);

	if (wd < 0)
		return -1;
	if (wd == l->wd)
		return 0;
	if (inotify_listens(l))
		drop(in, l);
	*l = (struct inotify_listener){wd, u->place};
	if (watch_add(&in->watches, l) == 0)
		return 0;
	l->wd = 0;
	if (!watch_count(&in->watches, wd))
		inotify_rm_watch(in->fd, wd);
	errno = ENOMEM;
	return -1;
}

void inotify_unlisten(struct inotify_user *u, struct inotify_listener *l)
{
	if (inotify_listens(l))
		drop(u->on, l);
}

struct inotify_listener *inotify_other(const struct inotify_user *u,
				       const struct inotify_listener *l)
{
	return listener_of(u->on, l->wd, l->user, l);
}

void instance_drop_all(struct inotify *in, uint32_t user)
{
	const struct inotify_listener *first;

	if (in->n_users == 1) { /* the watches go with the descriptor */
		in->left = 0;
		watches_clear(&in->watches);
		return;
	}
	for (size_t at = 0; (first = table_next(&in->watches, &at));) {
		struct inotify_listener *l = listener_of(in, first->wd, user, NULL);

		if (!l)
			continue;
		drop(in, l);
		at--;
	}
}

size_t inotify_watches(const struct inotify_user *u)
{
	return u->on ? u->on->watches.count : 0;
}

/* ---- the queue ------------------------------------------------------------------------------- */

static void pass_on(struct inotify *in, const struct inotify_event *event)
{
	in->event_wd = event->wd;
	in->left = watch_count(&in->watches, event->wd);
	while (in->left) {
		struct inotify_listener *l = watch_at(&in->watches, event->wd, --in->left);
		struct inotify_user *u = in->users[l->user];

		u->fed = true;
		u->calls->event(u, l, event);
	}
	if (event->mask & IN_IGNORED)
		watch_forget(&in->watches, event->wd);
}

static void pass_lost(struct inotify *in)
{
	limits_warn_queue(in->set);
	for (size_t i = 0; i < in->places; i++) {
		if (!in->users[i])
			continue;
		in->users[i]->fed = true;
		if (in->users[i]->calls->lost)
			in->users[i]->calls->lost(in->users[i]);
	}
}

static void pass_drained(struct inotify *in)
{
	for (size_t i = 0; i < in->places; i++) {
		struct inotify_user *u = in->users[i];

		if (!u || !u->fed)
			continue;
		u->fed = false;
		if (u->calls->drained)
			u->calls->drained(u);
	}
}

/* Passes on what was read. Returns how many events those were. */
static size_t pass_all(struct inotify *in, const char *bytes, size_t length)
{
	size_t n = 0;

	for (size_t at = 0; at < length && in->n_users; n++) {
		const struct inotify_event *event = (const void *)(bytes + at);

		if (event->mask & IN_Q_OVERFLOW)
			pass_lost(in);
		else
			pass_on(in, event);
		at += sizeof *event + event->len;
	}
	return n;
}

/* A read that leaves room for one more event has emptied the queue. */
static bool leaves_room(ssize_t n)
{
	return n <= ROOM - (ssize_t)sizeof(struct inotify_event) - 256;
}

static void read_queue(struct inotify *in)
{
	_Alignas(struct inotify_event) char bytes[ROOM];
	int64_t until = clock_read(CLOCK_OF_LOOP) + MOST_NS;
	size_t events = 0;
	int64_t now;
	ssize_t n;

	in->passing = true;
	do {
		now = file_time_now();
		n = read(in->fd, bytes, sizeof bytes);
		if (n > 0)
			events += pass_all(in, bytes, (size_t)n);
	} while (in->n_users && !leaves_room(n) && events < MOST_EVENTS &&
		 clock_read(CLOCK_OF_LOOP) < until);
	if (leaves_room(n))
		in->synced = now;
	pass_drained(in);
	in->passing = false;
	if (!in->n_users)
		instance_free(in);
}

static void on_readable(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	(void)r;
	(void)ready;
	read_queue(CONTAINER_OF(w, struct inotify, io));
}

void inotify_read(struct inotify_user *u)
{
	if (u->on && !u->on->passing)
		read_queue(u->on);
}

bool inotify_is_quiet(const struct inotify_user *u)
{
	const struct inotify_set *set = u->on->set;
	struct pollfd of[MOST_INSTANCES + 1];
	size_t n = set->n_instances;

	for (size_t i = 0; i < n; i++)
		of[i] = (struct pollfd){set->instances[i]->fd, POLLIN, 0};
	of[n] = (struct pollfd){u->on->mounts, POLLPRI, 0};
	return u->on->mounts >= 0 && poll(of, n + 1, 0) == 0;
}

int64_t inotify_synced(const struct inotify_user *u)
{
	return u->on ? u->on->synced : 0;
}

/* ---- life ------------------------------------------------------------------------------------ */

static int queue_start(struct inotify *in)
{
	in->synced = file_time_now();
	io_init(&in->io, in->fd, IO_READ, on_readable);
	return io_start(in->set->reactor, &in->io);
}

struct inotify *instance_new(struct inotify_set *set)
{
	struct inotify *in = calloc(1, sizeof *in);

	if (!in)
		return NULL;
	in->set = set;
	watches_init(&in->watches);
	in->mounts = -1;
	in->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (in->fd < 0 || queue_start(in) < 0) {
		int saved = errno;

		fd_close(&in->fd);
		free(in);
		errno = saved;
		return NULL;
	}
	in->mounts = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	set->instances[set->n_instances++] = in;
	return in;
}

/* The descriptor goes with all its watches at once: that is quicker than one by one. */
void instance_free(struct inotify *in)
{
	struct inotify_set *set = in->set;

	for (size_t i = 0; i < set->n_instances; i++)
		if (set->instances[i] == in)
			set->instances[i--] = set->instances[--set->n_instances];
	if (in->fd >= 0)
		io_stop_close(set->reactor, &in->io);
	fd_close(&in->mounts);
	table_free(&in->watches);
	free(in->users);
	free(in);
}
