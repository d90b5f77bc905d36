/* `evwatch check`: every error of the rules at once, else one line a rule in words. */
#include "describe.h"
#include "options.h"
#include "tools.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Takes --json of this tool out of the words; behind a kind it is an option of the rule. */
static bool take_json(char **words, int *count)
{
	if (*count == 0 || strcmp(words[0], "--json") != 0)
		return false;
	memmove(words, words + 1, (size_t)-- * count * sizeof *words);
	return true;
}

static int check(char **words, int count, bool json)
{
	struct process_options options = {0};
	struct rules rules = {0};
	int status = 2;

	if (command_line_read(&options, &rules, words, count) == 0)
		status = rules_print(&rules, json);
	else if (json)
		diagnostics_print_json(&rules.diagnostics);
	else
		diagnostics_print(&rules.diagnostics);
	rules_free(&rules);
	process_options_release(&options);
	return status;
}

int tool_check(int argc, char **argv)
{
	int count = argc - 1;
	bool json = take_json(argv + 1, &count);

	if (count)
		return check(argv + 1, count, json);
	fputs("evwatch: check: no rules are given\n"
	      "  for example: evwatch check -f site.rules, or evwatch check file src -- make\n",
	      stderr);
	return 2;
}
