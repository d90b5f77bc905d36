/*
 * The ends of evwatch's own input and output: a reader of standard output that has gone ends
 * evwatch as SIGPIPE would, even while there is nothing to write; with --stdin-quit the end of
 * standard input ends it, too.
 */
#include "engine/state.h"

#include "base/error.h"
#include "base/list.h"
#include "base/log.h"
#include "output/sink.h"
#include "rule/rule.h"
#include "source/source.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* Does the rule write to standard output, by itself or by its command? */
static bool writes(const struct armed_rule *a)
{
	const struct rule *rule = a->rule;
	const char *where = rule->job.output.where;

	if (rule->type->takes_no_command)
		return rule->print.json || rule->print.format;
	if (!rule->command.count)
		return !rule->own.to;
	if (rule->type->gives_input)
		return false;
	return !where || strcmp(where, "inherit") == 0 || strcmp(where, "group") == 0;
}

int ends_watch_reader(struct engine *e)
{
	for (size_t i = 0; i < e->n_rules; i++)
		if (writes(e->rules[i]))
			return sink_watch_reader(e->output);
	return 0;
}

/* The bytes are dropped: only the end counts. A regular file is never ready: it has ended. */
static void on_input(struct reactor *r, struct io_watcher *w, unsigned ready)
{
	struct engine *e = CONTAINER_OF(w, struct engine, input);
	struct pollfd p = {.fd = 0, .events = POLLIN};
	char bytes[4096];
	ssize_t n = 0;

	if (!(ready & IO_ERROR)) {
		if (poll(&p, 1, 0) <= 0)
			return;
		n = read(0, bytes, sizeof bytes);
	}
	if (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)))
		return;
	io_stop(r, w);
	log_info(NULL, "standard input has ended: stopping");
	engine_finish(e, 0, 0);
}

int ends_open(struct engine *e, struct error *error)
{
	io_init(&e->input, 0, IO_READ, on_input);
	if (e->config->stdin_quit && io_start(e->reactor, &e->input) < 0)
		return error_errno(error, "cannot watch standard input");
	return ends_watch_reader(e) < 0 ? error_errno(error, "cannot watch standard output") : 0;
}

void ends_close(struct engine *e)
{
	io_stop(e->reactor, &e->input);
}
