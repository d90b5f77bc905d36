/* `evwatch status`: what a running evwatch does, as text, JSON, or for Prometheus. */
#include "client.h"
#include "status.h"
#include "tool_options.h"
#include "tools.h"

#include "base/option.h"

#include <stddef.h>
#include <stdio.h>

struct status_options {
	char *control;
	bool json, prometheus;
};

#define FIELD(name) .offset = offsetof(struct status_options, name)

static const struct option status_options[] = {
    {.name = "control", .type = OPTION_TEXT, FIELD(control), .value = "PATH"},
    {.name = "json", .type = OPTION_FLAG, FIELD(json)},
    {.name = "prometheus", .type = OPTION_FLAG, FIELD(prometheus)},
    {0},
};

static int print_status(const struct status_options *o)
{
	const struct json_value *status = NULL;
	struct buf out = {0};
	struct client c;
	bool failed;

	if (client_open(&c, "status", o->control) == 0)
		status = client_do(&c, "{\"do\":\"status\"}", false);
	if (status && o->json)
		buf_printf(&out, "%s\n", c.raw);
	else if (status && o->prometheus)
		status_add_prometheus(&out, status);
	else if (status)
		status_add_text(&out, status);
	failed = out.failed;
	if (failed)
		fputs("evwatch: status: out of memory\n", stderr);
	else if (out.length && (o->json || o->prometheus))
		fwrite(out.data, 1, out.length, stdout);
	else if (out.length)
		client_print(stdout, out.data);
	buf_free(&out);
	client_close(&c);
	return status && !failed ? 0 : 1;
}

int tool_status(int argc, char **argv)
{
	struct status_options o = {0};
	int count = argc - 1, status = 2;

	if (tool_options_read("status", status_options, &o, argv + 1, &count) == 0 &&
	    tool_options_finish("status", status_options, argv + 1, &count) == 0) {
		if (count)
			fputs("evwatch: status takes only options\n", stderr);
		else if (o.json && o.prometheus)
			fputs("evwatch: status: --json and --prometheus cannot be used together\n",
			      stderr);
		else
			status = print_status(&o);
	}
	option_release(status_options, &o);
	return status;
}
