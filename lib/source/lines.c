/*
 * lines: an event for each line of files, pipes and descriptors.
 *
 * Lines are handed on one by one, and only while they are wanted: a command that takes its time
 * makes the reading wait, not the memory grow.
 */
#include "source/lines.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/text.h"
#include "source/kinds.h"

#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { MOST_GROUPS = 32, COMPACT = 65536 };

/* ---- configuration --------------------------------------------------------------------------- */

static void lines_init(void *config)
{
	((struct lines_config *)config)->max_line = 1024 * 1024;
}

static int compile(regex_t *re, const char *pattern, struct error *e)
{
	char why[128];
	int code = regcomp(re, pattern, REG_EXTENDED);

	if (code == 0)
		return 0;
	regerror(code, re, why, sizeof why);
	error_set(e, "--match: \"%s\": %s", pattern, why);
	return error_hint(e, "an extended regular expression, see regex(7)");
}

static int lines_arguments(void *config, char *const *words, size_t n, struct error *e)
{
	struct lines_config *c = config;
	regex_t re;

	if (c->match) {
		if (compile(&re, c->match, e) < 0)
			return -1;
		regfree(&re);
	}
	if (c->invert && !c->match)
		return error_set(e, "--invert needs --match");
	for (size_t i = 0; i < n; i++)
		if (text_list_add(&c->paths, words[i]) < 0)
			return error_errno(e, "out of memory");
	if (n == 0 && text_list_add(&c->paths, "-") < 0)
		return error_errno(e, "out of memory");
	return 0;
}

static void lines_release(void *config)
{
	text_list_free(&((struct lines_config *)config)->paths);
}

static void lines_describe(const void *config, struct buf *out)
{
	const struct lines_config *c = config;

	buf_printf(out, "each%s line of", c->follow ? " new" : "");
	for (size_t i = 0; i < c->paths.count; i++)
		buf_printf(out, "%s %s", i ? "," : "",
			   strcmp(c->paths.items[i], "-") == 0 ? "standard input"
							       : c->paths.items[i]);
	if (c->match)
		buf_printf(out, " that %s %s", c->invert ? "does not match" : "matches", c->match);
}

/* ---- lines ----------------------------------------------------------------------------------- */

static void emit_line(struct lines_source *s, const char *line, const regmatch_t *groups,
		      size_t n_groups)
{
	struct event event = event_make("line");
	const char *subjects[MOST_GROUPS + 1] = {line};
	char *copies[MOST_GROUPS] = {NULL};

	for (size_t i = 1; i < n_groups; i++) {
		regoff_t from = groups[i].rm_so < 0 ? 0 : groups[i].rm_so;
		regoff_t to = groups[i].rm_so < 0 ? 0 : groups[i].rm_eo;

		copies[i] = strndup(line + from, (size_t)(to - from));
		subjects[i] = copies[i] ? copies[i] : "";
	}
	event.subjects = subjects;
	event.n_subjects = n_groups ? n_groups : 1;
	s->base.host->emit(&s->base, &event, 1);
	for (size_t i = 1; i < n_groups; i++)
		free(copies[i]);
}

/* One line, NUL-terminated in place of its end. */
static void take_line(struct lines_source *s, const char *line)
{
	const struct lines_config *c = s->base.config;
	const regex_t *re = s->match;
	regmatch_t groups[MOST_GROUPS];
	size_t n = re ? re->re_nsub + 1 : 0;
	bool matches;

	if (!re) {
		emit_line(s, line, NULL, 0);
		return;
	}
	if (n > MOST_GROUPS)
		n = MOST_GROUPS;
	matches = regexec(re, line, n, groups, 0) == 0;
	if (matches != c->invert)
		emit_line(s, line, groups, c->invert ? 0 : n);
}

static void tell_too_long(struct line_input *in)
{
	if (in->owner->told_too_long)
		return;
	in->owner->told_too_long = true;
	log_warn(in->owner->base.rule,
		 "a line of %s is longer than --max-line: its rest is dropped", in->path);
}

