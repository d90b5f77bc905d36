/* `evwatch check`: every error of the rules at once, else one line a rule in words. */
#include "describe.h"
#include "options.h"
#include "tools.h"

#include <stdio.h>

int tool_check(int argc, char **argv)
{
	struct process_options options = {0};
	struct rules rules = {0};
	int status = 0;

	if (argc < 2) {
		fputs("evwatch: check: no rules are given\n"
		      "  for example: evwatch check -f site.rules, or evwatch check file src -- "
		      "make\n",
		      stderr);
		status = 2;
	} else if (command_line_read(&options, &rules, argv + 1, argc - 1) < 0) {
		diagnostics_tell(&rules.diagnostics);
		status = 2;
	} else {
		rules_tell(&rules);
	}
	rules_free(&rules);
	process_options_release(&options);
	return status;
}
