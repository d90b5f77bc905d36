/* lines: what the user may say of it. */
#include "source/lines/lines.h"

#include "base/error.h"
#include "base/option.h"
#include "base/units.h"
#include "source/missing.h"
#include "source/restart.h"

#include <limits.h>
#include <string.h>

void lines_init(void *config)
{
	struct lines_config *c = config;

	c->max_line = 1024 * 1024;
	c->restart = -1;
}

struct match *lines_compile(const struct lines_config *c, struct error *e)
{
	struct match *m = match_new(c->match, c->ignore_case, e);
	struct error why;

	if (m)
		return m;
	why = *e;
	error_option(e, "match", ": \"%s\": %s", c->match, why.what);
	error_hint(e, "%s", why.hint);
	e->column = why.column;
	return NULL;
}

static int check_match(struct lines_config *c, struct error *e)
{
	struct match *m;

	if (!c->match && (c->invert || c->ignore_case)) {
		error_option(e, c->invert ? "invert" : "ignore-case", "needs --match");
		return error_hint(e, "as in --match 'error|warning'");
	}
	if (!c->match)
		return 0;
	m = lines_compile(c, e);
	if (!m)
		return -1;
	c->groups = match_groups(m);
	match_free(m);
	return 0;
}

uint64_t lines_most_subjects(const void *config)
{
	const struct lines_config *c = config;

	return c->invert ? 1 : 1 + c->groups;
}

bool lines_endless(const void *config)
{
	const struct lines_config *c = config;

	return c->follow || c->restart == RESTART_ALWAYS;
}

bool lines_doubtful(const void *config, bool has_command, struct error *e)
{
	const struct lines_config *c = config;

	if (c->match && match_doubtful(c->match, e))
		return error_of_option(e, "match") < 0;
	for (size_t i = 0; i < c->paths.count; i++)
		if (strcmp(c->paths.items[i], "-") != 0 &&
		    missing_doubtful(c->paths.items[i], has_command, e))
			return true;
	return false;
}

/* PATH, -, or fd:N */
static int check_input(const char *word, struct error *e)
{
	uint64_t fd;

	e->column = 0;
	if (!*word)
		return error_set(e, "an empty path");
	if (strncmp(word, "fd:", 3) != 0 || count_parse(word + 3, 0, INT_MAX, &fd, e) == 0)
		return 0;
	e->column = 3;
	return error_hint(e, "fd:N is an open descriptor; ./%s is a file", word);
}

/* The output of a command is read instead of what PATHs name, and never followed. */
static int check_of(const struct lines_config *c, size_t n, struct error *e)
{
	if (!c->of)
		return 0;
	if (!c->of[strspn(c->of, " \t\n")])
		return error_option(e, "of", ": an empty command");
	if (n > 0) {
		error_option(e, "of", "COMMAND is read instead of a PATH");
		error_hint(e, "the command is one word, in quotes: --of 'journalctl -f -u ssh'");
		return error_at(e, 0, 0);
	}
	if (!c->follow)
		return 0;
	error_option(e, "follow",
		     "has no effect with --of: the output of a command is read to its end");
	return error_hint(e, "--restart always starts the command again then");
}

int lines_arguments(void *config, char *const *words, size_t n, struct error *e)
{
	struct lines_config *c = config;

	if (check_match(c, e) < 0 || check_of(c, n, e) < 0)
		return -1;
	if (!c->max_line)
		return error_option(e, "max-line", "must be greater than 0");
	for (size_t i = 0; i < n; i++) {
		if (check_input(words[i], e) < 0)
			return error_at(e, (int)i, e->column);
		if (text_list_add(&c->paths, words[i]) < 0)
			return error_errno(e, "out of memory");
	}
	if (n == 0 && !c->of && text_list_add(&c->paths, "-") < 0)
		return error_errno(e, "out of memory");
	return 0;
}

void lines_release(void *config)
{
	text_list_free(&((struct lines_config *)config)->paths);
}

void lines_describe(const void *config, struct buf *out)
{
	const struct lines_config *c = config;

	buf_printf(out, "each%s line of", c->follow ? " new" : "");
	if (c->of)
		buf_printf(out, " `%s`%s", c->of, c->restart > 0 ? restart_said[c->restart] : "");
	for (size_t i = 0; i < c->paths.count; i++)
		buf_printf(out, "%s %s", i ? "," : "",
			   strcmp(c->paths.items[i], "-") == 0 ? "standard input"
							       : c->paths.items[i]);
	if (c->match)
		buf_printf(out, " that %s %s%s", c->invert ? "does not match" : "matches", c->match,
			   c->ignore_case ? " in any case" : "");
	if (c->catch_up)
		buf_printf(out, ", from where it ended before (record in %s)", c->catch_up);
}

const struct event_name lines_events[] = {
    {"line", "a line came; subjects: the line, the groups of --match"},
    {0},
};

static const char *const ends[] = {"end", "start", NULL};

static int check_catch_up(const void *config, struct error *e)
{
	if (((const struct lines_config *)config)->follow)
		return 0;
	error_set(e, "has no effect without --follow");
	return error_hint(e, "a file that is not followed is read to its end at once");
}

static int check_restart(const void *config, struct error *e)
{
	if (((const struct lines_config *)config)->of)
		return 0;
	error_set(e, "has no effect without --of");
	return error_hint(e, "--on-busy restart stops the command on a new event");
}

static int check_from(const void *config, struct error *e)
{
	if (((const struct lines_config *)config)->follow)
		return 0;
	error_set(e, "has no effect without --follow");
	return error_hint(e, "files that are not followed are read from their start");
}

#define CONFIG struct lines_config

const struct option lines_options[] = {
    OPTION_ROW("follow", FLAG, follow, NULL, "read on as files grow, across rotation",
	       .in_words = true),
    OPTION_ROW("from", CHOICE, from, "WHERE", "where --follow begins: end (default) or start",
	       .choices = ends, .check = check_from),
    OPTION_ROW("catch-up", TEXT, catch_up, "DIR", "remember how far files were read",
	       .in_words = true, .check = check_catch_up),
    OPTION_ROW("of", TEXT, of, "COMMAND", "the lines of a command instead of a file's",
	       .in_words = true, .may_be_empty = true),
    OPTION_ROW("restart", CHOICE, restart, "no|failure|always",
	       "when that command is started again (no)", .in_words = true,
	       .choices = restart_words, .check = check_restart),
    OPTION_ROW("match", TEXT, match, "ERE", "only lines that match; its groups are $2, $3, ...",
	       .in_words = true, .may_be_empty = true),
    OPTION_ROW("invert", FLAG, invert, NULL, "only lines that do not match", .in_words = true),
    OPTION_ROW("ignore-case", FLAG, ignore_case, NULL, "--match ignores the case of letters",
	       .in_words = true),
    OPTION_ROW("max-line", SIZE, max_line, "SIZE", "longer lines are cut (1M)"),
    OPTION_ROW("null", FLAG, nul, NULL, "lines end with NUL", .letter = '0'),
    {0},
};
