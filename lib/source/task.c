/* task: no event of its own. Other rules hand it theirs (--to), or a hand runs it (trigger). */
#include "source/kinds.h"

#include "base/buf.h"

static void task_describe(const void *config, struct buf *out)
{
	(void)config;
	buf_add_text(out, "what other rules (--to) or \"evwatch trigger\" hand to it");
}

static int task_open(struct source *s, struct error *e)
{
	(void)s;
	(void)e;
	return 0;
}

static void task_nothing(struct source *s)
{
	(void)s;
}

static const struct event_name task_events[] = {
    {"(any)", "the event of the rule that passed it on, with all details"},
    {0},
};

static const struct option no_options[] = {{0}};

static const struct refusal task_refuses[] = {
    {"debounce max-wait throttle each quiet-for times unique by",
     "events are gathered and chosen by the rules that hand them over",
     "it goes into the rule with --to"},
    {"to", "task is a command for others, and has one of its own",
     "name this task in the --to of each rule that is to run it"},
    {0},
};

const struct source_type source_task = {
    .name = "task",
    .summary = "a command that other rules (--to) or trigger run",
    .arguments = "",
    .least_arguments = 0,
    .most_arguments = 0,
    .examples = {"evwatch -e 'deploy: task -- ./deploy' -e 'signal HUP --to deploy'",
		 "evwatch --control ctl -e 'deploy: task -- make deploy'"},
    .events = task_events,
    .options = no_options,
    .refuses = task_refuses,
    .needs_command = true,
    .by_others = true,
    .describe = task_describe,
    .size = sizeof(struct source),
    .open = task_open,
    .start = task_nothing,
    .stop = task_nothing,
    .close = task_nothing,
};
