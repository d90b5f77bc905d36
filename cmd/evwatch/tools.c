/* See tools.h. */
#include "tools.h"

#include <stddef.h>
#include <string.h>

const struct tool tools[] = {
    {"check", "[-e RULE]... [-f FILE]...", "say every error of the rules, or what they will do",
     tool_check},
    {"next", "[-n N] [--from TIME] KIND EXPR", "the coming times of a schedule", tool_next},
    {"backends", "[--json]", "which backends there are, and what they are good for", tool_backends},
    {"status", "PATH [--json|--prometheus]", "what a running evwatch does", NULL},
    {"top", "PATH", "the same, live", NULL},
    {"trigger", "PATH RULE [SUBJECT...]", "fire a rule by hand", NULL},
    {"completions", "bash|zsh|fish", "completions for a shell", NULL},
    {"help", "[KIND]", "this help, or that of a kind", tool_help},
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
