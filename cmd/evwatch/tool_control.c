/* The tools that ask a running evwatch for something: trigger, pause, resume, stop, quit, reload.
 */
#include "client.h"
#include "tool_options.h"
#include "tools.h"

#include "base/option.h"
#include "base/text.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct control_options {
	char *control;
	bool wait;
};

#define FIELD(name) .offset = offsetof(struct control_options, name)

static const struct option control_options[] = {
    {.name = "control", .type = OPTION_TEXT, FIELD(control), .value = "PATH"},
    {0},
};

static const struct option trigger_options[] = {
    {.name = "control", .type = OPTION_TEXT, FIELD(control), .value = "PATH"},
    {.name = "wait", .type = OPTION_FLAG, FIELD(wait)},
    {0},
};

/* What a tool does with the answer: its exit status. */
typedef int answer_call(const struct json_value *answer);

static int done(const struct json_value *answer)
{
	(void)answer;
	return 0;
}

static int print_stopped(const struct json_value *answer)
{
	if (json_number(answer, "stopped", 0) == 0)
		fputs("evwatch: stop: its command does not run\n", stderr);
	return 0;
}

static int print_run(const struct json_value *answer)
{
	if (json_flag(answer, "skipped")) {
		fprintf(stderr, "evwatch: trigger: skipped: %s\n",
			json_flag(answer, "paused") ? "the rule is paused"
						    : "the command still runs");
		return 1;
	}
	return (int)json_number(answer, "status", 0);
}

static int print_reload(const struct json_value *answer)
{
	printf("%.0f rules unchanged, %.0f new or changed, %.0f removed\n",
	       json_number(answer, "unchanged", 0), json_number(answer, "added", 0),
	       json_number(answer, "removed", 0));
	return 0;
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* The request; `rule` NULL: of the whole process. The caller frees it. NULL with ENOMEM. */
static char *make_request(const char *what, const char *rule, char **subjects, int n, bool wait)
{
	struct buf b = {0};

	buf_printf(&b, "{\"do\":\"%s\"", what);
	if (rule) {
		buf_add_text(&b, ",\"rule\":");
		json_add_string(&b, rule, strlen(rule));
	}
	for (int i = 0; i < n; i++) {
		buf_add_text(&b, i ? "," : ",\"subjects\":[");
		json_add_string(&b, subjects[i], strlen(subjects[i]));
	}
	buf_add_text(&b, n ? "]" : "");
	buf_add_text(&b, wait ? ",\"wait\":true}" : "}");
	return buf_take(&b);
}

static int ask(const char *tool, const struct control_options *o, const char *request, bool patient,
	       answer_call *answered)
{
	const struct json_value *answer = NULL;
	struct client c;
	int status;

	if (!request) {
		fprintf(stderr, "evwatch: %s: out of memory\n", tool);
		return 1;
	}
	if (client_open(&c, tool, o->control) == 0)
		answer = client_do(&c, request, patient);
	status = answer ? answered(answer) : 1;
	client_close(&c);
	return status;
}

/* A tool that takes a rule's name (`least` 1) or none, and with `more` subjects behind it. */
struct shape {
	int least;
	bool more;
	const struct option *options;
	bool patient; /* the answer may take its time */
};

static int run_tool(int argc, char **argv, const struct shape *shape, answer_call *answered)
{
	struct control_options o = {0};
	const char *tool = argv[0];
	char *request = NULL;
	int count = argc - 1, status = 2;

	if (tool_options_read(tool, shape->options, &o, argv + 1, &count) == 0 &&
	    tool_options_finish(tool, shape->options, argv + 1, &count) == 0) {
		if (count < shape->least) {
			fprintf(stderr, "evwatch: %s needs RULE: \"evwatch status\" lists them\n",
				tool);
		} else if (count > shape->least && !shape->more) {
			fprintf(stderr, "evwatch: %s takes %s\n", tool,
				shape->least ? "one RULE" : "no argument");
		} else {
			request = make_request(tool, shape->least ? argv[1] : NULL, argv + 2,
					       shape->more ? count - 1 : 0, o.wait);
			status = ask(tool, &o, request, shape->patient || o.wait, answered);
		}
	}
	free(request);
	option_release(shape->options, &o);
	return status;
}

static const struct shape of_rule = {1, false, control_options, false};
static const struct shape of_process = {0, false, control_options, false};

int tool_trigger(int argc, char **argv)
{
	static const struct shape shape = {1, true, trigger_options, false};

	return run_tool(argc, argv, &shape, print_run);
}

int tool_pause(int argc, char **argv)
{
	return run_tool(argc, argv, &of_rule, done);
}

int tool_resume(int argc, char **argv)
{
	return run_tool(argc, argv, &of_rule, done);
}

int tool_stop(int argc, char **argv)
{
	return run_tool(argc, argv, &of_rule, print_stopped);
}

int tool_quit(int argc, char **argv)
{
	return run_tool(argc, argv, &of_process, done);
}

int tool_reload(int argc, char **argv)
{
	static const struct shape shape = {0, false, control_options, true};

	return run_tool(argc, argv, &shape, print_reload);
}
