/* See event.h. */
#include "event/event.h"

#include <string.h>

struct event event_make(const char *name)
{
	return (struct event){.name = name, .connection = -1};
}

static size_t text_size(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

static size_t event_text_size(const struct event *event)
{
	size_t size = 0;

	for (size_t i = 0; i < event->n_subjects; i++)
		size += text_size(event->subjects[i]);
	for (size_t i = 0; i < event->n_details; i++)
		size += text_size(event->details[i].value);
	return size;
}

/* Copies a text to *room and moves *room behind it. */
static const char *text_place(char **room, const char *text)
{
	char *start = *room;

	if (!text)
		return NULL;
	*room = stpcpy(start, text) + 1;
	return start;
}

size_t event_size(const struct event *event)
{
	size_t size = sizeof *event + event->n_details * sizeof *event->details +
		      event->n_subjects * sizeof *event->subjects + event->payload_length +
		      event_text_size(event);
	size_t unit = _Alignof(max_align_t);

	return (size + unit - 1) / unit * unit;
}

/* The event, its details, its subjects' pointers, the payload, the texts. */
struct event *event_place(const struct event *event, void *at)
{
	struct event *copy = at;
	struct detail *detail = (struct detail *)(copy + 1);
	const char **subject = (const char **)(detail + event->n_details);
	char *room = (char *)(subject + event->n_subjects);

	*copy = *event;
	copy->details = detail;
	copy->subjects = subject;
	if (event->payload) {
		copy->payload = memcpy(room, event->payload, event->payload_length);
		room += event->payload_length;
	}
	for (size_t i = 0; i < event->n_subjects; i++)
		subject[i] = text_place(&room, event->subjects[i]);
	for (size_t i = 0; i < event->n_details; i++) {
		detail[i] = event->details[i];
		detail[i].value = text_place(&room, event->details[i].value);
	}
	return copy;
}

const char *event_detail(const struct event *event, const char *name)
{
	for (size_t i = 0; i < event->n_details; i++)
		if (strcmp(event->details[i].name, name) == 0)
			return event->details[i].value;
	return NULL;
}
