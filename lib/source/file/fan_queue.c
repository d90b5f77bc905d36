/*
 * --fanotify: the kernel's events, read ahead.
 *
 * An event names a directory by its handle, and the path of that is known for the present alone:
 * since then it may have been renamed, or removed with all that was in it. What happened since
 * stands in the queue. So before a path is asked for, the queue is read to its end, and the first
 * rename or removal in it tells where the directory was until then.
 *
 * What is read ahead is bounded: of what lies further back paths may be those of later.
 */
#include "base/array.h"
#include "base/log.h"
#include "source/file/fanotify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <unistd.h>

#ifndef FAN_RENAME
#define FAN_RENAME 0x10000000
#endif

enum { INFO_FID = 1, INFO_DFID_NAME = 2, INFO_OLD = 10, INFO_NEW = 12 }; /* fanotify(7) */
enum { ROOM = 64 * 1024, MOST = 4 << 20, SPARE = 256 * 1024 };           /* bytes */

/* An information record as the kernel lays it out; libcs differ in what they declare. */
struct info {
	uint8_t type, pad;
	uint16_t length;
	int32_t fsid[2];
	uint32_t handle_bytes;
	int32_t handle_type;
	char handle[];
};

/* ---- records --------------------------------------------------------------------------------- */

static void take_handle(struct fan_handle *h, const struct info *info)
{
	memcpy(h->fsid, info->fsid, sizeof h->fsid);
	h->bytes = info->handle_bytes;
	h->type = info->handle_type;
	memcpy(h->data, info->handle, h->bytes);
	fan_handle_hash(h);
}

static void take_record(struct fan_event *ev, const struct info *info)
{
	const char *name = info->handle + info->handle_bytes;
	bool is_new = info->type == INFO_NEW;
	size_t room = (size_t)info->length - sizeof *info;

	if (info->handle_bytes > sizeof ev->dir.data || info->handle_bytes > room)
		return;
	if (info->type == INFO_FID) {
		take_handle(&ev->target, info);
	} else if (info->type == INFO_DFID_NAME || info->type == INFO_OLD || is_new) {
		take_handle(is_new ? &ev->to_dir : &ev->dir, info);
		if (strnlen(name, room - info->handle_bytes) <= NAME_MAX)
			strcpy(is_new ? ev->to_name : ev->name, name);
	}
}

/* Events are not aligned as their head would need. */
bool fan_queue_peek(const struct fan_queue *q, size_t *at, struct fan_event *ev)
{
	struct fanotify_event_metadata head;
	const char *next, *end;
	const struct info *info;

	if (*at + sizeof head > q->bytes.length)
		return false;
	memcpy(&head, q->bytes.data + *at, sizeof head);
	next = q->bytes.data + *at + head.metadata_len;
	end = q->bytes.data + *at + head.event_len;
	*at += head.event_len;
	ev->mask = head.mask;
	ev->pid = head.pid;
	ev->dir.hash = ev->to_dir.hash = ev->target.hash = 0;
	*ev->name = *ev->to_name = '\0';
	for (; next + sizeof *info <= end; next += info->length) {
		info = (const struct info *)(const void *)next;
		if (info->length < sizeof *info)
			break;
		take_record(ev, info);
	}
	return true;
}

/* ---- reading --------------------------------------------------------------------------------- */

static void note_departures(struct file_source *s, size_t at)
{
	struct fan_queue *q = &s->fan->queue;
	struct fan_event ev;

	for (size_t from = at; fan_queue_peek(q, &at, &ev); from = at) {
		if (!(ev.mask & FAN_ONDIR) || !(ev.mask & (FAN_RENAME | FAN_DELETE)))
			continue;
		if (ARRAY_GROW(q->departures, q->capacity, q->n_departures + 1) < 0) {
			log_error(s->base.rule, "out of memory: paths may be told wrongly");
			return;
		}
		q->departures[q->n_departures++] = (struct fan_departure){ev.target.hash, from};
	}
}

void fan_queue_forget(struct fan_queue *q)
{
	if (q->at < q->bytes.length)
		return;
	if (q->bytes.capacity > SPARE)
		buf_free(&q->bytes);
	buf_clear(&q->bytes);
	q->at = q->n_departures = q->told = 0;
}

bool fan_queue_fill(struct file_source *s)
{
	struct fan_queue *q = &s->fan->queue;
	size_t before = q->bytes.length;
	ssize_t n = 1;

	while (n > 0 && q->bytes.length < MOST) {
		if (buf_reserve(&q->bytes, ROOM) < 0) {
			log_error(s->base.rule, "out of memory: events wait in the kernel");
			q->bytes.failed = false;
			break;
		}
		n = read(s->inotify, q->bytes.data + q->bytes.length, ROOM);
		q->bytes.length += n > 0 ? (size_t)n : 0;
	}
	note_departures(s, before);
	return q->bytes.length > before;
}

bool fan_queue_next(struct fan_queue *q, struct fan_event *ev)
{
	if (!fan_queue_peek(q, &q->at, ev))
		return false;
	while (q->told < q->n_departures && q->departures[q->told].at < q->at)
		q->told++;
	return true;
}

void fan_queue_put_back(struct fan_queue *q, size_t at)
{
	q->at = at;
	while (q->told && q->departures[q->told - 1].at >= at)
		q->told--;
}

bool fan_queue_departs(const struct fan_queue *q, uint64_t hash, struct fan_event *ev)
{
	size_t at;

	for (size_t i = q->told; i < q->n_departures; i++)
		if (q->departures[i].hash == hash) {
			at = q->departures[i].at;
			return fan_queue_peek(q, &at, ev);
		}
	return false;
}

/* ---- places in events ------------------------------------------------------------------------ */

void fan_key(char key[FAN_KEY], const struct fan_handle *dir, const char *name,
	     const struct fan_handle *target)
{
	snprintf(key, FAN_KEY, "%llx %llx %llx", (unsigned long long)dir->hash,
		 (unsigned long long)hash_bytes(name, strlen(name)),
		 (unsigned long long)target->hash);
}

bool fan_arrival(const struct fan_event *ev, char key[FAN_KEY])
{
	bool moved = ev->to_dir.hash;

	if (!moved && !(ev->mask & FAN_CREATE))
		return false;
	fan_key(key, moved ? &ev->to_dir : &ev->dir, moved ? ev->to_name : ev->name, &ev->target);
	return true;
}

bool fan_departure(const struct fan_event *ev, char key[FAN_KEY])
{
	if (!(ev->mask & (FAN_DELETE | FAN_RENAME)))
		return false;
	fan_key(key, &ev->dir, ev->name, &ev->target);
	return true;
}

void fan_queue_free(struct fan_queue *q)
{
	buf_free(&q->bytes);
	free(q->departures);
}
