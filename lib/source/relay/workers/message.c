/*
 * See message.h. The seconds and nanoseconds (8 bytes each), how many subjects and details (a byte
 * each), then texts that end with NUL: the name, the subjects, and each detail's name and value.
 */
#include "source/relay/workers/message.h"

#include <stdint.h>
#include <string.h>
#include <time.h>

enum { HEAD = 18 };

static const char *const names[] = {"open", "close", NULL};
static const char *const detail_names[] = {"EVWATCH_REMOTE_ADDR", "EVWATCH_REMOTE_PORT",
					   "EVWATCH_TARGET", NULL};

static void pack_text(struct buf *out, const char *text)
{
	buf_add(out, text ? text : "", text ? strlen(text) + 1 : 1);
}

void event_pack(struct buf *out, const struct event *event)
{
	struct timespec now;
	int64_t time[2];
	uint8_t counts[2] = {(uint8_t)event->n_subjects, (uint8_t)event->n_details};

	clock_gettime(CLOCK_REALTIME, &now);
	time[0] = now.tv_sec;
	time[1] = now.tv_nsec;
	buf_add(out, time, sizeof time);
	buf_add(out, counts, sizeof counts);
	pack_text(out, event->name);
	for (size_t i = 0; i < counts[0]; i++)
		pack_text(out, event->subjects[i]);
	for (size_t i = 0; i < counts[1]; i++) {
		pack_text(out, event->details[i].name);
		pack_text(out, event->details[i].value);
	}
}

/* The text at *at, which then is behind it; NULL when there is none. */
static const char *next_text(const char **at, const char *end)
{
	const char *text = *at;
	const char *nul = memchr(text, '\0', (size_t)(end - text));

	if (nul)
		*at = nul + 1;
	return nul ? text : NULL;
}

/* The static string that equals the next text; NULL: none does. */
static const char *next_name(const char **at, const char *end, const char *const *all)
{
	const char *text = next_text(at, end);

	for (; text && *all; all++)
		if (strcmp(*all, text) == 0)
			return *all;
	return NULL;
}

static bool unpack_time(struct timespec *time, const char *bytes)
{
	int64_t parts[2];

	memcpy(parts, bytes, sizeof parts);
	time->tv_sec = (time_t)parts[0];
	time->tv_nsec = (long)parts[1];
	return parts[0] >= 0 && parts[1] >= 0 && parts[1] < 1000000000;
}

bool event_unpack(struct unpacked *u, const char *bytes, size_t length)
{
	const char *at = bytes + HEAD, *end = bytes + length, *name;
	size_t n_subjects, n_details;

	if (length < HEAD)
		return false;
	n_subjects = (unsigned char)bytes[16];
	n_details = (unsigned char)bytes[17];
	if (n_subjects > EVENT_SUBJECTS || n_details > EVENT_DETAILS)
		return false;
	name = next_name(&at, end, names);
	if (!name)
		return false;
	u->event = event_make(name);
	for (size_t i = 0; i < n_subjects; i++)
		if (!(u->subjects[i] = next_text(&at, end)))
			return false;
	for (size_t i = 0; i < n_details; i++) {
		u->details[i].name = next_name(&at, end, detail_names);
		u->details[i].value = u->details[i].name ? next_text(&at, end) : NULL;
		if (!u->details[i].value)
			return false;
	}
	u->event.subjects = u->subjects;
	u->event.n_subjects = n_subjects;
	u->event.details = u->details;
	u->event.n_details = n_details;
	return at == end && unpack_time(&u->event.time, bytes);
}
