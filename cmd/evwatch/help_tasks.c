/* `evwatch help`: kinds and tools by what one wants to do. See help.h. */
#include "help.h"

#include "topics.h"

#include <stdio.h>

/* A NULL word begins a group. */
static const struct task {
	const char *what, *words;
} tasks[] = {
    {"Run a command when", NULL},
    {"files or directories change", "file"},
    {"a time comes: once, repeatedly, by a calendar", "after at every cron calendar"},
    {"a line is written, to a log or by a command", "lines"},
    {"somebody connects, or sends a datagram", "listen"},
    {"a service or a URL goes up or down", "probe"},
    {"a process ends, or a run of another rule", "exit ended"},
    {"a signal arrives", "signal"},
    {"you or another rule say so", "task trigger"},
    {"Keep something running", NULL},
    {"a command, started again when it ends", "run"},
    {"connections, carried to one of several servers", "relay"},
    {"Before it runs", NULL},
    {"find errors, and say what rules will do", "check"},
    {"list the coming times of schedules", "next"},
    {"see which backends of the kernel work here", "backends"},
    {"complete words in a shell", "completions"},
    {"While it runs (with --control PATH)", NULL},
    {"look at it: once, for a program, live", "status top"},
    {"read the rules again", "reload"},
    {"hold a rule's events back, and let them go on", "pause resume"},
    {"stop a rule's command, or all of evwatch", "stop quit"},
};

void help_print_tasks(void)
{
	for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++)
		if (tasks[i].words)
			printf("  %-48s %s\n", tasks[i].what, tasks[i].words);
		else
			printf("%s%s:\n", i ? "\n" : "", tasks[i].what);
	printf("\nMore: \"evwatch help WORD\", where WORD is one of these, or\n ");
	for (const struct topic *t = topics; t->name; t++)
		printf(" %s", t->name);
	printf(";\n\"evwatch --help\" has the options of the process on one screen.\n");
}