/* Hands on `length` bytes at the buffer's place, which are followed by `skip` bytes of line end. */
static void cut_line(struct line_input *in, size_t length, size_t skip)
{
	struct lines_source *s = in->owner;
	char *line = in->buf.data + in->taken;
	size_t most = ((const struct lines_config *)s->base.config)->max_line;

	in->taken += length + skip;
	in->scanned = 0;
	if (in->cutting) {
		in->cutting = false;
		return;
	}
	if (length > most) {
		tell_too_long(in);
		length = most;
	}
	line[length] = '\0';
	text_remove_nuls(line, length);
	take_line(s, line);
}

/* The line at the buffer's place, if it is whole. Returns whether one was taken. */
static bool take_next(struct line_input *in)
{
	const struct lines_config *c = in->owner->base.config;
	size_t left = in->buf.length - in->taken;
	char *start = in->buf.data + in->taken;
	char *end;

	if (!left)
		return false;
	end = memchr(start + in->scanned, c->nul ? '\0' : '\n', left - in->scanned);
	if (end) {
		cut_line(in, (size_t)(end - start), 1);
		return true;
	}
	in->scanned = left;
	if (left > c->max_line && !in->cutting) {
		cut_line(in, left, 0);
		in->cutting = true;
		return true;
	}
	if (in->cutting) {
		in->taken += left;
		in->scanned = 0;
		return false;
	}
	if (!in->over && !in->flushing)
		return false;
	cut_line(in, left, 0);
	return true;
}

/* Gives memory back: what was taken from the front, and the buffer of an input at rest. */
static void tidy(struct line_input *in)
{
	if (in->taken == in->buf.length) {
		if (in->buf.capacity > COMPACT * 2)
			buf_free(&in->buf);
		else
			buf_clear(&in->buf);
		in->taken = 0;
	} else if (in->taken >= COMPACT) {
		buf_consume(&in->buf, in->taken);
		in->taken = 0;
	}
}

static bool all_over(const struct lines_source *s)
{
	for (size_t i = 0; i < s->n_inputs; i++)
		if (!s->inputs[i].over || s->inputs[i].taken < s->inputs[i].buf.length)
			return false;
	return true;
}

/* Cuts lines for as long as they are wanted. Emitting may pause, resume or stop us: look again. */
static void take_lines(struct line_input *in)
{
	struct lines_source *s = in->owner;

	if (s->cutting_lines)
		return;
	s->cutting_lines = true;
	while (!s->base.paused && !s->stopped && take_next(in))
		;
	s->cutting_lines = false;
	tidy(in);
}

void lines_arrived(struct line_input *in)
{
	struct lines_source *s = in->owner;

	take_lines(in);
	if (!s->stopped && !s->base.paused && all_over(s)) {
		s->stopped = true;
		s->base.host->ended(&s->base);
	}
}

/* ---- life ------------------------------------------------------------------------------------ */

static void on_notify(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct lines_source *s = CONTAINER_OF(w, struct lines_source, notify);
	_Alignas(struct inotify_event) char room[4096];

	(void)r;
	(void)ready;
	/* What it says does not matter: each followed file is looked at. */
	while (read(w->fd, room, sizeof room) > 0)
		;
	for (size_t i = 0; i < s->n_inputs; i++)
		input_changed(&s->inputs[i]);
}

static void lines_close(struct source *base)
{
	struct lines_source *s = (struct lines_source *)base;

	for (size_t i = 0; i < s->n_inputs; i++)
		input_close(&s->inputs[i]);
	free(s->inputs);
	s->inputs = NULL;
	s->n_inputs = 0;
	if (s->notify_fd >= 0)
		io_stop(base->reactor, &s->notify);
	fd_close(&s->notify_fd);
	if (s->match)
		regfree(s->match);
	free(s->match);
	s->match = NULL;
}

static int open_match(struct lines_source *s, struct error *e)
{
	const struct lines_config *c = s->base.config;

	if (!c->match)
		return 0;
	s->match = malloc(sizeof(regex_t));
	if (!s->match)
		return error_errno(e, "--match");
	if (compile(s->match, c->match, e) == 0)
		return 0;
	free(s->match);
	s->match = NULL;
	return -1;
}

static int open_notify(struct lines_source *s, struct error *e)
{
	if (!((const struct lines_config *)s->base.config)->follow)
		return 0;
	s->notify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (s->notify_fd < 0) {
		error_errno(e, "cannot follow files");
		if (errno == EMFILE)
			error_hint(e, "too many inotify instances: sysctl "
				      "fs.inotify.max_user_instances");
		return -1;
	}
	io_init(&s->notify, s->notify_fd, IO_READ, on_notify);
	return 0;
}

