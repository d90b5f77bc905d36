/* The kernel's events, read ahead; see fan_ahead.h. */
#include "source/file/observe/fan_ahead.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <unistd.h>

#ifndef FAN_RENAME
#define FAN_RENAME 0x10000000
#endif

enum { INFO_FID = 1, INFO_DFID_NAME = 2, INFO_OLD = 10, INFO_NEW = 12 }; /* fanotify(7) */
enum { ROOM = 64 * 1024, MOST = 4 << 20, SPARE = 256 * 1024 };           /* bytes */
enum { MOST_READS = 8, MOST_EVENT = 2048 /* bytes */ };

/* An information record as the kernel lays it out; libcs differ in what they declare. */
struct info {
	uint8_t type, pad;
	uint16_t length;
	int32_t fsid[2];
	uint32_t handle_bytes;
	int32_t handle_type;
	char handle[];
};

/* ---- handles --------------------------------------------------------------------------------- */

static void hash_handle(struct fan_handle *h)
{
	size_t start = offsetof(struct fan_handle, fsid);

	h->hash = hash_bytes(h->fsid, offsetof(struct fan_handle, data) - start + h->bytes) | 1;
}

struct file_handle *fan_file_handle(const struct fan_handle *h)
{
	return (struct file_handle *)(uintptr_t)&h->bytes;
}

int fan_handle_at(int folder, const char *name, const int32_t fsid[2], struct fan_handle *h)
{
	int mount;

	h->hash = 0;
	h->bytes = sizeof h->data;
	memcpy(h->fsid, fsid, sizeof h->fsid);
	if (name_to_handle_at(folder, name, fan_file_handle(h), &mount, *name ? 0 : AT_EMPTY_PATH) <
	    0)
		return -1;
	hash_handle(h);
	return mount;
}

/* ---- records --------------------------------------------------------------------------------- */

static void take_handle(struct fan_handle *h, const struct info *info)
{
	memcpy(h->fsid, info->fsid, sizeof h->fsid);
	h->bytes = info->handle_bytes;
	h->type = info->handle_type;
	memcpy(h->data, info->handle, h->bytes);
	hash_handle(h);
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
bool fan_ahead_event(const struct fan_ahead *q, size_t *at, struct fan_event *ev)
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

/* ---- words ----------------------------------------------------------------------------------- */

static uint64_t hash_of_key(const void *hash)
{
	return *(const uint64_t *)hash;
}

static uint64_t hash_of_word(const void *word)
{
	return ((const struct fan_word *)word)->hash;
}

static bool word_has_hash(const void *word, const void *hash)
{
	return ((const struct fan_word *)word)->hash == *(const uint64_t *)hash;
}

static bool is_word(uint64_t mask)
{
	return mask & FAN_ONDIR && mask & (FAN_CREATE | FAN_RENAME | FAN_DELETE);
}

/* Without memory a directory is looked for where it is now. */
static void add_word(struct fan_ahead *q, uint64_t hash, size_t at)
{
	struct fan_word *first = table_find(&q->words, &hash), *w = calloc(1, sizeof *w);

	if (!w)
		return;
	w->hash = hash;
	w->at = at;
	w->last = w;
	if (!first && table_add(&q->words, w) < 0) {
		free(w);
		return;
	}
	if (first) {
		first->last->later = w;
		first->last = w;
	}
	*q->end = w;
	q->end = &w->next;
}

static void forget_word(struct fan_ahead *q)
{
	struct fan_word *w = q->first;

	q->first = w->next;
	if (!q->first)
		q->end = &q->first;
	table_remove(&q->words, &w->hash);
	if (w->later) {
		w->later->last = w->last;
		table_add(&q->words, w->later); /* there was room for w */
	}
	free(w);
}

static void note_words(struct fan_ahead *q, size_t at)
{
	struct fanotify_event_metadata head;
	struct fan_event ev;

	for (; at + sizeof head <= q->bytes.length; at += head.event_len) {
		size_t behind = at;

		memcpy(&head, q->bytes.data + at, sizeof head);
		if (is_word(head.mask) && fan_ahead_event(q, &behind, &ev) && ev.target.hash)
			add_word(q, ev.target.hash, at);
	}
}

bool fan_ahead_word(const struct fan_ahead *q, uint64_t hash, struct fan_event *ev)
{
	const struct fan_word *w = table_find(&q->words, &hash);
	size_t at;

	if (!w)
		return false;
	at = w->at;
	return fan_ahead_event(q, &at, ev);
}

/* ---- reading --------------------------------------------------------------------------------- */

void fan_ahead_init(struct fan_ahead *q, int fd)
{
	static const struct table_type by_hash = {hash_of_word, hash_of_key, word_has_hash};

	*q = (struct fan_ahead){.fd = fd, .end = &q->first};
	table_init(&q->words, &by_hash);
}

void fan_ahead_free(struct fan_ahead *q)
{
	while (q->first)
		forget_word(q);
	table_free(&q->words);
	buf_free(&q->bytes);
}

void fan_ahead_forget(struct fan_ahead *q)
{
	while (q->first && q->first->at < q->at)
		forget_word(q);
	if (!fan_ahead_empty(q))
		return;
	if (q->bytes.capacity > SPARE)
		buf_free(&q->bytes);
	buf_clear(&q->bytes);
	q->at = 0;
}

bool fan_ahead_full(const struct fan_ahead *q)
{
	return q->bytes.length >= MOST;
}

/* A read that leaves room for one more event has emptied the queue: what comes meanwhile may come
 * for ever. */
bool fan_ahead_fill(struct fan_ahead *q)
{
	size_t before = q->bytes.length;
	bool more = true;

	for (int i = 0; more && i < MOST_READS && !fan_ahead_full(q); i++) {
		ssize_t n = buf_reserve(&q->bytes, ROOM) < 0
				? 0
				: read(q->fd, q->bytes.data + q->bytes.length, ROOM);

		q->bytes.length += n > 0 ? (size_t)n : 0;
		more = n > ROOM - MOST_EVENT;
	}
	q->bytes.failed = false; /* without memory events wait in the kernel */
	note_words(q, before);
	return more && !fan_ahead_full(q);
}
