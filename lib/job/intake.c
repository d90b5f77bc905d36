/* See intake.h. */
#include "job/intake.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/log.h"
#include "job/batch.h"
#include "job/run_setup.h"

#include <errno.h>
#include <string.h>
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
static void add_events(const struct run_setup *setup, const struct share *share, uint64_t ordinal,
		       struct buf *b)
{
	size_t at = 0;

	for (size_t i = 0; i < share->batch->n; i++) {
		const struct event *event = share->batch->events[i];

		if (at >= share->from && (at < share->to || share->last))
			setup->host->event_json(setup->owner, b, event, share->batch->kind,
						ordinal);
		at += event->n_subjects;
	}
}

/* One a line. A path that would be two lines is not handed over as two others. */
static void add_paths(const struct run_setup *setup, const struct share *share, struct buf *b)
{
	bool nul = setup->config->nul;

	for (size_t i = share->from; i < share->to; i++) {
		const char *path = share->batch->subjects[i];

		if (!nul && strchr(path, '\n'))
			log_warn(setup->rule,
				 "\"%s\" is left out of --stdin paths: it has a line break in it "
				 "(with -0 each path ends with NUL)",
				 path);
		else if (buf_add_text(b, path) == 0)
			buf_add_char(b, nul ? '\0' : '\n');
	}
}

static int input_of_text(const struct run_setup *setup, const struct share *share, uint64_t ordinal)
{
	bool json = setup->config->stdin_mode == STDIN_JSON;
	struct buf b = {0};
	int fd = -1;

	if (json)
		add_events(setup, share, ordinal, &b);
	else
		add_paths(setup, share, &b);
	if (b.failed)
		errno = ENOMEM;
	else
		fd = memory_file(b.data ? b.data : "", b.length);
	buf_free(&b);
	return fd;
}

int intake_open(const struct run_setup *setup, const struct share *share, uint64_t ordinal,
		bool *mine)
{
	const struct event *first = batch_first(share->batch);

	*mine = true;
	if (first->payload)
		return memory_file(first->payload, first->payload_length);
	*mine = false;
	if (first->connection >= 0)
		return first->connection;
	switch (setup->config->stdin_mode) {
	case STDIN_INHERIT:
		return 0;
	case STDIN_PATHS:
	case STDIN_JSON:
		*mine = true;
		return input_of_text(setup, share, ordinal);
	default:
		return setup->null;
	}
}
