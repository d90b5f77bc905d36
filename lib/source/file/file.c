/*
 * file: an event when files change. Its life; see file.h for the rest of the folder.
 */
#include "source/file/file.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "source/kinds.h"
#include "source/file_counts.h"
#include "source/missing.h"

#include <errno.h>
#include <unistd.h>

static void on_ready(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct file_source *s = CONTAINER_OF(w, struct file_source, io);

	(void)r;
	(void)ready;
	if (s->fan)
		fan_read(s);
	else
		reader_read(s);
}

static void file_stop(struct source *base)
{
	struct file_source *s = (struct file_source *)base;

	io_stop(base->reactor, &s->io);
	mounts_stop(s);
	timer_stop(base->reactor, &s->changes.timer);
	timer_stop(base->reactor, &s->move_timer);
	timer_stop(base->reactor, &s->poll_timer);
	timer_stop(base->reactor, &s->rescan_timer);
	s->started = false;
}

static void file_close(struct source *base)
{
	struct file_source *s = (struct file_source *)base;

	file_stop(base);
	changes_free(s);
	moves_close(s);
	doubt_free(s);
	fan_close(s);
	mounts_close(s);
	fd_close(&s->inotify);
	tree_free(s);
	roots_close(s);
	filter_forget_rules(s);
	filter_free(s);
	text_list_free(&s->listed);
	buf_free(&s->path);
}

static int open_watches(struct file_source *s, struct error *e)
{
	const struct file_config *c = s->base.config;

	mounts_open(s);
	if (c->fanotify) {
		if (roots_open(s, e) < 0 || fan_open(s, e) < 0)
			return -1;
		mounts_tell_unseen(s);
		return 0;
	}
	if (!c->poll && watch_open(s, e) < 0)
		return -1;
	return roots_open(s, e);
}

/* It is watched for all the same; but the name may be mistyped. */
static void tell_missing(const struct file_source *s)
{
	LIST_EACH(at, after, &s->roots)
	{
		const struct root *r = CONTAINER_OF(at, struct root, link);

		if (access(r->path, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR))
			missing_warn(&s->base, r->path);
	}
}

static int file_open(struct source *base, struct error *e)
{
	struct file_source *s = (struct file_source *)base;

	s->inotify = -1;
	list_init(&s->roots);
	watch_init(s);
	filter_init(s);
	changes_init(s);
	moves_init(s);
	rescan_init(s);
	s->arming = true;
	if (file_read_paths(base->config, &s->listed, e) == 0 && open_watches(s, e) == 0) {
		io_init(&s->io, s->inotify, IO_READ, on_ready);
		s->io.priority = base->priority;
		s->arming = false;
		tell_missing(s);
		remote_tell(s);
		return 0;
	}
	file_close(base);
	return -1;
}

static void listen_on(struct file_source *s)
{
	struct error e;

	if (s->inotify < 0 || io_start(s->base.reactor, &s->io) == 0)
		return;
	error_errno(&e, "cannot watch files");
	s->base.host->failed(&s->base, &e);
}

/* What --existing found is handed on from the next turn on. */
static void file_start(struct source *base)
{
	struct file_source *s = (struct file_source *)base;

	s->started = true;
	listen_on(s);
	mounts_start(s);
	rescan_poll(s);
	if (s->changes.count)
		timer_start_in(base->reactor, &s->changes.timer, 0);
}

/* With a command it goes on gathering; without one the kernel keeps the events. */
static void file_pause(struct source *base)
{
	struct file_source *s = (struct file_source *)base;

	if (!base->has_command && s->inotify >= 0)
		io_stop(base->reactor, &s->io);
}

/* The batch may have been due while the command ran. */
static void file_resume(struct source *base)
{
	struct file_source *s = (struct file_source *)base;

	if (!base->has_command)
		listen_on(s);
	batch_review(s);
}

static void file_status(const struct source *base, struct buf *out)
{
	const struct file_source *s = (const struct file_source *)base;

	file_counts_add(out, &(struct file_counts){
				 .directories = s->dirs.count + s->n_polled,
				 .watches = s->dirs.count,
				 .overflows = s->overflows,
			     });
}

/* What its mark reports can be opened by root alone. */
static bool file_needs_root(const void *config)
{
	return ((const struct file_config *)config)->fanotify;
}

const struct source_type source_file = {
    .name = "file",
    .summary = "when files or directories change",
    .arguments = "PATH...",
    .least_arguments = 0,
    .most_arguments = -1,
    .examples = {"evwatch file src --match '*.c' -- make",
		 "evwatch file notes.txt --format '%t %e %s'"},
    .events = file_events,
    .options = file_options,
    .waits_for_room = true,
    .needs_root = file_needs_root,
    .gathers = true,
    .config_size = sizeof(struct file_config),
    .config_init = file_init,
    .config_arguments = file_arguments,
    .config_release = file_release,
    .describe = file_describe,
    .size = sizeof(struct file_source),
    .open = file_open,
    .start = file_start,
    .pause = file_pause,
    .resume = file_resume,
    .stop = file_stop,
    .close = file_close,
    .run_began = self_run_began,
    .run_ended = self_run_ended,
    .status = file_status,
};
