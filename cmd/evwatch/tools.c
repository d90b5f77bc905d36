/* See tools.h. */
#include "tools.h"

#include <stddef.h>
#include <string.h>

#define CONTROL_OPTION "      --control PATH           its control socket (EVWATCH_CONTROL)\n"

const struct tool tools[] = {
    {.name = "check",
     .arguments = "[--json] [-e RULE]... [-f FILE]... | KIND ARG...",
     .summary = "print every error of the rules, or a line for each that says what it will do",
     .options = "      --json                   one object a line, for editors\n",
     .examples = "  evwatch check -f site.rules\n"
		 "  evwatch check listen 7000 --max-conns 50 -- cat\n",
     .run = tool_check},
    {.name = "next",
     .arguments = "[OPTION]... KIND EXPR | -f FILE",
     .summary = "the coming times of a schedule, or of all schedules of the rules in one list",
     .options =
	 "  -n, --number N               how many (10)\n"
	 "      --from TIME              strictly after TIME (now): as for at, or @EPOCH\n"
	 "      --format FMT, --json     as events are printed; %T: seconds since the epoch\n"
	 "  --tz, --gap, --fold and the rest of the kind's options hold here too\n",
     .examples = "  evwatch next cron '15 3 * * *' --tz Europe/Berlin\n"
		 "  evwatch next -n 3 --from '2027-01-01 00:00' calendar 'Mon *-*-01'\n",
     .run = tool_next},
    {.name = "backends",
     .arguments = "[--json]",
     .summary = "which backends there are, whether they work here, and what they are good for",
     .options = "      --json                   one object a line\n",
     .run = tool_backends},
    {.name = "status",
     .arguments = "[--json|--prometheus] [--control PATH]",
     .summary = "show what a running evwatch does",
     .options = CONTROL_OPTION "      --json                   one JSON object\n"
			       "      --prometheus             Prometheus' text format\n",
     .examples = "  evwatch status --control /run/site.sock\n",
     .run = tool_status},
    {.name = "top",
     .arguments = "[--control PATH]",
     .summary = "show the same, live, with keys to act on rules",
     .options = CONTROL_OPTION,
     .run = tool_top},
    {.name = "trigger",
     .arguments = "[--wait] [--control PATH] RULE [SUBJECT...]",
     .summary = "run a rule's command by hand",
     .options = CONTROL_OPTION
     "      --wait                   until its run has ended, with its status (1: skipped)\n",
     .examples = "  evwatch trigger --wait css assets/a.scss\n",
     .run = tool_trigger},
    {.name = "pause",
     .arguments = "[--control PATH] RULE",
     .summary = "pause a rule: its events wait",
     .options = CONTROL_OPTION,
     .run = tool_pause},
    {.name = "resume",
     .arguments = "[--control PATH] RULE",
     .summary = "resume a paused rule",
     .options = CONTROL_OPTION,
     .run = tool_resume},
    {.name = "stop",
     .arguments = "[--control PATH] RULE",
     .summary = "stop a rule's command",
     .options = CONTROL_OPTION,
     .run = tool_stop},
    {.name = "reload",
     .arguments = "[--control PATH]",
     .summary = "read the rules again",
     .options = CONTROL_OPTION,
     .run = tool_reload},
    {.name = "quit",
     .arguments = "[--control PATH]",
     .summary = "end a running evwatch, as TERM does",
     .options = CONTROL_OPTION,
     .run = tool_quit},
    {.name = "completions",
     .arguments = "bash|zsh|fish",
     .summary = "print the completions for a shell",
     .examples = "  eval \"$(evwatch completions bash)\"\n"
		 "  evwatch completions fish >~/.config/fish/completions/evwatch.fish\n",
     .run = tool_completions},
    {.name = "help",
     .arguments = "[KIND [all] | TOOL | TOPIC]",
     .summary = "the help of evwatch, of a kind, of a tool, or about a topic",
     .examples = "  evwatch help file\n"
		 "  evwatch help recipes\n",
     .run = tool_help},
    {0},
};

const struct tool *tool_find(const char *name)
{
	for (const struct tool *t = tools; t->name; t++)
		if (strcmp(t->name, name) == 0)
			return t;
	return NULL;
}

const char *const *tool_names(void)
{
	static const char *names[sizeof tools / sizeof *tools];

	for (size_t i = 0; tools[i].name; i++)
		names[i] = tools[i].name;
	return names;
}
