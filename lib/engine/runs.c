/* What a rule's job reports of its runs goes to the log, the sources and the counts. */
#include "engine/state.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/signame.h"
#include "base/units.h"
#include "engine/control.h"
#include "engine/printer.h"
#include "engine/requests.h"
#include "rule/rule.h"
#include "source/source.h"

/* ---- who may run ----------------------------------------------------------------------------- */

/* No more than --runs; what runs will count. */
static bool is_within_runs(const struct armed_rule *a)
{
	struct job_stats stats;

	if (!a->rule->own.runs)
		return true;
	job_stats(a->job, &stats);
	return a->runs + stats.running < a->rule->own.runs;
}

static bool on_may_start(void *owner)
{
	const struct armed_rule *a = owner;

	if (!engine_may_start(a->engine) || !is_within_runs(a))
		return false;
	if (a->rule->job.stdin_mode == STDIN_INHERIT)
		live_lend(a->engine);
	return true;
}

/* ---- what goes back to the source
 * --------------------------------------------------------------------
 */

static void report_to_source(struct armed_rule *sender, void *token,
			     const struct run_outcome *outcome)
{
	if (sender && sender->open && sender->rule->type->run_ended)
		sender->rule->type->run_ended(sender->source, token, outcome);
}

static void on_run_began(void *owner, uint64_t ordinal, pid_t pid, void *sender, void *token)
{
	struct armed_rule *a = owner, *from = sender;
	struct buf fields = {0};

	buf_printf(&fields, ",\"run\":%llu,\"pid\":%d", (unsigned long long)ordinal, (int)pid);
	log_fields(LOG_INFO, a->rule->name, &fields, "run %llu started, pid %d",
		   (unsigned long long)ordinal, (int)pid);
	buf_free(&fields);
	live_changed(a->engine);
	if (from && from->open && from->rule->type->run_began)
		from->rule->type->run_began(from->source, token);
}

/* The words for a run that failed. */
static void describe_failure(struct buf *b, const struct run_result *result)
{
	char name[16];

	buf_printf(b, "run %llu ", (unsigned long long)result->ordinal);
	if (result->timed_out)
		buf_add_text(b, "was stopped by --timeout");
	else if (result->signal)
		buf_printf(b, "was killed by SIG%s",
			   signal_name(result->signal, name, sizeof name));
	else
		buf_printf(b, "failed with status %d", result->status);
	buf_add_text(b, " after ");
	duration_say(b, result->duration);
	if (result->attempts > 1)
		buf_printf(b, ", the last of %llu attempts", (unsigned long long)result->attempts);
}

static void log_failure(const struct armed_rule *a, const struct run_result *result)
{
	struct buf b = {0};

	describe_failure(&b, result);
	log_warn(a->rule->name, "%s", b.failed ? "a run failed" : b.data);
	buf_free(&b);
}

static void log_end(const struct armed_rule *a, const struct run_result *result)
{
	struct buf b = {0};

	if (!log_wants(LOG_INFO))
		return;
	duration_say(&b, result->duration);
	log_info(a->rule->name, "run %llu ended after %s, status %d",
		 (unsigned long long)result->ordinal, b.data, result->status);
	buf_free(&b);
}

/* A command that could not be started was logged with the reason; one that evwatch stopped did not
 * fail. */
static void log_run(const struct armed_rule *a, const struct run_result *result)
{
	log_end(a, result);
	if (result->status && result->pid > 0 && !result->stopped)
		log_failure(a, result);
}

/* What --log json adds to a line about the end of a run. */
static void run_fields(struct buf *b, const struct run_result *result)
{
	buf_printf(b, ",\"run\":%llu,\"pid\":%d,\"status\":%d", (unsigned long long)result->ordinal,
		   (int)result->pid, result->status);
	if (result->signal)
		buf_printf(b, ",\"signal\":%d", result->signal);
	buf_printf(b, ",\"duration\":%lld.%09lld", (long long)(result->duration / NS_PER_S),
		   (long long)(result->duration % NS_PER_S));
}

static void on_run_ended(void *owner, const struct run_result *result)
{
	struct armed_rule *a = owner;
	struct run_outcome outcome = {result->status, result->output, result->output_length,
				      result->stopped};
	struct buf fields = {0};

	run_fields(&fields, result);
	log_set_fields(&fields);
	log_run(a, result);
	log_set_fields(NULL);
	buf_free(&fields);
	live_changed(a->engine);
	if (result->batch)
		links_ran(a, result);
	armed_count(a, result->status);
	report_to_source(result->sender, result->token, &outcome);
	armed_check_runs(a);
}

static void on_ticket(void *owner, uint64_t ticket, const struct run_result *result)
{
	struct armed_rule *a = owner;
	struct buf answer = {0};

	request_run_ended(&answer, result, a->paused);
	control_answer(a->engine->control, ticket, &answer, !result || result->status);
	buf_free(&answer);
}

static void on_dropped(void *owner, void *token)
{
	struct run_outcome outcome = {.status = -1};

	report_to_source(owner, token, &outcome);
}

/* ---- room ------------------------------------------------------------------------------------ */

static void on_job_room(void *owner)
{
	struct armed_rule *a = owner;

	links_room(a);
	ending_review(a->engine);
}

static void on_feed_room(void *owner)
{
	struct armed_rule *a = owner;

	armed_update(a);
	links_check_over(a);
	ending_review(a->engine);
}

/* Its count is that of the command's environment. */
static void on_event_json(void *owner, struct buf *out, const struct event *event, const char *kind,
			  uint64_t ordinal)
{
	static const struct print_config json = {.json = true};
	const struct armed_rule *a = owner;
	struct print_context context = {a->rule->name, kind, ordinal, NULL};

	event_print(out, &json, &context, event);
}

const struct job_host rule_job_host = {
    .may_start = on_may_start,
    .began = on_run_began,
    .ended = on_run_ended,
    .ticket = on_ticket,
    .room = on_job_room,
    .event_json = on_event_json,
};

const struct feed_host rule_feed_host = {
    .dropped = on_dropped,
    .room = on_feed_room,
};
