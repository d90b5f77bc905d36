/* See intake.h. */
#include "job/intake.h"

#include "base/buf.h"
#include "base/fd.h"
#include "job/state.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

static int memory_file(const void *bytes, size_t length)
{
	int fd = memfd_create("input", MFD_CLOEXEC);

	if (fd >= 0 && (fd_write_all(fd, bytes, length) < 0 || lseek(fd, 0, SEEK_SET) < 0))
		fd_close(&fd);
	return fd;
}

/* The events whose first subject is of this run's share; those without one go with the first. */
static void add_events(const struct run *run, struct buf *b)
{
	const struct job *j = run->job;
	size_t at = 0;

	for (size_t i = 0; i < run->batch->n; i++) {
		const struct event *event = run->batch->events[i];

		if (at >= run->from && (at < run->to || run->last_share))
			j->setup.host->event_json(j->setup.owner, b, event, run->ordinal);
		at += event->n_subjects;
	}
}

static int input_of_text(const struct run *run, bool json)
{
	struct buf b = {0};
	int fd = -1;

	if (json)
		add_events(run, &b);
	for (size_t i = run->from; i < run->to && !json; i++)
		buf_printf(&b, "%s\n", run->batch->subjects[i]);
	if (b.failed)
		errno = ENOMEM;
	else
		fd = memory_file(b.data ? b.data : "", b.length);
	buf_free(&b);
	return fd;
}

int intake_open(const struct run *run, bool *mine)
{
	const struct event *first = batch_first(run->batch);
	const struct job *j = run->job;

	*mine = true;
	if (first->payload)
		return memory_file(first->payload, first->payload_length);
	*mine = false;
	if (first->connection >= 0)
		return first->connection;
	switch (j->setup.config->stdin_mode) {
	case STDIN_INHERIT:
		return 0;
	case STDIN_PATHS:
	case STDIN_JSON:
		*mine = true;
		return input_of_text(run, j->setup.config->stdin_mode == STDIN_JSON);
	default:
		return j->null;
	}
}
