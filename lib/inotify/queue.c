/*
 * Reads the queue of an instance and calls who listens.
 *
 * The hard part: a callback may stop any listener, free any user, and so the instance itself. While
 * an event is passed on `left` counts who is still to be called, from the newest to the oldest, and
 * listener_drop keeps it right; the table is searched anew for each. A listener that starts within
 * a callback is newer than all of them: it is not called for an event from before its time.
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
	int wd = l->wd;
	size_t place = watch_remove(&in->watches, l);

	if (wd == in->event_wd && place < in->left)
		in->left--;
	if (!watch_count(&in->watches, wd))
		inotify_rm_watch(in->fd, wd); /* EINVAL: the kernel was first */
	l->wd = 0;
}

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
