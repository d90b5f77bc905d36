/* How events are printed: the options, and which formats there are. */
#include "rule/rule.h"

#include "base/option.h"

#include <string.h>

#define CONFIG struct print_config

const struct option print_options[] = {
    OPTION_ROW("json", FLAG, json, NULL, "print events as JSON, one object a line",
	       .in_words = true),
    OPTION_ROW("format", TEXT, format, "FMT", "as %e %s %S %r %k %t %T %n %o, \\n, \\t, \\0",
	       .may_be_empty = true),
    OPTION_ROW("null", FLAG, nul, NULL, "end subjects with NUL, escape nothing", .letter = '0',
	       .reach = REACH_RULES),
    {0},
};

int format_check(const char *format, struct error *e)
{
	for (const char *f = format; *f; f++) {
		if (*f != '%')
			continue;
		if (!f[1] || !strchr("esSrktTno%", f[1])) {
			error_option(e, "format", ": there is no %%%.1s", f + 1);
			error_hint(
			    e, "known: %%e event, %%s subject, %%S all subjects, %%r rule, %%k "
			       "kind, %%t time "
			       "(RFC 3339), %%T time (seconds), %%n count, %%o old path, %%%%, \\n "
			       "\\t \\0");
			return error_at(e, -1, (int)(f - format));
		}
		f++;
	}
	return 0;
}
