/* lines: what the user may say of it. */
#include "source/lines/lines.h"

#include "base/error.h"
#include "base/option.h"

#include <string.h>

void lines_init(void *config)
{
	((struct lines_config *)config)->max_line = 1024 * 1024;
}

int lines_compile(regex_t *re, const char *pattern, struct error *e)
{
	char why[128];
	int code = regcomp(re, pattern, REG_EXTENDED);

	if (code == 0)
		return 0;
	regerror(code, re, why, sizeof why);
	error_set(e, "--match: \"%s\": %s", pattern, why);
	return error_hint(e, "an extended regular expression, see regex(7)");
}

int lines_arguments(void *config, char *const *words, size_t n, struct error *e)
{
	struct lines_config *c = config;
	regex_t re;

	if (c->match) {
		if (lines_compile(&re, c->match, e) < 0)
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

void lines_release(void *config)
{
	text_list_free(&((struct lines_config *)config)->paths);
}

void lines_describe(const void *config, struct buf *out)
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

const struct event_name lines_events[] = {
    {"line", "a line came; subjects: the line, the groups of --match"},
    {0},
};

static const char *const ends[] = {"end", "start", NULL};

#define FIELD(name) offsetof(struct lines_config, name)

const struct option lines_options[] = {
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
