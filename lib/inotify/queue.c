/*
 * Reads the queue of an instance and calls who listens.
 *
 * The hard part: a callback may stop any listener, free any user, and so the instance itself. While
 * an event is passed on `next` is who comes after the one that is called, and listener_drop moves
 * it on; the table is searched anew after each event. A listener that starts within a callback
 * stands at the front of its list: it is not called for an event from before its time.
 */
#include "inotify/inner.h"

#include "base/file_time.h"
#include "base/list.h"
#include "reactor/reactor.h"

#include <errno.h>
#include <unistd.h>

enum { ROOM = 65536, MOST_EVENTS = 4096, MOST_NS = 5000000 };

void listener_drop(struct inotify *in, struct inotify_listener *l)
{
	struct watch *watch = watches_find(&in->watches, l->wd);
	struct inotify_listener **at = &watch->first;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	if (in->next == l)
		in->next = l->next;
	if (!watch->first) {
		inotify_rm_watch(in->fd, l->wd); /* EINVAL: the kernel was first */
		watches_remove(&in->watches, watch);
	}
	l->wd = 0;
	l->next = NULL;
}

/* The kernel has given the watch up: nobody listens to it any more. */
static void forget_watch(struct inotify *in, int wd)
{
	struct watch *watch = watches_find(&in->watches, wd);
	struct inotify_listener *l = watch ? watch->first : NULL;

	if (watch)
		watches_remove(&in->watches, watch);
	while (l) {
		struct inotify_listener *next = l->next;

		l->wd = 0;
		l->next = NULL;
		l = next;
	}
}

static void pass_on(struct inotify *in, const struct inotify_event *event)
{
	struct watch *watch = watches_find(&in->watches, event->wd);

	in->next = watch ? watch->first : NULL;
	while (in->next) {
		struct inotify_listener *l = in->next;
		struct inotify_user *u = in->users[l->user];

		in->next = l->next;
		u->fed = true;
		u->calls->event(u, l, event);
	}
	if (event->mask & IN_IGNORED)
		forget_watch(in, event->wd);
}

static void pass_lost(struct inotify *in)
{
	limits_warn_queue(in->set);
	for (size_t i = 0; i < in->places; i++) {
		if (!in->users[i])
			continue;
		in->users[i]->fed = true;
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

int64_t inotify_synced(const struct inotify_user *u)
{
	return u->on ? u->on->synced : 0;
}

int queue_start(struct inotify *in)
{
	in->synced = file_time_now();
	io_init(&in->io, in->fd, IO_READ, on_readable);
	return io_start(in->set->reactor, &in->io);
}
