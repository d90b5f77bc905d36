/* See topics.h. */
#include "topics.h"

#include "help.h"
#include "recipes.h"

#include <stdio.h>
#include <string.h>

static void print_options(void)
{
	help_print_options(NULL);
}

static void print_rules(void)
{
	printf("A rule, on the command line, after -e, or in a file for -f:\n"
	       "\n"
	       "    [NAME:] KIND ARG... [OPTION]... [-- SHELL COMMAND to the end of the rule]\n"
	       "\n"
	       "A line that starts with a blank continues the rule above it. An empty line ends\n"
	       "a rule, # begins a comment. Words are quoted as in the shell; nothing is\n"
	       "expanded before --. \"set OPTION...\" gives defaults to the rules that follow.\n"
	       "\n"
	       "    set --tag\n"
	       "    web:  run --restart always -- exec ./server\n"
	       "    css:  file assets --match '*.scss'\n"
	       "        -- sass assets:public\n"
	       "    mail: ended web --failed -- mail -s \"$1 failed\" root\n"
	       "\n"
	       "\"evwatch check -f FILE\" prints every error, or what each rule will do.\n"
	       "The manual: evwatch-rules(5).\n");
}

static void print_variables(void)
{
	static const struct {
		const char *names, *meaning;
	} lines[] = {
	    {"EVWATCH_RULE", "the rule's name"},
	    {"EVWATCH_SOURCE", "its kind"},
	    {"EVWATCH_EVENT", "the event's name"},
	    {"EVWATCH_COUNT", "the number of this run, from 1 on"},
	    {"EVWATCH_TIME", "when, in seconds since the epoch"},
	    {"EVWATCH_PATH, EVWATCH_OLD_PATH", "file: the path; the old one of a move"},
	    {"EVWATCH_PID", "file --fanotify: who changed the path"},
	    {"EVWATCH_SCHEDULED, EVWATCH_MISSED", "timers: when it was due; ticks missed"},
	    {"EVWATCH_SIGNAL", "signal, ended: the signal's name"},
	    {"EVWATCH_SENDER_PID, EVWATCH_SENDER_UID", "signal: its sender"},
	    {"EVWATCH_VALUE", "signal: the value that was sent"},
	    {"EVWATCH_REMOTE_ADDR, EVWATCH_REMOTE_PORT", "listen: the peer's address"},
	    {"EVWATCH_LOCAL_ADDR, EVWATCH_LOCAL_PORT", "listen: evwatch's address"},
	    {"EVWATCH_CONNECTIONS", "listen: how many there are"},
	    {"EVWATCH_STATUS", "exit, ended: the status"},
	    {"EVWATCH_DURATION", "ended: its duration in seconds"},
	};

	printf("A command gets its subjects (paths, lines, addresses ...) as \"$1\", \"$2\", ...,\n"
	       "or where {} stands, and these variables:\n\n");
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		printf("  %-41s%s\n", lines[i].names, lines[i].meaning);
}

static void print_statuses(void)
{
	printf("  0    done\n"
	       "  1    evwatch failed at run time\n"
	       "  2    an error in the usage or in a rule: nothing was run\n"
	       "  124  --within ran out before --once, --count or --last was met\n"
	       "  141  the reader of standard output has gone\n"
	       "  N    with --once, --count, --fail-fast or --last: the status of the command;\n"
	       "       126: it could not be executed, 127: it was not found, 128 + S: signal S\n"
	       "       ended it\n");
}

const struct topic topics[] = {
    {"recipes", "whole lines for what is done most often", recipes_print},
    {"options", "the options that every kind shares", print_options},
    {"rules", "rules as text, in a file", print_rules},
    {"variables", "what a command gets in its environment", print_variables},
    {"statuses", "the exit statuses of evwatch", print_statuses},
    {0},
};

const struct topic *topic_find(const char *name)
{
	for (const struct topic *t = topics; t->name; t++)
		if (strcmp(t->name, name) == 0)
			return t;
	return NULL;
}
