/* file: its options and arguments; see config.h. */
#include "source/file/config.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/safe_open.h"
#include "base/text.h"
#include "base/units.h"
#include "match/glob.h"
#include "source/missing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- configuration --------------------------------------------------------------------------- */

const struct event_name file_events[] = {
    {"create", "it was created, or moved in"},
    {"modify", "it was written"},
    {"close_write", "it was closed by a writer, or moved in"},
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

void file_init(void *config)
{
	((struct file_config *)config)->events =
	    FILE_CREATE | FILE_MODIFY | FILE_CLOSE_WRITE | FILE_DELETE | FILE_MOVE;
}

static void hint_events(struct error *e)
{
	struct buf b = {0};

	for (size_t i = 0; i < EVENTS; i++)
		buf_printf(&b, " %s", file_events[i].name);
	error_hint(e, "a list of these, with commas:%s", b.data ? b.data : "");
	buf_free(&b);
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
	error_set(e, *name ? "there is no event \"%s\"" : "an event is missing%s", name);
	if (near)
		error_hint(e, "did you mean %s?", near);
	else
		hint_events(e);
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
		return error_set(e, "\"%s\" is not one of f, d, l", name);
	c->types[at - letters] = c->any_type = true;
	return 0;
}

static int parse_type(void *config, const char *word, struct error *e)
{
	return parse_list(word, config, add_type, e);
}

/* ---- patterns -------------------------------------------------------------------------------- */

/* `{a,b}`, which other tools take for a choice. */
static bool has_braces(const char *pattern)
{
	const char *open = strchr(pattern, '{'), *comma = open ? strchr(open, ',') : NULL;

	return comma && strchr(comma, '}') && (open == pattern || open[-1] != '\\');
}

/* Of `a{b,c}d`: 'abd' 'acd'. It has both braces. */
static int hint_choice(const char *option, const char *pattern, struct error *e)
{
	const char *open = pattern + strcspn(pattern, "{"), *close = open + strcspn(open, "}");
	const char *at = open;
	struct buf b = {0};

	while (at < close) {
		int length = (int)strcspn(++at, ",}");

		buf_printf(&b, " --%s '%.*s%.*s%s'", option, (int)(open - pattern), pattern, length,
			   at, close + 1);
		at += length;
	}
	error_hint(e, "repeat the option:%s; for a plain { write \\{", b.data ? b.data : "");
	buf_free(&b);
	return -1;
}

static bool is_regular_expression(const char *pattern)
{
	size_t length = strlen(pattern);

	if (strncmp(pattern, ".*\\.", 4) == 0 || strstr(pattern, ".*$"))
		return true;
	return (*pattern == '^' || pattern[length - 1] == '$') &&
	       (strstr(pattern, "\\.") || strstr(pattern, ".*"));
}

/* A path that may begin with a slash is watched. */
static bool watches_absolute(const struct file_config *c)
{
	for (size_t i = 0; i < c->roots.count; i++)
		if (*c->roots.items[i] == '/')
			return true;
	return c->paths_from;
}

/* A pattern that does nothing is found out late, and takes long to understand. */
static int check_pattern(const struct file_config *c, const char *option, const char *pattern,
			 struct error *e)
{
	int length = (int)strlen(pattern);

	if (!length)
		return error_set(e, "\"\" never matches: it is empty");
	if (!glob_valid(pattern))
		return error_set(e,
				 "\"%s\" never matches: a bracket is not closed or names no "
				 "class, or a backslash is at the end",
				 pattern);
	if (length > 1 && pattern[length - 1] == '/') {
		error_set(e, "\"%s\" never matches: no path ends with a slash", pattern);
		return error_hint(e,
				  "write \"%.*s\" for the directory itself, \"%s**\" for all "
				  "below it",
				  length - 1, pattern, pattern);
	}
	if (*pattern == '/' && !watches_absolute(c)) {
		error_set(e,
			  "\"%s\" never matches: paths are reported as the watched one is "
			  "written, and begin as it does",
			  pattern);
		return error_hint(e, "here with \"%s/\"", c->roots.items[0]);
	}
	if (has_braces(pattern)) {
		error_set(e, "\"%s\": a choice in braces is not supported", pattern);
		return hint_choice(option, pattern, e);
	}
	if (is_regular_expression(pattern)) {
		error_set(e, "\"%s\" looks like a regular expression", pattern);
		return error_hint(e, "a pattern is a glob, as in a shell: '*.c', '*.[jJ][pP][gG]'");
	}
	return 0;
}

static int check_patterns(const struct file_config *c, const char *option,
			  const struct text_list *patterns, struct error *e)
{
	for (size_t i = 0; i < patterns->count; i++)
		if (check_pattern(c, option, patterns->items[i], e) < 0)
			return error_of_option(e, option);
	return 0;
}

static int check_changed(const struct file_config *c, struct error *e)
{
	if (c->fanotify)
		return error_option(e, "changed",
				    "and --fanotify cannot be used together: --changed reads all "
				    "files at the start");
	if (c->any_type && !c->types[0])
		return error_option(e, "changed",
				    "needs --type f: only regular files are compared");
	if (c->events & (FILE_OPEN | FILE_ACCESS))
		return error_option(e, "changed",
				    "reads files, which the events open and access would report");
	if (!(c->events & (FILE_CREATE | FILE_MODIFY | FILE_CLOSE_WRITE)))
		return error_option(e, "changed",
				    "needs one of the events modify, close_write, create");
	return 0;
}

/* What would be ignored otherwise, and noticed too late. */
static int check_together(const struct file_config *c, struct error *e)
{
	if (check_patterns(c, "match", &c->match, e) < 0 ||
	    check_patterns(c, "ignore", &c->ignore, e) < 0)
		return -1;
	if (c->changed && check_changed(c, e) < 0)
		return -1;
	if (!c->fanotify)
		return 0;
	if (c->poll)
		return error_option(e, "fanotify", "and --poll cannot be used together");
	if (c->follow)
		return error_option(e, "fanotify", "and --follow cannot be used together");
	return 0;
}

int file_arguments(void *config, char *const *words, size_t n, struct error *e)
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
	return check_together(c, e);
}

