/*
 * file: an event when files change. Configuration and life; see file.h for the rest of the folder.
 */
#include "source/file/file.h"

#include "base/array.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "source/kinds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

/* ---- configuration --------------------------------------------------------------------------- */

const struct event_name file_events[] = {
    {"create", "it was created, or moved in"},
    {"modify", "it was written"},
    {"close_write", "it was closed by a writer"},
    {"delete", "it was deleted, or moved out"},
    {"move", "it was moved within the tree (EVWATCH_OLD_PATH)"},
    {"attrib", "its mode, owner or times changed"},
    {"open", "it was opened"},
    {"access", "it was read"},
    {"unmount", "its file system was unmounted"},
    {"overflow", "events were lost by the kernel; the tree was read again"},
    {0},
};

enum { EVENTS = sizeof file_events / sizeof *file_events - 1 };

static void file_init(void *config)
{
	((struct file_config *)config)->events =
	    FILE_CREATE | FILE_MODIFY | FILE_CLOSE_WRITE | FILE_DELETE | FILE_MOVE;
}

/* The event called so, or 0 with `e`. */
static unsigned find_event(const char *name, struct error *e)
{
	const char *names[EVENTS + 1], *near;

	for (size_t i = 0; i < EVENTS; i++) {
		if (strcmp(file_events[i].name, name) == 0)
			return 1u << i;
		names[i] = file_events[i].name;
	}
	names[EVENTS] = NULL;
	near = nearest_word(name, names);
	error_set(e, "there is no event \"%s\"", name);
	error_hint(e, "%s%s%s", near ? "did you mean " : "see evwatch file --help",
		   near ? near : "", near ? "?" : "");
	return 0;
}

/* A comma-separated list: `each` takes one word of it. Returns 0 or -1. */
static int parse_list(const char *word, struct file_config *c,
		      int (*each)(struct file_config *, const char *, struct error *),
		      struct error *e)
{
	char *copy = strdup(word), *rest = copy, *item;
	int result = 0;

	if (!copy)
		return error_errno(e, "out of memory");
	while (result == 0 && (item = strsep(&rest, ",")))
		result = each(c, item, e);
	free(copy);
	return result;
}

static int add_event(struct file_config *c, const char *name, struct error *e)
{
	unsigned event = find_event(name, e);

	c->events |= event;
	return event ? 0 : -1;
}

static int parse_events(void *config, const char *word, struct error *e)
{
	struct file_config *c = config;

	c->events = 0;
	return parse_list(word, c, add_event, e);
}

static int add_type(struct file_config *c, const char *name, struct error *e)
{
	static const char letters[] = "fdl";
	const char *at = *name && !name[1] ? strchr(letters, *name) : NULL;

	if (!at)
		return error_set(e, "\"%s\" is none of f, d, l", name);
	c->types[at - letters] = c->any_type = true;
	return 0;
}

static int parse_type(void *config, const char *word, struct error *e)
{
	return parse_list(word, config, add_type, e);
}

static int file_arguments(void *config, char *const *words, size_t n, struct error *e)
{
	struct file_config *c = config;

	if (n == 0 && !c->paths_from) {
		error_set(e, "file needs PATH...");
		return error_hint(e, "for example: evwatch file . -- make");
	}
	for (size_t i = 0; i < n; i++) {
		if (!*words[i]) {
			error_set(e, "an empty path");
			return error_at(e, (int)i, 0);
		}
		if (text_list_add(&c->roots, words[i]) < 0)
			return error_errno(e, "out of memory");
	}
	return 0;
}

static void file_release(void *config)
{
	text_list_free(&((struct file_config *)config)->roots);
}

static void file_describe(const void *config, struct buf *out)
{
	const struct file_config *c = config;

	buf_add_text(out, c->no_recursive ? "changes in" : "changes below");
	for (size_t i = 0; i < c->roots.count; i++)
		buf_printf(out, "%s %s", i ? "," : "", c->roots.items[i]);
	if (c->paths_from)
		buf_printf(out, "%s the paths that %s lists", c->roots.count ? "," : "",
			   c->paths_from);
	for (size_t i = 0; i < c->match.count; i++)
		buf_printf(out, "%s %s", i ? " or" : " that match", c->match.items[i]);
	for (size_t i = 0; i < c->ignore.count; i++)
		buf_printf(out, "%s %s", i ? "," : ", but not", c->ignore.items[i]);
}

/* ---- --paths-from ---------------------------------------------------------------------------- */

static int list_paths(struct file_source *s, char *text, size_t length, char end)
{
	for (size_t at = 0; at < length;) {
		char *stop = memchr(text + at, end, length - at);
		size_t n = stop ? (size_t)(stop - text) - at : length - at;

		text[at + n] = '\0';
		if (n && text_list_add(&s->listed, text + at) < 0)
			return -1;
		at += n + 1;
	}
	return 0;
}

