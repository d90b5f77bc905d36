/* The kernel's events, read; see fan_event.h. */
#include "source/file/observe/fan_event.h"

#include "base/table.h"

#include <fcntl.h>
#include <string.h>

enum { INFO_FID = 1, INFO_DFID_NAME = 2, INFO_OLD = 10, INFO_NEW = 12 }; /* fanotify(7) */

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
bool fan_event_head(const char *bytes, size_t length, size_t *at,
		    struct fanotify_event_metadata *head)
{
	if (*at + sizeof *head > length)
		return false;
	memcpy(head, bytes + *at, sizeof *head);
	*at += head->event_len;
	return true;
}

bool fan_event_read(const char *bytes, size_t length, size_t *at, struct fan_event *ev)
{
	struct fanotify_event_metadata head;
	const char *next = bytes + *at;
	const struct info *info;

	if (!fan_event_head(bytes, length, at, &head))
		return false;
	ev->mask = head.mask;
	ev->pid = head.pid;
	ev->dir.hash = ev->to_dir.hash = ev->target.hash = 0;
	*ev->name = *ev->to_name = '\0';
	for (next += head.metadata_len; next + sizeof *info <= bytes + *at; next += info->length) {
		info = (const struct info *)(const void *)next;
		if (info->length < sizeof *info)
			break;
		take_record(ev, info);
	}
	return true;
}