void file_release(void *config)
{
	text_list_free(&((struct file_config *)config)->roots);
}

/* As in a .gitignore, where `!` takes a pattern back; here it is a character of the name. */
static bool pattern_doubtful(const struct text_list *patterns, const char *option,
			     const char *other, struct error *e)
{
	for (size_t i = 0; i < patterns->count; i++) {
		const char *pattern = patterns->items[i];

		if (*pattern != '!')
			continue;
		error_option(e, option, "%s is of names that begin with !", pattern);
		error_hint(e, "--%s %s says the opposite; \\! is a real one", other, pattern + 1);
		return true;
	}
	return false;
}

bool file_doubtful(const void *config, bool has_command, struct error *e)
{
	const struct file_config *c = config;

	if (pattern_doubtful(&c->match, "match", "ignore", e) ||
	    pattern_doubtful(&c->ignore, "ignore", "match", e))
		return true;
	for (size_t i = 0; i < c->roots.count; i++)
		if (missing_doubtful(c->roots.items[i], has_command, e))
			return true;
	return false;
}

void file_describe(const void *config, struct buf *out)
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
	if (c->changed)
		buf_add_text(out, ", of files only where their content differs");
}

/* ---- --paths-from ---------------------------------------------------------------------------- */

static int list_paths(struct text_list *listed, char *text, size_t length, char end)
{
	for (size_t at = 0; at < length;) {
		char *stop = memchr(text + at, end, length - at);
		size_t n = stop ? (size_t)(stop - text) - at : length - at;

		text[at + n] = '\0';
		if (n && text_list_add(listed, text + at) < 0)
			return -1;
		at += n + 1;
	}
	return 0;
}

/* A pipe of the shell's, as <(...), is waited for; a FIFO would hold up a reload. */
static int open_list(const char *path, struct error *e)
{
	int fd = safe_open(path, O_RDONLY, 0, SAFE_INHERITED, "--paths-from", e);

	if (fd >= 0 && fd_set_nonblocking(fd, false) < 0) {
		error_errno(e, "--paths-from %s", path);
		fd_close(&fd);
	}
	return fd;
}

int file_read_paths(const struct file_config *c, struct text_list *listed, struct error *e)
{
	bool standard;
	struct buf b = {0};
	int fd, result = 0;

	if (!c->paths_from)
		return 0;
	standard = strcmp(c->paths_from, "-") == 0;
	fd = standard ? 0 : open_list(c->paths_from, e);
	if (fd < 0)
		result = -1;
	/* Blocking: rules are not armed before their paths are known. */
	if (fd >= 0 && (fd_read_all(fd, &b, SIZE_MAX) < 0 ||
			list_paths(listed, b.data, b.length, c->nul ? '\0' : '\n') < 0))
		result = error_errno(e, "--paths-from %s", c->paths_from);
	if (result < 0)
		e->option = "paths-from";
	if (!standard)
		fd_close(&fd);
	buf_free(&b);
	return result;
}

/* ---- options -------------------------------------------------------------------------------- */

/* --poll DUR */
static int parse_poll(void *config, const char *word, struct error *e)
{
	struct file_config *c = config;

	if (duration_parse(word, &c->poll, e) < 0)
		return -1;
	c->never_polls = c->poll == 0;
	return 0;
}

#define CONFIG struct file_config

const struct option file_options[] = {
    OPTION_ROW("match", LIST, match, "GLOB", "only paths that match; repeat (** crosses /)",
	       .in_words = true),
    OPTION_ROW("ignore", LIST, ignore, "GLOB", "not these; such directories are not entered",
	       .in_words = true),
    OPTION_ROW("events", CUSTOM, events, "LIST", "only these events, as in create,delete",
	       .parse = parse_events),
    OPTION_ROW("type", CUSTOM, types, "f|d|l", "only files, directories, links",
	       .parse = parse_type),
    OPTION_ROW("no-recursive", FLAG, no_recursive, NULL, "no sub-directories", .in_words = true),
    OPTION_ROW("depth", COUNT, depth, "N", "N levels only; 1: the directory itself", .least = 1,
	       .most = 100000),
    OPTION_ROW("one-file-system", FLAG, one_file_system, NULL, "do not enter other file systems"),
    OPTION_ROW("existing", FLAG, existing, NULL, "report what is there at start"),
    OPTION_ROW("changed", FLAG, changed, NULL, "only files whose content differs",
	       .in_words = true),
    OPTION_ROW("paths-from", TEXT, paths_from, "FILE|-", "paths to watch, one a line (-0: NUL)",
	       .in_words = true),
    OPTION_ROW("null", FLAG, nul, NULL, "paths end with NUL", .letter = '0'),
    OPTION_ROW("follow", FLAG, follow, NULL, "follow symbolic links to directories"),
    OPTION_ROW("gitignore", FLAG, gitignore, NULL, "ignore what git ignores"),
    OPTION_ROW("poll", CUSTOM, poll, "DUR", "look at all every DUR; 0: at nothing",
	       .parse = parse_poll),
    OPTION_ROW("fanotify", FLAG, fanotify, NULL, "one mark for the file system; needs root"),
    {0},
};