static int lines_open(struct source *base, struct error *e)
{
	struct lines_source *s = (struct lines_source *)base;
	const struct lines_config *c = base->config;

	s->notify_fd = -1;
	s->inputs = calloc(c->paths.count, sizeof *s->inputs);
	if (!s->inputs)
		return error_errno(e, "cannot read lines");
	if (open_match(s, e) < 0 || open_notify(s, e) < 0) {
		lines_close(base);
		return -1;
	}
	for (size_t i = 0; i < c->paths.count; i++) {
		struct line_input *in = &s->inputs[s->n_inputs++];

		in->owner = s;
		in->path = c->paths.items[i];
		if (input_open(in, e) < 0) {
			lines_close(base);
			return -1;
		}
	}
	return 0;
}

static void lines_start(struct source *base)
{
	struct lines_source *s = (struct lines_source *)base;

	if (s->notify_fd >= 0 && io_start(base->reactor, &s->notify) < 0) {
		struct error e;

		error_errno(&e, "cannot follow files");
		base->host->failed(base, &e);
		return;
	}
	for (size_t i = 0; i < s->n_inputs; i++)
		input_want(&s->inputs[i], !base->paused);
}

static void lines_pause(struct source *base)
{
	struct lines_source *s = (struct lines_source *)base;

	for (size_t i = 0; i < s->n_inputs; i++)
		input_want(&s->inputs[i], false);
}

static void lines_resume(struct source *base)
{
	struct lines_source *s = (struct lines_source *)base;

	for (size_t i = 0; i < s->n_inputs && !base->paused && !s->stopped; i++) {
		take_lines(&s->inputs[i]);
		if (!base->paused)
			input_want(&s->inputs[i], true);
	}
	if (!base->paused && !s->stopped && !s->cutting_lines && all_over(s)) {
		s->stopped = true;
		base->host->ended(base);
	}
}

static void lines_stop(struct source *base)
{
	lines_pause(base);
	((struct lines_source *)base)->stopped = true;
}

/* ---- the kind -------------------------------------------------------------------------------- */

static const struct event_name lines_events[] = {
    {"line", "a line came; subjects: the line, the groups of --match"},
    {0},
};

static const char *const ends[] = {"end", "start", NULL};

#define FIELD(name) offsetof(struct lines_config, name)

static const struct option lines_options[] = {
    {.name = "follow",
     .offset = FIELD(follow),
     .help = "read on as files grow, across rotation and truncation"},
    {.name = "from",
     .type = OPTION_CHOICE,
     .offset = FIELD(from),
     .value = "WHERE",
     .choices = ends,
     .help = "where --follow begins: end (default) or start"},
    {.name = "match",
     .type = OPTION_TEXT,
     .offset = FIELD(match),
     .value = "ERE",
     .help = "only lines that match; its groups are $2, $3, ..."},
    {.name = "invert", .offset = FIELD(invert), .help = "only lines that do not match"},
    {.name = "max-line",
     .type = OPTION_SIZE,
     .offset = FIELD(max_line),
     .value = "SIZE",
     .help = "longer lines are cut (1M)"},
    {.name = "null", .letter = '0', .offset = FIELD(nul), .help = "lines end with NUL"},
    {0},
};

const struct source_type source_lines = {
    .name = "lines",
    .summary = "for each line of files, pipes, logs",
    .arguments = "[PATH|-|fd:N]...",
    .least_arguments = 0,
    .most_arguments = -1,
    .examples = {"make 2>&1 | evwatch lines - --match 'error' -- notify-send",
		 "evwatch lines auth.log --follow --match 'from ([0-9.]+)' -- 'ban \"$2\"'"},
    .events = lines_events,
    .options = lines_options,
    .waits_for_room = true,
    .config_size = sizeof(struct lines_config),
    .config_init = lines_init,
    .config_arguments = lines_arguments,
    .config_release = lines_release,
    .describe = lines_describe,
    .size = sizeof(struct lines_source),
    .open = lines_open,
    .start = lines_start,
    .pause = lines_pause,
    .resume = lines_resume,
    .stop = lines_stop,
    .close = lines_close,
};
