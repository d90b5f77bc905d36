/* See help.h. */
#include "help.h"

#include "options.h"
#include "tools.h"
#include "topics.h"

#include "reactor/reactor.h"
#include "rule/parser.h"
#include "source/source.h"

#include <stdio.h>
#include <string.h>

enum { OPTION_COLUMN = 30 };

static void print_option(const struct option *o)
{
	char left[80];
	int n;

	n = snprintf(left, sizeof left, o->letter ? "  -%c, " : "      ", o->letter);
	snprintf(left + n, sizeof left - (size_t)n, "--%s%s%s", o->name, o->value ? " " : "",
		 o->value ? o->value : "");
	printf("%-*s %s%s\n", OPTION_COLUMN, left, o->help ? o->help : "",
	       o->not_yet ? " (not there yet)" : "");
}

/* Leaves out the options that the kind refuses (NULL: none). */
static void list_options(const char *title, const struct option *table,
			 const struct source_type *type)
{
	if (!table || !table->name)
		return;
	if (title)
		printf("\n%s:\n", title);
	for (; table->name; table++)
		if (!type || (!kind_refuses(type, table) &&
			      (table->reach != REACH_BATCHES || type->gathers)))
			print_option(table);
}

static void list_tools(void)
{
	int column = printf("\nTools:") - 1;

	for (const struct tool *t = tools; t->name; t++) {
		int width = 1 + (int)strlen(t->name);

		if (!t->run)
			continue;
		if (column + width > 80)
			column = printf("\n      ") - 1;
		printf(" %s", t->name);
		column += width;
	}
	printf("\n");
}

void help_print(void)
{
	printf("usage: evwatch [OPTION]... KIND ARG... [OPTION]... [-- COMMAND [ARG]...]\n"
	       "       evwatch [OPTION]... [-e RULE]... [-f FILE]...\n"
	       "       evwatch TOOL ...\n"
	       "Runs commands when something happens. Without a command, prints the events.\n"
	       "\nKinds (\"evwatch KIND --help\" has the options of a kind):\n");
	for (size_t i = 0; source_types[i]; i++)
		printf("  %-10s%-20s%s\n", source_types[i]->name, source_types[i]->arguments,
		       source_types[i]->summary);
	list_tools();
	list_options("Options of the process", process_options, NULL);
	printf(
	    "\n  evwatch file src --match '*.c' -- make     evwatch every 10s -- date\n"
	    "  evwatch listen 7000 -- cat                 evwatch signal HUP -- 'echo \"$1\"'\n");
}

void help_print_options(const struct source_type *type)
{
	for (const struct rule_table *t = rule_tables; t->options; t++)
		if (!type || !type->takes_no_command || !t->of_command)
			list_options(t->title, t->options, type);
}

static void print_kind(const struct source_type *type, bool all)
{
	printf("usage: evwatch [OPTION]... %s %s%s\n%s\n", type->name, type->arguments,
	       type->takes_no_command ? "" : " [-- COMMAND [ARG]...]", type->summary);
	list_options("Options of this kind", type->options, type);
	printf("\nEvents:\n");
	for (const struct event_name *n = type->events; n && n->name; n++)
		printf("  %-12s %s\n", n->name, n->meaning);
	printf("\nExamples:\n");
	for (size_t i = 0; i < 2 && type->examples[i]; i++)
		printf("  %s\n", type->examples[i]);
	if (all)
		help_print_options(type);
	else
		printf("\n\"evwatch %s --help all\" lists the options of commands and printing, "
		       "too.\n",
		       type->name);
}

static void print_tool(const struct tool *tool)
{
	printf("usage: evwatch %s %s\n%s%s\n", tool->name, tool->arguments, tool->summary,
	       tool->run ? "" : " (not there yet)");
	if (tool->options)
		printf("\nOptions of this tool:\n%s", tool->options);
	if (tool->examples)
		printf("\nExamples:\n%s", tool->examples);
}

bool help_print_of(const char *name, bool all)
{
	const struct source_type *type = source_type_find(name);
	const struct tool *tool = tool_find(name);

	if (type)
		print_kind(type, all);
	else if (tool)
		print_tool(tool);
	return type || tool;
}

void version_print(void)
{
	printf("evwatch %s\nbackends:", EVWATCH_VERSION);
	for (const struct backend_info *const *b = reactor_backends(); *b; b++)
		printf(" %s", (*b)->name);
	printf("\n");
}

static void list_topics(void)
{
	printf("\nTopics:\n");
	for (const struct topic *t = topics; t->name; t++)
		printf("  %-12s %s\n", t->name, t->summary);
}

int tool_help(int argc, char **argv)
{
	const struct topic *topic;
	const char *near;

	if (argc < 2) {
		help_print_tasks();
		return 0;
	}
	topic = topic_find(argv[1]);
	if (topic) {
		topic->print();
		return 0;
	}
	if (help_print_of(argv[1], argc > 2 && strcmp(argv[2], "all") == 0)) {
		if (strcmp(argv[1], "help") == 0)
			list_topics();
		return 0;
	}
	fprintf(stderr, "evwatch: help: there is no kind, tool or topic \"%s\"\n", argv[1]);
	near = kind_near(argv[1], tool_names());
	if (near)
		fprintf(stderr, "  did you mean %s?\n", near);
	else
		fprintf(stderr, "  \"evwatch help help\" lists the topics\n");
	return 2;
}