static int read_paths(struct file_source *s, struct error *e)
{
	const struct file_config *c = s->base.config;
	bool standard;
	struct buf b = {0};
	int fd, result = 0;
	ssize_t n = 0;

	if (!c->paths_from)
		return 0;
	standard = strcmp(c->paths_from, "-") == 0;
	fd = standard ? 0 : open(c->paths_from, O_RDONLY | O_CLOEXEC);
	/* Blocking: rules are not armed before their paths are known. */
	while (fd >= 0 && buf_reserve(&b, 65536) == 0 &&
	       ((n = read(fd, b.data + b.length, 65536)) > 0 || (n < 0 && errno == EINTR)))
		b.length += n > 0 ? (size_t)n : 0;
	if (fd < 0 || n < 0 || b.failed ||
	    list_paths(s, b.data ? b.data : (char[]){0}, b.length, c->nul ? '\0' : '\n') < 0)
		result = error_errno(e, "--paths-from %s", c->paths_from);
	if (!standard)
		fd_close(&fd);
	buf_free(&b);
	return result;
}

/* ---- life ------------------------------------------------------------------------------------ */

static void on_inotify(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	(void)r;
	(void)ready;
	reader_read(CONTAINER_OF(w, struct file_source, io));
}

static void file_close(struct source *base)
{
	struct file_source *s = (struct file_source *)base;

	changes_free(s);
	reader_close(s);
	if (s->inotify >= 0)
		io_stop(base->reactor, &s->io);
	fd_close(&s->inotify);
	tree_free(s);
	if (s->roots.next)
		roots_close(s);
	text_list_free(&s->listed);
	buf_free(&s->path);
}

static int open_inotify(struct file_source *s, struct error *e)
{
	s->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (s->inotify < 0) {
		error_errno(e, "cannot watch files");
		if (errno == EMFILE)
			error_hint(e, "too many inotify instances or open files: see sysctl "
				      "fs.inotify.max_user_instances, and ulimit -n");
		return -1;
	}
	io_init(&s->io, s->inotify, IO_READ, on_inotify);
	s->io.priority = s->base.priority;
	return 0;
}

static int file_open(struct source *base, struct error *e)
{
	struct file_source *s = (struct file_source *)base;

	s->inotify = -1;
	tree_init(s);
	changes_init(s);
	reader_init(s);
	s->arming = true;
	if (read_paths(s, e) == 0 && open_inotify(s, e) == 0 && roots_open(s, e) == 0) {
		s->arming = false;
		return 0;
	}
	file_close(base);
	return -1;
}

static void file_start(struct source *base)
{
	struct file_source *s = (struct file_source *)base;
	struct error e;

	if (io_start(base->reactor, &s->io) == 0) {
		changes_review(s);
		return;
	}
	error_errno(&e, "cannot watch files");
	base->host->failed(base, &e);
}

/* With a command it goes on gathering; without one the kernel keeps the events. */
static void file_pause(struct source *base)
{
	if (!base->has_command)
		io_stop(base->reactor, &((struct file_source *)base)->io);
}

static void file_resume(struct source *base)
{
	struct file_source *s = (struct file_source *)base;

	if (!base->has_command) {
		file_start(base);
		return;
	}
	/* The batch may have been due while the command ran. */
	changes_review(s);
}

static void file_stop(struct source *base)
{
	struct file_source *s = (struct file_source *)base;

	io_stop(base->reactor, &s->io);
	timer_stop(base->reactor, &s->changes.timer);
	timer_stop(base->reactor, &s->move_timer);
}

/* ---- the kind -------------------------------------------------------------------------------- */

#define FIELD(name) offsetof(struct file_config, name)

static const struct option file_options[] = {
    {.name = "match",
     .type = OPTION_LIST,
     .offset = FIELD(match),
     .value = "GLOB",
     .help = "only paths that match; repeat (** crosses /)"},
    {.name = "ignore",
     .type = OPTION_LIST,
     .offset = FIELD(ignore),
     .value = "GLOB",
     .help = "not these; a directory is not even entered; repeat"},
    {.name = "events",
     .type = OPTION_CUSTOM,
     .parse = parse_events,
     .value = "LIST",
     .help = "create,modify,close_write,delete,move,attrib"},
    {.name = "type",
     .type = OPTION_CUSTOM,
     .parse = parse_type,
     .value = "f|d|l",
     .help = "only files, directories, links"},
    {.name = "no-recursive", .offset = FIELD(no_recursive), .help = "no sub-directories"},
    {.name = "depth",
     .type = OPTION_COUNT,
     .offset = FIELD(depth),
     .value = "N",
     .least = 1,
     .most = 100000,
     .help = "N levels only; 1: the directory itself"},
    {.name = "one-file-system",
     .offset = FIELD(one_file_system),
     .help = "do not enter other file systems"},
    {.name = "existing", .offset = FIELD(existing), .help = "report what is there at start"},
    {.name = "paths-from",
     .type = OPTION_TEXT,
     .offset = FIELD(paths_from),
     .value = "FILE|-",
     .help = "paths to watch, one a line (-0: NUL)"},
    {.name = "null", .letter = '0', .offset = FIELD(nul), .help = "paths end with NUL"},
    {.name = "follow", .help = "follow symbolic links", .not_yet = true},
    {.name = "gitignore", .help = "ignore what git ignores", .not_yet = true},
    {.name = "poll",
     .type = OPTION_DURATION,
     .value = "DUR",
     .help = "look every DUR, for file systems without events",
     .not_yet = true},
    {.name = "fanotify", .help = "one mark for the whole file system", .not_yet = true},
    {0},
};

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
    .gathers = true,
    .default_jobs = 1,
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
};
