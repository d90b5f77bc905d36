/* See run_setup.h. */
#include "job/run_setup.h"

#include "base/error.h"

static int prepare(struct run_setup *s, struct sink *out, struct sink *err, struct error *e)
{
	if (surroundings_open(&s->around, &s->config->around, e) < 0)
		return -1;
	if (program_open(&s->program, s->command, &s->around, s->rule) < 0)
		return error_errno(e, "cannot prepare the command");
	return output_plan_open(&s->output, s->reactor, &s->config->output, s->rule, out, err, e);
}

int run_setup_open(struct run_setup *s, struct sink *out, struct sink *err, struct error *e)
{
	s->output.file = -1;
	list_init(&s->output.streams);
	failures_init(&s->failures, s->reactor, s->rule, &s->program, &s->around);
	if (prepare(s, out, err, e) == 0)
		return 0;
	run_setup_close(s);
	return -1;
}

void run_setup_close(struct run_setup *s)
{
	failures_close(&s->failures);
	surroundings_close(&s->around);
	program_close(&s->program);
	starts_close(&s->starts);
	output_plan_close(&s->output);
}
